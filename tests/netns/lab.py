# SPDX-License-Identifier: MIT
"""
The laboratory of the cases in this folder: network namespaces, the wires between them and the processes inside.

run.py runs each case in its own mount and process namespaces with an empty /run. Names of namespaces and files are
therefore private to a case, and everything that a case leaves behind disappears with its process.
"""

import contextlib
import ctypes
import fcntl
import ipaddress
import json
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

CLONE_NEWNET = 0x40000000
CACHE = "/var/cache/adit-tests"
SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:")
LOG_TAIL = 25  # lines of each log to print after a failure
BANNER = "┌│└"  # first characters of the lines in which wireguard-go recommends the kernel module
TIMEOUT = 60  # seconds to wait for an event before it counts as missing; a busy machine may need several

libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """The kernel or the machine lacks something that a test needs."""


def wait_for(condition, what, seconds=TIMEOUT):
    """
    Calls `condition` until it returns a true value, and returns that value. Raises an AssertionError that names `what`
    if that takes longer than `seconds`. The limit only ends a case that hangs. Lab.bar judges how long something takes.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return value


def need_kernel(version, feature):
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if release < version:
        raise Skip(f"{feature} needs Linux {version[0]}.{version[1]}")


def fetch_package(name):
    """Returns the folder with the files of a Debian package. The package is downloaded once, and not installed."""
    folder = f"{CACHE}/{name}.files"
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock, tempfile.TemporaryDirectory() as new:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            done = subprocess.run(f"apt-get download {name} && dpkg-deb --extract {name}_*.deb {folder}.new && "
                                  f"mv {folder}.new {folder}", shell=True, cwd=new, capture_output=True, text=True)
            if done.returncode:
                raise Skip(f"the package {name} cannot be downloaded: {done.stderr.strip()}")
    return folder


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def forbid(numbers, error, argument=None, value=0):
    """
    For a child: a seccomp filter by which a system call fails, with `argument` only if that argument has this value.
    `numbers` are those of the call on x86_64 and arm64.
    """
    load, equal, leave, allow, refuse = 0x20, 0x15, 0x06, 0x7fff0000, 0x00050000 | error
    compare = () if argument is None else ((load, 0, 0, 16 + 8 * argument), (equal, 0, 1, value))
    steps = ((load, 0, 0, 0), (equal, 0, len(compare) + 1, numbers[os.uname().machine != "x86_64"]), *compare,
             (leave, 0, 0, refuse), (leave, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
        raise OSError(ctypes.get_errno(), "seccomp")


class Daemon:
    """
    A process that runs until it is stopped, and its log. `dump_signal` is a signal that makes the process log its
    counters; the report of a failed test contains them.
    """

    def __init__(self, node, name, command, dump_signal=None, **options):
        self.name = name
        self.dump_signal = dump_signal
        self.over = False  # the case expects the process to have ended
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
        if self.dump_signal and self.running():
            self.process.send_signal(self.dump_signal)
            time.sleep(0.2)
        lines = [line for line in self.log().splitlines() if line[:1] not in BANNER]
        return "\n".join(lines[-LOG_TAIL:])

    def wake_ups(self):
        """Returns the voluntary context switches by thread: how often it went to sleep."""
        counts = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/status") as status:
                counts[thread] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status.read(), re.M)[1])
        return counts

    def inotify_instances(self):
        folder = f"/proc/{self.pid}/fd"
        return sum(os.path.realpath(f"{folder}/{fd}").endswith("anon_inode:inotify") for fd in os.listdir(folder))

    def cpu_seconds(self):
        """Returns the processor time that the process has used, without that of its children."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def halt(self):
        """Sends SIGSTOP, and waits until every thread has stopped."""
        def states():
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{thread}/stat") as file:
                    yield file.read().rsplit(")", 1)[1].split()[0]

        self.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: set(states()) == {"T"}, f"{self.name}: a stopped process")

    @contextlib.contextmanager
    def held(self):
        """Halts the process. Packets wait in the queue of the TUN until it continues and reads them in one go."""
        self.halt()
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def running(self):
        return self.process.poll() is None

    def wait(self, seconds=TIMEOUT):
        """Waits until the process ends by itself, and returns its exit code."""
        self.over = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def stop(self, number=signal.SIGTERM):
        """Sends a signal, waits until the process ends and returns its exit code. Kills a process that does not."""
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
        self.set("net/ipv4/ip_forward", 0)  # otherwise it is that of the machine
        self.set("net/ipv6/conf/default/accept_dad", 0)  # IPv6 addresses are usable as soon as they are added
        self.run("ip link set lo up")

    def words(self, command):
        command = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
        return ["ip", "netns", "exec", self.name] + command

    def run(self, command, check=True, timeout=2 * TIMEOUT, **options):
        """Runs a command in this namespace and returns the completed process. Its output is text."""
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
        """Moves the calling thread into this namespace. Sockets that it opens there belong to this namespace."""
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
        made.settimeout(TIMEOUT)
        return made

    def set(self, key, value):
        """Sets a sysctl of this namespace."""
        with self.inside(), open(f"/proc/sys/{key}", "w") as file:
            file.write(str(value))

    def get(self, key):
        with self.inside(), open(f"/proc/sys/{key}") as file:
            return file.read().strip()

    def add_address(self, interface, address, options=""):
        """
        Adds an address, which is usable afterwards: IPv6 addresses have no duplicate address detection, and on a link
        with a carrier their local route exists. The kernel adds that route later, in a work queue.
        """
        nodad = "nodad" if ":" in address else ""
        self.run(f"ip address add {address} dev {interface} {nodad} {options}")
        if nodad and "LOWER_UP" in self.run(f"ip link show {interface}").stdout:
            local = f"local {ipaddress.ip_interface(address).ip} "
            wait_for(lambda: local in self.run(f"ip -6 route show table local dev {interface}").stdout, local)

    def has_link(self, interface):
        return not self.run(["ip", "link", "show", interface], check=False).returncode

    def forward(self):
        self.set("net/ipv4/ip_forward", 1)
        self.set("net/ipv6/conf/all/forwarding", 1)

    def offloads(self, interface, state):
        """With `off`, packets leave as they would on a cable: segmented, and with complete checksums."""
        self.run(f"ethtool -K {interface} tx {state} tso {state} gso {state} tx-udp-segmentation {state}")

    def ping(self, address, count=3, options=""):
        """Sends `count` pings and requires an answer to each."""
        before = self.echo_replies()
        done = self.run(f"ping -n -q -c {count} -i 0.1 -W 3 {options} {address}", check=False,
                        timeout=2 * TIMEOUT + count)
        if f" {count} received" not in done.stdout:
            # ping(8) exits two round trips after the last answer. A busy machine may need longer, so the counter of the
            # kernel decides.
            wait_for(lambda: self.echo_replies() >= before + count,
                     f"ping {address}: {(done.stdout + done.stderr).strip()}", 10)

    def reaches(self, address):
        """Whether a single ping is answered."""
        return not self.run(f"ping -n -q -c 1 -W 1 {address}", check=False).returncode

    def echo_replies(self):
        """Returns the number of echo replies that this namespace has received."""
        with self.inside():
            with open("/proc/thread-self/net/snmp") as file:
                names, values = [line.split() for line in file if line.startswith("Icmp:")]
            with open("/proc/thread-self/net/snmp6") as file:
                v6 = next(int(line.split()[1]) for line in file if line.startswith("Icmp6InEchoReplies"))
        return int(values[names.index("InEchoReps")]) + v6

    def no_answer(self, address, options=""):
        """Sends three pings and requires that none is answered."""
        done = self.run(f"ping -n -q -c 3 -i 0.1 -W 1 {options} {address}", check=False)
        assert " 0 received" in done.stdout, f"ping {address}: {(done.stdout + done.stderr).strip()}"

    def udp_sockets(self):
        """Returns the ports to which UDP sockets of this namespace are bound, by the inode of the socket."""
        lines = []
        for table in "udp", "udp6":
            with self.inside(), open(f"/proc/thread-self/net/{table}") as file:
                lines += [line.split() for line in file.readlines()[1:]]
        return {words[9]: int(words[1].rsplit(":", 1)[1], 16) for words in lines}

    def wait_for_new_sockets(self, before):
        """
        Waits until all UDP sockets have been replaced: a daemon closes its sockets when the link goes down, and `adit
        run` sets the link up again.
        """
        def renewed():
            now = self.udp_sockets()
            return len(now) == len(before) and not now.keys() & before.keys()

        wait_for(renewed, "new sockets")

    def udp_ports(self):
        """Returns the ports to which UDP sockets of this namespace are bound, one entry per socket."""
        return sorted(self.udp_sockets().values())


class Lab:
    """The namespaces and daemons of one case, and its report."""

    def __init__(self, case, adit, settings=None, bench=False):
        self.case = case
        self.adit = adit
        self.settings = settings or {}  # keys of [Interface] for every INI file
        self.bench = bench
        self.nodes = {}
        self.daemons = []
        self.failures = 0

    def node(self, name, forward=False):
        node = self.nodes[name] = Node(self, name)
        if forward:
            node.forward()
        return node

    def wire(self, left, left_name, left_addresses, right, right_name, right_addresses):
        """Connects two nodes with a veth pair."""
        left.run(f"ip link add {left_name} type veth peer name {right_name} netns {right.name}")
        for node, interface, addresses in (left, left_name, left_addresses), (right, right_name, right_addresses):
            for address in addresses:
                node.add_address(interface, address)
            node.run(f"ip link set dev {interface} up")

    @contextlib.contextmanager
    def check(self, title):
        """Runs one test and reports ok, not ok or skip. The case continues after a failed test."""
        try:
            yield
        except Skip as reason:
            self.report("skip", title, reason)
        except Exception as error:
            self.fail(title, error)
        else:
            self.report("ok", title)

    def bar(self, title, value, limit):
        """
        Requires that a measured value is at most `limit`. Only `run.py --bench` judges it, because the value depends on
        how busy the machine is. A case that calls it has `bars`.
        """
        if not self.bench:
            print(f"    {self.case}: {title}: {value:.3f}", flush=True)
            return
        with self.check(title):
            assert value <= limit, f"{value:.3f}, more than {limit}"

    def report(self, verdict, title, reason=None):
        print(f"{verdict} {self.case}: {title}" + (f" ({reason})" if reason else ""), flush=True)

    def fail(self, title, error):
        self.failures += 1
        line = traceback.extract_tb(error.__traceback__)[-1].line
        self.report("not ok", title, " ".join(str(error).split()) or line)
        if not isinstance(error, (AssertionError, OSError, subprocess.SubprocessError)):
            traceback.print_exception(error, file=sys.stdout)
        for daemon in {daemon.log_path: daemon for daemon in self.daemons}.values():
            print(f"    {daemon.name}:\n" + "".join(f"    | {line}\n" for line in daemon.tail().splitlines()), end="")

    def close(self):
        """Stops the daemons that still run. Fails if a daemon ended early or logged the report of a sanitizer."""
        with self.check("every daemon exits with code 0"):
            for daemon in reversed(self.daemons):
                early = None if daemon.over else daemon.process.poll()
                assert early is None, f"{daemon.name} ended early, with exit code {early}"
                code = 0 if daemon.over else daemon.stop()
                assert code == 0, f"{daemon.name} ended with exit code {code}"
                assert not SANITIZER.search(daemon.log()), f"{daemon.name}: a sanitizer reported an error"


def case(slow=False, waits=False, alone=False, bench=False, bars=False, seconds=900, **parameters):
    """
    Marks a function of a suite as a case.

    slow      A quick run leaves the case out.
    waits     The case mostly sleeps, so any number of cases may run at the same time.
    alone     The case loads the whole machine, so no other case may run at the same time.
    bench     The case measures a rate, which depends on the machine. Only `run.py --bench` runs it.
    bars      The case also measures how long something takes (Lab.bar). `run.py --bench` runs it, too, and judges that.
    seconds   The time after which the case counts as hanging.

    Every other keyword is a list of values. The case runs once with each combination of values.
    """
    def mark(function):
        function.case = {"slow": slow, "waits": waits, "alone": alone, "bench": bench, "bars": bars,
                         "seconds": seconds, "parameters": parameters}
        return function
    return mark
