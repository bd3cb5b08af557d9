# SPDX-License-Identifier: MIT
"""
Several workers, each with a thread, a queue of the TUN and its own sockets.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import contextlib
import os
import random
import select
import subprocess
import threading
import time

from ends import Adit, counters_of, host_port, pair
from lab import case, wait_for
from reload import keys
from traffic import MIB, Flow, both_ways, datagrams, small_datagrams, udp_socket

FLOWS = 8
PACE = 0.002  # seconds between two rounds of datagrams


def threads(end):
    """Returns the number of worker threads of a daemon."""
    names = []
    for thread in os.listdir(f"/proc/{end.daemon.pid}/task"):
        with open(f"/proc/{end.daemon.pid}/task/{thread}/comm") as file:
            names.append(file.read())
    return sum(name.startswith("worker ") for name in names)


def check_threads(end, count):
    """A thread sets its own name after it has started, which may be later than READY=1."""
    wait_for(lambda: threads(end) == count, f"{count} worker threads")


class Numbered:
    """Flows of numbered datagrams of random sizes, each from its own source port, and their receiver."""

    def __init__(self, source, source_address, target, target_address, answers=False):
        self.receiver = udp_socket(target, target_address)
        self.senders = [udp_socket(source, source_address) for _ in range(FLOWS)]
        self.answers = answers
        self.sent = 0
        self.last = {}
        self.arrived = 0
        self.disorder = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()

    def receive(self):
        while not self.over.is_set():
            if not select.select([self.receiver], [], [], 0.1)[0]:
                continue
            content, sender = self.receiver.recvfrom(65536)
            number = int.from_bytes(content[:4], "big")
            if number <= self.last.get(sender, -1):
                self.disorder.append((sender[1], self.last[sender], number))
            self.last[sender] = number
            self.arrived += 1
            if self.answers:
                self.receiver.sendto(content, sender)

    def send(self, rounds, burst=4, pace=PACE):
        sizes = random.Random(self.sent)
        for _ in range(rounds):
            for sender in self.senders:
                for number in range(self.sent, self.sent + burst):
                    content = number.to_bytes(4, "big") + bytes(sizes.choice([60, 60, 700, 1300]))
                    sender.sendto(content, self.receiver.getsockname()[:2])
            self.sent += burst
            time.sleep(pace)

    def finish(self, min_share):
        """Requires that all flows arrived in order, and at least this share of their datagrams."""
        total = self.sent * len(self.senders)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.arrived == total, "the last datagrams", 10)
        self.over.set()
        self.thread.join()
        for made in [self.receiver, *self.senders]:
            made.close()
        assert not self.disorder, f"{len(self.disorder)} out of order; first: (port, previous, next) {self.disorder[0]}"
        assert self.arrived >= min_share * total, f"{self.arrived} of {total} arrived"
        assert len(self.last) == len(self.senders), f"{len(self.last)} of {len(self.senders)} flows arrived"


@case(workers=[2, 4])
def order(lab, workers):
    left, right = pair(lab, Workers=workers)
    with lab.check("each worker has a thread"):
        for end in left, right:
            check_threads(end, workers)
    left.node.ping(right.v4)
    for family in 4, 6:
        with lab.check(f"flows of datagrams keep their order, v{family} inside"):
            flows = Numbered(left.node, left.inner(family), right.node, right.inner(family))
            flows.send(400)
            flows.finish(0.5)
        with lab.check(f"flows of datagrams that are answered keep their order, v{family} inside"):
            flows = Numbered(left.node, left.inner(family), right.node, right.inner(family), answers=True)
            flows.send(400)
            flows.finish(0.5)
    with lab.check("several TCP flows arrive complete"):
        flows = [Flow(a.node, b.node, b.v4) for a, b in [(left, right), (right, left)] * 3]
        time.sleep(2)
        for flow in flows:
            flow.stop()
    with lab.check("the workers drop nothing"):
        for end in left, right:
            drops = {name: n for name, n in counters_of(end).items()
                     if name.startswith("drop_") and name != "drop_no_peer"}
            assert not drops, f"{end.interface}: {drops}"


@case(workers=[2, 4])
def staged(lab, workers):
    """Packets that wait for a handshake are not overtaken by later packets."""
    left, right = pair(lab, start=False, Workers=workers)
    left.start()
    right.start()
    with lab.check("datagrams before, during and after the first handshake arrive in order"):
        flows = Numbered(left.node, left.v4, right.node, right.v4)
        flows.send(200, burst=1, pace=0.0005)
        flows.finish(0.1)  # at most 128 segments wait for a handshake


@case(workers=[2, 4])
def one_worker_far(lab, workers):
    """The ends may have different numbers of workers."""
    left, right = pair(lab, start=False)
    left.settings["Workers"], right.settings["Workers"] = workers, 1
    left.start()
    right.start()
    with lab.check("TCP and datagrams both ways"):
        both_ways(left.node, left.v4, right.node, right.v4, 16 * MIB)
        datagrams(left.node, left.v4, right.node, right.v4, small_datagrams())
        datagrams(right.node, right.v6, left.node, left.v6, small_datagrams())
    with lab.check("a single worker runs in the control thread"):
        assert threads(right) == 0, f"{threads(right)} threads"


@case()
def hub(lab):
    """Four spokes around a hub. Their traffic enters the hub through one worker and leaves it through another."""
    middle = lab.node("middle", forward=True)
    hub = Adit(middle, "tun-hub", ["10.7.0.254/24"], Workers=2)
    spokes = []
    for number in range(1, 5):
        node = lab.node(f"spoke{number}")
        lab.wire(node, "wan", [f"192.0.2.{4 * number + 1}/30"],
                 middle, f"wan{number}", [f"192.0.2.{4 * number + 2}/30"])
        spoke = Adit(node, f"tun-spoke{number}", [f"10.7.0.{number}/24"], MTU=1420)
        spoke.add_peer(hub, ["10.7.0.0/24"], Endpoint=host_port(f"192.0.2.{4 * number + 2}"),
                       PersistentKeepalive=25)
        hub.add_peer(spoke)
        spokes.append(spoke)
    for end in hub, *spokes:
        end.start()
    with lab.check("every spoke reaches every other"):
        for spoke in spokes:
            for other in spokes:
                if spoke is not other:
                    spoke.node.ping(other.v4)
    with lab.check("TCP between all spokes at the same time arrives complete"):
        flows = [Flow(spokes[i].node, spokes[i - 1].node, spokes[i - 1].v4) for i in range(len(spokes))]
        time.sleep(2)
        for flow in flows:
            flow.stop()
    with lab.check("flows of datagrams keep their order across the hub"):
        flows = Numbered(spokes[0].node, spokes[0].v4, spokes[3].node, spokes[3].v4, answers=True)
        flows.send(300)
        flows.finish(0.5)


@case(workers=[2])
def changes(lab, workers):
    """The control thread changes everything while the workers carry traffic."""
    left, right = pair(lab, Workers=workers)
    flows = [Flow(left.node, right.node, right.v4, 20 * MIB), Flow(right.node, left.node, left.v4, 20 * MIB)]
    extra = keys(lab, 3)
    with lab.check("peers are added and removed, and take prefixes from each other"):
        for number in range(60):
            del left.peers[1:]
            left.peers += [{"PublicKey": extra[i], "Endpoint": host_port("192.0.2.99", 1 + number),
                            "AllowedIPs": f"10.9.{(number + i) % 3}.0/24"} for i in range(number % 4)]
            left.reload()
    with lab.check("the counters can be read under load"):
        for _ in range(20):
            assert counters_of(left)["sealed"]
            left.node.run(f"wg show {left.interface} dump")
            subprocess.run([lab.adit, "show", left.interface], check=True, stdout=subprocess.DEVNULL)
    with lab.check("the port changes, and the peer follows"):
        for number in range(5):
            right.node.run(f"wg set {right.interface} listen-port {52000 + number}")
            wait_for(lambda: f":{52000 + number}" in left.node.run(f"wg show {left.interface} endpoints").stdout,
                     "the new endpoint")
            wait_for(lambda: right.node.reaches(left.v4), "an answer")
            right.node.ping(left.v4)
    with lab.check("TCP arrives complete"):
        for flow in flows:
            flow.stop()
    with lab.check("the link goes down and up"):
        for end in left, right:
            before = end.node.udp_sockets()
            end.node.run(f"ip link set {end.interface} down")
            end.node.wait_for_new_sockets(before)
            assert len(end.node.udp_ports()) == 2 * workers, end.node.udp_ports()
        # A late TCP packet may have made a session before right forgot its keys. Left replaces it after 15 s.
        wait_for(lambda: left.node.reaches(right.v4), "an answer")
        left.node.ping(right.v4)
    with lab.check("the daemon ends when its interface is deleted"):
        left.node.run(f"ip link delete {left.interface}")
        assert left.daemon.wait() == 1


@case()
def refusals(lab):
    left, right = pair(lab, start=False)
    with lab.check("a port in use is reported, as with one worker"):
        left.settings["Workers"] = 2
        with udp_socket(left.node, "0.0.0.0") as taken:
            left.port = taken.getsockname()[1]
            done = left.node.run([lab.adit, "run", left.write()], check=False)
            assert done.returncode == 1, done.returncode
            assert f"UDP port {left.port}: Address already in use" in done.stderr, done.stderr
        left.port = right.port
    with lab.check("an interface with one queue has one worker, with a warning"):
        left.node.run(f"ip tuntap add {left.interface} mode tun")
        left.start()
        assert "using 1 worker instead of 2" in left.daemon.log(), left.daemon.log()
        left.stop()
    left.node.run(f"ip link delete {left.interface}")
    left.start()
    for reload, workers, reports in ("the first", 3, 1), ("the second", 3, 1), ("one with the old number", 2, 0):
        with lab.check(f"a reload reports other Workers than those that run, until the next start: {reload}"):
            left.settings["Workers"] = workers
            done = left.reload()
            text = "Workers: the change takes effect at the next start"
            assert (done.stdout + done.stderr).count(text) == reports, done
            check_threads(left, 2)
