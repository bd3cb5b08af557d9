# SPDX-License-Identifier: MIT
"""
A flood of handshake initiations from forged addresses during a TCP transfer. Half of them have a valid MAC1.

    left  192.0.2.1  ----  192.0.2.2  right  198.51.100.2, 2001:db8:51::2  ----  flooder  198.51.100.1, 2001:db8:51::1
    tun-left  10.7.0.1     10.7.0.2   tun-right                                  and all of 10.0.0.0/16, fd00::/32
"""

import base64
import os
import subprocess
import time

from ends import PORT, counters_of, pair
from lab import TIMEOUT, case
from reload import resources
from traffic import Flow

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "flood.c")
RATE = 50000  # initiations per second
SOURCES = 16384
SECONDS = 10
COOKIES = 10000  # maximum per second
CLOSED = 9  # a port where no socket listens
SLICE = 2  # seconds; the slices alternate between the two ports, so that other load affects both
SLICES = 15  # for each port
MIN_SPEED = 0.7


def lay(lab):
    left, right = pair(lab)
    flooder = lab.node("flooder")
    lab.wire(flooder, "wan", ["198.51.100.1/24", "2001:db8:51::1/64"],
             right.node, "wild", ["198.51.100.2/24", "2001:db8:51::2/64"])
    for interface in "all", "wild":
        right.node.set(f"net/ipv4/conf/{interface}/rp_filter", 0)
    for prefix, gateway in ("10.0.0.0/16", "198.51.100.1"), ("fd00::/32", "2001:db8:51::1"):
        right.node.run(f"ip route add {prefix} via {gateway}")
        flooder.run(f"ip route add blackhole {prefix}")  # drops the answers
    left.node.ping(right.v4)
    subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", "/run/flood", SOURCE, "-lb2"], check=True)
    return left, right, flooder


class Flood:
    """Floods one port for some seconds."""

    def __init__(self, flooder, right, port, seconds):
        public = base64.b64decode(right.public).hex()
        self.process = subprocess.Popen(
            flooder.words(f"/run/flood 198.51.100.2 2001:db8:51::2 {port} {public} {SOURCES} {RATE} {seconds}"),
            stdout=subprocess.PIPE, text=True)

    def end(self):
        """Waits for the end. Returns the number of initiations that were sent."""
        return int(self.process.communicate()[0])


class Slices:
    """Floods of one port, one slice at a time, and the speed of a flow during each."""

    def __init__(self, flooder, right, port):
        self.arguments = flooder, right, port, SLICE
        self.rates = []

    def run(self, flow):
        flood = Flood(*self.arguments)
        time.sleep(0.3)
        self.rates.append(flow.rate(SLICE - 0.5))  # without the first and the last moments
        flood.end()

    def __str__(self):
        return ", ".join(f"{rate * 8 / 1e6:.0f}" for rate in self.rates)


@case(slow=True, alone=True)
def initiations(lab):
    left, right, flooder = lay(lab)
    flow = Flow(left.node, right.node, right.v4)
    flow.rate(1)
    Flood(flooder, right, PORT, 2).end()  # lets adit allocate what it needs under load
    before, first = resources(right.daemon.pid), counters_of(right)
    sent = Flood(flooder, right, PORT, SECONDS).end()
    with lab.check("TCP arrives complete"):
        flow.stop()
    counts = counters_of(right)
    answered, received = (counts.get(name, 0) - first.get(name, 0) for name in ("cookie_sent", "under_load"))
    with lab.check("right is under load, and answers initiations with a valid MAC1 by cookies only"):
        assert 0 < answered <= received <= sent, f"{sent} sent, {received} under load, {answered} cookies"
        assert counts["handshake_done"] == first["handshake_done"], counts
    with lab.check(f"right sends at most {COOKIES} cookies per second"):
        assert answered < COOKIES * (SECONDS + 1), f"{answered} in {SECONDS} s"
    with lab.check("memory does not grow"):
        after = resources(right.daemon.pid)
        assert after[1] == before[1] and after[0] <= before[0] + 1024, f"before: {before}, after: {after}"
    with lab.check("a peer that starts during the flood connects with its cookie"):
        flood = Flood(flooder, right, PORT, 2 * TIMEOUT)
        left.stop()
        left.start()
        left.node.ping(right.v4, count=1, options=f"-W {TIMEOUT}")
        assert flood.process.poll() is None, "the flood was over"
        flood.process.kill()


@case(bench=True, alone=True)
def speed(lab):
    """Compares the speed of TCP during floods of the tunnel's port with its speed during floods of a closed port."""
    left, right, flooder = lay(lab)
    flow = Flow(left.node, right.node, right.v4)
    flow.rate(1)
    closed, flooded = (Slices(flooder, right, port) for port in (CLOSED, PORT))
    for _ in range(SLICES):
        closed.run(flow)
        flooded.run(flow)
    with lab.check(f"TCP keeps {MIN_SPEED:.0%} of its speed during a flood of {RATE} initiations per second"):
        ratio = sum(flooded.rates) / sum(closed.rates)
        assert ratio >= MIN_SPEED, f"{ratio:.0%}: {flooded}, and {closed} Mbit/s with a closed port"
    flow.stop()
