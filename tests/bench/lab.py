# SPDX-License-Identifier: MIT
"""
The laboratory of the benchmarks: two network namespaces on one wire, and the tunnels to measure.

    bench-a  10.77.0.1  ----  bench-b  10.77.0.2
    tunnel   10.88.0.1        tunnel   10.88.0.2
"""

import os
import shutil
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NODES = ("bench-a", "bench-b")
OUTER = dict(zip(NODES, ("10.77.0.1", "10.77.0.2")))
INNER = dict(zip(NODES, ("10.88.0.1", "10.88.0.2")))
OTHER = dict(zip(NODES, reversed(NODES)))
MTU = 1420
TIMEOUT = 60  # seconds for a command


class Failed(Exception):
    """A command or a tunnel failed."""


# Errors of one tunnel, which do not end the run.
ERRORS = (Failed, OSError, ValueError, subprocess.SubprocessError)


def sh(*argv, check=True, **options):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, **options)
    if check and done.returncode:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def inside(node, *argv):
    return ("ip", "netns", "exec", node, *argv)


def up():
    down()
    for node in NODES:
        sh("ip", "netns", "add", node)
    sh("ip", "link", "add", "wire", "netns", NODES[0], "type", "veth", "peer", "name", "wire", "netns", NODES[1])
    for node in NODES:
        sh("ip", "-n", node, "addr", "add", OUTER[node] + "/24", "dev", "wire")
        for device in ("lo", "wire"):
            sh("ip", "-n", node, "link", "set", device, "up")


def down():
    for node in NODES:
        sh("ip", "netns", "del", node, check=False)


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Workshop:
    """A temporary directory, and the programs that are compiled into it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="adit-bench-")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def program(self, name, *flags):
        if not os.path.exists(self.path(name)):
            sh("cc", "-O3", "-o", self.path(name), os.path.join(HERE, name + ".c"), *flags)
        return self.path(name)

    def log_tail(self):
        """Returns the last lines that the daemons have logged."""
        if not os.path.exists(self.path("log")):
            return ""
        with open(self.path("log"), errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def empty_call():
    """Returns the duration of an empty system call in ns."""
    workshop = Workshop()
    try:
        return float(sh(workshop.program("nullcall")))
    finally:
        workshop.close()


def key_pairs():
    pairs = {}
    for node in NODES:
        private = sh("wg", "genkey").strip()
        pairs[node] = private, sh("wg", "pubkey", input=private).strip()
    return pairs


class Target:
    """A tunnel: how it is started, and its processes."""

    address = INNER[NODES[1]]

    def __init__(self, workshop, *arguments):
        self.workshop, self.arguments, self.processes = workshop, arguments, []

    def start(self):
        """Starts both ends."""

    def spawn(self, node, *argv, **environment):
        log = open(self.workshop.path("log"), "a")
        self.processes.append(subprocess.Popen(inside(node, *argv), stdout=log, stderr=log,
                                               env={**os.environ, **environment}))

    def set_address(self, node, device):
        wait_for(lambda: sh("ip", "-n", node, "link", "show", device, check=False), f"{device} in {node}")
        sh("ip", "-n", node, "addr", "add", INNER[node] + "/24", "dev", device)
        sh("ip", "-n", node, "link", "set", device, "mtu", str(MTU), "up")

    def pids(self):
        children = [sh("pgrep", "-P", str(p.pid), check=False).split() for p in self.processes]
        return [p.pid for p in self.processes] + [int(child) for found in children for child in found]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []


class Veth(Target):
    """No tunnel: the wire itself."""

    address = OUTER[NODES[1]]


class Relay(Target):
    """The minimal data path of relay.c, with one of its ciphers."""

    def start(self):
        program = self.workshop.program("relay", "-march=x86-64-v3", "-lsodium", "-lIPSec_MB")
        for node in NODES:
            self.spawn(node, program, "relay0", OUTER[OTHER[node]], *self.arguments)
        for node in NODES:
            self.set_address(node, "relay0")


class Adit(Target):
    """
    `adit run`: PATH, then lines KEY=VALUE of the INI file. Cipher belongs to [Peer], other keys to [Interface].
    txqueuelen=N is no line of the file: ip-link(8) sets this length of the TUN's queue.
    """

    def start(self):
        path, *options = self.arguments
        queues = [option.split("=") for option in options if option.startswith("txqueuelen=")]
        options = [option for option in options if not option.startswith("txqueuelen=")]
        pairs = key_pairs()
        for node in NODES:
            folder = self.workshop.path(node)
            os.makedirs(folder, exist_ok=True)
            file = os.path.join(folder, f"adit-{node[-1]}.conf")
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write(self.configuration(node, pairs, options))
            self.spawn(node, path, "run", file)
        for node in NODES:
            wait_for(lambda: INNER[node] in sh("ip", "-n", node, "addr", "show", check=False), f"adit in {node}")
            for queue in queues:
                sh("ip", "-n", node, "link", "set", f"adit-{node[-1]}", *queue)

    @staticmethod
    def configuration(node, pairs, options):
        other = OTHER[node]
        peer = [option for option in options if option.startswith("Cipher=")]
        interface = [option for option in options if option not in peer]
        return "\n".join(["[Interface]", f"PrivateKey = {pairs[node][0]}", "ListenPort = 51820",
                          f"Address = {INNER[node]}/24", f"MTU = {MTU}", *interface,
                          "[Peer]", f"PublicKey = {pairs[other][1]}", f"AllowedIPs = {INNER[other]}/32",
                          f"Endpoint = {OUTER[other]}:51820", *peer, ""])


class WireguardGo(Target):
    """A userspace WireGuard with the command line of wireguard-go: wireguard-go, boringtun or adit."""

    def start(self):
        pairs = key_pairs()
        for node in NODES:
            self.spawn(node, self.arguments[0], "-f", "wgbench" + node[-1], LOG_LEVEL="error",
                       WG_PROCESS_FOREGROUND="1")
        for node in NODES:
            device, other = "wgbench" + node[-1], OTHER[node]
            wait_for(lambda: os.path.exists(f"/var/run/wireguard/{device}.sock"), device)
            sh(*inside(node, "wg", "set", device, "listen-port", "51820", "private-key", "/dev/stdin", "peer",
                       pairs[other][1], "endpoint", OUTER[other] + ":51820", "allowed-ips", INNER[other] + "/32"),
               input=pairs[node][0] + "\n")
            self.set_address(node, device)


class Nebula(Target):
    """nebula: PATH, then its cipher (aes or chachapoly)."""

    def start(self):
        path, cipher = (*self.arguments, "aes")[:2]
        self.certify()
        for node in NODES:
            file = self.workshop.path("nebula", node + ".yml")
            with open(file, "w") as out:
                out.write(self.configuration(node, cipher))
            self.spawn(node, path, "-config", file)
        for node in NODES:
            wait_for(lambda: INNER[node] in sh("ip", "-n", node, "addr", "show", check=False), f"nebula in {node}")
        time.sleep(1)

    def certify(self):
        folder = self.workshop.path("nebula")
        if os.path.exists(folder):
            return
        os.mkdir(folder)
        authority = ("-ca-crt", folder + "/ca.crt", "-ca-key", folder + "/ca.key")
        sh("nebula-cert", "ca", "-name", "bench", "-out-crt", authority[1], "-out-key", authority[3])
        for node in NODES:
            sh("nebula-cert", "sign", *authority, "-name", node, "-ip", INNER[node] + "/24",
               "-out-crt", f"{folder}/{node}.crt", "-out-key", f"{folder}/{node}.key")

    def configuration(self, node, cipher):
        folder, other = self.workshop.path("nebula"), OTHER[node]
        return f"""pki: {{ca: {folder}/ca.crt, cert: {folder}/{node}.crt, key: {folder}/{node}.key}}
static_host_map: {{"{INNER[other]}": ["{OUTER[other]}:4242"]}}
lighthouse: {{am_lighthouse: false}}
listen: {{host: 0.0.0.0, port: 4242, batch: 64, read_buffer: 8388608, write_buffer: 8388608}}
cipher: {cipher}
tun: {{dev: neb0, mtu: {MTU}, tx_queue: 500}}
logging: {{level: error}}
firewall:
  outbound: [{{port: any, proto: any, host: any}}]
  inbound: [{{port: any, proto: any, host: any}}]
"""


KINDS = {"veth": Veth, "relay": Relay, "adit": Adit, "wireguard-go": WireguardGo, "nebula": Nebula}
