# SPDX-License-Identifier: MIT
"""
The life cycle of `adit run`: start, end, routes and rules, and that nothing is left behind.

    left  10.9.1.2, fd09:1::2  ----  router  ----  right  192.0.2.2, 2001:db8::2
                10.9.1.1, fd09:1::1     192.0.2.1, 2001:db8::1
    tun-left  10.7.0.1, fd07::1                    tun-right  10.7.0.2, fd07::2
                                                   lo  203.0.113.7, 2001:db8:7::7  (reachable only through the tunnel)
"""

import difflib
import re
import signal

from ends import Adit, host_port, pair
from lab import case, wait_for
from packets import ICMPV6, UDP, Capture, check_all
from traffic import MIB, both_ways
from wire import count_messages

BEYOND = {4: "203.0.113.7", 6: "2001:db8:7::7"}
OUTSIDE = {"10.9.1.2", "192.0.2.2", "fd09:1::2", "2001:db8::2"}
EVERYTHING = ["0.0.0.0/0", "::/0"]


def lay(lab, outside=4, allowed=EVERYTHING, **settings):
    """Returns left, which has not been started, and right, which runs."""
    left, router, right = lab.node("left"), lab.node("router", forward=True), lab.node("right")
    lab.wire(left, "wan", ["10.9.1.2/24", "fd09:1::2/64"], router, "west", ["10.9.1.1/24", "fd09:1::1/64"])
    lab.wire(router, "east", ["192.0.2.1/24", "2001:db8::1/64"], right, "wan", ["192.0.2.2/24", "2001:db8::2/64"])
    for node, v4, v6 in (left, "10.9.1.1", "fd09:1::1"), (right, "192.0.2.1", "2001:db8::1"):
        node.run(f"ip -4 route add default via {v4}")
        node.run(f"ip -6 route add default via {v6}")
    for address in BEYOND.values():
        right.add_address("lo", address)
    left.set("net/ipv4/conf/all/rp_filter", 1)
    ends = (Adit(left, "tun-left", ["10.7.0.1/24", "fd07::1/64"], **settings),
            Adit(right, "tun-right", ["10.7.0.2/24", "fd07::2/64"]))
    ends[0].add_peer(ends[1], allowed, Endpoint=host_port({4: "192.0.2.2", 6: "2001:db8::2"}[outside]))
    ends[1].add_peer(ends[0])
    ends[1].start()
    return ends


def network_state(node):
    """Returns everything that a daemon could leave behind in a namespace, as text by command."""
    commands = ("ip -j link", "ip -4 rule", "ip -6 rule", "ip -4 route show table all", "ip -6 route show table all",
                "nft list ruleset")
    return {command: re.sub(r" (expires \d+sec|pref medium)", "", node.run(command).stdout) for command in commands}


def changes(before, after):
    """Returns the added and removed lines, marked as by diff(1)."""
    return "\n".join(line for command in before
                     for line in difflib.ndiff(before[command].splitlines(), after[command].splitlines())
                     if line.startswith(("+", "-")))


@case(number=["SIGTERM", "SIGINT"])
def end_by_signal(lab, number):
    left, _ = lay(lab)
    before = network_state(left.node)
    left.start()
    left.node.ping(BEYOND[4])
    with lab.check("exit code 0"):
        assert left.stop(getattr(signal, number)) == 0, left.daemon.tail()
    with lab.check("no link, rule, route or nft table is left"):
        left_behind = changes(before, network_state(left.node))
        assert not left_behind, left_behind


@case()
def kill_and_start_again(lab):
    left, _ = lay(lab)
    before = network_state(left.node)
    for number in 1, 2:
        left.start()
        with lab.check(f"traffic flows at start {number}"):
            left.node.ping(BEYOND[4])
        left.stop(signal.SIGKILL)
    left.start()
    with lab.check("traffic flows at start 3"):
        left.node.ping(BEYOND[4])
        left.node.ping(BEYOND[6])
    with lab.check("after SIGTERM nothing is left of the three starts"):
        left.stop()
        left_behind = changes(before, network_state(left.node))
        assert not left_behind, left_behind


@case()
def counters(lab):
    left, right = pair(lab)
    left.node.ping(right.v4, count=20)
    with lab.check("SIGUSR1 logs all counters, including the packets of 20 pings"):
        before = len(left.daemon.log().splitlines())
        left.daemon.process.send_signal(signal.SIGUSR1)
        lines = wait_for(lambda: left.daemon.log().splitlines()[before:], "a line after SIGUSR1")
        numbers = [int(number) for number in re.findall(r"\b\d+\b", " ".join(lines))]
        assert any(20 <= number <= 60 for number in numbers), f"no count of 20 to 60 packets in: {lines}"
    with lab.check("traffic still flows"):
        left.node.ping(right.v4)


@case(outside=[4, 6])
def default_route(lab, outside):
    left, right = lay(lab, outside)
    left.node.offloads("wan", "off")
    lab.nodes["router"].offloads("west", "off")
    left.start()
    for family in 4, 6:
        with lab.check(f"traffic to anywhere goes through the tunnel, v{family} inside"):
            left.node.ping(BEYOND[family])
            both_ways(left.node, left.inner(family), right.node, BEYOND[family], 8 * MIB)
    with lab.check("the wire carries only the tunnel's datagrams, and they do not loop"):
        capture = Capture(left.node, "wan")
        left.node.ping(BEYOND[4], count=10)
        left.node.ping(BEYOND[6], count=10)
        check_outer(check_all(capture, 1500))
    with lab.check("the neighbour on the wire is reached directly"):
        capture = Capture(left.node, "wan")
        left.node.ping("10.9.1.1")
        left.node.ping("fd09:1::1")
        assert len(check_all(capture, 1500)) >= 12
    with lab.check("src_valid_mark is set for the reverse path filter"):
        assert left.node.get("net/ipv4/conf/all/src_valid_mark") == "1"
    with lab.check("the inner address does not answer packets from outside the tunnel"):
        router = lab.nodes["router"]
        router.run("ip route add 10.7.0.1 via 10.9.1.2")
        done = router.run("ping -n -q -c 3 -i 0.1 -W 1 10.7.0.1", check=False)
        assert " 0 received" in done.stdout, done.stdout


def between_neighbours(packet):
    """Returns whether a packet is neighbour or multicast listener discovery, which every IPv6 link has."""
    return packet.protocol == ICMPV6 and (130 <= packet.payload[0] <= 137 or packet.payload[0] == 143)


def check_outer(packets):
    """Requires that the packets are those of 20 pings through the tunnel, apart from IPv6 neighbour discovery."""
    packets = [packet for packet in packets if not between_neighbours(packet)]
    for packet in packets:
        ours = packet.protocol == UDP and OUTSIDE.issuperset(packet.addresses())
        assert ours, f"protocol {packet.protocol} between {packet.addresses()}"
    counts = count_messages([packet.payload[8:] for packet in packets], 1420)
    assert 40 <= counts.total() <= 60, f"for 20 pings and their answers: {counts}"


@case()
def table_off(lab):
    left, right = lay(lab, Table="off")
    before = network_state(left.node)
    left.start()
    with lab.check("no rule, no nft table, no route but the one of the address"):
        after = network_state(left.node)
        assert all(before[key] == after[key] for key in ("ip -4 rule", "ip -6 rule", "nft list ruleset")), after
        routes = left.node.run("ip -4 route show table all dev tun-left").stdout
        assert "default" not in routes and "10.7.0.0/24" in routes, routes
    with lab.check("the peer is reachable, addresses behind it are not"):
        left.node.ping(right.v4)
        done = left.node.run(f"ping -n -q -c 1 -W 1 {BEYOND[4]}", check=False)
        assert " 0 received" in done.stdout, done.stdout


@case()
def table_number(lab):
    left, _ = lay(lab, Table=1234, allowed=["203.0.113.0/24", "10.7.0.2/32", "::/0"])
    left.start()
    with lab.check("table 1234 contains all routes to the peers"):
        v4 = left.node.run("ip -4 route show table 1234").stdout
        v6 = left.node.run("ip -6 route show table 1234").stdout
        assert "203.0.113.0/24 dev tun-left" in v4 and "10.7.0.2 dev tun-left" in v4 and "default dev tun-left" in v6
        assert "203.0.113.0" not in left.node.run("ip route show table main").stdout
    with lab.check("a rule to that table leads into the tunnel"):
        left.node.run("ip rule add to 203.0.113.0/24 lookup 1234")
        left.node.ping(BEYOND[4])


@case()
def fwmark(lab):
    """FwMark is the mark of the datagrams and the number of the routing table."""
    left, _ = lay(lab, FwMark="0x4d2")
    left.start()
    with lab.check("rules and routes use the mark"):
        rules = left.node.run("ip -4 rule").stdout
        assert re.search(r"not from all fwmark 0x4d2 lookup 1234", rules), rules
        assert "default dev tun-left" in left.node.run("ip -4 route show table 1234").stdout
    with lab.check("traffic flows"):
        left.node.ping(BEYOND[4])
        left.node.ping(BEYOND[6])
