#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Measures what changes of routes cost a running tunnel.

Foreign routes: TCP flows from bench-a to bench-b, while 100,000 routes of another program come and go in bench-a. The
reference changes the same routes in a third namespace, which takes as much of the processors, but adit sees none of it.

Own routes: bench-a has 100,000 routes of its own, and one peer is changed by a reload. The longest round trip of a ping
shows how long adit holds up packets during the reload, and during the check of all routes that follows after 1 s.

Needs root.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import threading
import time

import lab
from lab import INNER, NODES, Adit, Workshop, inside, sh
from measure import Meter, daemon_seconds

OTHER_HOST = "bench-c"
COUNT = 100_000
WARM_UP = 3  # seconds; the check of the routes comes 1 s after the start


def foreign_batch(folder):
    """Writes the changes for `ip -batch` and returns the path."""
    path = os.path.join(folder, "batch")
    routes = [f"{100 + i // 25600}.{i // 100 % 256}.{i % 100}.0/24 dev lo proto bird" for i in range(COUNT)]
    with open(path, "w") as out:
        out.writelines(f"route {verb} {route}\n" for verb in ("add", "del") for route in routes)
    return path


@contextlib.contextmanager
def changing(node, batch):
    """Changes the routes of a namespace over and over. Yields a list of the seconds that each turn took."""
    ended, turns = threading.Event(), []

    def work():
        while not ended.is_set():
            begin = time.monotonic()
            sh(*inside(node, "ip", "-batch", batch))
            turns.append(time.monotonic() - begin)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield turns
    finally:
        ended.set()
        thread.join()


def foreign(path, workers, rounds, seconds):
    workshop = Workshop()
    target = Adit(workshop, path, f"Workers={workers}")
    batch = foreign_batch(workshop.folder)
    rates = {NODES[0]: [], OTHER_HOST: []}
    try:
        target.start()
        time.sleep(WARM_UP)
        hub = [pid for pid in target.pids() if f"{NODES[0]}/" in open(f"/proc/{pid}/cmdline").read()]
        with changing(NODES[0], batch) as turns:
            begin, used = time.monotonic(), daemon_seconds(hub)
            time.sleep(seconds)
            share = (daemon_seconds(hub) - used) / (time.monotonic() - begin)
        print(f"Workers = {workers}: {share:.2%} of a processor, {2 * COUNT / statistics.median(turns):.0f} changes/s")
        meter = Meter(target, seconds)
        with meter.iperf_server():
            for _ in range(rounds):
                for node, found in rates.items():
                    with changing(node, batch):
                        meter.iperf("TCP")
                    found.append(meter.figures["TCP Gbit/s"])
        ratios = [own / other for own, other in zip(*rates.values())]
        print(f"Workers = {workers}: TCP {statistics.median(rates[NODES[0]]):.2f} Gbit/s, changes in another namespace "
              f"{statistics.median(rates[OTHER_HOST]):.2f}, ratio {statistics.median(ratios):.3f} "
              f"({min(ratios):.3f} to {max(ratios):.3f})", flush=True)
    finally:
        target.stop()
        workshop.close()


def reload_one(file, path, number):
    with open(file, "a") as out:
        out.write(f"PersistentKeepalive = {100 + number}\n")
    sh(*inside(NODES[0], path, "reload", "adit-a"))


def own(path, workers, rounds):
    workshop = Workshop()
    target = Adit(workshop, path, f"Workers={workers}")
    file = workshop.path(NODES[0], f"adit-{NODES[0][-1]}.conf")
    prefixes = [f"{100 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24" for i in range(COUNT)]
    longest = {"quiet": [], "reload": [], "check": []}
    try:
        target.start()
        with open(file, "a") as out:
            out.write("".join(f"AllowedIPs = {', '.join(prefixes[i:i + 500])}\n" for i in range(0, COUNT, 500)))
        sh(*inside(NODES[0], path, "reload", "adit-a"))
        time.sleep(WARM_UP)
        for number in range(rounds):
            for kind, times in longest.items():
                if kind == "check":
                    reload_one(file, path, number)
                ping = subprocess.Popen(inside(NODES[0], "ping", "-q", "-i", "0.002", "-w", "3", INNER[NODES[1]]),
                                        stdout=subprocess.PIPE, text=True)
                if kind == "reload":
                    time.sleep(0.5)
                    reload_one(file, path, number)
                times.append(float(re.search(r"= [\d.]+/[\d.]+/([\d.]+)/", ping.communicate()[0])[1]))
        for kind, times in longest.items():
            print(f"Workers = {workers}: longest round trip, {kind}: {statistics.median(times):.1f} ms "
                  f"({min(times):.1f} to {max(times):.1f})", flush=True)
    finally:
        target.stop()
        workshop.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adit", required=True, type=os.path.abspath, metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--only", choices=["foreign", "own"])
    options = parser.parse_args()
    sh("ip", "netns", "add", OTHER_HOST)
    sh("ip", "-n", OTHER_HOST, "link", "set", "lo", "up")
    lab.up()
    for node in NODES:
        sh("ip", "-n", node, "link", "set", "lo", "up")
    try:
        for workers in options.workers:
            if options.only != "own":
                foreign(options.adit, workers, options.rounds, options.seconds)
            if options.only != "foreign":
                own(options.adit, workers, options.rounds)
    finally:
        lab.down()
        sh("ip", "netns", "del", OTHER_HOST, check=False)


if __name__ == "__main__":
    main()
