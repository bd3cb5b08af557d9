# SPDX-License-Identifier: MIT
"""
UDP without a checksum inside the tunnel, as VXLAN with noudpcsum sends it. Over IPv4, adit merges such packets into
super-packets before it writes them to the TUN.

    left  192.0.2.1  ------------------  right  192.0.2.2   10.1.0.1  ----  far  10.1.0.2
    tun-left   10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
    vxlan      10.8.0.1                  vxlan      10.8.0.2

Right's side of the wire to far has no offloads.
"""

import contextlib
import socket

from ends import counters_of, pair
from lab import TIMEOUT, case, wait_for
from packets import UDP, Capture, check_all
from traffic import MIB, NOISE, stream, udp_socket

MTU = 1420
VXLAN_MTU = MTU - 50  # IPv4, UDP, VXLAN and Ethernet headers
SO_NO_CHECK, UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX, UDP_GRO = 11, 101, 102, 104
BURST = 100


def lay_vxlan(ends, checksum):
    for number, end, other in (1, ends[0], ends[1]), (2, ends[1], ends[0]):
        end.node.run(f"ip link add vxlan type vxlan id 7 dstport 4789 local {end.v4} remote {other.v4} {checksum}")
        end.node.run(f"ip address add 10.8.0.{number}/24 dev vxlan")
        end.node.run(f"ip link set vxlan mtu {VXLAN_MTU} up")


def checksum_field(packet):
    """The checksum field of a UDP datagram in an IP packet without options or extension headers."""
    at = 46 if packet[0] >> 4 == 6 else 26
    return int.from_bytes(packet[at:at + 2], "big")


@case(checksum=["udpcsum", "noudpcsum"], workers=[1, 4])
def vxlan(lab, checksum, workers):
    left, right = pair(lab, Workers=workers)
    left.node.ping(right.v4)  # so that left alone begins a handshake: both ends of a VXLAN send as soon as it is up
    lay_vxlan((left, right), checksum)
    with lab.check("64 MiB of TCP through the VXLAN, in few writes to the TUN"):
        capture = Capture(left.node, left.interface)
        before = counters_of(right)
        stream(left.node, right.node, "10.8.0.2", 64 * MIB)
        after = counters_of(right)
        writes, packets = (after[name] - before.get(name, 0) for name in ("tun_written", "opened"))
        source = socket.inet_aton(left.v4)
        sent = [packet for packet in capture.stop() if packet[9] == UDP and packet[12:16] == source]
        without = sum(not checksum_field(packet) for packet in sent)
        assert without == (len(sent) if checksum == "noudpcsum" else 0), f"{without} of {len(sent)} without a checksum"
        assert packets > 64 * MIB // MTU, f"{packets} packets"
        assert writes < packets / 4, f"{writes} writes of {packets} packets"
    with lab.check("the kernel accepted all super-packets"):
        assert not after.get("merge_refused"), f"{after['merge_refused']} refused"


def payloads():
    """Datagrams of equal length, except that the last is shorter."""
    return [number.to_bytes(4, "big") + NOISE[number:number + (600 if number == BURST - 1 else 1000)]
            for number in range(BURST)]


def send_burst(left, sender, address, without):
    """Sends payloads() in one burst. `without` decides by number which of them have no checksum."""
    option = (socket.SOL_SOCKET, SO_NO_CHECK) if sender.family == socket.AF_INET else (UDP, UDP_NO_CHECK6_TX)
    with left.daemon.held():
        for number, payload in enumerate(payloads()):
            sender.setsockopt(*option, int(without(number)))
            sender.sendto(payload, address)


def received(receiver, count):
    """Waits for `count` datagrams, and returns them and what follows within 0.5 s. A UDP_GRO batch is split."""
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            receiver.settimeout(0.5 if len(found) >= count else TIMEOUT)
            data, control, _, _ = receiver.recvmsg(65536, 64)
            sizes = [int.from_bytes(value, "little") for _, kind, value in control if kind == UDP_GRO]
            size = sizes[0] if sizes else len(data)
            found += [data[at:at + size] for at in range(0, len(data), size)]
    return found


SENDERS = {"none": lambda number: True, "some": lambda number: number // 10 % 2, "all": lambda number: False}


@case(checksums=SENDERS, gro=[0, 1])
def local_socket(lab, checksums, gro):
    """The socket receives the same datagrams, whether none, some or all of them have a checksum."""
    left, right = pair(lab)
    left.node.ping(right.v4)
    with udp_socket(left.node, left.v4) as sender, udp_socket(right.node, right.v4) as receiver:
        receiver.setsockopt(UDP, UDP_GRO, gro)
        with lab.check("a burst arrives complete, unchanged and in order"):
            capture = Capture(right.node, right.interface, incoming=True)
            send_burst(left, sender, receiver.getsockname(), SENDERS[checksums])
            assert received(receiver, BURST) == payloads()
            written = [packet for packet in capture.stop() if packet[9] == UDP]
        with lab.check("some of it was written to the TUN as super-packets"):
            longest = max(len(packet) for packet in written)
            assert longest > 2 * MTU, f"{len(written)} packets, at most {longest} bytes long"


@case(checksums=SENDERS)
def forwarded(lab, checksums):
    """Merged packets are forwarded with a valid checksum, all others unchanged."""
    left, right = pair(lab, start=False)
    far = lab.node("far")
    lab.wire(right.node, "lan", ["10.1.0.1/24"], far, "lan", ["10.1.0.2/24"])
    right.node.forward()
    right.node.offloads("lan", "off")
    far.run("ip route add default via 10.1.0.1")
    left.peers[0]["AllowedIPs"] += ", 10.1.0.0/24"
    left.start()
    right.start()
    left.node.ping(right.v4)
    with udp_socket(left.node, left.v4) as sender, udp_socket(far, "10.1.0.2") as receiver:
        with lab.check("a burst arrives on the wire and in the socket complete, unchanged and in order"):
            capture = Capture(far, "lan", incoming=True)
            send_burst(left, sender, receiver.getsockname(), SENDERS[checksums])
            assert received(receiver, BURST) == payloads()
            packets = [packet for packet in check_all(capture, 1500) if packet.protocol == UDP]
            assert [packet.payload[8:] for packet in packets] == payloads()
        with lab.check("packets that had a checksum still have one"):
            lost = [number for number, packet in enumerate(packets)
                    if not SENDERS[checksums](number) and not checksum_field(packet.data)]
            assert not lost, f"none in {lost}"


@case(expects=[0, 1])
def ipv6(lab, expects):
    """Packets stay without a checksum, so only a receiver that expects such packets accepts them (RFC 6935)."""
    left, right = pair(lab)
    left.node.ping(right.v4)
    with udp_socket(left.node, left.v6) as sender, udp_socket(right.node, right.v6) as receiver:
        receiver.setsockopt(UDP, UDP_NO_CHECK6_RX, expects)
        capture = Capture(right.node, right.interface, incoming=True)
        send_burst(left, sender, receiver.getsockname()[:2], SENDERS["none"])
        with lab.check("the receiver accepts all" if expects else "the receiver rejects all"):
            expected = payloads() if expects else []
            assert received(receiver, len(expected)) == expected
        with lab.check("all arrive without a checksum"):
            wait_for(lambda: len(capture.packets) >= BURST, "the burst")
            fields = [checksum_field(packet) for packet in capture.stop() if packet[0] >> 4 == 6 and packet[6] == UDP]
            assert fields == [0] * BURST, f"{len(fields)} packets, {fields.count(0)} without a checksum"
