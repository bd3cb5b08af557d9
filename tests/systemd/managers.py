# SPDX-License-Identifier: MIT
"""
adit@.service beside the network managers and firewalls of Debian, in a container.

    left (container)  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    adit@tun-left  10.7.0.1, fd07::1                tun-right  10.7.0.2, fd07::2, and 203.0.113.7 on lo
    adit@site      10.8.0.1                         site       10.8.0.2, and 198.51.100.7 on lo

tun-left takes all traffic and has a name server. The manager configures the uplink of left, "wan".
"""

import os
import re
import shutil
import time

from container import Container
from ends import Adit, host_port, pair
from lab import case, wait_for
from leaks import Leaks
from life import changes
from repair import REPAIR
from service import UNIT_FILES

BEYOND, BEHIND = "203.0.113.7", "198.51.100.7"
UNITS = "adit@tun-left", "adit@site"
MANAGERS = ["NetworkManager", "NetworkManager-wait-online", "networking", "firewalld", "ufw", "nftables"]  # units

NETWORKD = """[Match]
Name=wan
[Network]
Address=192.0.2.1/24
Address=2001:db8::1/64
Gateway=192.0.2.2
Gateway=2001:db8::2
DNS=192.0.2.53
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
NETWORK_MANAGER = """[connection]
id=wan
type=ethernet
interface-name=wan
[ipv4]
method=manual
address1=192.0.2.1/24,192.0.2.2
dns=192.0.2.53;
[ipv6]
method=manual
address1=2001:db8::1/64,2001:db8::2
"""
IFUPDOWN = """auto wan
iface wan inet static
    address 192.0.2.1/24
    gateway 192.0.2.2
"""


def lay(lab, manager, path=None, text=None, mode=0o644, outside=4):
    """Returns left, and the container, in which only `manager`, a list of units, can run. `path` is its file."""
    left, right = pair(lab, outside, start=False)
    left.settings["DNS"] = "10.7.0.2, example.org"
    left.peers[0]["AllowedIPs"] += ", 0.0.0.0/0, ::/0"
    site = [Adit(end.node, "site", [f"10.8.0.{number}/24"], port=51821) for number, end in ((1, left), (2, right))]
    site[0].add_peer(site[1], ["10.8.0.2/32", "198.51.100.0/24"],
                     Endpoint=host_port({4: "192.0.2.2", 6: "2001:db8::2"}[outside], 51821))
    site[1].add_peer(site[0])
    for address in BEYOND, BEHIND:
        right.node.run(f"ip address add {address} dev lo")
    right.start()
    site[1].start()
    container = Container(left.node, "manager")
    shutil.copy(lab.adit, f"{container.root}/usr/bin/adit")
    for name in "adit@.service", "adit-sweep@.service", "adit.target":
        shutil.copy(os.path.join(UNIT_FILES, name), f"{container.root}/etc/systemd/system/{name}")
    os.mkdir(f"{container.root}/etc/adit")
    for end in left, site[0]:
        shutil.copy(end.write(), f"{container.root}/etc/adit/{end.interface}.conf")
    for unit in set(MANAGERS) - set(manager):
        os.symlink("/dev/null", f"{container.root}/etc/systemd/system/{unit}.service")
    if path:
        with open(os.open(f"{container.root}{path}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
        left.node.run("ip address flush dev wan")
    else:
        left.node.run("ip route add default via 192.0.2.2")
    return left, container


def state(container, pattern="."):
    """Returns the lines that match, of what adit and managers set up. Skips what the kernel adds by itself."""
    text = container.run(["sh", "-c", "ip -o address; nft list tables; resolvectl dns; resolvectl domain; "
                          "for v in 4 6; do ip -$v rule; ip -$v route show table all; done; cat /etc/resolv.conf"])
    lines = (re.sub(r"\\.*| pref medium| scope link| src \S+", "", line) for line in text.splitlines())
    return {"": "\n".join(sorted(line for line in lines if re.search(pattern, line)
                                 and not re.search(r"^(local|anycast|multicast|broadcast) |fe80::|^\d+: lo ", line)))}


def wait_for_uplink(container, *texts):
    """Returns the state of a host whose manager has set up all that its file asks for."""
    wait_for(lambda: all(text in state(container)[""] for text in texts), "the uplink")
    return state(container)


def ours(container):
    return state(container, "tun-left|site|proto 173|adit|51820")


def reaches(node):
    return all(node.run(f"ping -n -q -c 1 -W 1 {address}", check=False).returncode == 0 for address in (BEYOND, BEHIND))


def start(container):
    for unit in UNITS:
        container.start(unit)
    wait_for(lambda: "~." in state(container)[""], "the name server")
    wait_for(lambda: reaches(container.node), "answers")


def check_actions(lab, container, actions):
    """After each action of an administrator the tunnels are as before, and the manager and adit leave it at that."""
    node, before = container.node, ours(container)
    leaks, worst = Leaks(node, BEYOND), 0
    for action in actions:
        with lab.check(f"{action}: the tunnels are as before"):
            begin = time.time()
            container.run(["sh", "-c", action])
            done = time.time()
            wait_for(lambda: not changes(before, ours(container)), "the repair")
            wait_for(lambda: reaches(node), "answers")
            wait_for(lambda: not leaks.since(time.time() - 0.3), "the end of the leak")
            worst = max([worst, *(when - done for when in leaks.since(begin))])
            repairs = repairs_of(container)
            time.sleep(2)
            assert not changes(before, ours(container)), changes(before, ours(container))
            assert repairs_of(container) == repairs, "adit repairs again"
    leaks.stop()
    lab.bar(f"the last packet in the clear leaves within {REPAIR} s", worst, REPAIR)


def repairs_of(container):
    text = "".join(container.journal(unit) for unit in UNITS)
    assert "keeps changing" not in text, text
    return text.count("another program")


def check_stop(lab, container, before):
    with lab.check("after the stop, the network is what the manager has set up"):
        for unit in UNITS:
            container.run(f"systemctl stop {unit}")
        wait_for(lambda: not changes(before, state(container)), f"the end: {changes(before, state(container))}")


@case(slow=True, alone=True, seconds=1500, bars=True)
def networkd(lab):
    left, container = lay(lab, [], "/etc/systemd/network/10-wan.network", NETWORKD)
    with container.booted():
        container.start("systemd-networkd")
        before = wait_for_uplink(container, "192.0.2.53", "192.0.2.0/24 dev wan", "default via 2001:db8::2")
        start(container)
        check_actions(lab, container, ["systemctl restart systemd-networkd", "networkctl reload",
                                       "networkctl reconfigure wan", "networkctl down wan; networkctl up wan"])
        with open(f"{container.root}/etc/systemd/network/90-all.network", "w") as file:  # it manages the tunnels, too
            file.write("[Match]\nName=*\n[Network]\nDHCP=yes\n")
        check_actions(lab, container, ["networkctl reload", "networkctl reconfigure tun-left site"])
        os.unlink(file.name)
        container.run("networkctl reload")
        check_stop(lab, container, before)
        check_fail_closed(lab, left, container)


def check_fail_closed(lab, left, container):
    """networkd would delete the routes and rules that the end leaves. adit(8) has the file that prevents this."""
    os.makedirs(f"{container.root}/etc/systemd/networkd.conf.d")
    with open(f"{container.root}/etc/systemd/networkd.conf.d/adit.conf", "w") as file:
        with lab.check("adit doctor reports networkd until the file has both settings"):
            for line, verdict in ("[Network]", "deletes"), ("ManageForeignRoutingPolicyRules=no", "deletes"), (
                    "ManageForeignRoutes=no", "leaves the routes and rules"):
                print(line, file=file, flush=True)
                found = container.run("adit doctor", check=False)
                assert verdict in " ".join(found.split()), f"{line}: {found}"
    left.settings["FailClosed"] = "true"
    shutil.copy(left.write(), f"{container.root}/etc/adit/tun-left.conf")
    container.run("systemctl restart systemd-networkd")
    start(container)
    for unit in UNITS:
        container.run(f"systemctl stop {unit}")
    kept, leaks = state(container, "proto 173"), Leaks(container.node, BEYOND)
    with lab.check("with the file of adit(8), networkd keeps what FailClosed leaves"):
        assert kept[""].count("unreachable default") == 2 and kept[""].count("lookup 51820") == 2, kept
        for action in "systemctl restart systemd-networkd", "networkctl reconfigure wan":
            container.run(action)
            wait_for(lambda: "configured" in container.run("networkctl --no-pager list wan"), "the uplink")
            time.sleep(1)
            assert not changes(kept, state(container, "proto 173")), changes(kept, state(container, "proto 173"))
        assert not leaks.times, f"{len(leaks.times)} packets"
    leaks.stop()


@case(slow=True, alone=True, seconds=1500, bars=True)
def network_manager(lab):
    left, container = lay(lab, ["NetworkManager"], "/etc/NetworkManager/system-connections/wan.nmconnection",
                          NETWORK_MANAGER, 0o600)
    with container.booted():
        wait_for(lambda: "100" in container.run("nmcli -g GENERAL.STATE device show wan", check=False), "a connection")
        before = wait_for_uplink(container, "192.0.2.53", "192.0.2.0/24 dev wan", "default via 2001:db8::2")
        start(container)
        check_actions(lab, container, ["systemctl restart NetworkManager", "nmcli networking off; nmcli networking on",
                                       "nmcli connection down wan; nmcli connection up wan", "nmcli device reapply wan",
                                       "nmcli connection down tun-left", "nmcli device disconnect site"])
        check_stop(lab, container, before)


@case(slow=True, alone=True, seconds=1500, bars=True)
def ifupdown(lab):
    left, container = lay(lab, ["networking"], "/etc/network/interfaces", IFUPDOWN)
    with container.booted():
        before = wait_for_uplink(container, "default via 192.0.2.2")
        start(container)
        check_actions(lab, container, ["ifdown -a; ifup -a", "systemctl restart networking"])
        check_stop(lab, container, before)


@case(slow=True, alone=True, seconds=1500, bars=True, outside=[4, 6])
def firewalls(lab, outside):
    """With strict reverse path filters, as firewalld has one for IPv6."""
    left, container = lay(lab, ["firewalld", "ufw", "nftables"], outside=outside)
    left.node.set("net/ipv4/conf/all/rp_filter", 1)
    with container.booted():
        container.run("systemctl stop firewalld")
        container.start("nftables")
        before = state(container)
        start(container)
        check_actions(lab, container, ["systemctl start firewalld", "firewall-cmd --complete-reload",
                                       "systemctl stop firewalld", "ufw --force enable", "ufw reload", "ufw disable",
                                       "systemctl restart nftables", "systemctl restart systemd-resolved",
                                       "resolvectl revert tun-left"])
        check_stop(lab, container, before)
