# SPDX-License-Identifier: MIT
"""
Outer addresses and routes: the destination and the source address of the datagrams that a bare device sends.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2

A case with more hosts or links has its own drawing.
"""

import errno
import socket
import time

from ends import DEVICES, ENDS, Adit, WireguardGo, devices, host_port
from examples import masquerade
from lab import Skip, case, wait_for
from traffic import MIB, stream

BEYOND = {4: "203.0.113.7", 6: "2001:db8:7::7"}
EVERYTHING = "0.0.0.0/0,::/0"


def outer(family, number):
    return f"192.0.2.{number}" if family == 4 else f"2001:db8::{number}"


def add_host_address(node, address, interface="wan"):
    node.add_address(interface, f"{address}/{128 if ':' in address else 32}")


def ip_of(endpoint):
    """Returns the address of an endpoint from `wg show endpoints`, without the port."""
    return endpoint.strip().rsplit(":", 1)[0].strip("[]")


@case(ends=ENDS, outside=[4, 6])
def roaming(lab, ends, outside):
    left, right = devices(lab, ends, outside)
    other = 10 - outside
    left.node.ping(right.v4)
    for end, peer in (left, right), (right, left):
        with lab.check(f"{end.node.name} changes its port, and the peer follows"):
            end.wg("set", "listen-port", "40000")
            end.node.ping(peer.v4)
            assert peer.about(end, "endpoints").endswith(":40000"), peer.about(end, "endpoints")
            peer.node.ping(end.v4)
    with lab.check("left loses its address and uses the other one, and the peer follows"):
        new = outer(outside, 11)
        add_host_address(left.node, new)
        prefix = 24 if outside == 4 else 64
        left.node.run(f"ip route replace {outer(outside, 2)} dev wan src {new}")
        left.node.run(f"ip address del {outer(outside, 1)}/{prefix} dev wan")
        left.node.ping(right.v4)
        assert ip_of(right.about(left, "endpoints")) == new, right.about(left, "endpoints")
        right.node.ping(left.v6)
    with lab.check(f"left switches to IPv{other}, and the peer follows"):
        left.set_peer(right, "endpoint", host_port(outer(other, 2), 40000))
        left.node.run(f"ping -n -q -c 1 -W 1 {right.v4}", check=False)
        wait_for(lambda: ip_of(right.about(left, "endpoints")) == outer(other, 1), "the new endpoint")
    with lab.check(f"traffic flows both ways over IPv{other}"):
        if other == 6 and isinstance(right, WireguardGo) and right.has_virtio_headers():
            # it copies the new address into a buffer that has the length of an IPv4 address
            raise Skip("this version of wireguard-go sends to a wrong IPv6 address after it has sent over IPv4")
        left.node.ping(right.v4)
        right.node.ping(left.v6)


@case(ends=ENDS, outside=[4, 6])
def answers_from_the_destination_address(lab, ends, outside):
    """
    An answer to a datagram comes from the address to which the datagram was sent.

        right  ----  wan  left  bridge  203.0.113.1, 2001:db8:b::1         the bridge has no ports, hence no carrier
    """
    left, right = devices(lab, ends, outside, knows="right", start=False)
    destination = {4: "203.0.113.1", 6: "2001:db8:b::1"}[outside]
    left.node.run("ip link add bridge type bridge")
    left.node.run("ip link set bridge up")
    add_host_address(left.node, destination, "bridge")
    right.node.run(f"ip route add {destination} via {outer(outside, 1)}")
    right.peers[0]["Endpoint"] = host_port(destination)
    left.start(), right.start()
    with lab.check("an address on a bridge without ports"):
        right.node.ping(left.v4)
        left.node.ping(right.v6)
        assert right.about(left, "endpoints").strip() == host_port(destination), right.about(left, "endpoints")
    with lab.check("unrelated new addresses and routes change nothing"):
        left.node.run("ip address add 198.18.0.1/32 dev lo")
        left.node.run("ip route add 198.19.0.0/16 dev lo")
        left.node.ping(right.v4)
        assert right.about(left, "endpoints").strip() == host_port(destination), right.about(left, "endpoints")
    with lab.check("right sends to another address"):
        second = outer(outside, 21)
        add_host_address(left.node, second)
        right.set_peer(left, "endpoint", host_port(second))
        right.node.ping(left.v4)
        assert right.about(left, "endpoints").strip() == host_port(second), right.about(left, "endpoints")


@case(ends=ENDS, outside=[4, 6])
def better_route(lab, ends, outside):
    """
    The source address follows the best route to the endpoint, which is an address on right's loopback interface.

        left   wan  192.0.2.1, 2001:db8::1        ----  192.0.2.2, 2001:db8::2        wan   right
               fast 198.51.100.1, 2001:db8:51::1  ----  198.51.100.2, 2001:db8:51::2  fast
                                                        203.0.113.7, 2001:db8:7::7    lo

    The routes of right make it answer from the loopback address. The wireguard-go of Debian 13 forgets the destination
    address of a datagram, and so the address to answer from, when its socket merges datagrams (UDP_GRO).
    """
    left, right = devices(lab, ends, outside, start=False)
    lab.wire(left.node, "fast", ["198.51.100.1/24", "2001:db8:51::1/64"],
             right.node, "fast", ["198.51.100.2/24", "2001:db8:51::2/64"])
    add_host_address(right.node, BEYOND[outside], "lo")
    fast = {4: "198.51.100.{}", 6: "2001:db8:51::{}"}[outside]
    slow_way = f"{BEYOND[outside]} via {outer(outside, 2)} metric 200"
    fast_way = f"{BEYOND[outside]} via {fast.format(2)} metric 100"
    left.peers[0]["Endpoint"] = host_port(BEYOND[outside])
    right.peers[0].pop("Endpoint")
    left.node.run(f"ip route add {slow_way}")
    right.node.run(f"ip route add {outer(outside, 1)} dev wan src {BEYOND[outside]}")
    right.node.run(f"ip route add {fast.format(1)} dev fast src {BEYOND[outside]}")
    left.start(), right.start()
    for title, change, address in (("the only route", None, outer(outside, 1)),
                                   ("a better route is added", f"ip route add {fast_way}", fast.format(1)),
                                   ("the better route is deleted", f"ip route del {fast_way}", outer(outside, 1)),
                                   ("the better route is added again", f"ip route add {fast_way}", fast.format(1)),
                                   ("its link goes down", "ip link set fast down", outer(outside, 1))):
        with lab.check(f"{title}: left sends from {address} at once"):
            if change:
                left.node.run(change)
            left.node.ping(right.v4)
            assert ip_of(right.about(left, "endpoints")) == address, right.about(left, "endpoints")
            right.node.ping(left.v4)


UPLINKS = {4: ("192.0.2.{}", "198.51.100.{}", "203.0.113.{}", "10.1.{}.{}"),
           6: ("2001:db8:1::{}", "2001:db8:2::{}", "2001:db8:7::{}", "fd01:{}::{}")}


class Hub:
    """
    A hub with two uplinks, and clients at the other end of the router:

             wan1  192.0.2.1     2001:db8:1::1  ----  192.0.2.2     2001:db8:1::2  up1
        hub  wan2  198.51.100.1  2001:db8:2::1  ----  198.51.100.2  2001:db8:2::2  up2  router  ----  clients
             lo    203.0.113.1   2001:db8:7::1                                     10.1.N.1, fd01:N::1  .2, ::2

    The hub's default route leads to wan1, and by `ip rule add from ADDR2 lookup 100` what comes from the second address
    leaves by wan2. Each provider drops what comes from an address of the other.
    """

    def __init__(self, lab, family, workers, count):
        self.lab = lab
        self.family = family
        self.ip = f"ip -{family}"
        self.first, self.second, self.on_lo = (text.format(1) for text in UPLINKS[family][:3])
        self.node, self.router = lab.node("hub"), lab.node("router", forward=True)
        prefix = 24 if family == 4 else 64
        for number, text in (1, UPLINKS[family][0]), (2, UPLINKS[family][1]):
            lab.wire(self.node, f"wan{number}", [f"{text.format(1)}/{prefix}"],
                     self.router, f"up{number}", [f"{text.format(2)}/{prefix}"])
        self.node.add_address("lo", self.on_lo)
        self.next_hops = [text.format(2) for text in UPLINKS[family][:2]]
        self.node.run(f"{self.ip} route add default via {self.next_hops[0]} dev wan1")
        self.node.run(f"{self.ip} route add default via {self.next_hops[1]} dev wan2 table 100")
        self.node.run(f"{self.ip} rule add from {self.second} lookup 100")
        for key in "all", "default", "wan1", "wan2":
            self.node.set(f"net/ipv4/conf/{key}/rp_filter", 0)
        self.end = Adit(self.node, "tun-hub", ["10.7.0.1/16", "fd07::1/64"], Workers=workers)
        self.clients = [self.client(number) for number in range(2, 2 + count)]

    def client(self, number):
        """A client; the hub does not know where it is."""
        address = UPLINKS[self.family][3]
        node = self.lab.node(f"client{number}")
        prefix = 24 if self.family == 4 else 64
        self.lab.wire(node, "wan", [f"{address.format(number, 2)}/{prefix}"],
                      self.router, f"client{number}", [f"{address.format(number, 1)}/{prefix}"])
        node.run(f"{self.ip} route add default via {address.format(number, 1)}")
        end = Adit(node, f"tun{number}", [f"10.7.1.{number}/32", f"fd07::1:{number}/128"])
        end.add_peer(self.end, Endpoint="")
        self.end.add_peer(end)
        return end

    def filters(self):
        """Ingress filtering by the providers (BCP 38)."""
        kind = "ip" if self.family == 4 else "ip6"
        done = self.router.run(["nft", f"""
            table inet providers {{
                chain in {{
                    type filter hook prerouting priority raw
                    iifname up1 {kind} saddr {self.second} drop
                    iifname up2 {kind} saddr {self.first} drop
                }}
            }}"""], check=False)
        if done.returncode:
            raise Skip(f"filtering by nft: {done.stderr.strip()}")

    def start(self, *spoken_to):
        """Each client speaks to the next one of the addresses."""
        self.end.start()
        for number, client in enumerate(self.clients):
            client.peers[0]["Endpoint"] = host_port(spoken_to[number % len(spoken_to)])
            client.start()

    def expect_answers(self):
        """All clients at a time speak to the hub and are answered from the address that they speak to."""
        pings = [client.node.start("ping", f"ping -n -q -c 5 -i 0.2 -W 3 {self.end.inner(family)}")
                 for client in self.clients for family in (4, 6)]
        for ping in pings:
            assert ping.wait(30) == 0, ping.log()
        for client in self.clients:
            self.node.ping(client.v4, count=1)
        for client in self.clients:
            seen = client.node.run(["wg", "show", client.interface, "endpoints"]).stdout.split()[1]
            assert seen == client.peers[0]["Endpoint"], f"{seen} answers for {client.peers[0]['Endpoint']}"

    def sent(self, uplink):
        return int(self.node.run(["cat", f"/sys/class/net/wan{uplink}/statistics/tx_packets"]).stdout)


@case(outside=[4, 6], workers=[1, 4])
def two_uplinks(lab, outside, workers):
    hub = Hub(lab, outside, workers, 20)
    hub.filters()
    hub.start(hub.first, hub.second)
    with lab.check("20 clients are answered from the address that they speak to, by its uplink"):
        hub.expect_answers()
    with lab.check("routes and addresses that change elsewhere make no difference"):
        hub.node.run("ip address add 198.18.0.1/32 dev lo")
        hub.node.run("ip route add 198.19.0.0/16 dev lo")
        hub.expect_answers()
    with lab.check("a rule for the port leads to the second uplink as well as a rule for the address"):
        hub.node.run(f"{hub.ip} rule del from {hub.second} lookup 100")
        hub.node.run(f"{hub.ip} rule add from {hub.second} ipproto udp sport 51820 lookup 100")
        hub.expect_answers()
    with lab.check("the default route moves to the second uplink, with a rule for the first address"):
        hub.node.run(f"{hub.ip} route add default via {hub.next_hops[0]} dev wan1 table 101")
        hub.node.run(f"{hub.ip} rule add from {hub.first} lookup 101")
        hub.node.run(f"{hub.ip} route replace default via {hub.next_hops[1]} dev wan2")
        hub.expect_answers()


@case(outside=[4, 6], workers=[1, 4])
def address_on_lo(lab, outside, workers):
    """The way to the address leads over wan2, and the way back over wan1."""
    hub = Hub(lab, outside, workers, 20)
    hub.router.run(f"{hub.ip} route add {hub.on_lo} via {hub.second}")
    hub.start(hub.on_lo)
    with lab.check("the clients are answered from the address on lo"):
        hub.expect_answers()
        assert hub.sent(1) > 20 * 10, hub.sent(1)
    with lab.check("the way back changes"):
        hub.node.run(f"{hub.ip} route replace default via {hub.next_hops[1]} dev wan2")
        before = hub.sent(2)
        hub.expect_answers()
        assert hub.sent(2) - before > 20 * 10, hub.sent(2)
    with lab.check("the address goes to another interface"):
        hub.node.run("ip link add bridge type bridge")
        hub.node.run("ip link set bridge up")
        hub.node.add_address("bridge", hub.on_lo)
        hub.node.run(f"{hub.ip} address del {hub.on_lo} dev lo")
        hub.expect_answers()


@case(outside=[4, 6], workers=[1, 4])
def equal_default_routes(lab, outside, workers):
    """Two equal default routes (ECMP), and no rule. Over IPv4 the answer also leaves by the uplink of the address."""
    hub = Hub(lab, outside, workers, 20)
    hub.node.run(f"{hub.ip} rule del from {hub.second} lookup 100")
    hub.node.run(f"{hub.ip} route replace default nexthop via {hub.next_hops[0]} dev wan1 "
                 f"nexthop via {hub.next_hops[1]} dev wan2")
    if outside == 4:  # IPv6 selects the next hop by a hash, whatever a process asks for
        hub.filters()
    hub.start(hub.first, hub.second)
    with lab.check("the clients are answered from the address that they speak to"):
        hub.expect_answers()
    with lab.check("one of the next hops goes: its clients are answered by the other"):
        hub.node.run("ip link set wan2 down")
        for client in hub.clients[::2]:
            client.node.ping(hub.end.v4, count=1)
        hub.node.run("ip link set wan2 up")


@case(ends=ENDS, waits=True)
def nat(lab, ends):
    """
    The router forgets a NAT mapping that is idle for 2 s.

        left  10.9.1.2  ----  10.9.1.1  router  192.0.2.1  ----  192.0.2.2  right
    """
    left, router, right = lab.node("left"), lab.node("router", forward=True), lab.node("right")
    lab.wire(left, "wan", ["10.9.1.2/24"], router, "west", ["10.9.1.1/24"])
    lab.wire(router, "east", ["192.0.2.1/24"], right, "wan", ["192.0.2.2/24"])
    left.run("ip route add default via 10.9.1.1")
    masquerade(router, "west")
    for name in "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream":
        router.set(f"net/netfilter/{name}", 2)
    kinds = [DEVICES[name] for name in ends.split("+")]
    left = kinds[0](left, "tun-left", ["10.7.0.1/24", "fd07::1/64"])
    right = kinds[1](right, "tun-right", ["10.7.0.2/24", "fd07::2/64"])
    left.add_peer(right, Endpoint=host_port("192.0.2.2"))
    right.add_peer(left)
    left.start(), right.start()
    with lab.check("right sees the router's address"):
        left.node.ping(right.v4)
        assert ip_of(right.about(left, "endpoints")) == "192.0.2.1"
        right.node.ping(left.v4)
    with lab.check("after the router has forgotten the mapping, right's packets are lost"):
        time.sleep(4)
        right.node.no_answer(left.v4)
    with lab.check("left's packets get another port, and right follows"):
        before = right.about(left, "endpoints")
        left.node.ping(right.v4)
        assert right.about(left, "endpoints") != before
        right.node.ping(left.v4)
    with lab.check("with a keepalive every second the router does not forget the mapping"):
        left.set_peer(right, "persistent-keepalive", "1")
        time.sleep(5)
        right.node.ping(left.v4)


@case(ends=ENDS, outside=[4, 6])
def policy_routing(lab, ends, outside):
    """Packets without the mark are routed into the tunnel. The tunnel's own datagrams carry the mark."""
    left, right = devices(lab, ends, outside)
    for address in BEYOND.values():
        add_host_address(right.node, address, "lo")
    left.set_peer(right, "allowed-ips", EVERYTHING)
    for family in 4, 6:
        left.node.run(f"ip -{family} route add default dev tun-left table 1234")
    for mark in 0x4D2, 0x10E1:
        with lab.check(f"mark {mark}: all traffic but the tunnel's own goes through the tunnel"):
            left.wg("set", "fwmark", str(mark))
            for family in 4, 6:
                left.node.run(f"ip -{family} rule add not fwmark {mark} table 1234 pref 100")
            for family in 4, 6:
                left.node.ping(BEYOND[family])
                stream(left.node, right.node, BEYOND[family], 2 * MIB)
            assert left.wg("show", "fwmark").strip() == hex(mark)
        for family in 4, 6:
            left.node.run(f"ip -{family} rule del pref 100")
    with lab.check("the mark can be removed"):
        left.node.run(f"ip -{outside} rule add fwmark {mark} pref 100 blackhole")
        left.node.no_answer(right.v4)
        left.wg("set", "fwmark", "0")
        left.node.ping(right.v4)


def unreachable(node, address, family):
    """Requires that pings to an address are answered with an ICMP unreachable message from that address."""
    done = node.run(f"ping -n -c 2 -i 0.2 -W 1 {address}", check=False).stdout
    message = "Destination Host Unreachable" if family == 4 else "Destination unreachable: Address unreachable"
    expected = f"From {address} icmp_seq=2 {message}"
    assert expected in done, f"not {expected!r}: {done}"


@case()
def host_unreachable(lab):
    """
    The tunnel answers packets for which it has no peer or no endpoint.

        near 10.1.0.2, fd01::2  ----  10.1.0.1, fd01::1 left  ----  right
    """
    left, right = devices(lab, "adit+adit", knows="right")
    near = lab.node("near")
    lab.wire(near, "lan", ["10.1.0.2/24", "fd01::2/64"], left.node, "lan", ["10.1.0.1/24", "fd01::1/64"])
    left.node.forward()
    near.run("ip -4 route add default via 10.1.0.1")
    near.run("ip -6 route add default via fd01::1")
    for family, nobody in (4, "10.7.0.99"), (6, "fd07::99"):
        with lab.check(f"an address that belongs to no peer, v{family}"):
            unreachable(left.node, nobody, family)
        with lab.check(f"an address of a peer without endpoint, v{family}"):
            unreachable(left.node, right.inner(family), family)
        with lab.check(f"a packet that left forwards, v{family}"):
            unreachable(near, nobody, family)
        with lab.check(f"a connection fails with EHOSTUNREACH, v{family}"):
            with left.node.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM) as client:
                error = client.connect_ex((nobody, 9))  # a lost ICMP message would end in ETIMEDOUT
            assert error == errno.EHOSTUNREACH, errno.errorcode.get(error, error)
    with lab.check("a packet that left forwards and masquerades, v4"):
        masquerade(left.node, "lan")
        unreachable(near, "10.7.0.99", 4)
        left.node.run("nft delete table ip nat")
    with lab.check("a peer with an endpoint is reachable"):
        right.node.ping(left.v4)
        left.node.ping(right.v4)
        near.no_answer(right.v4)  # right has no route back, but nothing is unreachable


@case(outside=[4, 6])
def routing_loop(lab, outside):
    """The route to the peer's endpoint leads into the tunnel, so each datagram comes back as a packet to send."""
    left, right = devices(lab, "adit+adit", outside)
    left.set_peer(right, "allowed-ips", EVERYTHING)
    left.node.ping(right.v4)
    sizes = 56, 1300, 1400
    with lab.check("the loop does not amplify: bytes and processor time are bounded"):
        left.node.run(f"ip route add {outer(outside, 2)} dev tun-left")
        sent, spent = left.transfer(right)[1], left.daemon.cpu_seconds()
        for size in sizes:
            left.node.no_answer(right.v4, options=f"-s {size}")
        time.sleep(2)
        sent, spent = left.transfer(right)[1] - sent, left.daemon.cpu_seconds() - spent
        assert sent < 100000 and spent < 0.5, f"{sent} bytes and {spent} s for {3 * len(sizes)} pings"
    with lab.check("traffic flows after the loop is removed"):
        left.node.run(f"ip route del {outer(outside, 2)} dev tun-left")
        left.node.ping(right.v4)
        stream(left.node, right.node, right.v4, 4 * MIB)
