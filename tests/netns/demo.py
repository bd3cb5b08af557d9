#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The demonstration behind tests/demo.sh: two hosts as network namespaces, an adit at each end of one wire.

    left  192.0.2.1  ----  right  192.0.2.2
    tun-left  10.7.0.1      tun-right  10.7.0.2
"""

import os
import secrets
import socket
import subprocess
import sys

from ends import pair
from lab import Lab
from packets import UDP, Capture, check_all
from run import UNSHARE
from traffic import MIB, datagrams, stream
from wire import count_messages

MTU = 1420
SIZE = 1024 * MIB
MARKER = b"adit-demo-" + secrets.token_hex(8).encode()


def markers(size):
    line = MARKER * (MIB // len(MARKER))
    for _ in range(size // len(line)):
        yield line


def watched(left, right):
    """Brings the tunnel up and sends the marker through it; what is seen meanwhile on the far TUN and on the wire."""
    for end in left, right:
        end.node.offloads("wan", "off")
    wire = Capture(right.node, "wan")
    left.start(), right.start()
    inside = Capture(right.node, right.interface, incoming=True)
    show_pings(left, right)
    datagrams(left.node, left.v4, right.node, right.v4, [MARKER] * 200)
    stream(left.node, right.node, right.v4, 16 * MIB, make=markers)
    packets = inside.stop(), check_all(wire, 1500)
    for end in left, right:
        end.node.offloads("wan", "on")
    return packets


def show_pings(left, right):
    print("ping")
    for family in 4, 6:
        left.node.ping(right.inner(family))
        print(f"   {left.inner(family)} -> {right.inner(family)}: 3 of 3 answered")


def seen_in_clear(left, right):
    """How often the same capture sees the marker when it does not go through the tunnel."""
    capture = Capture(right.node, "wan")
    with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(MARKER, ("192.0.2.2", 9))
    return sum(MARKER in packet for packet in capture.stop())


def show_wire(left, right):
    inside, wire = watched(left, right)
    outer = [packet.payload for packet in wire if packet.protocol == UDP]
    counts = count_messages([payload[8:] for payload in outer], MTU)
    assert counts["initiation"] and counts["response"] and counts["data"] > 10000, f"seen: {counts}"
    print("what a stranger sees")
    print("   " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    through = sum(packet.count(MARKER) for packet in inside)
    assert through > 200, f"the marker came {through} times through the tunnel"
    assert not any(MARKER in packet.data for packet in wire), "the marker was seen in clear"
    assert seen_in_clear(left, right), "the capture does not see the marker where it is in clear"
    print(f"   the marker came {through} times through the tunnel, and was never seen on the wire")


def show(lab):
    left, right = pair(lab, start=False)
    show_wire(left, right)
    print("1 GiB by TCP")
    rate = stream(left.node, right.node, right.v4, SIZE)
    print(f"   {rate * 8 / 1e9:.2f} Gbit/s, SHA-256 equal at the far end")


def main(adit):
    """Repeats itself in namespaces of its own, which take everything with them at the end."""
    if os.getpid() != 1:
        return subprocess.run(UNSHARE + [sys.executable, __file__, adit]).returncode
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    lab = Lab("demo", os.path.abspath(adit))
    try:
        show(lab)
    except Exception as error:
        lab.fail("demonstration", error)
    lab.close()
    print("demo: " + ("failed" if lab.failures else "passed"))
    return 1 if lab.failures else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main(sys.argv[1]))
