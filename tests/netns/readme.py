# SPDX-License-Identifier: MIT
"""
The commands of README.md, run as they are printed there. Only the keys are filled in.

    here - left 198.51.100.1  ----  right 203.0.113.2 - there
    192.168.10.2                               192.168.20.2

Each host has its own /etc/adit and /run/wireguard. sudo runs its arguments. In place of systemd, systemctl starts a
tunnel by `adit up` and stops one by `wg-quick down`.
"""

import os
import re
import shutil
import subprocess

from container import ROOT_SCRIPT, Container
from device_life import processes
from ends import key
from examples import read_with_new_keys
from hosts import Host as PackageHost
from hosts import make_packages
from lab import Node, case, wait_for
from quick import TOOLS, TOOLS_ADIT, check_kernel, prepare, write_tool
from traffic import MIB, both_ways

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
README = os.path.join(TOP, "README.md")
SUDO = "#!/bin/sh\nexec env \"$@\"\n"
NAMES = "198.51.100.1 left.example.org\n203.0.113.2 right.example.org\n"
HOST = """#!/bin/sh
# host NAME COMMAND...: runs a command on the host NAME, in its own /run/wireguard
exec unshare --mount sh -c 'mount --bind /run/$0-wireguard /run/wireguard && exec "$@"' "$@"
"""
SYSTEMCTL = """#!/bin/sh
case "$*" in
"enable --now adit@"*) exec adit up "${3#adit@}" ;;
"disable --now wg-quick@"*) exec wg-quick down "${3#wg-quick@}" ;;
*) echo "systemctl: no such test: $*" >&2; exit 1 ;;
esac
"""


class Host(Node):
    def __init__(self, lab, name):
        os.makedirs(f"/run/{name}-wireguard")
        for folder in "adit", "wireguard":
            os.makedirs(f"/etc/netns/{name}/{folder}", mode=0o700)  # ip netns exec mounts it on /etc
        super().__init__(lab, name)

    def words(self, command):
        words = super().words(command)
        return [*words[:4], f"{TOOLS}/host", self.name, *words[4:]]

    def shell(self, command, **variables):
        return self.run(["sh", "-c", command], env={**os.environ, **variables}).stdout.strip()


def commands(section):
    """Returns the commands of a section: a list for each block."""
    with open(README) as file:
        text = re.search(f"^## {section}\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return [re.sub(r"\\\n *", "", re.sub("^    ", "", block, flags=re.MULTILINE)).splitlines() for block in blocks]


def lay(lab):
    """Creates the hosts. Returns them by name."""
    prepare(lab)
    write_tool("host", HOST)
    write_tool("sudo", SUDO)
    write_tool("systemctl", SYSTEMCTL)
    os.environ["PATH"] = f"{TOOLS}:{os.environ['PATH']}"
    for folder in "/etc/adit", "/etc/wireguard", "/run/wireguard":
        os.makedirs(folder, exist_ok=True)
    with open("/etc/hosts", "a") as hosts:
        hosts.write(NAMES)
    left, right = Host(lab, "left"), Host(lab, "right")
    lab.wire(left, "wan", ["198.51.100.1/24"], right, "wan", ["203.0.113.2/24"])
    left.run("ip route add 203.0.113.0/24 dev wan")
    right.run("ip route add 198.51.100.0/24 dev wan")
    hosts = {"left": left, "right": right}
    for router, name, lan in (left, "here", "192.168.10"), (right, "there", "192.168.20"):
        hosts[name] = lab.node(name)
        lab.wire(router, "lan", [f"{lan}.1/24"], hosts[name], "lan", [f"{lan}.2/24"])
        hosts[name].run(f"ip route add default via {lan}.1")
    return hosts


@case()
def first_tunnel(lab):
    hosts = lay(lab)
    left, right = hosts["left"], hosts["right"]
    on_left, on_right, (ping, show) = commands("First site-to-site tunnel")
    with lab.check("three commands on each host"):
        assert len(on_left) == len(on_right) == 3
        keys = {"KEY-OF-LEFT": left.shell(on_left[0]), "KEY-OF-RIGHT": right.shell(on_right[0])}
        for host, lines in (left, on_left), (right, on_right):
            for line in lines[1:]:
                host.shell(re.sub("KEY-OF-[A-Z]*", lambda found: keys[found[0]], line))
    with lab.check("the hosts reach each other, and adit show prints that the peer is up"):
        left.shell(ping)
        right.ping("10.44.0.1")
        for host in left, right:
            assert re.search("^ *state +up", host.shell(show), re.MULTILINE)
    with lab.check("with net.ipv4.ip_forward=1, so do the LANs"):
        with open(README) as file:
            assert "`net.ipv4.ip_forward=1`" in file.read()
        for host in left, right:
            host.set("net/ipv4/ip_forward", 1)
        both_ways(hosts["here"], "192.168.10.2", hosts["there"], "192.168.20.2", 4 * MIB)
    with lab.check("adit check has nothing to report"):
        for host in left, right:
            assert host.shell("adit check --strict site").endswith("OK, 1 peer")


def install(lab, root):
    """Copies adit, its unit and the names of the hosts to the root directory of a container."""
    with open(os.open(f"{root}/usr/bin/sudo", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
        file.write(SUDO)
    with open(f"{root}/etc/hosts", "a") as file:
        file.write(NAMES)
    shutil.copy(lab.adit, f"{root}/usr/bin/adit")
    for name in "adit@.service", "adit-sweep@.service", "adit.target":
        shutil.copy(os.path.join(TOP, "systemd", name), f"{root}/etc/systemd/system/{name}")


@case(slow=True)
def under_systemd(lab):
    """Left is a container with systemd, in which the commands start the unit adit@site."""
    subprocess.run(["sh", ROOT_SCRIPT], check=True, stdout=subprocess.DEVNULL)  # while names still resolve
    hosts = lay(lab)
    left, right = hosts["left"], hosts["right"]
    container = Container(left)
    install(lab, container.root)

    def shell(line):
        words = ["nsenter", f"--target={container.pid}", "--all", "sh", "-c", line]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert not done.returncode, f"{line}: {done.stderr}"
        return done.stdout.strip()

    on_left, on_right, (ping, show) = commands("First site-to-site tunnel")
    with container.booted():
        with lab.check("three commands on each host"):
            keys = {"KEY-OF-LEFT": shell(on_left[0]), "KEY-OF-RIGHT": right.shell(on_right[0])}
            for run, lines in (shell, on_left), (right.shell, on_right):
                for line in lines[1:]:
                    run(re.sub("KEY-OF-[A-Z]*", lambda found: keys[found[0]], line))
            assert shell("systemctl is-enabled adit@site") == "enabled"
        with lab.check("the hosts reach each other, and adit show prints that the peer is up"):
            left.shell(ping)
            right.ping("10.44.0.1")
            assert re.search("^ *state +up", shell(show), re.MULTILINE)
        shell("systemctl stop adit@site")
        for name, text in read_with_new_keys(lab, "road-warrior", ["server", "laptop"]).items():
            with lab.check(f"the sandbox of the unit allows the hooks of conf/road-warrior/{name}.conf"):
                with open(f"{container.root}/etc/adit/{name}.conf", "w") as file:
                    file.write(re.sub("^DNS = .*\n", "", text, flags=re.MULTILINE))  # the container has no resolvconf
                container.start(f"adit@{name}")
                assert re.search(f"table inet (nat|kill)-{name} ", left.run("nft list ruleset").stdout)
                shell(f"systemctl stop adit@{name}")
                assert name not in left.run("nft list ruleset").stdout
        right.shell("adit down site")  # it is in the control group of the container


@case(slow=True, alone=True)
def from_the_package(lab):
    """Two fresh Debians, in which nothing but the package is installed."""
    subprocess.run(["sh", ROOT_SCRIPT], check=True, stdout=subprocess.DEVNULL)  # while names still resolve
    make_packages(lab)
    left, right = lab.node("left"), lab.node("right")
    lab.wire(left, "wan", ["198.51.100.1/24"], right, "wan", ["203.0.113.2/24"])
    left.run("ip route add 203.0.113.0/24 dev wan")
    right.run("ip route add 198.51.100.0/24 dev wan")
    hosts = [PackageHost(left), PackageHost(right)]
    on_left, on_right, (ping, show) = commands("First site-to-site tunnel")
    for host in hosts:
        with open(os.open(f"{host.root}/usr/bin/sudo", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write(SUDO)
        with open(f"{host.root}/etc/hosts", "a") as file:
            file.write(NAMES)

    def shell(host, line):
        return host.run(["sh", "-c", line])

    with hosts[0].booted(), hosts[1].booted():
        with lab.check("apt-get installs the package on both hosts"):
            for host in hosts:
                host.install(1)
        with lab.check("three commands on each host"):
            keys = [shell(host, lines[0]) for host, lines in zip(hosts, (on_left, on_right))]
            keys = {"KEY-OF-LEFT": keys[0], "KEY-OF-RIGHT": keys[1]}
            for host, lines in zip(hosts, (on_left, on_right)):
                for line in lines[1:]:
                    shell(host, re.sub("KEY-OF-[A-Z]*", lambda found: keys[found[0]], line))
        with lab.check("the hosts reach each other, and adit show prints that the peer is up"):
            left.run(["sh", "-c", ping])
            right.ping("10.44.0.1")
            for host in hosts:
                assert re.search("^ *state +up", shell(host, show), re.MULTILINE)
        with lab.check("adit doctor finds no failure, and the journals have no warning"):
            for host in hosts:
                done = host.run("adit doctor site", check=False)
                assert re.search("^0 failed, ", done, re.MULTILINE), done
                journal = host.run("journalctl --no-pager --quiet --priority=warning --unit=adit@site")
                assert not journal, journal
        with lab.check("a purge ends the tunnel and keeps the files"):
            shell(hosts[0], "apt-get purge --yes adit")
            assert not left.has_link("site") and os.path.exists(f"{hosts[0].root}/etc/adit/site.conf")


def write_pair(lab, path):
    """Writes the file of left at a path that contains the name of the host, and that of right."""
    private = {host: key(lab.adit, "genkey") for host in ("left", "right")}
    for host, other, number, endpoint in ("left", "right", 1, "203.0.113.2"), ("right", "left", 2, "198.51.100.1"):
        with open(os.open(path.format(host), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"[Interface]\nPrivateKey = {private[host]}\nAddress = 10.45.0.{number}/24\nListenPort = 51820\n"
                       f"[Peer]\nPublicKey = {key(lab.adit, 'pubkey', private[other])}\n"
                       f"Endpoint = {endpoint}:51820\nAllowedIPs = 10.45.0.0/24\n")


@case()
def from_wg_quick(lab):
    hosts = lay(lab)
    left, right = hosts["left"], hosts["right"]
    write_pair(lab, "/etc/netns/{}/wireguard/wg0.conf")
    (lines,) = commands("From wg-quick to adit")
    right.shell("wg-quick up wg0")
    left.shell("wg-quick up wg0")
    left.ping("10.45.0.2")
    with lab.check("the commands on a host that wg-quick has set up"):
        for line in lines:
            left.shell(line)
        assert processes(TOOLS_ADIT) == 1
    with lab.check("the tunnel works, and wg show knows it"):
        left.ping("10.45.0.2")
        assert "interface: wg0" in left.shell("wg show")
    with lab.check("adit down replaces wg-quick down"):
        left.shell("adit down wg0")
        assert not left.has_link("wg0")
        left.shell("adit up wg0")
        left.ping("10.45.0.2")


@case()
def instead_of_wireguard_go(lab):
    hosts = lay(lab)
    left, right = hosts["left"], hosts["right"]
    os.makedirs("/run/left")
    os.makedirs("/run/right")
    write_pair(lab, "/run/{}/site.conf")
    ((line,),) = commands("Instead of wireguard-go")
    right.shell("cd /run/right && adit up ./site.conf")
    with lab.check("wg-quick starts adit because the kernel has no WireGuard"):
        check_kernel(left)
        left.shell(f"cd /run/left && {line}")
        assert processes(TOOLS_ADIT) == 2
        left.ping("10.45.0.2")
        left.shell("cd /run/left && wg-quick down ./site.conf")
        wait_for(lambda: processes(TOOLS_ADIT) == 1, "the end of the daemon")
    with lab.check("adit up does the same without wg-quick"):
        left.shell("cd /run/left && adit up ./site.conf")
        left.ping("10.45.0.2")
