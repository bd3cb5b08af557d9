# SPDX-License-Identifier: MIT
"""
Changes to the configuration of a running tunnel: `adit reload`, SIGHUP and `wg syncconf`.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import os
import re
import signal
import socket
import subprocess
import time

from device import data_message
from ends import counters_of, host_port, key, pair
from lab import TIMEOUT, case, wait_for
from traffic import MIB, Flow

ROUNDS = 1000
RATE = 50 * MIB  # bytes per second, which leave processor time to spare; TCP takes late packets for lost ones
KEYS = 4  # number of public keys of the peers that are added and removed


def keys(lab, count):
    return [key(lab.adit, "pubkey", key(lab.adit, "genkey")) for _ in range(count)]


def calm(lab, **settings):
    """Creates a pair without IPv6 on the tunnel, where neighbour discovery would send packets that have no peer."""
    left, right = pair(lab, start=False, **settings)
    for end in left, right:
        end.node.set("net/ipv6/conf/default/disable_ipv6", 1)
        end.addresses = end.addresses[:1]
        end.peers[0]["AllowedIPs"] = end.peers[0]["AllowedIPs"].split(", ")[0]
        end.start()
    left.node.ping(right.v4)
    return left, right


def change(left, changing, coming, number):
    """Changes the file for a round: one peer is changed, one is added, and the one added last is removed."""
    del left.peers[1:]
    left.peers.append({"PublicKey": changing, "PresharedKey": coming[number % KEYS],
                       "Endpoint": host_port("192.0.2.99", 1 + number), "AllowedIPs": f"10.8.{number % 250}.0/24"})
    left.peers.append({"PublicKey": coming[number % KEYS],
                       "AllowedIPs": f"10.9.{number % 250}.0/24, 10.10.0.{number % 3}/32"})


def by_command(left):
    left.write()
    subprocess.run(left.node.words([left.node.lab.adit, "reload", left.interface]), check=True,
                   stdout=subprocess.DEVNULL, timeout=TIMEOUT)


def by_signal(left):
    """Waits for the reload, because two pending signals are one."""
    left.write()
    seen = left.daemon.log().count("reloaded")
    left.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: left.daemon.log().count("reloaded") > seen, "the reload")


def by_wg(left):
    subprocess.run(["wg", "syncconf", left.interface, left.write(whole=False)], check=True, timeout=TIMEOUT)


WAYS = {"adit reload": by_command, "SIGHUP": by_signal, "wg syncconf": by_wg}


def resources(pid):
    """Returns the resident memory of a process in KiB, and the number of its open descriptors."""
    with open(f"/proc/{pid}/status") as file:
        memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    return memory, len(os.listdir(f"/proc/{pid}/fd"))


def drops(end):
    return {name: count for name, count in counters_of(end).items() if name.startswith("drop")}


@case(way=list(WAYS), slow=True, bars=True)
def under_load(lab, way):
    left, right = calm(lab)
    changing, *coming = keys(lab, 1 + KEYS)
    for source, target in (left, right), (right, left):  # fill every buffer once, so that later growth is a leak
        unpaced = Flow(source.node, target.node, target.v4)
        time.sleep(0.5)
        unpaced.stop()
    flow = Flow(left.node, right.node, right.v4, max_rate=RATE)
    for number in range(ROUNDS // 10):  # allocate the memory that adit keeps for later reloads
        change(left, changing, coming, number)
        WAYS[way](left)
    dropped, quiet = drops(left), retransmissions(flow, 3)
    before = resources(left.daemon.pid)  # the connection of the last reload is closed by now
    begin = time.monotonic()
    with lab.check(f"{ROUNDS} reloads add, remove and change a peer"):
        again = flow.retransmissions()
        for number in range(ROUNDS):
            change(left, changing, coming, number)
            WAYS[way](left)
        again, seconds = flow.retransmissions() - again, time.monotonic() - begin
        # TCP retransmits now and then without a loss. If reloads lost packets, every round would show it.
        lab.bar("the reloads cause no retransmissions", again, quiet * seconds / 3 + ROUNDS / 100)
        shown = left.node.run(f"wg show {left.interface} allowed-ips").stdout.split()
        assert shown == [right.public, "10.7.0.2/32", changing, f"10.8.{number % 250}.0/24", coming[number % KEYS],
                         f"10.9.{number % 250}.0/24", f"10.10.0.{number % 3}/32"], shown
    with lab.check("TCP arrives complete"):
        flow.stop()
    with lab.check("neither end dropped a packet"):
        assert drops(left) == dropped and not drops(right), f"{drops(left)}, {drops(right)}"
    with lab.check("each end received what the other sent"):
        wait_for(lambda: transfer(left, right) == transfer(right, left)[::-1], "equal counts")
    with lab.check("no memory and no descriptor leaks"):
        after = resources(left.daemon.pid)
        assert after[1] == before[1] and after[0] <= before[0] + 256, f"before: {before}, after: {after}"


def short(public):
    """A key as in the log."""
    return re.escape(f"{public[:4]}…{public[-5:-1]}")


@case()
def summary(lab):
    """The output of `adit reload`, and the line in the log, state what has changed."""
    left, _ = pair(lab)

    def expect(text):
        with lab.check(f"the output and the log: {text}"):
            printed = left.reload().stdout
            assert re.fullmatch(f"tun-left: {text}\n", printed), printed
            assert printed.replace("tun-left: ", "tun-left: reloaded: ", 1) in left.daemon.log(), left.daemon.log()
            shown.append(printed)

    shown, publics = [], keys(lab, 2)
    expect("nothing has changed")
    left.peers += [{"PublicKey": publics[0], "AllowedIPs": "10.8.0.0/24"}, {"PublicKey": publics[1]}]
    expect("2 peers added, route 10.8.0.0/24 added")
    left.peers[1] |= {"AllowedIPs": "10.9.0.0/24", "PresharedKey": key(lab.adit, "genpsk")}
    expect(rf"1 peer changed \({short(publics[0])}: AllowedIPs, PresharedKey\), route 10.8.0.0/24 removed, "
           "route 10.9.0.0/24 added")
    left.peers[2] |= {"Endpoint": "nowhere.invalid:51820", "Name": "a b"}
    expect(r"1 peer changed \(a b: Name, Endpoint\)")
    left.peers[2]["Endpoint"] = "nowhere.invalid:51821"
    expect(r"1 peer changed \(a b: Endpoint\)")
    left.peers[2] |= {"PeerUp": "true", "PeerDown": "true", "Description": "the other one"}
    left.peers[1]["PeerUp"] = "true"
    expect(rf"2 peers changed \({short(publics[0])}: PeerUp; a b: Description, PeerUp, PeerDown\)")
    left.peers[2]["PeerUp"] = "false"
    del left.peers[2]["PeerDown"]
    expect(r"1 peer changed \(a b: PeerUp, PeerDown\)")
    del left.peers[1]
    left.peers[1]["PersistentKeepalive"] = 9
    expect(r"1 peer removed, 1 changed \(a b: PersistentKeepalive\), route 10.9.0.0/24 removed")
    left.settings |= {"MTU": 1380, "PostUp": "true", "DNS": "example.com"}
    left.port = 51899
    left.addresses.append("10.7.9.1/32")
    expect("ListenPort is 51899, DNS changed, PostUp changed, link MTU 1380 set, address 10.7.9.1/32 added")
    left.settings |= {"LogLevel": "debug", "PeerUp": "true"}
    expect("LogLevel is debug, PeerUp changed")
    left.node.run([lab.adit, "log", "warning", left.interface])
    expect("LogLevel is debug")
    private = left.private
    left.private = key(lab.adit, "genkey")
    expect("PrivateKey changed")
    left.peers[1]["AllowedIPs"] = ", ".join(f"10.30.{number}.0/24" for number in range(100))
    expect(r"1 peer changed \(a b: AllowedIPs\), route 10.30.0.0/24 added, .*, and 9[0-9] more")
    expect("nothing has changed")
    with lab.check("without the file, the daemon answers that it is missing"):
        path = left.write()
        os.rename(path, path + "~")
        done = left.node.run([lab.adit, "reload", "tun-left"], check=False)
        os.rename(path + "~", path)
        assert done.returncode == 1 and "adit reload: tun-left: not reloaded\n" in done.stderr, done.stderr
        assert "no daemon" not in done.stderr, done.stderr
    with lab.check("no line has a key, or is longer than 480 bytes"):
        secrets = [private, left.private, *publics, *(peer.get("PresharedKey", "-") for peer in left.peers)]
        assert not any(text in line for text in secrets for line in shown if text != "-"), shown
        assert max(map(len, shown)) < 500, shown


def retransmissions(flow, seconds):
    before = flow.retransmissions()
    time.sleep(seconds)
    return flow.retransmissions() - before


def transfer(end, other):
    """Returns the bytes received from the other end and the bytes sent to it."""
    lines = end.node.run(f"wg show {end.interface} transfer").stdout.splitlines()
    values = next(line.split("\t")[1:] for line in lines if line.startswith(other.public))
    return [int(value) for value in values]


@case(way=["adit reload", "SIGHUP"])
def differences(lab, way):
    """A reload applies what has changed in the file, and touches nothing else."""
    left, right = pair(lab)
    left.node.ping(right.v4)
    reload = WAYS[way]
    with lab.check("an unchanged file: no new session, no packet lost"):
        before = about(left, right, "latest-handshakes"), transfer(left, right)
        reload(left)
        left.node.ping(right.v4, count=1)
        after = about(left, right, "latest-handshakes"), transfer(left, right)
        ping = data_message(84)
        assert after == (before[0], [count + ping for count in before[1]]), f"{before}, then {after}"
    with lab.check("a peer that has roamed keeps its endpoint, although the file still has the old one"):
        right.node.run(f"wg set {right.interface} listen-port 40000")
        right.node.ping(left.v4)
        reload(left)
        assert about(left, right, "endpoints") == host_port("192.0.2.2", 40000)
        left.node.ping(right.v4)
    with lab.check("prefixes are added and removed together with their routes"):
        left.peers[0]["AllowedIPs"] += ", 203.0.113.0/24, 2001:db8:7::/64"
        reload(left)
        assert routes(left) >= {"203.0.113.0/24", "2001:db8:7::/64"}, routes(left)
        right.node.run("ip address add 203.0.113.7 dev lo")
        left.node.ping("203.0.113.7")
        left.peers[0]["AllowedIPs"] = "10.7.0.2/32, fd07::2/128"
        reload(left)
        assert not routes(left) & {"203.0.113.0/24", "2001:db8:7::/64"}, routes(left)
        left.node.ping(right.v4)
    with lab.check("addresses, MTU and port change"):
        left.addresses[0], left.settings["MTU"], left.port = "10.7.0.3/24", 1300, 40001
        reload(left)
        link = left.node.json(f"ip -j address show {left.interface}")[0]
        assert link["mtu"] == 1300 and "10.7.0.3" in [entry["local"] for entry in link["addr_info"]], link
        assert set(left.node.udp_ports()) == {40001}, left.node.udp_ports()
        left.node.ping(right.v6)
        assert about(right, left, "endpoints") == host_port("192.0.2.1", 40001)
    with lab.check("a preshared key at both ends, and a new session"):
        for end in left, right:
            end.peers[0]["PresharedKey"] = SECRET
        right.port = 40000
        for end in left, right:
            reload(end)
        left.node.ping(right.v6)
    with lab.check("a new private key that the peer knows: the tunnel works at once"):
        renew_key(left, right)
        reload(right), reload(left)
        left.node.ping(right.v6)


SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0ISEhISE="


def renew_key(end, other):
    end.private = key(end.node.lab.adit, "genkey")
    end.public = key(end.node.lab.adit, "pubkey", end.private)
    other.peers[0]["PublicKey"] = end.public


def about(end, other, what):
    lines = end.node.run(f"wg show {end.interface} {what}").stdout.splitlines()
    return next(line.split("\t")[1] for line in lines if line.startswith(other.public))


def routes(end):
    words = [f"ip -j -{family} route show dev {end.interface}" for family in (4, 6)]
    return {route["dst"] for command in words for route in end.node.json(command)}


@case()
def broken_file(lab):
    left, right = pair(lab)
    left.node.ping(right.v4)
    command = [lab.adit, "reload", left.interface]
    with lab.check("a file with an error: exit code 1, file and line, and nothing changes"):
        before = about(left, right, "latest-handshakes")
        left.peers[0]["AllowedIPs"] = "10.7.0.2/33"
        path = left.write()
        done = left.node.run(command, check=False)
        assert done.returncode == 1 and re.search(rf"{path}:\d+: ", done.stderr), done.stderr
        assert about(left, right, "latest-handshakes") == before
        left.node.ping(right.v4)
    with lab.check("a port in use: exit code 1, and nothing changes"):
        left.peers[0]["AllowedIPs"] = "10.7.0.2/32, fd07::2/128, 203.0.113.0/24"
        left.port = 40000
        left.write()
        with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("", 40000))
            done = left.node.run(command, check=False)
        assert done.returncode == 1 and "in use" in done.stderr, done
        assert "203.0.113.0/24" not in routes(left) and about(left, right, "latest-handshakes") == before
        left.node.ping(right.v4)
    with lab.check("no file: exit code 1, and nothing changes"):
        os.unlink(path)
        done = left.node.run(command, check=False)
        assert done.returncode == 1 and path in done.stderr, done
        left.node.ping(right.v4)
    with lab.check("no such interface: exit code 1"):
        done = left.node.run([lab.adit, "reload", "tun-none"], check=False)
        assert done.returncode == 1 and "tun-none" in done.stderr, done
