#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Measures a hub with very many peers: its start and reload, its memory per peer, and the cost of a packet compared with a
hub that has one peer.

    bench-a  hub   10.88.0.1, fd88::1  ====  veth  ====  bench-b  far end   10.99.K.1, fd99:K::1  (K from 0 to 4)

The far end is one peer of the hub, in the middle of the list, and has ten prefixes. The other peers do not exist.
Needs root.
"""

import argparse
import base64
import ctypes
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import lab
import report
from lab import NODES, OUTER, inside, sh
from measure import daemon_seconds, status_mib

HUB, FAR = NODES
PORT = 51820
PREFIXES = 10
ONE, MANY, UNROUTED = "one peer", "many peers", "many peers, Table = off"
FAR_ADDRESSES = [f"10.99.{k}.1" for k in range(PREFIXES // 2)] + [f"fd99:{k}::1" for k in range(PREFIXES // 2)]
HUB_ADDRESSES = ["10.88.0.1"] * (PREFIXES // 2) + ["fd88::1"] * (PREFIXES // 2)
CLONE_NEWNET = 0x40000000
TRIES = 5
RATE = 150000  # datagrams per second; without a limit, the sender would be slower with many routes, and batches smaller
TIMEOUT = 60

libc = ctypes.CDLL(None, use_errno=True)


def far_prefixes():
    return [f"10.99.{k}.0/24" for k in range(PREFIXES // 2)] + [f"fd99:{k}::/64" for k in range(PREFIXES // 2)]


def prefixes_of(number, count):
    """Returns `count` prefixes for a peer, IPv4 and IPv6 in turn."""
    made = []
    for i in range(count):
        at = (number * count + i) // 2 if count > 1 else number
        made.append(f"fd10:{at >> 16:x}:{at & 0xffff:x}::/64" if i % 2 else
                    f"{11 + (at >> 16)}.{at >> 8 & 255}.{at & 255}.0/24")
    return made


class Key:
    def __init__(self):
        self.private = sh("wg", "genkey").strip()
        self.public = sh("wg", "pubkey", input=self.private).strip()


def peer(public, allowed, endpoint=None):
    lines = ["[Peer]", f"PublicKey = {public}", "AllowedIPs = " + ", ".join(allowed)]
    return "\n".join(lines + ([f"Endpoint = {endpoint}:{PORT}"] if endpoint else [])) + "\n"


def interface(key, addresses, *keys):
    return "\n".join(["[Interface]", f"PrivateKey = {key.private}", f"ListenPort = {PORT}",
                      "Address = " + ", ".join(addresses), f"MTU = {lab.MTU}", *keys]) + "\n"


class Daemon:
    """An `adit run`, whose READY=1 notifications mark the end of its start and of its reloads."""

    def __init__(self, workshop, adit, node, name, text):
        self.file = workshop.path(f"{name}.conf")
        self.notify_path = workshop.path(f"{name}.notify")
        self.write(text)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.notify.settimeout(TIMEOUT)
        self.log_path = workshop.path(f"{name}.log")
        with open(self.log_path, "w") as log, open(f"/run/netns/{node}") as namespace:
            begin = time.monotonic()
            self.process = subprocess.Popen([adit, "run", self.file], stdout=log, stderr=log,
                                            env={**os.environ, "NOTIFY_SOCKET": self.notify_path},
                                            preexec_fn=lambda: libc.setns(namespace.fileno(), CLONE_NEWNET))
            self.started = self.seconds_to_ready(begin)

    def write(self, text):
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)

    def seconds_to_ready(self, begin):
        try:
            while b"READY=1" not in self.notify.recv(4096):
                pass
        except TimeoutError:
            raise lab.Failed(f"{self.file}: not ready within {TIMEOUT} s: {self.log()[-500:]}") from None
        return time.monotonic() - begin

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def counter(self, name):
        """Makes the daemon log its counters, waits until all are logged, and returns one of them."""
        before = len(self.log())
        self.process.send_signal(signal.SIGUSR1)
        found, size = None, 0
        while not found or size != len(self.log()):
            size = len(self.log())
            time.sleep(0.2)
            found = re.search(rf" {name} (\d+)(?:,|$)", self.log()[before:], re.MULTILINE)
        return int(found.group(1))

    def reload(self):
        begin = time.monotonic()
        self.process.send_signal(signal.SIGHUP)
        return self.seconds_to_ready(begin)

    def stop(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self.notify.close()
        os.unlink(self.notify_path)


class Scale:
    """Creates the hub and the far end, and collects the figures by name."""

    def __init__(self, options, workshop):
        self.adit = os.path.join(options.build, "adit")
        self.footprint = os.path.join(options.build, "tests", "bench", "bench_footprint")
        self.options, self.workshop = options, workshop
        self.hub_key, self.far_key = Key(), Key()
        self.publics = [base64.b64encode(os.urandom(32)).decode() for _ in range(options.peers - 1)]
        self.figures = {}

    def hub_text(self, peers, prefixes, *keys, changed=None):
        """Returns the file of a hub with `peers` peers. `changed` is an additional prefix for one of them."""
        real = peer(self.far_key.public, far_prefixes(), OUTER[FAR])
        others = [peer(public, prefixes_of(number, prefixes)) for number, public in enumerate(self.publics[:peers - 1])]
        if changed:
            others[-1] = peer(self.publics[peers - 2], [*prefixes_of(peers - 2, prefixes), changed])
        others.insert(len(others) // 2, real)
        return interface(self.hub_key, ["10.88.0.1/24", "fd88::1/64"], *keys) + "".join(others)

    def far_text(self):
        addresses = [f"{address}/{64 if ':' in address else 24}" for address in FAR_ADDRESSES]
        return (interface(self.far_key, addresses) +
                peer(self.hub_key.public, ["10.88.0.1/32", "fd88::1/128"], OUTER[HUB]))

    def hub(self, *arguments, **changes):
        return Daemon(self.workshop, self.adit, HUB, "adit-hub", self.hub_text(*arguments, **changes))

    def start(self, peers, prefixes, *keys):
        """Returns the medians of the seconds until READY=1, and of the anonymous memory then in MiB."""
        seconds, memory = [], []
        for _ in range(TRIES):
            daemon = self.hub(peers, prefixes, *keys)
            seconds.append(daemon.started)
            memory.append(status_mib([daemon.process.pid], "RssAnon"))
            daemon.stop()
        return statistics.median(seconds), statistics.median(memory)

    def measure_start(self):
        many = self.options.peers
        alone, base = self.start(1, PREFIXES)
        self.figures["start, 1 peer, ms"] = alone * 1e3
        for prefixes in 1, PREFIXES:
            for keys in (), ("Table = off",):
                seconds, memory = self.start(many, prefixes, *keys)
                title = f"{prefixes} prefix" + ("es" if prefixes > 1 else "")
                table = ", ".join(["", *keys])
                self.figures[f"start, {many} peers with {title}{table}, ms"] = seconds * 1e3
                if not keys:
                    self.figures[f"memory per configured peer, {title}, bytes"] = (memory - base) * 2**20 / (many - 1)

    def measure_reload(self):
        many = self.options.peers
        daemon = self.hub(many, PREFIXES)
        times = []
        for number in range(TRIES):
            daemon.write(self.hub_text(many, PREFIXES, changed=f"172.16.{number}.0/24"))
            times.append(daemon.reload())
            if f"172.16.{number}.0/24" not in sh(*inside(HUB, "ip", "route", "show", f"172.16.{number}.0/24")):
                raise lab.Failed("a reload did not add the route of the changed peer")
        daemon.stop()
        self.figures[f"reload of one changed peer, {many} peers, ms"] = statistics.median(times) * 1e3

    def measure_sessions(self):
        configured = self.figures["memory per configured peer, 1 prefix, bytes"]
        for cipher in "chacha20poly1305", "aes256gcm":
            heap = json.loads(sh(self.footprint, str(min(self.options.peers, 2000)), "1", cipher))
            for state in "one session", "two sessions":
                more = heap[state] - heap["configured"]
                self.figures[f"memory per peer with {state}, {cipher}, bytes"] = configured + more

    def blast(self, hub, counter, way, to, source):
        """Returns the CPU seconds of the hub per datagram that it counts."""
        program = self.workshop.program("blast")
        sender, receiver = way
        moved, before = hub.counter(counter), daemon_seconds([hub.process.pid])
        seconds = self.options.seconds
        sink = subprocess.Popen(inside(receiver, program, "recv", "7777", str(seconds + 1)), stdout=subprocess.PIPE,
                                text=True)
        time.sleep(0.3)
        sh(*inside(sender, program, "send", ",".join(to), "7777", "64", str(seconds), ",".join(source), str(RATE)))
        if json.loads(sink.communicate()[0])["datagrams"] < RATE * seconds / 2:
            print("less than half of the datagrams arrived", file=sys.stderr)
        after = daemon_seconds([hub.process.pid])
        return (after - before) / (hub.counter(counter) - moved)

    def iperf(self, hub, address):
        """Returns the CPU seconds of the hub per byte."""
        before = daemon_seconds([hub.process.pid])
        found = json.loads(sh(*inside(HUB, "iperf3", "-c", address, "-t", str(self.options.seconds), "-J")))
        return (daemon_seconds([hub.process.pid]) - before) / found["end"]["sum_received"]["bytes"]

    def route_far(self):
        """Adds the routes to the far end, which the hub does not add with Table = off."""
        for prefix in far_prefixes():
            sh("ip", "-n", HUB, "route", "add", prefix, "dev", "adit-hub")

    def costs(self, kind):
        """Returns the CPU seconds of the hub per datagram or byte, by load."""
        keys = ["Table = off"] if kind == UNROUTED else []
        hub = self.hub(1 if kind == ONE else self.options.peers, PREFIXES, *keys)
        if kind == UNROUTED:
            self.route_far()
        daemons = [hub, Daemon(self.workshop, self.adit, FAR, "adit-far", self.far_text())]
        server = subprocess.Popen(inside(FAR, "iperf3", "-s"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        loads = {"UDP 64 B out": lambda: self.blast(hub, "sealed", (HUB, FAR), FAR_ADDRESSES, HUB_ADDRESSES),
                 "UDP 64 B in": lambda: self.blast(hub, "opened", (FAR, HUB), HUB_ADDRESSES, FAR_ADDRESSES),
                 "TCP over IPv4": lambda: self.iperf(hub, FAR_ADDRESSES[1]),
                 "TCP over IPv6": lambda: self.iperf(hub, FAR_ADDRESSES[-2])}
        try:
            for address in FAR_ADDRESSES:
                sh(*inside(HUB, "ping", "-c", "1", "-W", "5", address))
            return {name: load() for name, load in loads.items()}
        finally:
            server.terminate()
            server.wait()
            for daemon in daemons:
                daemon.stop()

    def measure_costs(self):
        rounds = []
        for number in range(self.options.rounds):
            order = (ONE, MANY, UNROUTED)
            shift = number % len(order)
            rounds.append({kind: self.costs(kind) for kind in order[shift:] + order[:shift]})
            print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
        for kind in MANY, UNROUTED:
            for load in rounds[0][ONE]:
                self.figures[f"CPU compared with one peer, {kind}, {load}"] = statistics.median(
                    done[kind][load] / done[ONE][load] for done in rounds)


# The upper limits of the figures whose names start like this.
BARS = {"start, 1 peer": 50, "reload": 100, "memory per configured peer, 1 prefix": 2048,
        "memory per peer with one": 8192, "CPU compared": 1.15}


def limit_of(name, peers):
    if "Table = off" in name:
        return None
    if name.startswith(f"start, {peers} peers"):
        return 1000
    return next((limit for prefix, limit in BARS.items() if name.startswith(prefix)), None)


def table(figures, peers):
    lines = []
    for name, value in figures.items():
        limit = limit_of(name, peers)
        lines.append([name, f"{value:.2f}" if value < 100 else f"{value:.0f}", f"<= {limit}" if limit else "",
                      "" if not limit else report.MET if value <= limit else report.FAILED])
    return report.markdown(["figure", "reached", "bar", ""], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, metavar="FOLDER", help="a build with tests")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--peers", type=int, default=10000)
    parser.add_argument("--document", metavar="FILE", help="replace the section <!-- bench scale --> in FILE")
    parser.add_argument("--json", metavar="FILE", help="save the figures")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("scale.py needs root to create network namespaces")
    workshop = lab.Workshop()
    scale = Scale(options, workshop)
    lab.up()
    try:
        scale.measure_start()
        scale.measure_reload()
        scale.measure_sessions()
        scale.measure_costs()
    except lab.ERRORS as error:
        sys.exit(f"{error}\n{workshop.log_tail()}")
    finally:
        lab.down()
        workshop.close()
    text = f"{report.machine(lab.empty_call())}\n\n{table(scale.figures, options.peers)}\n"
    print(text)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(scale.figures, file, indent=1)
    if options.document:
        report.replace_section(options.document, "scale", text)


if __name__ == "__main__":
    main()
