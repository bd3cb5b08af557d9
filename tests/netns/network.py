# SPDX-License-Identifier: MIT
"""
The host's network as a start, a reload and a crash leave it, on hosts of all kinds.

    left  10.9.1.2, fd09:1::2  ----  router  ----  right  192.0.2.2, 2001:db8::2
                10.9.1.1, fd09:1::1     192.0.2.1, 2001:db8::1
    tun-left  10.7.0.1, fd07::1                    tun-right  10.7.0.2, fd07::2
                                                   lo  203.0.113.7, 2001:db8:7::7  (only known inside)
"""

import errno
import os
import re
import signal
import socket
import subprocess
import time

from ends import Adit, counters_of, key
from lab import case, forbid, wait_for
from life import BEYOND, changes, lay, network_state
from packets import Capture
from reload import about
from repair import PROTO, inner_state


def refused_route(left):
    """A route of another interface stands in the way."""
    left.node.run("ip route add 198.51.100.0/24 via 10.9.1.1")
    left.peers[0]["AllowedIPs"] = "198.51.100.0/24, " + left.peers[0]["AllowedIPs"]
    done = left.reload(check=False)
    left.peers[0]["AllowedIPs"] = left.peers[0]["AllowedIPs"].removeprefix("198.51.100.0/24, ")
    left.node.run("ip route del 198.51.100.0/24")
    assert done.returncode == 1 and "route 198.51.100.0/24: already on dev wan" in done.stderr, done.stderr


def refused_port(left):
    port, left.port = left.port, 40000
    with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 40000))
        done = left.reload(check=False)
    left.port = port
    assert done.returncode == 1 and "in use" in done.stderr, done.stderr


# --- reload and start -------------------------------------------------------------------------------------------------

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
            right.reload(), left.reload()
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
    warning = "IPv6 needs an MTU of 1280 or more: leaving out fd07::1/64"

    def shown():
        return left.node.run([lab.adit, "show", left.interface]).stdout

    with lab.check("MTU = 1200 leaves IPv6 out, with a warning"):
        left.reload()
        assert warning in left.daemon.log() and warning in shown(), shown()
        left.node.ping(BEYOND[4])
    with lab.check("a repair and a refused reload keep the warning"):
        left.node.run("ip link set tun-left mtu 1210")
        wait_for(lambda: left.node.json("ip -j link show tun-left")[0]["mtu"] == 1200, "MTU 1200")
        wait_for(lambda: "another program changed" in left.daemon.log(), "a repair")
        assert warning in shown(), shown()
        refused_route(left)
        assert warning in shown(), shown()
    left.settings["MTU"] = 1420
    with lab.check("MTU = 1420 brings it back"):
        left.reload()
        assert warning not in shown(), shown()
        left.node.ping(BEYOND[6])
        assert left.node.get("net/ipv6/conf/tun-left/accept_ra") == "0"
        assert not left.node.run("ip -6 address show dev tun-left scope link").stdout


@case()
def already_there(lab):
    """Existing addresses and routes are kept, and a conflict is reported with its owner."""
    left, right = lay(lab)
    left.node.run("ip address add 10.7.0.9/24 dev wan")
    left.node.run("ip address add 10.9.9.1/24 dev wan")
    left.peers.append({"PublicKey": left.public, "AllowedIPs": "10.9.9.0/24, 10.8.8.0/24"})
    left.start()
    with lab.check("AllowedIPs of a peer with the own public key get no routes"):
        assert "10.8.8.0" not in left.node.run("ip route").stdout
    with lab.check("another interface in the network of the tunnel is named while it takes the traffic"):
        line = "route 10.7.0.0/24 on dev wan takes traffic from the tunnel"
        wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
        left.node.run("ip address del 10.7.0.9/24 dev wan")
        wait_for(lambda: line not in left.node.run([lab.adit, "show", "tun-left"]).stdout, "no warning")
        left.node.ping(right.v4)
    left.node.run("ip address add 10.8.0.1/24 dev tun-left")
    left.node.run("ip route add 198.51.100.0/24 dev tun-left")
    with lab.check("an address and a route that are there already are taken as they are"):
        left.addresses.append("10.8.0.1/24")
        left.peers[0]["AllowedIPs"] += ", 198.51.100.0/24"
        left.reload()
    with lab.check("and they are not deleted, because they are not ours"):
        left.addresses.pop()
        left.peers[0]["AllowedIPs"] = "0.0.0.0/0, ::/0"
        left.reload()
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
    with lab.check("three of them warn that the rules of another one precede theirs"):
        def warned():
            shown = [left.node.run([lab.adit, "show", other.interface], check=False).stdout for other in others]
            return [text for text in shown if "of another tunnel takes traffic" in text]
        wait_for(lambda: len(warned()) == 3, "three warnings")
    with lab.check("the end of each leaves the rules of the others"):
        for count, other in zip((3, 2, 1, 0), others):
            other.stop()
            assert len(tables()) == count, left.node.run("ip rule").stdout


@case()
def same_mark(lab):
    """Two tunnels with a default route and the same FwMark: the second one is refused, and changes nothing."""
    left, _ = lay(lab, FwMark="0x4242")
    left.start()
    left.node.ping(BEYOND[4])
    before = inner_state(left.node)
    other = Adit(left.node, "tun-other", ["10.8.0.1/24", "fd08::1/64"], port=51999, FwMark="0x4242")
    other.peers = [{"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "10.88.0.0/24"}]
    refusal = "FwMark: another tunnel has a default route with the mark 0x4242"
    for allowed in "0.0.0.0/0", "::/0":
        with lab.check(f"a start with {allowed} is refused"):
            other.peers[0]["AllowedIPs"] = allowed
            done = left.node.run([lab.adit, "run", other.write()], check=False)
            assert done.returncode == 1 and refusal in done.stderr, done.stderr
            assert not changes(before, inner_state(left.node)), changes(before, inner_state(left.node))
    with lab.check("without a default route the second tunnel starts, and the reload that adds one is refused"):
        other.peers[0]["AllowedIPs"] = "10.88.0.0/24"
        other.start()
        other.peers[0]["AllowedIPs"] += ", 0.0.0.0/0"
        done = other.reload(check=False)
        assert done.returncode == 1 and refusal in done.stderr, done.stderr
        left.node.ping(BEYOND[4])
    with lab.check("once the first tunnel has no default route, the second one can have it"):
        allowed, left.peers[0]["AllowedIPs"] = left.peers[0]["AllowedIPs"], "10.7.0.0/24"
        left.reload(), other.reload()
        other.stop()
        left.peers[0]["AllowedIPs"] = allowed
        left.reload()
        left.node.ping(BEYOND[4])
    with lab.check("a mark with the number of a reserved table is refused"):
        left.settings["FwMark"] = 255
        done = left.reload(check=False)
        assert done.returncode == 1 and "255 is reserved" in done.stderr, done.stderr
        left.node.ping(BEYOND[4])
    with lab.check("without FwMark the table is one of adit's own"):
        del left.settings["FwMark"]
        left.reload()
        assert "lookup 51820" in left.node.run("ip rule").stdout
        assert "0x4242" not in left.node.run("ip rule").stdout
        left.node.ping(BEYOND[4])


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
            left.reload()
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


# --- hosts that lack something ----------------------------------------------------------------------------------------

def forbid_v6_sockets():
    """For a child: socket(2) fails with EAFNOSUPPORT for AF_INET6."""
    forbid((41, 198), errno.EAFNOSUPPORT, 0, socket.AF_INET6)


@case(sockets=[True, False])
def no_ipv6(lab, sockets):
    """IPv6 is disabled by a sysctl, or the kernel has none at all and so no sockets for it."""
    left, _ = lay(lab)
    left.node.set("net/ipv6/conf/all/disable_ipv6", 1)
    left.node.set("net/ipv6/conf/default/disable_ipv6", 1)
    left.daemon = left.node.start("tun-left", [lab.adit, "run", left.write()],
                                  preexec_fn=None if sockets else forbid_v6_sockets)
    wait_for(lambda: ": up:" in left.daemon.log(), "the start")
    with lab.check("IPv6 is left out with one warning"):
        left.node.ping(BEYOND[4])
        assert left.daemon.log().count("IPv6") == 1, left.daemon.log()
        assert "IPv6 is disabled here" in left.daemon.log(), left.daemon.log()
    with lab.check("the port is open for IPv4, and for IPv6 if the kernel has it"):
        assert len(left.node.udp_ports()) == 1 + sockets, left.node.udp_ports()
    with lab.check("a reload works, and SIGTERM leaves nothing"):
        left.reload()
        left.node.ping(BEYOND[4])
        assert left.stop() == 0
        assert not left.node.has_link("tun-left")


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


@case()
def user_namespace(lab):
    """Root of a user namespace, as in a rootless container: it has no capability on the host."""
    left, _ = lay(lab)
    left.daemon = left.node.start("tun-left", ["unshare", "--user", "--map-root-user", "--net", "sh", "-c",
                                               "ip link add wan type veth peer name other; ip link set other up; "
                                               "ip address add 10.9.1.2/24 dev wan; ip link set wan up; "
                                               "ip route add default via 10.9.1.1; "
                                               f"exec {lab.adit} run {left.write()}"])

    def inside(command, check=True):
        return left.node.run(f"nsenter --target {left.daemon.pid} --user --net --preserve-credentials {command}",
                             check=check).stdout

    wait_for(lambda: ": up:" in left.daemon.log(), "the start")
    with lab.check("the interface, the rules and the firewall are there, and nothing is left out"):
        assert "10.7.0.1/24" in inside("ip address show dev tun-left"), left.daemon.log()
        assert "default dev tun-left" in inside("ip route show table 51820")
        assert inside("ip rule").count(f"proto {PROTO}") == 2
        assert "adit-tun-left" in inside("nft list ruleset")
        assert "leaving it out" not in left.daemon.log(), left.daemon.log()
    with lab.check("a packet starts a handshake, and wg(8) gets answers"):
        inside(f"ping -c 1 -W 1 {BEYOND[4]}", check=False)
        assert counters_of(left)["handshake_sent"] == 1, counters_of(left)
    with lab.check("SIGTERM ends it, and nothing is left"):
        assert left.daemon.stop() == 0, left.daemon.log()
        assert not os.path.exists("/var/run/wireguard/tun-left.sock")


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


@case(waits=True, slow=True)
def silence(lab):
    check_silence(lab, 120)


@case()
def router_advertisement(lab):
    left, right = lay(lab)
    left.start()
    left.node.ping(right.v4)
    right.peers[0]["AllowedIPs"] += ", fe80::/10, ff00::/8"
    right.reload()
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
