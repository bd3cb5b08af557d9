# SPDX-License-Identifier: MIT
"""
A container with systemd as process 1, in a network namespace of the laboratory.

Its root is an overlay over a minimal Debian (root.sh), so each case starts with a fresh system. nspawn does not register
the container, because the host may run without systemd.
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
    """A container. The caller may change its root directory before it boots."""

    def __init__(self, node):
        self.node = node
        self.root = "/run/container/root"
        self.pid = None
        base = subprocess.run(["sh", ROOT_SCRIPT], capture_output=True, text=True)
        assert base.returncode == 0, f"root directory of the container: {base.stderr.strip()}"
        for name in "upper", "work", "root":
            os.makedirs(f"/run/container/{name}")
        layers = f"lowerdir={base.stdout.strip()},upperdir=/run/container/upper,workdir=/run/container/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)

    @contextlib.contextmanager
    def booted(self):
        nspawn = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", "--register=no", "--keep-unit",
                  f"--network-namespace-path=/run/netns/{self.node.name}", "--capability=CAP_NET_ADMIN,CAP_BPF",
                  "--system-call-filter=bpf", "--bind=/dev/net/tun"]
        with own_cgroups(), open("/run/container/console", "w") as console:
            # script(1) provides the terminal that nspawn needs
            process = subprocess.Popen(["script", "--quiet", "--return", "--command", " ".join(nspawn), "/dev/null"],
                                       stdin=subprocess.DEVNULL, stdout=console, stderr=console)
            try:
                self.pid = wait_for(self.find_systemd, "systemd in the container")
                wait_for(lambda: self.run("systemctl is-active multi-user.target", check=False) == "active", "boot",
                         3 * TIMEOUT)
                self.open_sysctls()
                yield self
            finally:
                if self.pid:
                    os.kill(self.pid, POWER_OFF)
                process.wait(2 * TIMEOUT)

    def find_systemd(self):
        found = subprocess.run(["pgrep", "-x", "systemd"], capture_output=True, text=True).stdout.split()
        return int(found[0]) if found else None

    def open_sysctls(self):
        """Makes the sysctls of the network writable, as they are outside a container."""
        self.run("mount --bind /proc/sys/net /proc/sys/net")
        self.run("mount -o remount,bind,rw /proc/sys/net")

    def run(self, command, check=True):
        done = subprocess.run(["nsenter", f"--target={self.pid}", "--all", *command.split()], capture_output=True,
                              text=True, timeout=2 * TIMEOUT)
        assert done.returncode == 0 or not check, f"{command}: {(done.stderr or done.stdout).strip()}"
        return done.stdout.strip()

    def start(self, unit):
        self.run(f"systemctl start {unit}", check=False)
        state = self.property(unit, "ActiveState")
        assert state == "active", f"{unit} is {state}; journal: {self.journal(unit)}"

    def property(self, unit, name):
        return self.run(f"systemctl show {unit} --property={name} --value")

    def journal(self, unit):
        return self.run(f"journalctl --unit={unit} --output=cat --no-pager", check=False)


@contextlib.contextmanager
def own_cgroups():
    """Moves the process into new control groups, so that the groups that nspawn creates can be removed."""
    tops = [top for top in HIERARCHIES if os.path.exists(f"{top}/cgroup.procs")]
    name = f"adit-test-{secrets.token_hex(4)}"
    try:
        for top in tops:
            os.mkdir(f"{top}/{name}")
            join(f"{top}/{name}")
        yield
    finally:
        for top in tops:
            join(top)
            for folder, _, _ in os.walk(f"{top}/{name}", topdown=False):
                os.rmdir(folder)


def join(cgroup):
    with open(f"{cgroup}/cgroup.procs", "w") as file:
        file.write("0")
