# SPDX-License-Identifier: MIT
"""
The life of a network on two hosts, from the installation of the package to its removal. Both hosts are containers that
boot Debian. A third host joins while the network is in use.

    a  192.0.2.1 ---- switch ---- b  192.0.2.2      the files come from `adit mesh`
                        |
                        c  192.0.2.3  (a namespace)

    adit@lab on each host: 10.44.0.1, 10.44.0.2, 10.44.0.3. Behind a is 10.1.0.0/24. Behind b are 10.2.0.0/24, the name
    server of a, and all other networks.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from container import Container
from ends import PORT
from lab import case, wait_for
from life import changes, network_state
from restart import RECOVERY, Monitor
from traffic import MIB, Flow

UNIT = "adit@lab"
OUTER = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}
INNER = {"a": "10.44.0.1", "b": "10.44.0.2", "c": "10.44.0.3"}
BEHIND = {"a": "10.1.0.1", "b": "10.2.0.1"}
BEYOND = "203.0.113.7"
DNS = {"a": "DNS = 10.2.0.1, lab.example\n", "b": ""}
LIST = """\
network = 10.44.0.0/24, fd44::/64
interface = lab
a 192.0.2.1 auto 10.1.0.0/24
b 192.0.2.2 auto 10.2.0.0/24,0.0.0.0/0
"""
PACKAGES, MESH = os.environ.get("ADIT_PACKAGES", "/run/packages"), "/run/mesh"  # tests/suite.sh sets the variable
RATE = 20 * MIB  # bytes per second
PROGRESS = MIB  # bytes that must arrive after an event
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class Host(Container):
    """A host in a container."""

    def __init__(self, node):
        super().__init__(node)
        os.makedirs(f"{self.root}/var/log/journal", exist_ok=True)  # the journal of one boot is read in the next
        for path in package(1), package(2):
            shutil.copy(path, f"{self.root}/root")

    def install(self, release):
        self.run(f"apt-get install --yes --no-install-recommends /root/{os.path.basename(package(release))}")

    def configure(self):
        """Installs the file that `adit mesh` has made, and adds the name server."""
        path = f"{self.root}/etc/adit/lab.conf"
        with open(f"{MESH}/{self.node.name}/lab.conf") as file:
            text = file.read()
        with open(os.open(f"{path}.new", NEW_FILE, 0o600), "w") as file:
            file.write(text.replace("[Peer]\n", f"{DNS[self.node.name]}\n[Peer]\n", 1))
        os.rename(f"{path}.new", path)

    def process(self):
        return self.property(UNIT, "MainPID")

    def replaced(self, process):
        return self.property(UNIT, "ActiveState") == "active" and self.process() not in (process, "0")

    def errors(self):
        """Returns what the journal has of the unit: the errors of systemd, and the warnings and errors of adit."""
        command = ["journalctl", "--no-pager", "--output=short-precise", "--quiet", f"--unit={UNIT}"]
        text = self.run([*command, "--priority=err"]) + "\n" + self.run([*command, "--priority=warning", "_COMM=adit"])
        return [line for line in text.splitlines() if line]

    def name_servers(self):
        return self.run("resolvectl dns") + "\n" + self.run("resolvectl domain")

    def state(self):
        """Returns everything that a tunnel could leave behind."""
        return {**network_state(self.node), "name servers": self.name_servers(),
                "resolv.conf": self.run("cat /etc/resolv.conf")}


class Pings:
    """Pings an address continuously, and records when the answers arrive."""

    def __init__(self, node, address):
        name = f"pings-{len(node.lab.daemons)}"  # each has its own log
        self.daemon = node.start(name, f"ping -n -D -i 0.02 {address}")

    def lost(self):
        """Returns the sequence numbers without an answer, up to the last number that was answered."""
        answered = {int(number) for number in re.findall(r"bytes from .*icmp_seq=(\d+)", self.daemon.log())}
        return sorted(set(range(1, max(answered))) - answered)

    def answers(self):
        return [float(moment) for moment in re.findall(r"^\[([\d.]+)\] \d+ bytes from", self.daemon.log(), re.M)]

    def longest_pause(self, since):
        """Returns the longest time without an answer since the moment `since` of time.time(), in seconds."""
        now = time.time()
        moments = [since, *(moment for moment in self.answers() if since <= moment < now), now]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))

    def stop(self):
        self.daemon.stop(signal.SIGINT)


class NameServers(threading.Thread):
    """Checks continuously whether the search domain of the tunnel is in the resolv.conf of a host."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.path = f"/proc/{host.pid}/root/run/systemd/resolve/stub-resolv.conf"
        self.missing = 0
        self.stopping = threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(0.005):
            with open(self.path) as file:
                self.missing += "lab.example" not in file.read()

    def stop(self):
        self.stopping.set()
        self.join()


class Iperf:
    """A TCP connection of iperf3 from one node to another."""

    def __init__(self, source, target, address):
        self.server = target.start("iperf3-server", f"iperf3 --server --forceflush --interval 0.2 --bind {address}")
        wait_for(lambda: "Server listening" in self.server.log(), "the iperf3 server")
        self.client = source.start("iperf3-client", f"iperf3 --client {address} --time 3600 --bitrate {8 * RATE}")

    def received(self):
        units = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
        lines = re.findall(r"sec +([\d.]+) ([KMG]?)Bytes", self.server.log())
        return sum(float(number) * units[unit] for number, unit in lines)

    def check(self):
        """Requires that more data arrives on the first connection."""
        before = self.received()
        wait_for(lambda: self.received() > before + PROGRESS, "more data")
        assert self.client.running(), self.client.log()
        assert self.server.log().count("Accepted connection") == 1, self.server.log()

    def stop(self):
        self.client.stop(signal.SIGINT)
        self.server.stop(signal.SIGINT)


def package(release):
    return glob.glob(f"{PACKAGES}/adit_*-{release}_*.deb")[0]


def make_packages(lab):
    """cpack makes two releases of the package from the build that is tested, unless there are packages already."""
    if "ADIT_PACKAGES" in os.environ:
        return
    for release in 1, 2:
        done = subprocess.run(["cpack", "-G", "DEB", "-B", PACKAGES, "-D", f"CPACK_DEBIAN_PACKAGE_RELEASE={release}"],
                              cwd=os.path.dirname(lab.adit), capture_output=True, text=True)
        assert done.returncode == 0, f"cpack: {done.stdout} {done.stderr}"


def make_mesh(lab, text):
    with open("/run/hosts", "w") as file:
        file.write(text)
    subprocess.run([lab.adit, "mesh", "/run/hosts", "--out", MESH], check=True, capture_output=True)


def lay(lab):
    """Returns the hosts a and b, which have not booted, and the node c."""
    switch = lab.node("switch")
    switch.run("ip link add bridge type bridge")
    switch.run("ip link set bridge up")
    for name, address in OUTER.items():
        node = lab.node(name)
        lab.wire(node, "wan", [f"{address}/24"], switch, f"port-{name}", [])
        switch.run(f"ip link set port-{name} master bridge")
        if name in BEHIND:
            node.run(f"ip address add {BEHIND[name]} dev lo")
    lab.nodes["b"].run(f"ip address add {BEYOND} dev lo")
    return Host(lab.nodes["a"]), Host(lab.nodes["b"]), lab.nodes["c"]


@case(slow=True, alone=True, bars=True)
def life(lab):
    make_packages(lab)
    make_mesh(lab, LIST)
    a, b, c = lay(lab)
    with a.booted(), b.booted():
        before = [host.state() for host in (a, b)]
        check_start(lab, a, b)
        check_reload(lab, a, b, c)
        check_metrics(lab, a)
        check_restarts(lab, a, b)
        with lab.check("the journals have no error"):
            assert not a.errors() + b.errors(), a.errors() + b.errors()
        check_watchdog(lab, a)
        check_killed(lab, a, before)
        check_end(lab, a, b, before)
        a.start(UNIT)
    with a.booted():
        with lab.check("the tunnel is up after a boot"):
            wait_for(lambda: a.property(UNIT, "ActiveState") == "active", "active")
            a.node.ping(INNER["c"])
            check_name_servers(a)
        with lab.check("the shutdown removed the name servers without an error"):
            journal = a.run(f"journalctl --boot=-1 --no-pager --output=cat --unit={UNIT}")
            last = journal[journal.rindex("resolvectl revert"):]
            assert "failed" not in last, last


def check_start(lab, a, b):
    with lab.check("apt-get installs the package on both hosts"):
        for host in a, b:
            host.install(1)
    with lab.check("`systemctl enable --now` starts the tunnels, and pings are answered"):
        for host in a, b:
            host.configure()
            host.run(f"systemctl enable --now {UNIT}")
        a.node.ping(INNER["b"])
        b.node.ping(BEHIND["a"])
        a.node.ping(BEYOND)
        check_name_servers(a)


def check_name_servers(a):
    servers = a.name_servers()
    assert "(lab): 10.2.0.1" in servers and "(lab): lab.example" in servers, servers


def check_reload(lab, a, b, c):
    processes = [host.process() for host in (a, b)]
    pings, flow = Pings(a.node, BEYOND), Flow(a.node, b.node, BEHIND["b"], RATE)
    wait_for(lambda: flow.receiver.length > PROGRESS, "data")
    with lab.check("`systemctl reload` with a new peer: the transfer continues, and nothing is lost"):
        make_mesh(lab, LIST + "c 192.0.2.3 auto\n")
        for host in a, b:
            host.configure()
            host.run(f"systemctl reload {UNIT}")
        received = flow.receiver.length
        wait_for(lambda: flow.receiver.length > received + PROGRESS, "more data")
        flow.stop()
        pings.stop()
        assert not pings.lost(), f"pings {pings.lost()}"
        assert [host.process() for host in (a, b)] == processes
    with lab.check("the new peer reaches both hosts"):
        c.start("lab", [lab.adit, "run", f"{MESH}/c/lab.conf"])
        wait_for(lambda: INNER["c"] in c.run("ip address").stdout, "the tunnel of c")
        c.ping(INNER["a"])
        c.ping(INNER["b"])


def scrape(node, path="metrics"):
    """Returns status, type and text of the answer."""
    url = f"http://127.0.0.1:9586/{path}"
    script = ("import sys, urllib.request, urllib.error\n"
              f"try: answer = urllib.request.urlopen({url!r}, timeout=60)\n"
              "except urllib.error.HTTPError as error: answer = error\n"
              "print(answer.status, answer.headers['Content-Type'], answer.read().decode(), sep='\\n')")
    status, kind, text = node.run(["env", "-u", "http_proxy", "python3", "-c", script]).stdout.split("\n", 2)
    return int(status), kind, text


def check_metrics(lab, a):
    """The socket starts a service for each request, in its sandbox."""
    # The container has the /sys of the machine, whose interfaces are others.
    a.run("mkdir /run/sys")
    a.run("mount -t sysfs sysfs /run/sys")
    for folder in "class", "devices":
        a.run(f"mount --bind /run/sys/{folder} /sys/{folder}")
    a.run("systemctl enable --now adit-metrics.socket")
    with lab.check("a scrape of adit-metrics.socket returns the metrics of the tunnel and its peers"):
        status, kind, text = scrape(a.node)
        assert status == 200 and kind.startswith("text/plain"), (status, kind)
        assert re.search(r'^adit_up\{interface="lab"\} 1$', text, re.M), text
        assert re.search(r'^adit_interface_peers\{interface="lab"\} 2$', text, re.M), text
        for name in "peer_receive_bytes_total", "interface_receive_bytes_total", "handshakes_total":
            values = [float(value) for value in re.findall(rf"^adit_{name}\{{.*\}} (\S+)$", text, re.M)]
            assert values and sum(values) > 0, f"{name}: {values}"
        assert 'name="b"' in text, text
    with lab.check("another path is not found"):
        assert scrape(a.node, "other")[0] == 404
    with lab.check("20 scrapes are answered, no service is left or has failed, and the journal has no error"):
        for _ in range(20):
            assert scrape(a.node)[0] == 200
        wait_for(lambda: not a.run("systemctl list-units --all --no-legend --plain adit-metrics@*"), "the end of the services")
        assert not (errors := a.run("journalctl --no-pager --quiet --priority=warning -u adit-metrics*")), errors
    a.run("systemctl disable --now adit-metrics.socket")


def restart(host):
    host.run(f"systemctl restart {UNIT}")


def upgrade(host):
    host.install(2)
    assert host.run("dpkg-query --show --showformat=${Version} adit").endswith("-2")


def kill(host):
    host.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")


def check_restarts(lab, a, b):
    monitors, name_servers = [Monitor(host.node, "lab") for host in (a, b)], NameServers(a)
    pings, iperf = Pings(a.node, BEYOND), Iperf(a.node, b.node, BEHIND["b"])
    iperf.check()
    for title, action in ("systemctl restart", restart), ("upgrade", upgrade), ("kill -9", kill):
        for host in a, b:
            process, begin = host.process(), time.time()
            with lab.check(f"{title} on {host.node.name}: TCP continues, and a ping is answered"):
                action(host)
                wait_for(lambda: host.replaced(process), "a new process")
                iperf.check()
                running = time.time()
                wait_for(lambda: max(pings.answers(), default=0) > running, "an answer")
                pause = pings.longest_pause(begin)
                check_name_servers(a)
            lab.bar(f"{title} on {host.node.name}: a ping is answered within {RECOVERY} s", pause, RECOVERY)
    for watch in *monitors, name_servers:
        watch.stop()
    with lab.check("no link, address, route, rule or name server is missing at any time"):
        removals = [line for monitor in monitors for line in monitor.removals()]
        assert not removals, removals
        assert not name_servers.missing
    iperf.stop()
    pings.stop()


def check_watchdog(lab, a):
    drop_in = f"{a.root}/etc/systemd/system/adit@.service.d"
    os.makedirs(drop_in)
    with open(f"{drop_in}/short.conf", "w") as file:
        file.write("[Service]\nWatchdogSec=2\n")
    a.run("systemctl daemon-reload")
    a.run(f"systemctl restart {UNIT}")
    process = a.process()
    with lab.check("the watchdog replaces a process whose loop is stopped"):
        a.run(f"systemctl kill --kill-whom=main --signal=STOP {UNIT}")
        wait_for(lambda: a.replaced(process), "a new process")
        assert "Watchdog timeout" in a.journal(UNIT), a.journal(UNIT)
        a.node.ping(BEYOND)
    with lab.check("the journal has no other error"):
        others = [line for line in a.errors() if "Watchdog timeout" not in line]
        assert not others, others


def check_killed(lab, a, before):
    """No process of adit exists any more when the unit is stopped."""
    with lab.check("kill -9, and `systemctl stop` before the restart: nothing is left"):
        kill(a)
        a.run(f"systemctl stop {UNIT}")
        wait_for(lambda: a.property("adit-sweep@lab", "ActiveState") == "inactive", "the sweep")
        check_clean(a, before[0])
    a.start(UNIT)


def check_end(lab, a, b, before):
    with lab.check("`systemctl stop` leaves no link, route, rule, socket or DNS entry"):
        a.run(f"systemctl stop {UNIT}")
        check_clean(a, before[0])
    with lab.check("apt-get removes the package, which stops the tunnel, and leaves the file"):
        b.run("apt-get remove --yes adit")
        check_clean(b, before[1])
        assert os.path.exists(f"{b.root}/etc/adit/lab.conf")
        assert "adit" not in (failed := b.run("systemctl --failed --no-legend")), failed


def check_clean(host, before):
    assert not (left_behind := changes(before, host.state())), left_behind
    assert PORT not in host.node.udp_ports()
    assert host.run("ls /run/wireguard", check=False) == ""
    assert host.property(UNIT, "NFileDescriptorStore") in ("", "0")
