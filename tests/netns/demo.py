#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The demonstration of tests/demo.sh: two hosts, which are network namespaces, on one wire with an adit at each end.

    left  192.0.2.1  ----  right  192.0.2.2
    tun-left  10.7.0.1      tun-right  10.7.0.2
"""

import os
import re
import secrets
import socket
import subprocess
import sys
import textwrap
import threading
import time

from ends import pair
from lab import Lab
from packets import UDP, Capture, check_all
from run import UNSHARE
from traffic import MIB, datagrams, listen, stream
from wire import count_messages

MTU = 1420
SIZE = 1024 * MIB
SECONDS = 3  # of each measurement
MARKER = b"adit-demo-" + secrets.token_hex(8).encode()


def markers(size):
    line = MARKER * (MIB // len(MARKER))
    for _ in range(size // len(line)):
        yield line


def watched(left, right):
    """Starts the tunnel and sends the marker through it. Returns the packets on the TUN of right, and on the wire."""
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
    print("pinging through the tunnel")
    for family in 4, 6:
        left.node.ping(right.inner(family))
        print(f"   {left.inner(family)} -> {right.inner(family)}: 3 of 3 pings answered")


def seen_in_clear(left, right):
    """Sends the marker outside the tunnel. Returns how often a capture contains it, which must not be 0."""
    capture = Capture(right.node, "wan")
    with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(MARKER, ("192.0.2.2", 9))
    return sum(MARKER in packet for packet in capture.stop())


def show_wire(left, right):
    inside, wire = watched(left, right)
    outer = [packet.payload for packet in wire if packet.protocol == UDP]
    counts = count_messages([payload[8:] for payload in outer], MTU)
    assert counts["initiation"] and counts["response"] and counts["data"] > 10000, f"captured: {counts}"
    print("capturing on the wire between the hosts")
    print("   " + ", ".join(f"{count} {name}" for name, count in counts.items()) + " messages, and no other UDP packet")
    print("   An initiation and a response are a handshake, which agrees on the keys of a session. Each data message")
    print("   contains one encrypted packet.")
    through = sum(packet.count(MARKER) for packet in inside)
    assert through > 200, f"the marker arrived {through} times"
    assert not any(MARKER in packet.data for packet in wire), "the wire carried the marker in clear text"
    assert seen_in_clear(left, right), "the capture does not notice the marker in clear text"
    print(f"   A random text arrived {through} times through the tunnel. The capture on the wire contains it 0 times.")
    print("   The same text, sent past the tunnel, is in the capture, so the search works.")


def rate(source, target, address):
    """Sends over TCP from one host to another for some seconds. Returns bytes per second."""
    def send():
        with source.socket(socket.AF_INET, socket.SOCK_STREAM) as sender:
            sender.connect(listener.getsockname())
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                sender.sendall(block)

    block, buffer, length = bytes(MIB), bytearray(MIB), 0
    with listen(target, address) as listener:
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        receiver = listener.accept()[0]
        begin = time.monotonic()
        with receiver:
            while received := receiver.recv_into(buffer):
                length += received
        seconds = time.monotonic() - begin
        thread.join()
    return length / seconds


def processor():
    """Returns the model and the number of processors of this machine."""
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    count = os.cpu_count()
    return f"{count} CPU{'s' * (count > 1)}, {found[1] if found else os.uname().machine}"


def show_rates(left, right):
    print(f"measuring TCP for {SECONDS} s each")
    for name, address in ("through the tunnel", right.v4), ("on the bare wire, a veth pair", "192.0.2.2"):
        print(f"   {rate(left.node, right.node, address) * 8 / 1e9:6.2f} Gbit/s {name}")
    print(f"   Both hosts share this machine: {processor()}. On two machines, each end does half of the work.")
    print("   docs/performance.md has the figures of longer measurements.")


def show(lab):
    left, right = pair(lab, start=False)
    left.peers[0]["Name"], right.peers[0]["Name"] = "right", "left"
    show_wire(left, right)
    print("sending 1 GiB over TCP through the tunnel")
    stream(left.node, right.node, right.v4, SIZE)
    print("   the SHA-256 is the same at both ends")
    show_rates(left, right)
    print(f"adit show {left.interface}")
    print(textwrap.indent(left.node.run([lab.adit, "show", left.interface]).stdout, "   "), end="")


def main(adit):
    """Runs the demonstration in new namespaces, which disappear with everything in them when it ends."""
    if os.getpid() != 1:
        print("creating two hosts and a tunnel between them")
        return subprocess.run(UNSHARE + [sys.executable, __file__, adit]).returncode
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    lab = Lab("demo", os.path.abspath(adit))
    try:
        show(lab)
    except Exception as error:
        lab.fail("demonstration", error)
    lab.close()
    print("the demonstration " + ("failed" if lab.failures else "succeeded"))
    return 1 if lab.failures else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main(sys.argv[1]))
