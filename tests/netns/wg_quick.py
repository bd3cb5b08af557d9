# SPDX-License-Identifier: MIT
"""
The files of wg_quick_files, as people write them for wg-quick(8): adit makes the same addresses, routes, rules and
firewall of them as wg-quick with wireguard-go, and calls the same programs in the same order.

    host "wg-quick"  192.0.2.1, 2001:db8::1  ----  192.0.2.254, 2001:db8::fe  internet
                     lan 192.168.1.1
    host "adit"      the same, with an internet of its own

Each host starts and stops the tunnel twice. After each step the states of the hosts are compared. The comparison leaves
out the differences that adit.conf(5) lists:

    the protocol of routes and rules, the mark in the rule that looks up the main table, the names of firewall tables
    the link-local address and the multicast route that the kernel gives to the TUN device of wireguard-go
    resolvconf -l, by which wg-quick learns the DNS servers when it saves a file
"""

import base64
import json
import os
import re

from device_life import processes
from ends import key
from hooks import CALLS, calls, forget_calls, set_tools, start_resolved
from lab import case, wait_for
from quick import RESOLVER, TOOLS, TOOLS_QUICK, check_kernel, prepare, read, write_tool

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wg_quick_files")
NAMES = sorted(name.removesuffix(".conf") for name in os.listdir(FILES) if name.endswith(".conf"))
SYSCTLS = ["net/ipv4/conf/all/src_valid_mark", "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"]
MULTICAST = "ff00::/8"
# systemd's resolvectl under the name of resolvconf; see resolvectl(1).
RESOLVED_RESOLVCONF = """#!/bin/sh
case $1 in
-a) input=$(cat)
    echo $(echo "$input" | sed -n 's/^nameserver //p') >/run/resolved.dns
    echo $(echo "$input" | sed -n 's/^search //p') "~." >/run/resolved.domain ;;
-d) rm -f /run/resolved.dns /run/resolved.domain ;;
esac
"""
NEW_PEER = base64.b64encode(b"a peer that wg(8) has added".ljust(32)).decode()


class Host:
    """A host with a tunnel. `program` takes it up or down by wg-quick or by adit, and returns the completed process."""

    def __init__(self, lab, name, interface, text, program):
        self.name, self.interface, self.text = name, interface, text
        self.node, internet = lab.node(name), lab.node(f"internet-{name}")
        self.program = program
        self.node.set("net/ipv6/conf/default/addr_gen_mode", 1)  # no random addresses on the veths
        lab.wire(self.node, "wan", ["192.0.2.1/24", "2001:db8::1/64"],
                 internet, "host", ["192.0.2.254/24", "2001:db8::fe/64"])
        lab.wire(self.node, "lan", ["192.168.1.1/24"], internet, "lan", ["192.168.1.2/24"])
        self.node.set("net/ipv6/conf/default/addr_gen_mode", 0)
        self.node.run("ip -4 route add default via 192.0.2.254")
        self.node.run("ip -6 route add default via 2001:db8::fe")

    def rows(self, command):
        """Returns the objects of an ip(8) command as text, without the protocol and the link-local routes."""
        rows = []
        for row in self.node.json(command):
            row.pop("protocol", None)
            if "suppress_prefixlen" in row:
                row.pop("fwmark", None)
                row.pop("not", None)
            if row.get("dev") == self.interface and (row["dst"].startswith("fe80:") or row["dst"] == MULTICAST):
                continue
            rows.append(json.dumps(row, sort_keys=True))
        return rows

    def addresses(self):
        return [f"{link['ifname']} {address['local']}/{address['prefixlen']} {address['scope']}"
                for link in self.node.json("ip -j address show") for address in link["addr_info"]
                if link["ifname"] != self.interface or address["scope"] != "link" or address["local"] in self.text]

    def device(self):
        """Returns what wg(8) shows of the tunnel, without what differs from one time to the next, and its MTU."""
        done = self.node.run(f"wg show {self.interface} dump", check=False)
        if done.returncode:
            return "no tunnel"
        first, *peers = [line.split("\t") for line in done.stdout.splitlines()]
        port = first[2] if re.search("(?i)^ListenPort", read(self.path()), re.MULTILINE) else "random"
        mtu = self.node.json(f"ip -j link show {self.interface}")[0]["mtu"]
        return [[first[0], port, first[3], mtu], *sorted(peer[:4] + peer[7:] for peer in peers)]

    def firewall(self):
        """Returns the rules of others than wg-quick and adit, and for which families one of those has a table."""
        tables = re.findall(r"^table (\S+) (\S+) {\n(.*?)^}\n", self.node.run("nft list ruleset").stdout,
                            re.MULTILINE | re.DOTALL)
        own = (f"wg-quick-{self.interface}", f"adit-{self.interface}")
        return ([(family, table, re.sub(r"packets \d+ bytes \d+", "", text)) for family, table, text in tables
                 if table not in own], sorted(family for family, table, _ in tables if table in own))

    def is_down(self):
        return (not self.node.has_link(self.interface)
                and not os.path.exists(f"/var/run/wireguard/{self.interface}.sock"))

    def run(self, verb):
        """Takes the tunnel up or down."""
        done = self.program(self.node, verb, self.path())
        assert not done.returncode, f"{self.name}: {verb}: {done.stderr}"
        if verb == "down":
            wait_for(self.is_down, "the end of the interface and its socket")

    def path(self):
        return f"/run/{self.interface}.conf"

    def write(self):
        with open(os.open(self.path(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.text)

    def state(self):
        return {"addresses": self.addresses(), "device": self.device(), "firewall": self.firewall(),
                "IPv4 rules": self.rows("ip -4 -j rule show"), "IPv6 rules": self.rows("ip -6 -j rule show"),
                "IPv4 routes": sorted(self.rows("ip -4 -j route show table all")),
                "IPv6 routes": sorted(self.rows("ip -6 -j route show table all")),
                "sysctls": [self.node.get(key) for key in SYSCTLS],
                "resolv.conf": read("/etc/resolv.conf"),
                "calls": [call for call in calls() if not call.startswith("resolvconf -l")]}


def write_tools():
    """Creates tools that write down their calls. The firewall ones are real apart from that."""
    set_tools()
    for name in "logger", "iptables", "ip6tables":
        real = "" if name == "logger" else f"exec /usr/sbin/{name} \"$@\""
        write_tool(name, f"#!/bin/sh\necho {name} \"$@\" >>{CALLS}\n{real}\n")
    with open("/etc/hosts", "a") as hosts:
        hosts.write("198.51.100.78 vpn.example.net\n")


def fill(lab, name):
    """Returns the text of a file, with new keys."""
    def new(found):
        return values.setdefault(found[1], key(lab.adit, "pubkey", key(lab.adit, "genkey")))

    values = {"private": key(lab.adit, "genkey"), "psk": key(lab.adit, "genpsk")}
    with open(os.path.join(FILES, f"{name}.conf"), newline="") as file:
        return re.sub(r"@(\w+)@", new, file.read())


def change(host):
    """Adds a peer, moves one and removes one, for SaveConfig."""
    first, second = re.findall(r"^PublicKey = (\S+)", host.text, re.MULTILINE)
    host.node.run(f"wg set {host.interface} peer {first} endpoint 192.0.2.254:1234 allowed-ips 10.192.125.0/24")
    host.node.run(f"wg set {host.interface} peer {NEW_PEER} allowed-ips 10.192.122.9/32 persistent-keepalive 7")
    host.node.run(f"wg set {host.interface} peer {second} remove")
    host.node.run(f"ip address add 10.11.0.1/16 dev {host.interface}")


def life(host):
    """Takes the tunnel up and down twice. Returns the states of the host by step."""
    host.write()
    forget_calls()
    states = {"before": host.state()}
    for verb in "up", "down", "up again", "down again":
        forget_calls()
        host.run(verb.split()[0])
        states[verb] = host.state()
        if verb == "up" and "SaveConfig" in host.text:
            change(host)
    assert states["down again"]["resolv.conf"] == RESOLVER
    return states


def check_same(expected, found):
    for what in expected:
        assert found[what] == expected[what], f"{what}: {found[what]}, not {expected[what]}"


def by_wg_quick(node, verb, path):
    variables = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"}
    return node.run([TOOLS_QUICK, verb, path], check=False, env={**os.environ, **variables})


def by_adit(node, verb, path):
    return node.run([node.lab.adit, verb, path], check=False)


@case(file=NAMES)
def same(lab, file):
    prepare(lab)
    write_tools()
    text = fill(lab, file)
    hosts = [Host(lab, "wg-quick", file, text, by_wg_quick), Host(lab, "adit", file, text, by_adit)]
    with lab.check("wg-quick starts wireguard-go, because the kernel has no WireGuard"):
        check_kernel(hosts[0].node)
    expected = life(hosts[0])
    wait_for(lambda: not processes("/usr/bin/wireguard-go"), "the end of wireguard-go")
    found = life(hosts[1])
    for step in expected:
        with lab.check(f"{step}: the same host"):
            check_same(expected[step], found[step])


def resolved_servers():
    """Returns the servers and the domains that systemd-resolved has for the interface, or nothing."""
    return [read(f"/run/resolved.{what}") for what in ("dns", "domain") if os.path.exists(f"/run/resolved.{what}")]


@case(file=["provider", "halves"])
def resolved(lab, file):
    """With systemd-resolved, wg-quick calls resolvectl by the name of resolvconf, and adit calls resolvectl."""
    prepare(lab)
    write_tools()
    listener = start_resolved()
    os.unlink(f"{TOOLS}/resolvconf")
    write_tool("resolvconf", RESOLVED_RESOLVCONF)
    text, servers = fill(lab, file), []
    for name, program in ("wg-quick", by_wg_quick), ("adit", by_adit):
        host = Host(lab, name, file, text, program)
        host.write()
        host.run("up")
        servers.append(resolved_servers())
        host.run("down")
        with lab.check(f"{name}: down removes the servers"):
            assert not resolved_servers()
    listener.close()
    with lab.check("the same servers and domains"):
        assert len(servers[0]) == 2 and servers[0] == servers[1], f"{servers[1]}, not {servers[0]}"
