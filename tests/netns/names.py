# SPDX-License-Identifier: MIT
"""
Endpoints that are host names, with a DNS server of the tests' own, which is not on the link of its client.

    left  192.0.2.1, 2001:db8::1  ----  router  ----  right  198.51.100.1 to .3, 2001:db8:1::1
    default routes via the router                     DNS server on 198.51.100.53
    tun-left  10.7.0.1, fd07::1                       tun-right  10.7.0.2, fd07::2

Each case has an /etc of its own with resolv.conf and hosts.
"""

import base64
import contextlib
import heapq
import ipaddress
import os
import re
import socket
import struct
import subprocess
import threading
import time

from ends import PORT, Adit, AditDevice, host_port
from lab import TIMEOUT, case, wait_for

A, AAAA = 1, 28
NXDOMAIN = 3
DNS = "198.51.100.53"
DNS_TTL = 60
EVERYTHING = ["0.0.0.0/0", "::/0"]
BEYOND = "203.0.113.7"


class Dns:
    """
    A DNS server. `records` maps a name to its addresses; a name that is missing does not exist. `silent` holds names
    that get no answer, and `silent_types` query types. `queries` lists (time, name, type, source).
    """

    def __init__(self, node, records=None, delay=0, address=DNS, truncated=False):
        self.records = records or {}
        self.delay = delay
        self.silent = set()
        self.silent_types = set()
        self.queries = []
        self.holding = False  # answers wait until this is false again
        self.answered = 0
        self.socket = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((address, 53))
        self.truncated = truncated  # no answer fits into a datagram
        if truncated:
            self.listener = node.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.listener.settimeout(None)
            self.listener.bind((address, 53))
            self.listener.listen()
            threading.Thread(target=self.serve_tcp, daemon=True).start()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve_tcp(self):
        while True:
            client, source = self.listener.accept()
            threading.Thread(target=self.serve_client, args=(client, source), daemon=True).start()

    def serve_client(self, client, source):
        with client, contextlib.suppress(OSError, struct.error):
            while True:
                length, = struct.unpack("!H", client.recv(2, socket.MSG_WAITALL))
                answer = self.answer(client.recv(length, socket.MSG_WAITALL), source)
                if answer:
                    client.sendall(struct.pack("!H", len(answer)) + answer)

    def serve(self):
        waiting = []
        while True:
            pause = 0.02 if self.holding else 0.0001
            self.socket.settimeout(max(waiting[0][0] - time.monotonic(), pause) if waiting else None)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                message, source = self.socket.recvfrom(4096)
                answer = self.answer(message, source)
                if answer and self.truncated:
                    answer = answer[:2] + bytes([answer[2] | 2]) + answer[3:6] + bytes(6) + message[12:]
                if answer:
                    heapq.heappush(waiting, (time.monotonic() + self.delay, answer, source))
            while waiting and not self.holding and waiting[0][0] <= time.monotonic():
                _, answer, source = heapq.heappop(waiting)
                self.answered += 1
                with contextlib.suppress(OSError):
                    self.socket.sendto(answer, source)

    def answer(self, message, source):
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode())
            at += 1 + message[at]
        kind, = struct.unpack_from("!H", message, at + 1)
        name = ".".join(labels).lower()
        self.queries.append((time.monotonic(), name, kind, source[0]))
        if name in self.silent or kind in self.silent_types:
            return None
        wanted = [ipaddress.ip_address(text) for text in self.records.get(name, ())]
        found = [address.packed for address in wanted if address.version == (6 if kind == AAAA else 4)]
        code = 0 if name in self.records else NXDOMAIN
        head = struct.pack("!2sHHHHH", message[:2], 0x8180 | code, 1, len(found), 0, 0)
        body = b"".join(struct.pack("!HHHLH", 0xC00C, kind, 1, DNS_TTL, len(address)) + address for address in found)
        return head + message[12:at + 5] + body

    def count(self, name):
        return sum(queried == name for _, queried, _, _ in self.queries)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def replace(path, text):
    """Replaces a file as most programs do: by renaming a new file."""
    write(path + ".new", text)
    os.rename(path + ".new", path)


def own_etc(resolv_conf=f"nameserver {DNS}\n", hosts=""):
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    for name in "resolv.conf", "hosts":
        if os.path.lexists(f"/etc/{name}"):
            os.unlink(f"/etc/{name}")
    if resolv_conf is not None:
        write("/etc/resolv.conf", resolv_conf)
    write("/etc/hosts", hosts)


def lay(lab, endpoint=f"vpn.example:{PORT}", allowed=None, knows="left", ipv6=True, inner6=True, peer=None, **settings):
    """Both ends, not started. Right is a bare device, so that wg(8) can configure it."""
    left, router, right = lab.node("left"), lab.node("router", forward=True), lab.node("right")
    v6 = [["2001:db8::1/64"], ["2001:db8::ff/64"], ["2001:db8:1::ff/64"], ["2001:db8:1::1/64"]] if ipv6 else [[]] * 4
    lab.wire(left, "wan", ["192.0.2.1/24"] + v6[0], router, "west", ["192.0.2.254/24"] + v6[1])
    lab.wire(router, "east", ["198.51.100.254/24"] + v6[2], right, "wan",
             [f"198.51.100.{last}/24" for last in (1, 2, 3, 53)] + v6[3])
    for node, via4, via6 in (left, "192.0.2.254", "2001:db8::ff"), (right, "198.51.100.254", "2001:db8:1::ff"):
        node.run(f"ip route add default via {via4}")
        if ipv6:
            node.run(f"ip -6 route add default via {via6}")
    right.run(f"ip address add {BEYOND} dev lo")
    inside = [["10.7.0.1/24", "fd07::1/64"], ["10.7.0.2/24", "fd07::2/64"]]
    left = Adit(left, "tun-left", inside[0] if inner6 else inside[0][:1], **settings)
    right = AditDevice(right, "tun-right", inside[1] if inner6 else inside[1][:1])
    left.add_peer(right, allowed, Endpoint=endpoint, **(peer or {}))
    right.add_peer(left, **({"Endpoint": host_port("192.0.2.1")} if knows == "both" else {}))
    return left, right


def nobodies(names):
    """Peers that do not exist, with these names as endpoints."""
    return [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "AllowedIPs": f"10.8.{i // 250}.{i % 250}/32",
             "Endpoint": f"{name}:{PORT}"} for i, name in enumerate(names)]


def endpoints(end):
    """The endpoints as `wg show` prints them, by public key."""
    lines = end.node.run(["wg", "show", end.interface, "endpoints"]).stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines)


def show(end):
    return " ".join(end.node.run([end.node.lab.adit, "show", end.interface]).stdout.split())


def endpoint(end, other):
    return endpoints(end)[other.public]


def is_at(end, other, address):
    return endpoint(end, other) == host_port(address)


def wait_until_at(end, other, address):
    """Waits until the endpoint has this address, and returns the seconds that it took."""
    begin = time.monotonic()
    wait_for(lambda: is_at(end, other, address), f"endpoint {address}", 2 * TIMEOUT)
    return time.monotonic() - begin


def wait_for_answers(end, other, what):
    """Waits until a ping through the tunnel is answered, and returns the seconds that it took."""
    begin = time.monotonic()
    wait_for(lambda: end.node.reaches(other.v4), what)
    return time.monotonic() - begin


@case(slow_server=[0, 1], rp_filter=[0, 1], bars=True)
def full_tunnel(lab, slow_server, rp_filter):
    """The server is queried outside of the tunnel, before and after the rules are in place."""
    own_etc()
    left, right = lay(lab, allowed=EVERYTHING)
    left.node.set("net/ipv4/conf/all/rp_filter", rp_filter)
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]}, delay=0)
    right.start()
    if slow_server:
        server.silent.add("vpn.example")
    begin = time.monotonic()
    left.start()
    took = time.monotonic() - begin
    if slow_server:
        with lab.check("a server that does not answer delays the start by 5 s"):
            assert took > 4.5, f"{took:.1f} s"
        lab.bar("the start is delayed by at most 8 s", took, 8)
        with lab.check("`adit show` names the lookup"):
            assert re.search("(looking up|cannot resolve) its endpoint vpn.example", show(left)), show(left)
        with lab.check("queries continue, past the rules"):
            server.silent.clear()
            wait_until_at(left, right, "198.51.100.1")
    else:
        with lab.check("the address is known at the start"):
            assert is_at(left, right, "198.51.100.1"), endpoints(left)
        lab.bar("the start takes at most 4 s", took, 4)
    with lab.check("traffic goes through the tunnel"):
        wait_for_answers(left, right, "an answer through the tunnel")
        left.node.ping(BEYOND)
    with lab.check("all queries came from outside of the tunnel"):
        assert {source for *_, source in server.queries} == {"192.0.2.1"}, server.queries


def foreign_marks(node):
    """Another program's firewall saves a mark in connections to port 7, and counts the packets that arrive with it."""
    node.run("nft -f -", input="""
        table ip other {
            chain out { type filter hook output priority 0; tcp dport 7 ct mark set 0x77; }
            chain in { type filter hook input priority 0; tcp sport 7 meta mark 0x77 counter; }
        }""")


def answers_with_mark(node, other):
    """Makes a connection to port 7 and returns how many of its packets arrived with the mark of the connection."""
    with other.socket(socket.AF_INET, socket.SOCK_STREAM) as server, \
            node.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        server.bind((BEYOND, 7))
        server.listen()
        client.connect((BEYOND, 7))
    return int(re.search(r"counter packets (\d+)", node.run("nft list chain ip other in").stdout)[1])


@case(rp_filter=[0, 1], foreign_mark=[False, True])
def long_answers(lab, rp_filter, foreign_mark):
    """The answers arrive over TCP. Its connections do not enter the tunnel either."""
    own_etc()
    left, right = lay(lab, allowed=EVERYTHING)
    left.node.set("net/ipv4/conf/all/rp_filter", rp_filter)
    if foreign_mark:
        foreign_marks(left.node)
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]}, truncated=True)
    server.silent.add("vpn.example")
    right.start()
    left.start()
    with lab.check("the name resolves, past the rules"):
        server.silent.clear()
        wait_until_at(left, right, "198.51.100.1")
        wait_for_answers(left, right, "an answer through the tunnel")
        assert {source for *_, source in server.queries} == {"192.0.2.1"}, server.queries
    if foreign_mark:
        with lab.check("packets of the host's other connections keep the mark 0"):
            assert answers_with_mark(left.node, right.node) == 0


@case()
def half_routes(lab):
    """Two routes that together cover all addresses. They set no mark, so the name must be known before they exist."""
    own_etc()
    left, right = lay(lab, allowed=["0.0.0.0/1", "128.0.0.0/1"], ipv6=False)
    left.node.run("ip route add 198.51.100.1 via 192.0.2.254")
    Dns(right.node, {"vpn.example": ["198.51.100.1"]}, delay=0.5)
    right.start()
    left.start()
    with lab.check("the tunnel comes up"):
        wait_for_answers(left, right, "an answer through the tunnel")
        left.node.ping(BEYOND)


@case(kind=["hosts", "dns"], bars=True)
def a_thousand_names(lab, kind):
    names = [f"host-{i}.example" for i in range(1000)]
    addresses = {name: f"198.51.{100 + i // 250}.{i % 250 + 1}" for i, name in enumerate(names)}
    own_etc(hosts="".join(f"{address}\t{name} alias-{name}\n" for name, address in addresses.items())
            if kind == "hosts" else "")
    left, right = lay(lab)
    left.peers = nobodies(names)
    server = Dns(right.node, {name: [address] for name, address in addresses.items()}, delay=0.02)
    limit = 2 if kind == "hosts" else 5
    begin = time.monotonic()
    left.start()
    with lab.check(f"{len(names)} names resolve"):
        wait_for(lambda: "(none)" not in endpoints(left).values(), "all endpoints")
    lab.bar(f"{len(names)} names resolve within {limit} s of the start", time.monotonic() - begin, limit)
    with lab.check("each peer has the address of its own name"):
        found = endpoints(left)
        for peer, name in zip(left.peers, names):
            assert found[peer["PublicKey"]] == host_port(addresses[name]), name
    with lab.check("the hosts file is enough" if kind == "hosts" else "each name was queried once per family"):
        expected = 0 if kind == "hosts" else 2 * len(names)
        assert len({query[1:3] for query in server.queries}) == expected, len(server.queries)
    lab.bar("at most a tenth of the queries are repeated", len(server.queries), 1.1 * expected)
    with lab.check("a reload of the same file sends no query"):
        before = len(server.queries)
        left.node.run([lab.adit, "reload", left.interface])
        time.sleep(0.5)
        assert len(server.queries) == before, server.queries[before:]


@case(dead=[20, 300], bars=True)
def dead_names(lab, dead):
    """The good name is the last in the file."""
    own_etc()
    left, right = lay(lab)
    names = [f"dead-{i}.example" for i in range(dead)]
    left.peers = nobodies(names) + left.peers
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    server.silent.update(names)
    limit = 2 if dead == 20 else 5
    begin = time.monotonic()
    left.start()
    with lab.check(f"the good name resolves in spite of {dead} dead ones"):
        wait_until_at(left, right, "198.51.100.1")
    lab.bar(f"{dead} dead names delay the good one by at most {limit} s", time.monotonic() - begin, limit)


@case(slow=True, waits=True)
def log_lines(lab):
    """What the log holds about names that fail and then resolve."""
    own_etc()
    left, right = lay(lab)
    names = [f"dead-{i}.example" for i in range(20)]
    left.peers = nobodies(names)
    server = Dns(right.node)
    server.silent.update(names)
    left.start()
    with lab.check("the log names the failing names, within limits"):
        wait_for(lambda: "the DNS servers do not answer" in left.daemon.log(), "a line about a dead name")
        time.sleep(2)
        lines = [line for line in left.daemon.log().splitlines() if "cannot resolve" in line]
        assert 1 <= len(lines) <= 15, lines
    with lab.check("a name that resolves at last is reported once"):
        before = server.count("dead-0.example")
        server.silent.clear()
        server.records.update({name: ["198.51.100.2"] for name in names})
        wait_for(lambda: "(none)" not in endpoints(left).values(), "all endpoints", 150)
        lines = re.findall(r"endpoint (dead-\d+\.example): resolved to 198\.51\.100\.2:51820", left.daemon.log())
        assert lines and len(lines) == len(set(lines)), lines
        assert server.count("dead-0.example") - before <= 4, "one query per family"


@case(by=["speaking", "wg set"])
def a_late_answer(lab, by):
    """Right speaks, or wg(8) sets its endpoint, while the query is in flight."""
    own_etc()
    left, right = lay(lab, knows="both")
    server = Dns(right.node, {"vpn.example": ["198.51.100.2"]})
    server.holding = True
    left.start()
    right.start()
    if by == "speaking":
        right.node.run("ip address del 198.51.100.2/24 dev wan")
        right.node.ping(left.v4)
    else:
        left.node.run(["wg", "set", left.interface, "peer", right.public, "endpoint", f"198.51.100.1:{PORT}"])
    wait_for(lambda: server.queries, "a query")
    with lab.check("the late answer does not move the peer"):
        server.holding = False
        wait_for(lambda: server.answered, "an answer")
        time.sleep(2)
        assert is_at(left, right, "198.51.100.1"), endpoints(left)
        left.node.ping(right.v4)
    if by == "wg set":
        with lab.check("silence does not undo `wg set`"):
            right.link("down")
            left.node.run(["wg", "set", left.interface, "peer", right.public, "endpoint", f"198.51.100.99:{PORT}",
                           "persistent-keepalive", "1"])
            time.sleep(25)
            assert is_at(left, right, "198.51.100.99"), endpoints(left)
        with lab.check("a reload does"):
            left.node.run([lab.adit, "reload", left.interface])
            wait_until_at(left, right, "198.51.100.2")


@case(waits=True, workers=[1, 4])
def a_changed_answer(lab, workers):
    """Right moves to another address silently, and its name follows."""
    own_etc()
    left, right = lay(lab, allowed=EVERYTHING, peer={"PersistentKeepalive": 1}, Workers=workers)
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    right.start()
    left.start()
    wait_for_answers(left, right, "an answer through the tunnel")
    with lab.check("the name of a peer that answers is not queried again"):
        queries = server.count("vpn.example")
        time.sleep(12)
        left.node.ping(right.v4)
        assert server.count("vpn.example") == queries == 2, server.queries
    with lab.check("a restart of the peer does not change its address"):
        right.daemon.stop()
        time.sleep(1)
        right.start()
        wait_for_answers(left, right, "an answer after the restart")
        assert is_at(left, right, "198.51.100.1"), endpoints(left)
    with lab.check("the new address is found"):
        server.records["vpn.example"] = ["198.51.100.2"]
        right.node.run("ip address del 198.51.100.1/24 dev wan")
        right.node.run("ip address add 198.51.100.2/24 dev wan", check=False)
        right.node.run("ip route replace default via 198.51.100.254", check=False)
        right.node.run(f"ip address add {DNS}/24 dev wan", check=False)
        wait_until_at(left, right, "198.51.100.2")
        wait_for_answers(left, right, "an answer at the new address")


@case(waits=True, bars=True, host=["v4", "disable_ipv6", "tunnel_v6", "dead_v6", "dead_v6_full", "half_v6"])
def families(lab, host):
    """The AAAA record of the name is wrong and the A record is right."""
    own_etc()
    allowed = {"tunnel_v6": EVERYTHING, "dead_v6_full": EVERYTHING, "half_v6": ["10.7.0.2/32", "::/1", "8000::/1"]}
    dead_v6 = host.startswith("dead_v6")
    left, right = lay(lab, allowed=allowed.get(host), ipv6=dead_v6 or host == "disable_ipv6",
                      inner6=host != "disable_ipv6")
    if host == "disable_ipv6":
        left.node.set("net/ipv6/conf/all/disable_ipv6", 1)
    server = Dns(right.node, {"vpn.example": ["2001:db8:1::99", "198.51.100.1"]})
    right.start()
    server.holding = host == "half_v6"
    left.start()
    if server.holding:  # the routes into the tunnel lead to the IPv6 address, too
        server.holding = False
        with lab.check("the IPv6 address is skipped, because its route leads into the tunnel"):
            wait_for(lambda: endpoint(left, right) != "(none)", "an endpoint")
            assert is_at(left, right, "198.51.100.1"), endpoints(left)
    if dead_v6:
        with lab.check("the IPv6 address is tried first, and the IPv4 address after one unanswered handshake"):
            wait_until_at(left, right, "2001:db8:1::99")
            took = wait_for_answers(left, right, "an answer from the IPv4 address")
            assert is_at(left, right, "198.51.100.1"), endpoints(left)
            left.node.ping(right.v4)
            lab.bar("the IPv4 address is tried within 12 s", took, 12)
    else:
        with lab.check("the IPv4 address is used at once"):
            took = wait_for_answers(left, right, "an answer through the tunnel")
            assert is_at(left, right, "198.51.100.1"), endpoints(left)
            lab.bar("the IPv4 address is used within 3 s", took, 3)
        with lab.check("traffic flows" if host in allowed else "a host without IPv6 sends no AAAA query"):
            kinds = {kind for _, _, kind, _ in server.queries}
            assert host in allowed or AAAA not in kinds or host == "v4", kinds
            left.node.ping(right.v4)


@case(bars=True)
def a_server_without_aaaa(lab):
    """The server answers A queries and ignores AAAA queries."""
    own_etc()
    left, right = lay(lab)
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    server.silent_types.add(AAAA)
    with lab.check("the address is used at once"):
        left.start()
        took = wait_until_at(left, right, "198.51.100.1")
        assert AAAA in {kind for _, _, kind, _ in server.queries}, server.queries
        lab.bar("the address is used within 1 s", took, 1)


@case()
def mapped_addresses(lab):
    own_etc()
    left, right = lay(lab, endpoint=f"[::ffff:198.51.100.1]:{PORT}")
    Dns(right.node, {"vpn.example": ["::ffff:198.51.100.1"]})
    right.start()
    left.start()
    with lab.check("in the file"):
        left.node.ping(right.v4)
        assert is_at(left, right, "198.51.100.1"), endpoints(left)
    with lab.check("by wg(8)"):
        left.node.run(["wg", "set", left.interface, "peer", right.public, "endpoint", f"[::ffff:198.51.100.2]:{PORT}"])
        assert is_at(left, right, "198.51.100.2"), endpoints(left)
    with lab.check("from a server"):
        left.daemon.stop()
        left.peers[0]["Endpoint"] = f"vpn.example:{PORT}"
        left.start()
        wait_until_at(left, right, "198.51.100.1")
        left.node.ping(right.v4)


@case(waits=True, bars=True, how=["missing", "wrong", "replaced"])
def resolv_conf(lab, how):
    own_etc(None if how == "missing" else "nameserver 198.51.100.77\n")
    left, right = lay(lab)
    Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    left.start()
    if how == "missing":
        with lab.check("the log reports that the file is missing"):
            wait_for(lambda: "/etc/resolv.conf: No such file or directory" in left.daemon.log(), "a line in the log")
    time.sleep(3 if how == "missing" else 16)
    assert endpoint(left, right) == "(none)", endpoints(left)
    with lab.check("`adit show` reports why there is no endpoint"):
        wait_for(lambda: "cannot resolve its endpoint vpn.example: " in show(left), "the reason")
    with lab.check("the control socket, the kernel parameters and the files of /etc share one inotify instance"):
        assert left.daemon.inotify_instances() == 1
    with lab.check("a new file takes effect"):
        (replace if how == "replaced" else write)("/etc/resolv.conf", f"nameserver {DNS}\n")
        took = wait_until_at(left, right, "198.51.100.1")
        lab.bar("a new file takes effect within 5 s", took, 5)
    with lab.check("one line reports that the name resolves now"):
        if "cannot resolve" in left.daemon.log():
            assert left.daemon.log().count("endpoint vpn.example: resolved to 198.51.100.1:51820") == 1


@case(slow=True, waits=True, bars=True)
def back_off(lab):
    """The host has no route to the server, then gets one."""
    own_etc()
    left, right = lay(lab)
    server = Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    left.node.run("ip route del default")
    left.node.run("ip -6 route del default")
    left.start()
    time.sleep(40)
    with lab.check("nothing reached the server"):
        assert not server.queries, server.queries
    with lab.check("a new route ends the back-off"):
        left.node.run("ip route add default via 192.0.2.254")
        took = wait_until_at(left, right, "198.51.100.1")
        lab.bar("a new route takes effect within 3 s", took, 3)
    with lab.check("one line reports the failure and one its end"):
        log = left.daemon.log()
        assert log.count("endpoint vpn.example: cannot resolve") == 1 and log.count("resolved to") == 1, log


@case(slow=True, waits=True, workers=[1, 2])
def no_wake_ups(lab, workers):
    """A resolved name causes no wake-ups."""
    own_etc()
    left, right = lay(lab, ipv6=False, inner6=False, Workers=workers)
    for node in left.node, right.node:
        node.set("net/ipv6/conf/default/disable_ipv6", 1)
    Dns(right.node, {"vpn.example": ["198.51.100.1"]})
    right.start()
    left.start()
    wait_until_at(left, right, "198.51.100.1")
    left.node.ping(right.v4)
    time.sleep(20)
    with lab.check("no thread wakes up"):
        before = left.daemon.wake_ups()
        time.sleep(30)
        assert left.daemon.wake_ups() == before, f"{before} to {left.daemon.wake_ups()}"
        sockets = left.node.run(f"ss -Hunp", check=False).stdout
        assert f",{left.daemon.pid}," not in sockets or ":53 " not in sockets, sockets


@case(waits=True)
def roaming(lab):
    """The endpoint from which a peer sends is kept, although its name resolves to another one."""
    own_etc()
    left, right = lay(lab, knows="both", peer={"PersistentKeepalive": 1})
    Dns(right.node, {"vpn.example": ["198.51.100.3"]})
    right.node.run("ip address del 198.51.100.3/24 dev wan")
    right.start()
    left.start()
    right.node.ping(left.v4)
    with lab.check("the endpoint is the one from which the peer sends"):
        wait_until_at(left, right, "198.51.100.1")
    with lab.check("after a silence, the peer is found there again"):
        right.link("down")
        wait_for(lambda: not is_at(left, right, "198.51.100.1"), "another address is tried", 2 * TIMEOUT)
        right.link("up")
        right.set_peer(left, "endpoint", "192.0.2.77:1")
        wait_until_at(left, right, "198.51.100.1")
        wait_for(lambda: int(left.node.run(["wg", "show", left.interface, "latest-handshakes"]).stdout.split()[1])
                 > time.time() - 10, "a new handshake")


@case()
def a_word_with_a_scope(lab):
    """A link-local address whose interface does not exist is not looked up in the DNS."""
    own_etc()
    left, right = lay(lab, endpoint=f"[fe80::1%later]:{PORT}", peer={"PersistentKeepalive": 1})
    server = Dns(right.node)
    left.start()
    with lab.check("the log names the cause, and no query is sent"):
        wait_for(lambda: "the interface of this address does not exist" in left.daemon.log(), "a line in the log")
        assert not server.queries, server.queries
    with lab.check("the endpoint is set when the interface appears"):
        left.node.run("ip link add later type veth peer name other")
        left.node.run("ip link set later up")
        wait_for(lambda: endpoint(left, right) == f"[fe80::1%later]:{PORT}", "the endpoint")
    with lab.check("the endpoint follows an interface that is made again"):
        left.daemon.stop()
        os.unlink("/etc/resolv.conf")
        left.start()
        left.node.run("ip link del later")
        left.node.run("ip link add later type veth peer name other")
        left.node.run("ip link set later up")
        wait_for(lambda: endpoint(left, right) == f"[fe80::1%later]:{PORT}", "the endpoint", 2 * TIMEOUT)
    with lab.check("a missing resolv.conf is not reported, because no name needs it"):
        assert "resolv.conf" not in left.daemon.log(), left.daemon.log()


@case(bars=True)
def ended_while_waiting(lab):
    """SIGTERM during the bounded wait at the start."""
    own_etc()
    left, right = lay(lab, allowed=EVERYTHING)
    server = Dns(right.node)
    server.silent.add("vpn.example")
    left.daemon = left.node.start(left.interface, [lab.adit, "run", left.write()])
    with lab.check("the daemon ends at once, with exit code 0"):
        wait_for(lambda: server.queries, "a query")
        begin = time.monotonic()
        assert left.daemon.stop() == 0
        lab.bar("the daemon ends within 2 s", time.monotonic() - begin, 2)
    with lab.check("no policy rule remains"):
        assert "51820" not in left.node.run("ip rule").stdout, left.node.run("ip rule").stdout
