# SPDX-License-Identifier: MIT
"""
A flood of handshake initiations from forged addresses, half of them with a valid MAC1, while a TCP transfer runs.

    left  192.0.2.1  ----  192.0.2.2  right  198.51.100.2, 2001:db8:51::2  ----  flooder  198.51.100.1, 2001:db8:51::1
    tun-left  10.7.0.1     10.7.0.2   tun-right                                  and all of 10.0.0.0/16 and fd00::/32
"""

import base64
import os
import subprocess
import time

from ends import PORT, counters_of, pair
from lab import case
from reload import held
from traffic import Flow

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "flood.c")
RATE = 50000  # initiations per second
SOURCES = 16384
CLOSED = 9  # a port where nobody listens
SLICE = 2  # seconds: the tunnel's port and the closed one by turns, so that what else the machine does meets both alike
SLICES = 15  # of each
LEAST = 0.7  # of the speed


def lay(lab):
    left, right = pair(lab)
    flooder = lab.node("flooder")
    lab.wire(flooder, "wan", ["198.51.100.1/24", "2001:db8:51::1/64"],
             right.node, "wild", ["198.51.100.2/24", "2001:db8:51::2/64"])
    for interface in "all", "wild":
        right.node.set(f"net/ipv4/conf/{interface}/rp_filter", 0)
    for prefix, gateway in ("10.0.0.0/16", "198.51.100.1"), ("fd00::/32", "2001:db8:51::1"):
        right.node.run(f"ip route add {prefix} via {gateway}")
        flooder.run(f"ip route add blackhole {prefix}")  # what is answered ends there
    left.node.ping(right.v4)
    subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", "/run/flood", SOURCE, "-lb2"], check=True)
    return left, right, flooder


class Flood:
    """A flood of one port for some seconds."""

    def __init__(self, flooder, right, port, seconds):
        public = base64.b64decode(right.public).hex()
        self.process = subprocess.Popen(
            flooder.words(f"/run/flood 198.51.100.2 2001:db8:51::2 {port} {public} {SOURCES} {RATE} {seconds}"),
            stdout=subprocess.PIPE, text=True)

    def end(self):
        """How many initiations were sent."""
        return int(self.process.communicate()[0])


class Slices:
    """Floods of one port, a slice each time, and the speed of a flow meanwhile."""

    def __init__(self, flooder, right, port):
        self.arguments = flooder, right, port, SLICE
        self.rates = []
        self.sent = 0

    def run(self, flow):
        flood = Flood(*self.arguments)
        time.sleep(0.3)
        self.rates.append(flow.rate(SLICE - 0.5))  # less its first and last moments
        self.sent += flood.end()

    def __str__(self):
        return ", ".join(f"{rate * 8 / 1e6:.0f}" for rate in self.rates)


@case(slow=True, alone=True, seconds=180)
def initiations(lab):
    left, right, flooder = lay(lab)
    flow = Flow(left.node, right.node, right.v4)
    flow.rate(1)
    before, first = held(right.daemon.pid), counters_of(right)
    spared, flooded = (Slices(flooder, right, port) for port in (CLOSED, PORT))
    for _ in range(SLICES):
        spared.run(flow)
        flooded.run(flow)
    with lab.check(f"{RATE} a second from {SOURCES} addresses can be sent"):
        expected = RATE * SLICE * SLICES
        assert min(spared.sent, flooded.sent) > 0.9 * expected, f"{spared.sent}, {flooded.sent}, not {expected}"
    with lab.check(f"TCP keeps {LEAST:.0%} of the speed that it has while a closed port is flooded"):
        ratio = sum(flooded.rates) / sum(spared.rates)
        assert ratio >= LEAST, f"{ratio:.0%}: {flooded} against {spared} Mbit/s"
    with lab.check("what was sent arrives"):
        flow.stop()
    counts = counters_of(right)
    with lab.check("under load, and cookies were sent to those who showed that they know our key"):
        sent = counts.get("cookie_sent", 0)
        assert counts.get("under_load", 0) >= sent > flooded.sent / 4, counts
        assert counts["handshake_done"] == first["handshake_done"], counts
    with lab.check("memory does not grow"):
        after = held(right.daemon.pid)
        assert after[1] == before[1] and after[0] <= before[0] + 1024, f"before: {before}, after: {after}"
    with lab.check("who begins during a flood gets in by his cookie"):
        flood = Flood(flooder, right, PORT, 12)
        left.stop()
        left.start()
        left.node.ping(right.v4, count=1, options="-W 11")
        assert not flood.process.poll(), "the flood was over"
        flood.end()
