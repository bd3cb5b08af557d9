# SPDX-License-Identifier: MIT
"""
The data path at its limits: bursts, the largest MTU, and offloads that are turned off.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import socket

from ends import Adit, AditDevice, counters_of, devices, pair
from lab import Skip, case, wait_for
from packets import Capture
from traffic import MIB, NOISE, both_ways, datagrams, small_datagrams, udp_socket

BURST = 1000
SO_RCVBUFFORCE = 33
WIRE_MTU = 1500
OUTER_BYTES = {4: 28 + 32, 6: 48 + 32}  # headers and tag of a datagram on the wire
SMALL = {4: "10.9.1.1", 6: "fd09:1::1"}  # the destination of a route with an MTU of its own
LARGE = {4: "10.9.2.1", 6: "fd09:2::1"}  # the destination of one without


@case(workers=[1, 4])
def a_burst_of_a_local_program_arrives(lab, workers):
    """The daemon does not run during the burst, as on a busy machine. The queue of the TUN has to hold it."""
    left, right = pair(lab, Workers=workers)
    for family in 4, 6:
        left.node.ping(right.inner(family))
        with lab.check(f"{BURST} datagrams at once, v{family} inside"):
            with udp_socket(left.node, left.inner(family)) as sender, \
                 udp_socket(right.node, right.inner(family)) as receiver:
                receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 * MIB)
                sender.connect(receiver.getsockname()[:2])
                with left.daemon.held():
                    for number in range(BURST):
                        sender.send(number.to_bytes(4))
                arrived = 0
                try:
                    while arrived < BURST:
                        assert receiver.recv(64) == arrived.to_bytes(4), f"datagram {arrived} was lost"
                        arrived += 1
                except TimeoutError:
                    pass
            assert arrived == BURST, f"{arrived} of {BURST} arrived"


@case(outside=[4, 6])
def the_largest_mtu(lab, outside):
    """An IP packet of 65535 bytes does not fit a datagram once it is sealed."""
    left, right = devices(lab, "adit+adit", outside)
    for end in left, right:
        end.node.run(f"ip link set {end.interface} mtu 65535")
    for family, headers in (4, 28), (6, 48):
        with lab.check(f"packets of 65504 bytes and more are dropped, v{family} inside"):
            for size in 65504, 65519, 65535:
                left.node.no_answer(right.inner(family), options=f"-s {size - headers}")
            assert left.daemon.running(), "the daemon has ended"
            assert counters_of(left)["drop_too_long"] == 9 * (1 if family == 4 else 2), counters_of(left)
        with lab.check(f"packets of up to 65472 bytes pass, v{family} inside"):
            for size in 1500, 9000, 65472:
                left.node.ping(right.inner(family), options=f"-s {size - headers}")


def features(end):
    """Returns the offloads of the TUN that are on."""
    done = end.node.run(["ethtool", "-k", end.interface], check=False)
    if done.returncode:
        raise Skip(f"ethtool: {done.stderr.strip()}")
    return {line.split(":")[0].strip() for line in done.stdout.splitlines() if ": on" in line}


def largest_packet(end, peer, interface, sources):
    """Returns the size of the largest packet from one of the IPv4 addresses on an interface, while TCP goes both ways."""
    capture = Capture(end.node, interface)
    both_ways(end.node, end.v4, peer.node, peer.v4, 8 * MIB)
    return max(len(packet) for packet in capture.stop() if socket.inet_ntoa(packet[12:16]) in sources)


@case(ends=["bare devices", "1 worker", "4 workers"])
def offloads_are_turned_off(lab, ends):
    """One end is without an offload that the other end has."""
    drop_in = ends == "bare devices"
    kind = AditDevice if drop_in else Adit
    left, right = pair(lab, left=kind, right=kind, start=False)
    for key, variable in ("UdpGso", "ADIT_UDP_GSO"), ("UdpGro", "ADIT_UDP_GRO"), ("TunOffload", "ADIT_TUN_OFFLOAD"):
        if drop_in:
            left.launch(**{variable: "off"}).configure()
        else:
            right.settings |= {"Workers": int(ends[0])}
            left.settings = {**right.settings, key: "off"}
            left.start()
        right.start()
        with lab.check(f"{key} = off at one end: TCP and UDP pass"):
            both_ways(left.node, left.v4, right.node, right.v4, 16 * MIB)
            both_ways(left.node, left.v6, right.node, right.v6, 16 * MIB)
            datagrams(left.node, left.v4, right.node, right.v4, small_datagrams())
            datagrams(right.node, right.v4, left.node, left.v4, small_datagrams())
        if key == "UdpGso":
            with lab.check("no datagrams are grouped"):
                assert largest_packet(left, right, "wan", ["192.0.2.1"]) <= WIRE_MTU
                assert largest_packet(right, left, "wan", ["192.0.2.2"]) > WIRE_MTU
        if key == "TunOffload":
            with lab.check("the TUN has no offloads, and packets are not merged"):
                assert "tx-tcp-segmentation" not in features(left), features(left)
                assert "tx-tcp-segmentation" in features(right), features(right)
                assert largest_packet(left, right, left.interface, [left.v4, right.v4]) <= 1420
                assert largest_packet(right, left, right.interface, [left.v4, right.v4]) > 1420
        left.stop(), right.stop()


def padded(left, right, outside, target, sizes):
    """Sends lone packets of these sizes to an address of `right`. Returns their sizes after padding."""
    headers = 48 if ":" in target else 28
    capture = Capture(left.node, "wan")
    datagrams(left.node, left.inner(6 if ":" in target else 4), right.node, target,
              [NOISE[size:2 * size - headers] for size in sizes])
    sent = [packet for packet in capture.stop() if len(packet) > 1000]
    assert len(sent) == len(sizes), f"{len(sizes)} packets became {len(sent)} datagrams"
    return [len(packet) - OUTER_BYTES[outside] for packet in sent]


def rounded(sizes, mtu):
    return [min((size + 15) // 16 * 16, mtu) for size in sizes]


def becomes(found, wanted):
    """Waits until a function returns a value, because the daemon reads the routes in the background."""
    wait_for(lambda: found() == wanted, f"sizes {wanted}")


@case(ends=["1 worker", "4 workers", "bare devices"], outside=[4, 6], inside=[4, 6])
def the_mtu_of_a_route_limits_the_padding(lab, ends, outside, inside):
    """
    The interface has an MTU of 1420. A packet of n bytes is padded at most to the smallest MTU of a route that is not
    smaller than n.
    """
    kind = AditDevice if ends == "bare devices" else Adit
    settings = {} if kind is AditDevice else {"Workers": int(ends[0])}
    left, right = pair(lab, outside, left=kind, right=kind, start=False, **settings)
    left.peers[0]["AllowedIPs"] += ", 10.9.0.0/16, fd09::/16"
    left.start(), right.start()
    left.node.offloads("wan", "off")  # otherwise datagrams of one size appear as one packet
    left.node.ping(right.inner(inside))
    for address in *SMALL.values(), *LARGE.values():
        right.node.add_address("lo", address)
    prefix = {4: "10.9.1.0/24", 6: "fd09:1::/64"}[inside]
    at_limit = list(range(1285, 1301))

    def route(change):
        left.node.run(f"ip route {change}")

    def sizes(target, *lengths):
        return padded(left, right, outside, target[inside], lengths)

    def is_limited(mtu=1300):
        becomes(lambda: sizes(LARGE, mtu - 3), [mtu])

    def is_not_limited(mtu=1300):
        becomes(lambda: sizes(LARGE, mtu - 3), rounded([mtu - 3], 1420))

    with lab.check("without a route with an MTU, padding ends at the MTU of the interface"):
        lengths = list(range(1405, 1421))
        assert sizes(LARGE, *at_limit, *lengths) == rounded(at_limit, 1420) + rounded(lengths, 1420)
    route(f"add {prefix} dev {left.interface} mtu 1300")
    with lab.check("packets of 1285 to 1300 bytes to a route with an MTU of 1300"):
        is_limited()
        assert sizes(SMALL, *at_limit) == rounded(at_limit, 1300), sizes(SMALL, *at_limit)
    with lab.check("packets that are too long for that route"):
        lengths = list(range(1301, 1321))
        assert sizes(LARGE, *lengths) == rounded(lengths, 1420), sizes(LARGE, *lengths)
    with lab.check("the MTU of the route becomes 1290"):
        route(f"replace {prefix} dev {left.interface} mtu lock 1290")
        is_limited(1290)
        is_not_limited()
        lengths = list(range(1275, 1291))
        assert sizes(SMALL, *lengths) == rounded(lengths, 1290), sizes(SMALL, *lengths)
    with lab.check("the MTU of the route is removed"):
        route(f"replace {prefix} dev {left.interface}")
        is_not_limited(1290)
        assert sizes(SMALL, *at_limit) == rounded(at_limit, 1420)
    with lab.check("the route is added again, and deleted"):
        route(f"replace {prefix} dev {left.interface} mtu 1300")
        is_limited()
        route(f"delete {prefix} dev {left.interface}")
        is_not_limited()
    with lab.check("the route moves to another interface"):
        route(f"add {prefix} dev {left.interface} mtu 1300")
        is_limited()
        route(f"replace {prefix} dev wan mtu 1300")
        is_not_limited()
    with lab.check("a route in another table, over IPv4 with several next hops"):
        hops = f"nexthop dev {left.interface} nexthop dev wan" if inside == 4 else f"dev {left.interface}"
        route(f"add {prefix} table 77 mtu 1300 {hops}")
        is_limited()
        left.node.run(f"ip -{inside} route flush table 77")
        is_not_limited()
    if kind is Adit:
        with lab.check("the link goes down, which deletes the route without an event"):
            route(f"replace {prefix} dev {left.interface} mtu 1300")
            is_limited()
            left.node.run(f"ip link set {left.interface} down")
            left.node.run(f"ip link set {left.interface} up")
            wait_for(lambda: "10.9.0.0/16" in left.node.run("ip route").stdout, "the routes of the tunnel")
            is_not_limited()
