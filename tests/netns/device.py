# SPDX-License-Identifier: MIT
"""
A bare device that is configured with wg(8) and ip(8): traffic, counters, MTU and keys.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import base64
import socket
import time

from ends import ENDS, PLAIN_ENDS, PORT, AditDevice, devices, host_port, key
from lab import TIMEOUT, case, wait_for
from packets import TCP, UDP, Capture, check_all
from superpackets import SuperPacket
from traffic import MIB, iperf, stream, udp_socket
from wire import LENGTHS, OVERHEAD

MTU = 1420
HEADERS = {4: 20 + 8, 6: 40 + 8}  # IP and ICMP
INITIATION, RESPONSE = LENGTHS[1], LENGTHS[2]
KEEPALIVE = OVERHEAD
KEEPALIVE_TIMEOUT = 10  # seconds; paper, section 6.5
LARGEST = (65507 - OVERHEAD) // 16 * 16  # the largest padded packet that fits into one datagram over IPv4
OUTSIDE = {"left": socket.inet_aton("192.0.2.1"), "right": socket.inet_aton("192.0.2.2")}


def data_message(inner, mtu=MTU):
    """Returns the length of the datagram that carries a packet (paper, section 5.4.6). Padding ends at the MTU."""
    return OVERHEAD + min(mtu, (inner + 15) // 16 * 16)


@case(ends=ENDS, outside=[4, 6])
def carries(lab, ends, outside):
    left, right = devices(lab, ends, outside)
    for family in 4, 6:
        for source, target in (left, right), (right, left):
            way = f"{source.node.name} to {target.node.name}, v{family} inside"
            address = target.inner(family)
            with lab.check(f"ping, {way}"):
                source.node.ping(address)
            with lab.check(f"16 MiB of TCP by iperf3, {way}"):
                done = iperf(source.node, target.node, address, "--bytes 16M")
                assert done["sum_received"]["bytes"] > 8 << 20, done["sum_received"]  # iperf3 stops counting early
            with lab.check(f"UDP by iperf3, {way}"):
                done = iperf(source.node, target.node, address, "--udp --bitrate 20M --bytes 2M --length 1300")["sum"]
                assert done["packets"] > 1500 and done["lost_percent"] < 50, done  # iperf3 has a small receive buffer


@case(ends=ENDS, waits=True)
def counters(lab, ends):
    """The counters hold the UDP payload exactly: one handshake, 20 pings with their answers, one keepalive."""
    left, right = devices(lab, ends)
    left.node.ping(right.v4, count=10)
    left.node.ping(right.v6, count=10)
    pings = 10 * (data_message(84) + data_message(104))
    forth, back = INITIATION + pings, RESPONSE + pings
    with lab.check("20 pings are counted to the byte"):
        assert left.transfer(right) == (back, forth), f"{left.transfer(right)}, not {back, forth}"
        assert right.transfer(left) == (forth, back), f"{right.transfer(left)}, not {forth, back}"
    time.sleep(KEEPALIVE_TIMEOUT + 3)
    with lab.check("then one keepalive, from the end that received the last packet"):
        forth += KEEPALIVE
        assert left.transfer(right) == (back, forth), f"{left.transfer(right)}, not {back, forth}"
        assert right.transfer(left) == (forth, back), f"{right.transfer(left)}, not {forth, back}"


@case(ends=ENDS, waits=True)
def persistent_keepalive(lab, ends):
    """Keepalives start as soon as they are enabled on a link that is up, and stop when they are disabled."""
    left, right = devices(lab, ends, knows="left")
    with lab.check("no traffic, no handshake"):
        time.sleep(1)
        assert left.about(right, "latest-handshakes") == "0" and left.transfer(right) == (0, 0)
    with lab.check("enabled: a handshake at once, and a keepalive every second"):
        left.set_peer(right, "persistent-keepalive", "1")
        wait_for(lambda: right.about(left, "latest-handshakes") != "0", "a handshake")
        before, begin = right.transfer(left)[0], time.monotonic()
        wait_for(lambda: right.transfer(left)[0] >= before + 4 * KEEPALIVE, "four keepalives")
        count, seconds = (right.transfer(left)[0] - before) / KEEPALIVE, time.monotonic() - begin
        assert count <= seconds + 1, f"{count} keepalives in {seconds:.1f} s"
    with lab.check("disabled: silence"):
        left.set_peer(right, "persistent-keepalive", "off")
        time.sleep(0.2)  # one that was sent before may still be on its way
        before = left.transfer(right)
        time.sleep(3)
        assert left.transfer(right) == before


@case(ends=PLAIN_ENDS, outside=[4, 6])
def mtu(lab, ends, outside):
    left, right = devices(lab, ends, outside)
    for node in left.node, right.node:
        node.offloads("wan", "off")
    left.node.ping(right.v4)
    for size in 1280, 1333, 1419, 1420:
        for end in left, right:
            end.link(f"mtu {size}")
        for family in 4, 6:
            with lab.check(f"MTU {size}: packets are padded to 16 bytes, but not beyond the MTU, v{family} inside"):
                check_padding(left, right, size, family)
    for size in 1500, 9000, LARGEST, 65535:
        for end in left, right:
            end.link(f"mtu {size}")
        with lab.check(f"MTU {size}: datagrams larger than the wire's MTU arrive in fragments"):
            for source, target in (left, right), (right, left):
                for family in 4, 6:
                    full = min(size, LARGEST) - HEADERS[family]
                    source.node.ping(target.inner(family), options=f"-M do -s {full}")
        if size <= LARGEST:
            with lab.check(f"MTU {size}: TCP"):
                stream(left.node, right.node, right.v4, 4 * MIB)
                stream(right.node, left.node, left.v6, 4 * MIB)


def check_padding(left, right, mtu, family, outside=None):
    """`outside` is the host on whose wire the datagrams are captured, if it is not the host that sends the packets."""
    sizes = [mtu - 40, mtu - 16, mtu - 15, mtu - 3, mtu - 2, mtu - 1, mtu]
    time.sleep(0.1)
    capture = Capture(outside or left.node, "wan")
    for size in sizes:
        left.node.ping(right.inner(family), count=1, options=f"-M do -s {size - HEADERS[family]}")
    seen = [len(packet.payload) - 8 for packet in check_all(capture, 1500) if packet.protocol == UDP]
    expected = [data_message(size, mtu) for size in sizes for _ in ("request", "answer")]
    assert seen == expected, f"datagrams of {seen} bytes, not {expected}"


@case(family=[4, 6])
def padding_of_segments(lab, family):
    """A route into the tunnel may have a smaller MTU than the device. Padding does not exceed the MTU of the route."""
    left, right = devices(lab, "adit+adit")
    for node in left.node, right.node:
        node.offloads("wan", "off")
    left.node.ping(right.v4)
    full = 1300
    payload = full - (40 if family == 4 else 60)
    for tail in 1, payload - 17, payload - 1, payload:
        with lab.check(f"full segments are not padded, and a last segment of {tail} bytes is not padded beyond them"):
            capture = Capture(left.node, "wan")
            SuperPacket("", left.inner(family), right.inner(family), TCP, 4 * payload + tail, payload).send(
                left.node, left.interface)
            wait_for(lambda: len(capture.packets) >= 5, "five datagrams")
            seen = [len(packet.payload) - 8 for packet in check_all(capture, 1500) if packet.source == OUTSIDE["left"]]
            expected = [data_message(full, full)] * 4 + [data_message(full - payload + tail, full)]
            assert seen == expected, f"datagrams of {seen} bytes, not {expected}"


@case(ends=ENDS)
def private_keys(lab, ends):
    left, right = devices(lab, ends)
    left.node.ping(right.v4)
    with lab.check("without a private key nothing is sent"):
        old = left.private
        left.set_key("")
        assert left.wg("show", "public-key").strip() == "(none)"
        before = left.transfer(right)
        left.node.no_answer(right.v4)
        assert left.transfer(right) == before
    with lab.check("with the same key again, traffic flows"):
        left.set_key(old)
        left.node.ping(right.v4)
    with lab.check("the ends swap their keys: a handshake at once"):
        swap(left, right)
        left.node.ping(right.v4, count=1)  # a retry of the handshake would come after 5 s, too late for ping
        right.node.ping(left.v4)
    with lab.check("a private key that belongs to a peer removes the peer"):
        left.set_key(right.private)
        assert left.about(right, "endpoints") is None
        left.node.no_answer(right.v4)


def swap(left, right):
    """Exchanges the private keys of the ends, and adapts the peers."""
    peers = {end: end.about(other, "endpoints") for end, other in ((left, right), (right, left))}
    keys = left.private, right.private
    for end, other, private in (left, right, keys[1]), (right, left, keys[0]):
        end.wg("set", "peer", other.public, "remove")
        end.set_key(private)
    for end, other in (left, right), (right, left):
        end.set_peer(other, "endpoint", peers[end], "allowed-ips", f"{other.v4}/32,{other.v6}/128")


@case(ends=ENDS)
def preshared_keys(lab, ends):
    """A preshared key takes effect with the next handshake. Setting the link down makes a handshake necessary."""
    left, right = devices(lab, ends)
    left.node.ping(right.v4)
    secret = key(lab.adit, "genpsk")
    steps = (("a preshared key at one end: no handshake", secret, None, False),
             ("the same preshared key at both ends: traffic", secret, secret, True),
             ("different preshared keys: no handshake", secret, key(lab.adit, "genpsk"), False),
             ("no preshared key: traffic", None, None, True))
    for title, one, other, works in steps:
        with lab.check(title):
            for end, peer, value in (left, right, one), (right, left, other):
                end.set_peer(peer, "preshared-key", "/dev/stdin" if value else "/dev/null", input=value)
                end.link("down")
                if isinstance(end, AditDevice):  # wireguard-go keeps its sockets
                    wait_for(lambda: not end.node.udp_ports(), "no port")
            for end, peer in (left, right), (right, left):
                end.link("up")
                end.node.run(f"ip route replace {peer.v4} dev {end.interface}")
            (left.node.ping if works else left.node.no_answer)(right.v4)
            shown = left.about(right, "preshared-keys")
            assert shown == (one or "(none)"), shown


@case(ends=ENDS)
def cryptokey_routing(lab, ends):
    """A source address that belongs to another peer is dropped. The packet is authentic, so the sender still roams."""
    left, right = devices(lab, ends)
    left.set_peer(right, "allowed-ips", "10.7.0.0/24")
    third = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    with udp_socket(right.node, right.v4) as sender, udp_socket(left.node, left.v4) as receiver:
        sender.connect(receiver.getsockname())
        with lab.check("a source that the peer owns is accepted"):
            sender.send(b"one")
            assert receiver.recv(99) == b"one"
        with lab.check("a source that another peer owns by a longer prefix is dropped"):
            left.wg("set", "peer", third, "allowed-ips", f"{right.v4}/32")
            right.wg("set", "listen-port", "40000")
            sender.send(b"two")
            assert nothing(receiver)
        with lab.check("the endpoint of the sender has changed all the same"):
            wait_for(lambda: left.about(right, "endpoints") == "192.0.2.2:40000", left.about(right, "endpoints"))
        with lab.check("after the other peer is removed, the source belongs to the first one again"):
            left.wg("set", "peer", third, "remove")
            sender.send(b"three")
            assert receiver.recv(99) == b"three"


def nothing(receiver):
    receiver.settimeout(1)
    try:
        return not receiver.recv(99)
    except TimeoutError:
        return True


@case(ends=ENDS)
def overlapping_prefixes(lab, ends):
    left, right = devices(lab, ends)
    third = key(lab.adit, "pubkey", key(lab.adit, "genkey"))

    def owners():
        lines = (line.split("\t") for line in left.wg("show", "allowed-ips").splitlines())
        return {peer: set(prefixes.split()) for peer, prefixes in lines}

    with lab.check("a prefix belongs to the peer that got it last"):
        left.wg("set", "peer", third, "allowed-ips", f"{right.v4}/32,10.7.0.0/24")
        assert owners() == {right.public: {f"{right.v6}/128"}, third: {f"{right.v4}/32", "10.7.0.0/24"}}, owners()
        left.node.no_answer(right.v4)
        left.node.ping(right.v6)
    with lab.check("it returns to the first peer, and the longest prefix decides"):
        left.set_peer(right, "allowed-ips", f"{right.v4}/32,{right.v6}/128")
        assert owners() == {right.public: {f"{right.v4}/32", f"{right.v6}/128"}, third: {"10.7.0.0/24"}}, owners()
        left.node.ping(right.v4)
    with lab.check("without the longer prefix, the shorter one decides"):
        left.set_peer(right, "allowed-ips", f"{right.v6}/128")
        left.node.no_answer(right.v4)
        left.wg("set", "peer", third, "allowed-ips", "")
        left.set_peer(right, "allowed-ips", "0.0.0.0/0,::/0")
        left.node.ping(right.v4)
        left.node.ping(right.v6)


PEERS, PREFIXES = 30, 200


def many_peers(lab):
    """Yields peers with every field set and with prefixes of all lengths."""
    for number in range(PEERS):
        v4 = [network(4, number << 24 | index << 12, 20 + index % 13) for index in range(PREFIXES // 2)]
        v6 = [network(6, 0xFD << 120 | number << 112 | index << 100, 28 + index) for index in range(PREFIXES // 2)]
        yield {"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")),
               "PresharedKey": key(lab.adit, "genpsk"),
               "AllowedIPs": ", ".join(v4 + v6),
               "Endpoint": host_port("2001:db8::99" if number % 2 else "192.0.2.99", 9 + number),
               "PersistentKeepalive": 1000 + number}


def network(family, address, length):
    bits = 32 if family == 4 else 128
    packed = (address >> bits - length << bits - length).to_bytes(bits // 8, "big")
    return f"{socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, packed)}/{length}"


def read_back(text):
    """Parses the output of `wg showconf` into keys and values per section. The prefixes are sorted."""
    sections = []
    for line in filter(None, text.splitlines()):
        if line.startswith("["):
            sections.append({"": line})
        else:
            name, value = line.split(" = ", 1)
            sections[-1][name] = sorted(value.split(", ")) if name == "AllowedIPs" else value
    return sections


@case()
def whole_configuration(lab):
    node = lab.node("left")
    end = AditDevice(node, "tun-left", ["10.7.0.1/24"])
    end.launch()
    end.peers = list(many_peers(lab))
    path = end.write(whole=False)
    with open(path) as file:
        expected = read_back(file.read().replace("ListenPort", "FwMark = 0x3039\nListenPort"))
    with lab.check(f"one request sets {PEERS} peers with {PREFIXES} prefixes and all fields"):
        end.wg("setconf", path)
        end.wg("set", "fwmark", "12345")
        found = read_back(end.wg("showconf"))
        assert found == expected, difference(found, expected)
    with lab.check("the same configuration again changes nothing"):
        end.wg("syncconf", path)
        end.wg("set", "fwmark", "12345")
        found = read_back(end.wg("showconf"))
        assert found == expected, difference(found, expected)
    with lab.check("a request with an error in its last peer changes nothing"):
        request = f"set=1\nlisten_port=1\nreplace_peers=true\npublic_key={'ab' * 32}\nallowed_ip=10.0.0.0/33\n\n"
        assert ask(end, request).endswith("errno=-22\n\n"), ask(end, request)
        found = read_back(end.wg("showconf"))
        assert found == expected, difference(found, expected)
    with lab.check("one request removes all peers"):
        end.peers = []
        end.wg("setconf", end.write(whole=False))
        assert not end.wg("show", "peers")


def difference(found, expected):
    if len(found) != len(expected):
        return f"{len(found)} sections, not {len(expected)}"
    return next(f"{one} is not {other}"[:300] for one, other in zip(found, expected) if one != other)


def ask(end, request):
    """Returns the answer of the control socket to one request."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(end.control_path)
        client.sendall(request.encode())
        answer = b""
        while not answer.endswith(b"\n\n"):
            answer += client.recv(4096)
        return answer.decode()


LOW_ORDER = [0, 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
             39382357235489614581723060781553021112529911719440698176882885853963445705823,
             2**255 - 20, 2**255 - 19, 2**255 - 18]  # u-coordinates (RFC 7748) whose shared secret is always zero


@case()
def useless_keys(lab):
    left, right = devices(lab, "adit+adit")
    for node in left.node, right.node:  # the capture checks every packet, such as a passive keepalive
        node.offloads("wan", "off")
    left.node.ping(right.v4)
    with lab.check("a peer with the device's own key is ignored"):
        left.wg("set", "peer", left.public, "allowed-ips", "10.9.9.9/32")
        assert left.wg("show", "peers").split() == [right.public]
    with lab.check("public keys of low order are accepted, and nothing is sent to them"):
        capture = Capture(left.node, "wan")
        for number, point in enumerate(LOW_ORDER):
            public = base64.b64encode(point.to_bytes(32, "little")).decode()
            left.wg("set", "peer", public, "endpoint", host_port("192.0.2.2", 1000 + number),
                    "persistent-keepalive", "1", "allowed-ips", f"10.9.9.{number}/32")
            left.node.run(f"ip route replace 10.9.9.{number} dev {left.interface}")
            left.node.no_answer(f"10.9.9.{number}")
        assert len(left.wg("show", "peers").split()) == 1 + len(LOW_ORDER)
        seen = [packet.payload for packet in check_all(capture, 1500) if packet.protocol == UDP]
        ports = [int.from_bytes(payload[2:4], "big") for payload in seen]
        assert not any(1000 <= port < 1010 for port in ports), ports
    with lab.check("other peers are not affected"):
        left.node.ping(right.v4)


@case(ends=ENDS)
def tunnel_in_a_tunnel(lab, ends):
    """
    tun-left 10.7.0.1  ====  tun-right 10.7.0.2       outer
    in-left  10.8.0.1  ====  in-right  10.8.0.2       inner; its endpoints are the addresses of the outer tunnel
    """
    outer = devices(lab, ends)
    inner = [type(end)(end.node, f"in-{end.node.name}", [f"10.8.0.{number}/24", f"fd08::{number}/64"], PORT + 1,
                       MTU=1340) for number, end in enumerate(outer, 1)]
    for end, other, below in (inner[0], inner[1], outer[1]), (inner[1], inner[0], outer[0]):
        end.add_peer(other, Endpoint=host_port(below.v6, PORT + 1))
        end.start()
    for family in 4, 6:
        with lab.check(f"ping and TCP both ways, v{family} inside"):
            for source, target in inner, inner[::-1]:
                source.node.ping(target.inner(family))
                stream(source.node, target.node, target.inner(family), 8 * MIB)
    with lab.check("a packet of the full MTU crosses without fragmentation"):
        inner[0].node.ping(inner[1].v4, options=f"-M do -s {1340 - HEADERS[4]}")
