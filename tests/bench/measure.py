# SPDX-License-Identifier: MIT
"""Measures a running tunnel. A rate counts what arrives. CPU is the user and system time of both daemons."""

import contextlib
import json
import os
import statistics
import subprocess
import time

from lab import INNER, MTU, NODES, OTHER, inside, sh

TICKS = os.sysconf("SC_CLK_TCK")
SENDER, RECEIVER = NODES
OVERLAY = dict(zip(NODES, ("10.99.0.1", "10.99.0.2")))  # of a VXLAN through the tunnel
OVERLAY_MTU = MTU - 50  # without the headers of IPv4, UDP, VXLAN and Ethernet


def daemon_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def machine_seconds():
    """Returns the busy time of the machine: everything in /proc/stat except idle and iowait."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def status_mib(pids, field):
    """Returns the largest value of a field of /proc/PID/status among the daemons, in MiB."""
    largest = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as status:
                largest = max([largest] + [int(line.split()[1]) for line in status if line.startswith(field + ":")])
        except OSError:
            continue
    return largest / 1024


class Meter:
    """Runs the loads on one target and collects the figures by name."""

    def __init__(self, target, seconds):
        self.target, self.seconds, self.figures = target, seconds, {}

    def clocked(self, load):
        """Returns the result of `load`, and the busy seconds of the daemons and of the machine during the load."""
        daemons, machine = daemon_seconds(self.target.pids()), machine_seconds()
        result = load()
        return result, daemon_seconds(self.target.pids()) - daemons, machine_seconds() - machine

    def iperf(self, name, *options, to=None):
        def load():
            return json.loads(sh(*inside(SENDER, "iperf3", "-c", to or self.target.address, "-t", str(self.seconds), "-J",
                                         *options), check=False))
        report, daemons, machine = self.clocked(load)
        ways = [report.get("end", {}).get(way) for way in ("sum_received", "sum_received_bidir_reverse")]
        received = sum(way["bytes"] for way in ways if way)
        if not received:
            return
        self.figures[f"{name} Gbit/s"] = sum(way["bits_per_second"] for way in ways if way) / 1e9
        if self.target.processes:
            self.figures[f"{name} CPU ns/B"] = daemons / received * 1e9
        self.figures[f"{name} machine ns/B"] = machine / received * 1e9

    @contextlib.contextmanager
    def iperf_server(self):
        server = subprocess.Popen(inside(RECEIVER, "iperf3", "-s"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        try:
            yield
        finally:
            server.terminate()
            server.wait()

    def tcp(self):
        with self.iperf_server():
            self.iperf("TCP 1 flow")
            self.iperf("TCP 1 flow reverse", "-R")
            self.iperf("TCP 4 flows", "-P", "4")
            self.loaded_ping()

    def udp(self, sizes, flows=1):
        """Sends UDP as fast as possible. `sizes` is a list with commas; the flows use the sizes in turn."""
        blast = self.target.workshop.program("blast")
        name = f"UDP {sizes} B" + (f" {flows} flows" if flows > 1 else "")

        def load():
            receiver = subprocess.Popen(inside(RECEIVER, blast, "recv", "7777", str(self.seconds + 1)),
                                        stdout=subprocess.PIPE, text=True)
            time.sleep(0.3)
            sh(*inside(SENDER, blast, "send", ",".join([self.target.address] * flows), "7777", str(sizes),
                       str(self.seconds)))
            return json.loads(receiver.communicate()[0])
        received, daemons, _ = self.clocked(load)
        if not received["datagrams"]:
            return
        self.figures[f"{name} kpps"] = received["datagrams"] / received["seconds"] / 1e3
        if self.target.processes:
            self.figures[f"{name} CPU us"] = daemons / received["datagrams"] * 1e6

    def overlay(self):
        """Creates a VXLAN between the ends of the tunnel. The tunnel cannot merge its packets."""
        for node in NODES:
            sh("ip", "-n", node, "link", "add", "overlay", "type", "vxlan", "id", "77", "dstport", "4789",
               "local", INNER[node], "remote", INNER[OTHER[node]])
            sh("ip", "-n", node, "addr", "add", OVERLAY[node] + "/24", "dev", "overlay")
            sh("ip", "-n", node, "link", "set", "overlay", "mtu", str(OVERLAY_MTU), "up")

    def ping(self, name, count, interval):
        out = sh(*inside(SENDER, "ping", "-i", str(interval), "-c", str(count), self.target.address), check=False)
        times = [float(word[5:]) for word in out.split() if word.startswith("time=")]
        if times:
            self.figures[name] = statistics.median(times)

    def loaded_ping(self):
        load = subprocess.Popen(inside(SENDER, "iperf3", "-c", self.target.address, "-t", "60"),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.7)  # the flow needs some time to reach its full rate
            self.ping("ping under load p50 ms", 150, 0.01)
        finally:
            load.terminate()
            load.wait()

    def memory(self):
        if self.target.pids():
            self.figures["peak MiB"] = status_mib(self.target.pids(), "VmHWM")
            self.figures["anonymous MiB"] = status_mib(self.target.pids(), "RssAnon")

    def mixed(self):
        """Measures loads with packets of several kinds at the same time."""
        with self.iperf_server():
            self.iperf("TCP both ways", "--bidir")
            self.overlay()
            self.iperf("TCP in VXLAN", to=OVERLAY[RECEIVER])
        self.udp("64", flows=16)
        self.udp("64,1372", flows=16)
        return self.figures

    def datagrams(self):
        self.udp(1372)
        self.udp(64)
        return self.figures

    def plain(self):
        self.ping("ping p50 ms", 300, 0.005)
        self.tcp()
        self.datagrams()
        self.memory()
        return self.figures
