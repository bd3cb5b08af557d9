# SPDX-License-Identifier: MIT
"""
A container with systemd as process 1, in a network namespace of the laboratory.

Its root is an overlay over a minimal Debian (root.sh), so each case starts with a fresh system. A case may boot several
containers. nspawn does not register them, because the host may run without systemd.
"""

import contextlib
import os
import secrets
import signal
import subprocess

from lab import TIMEOUT, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT_SCRIPT = os.path.join(HERE, "root.sh")
HIERARCHIES = "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1)


class Container:
    """A container. The caller may change its root directory before it boots. `groups` are those of tests/packages."""

    def __init__(self, node, *groups):
        self.node = node
        self.folder = f"/run/container/{node.name}"
        self.root = f"{self.folder}/root"
        self.pid = None
        base = subprocess.run(["sh", ROOT_SCRIPT, *groups], capture_output=True, text=True)
        assert base.returncode == 0, f"root directory of the container: {base.stderr.strip()}"
        for name in "upper", "work", "root":
            os.makedirs(f"{self.folder}/{name}")
        layers = f"lowerdir={base.stdout.strip()},upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)

    @contextlib.contextmanager
    def booted(self):
        # Without a name of its own, every container is called "root" after its folder, and systemd 257 starts only one.
        nspawn = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.node.name}",
                  "--register=no", "--keep-unit",
                  f"--network-namespace-path=/run/netns/{self.node.name}", "--capability=CAP_NET_ADMIN,CAP_BPF",
                  "--system-call-filter=bpf", "--bind=/dev/net/tun"]
        with new_cgroups() as groups, open(f"{self.folder}/console", "w") as console:
            # script(1) provides the terminal that nspawn needs
            process = subprocess.Popen(["script", "--quiet", "--return", "--command", " ".join(nspawn), "/dev/null"],
                                       stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                       preexec_fn=lambda: join(groups))
            try:
                try:
                    self.pid = wait_for(self.find_systemd, "systemd in the container")
                except AssertionError as error:
                    with open(console.name, errors="replace") as text:
                        raise AssertionError(f"{error}; its console: {text.read()[-1000:]}") from None
                wait_for(lambda: self.run("systemctl is-active multi-user.target", check=False) == "active", "boot",
                         3 * TIMEOUT)
                self.open_sysctls()
                yield self
            finally:
                if self.pid:
                    os.kill(self.pid, POWER_OFF)
                process.wait(2 * TIMEOUT)

    def find_systemd(self):
        """Returns the first process "systemd" in the network namespace of the container."""
        own = os.stat(f"/run/netns/{self.node.name}").st_ino
        for pid in subprocess.run(["pgrep", "-x", "systemd"], capture_output=True, text=True).stdout.split():
            with contextlib.suppress(FileNotFoundError):
                if os.stat(f"/proc/{pid}/ns/net").st_ino == own:
                    return int(pid)
        return None

    def open_sysctls(self):
        """Makes the sysctls of the network writable, as they are outside a container."""
        self.run("mount --bind /proc/sys/net /proc/sys/net")
        self.run("mount -o remount,bind,rw /proc/sys/net")

    def run(self, command, check=True):
        words = command.split() if isinstance(command, str) else command
        done = subprocess.run(["nsenter", f"--target={self.pid}", "--all", *words], capture_output=True, text=True,
                              timeout=2 * TIMEOUT, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        assert done.returncode == 0 or not check, f"{command}: {(done.stderr or done.stdout).strip()}"
        return done.stdout.strip()

    def start(self, unit):
        self.run(f"systemctl start {unit}", check=False)
        state = self.property(unit, "ActiveState")
        assert state == "active", f"{unit} is {state}; journal: {self.journal(unit)}"

    def property(self, unit, name):
        return self.run(f"systemctl show {unit} --property={name} --value")

    def journal(self, unit):
        self.run("journalctl --sync", check=False)  # journald may not have read the last messages yet
        return self.run(f"journalctl --unit={unit} --output=cat --no-pager", check=False)


@contextlib.contextmanager
def new_cgroups():
    """Creates a control group in each hierarchy for one container, and removes them with the groups inside."""
    name = f"adit-test-{secrets.token_hex(4)}"
    groups = [f"{top}/{name}" for top in HIERARCHIES if os.path.exists(f"{top}/cgroup.procs")]
    try:
        for group in groups:
            os.mkdir(group)
        yield groups
    finally:
        for group in groups:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)


def join(groups):
    for group in groups:
        with open(f"{group}/cgroup.procs", "w") as file:
            file.write("0")
