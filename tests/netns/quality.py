# SPDX-License-Identifier: MIT
"""
The quality of links: the figures of adit are those of a relay that loses, delays and duplicates datagrams and changes
their order, and knows exactly which (lossy_relay.py).

    left  192.0.2.1  ----  192.0.2.254  relay  198.51.100.254  ----  198.51.100.2  right
    tun-left  10.7.0.1                                               tun-right  10.7.0.2
"""

import contextlib
import json
import os
import socket

from ends import Adit, AditDevice, WireguardGo, answer_of, host_port
from kernel import KernelWireguard
from lab import TIMEOUT, case, wait_for
from traffic import NOISE, udp_socket

WIRES = {"left": ("192.0.2.1", "192.0.2.254"), "right": ("198.51.100.2", "198.51.100.254")}
CONTROL = "/run/relay"
DATAGRAMS, BURST, FLOWS = 20000, 200, 8
REORDERING = {"reorder": 0.01, "duplicate": 0.002}

SENDERS = {"adit": (AditDevice, {}), "adit-4": (Adit, {"Workers": 4}), "wireguard-go": (WireguardGo, {})}
LINKS = {"loss-0.1": {"loss": 0.001}, "loss-1": {"loss": 0.01}, "loss-5": {"loss": 0.05},
         "reorder-1": {"reorder": 0.01}, "duplicate-1": {"duplicate": 0.01},
         "all": {"loss": 0.03, "reorder": 0.02, "duplicate": 0.01}}


class Relay:
    """The relay of a case, and a connection to its control socket."""

    def __init__(self, lab, node):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lossy_relay.py")
        addresses = [address for peer, own in WIRES.values() for address in (own, peer)]
        self.daemon = node.start("relay", ["python3", script, CONTROL, lab.case, *addresses])
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client.settimeout(TIMEOUT)
        wait_for(lambda: not self.client.connect_ex(CONTROL), "the control socket of the relay")

    def set(self, **settings):
        """Changes the settings, and returns the counts by the name of the sender."""
        self.client.send(json.dumps(settings).encode())
        return json.loads(self.client.recv(65536))

    def counts(self, sender):
        return self.set()[sender]


def lay(lab, left=Adit, right=Adit, left_settings=None, right_settings=None, **harm):
    """Creates the hosts, the relay and the tunnel, and waits until it is up. Returns the ends and the relay."""
    middle = lab.node("middle")
    ends = []
    kinds = ("left", left, left_settings), ("right", right, right_settings)
    for number, (name, kind, settings) in enumerate(kinds, 1):
        node, (address, relay) = lab.node(name), WIRES[name]
        lab.wire(node, "wan", [f"{address}/24"], middle, f"to-{name}", [f"{relay}/24"])
        ends.append(kind(node, f"tun-{name}", [f"10.7.0.{number}/24"], **settings or {}))
    relay = Relay(lab, middle)
    relay.set(**harm)
    for end, other in ends, ends[::-1]:
        end.add_peer(other, Endpoint=host_port(WIRES[end.node.name][1]))
        end.start()
    ends[0].node.ping(ends[1].v4)
    return *ends, relay


def send(relay, source, target, count=DATAGRAMS):
    """
    Sends datagrams of many sizes and flows through the tunnel. The next burst waits until the relay has the last one,
    so that no socket drops any. The last datagrams are not harmed: nobody could know that they are lost.
    """
    def entered():
        return relay.counts(source.node.name)["entered"]

    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(udp_socket(target.node, target.v4))
        flows = [stack.enter_context(udp_socket(source.node, source.v4)) for _ in range(FLOWS)]
        for first in range(0, count, BURST):
            wanted = entered() + BURST
            while (missing := wanted - entered()) > 0:
                for number in range(first, first + missing):
                    flows[number % FLOWS].sendto(NOISE[:number * 7 % 1300], sink.getsockname())
                with contextlib.suppress(AssertionError):  # a virtual machine can lose some before the relay
                    wait_for(lambda: entered() >= wanted, "a burst at the relay", 20)
    relay.set(loss=0, reorder=0, duplicate=0)
    source.node.ping(target.v4)


def quality_of(end):
    """Returns the figures of the only peer: numbers, and the list of gaps."""
    values = dict(line.split("=") for line in answer_of(end, "get=1").splitlines() if line)
    figures = {name.removeprefix("rx_"): int(value) for name, value in values.items()
               if name in ("rx_datagrams", "rx_lost", "rx_late", "rx_duplicate", "rtt_ns", "rtt_min_ns", "jitter_ns")}
    return figures | {"gaps": [int(value) for value in values.get("rx_gaps", "").split(",") if value]}


def expect_figures(relay, sender, receiver):
    """Waits until the receiver reports what the relay has counted. A receiver counts gaps as lost after a second."""
    names = "datagrams", "lost", "late", "duplicate", "gaps"
    counted = relay.counts(sender.node.name)
    wanted = {name: counted[name] for name in names}
    try:
        wait_for(lambda: wanted.items() <= quality_of(receiver).items(), "the figures of the relay")
    except AssertionError as error:
        found = quality_of(receiver)
        raise AssertionError(f"{error}: {wanted} in {counted}, but found {found}") from None
    return counted


@case(sender=list(SENDERS), link=list(LINKS))
def figures_are_those_of_the_relay(lab, sender, link):
    compare_figures(lab, link, *SENDERS[sender])


@case(slow=True, link=list(LINKS))
def figures_of_the_kernel_are_those_of_the_relay(lab, link):
    compare_figures(lab, link, KernelWireguard)


def compare_figures(lab, link, sender, settings=None):
    left, right, relay = lay(lab, left=sender, left_settings=settings, right_settings=settings)
    relay.set(**LINKS[link])
    send(relay, left, right)
    counted = relay.counts("left")
    with lab.check("the relay has harmed what it should have"):
        if sender is not KernelWireguard:  # its virtual machine can lose some; see send
            assert counted["unseen"] == 0, f"datagrams were lost before the relay: {counted}"
        assert counted["lost"] == counted["dropped"] + counted["unseen"], counted
        for harm, count in ("loss", "dropped"), ("reorder", "late"), ("duplicate", "duplicate"):
            wanted = LINKS[link].get(harm, 0) * DATAGRAMS / 4
            assert counted[count] >= wanted, f"{count} should be at least {wanted}: {counted}"
    with lab.check("the receiver reports exactly these figures"):
        expect_figures(relay, left, right)
    if isinstance(left, (Adit, AditDevice)):
        with lab.check("the sender reports that nothing of the receiver was harmed"):
            assert expect_figures(relay, right, left)["lost"] == 0


@case(workers=[1, 4])
def totals_survive_sessions_and_reloads(lab, workers):
    left, right, relay = lay(lab, left=AditDevice, right_settings={"Workers": workers})
    for number in range(1, 4):
        with lab.check(f"session {number}: the totals of all sessions so far"):
            relay.set(loss=0.05, **REORDERING)
            send(relay, left, right, 2000)
            counted = expect_figures(relay, left, right)
            assert counted["sessions"] == number and counted["dropped"] > 50 * number, counted
        with lab.check("a reload of the receiver changes no total"):
            before = quality_of(right)
            right.peers[0]["PersistentKeepalive"] = 100 + number
            right.reload()
            after = quality_of(right)
            assert {name: after[name] for name in ("lost", "late", "duplicate", "gaps")} == \
                   {name: before[name] for name in ("lost", "late", "duplicate", "gaps")}, (before, after)
            assert after["datagrams"] >= before["datagrams"], (before, after)
        if number < 3:
            left.link("down")  # wipes the session of the sender, so that the next datagram begins another one
            left.link("up")
            left.node.run(f"ip route replace {right.v4} dev {left.interface}")
            left.node.ping(right.v4)


@case(slow=True, waits=True, sender=["adit", "wireguard-go"])
def a_rekey_under_traffic_loses_no_total(lab, sender):
    """For a moment, datagrams arrive under both sessions."""
    left, right, relay = lay(lab, left=SENDERS[sender][0])
    while (counted := relay.counts("left"))["sessions"] < 2 or counted["dropped"] <= 100:
        relay.set(loss=0.05, **REORDERING)
        send(relay, left, right, BURST)
    with lab.check("the totals of both sessions"):
        expect_figures(relay, left, right)


@case()
def totals_never_fall_while_they_are_read(lab):
    left, right, relay = lay(lab)
    names = "datagrams", "lost", "late", "duplicate"
    with lab.check("each reading is at least the one before"):
        last = quality_of(right)
        for _ in range(10):
            relay.set(loss=0.02, **REORDERING)
            send(relay, left, right, 1000)
            found = quality_of(right)
            assert all(found[name] >= last[name] for name in names), (last, found)
            assert all(new >= old for new, old in zip(found["gaps"], last["gaps"])), (last, found)
            last = found
    counted = relay.counts("left")
    with lab.check("in the end, all that the relay has dropped is lost"):
        wait_for(lambda: quality_of(right)["lost"] >= counted["dropped"], "the losses of the relay")
        assert counted["dropped"] > 100, counted


@case(sender=["adit", "wireguard-go"])
def the_round_trip_time_contains_the_delay(lab, sender):
    """Both ends measure it: the initiator with the response, the responder with the first packet."""
    left, right, _ = lay(lab, left=SENDERS[sender][0], delay=0.05)
    for end in (left, right) if sender == "adit" else (right,):
        with lab.check(f"{end.node.name} measures at least the delay"):
            found = wait_for(lambda: (figures := quality_of(end)).get("rtt_ns", 0) >= 100_000_000 and figures,
                             "a round-trip time of 100 ms")
            assert 0 < found["rtt_min_ns"] <= found["rtt_ns"], found
