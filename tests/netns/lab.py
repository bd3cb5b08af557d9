# SPDX-License-Identifier: MIT
"""
Network namespaces, the wires between them, and the processes inside, for the cases of this folder.

run.py gives each case mount and process namespaces of its own with an empty /run, so the names used here are private to
one case, and all that a case leaves behind goes with its process.
"""

import contextlib
import ctypes
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import traceback

CLONE_NEWNET = 0x40000000
SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:")
LOG_TAIL = 25  # lines of each log shown after a failure
BANNER = "┌│└"  # begins the lines in which wireguard-go recommends the kernel's module

libc = ctypes.CDLL(None, use_errno=True)


class Lacks(Exception):
    """This kernel or machine lacks what a check needs."""


def wait_for(condition, seconds, what):
    """Returns what `condition` returns as soon as that is true; an AssertionError says what never came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


def need_kernel(version, what):
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release < version:
        raise Lacks(f"{what}, since Linux {version[0]}.{version[1]}")


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Daemon:
    """A process that stays until it is told to end. What it writes goes to one log; `asked` is a signal to say more."""

    def __init__(self, node, name, command, asked=None, **options):
        self.name = name
        self.asked = asked
        self.over = False  # a case has ended it
        self.log_path = f"/run/{node.name}-{name}.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(node.words(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            **options)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def tail(self):
        if self.asked and self.running():
            self.process.send_signal(self.asked)
            time.sleep(0.2)
        lines = [line for line in self.log().splitlines() if line[:1] not in BANNER]
        return "\n".join(lines[-LOG_TAIL:])

    def running(self):
        return self.process.poll() is None

    def wait(self, seconds=10):
        """The exit code of a process that is to end by itself."""
        self.over = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def stop(self, number=signal.SIGTERM):
        """Ends the process by a signal, with all means after 10 s; the exit code."""
        self.process.send_signal(number)
        try:
            return self.wait()
        except AssertionError:
            self.process.kill()
            raise


class Node:
    """One network namespace: a host."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.set("net/ipv6/conf/default/accept_dad", 0)  # link-local addresses too are there at once
        self.run("ip link set lo up")

    def words(self, command):
        command = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
        return ["ip", "netns", "exec", self.name] + command

    def run(self, command, check=True, timeout=60, **options):
        """Runs a command to its end; its output is text."""
        done = subprocess.run(self.words(command), capture_output=True, text=True, timeout=timeout, **options)
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {command}: {(done.stderr or done.stdout).strip() or done.returncode}")
        return done

    def json(self, command):
        return json.loads(self.run(command).stdout or "[]")

    def start(self, name, command, **options):
        daemon = Daemon(self, name, command, **options)
        self.lab.daemons.append(daemon)
        return daemon

    @contextlib.contextmanager
    def inside(self):
        """The calling thread stands in this namespace. Sockets opened there stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            enter(there)
            yield
        finally:
            enter(home)
            os.close(there)
            os.close(home)

    def socket(self, *arguments):
        with self.inside():
            made = socket.socket(*arguments)
        made.settimeout(10)
        return made

    def set(self, key, value):
        """A sysctl of this namespace."""
        with self.inside(), open(f"/proc/sys/{key}", "w") as file:
            file.write(str(value))

    def get(self, key):
        with self.inside(), open(f"/proc/sys/{key}") as file:
            return file.read().strip()

    def has_link(self, interface):
        return not self.run(["ip", "link", "show", interface], check=False).returncode

    def forward(self):
        self.set("net/ipv4/ip_forward", 1)
        self.set("net/ipv6/conf/all/forwarding", 1)

    def offloads(self, interface, state):
        """With `off`, packets leave as they would on a cable: cut, and with their checksums."""
        self.run(f"ethtool -K {interface} tx {state} tso {state} gso {state} tx-udp-segmentation {state}")

    def ping(self, address, count=3, options=""):
        """Every one of `count` pings must be answered."""
        before = self.echo_replies()
        done = self.run(f"ping -n -q -c {count} -i 0.1 -W 3 {options} {address}", check=False, timeout=60 + count)
        if f" {count} received" not in done.stdout:
            # ping(8) waits two round trips after an answer, which a busy machine may overdraw: the kernel counts on
            wait_for(lambda: self.echo_replies() >= before + count, 3,
                     f"ping {address}: {(done.stdout + done.stderr).strip()}")

    def echo_replies(self):
        """How many answers to pings have arrived."""
        with self.inside():
            with open("/proc/thread-self/net/snmp") as file:
                names, values = [line.split() for line in file if line.startswith("Icmp:")]
            with open("/proc/thread-self/net/snmp6") as file:
                v6 = next(int(line.split()[1]) for line in file if line.startswith("Icmp6InEchoReplies"))
        return int(values[names.index("InEchoReps")]) + v6

    def no_answer(self, address, options=""):
        """No ping is answered."""
        done = self.run(f"ping -n -q -c 3 -i 0.1 -W 1 {options} {address}", check=False)
        assert " 0 received" in done.stdout, f"ping {address}: {(done.stdout + done.stderr).strip()}"

    def udp_ports(self):
        """The ports on which UDP sockets of this namespace are bound, one entry a socket."""
        lines = []
        for table in "udp", "udp6":
            with self.inside(), open(f"/proc/thread-self/net/{table}") as file:
                lines += file.readlines()[1:]
        return sorted(int(line.split()[1].rsplit(":", 1)[1], 16) for line in lines)


class Lab:
    """The namespaces and daemons of one case, and the lines that it reports."""

    def __init__(self, case, adit, settings=None):
        self.case = case
        self.adit = adit
        self.settings = settings or {}  # keys of [Interface] for every file of an `adit run`
        self.nodes = {}
        self.daemons = []
        self.failures = 0

    def node(self, name, forward=False):
        node = self.nodes[name] = Node(self, name)
        if forward:
            node.forward()
        return node

    def wire(self, left, left_name, left_addresses, right, right_name, right_addresses):
        """A veth pair. Addresses come without waiting for duplicates."""
        left.run(f"ip link add {left_name} type veth peer name {right_name} netns {right.name}")
        for node, interface, addresses in (left, left_name, left_addresses), (right, right_name, right_addresses):
            for address in addresses:
                node.run(f"ip address add {address} dev {interface} nodad")
            node.run(f"ip link set dev {interface} up")

    @contextlib.contextmanager
    def check(self, title):
        """One test: reports ok, not ok or lacks, and lets the case go on."""
        try:
            yield
        except Lacks as lack:
            self.say("lacks", title, lack)
        except Exception as error:
            self.fail(title, error)
        else:
            self.say("ok", title)

    def say(self, verdict, title, reason=None):
        print(f"{verdict} {self.case}: {title}" + (f" ({reason})" if reason else ""), flush=True)

    def fail(self, title, error):
        self.failures += 1
        line = traceback.extract_tb(error.__traceback__)[-1].line
        self.say("not ok", title, " ".join(str(error).split()) or line)
        if not isinstance(error, (AssertionError, OSError, subprocess.SubprocessError)):
            traceback.print_exception(error, file=sys.stdout)
        for daemon in {daemon.log_path: daemon for daemon in self.daemons}.values():
            print(f"    {daemon.name}:\n" + "".join(f"    | {line}\n" for line in daemon.tail().splitlines()), end="")

    def close(self):
        """Ends what still runs. No daemon may have ended by itself or written a sanitizer's report."""
        with self.check("every end stops with exit code 0"):
            for daemon in reversed(self.daemons):
                early = None if daemon.over else daemon.process.poll()
                assert early is None, f"{daemon.name} ended before its time, with {early}"
                code = 0 if daemon.over else daemon.stop()
                assert code == 0, f"{daemon.name} ended with {code}"
                assert not SANITIZER.search(daemon.log()), f"{daemon.name}: sanitizer report"


def case(slow=False, waits=False, alone=False, seconds=120, **parameters):
    """
    Marks a function of a suite as a case. `slow`: left out of a quick run. `waits`: it mostly sleeps, so others may run
    beside it; `alone`: it measures, so none may. `seconds`: its limit. Each further keyword is a list of values; the
    case is run with every combination.
    """
    def mark(function):
        function.case = {"slow": slow, "waits": waits, "alone": alone, "seconds": seconds, "parameters": parameters}
        return function
    return mark
