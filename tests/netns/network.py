# SPDX-License-Identifier: MIT
"""
The host's network, and the other programs on it: what a reload, a repair and a crash leave, and what leaks meanwhile.

    left  10.9.1.2, fd09:1::2  ----  router  ----  right  192.0.2.2, 2001:db8::2
                10.9.1.1, fd09:1::1     192.0.2.1, 2001:db8::1
    tun-left  10.7.0.1, fd07::1                    tun-right  10.7.0.2, fd07::2
                                                   lo  203.0.113.7, 2001:db8:7::7  (only known inside)
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

from ends import Adit, counters_of, host_port, key, pair
from lab import case, wait_for
from life import BEYOND, EVERYTHING, changes, lay, network_state
from packets import Capture
from reload import about

REPAIR = 1.0  # seconds within which a change by another program is undone
PROTO = "173"
ETH_P_ALL = 3  # with ETH_P_IP, a packet socket is not given what the host itself sends


def inner_state(node):
    """What network_state shows, without the handles and counters that change when an item is added again."""
    state = network_state(node)
    state["ip address"] = "\n".join(line.split("\\")[0] for line in
                                    node.run("ip -o address show").stdout.splitlines())
    # The kernel adds the route of a network with the address; when another program deletes it, it is ours.
    for family, network, rest in (4, "10.7.0.0/24", ""), (6, "fd07::/64", r" metric \d+"):
        command = f"ip -{family} route show table all"
        state[command] = re.sub(rf"{network} dev tun-left proto \w+{rest}( scope link)?( src 10.7.0.1)?", network,
                                state[command])
    state["nft list ruleset"] = re.sub(r'"adit \d+ \w+ \d+"', "", state["nft list ruleset"])
    return {name: "\n".join(sorted(text.splitlines())) for name, text in state.items() if name != "ip -j link"}


def repaired(node, before, seconds=REPAIR):
    """Waits until the network is what it was."""
    end = time.monotonic() + seconds + 0.5
    while (difference := changes(before, inner_state(node))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not difference, difference


def reload(end, check=True):
    end.write()
    done = end.node.run([end.node.lab.adit, "reload", end.interface], check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


class Leaks(threading.Thread):
    """Sends to an outside host all the time, and notes when one of the packets leaves by the uplink in the clear."""

    def __init__(self, node, address=BEYOND[4]):
        super().__init__(daemon=True)
        self.target = socket.inet_aton(address)
        self.times = []
        self.stopping = threading.Event()
        self.capture = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.capture.bind(("wan", ETH_P_ALL))
        self.capture.settimeout(0.05)
        self.sender = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = address
        self.sent = threading.Thread(target=self.send, daemon=True)
        self.start()
        self.sent.start()

    def send(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                self.sender.sendto(b"clear", (self.address, 9))
            time.sleep(0.001)

    def run(self):
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                packet = self.capture.recv(2048)
                if packet[16:20] == self.target:
                    self.times.append(time.monotonic())

    def since(self, moment):
        return [when for when in self.times if when >= moment]

    def stop(self):
        self.stopping.set()
        self.sent.join()
        self.join()


# --- other programs ---------------------------------------------------------------------------------------------------

def rename(node):
    node.run("ip link set tun-left down", check=False)  # old kernels rename only a link that is down
    node.run("ip link set tun-left name renamed")
    time.sleep(0.05)
    node.run("ip link set renamed down", check=False)
    node.run("ip link set renamed name tun-left")


OTHERS = {
    "link down": lambda node: node.run("ip link set tun-left down"),
    "link down and up": lambda node: node.run("ip link set tun-left down") and node.run("ip link set tun-left up"),
    "a rule is deleted": lambda node: node.run("ip rule del fwmark 0xca6c lookup 51820 not", check=False),
    "all rules of ours are deleted": lambda node: node.run(f"ip rule flush protocol {PROTO}"),
    "the table is flushed": lambda node: node.run("ip route flush table 51820"),
    "the routes of the interface are flushed": lambda node: (node.run("ip route flush dev tun-left"),
                                                             node.run("ip -6 route flush dev tun-left")),
    "the local routes are flushed, too": lambda node: (node.run("ip route flush dev tun-left table all"),
                                                       node.run("ip -6 route flush dev tun-left table all")),
    "the addresses are flushed": lambda node: node.run("ip address flush dev tun-left"),
    "the firewall is flushed": lambda node: node.run("nft flush ruleset"),
    "a chain of the firewall is flushed": lambda node: node.run("nft flush chain ip adit-tun-left premangle"),
    "the MTU falls below 1280": lambda node: node.run("ip link set tun-left mtu 1200"),
    "the interface is renamed": rename,
    "IPv6 is switched off and on": lambda node: (node.set("net/ipv6/conf/tun-left/disable_ipv6", 1),
                                                 node.set("net/ipv6/conf/tun-left/disable_ipv6", 0)),
}


@case(event=list(OTHERS))
def repair(lab, event):
    """Whatever another program changes is repaired."""
    left, right = lay(lab, MTU=1420)
    left.start()
    left.node.ping(BEYOND[4])
    before = inner_state(left.node)
    for number in 1, 2:
        with lab.check(f"{event}, time {number}: all is as before within {REPAIR} s"):
            OTHERS[event](left.node)
            repaired(left.node, before)
            assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1420
            left.node.ping(BEYOND[4])
            left.node.ping(BEYOND[6])
            right.node.ping(left.v4)
    with lab.check("after SIGTERM nothing is left"):
        left.stop()
        assert "173" not in left.node.run("ip rule").stdout + left.node.run("ip -6 rule").stdout
        assert "adit" not in left.node.run("nft list ruleset").stdout


@case()
def replaced_routes(lab):
    """Another program replaces our routes by its own."""
    left, _ = lay(lab, allowed=["0.0.0.0/0", "::/0", "198.51.100.0/24"])
    left.start()
    left.node.ping(BEYOND[4])
    for number in 1, 2:
        with lab.check(f"in our table ours comes first again, and the other one stays, time {number}"):
            left.node.run("ip route flush table 51820")  # with two routes, ip(8) cannot replace one by the other
            time.sleep(0.3)
            left.node.run("ip route replace default via 10.9.1.1 dev wan table 51820")
            left.node.run("ip -6 route replace default via fd09:1::1 dev wan table 51820")
            for family in 4, 6:
                wait_for(lambda: f"proto {PROTO}" in left.node.run(f"ip -{family} route show table 51820").stdout,
                         "our route", REPAIR + 0.5)
                assert "dev wan" in left.node.run(f"ip -{family} route show table 51820").stdout
                left.node.ping(BEYOND[family])
    with lab.check("in the main table the conflict is reported once"):
        for _ in range(3):
            left.node.run("ip route replace 198.51.100.0/24 via 10.9.1.1 dev wan")
            time.sleep(0.3)
        assert left.daemon.log().count("route 198.51.100.0/24: already on dev wan") == 1, left.daemon.log()
        left.node.ping(BEYOND[4])


@case()
def contested(lab):
    """Another program deletes a rule whenever it comes back."""
    left, _ = lay(lab)
    left.start()
    used = cpu_seconds(left.daemon.pid)
    begin = time.monotonic()
    while time.monotonic() - begin < 8:
        left.node.run("ip rule del lookup 51820", check=False)
        time.sleep(0.02)
    used = cpu_seconds(left.daemon.pid) - used
    with lab.check("one warning, and little work"):
        assert left.daemon.log().count("another program keeps changing") == 1, left.daemon.log()
        assert used < 0.8, f"{used} s of CPU in 8 s"
    with lab.check("when it ends, the rule stays"):
        wait_for(lambda: "lookup 51820" in left.node.run("ip rule").stdout, "the rule", REPAIR + 0.5)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case()
def idle(lab):
    left, _ = lay(lab)
    left.start()
    time.sleep(1)
    with lab.check("without events nothing is looked at"):
        used = cpu_seconds(left.daemon.pid)
        time.sleep(3)
        assert cpu_seconds(left.daemon.pid) == used


# --- leaks ------------------------------------------------------------------------------------------------------------

def next_address(left):
    left.addresses[0] = {"10.7.0.1/24": "10.7.0.1/16", "10.7.0.1/16": "10.7.0.1/32",
                         "10.7.0.1/32": "10.7.0.1/24"}[left.addresses[0]]
    reload(left)


def next_table(left):
    left.settings["FwMark"] = {51820: 1234, 1234: 51820}[left.settings.get("FwMark", 51820)]
    reload(left)


def next_halves(left):
    """0.0.0.0/0 in a table of its own becomes two halves in the main table, which pass by the endpoint; and back."""
    full = "0.0.0.0/0, ::/0"
    halves = "0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/23, 192.0.3.0/24, 192.0.4.0/22, 200.0.0.0/5, ::/0"
    left.peers[0]["AllowedIPs"] = halves if left.peers[0]["AllowedIPs"] == full else full
    reload(left)


def refused_route(left):
    """A route of another interface stands in the way."""
    left.node.run("ip route add 198.51.100.0/24 via 10.9.1.1")
    left.peers[0]["AllowedIPs"] = "198.51.100.0/24, " + left.peers[0]["AllowedIPs"]
    done = reload(left, check=False)
    left.peers[0]["AllowedIPs"] = left.peers[0]["AllowedIPs"].removeprefix("198.51.100.0/24, ")
    left.node.run("ip route del 198.51.100.0/24")
    assert done.returncode == 1 and "route 198.51.100.0/24: already on dev wan" in done.stderr, done.stderr


def refused_port(left):
    port, left.port = left.port, 40000
    with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 40000))
        done = reload(left, check=False)
    left.port = port
    assert done.returncode == 1 and "in use" in done.stderr, done.stderr


OWN = {"reload": reload, "another address": next_address, "another table": next_table, "halves": next_halves,
       "a refused route": refused_route, "a refused port": refused_port}
FOREIGN = ["link down and up", "all rules of ours are deleted", "the table is flushed", "the addresses are flushed",
           "the firewall is flushed", "the interface is renamed", "the MTU falls below 1280"]


def check_leaks(lab, rounds):
    left, right = lay(lab)
    left.node.run("ip route add 192.0.2.0/24 via 10.9.1.1")  # for the halves, which have no rule that spares the endpoint
    leaks = Leaks(left.node)
    with lab.check("the uplink shows the packets that leave in the clear"):
        wait_for(lambda: leaks.times, "a packet in the clear before the start")
    left.start()
    moment = time.monotonic()
    left.node.ping(BEYOND[4])
    with lab.check("from READY=1 on nothing leaves in the clear"):
        time.sleep(0.3)
        assert not leaks.since(moment + 0.05), f"{len(leaks.since(moment))} packets"
    events = [(name, False) for name in FOREIGN] * rounds + [(name, True) for name in OWN] * rounds
    random.Random(lab.case).shuffle(events)
    worst = 0
    with lab.check(f"{len(events)} events: 0 packets for our own actions, at most {REPAIR} s of others'"):
        for name, own in events:
            time.sleep(random.uniform(0, 0.2))
            settled(leaks)
            moment = time.monotonic()
            if own:
                OWN[name](left)
                time.sleep(0.05)
                assert not leaks.since(moment), f"{name}: {len(leaks.since(moment))} packets"
            else:
                OTHERS[name](left.node)
                done = time.monotonic()
                time.sleep(0.4)
                settled(leaks)
                late = max([when - done for when in leaks.since(done)], default=0)
                assert late <= REPAIR, f"{name}: a packet {late:.2f} s after"
                worst = max(worst, late)
        print(f"    the last packet in the clear came {worst:.3f} s after an event", flush=True)
    with lab.check("the tunnel works"):
        settled(leaks)
        left.node.ping(BEYOND[4])
    leaks.stop()


def settled(leaks):
    """Waits until the last event's leak has ended."""
    wait_for(lambda: not leaks.since(time.monotonic() - 0.3), "the end of a leak")


@case(workers=[1, 4])
def leaks_few(lab, workers):
    lab.settings["Workers"] = workers
    check_leaks(lab, 2)


@case(workers=[1, 4], slow=True, seconds=600)
def leaks_many(lab, workers):
    lab.settings["Workers"] = workers
    check_leaks(lab, 20)


# --- reload and start -------------------------------------------------------------------------------------------------

@case()
def reload_repairs(lab):
    left, right = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])
    before = inner_state(left.node)
    with lab.check("a reload of an unchanged file repairs at once"):
        left.daemon.process.send_signal(signal.SIGSTOP)
        left.node.run("ip route flush table 51820")
        left.node.run("ip address flush dev tun-left")
        left.daemon.process.send_signal(signal.SIGCONT)
        reload(left)
        repaired(left.node, before, 0)
        left.node.ping(BEYOND[4])


@case()
def only_address(lab):
    """The routes of the interface stay when its only address changes."""
    left, right = lay(lab, allowed=["0.0.0.0/0", "::/0", "198.51.100.0/24"])
    left.start()
    left.node.ping(right.v4)
    for address in "10.7.0.1/16", "10.7.0.1/32", "10.7.0.9/24", "10.7.0.1/24":
        with lab.check(f"the address becomes {address}"):
            left.addresses[0] = address
            right.peers[0]["AllowedIPs"] = f"{address.split('/')[0]}/32, fd07::1/128"
            reload(right), reload(left)
            assert "default" in left.node.run(f"ip route show table 51820 proto {PROTO}").stdout
            assert "198.51.100.0/24" in left.node.run(f"ip route show proto {PROTO}").stdout
            assert len(left.node.json("ip -j -4 address show tun-left")[0]["addr_info"]) == 1
            left.node.ping(BEYOND[4])


@case(preference=[1, 2, 3])
def rule_of_preference_1(lab, preference):
    """A rule of the host has a preference that leaves no or little room in front of it."""
    left, _ = lay(lab)
    left.node.run(f"ip rule add from 10.99.0.1 lookup 99 pref {preference}")
    before = network_state(left.node)
    for number in 1, 2, 3:
        with lab.check(f"start {number} works, and its end leaves nothing"):
            left.start()
            left.node.ping(BEYOND[4])
            assert not re.search(rf"^0:.*{PROTO}", left.node.run("ip rule").stdout, re.M)
            left.stop(signal.SIGTERM if number < 3 else signal.SIGKILL)
            if number < 3:
                left_behind = changes(before, network_state(left.node))
                assert not left_behind, left_behind


@case(mtu=[1280, 1300, 1359])
def narrow_uplink(lab, mtu):
    """The MTU is at least 1280 on a narrow uplink, because the tunnel uses IPv6."""
    left, _ = lay(lab)
    left.node.run(f"ip link set wan mtu {mtu}")
    left.start()
    with lab.check("the MTU is 1280, and IPv6 is there"):
        assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1280
        left.node.ping(BEYOND[6])


@case()
def mtu_down_and_up(lab):
    """An MTU below 1280 removes IPv6, and a larger one brings it back."""
    left, _ = lay(lab)
    left.start()
    left.settings["MTU"] = 1200
    with lab.check("MTU = 1200 leaves IPv6 out, with a warning"):
        reload(left)
        assert "IPv6 needs an MTU of 1280 or more: leaving out fd07::1/64" in left.daemon.log()
        left.node.ping(BEYOND[4])
    left.settings["MTU"] = 1420
    with lab.check("MTU = 1420 brings it back"):
        reload(left)
        left.node.ping(BEYOND[6])
        assert left.node.get("net/ipv6/conf/tun-left/accept_ra") == "0"
        assert not left.node.run("ip -6 address show dev tun-left scope link").stdout


@case()
def already_there(lab):
    """Existing addresses and routes are kept, and a conflict is reported with its owner."""
    left, _ = lay(lab)
    left.start()
    left.node.run("ip address add 10.8.0.1/24 dev tun-left")
    left.node.run("ip route add 198.51.100.0/24 dev tun-left")
    with lab.check("an address and a route that are there already are taken as they are"):
        left.addresses.append("10.8.0.1/24")
        left.peers[0]["AllowedIPs"] += ", 198.51.100.0/24"
        reload(left)
    with lab.check("and they are not deleted, because they are not ours"):
        left.addresses.pop()
        left.peers[0]["AllowedIPs"] = "0.0.0.0/0, ::/0"
        reload(left)
        assert "10.8.0.1/24" in left.node.run("ip address show dev tun-left").stdout
        assert "198.51.100.0/24" in left.node.run("ip route show dev tun-left").stdout
    with lab.check("a route that another interface has is refused with its owner"):
        left.node.run("ip route del 198.51.100.0/24")
        refused_route(left)


@case()
def loopback_endpoint(lab):
    """The endpoint is a relay on the loopback, such as udp2raw."""
    left, _ = lay(lab)
    left.peers[0]["Endpoint"] = "127.0.0.1:4000"
    left.start()
    with lab.check("the MTU is that of the default route, less 80"):
        assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1420


@case(table=["main", "254", "default", "tunnels"])
def table_names(lab, table):
    """`Table` accepts names and numbers of routing tables."""
    left, _ = lay(lab, allowed=["203.0.113.0/24", "10.7.0.2/32", "::/0"], Table=table)
    subprocess.run("mkdir -p /run/etc; cp -a /etc/. /run/etc; mount --bind /run/etc /etc; mkdir -p /etc/iproute2;"
                   "echo '1234 tunnels' >>/etc/iproute2/rt_tables", shell=True, check=True)
    left.node.run("ip -6 route del default")
    left.start()
    with lab.check("the routes are in that table"):
        assert "203.0.113.0/24 dev tun-left" in left.node.run(f"ip route show table {table}").stdout
        if table in ("main", "254"):
            left.node.ping(BEYOND[4])


@case()
def two_at_once(lab):
    """Full tunnels that start at the same time use different tables."""
    left, _ = lay(lab)
    others = [Adit(left.node, f"tun-{number}", [f"10.{number}.0.1/24"], port=51900 + number) for number in range(4)]
    for other in others:
        other.peers = [{"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "0.0.0.0/0"}]
        other.daemon = left.node.start(other.interface, [lab.adit, "run", other.write()])
    with lab.check("four full tunnels that start at once have four tables"):
        def tables():
            return set(re.findall(r"lookup (518\d\d)", left.node.run("ip rule").stdout))
        wait_for(lambda: len(tables()) == 4, "four tables")
    with lab.check("the end of each leaves the rules of the others"):
        for count, other in zip((3, 2, 1, 0), others):
            other.stop()
            assert len(tables()) == count, left.node.run("ip rule").stdout


@case(way=["port", "route"])
def refused_reload(lab, way):
    """A refused reload ends no session."""
    left, right = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])
    network, before = inner_state(left.node), (about(left, right, "latest-handshakes"), counters_of(left))
    removed = left.peers.pop()
    left.peers.append({"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": removed["AllowedIPs"]})
    with lab.check("a reload that would remove the peer is refused, and the session goes on"):
        {"port": refused_port, "route": refused_route}[way](left)
        assert about(left, right, "latest-handshakes") == before[0]
        assert not changes(network, inner_state(left.node)), changes(network, inner_state(left.node))
        left.node.ping(BEYOND[4])
        assert about(left, right, "latest-handshakes") == before[0]


@case()
def random_port(lab):
    """A random port stays the same over reloads."""
    left, right = lay(lab)
    left.port = 0
    left.start()
    left.node.ping(right.v4)
    ports = left.node.udp_ports()
    with lab.check("ListenPort = 0 keeps its port over reloads"):
        for mtu in 1400, 1410:
            left.settings["MTU"] = mtu
            reload(left)
            assert left.node.udp_ports() == ports
        left.node.ping(right.v4)


@case()
def crash(lab):
    left, _ = lay(lab)
    before = network_state(left.node)
    left.settings["FwMark"] = 99
    left.start()
    left.stop(signal.SIGKILL)
    del left.settings["FwMark"]
    left.node.run("ip rule add fwmark 99 lookup 99 pref 77")  # not ours, although it resembles ours
    with lab.check("the next start removes what a killed daemon left, and nothing else"):
        left.start()
        left.node.ping(BEYOND[4])
        rules = left.node.run("ip rule").stdout
        assert f"0x63 lookup 99 proto {PROTO}" not in rules and "77:\tfrom all fwmark 0x63 lookup 99" in rules, rules
        left.node.run("ip rule del pref 77")
        left.stop()
        assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))


@case(number=["SIGTERM", "SIGKILL"])
def fail_closed(lab, number):
    left, _ = lay(lab, FailClosed="true")
    before = network_state(left.node)
    leaks = Leaks(left.node)
    wait_for(lambda: leaks.times, "a packet in the clear before the start")
    left.start()
    left.node.ping(BEYOND[4])
    moment = time.monotonic()
    with lab.check("with FailClosed nothing leaves in the clear, while no daemon runs either"):
        for _ in range(3):
            left.stop(getattr(signal, number))
            time.sleep(0.3)
            left.node.run("ip route get 192.0.2.2 mark 51820")
            left.start()
            left.node.ping(BEYOND[4])
            left.node.ping(BEYOND[6])
        assert not leaks.since(moment), f"{len(leaks.since(moment))} packets"
    leaks.stop()
    left.stop(signal.SIGKILL)
    left.settings["FailClosed"] = "false"
    left.start()
    left.stop()
    with lab.check("a start and end without FailClosed removes it"):
        assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))


# --- hosts that lack something ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def environment(**variables):
    old = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(old)


@case()
def no_ipv6(lab):
    left, _ = lay(lab)
    left.node.set("net/ipv6/conf/all/disable_ipv6", 1)
    left.node.set("net/ipv6/conf/default/disable_ipv6", 1)
    left.start()
    with lab.check("IPv6 is left out with one warning"):
        left.node.ping(BEYOND[4])
        assert left.daemon.log().count("IPv6 is disabled here") == 1, left.daemon.log()


@case(tool=["missing", "broken"], strict=[False, True])
def no_nft(lab, tool, strict):
    left, _ = lay(lab)
    left.node.set("net/ipv4/conf/all/rp_filter", int(strict))
    os.makedirs("/run/tools")
    os.symlink(lab.adit, "/run/tools/adit")
    if tool == "broken":
        with open(os.open("/run/tools/nft", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write("#!/bin/sh\necho no netlink >&2\nexit 1\n")
    path = {"missing": "/run/tools", "broken": "/run/tools:" + os.environ["PATH"]}[tool]
    command = ["env", f"PATH={path}", lab.adit, "run", left.write()]
    if strict:
        with lab.check("the start is refused with the reason, and leaves nothing"):
            before = network_state(left.node)
            done = left.node.run(command, check=False)
            assert done.returncode == 1 and "firewall: nft" in done.stderr and "rp_filter" in done.stderr, done.stderr
            assert not changes(before, network_state(left.node))
    else:
        left.daemon = left.node.start("tun-left", command)
        wait_for(lambda: ": up:" in left.daemon.log(), "the start")
        with lab.check("the firewall is left out with one warning, and the tunnel works"):
            left.node.ping(BEYOND[4])
            assert left.daemon.log().count("nft") == 1, left.daemon.log()


@case()
def read_only_sysctls(lab):
    left, _ = lay(lab)
    left.node.set("net/ipv4/conf/all/rp_filter", 0)
    left.daemon = left.node.start("tun-left", ["sh", "-c", f"mount -t proc -o ro proc /proc; exec {lab.adit} run "
                                               f"{left.write()}"])
    wait_for(lambda: ": up:" in left.daemon.log(), "the start")
    with lab.check("sysctls that cannot be set are left out with a warning each, and the tunnel works"):
        left.node.ping(BEYOND[4])
        assert left.daemon.log().count("leaving it out") <= 3, left.daemon.log()


# --- the interface is like the kernel's -------------------------------------------------------------------------------

def check_silence(lab, seconds):
    left, right = lay(lab)
    left.start()
    capture = Capture(left.node, "wan")
    time.sleep(seconds)
    with lab.check(f"without user traffic, a tunnel with ::/0 sends no datagram in {seconds} s"):
        datagrams = [packet for packet in capture.stop() if packet[9:10] == b"\x11" or packet[6:7] == b"\x11"]
        assert not datagrams, f"{len(datagrams)} datagrams"


@case(waits=True)
def silence_short(lab):
    check_silence(lab, 10)


@case(waits=True, slow=True, seconds=200)
def silence(lab):
    check_silence(lab, 120)


@case()
def router_advertisement(lab):
    left, right = lay(lab)
    left.start()
    left.node.ping(right.v4)
    right.peers[0]["AllowedIPs"] += ", fe80::/10, ff00::/8"
    reload(right)
    with lab.check("the interface has no link-local address and no multicast"):
        link = left.node.json("ip -j address show tun-left")[0]
        assert "MULTICAST" not in link["flags"], link
        assert not [entry for entry in link["addr_info"] if entry["scope"] == "link"], link
    with lab.check("a peer gives us no route and no address by Router Advertisement"):
        right.node.run("ip -6 address add fe80::2/64 dev tun-right nodad")
        advertise(right.node)
        time.sleep(0.5)
        assert "proto ra" not in left.node.run("ip -6 route show table all").stdout
        assert "2001:db8:99" not in left.node.run("ip -6 address show").stdout
    with lab.check("redirects are off"):
        assert left.node.get("net/ipv4/conf/tun-left/send_redirects") == "0"
        assert left.node.get("net/ipv4/conf/all/send_redirects") == "0"


def advertise(node):
    """A Router Advertisement with a prefix of 2001:db8:99::/64, through the tunnel to fd07::1."""
    with node.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        with node.inside():
            scope = socket.if_nametoindex("tun-right")
        raw.bind(("fe80::2", 0, 0, scope))
        prefix = bytes([3, 4, 64, 0xc0]) + b"\x00\x00\xff\xff" * 2 + bytes(4) + socket.inet_pton(
            socket.AF_INET6, "2001:db8:99::")
        body = bytes([134, 0, 0, 0, 64, 0]) + (1800).to_bytes(2, "big") + bytes(8) + prefix
        raw.sendto(body, ("fd07::1", 0))


@case()
def many_routes(lab):
    """So many routes that they are checked in the background."""
    prefixes = [f"11.{number >> 8}.{number & 255}.0/24" for number in range(3000)]
    left, right = lay(lab, allowed=["0.0.0.0/0", "::/0", "fd07::2/128"] + prefixes)
    left.start()
    left.node.ping(BEYOND[4])
    time.sleep(2)
    before = inner_state(left.node)
    quiet = left.daemon.log()
    assert "another program" not in quiet, quiet
    for event in "link down and up", "the local routes are flushed, too", "the addresses are flushed":
        with lab.check(f"{event}: all is as before within {REPAIR} s"):
            OTHERS[event](left.node)
            repaired(left.node, before)
            left.node.ping(BEYOND[4])
    for number in 1, 2:
        with lab.check(f"one route is deleted, time {number}"):
            left.node.run("ip route del 11.7.9.0/24")
            repaired(left.node, before)
    with lab.check("a local route is deleted"):
        left.node.run("ip route del local 10.7.0.1 table local dev tun-left")
        repaired(left.node, before)
        left.node.ping(BEYOND[4])
    with lab.check("a route is deleted while a reload changes another one"):
        before = before | {name: text.replace("11.0.0.0/24", "12.0.0.0/24") for name, text in before.items()}
        left.peers[0]["AllowedIPs"] = left.peers[0]["AllowedIPs"].replace("11.0.0.0/24", "12.0.0.0/24")
        left.write()
        reloading = subprocess.Popen(left.node.words([lab.adit, "reload", left.interface]))
        left.node.run("ip route del 11.7.9.0/24")
        assert reloading.wait(10) == 0
        repaired(left.node, {name: "\n".join(sorted(text.splitlines())) for name, text in before.items()})
    with lab.check("afterwards it is quiet"):
        time.sleep(2)
        used = cpu_seconds(left.daemon.pid)
        time.sleep(2)
        assert cpu_seconds(left.daemon.pid) == used


# --- scale ------------------------------------------------------------------------------------------------------------

@case(alone=True, slow=True)
def foreign_routes(lab):
    """A routing daemon changes 100,000 routes."""
    left, right = lay(lab)
    left.start()
    left.node.ping(right.v4)
    batch = "".join(f"route add 10.{100 + number // 25600}.{number // 100 % 256}.{number % 100} via 10.9.1.1 dev wan "
                    f"proto bird\n" for number in range(100_000))
    used, begin = cpu_seconds(left.daemon.pid), time.monotonic()
    for text in batch, batch.replace("route add", "route del"):
        left.node.run("ip -batch -", input=text)
    seconds, used = time.monotonic() - begin, cpu_seconds(left.daemon.pid) - used
    with lab.check("100,000 foreign routes come and go: less than 5 % of a processor"):
        assert used < 0.05 * seconds, f"{used:.2f} s of CPU in {seconds:.2f} s"
    left.node.ping(right.v4)
