"""What is measured of a tunnel that is up. Rates are what arrived; CPU is user and system time of both daemons."""

import json
import os
import statistics
import subprocess
import time

from lab import NODES, inside, sh

TICKS = os.sysconf("SC_CLK_TCK")
SENDER, RECEIVER = NODES


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
    """Busy time of the whole machine: all of /proc/stat but idle and waiting."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def status_mib(pids, field):
    """The largest value of a field of /proc/PID/status among the daemons."""
    most = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as status:
                most = max([most] + [int(line.split()[1]) for line in status if line.startswith(field + ":")])
        except OSError:
            continue
    return most / 1024


class Meter:
    """Runs the loads against one target and collects figures by name."""

    def __init__(self, target, seconds):
        self.target, self.seconds, self.figures = target, seconds, {}

    def clocked(self, load):
        """What `load` returns, and the busy seconds of daemons and machine meanwhile."""
        daemons, machine = daemon_seconds(self.target.pids()), machine_seconds()
        result = load()
        return result, daemon_seconds(self.target.pids()) - daemons, machine_seconds() - machine

    def iperf(self, name, *options):
        def load():
            return json.loads(sh(*inside(SENDER, "iperf3", "-c", self.target.address, "-t", str(self.seconds), "-J",
                                         *options), check=False))
        report, daemons, machine = self.clocked(load)
        received = report.get("end", {}).get("sum_received")
        if not received or not received["bytes"]:
            return
        self.figures[f"{name} Gbit/s"] = received["bits_per_second"] / 1e9
        if self.target.processes:
            self.figures[f"{name} CPU ns/B"] = daemons / received["bytes"] * 1e9
        self.figures[f"{name} machine ns/B"] = machine / received["bytes"] * 1e9

    def tcp(self):
        server = subprocess.Popen(inside(RECEIVER, "iperf3", "-s"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        try:
            self.iperf("TCP 1 flow")
            self.iperf("TCP 1 flow reverse", "-R")
            self.iperf("TCP 4 flows", "-P", "4")
            self.loaded_ping()
        finally:
            server.terminate()
            server.wait()

    def udp(self, size):
        blast = self.target.workshop.program("blast")

        def load():
            receiver = subprocess.Popen(inside(RECEIVER, blast, "recv", "7777", str(self.seconds + 1)),
                                        stdout=subprocess.PIPE, text=True)
            time.sleep(0.3)
            sh(*inside(SENDER, blast, "send", self.target.address, "7777", str(size), str(self.seconds)))
            return json.loads(receiver.communicate()[0])
        received, daemons, _ = self.clocked(load)
        if not received["datagrams"]:
            return
        self.figures[f"UDP {size} B kpps"] = received["datagrams"] / received["seconds"] / 1e3
        if self.target.processes:
            self.figures[f"UDP {size} B CPU us"] = daemons / received["datagrams"] * 1e6

    def ping(self, name, count, interval):
        out = sh(*inside(SENDER, "ping", "-i", str(interval), "-c", str(count), self.target.address), check=False)
        times = [float(word[5:]) for word in out.split() if word.startswith("time=")]
        if times:
            self.figures[name] = statistics.median(times)

    def loaded_ping(self):
        load = subprocess.Popen(inside(SENDER, "iperf3", "-c", self.target.address, "-t", "60"),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.7)  # until the flow has its full rate
            self.ping("ping under load p50 ms", 150, 0.01)
        finally:
            load.terminate()
            load.wait()

    def memory(self):
        if self.target.pids():
            self.figures["peak MiB"] = status_mib(self.target.pids(), "VmHWM")
            self.figures["anonymous MiB"] = status_mib(self.target.pids(), "RssAnon")

    def run(self):
        self.ping("ping p50 ms", 300, 0.005)
        self.tcp()
        self.udp(1372)
        self.udp(64)
        self.memory()
        return self.figures
