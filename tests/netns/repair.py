# SPDX-License-Identifier: MIT
"""
Repairs: adit undoes what another program changes in the host's network, within a second and with little work. The
topology is that of life.py.
"""

import re
import signal
import subprocess
import time

from lab import TIMEOUT, case, wait_for
from life import BEYOND, EVERYTHING, changes, lay, network_state

REPAIR = 1.0  # seconds within which a change by another program is undone
PROTO = "173"


def inner_state(node):
    """What network_state shows, without the handles and counters that change when an item is added again."""
    state = network_state(node)
    # Who changes an address of ours may take its protocol number and its flag away, which does not matter.
    state["ip address"] = "\n".join(re.sub(r" noprefixroute| proto 0xad|\\.*", "", line)
                                    for line in node.run("ip -o address show").stdout.splitlines())
    # The kernel adds the route of a network with the address; when another program deletes it, it is ours.
    for family, network, rest in (4, "10.7.0.0/24", ""), (6, "fd07::/64", r" metric \d+"):
        command = f"ip -{family} route show table all"
        state[command] = re.sub(rf"{network} dev tun-left proto \w+{rest}( scope link)?( src 10.7.0.1)?", network,
                                state[command])
    # The kernel adds its multicast route with an address. A flush that is slow deletes it after the repair.
    state[command] = re.sub("multicast ff00::/8 dev tun-left .*\n", "", state[command])
    state["nft list ruleset"] = re.sub(r'"adit \d+ \w+ \d+"', "", state["nft list ruleset"])
    return {name: "\n".join(sorted(text.splitlines())) for name, text in state.items() if name != "ip -j link"}


def repaired(node, before):
    """Waits until the network is what it was, and returns the seconds that it took."""
    begin = time.monotonic()
    while (difference := changes(before, inner_state(node))) and time.monotonic() < begin + TIMEOUT:
        time.sleep(0.05)
    assert not difference, difference
    return time.monotonic() - begin


def bar_of_repair(lab, seconds):
    """The time includes one look at the network and a pause, which together take up to half a second."""
    lab.bar(f"all is as before within {REPAIR} s", seconds, REPAIR + 0.5)


# --- other programs ---------------------------------------------------------------------------------------------------

def flush(node, words):
    """Flushes by ip(8), which fails if the repair or the kernel deletes an item first."""
    node.run(f"ip {words}", check=False)


def rename(node):
    node.run("ip link set tun-left down", check=False)  # old kernels rename only a link that is down
    node.run("ip link set tun-left name renamed")
    time.sleep(0.05)
    node.run("ip link set renamed down", check=False)
    node.run("ip link set renamed name tun-left")


def reorder_chain(node):
    """Moves a chain with its rules from the priority mangle to 0."""
    text = node.run("nft list table ip6 adit-tun-left").stdout
    node.run("nft -f -", input="delete table ip6 adit-tun-left\n" + text.replace("priority mangle", "priority 0"))


def replace_rule(node):
    """The new rule keeps the comment."""
    text = node.run("nft -a list chain ip adit-tun-left premangle").stdout
    comment, handle = re.search(r'(comment ".*") # handle (\d+)', text).groups()
    node.run("nft -f -", input=f"replace rule ip adit-tun-left premangle handle {handle} meta l4proto 17 drop {comment}")


OTHERS = {
    "link down": lambda node: node.run("ip link set tun-left down"),
    "link down and up": lambda node: node.run("ip link set tun-left down") and node.run("ip link set tun-left up"),
    "a rule is deleted": lambda node: node.run("ip rule del fwmark 0xca6c lookup 51820 not", check=False),
    "all rules of ours are deleted": lambda node: flush(node, f"rule flush protocol {PROTO}"),
    "the table is flushed": lambda node: flush(node, "route flush table 51820"),
    "the routes of the interface are flushed": lambda node: (flush(node, "route flush dev tun-left"),
                                                             flush(node, "-6 route flush dev tun-left")),
    "the local routes are flushed, too": lambda node: (flush(node, "route flush dev tun-left table all"),
                                                       flush(node, "-6 route flush dev tun-left table all")),
    "the addresses are flushed": lambda node: flush(node, "address flush dev tun-left"),
    "the firewall is flushed": lambda node: node.run("nft flush ruleset"),
    "a chain of the firewall is flushed": lambda node: node.run("nft flush chain ip adit-tun-left premangle"),
    "a rule is added to the firewall": lambda node: node.run("nft insert rule ip adit-tun-left preraw drop"),
    "the table of the firewall is dormant": lambda node: node.run("nft add table ip adit-tun-left { flags dormant; }"),
    "a chain of the firewall drops": lambda node: node.run("nft chain ip6 adit-tun-left preraw { policy drop; }"),
    "a chain is added to the firewall": lambda node: node.run(
        "nft add chain ip adit-tun-left more { type filter hook output priority 5; policy drop; }"),
    "a chain of the firewall has another priority": reorder_chain,
    "a rule of the firewall does something else": replace_rule,
    "the MTU falls below 1280": lambda node: node.run("ip link set tun-left mtu 1200"),
    "the interface is renamed": rename,
    "the carrier is taken away": lambda node: node.run("ip link set tun-left carrier off"),
    "the queue has no room": lambda node: (
        node.run("ip link set tun-left txqueuelen 0"),
        wait_for(lambda: "qlen 1024" in node.run("ip link show tun-left").stdout, "the queue")),
    "the addresses are deprecated": lambda node: (node.run("ip address change 10.7.0.1/24 dev tun-left "
                                                           "valid_lft 300 preferred_lft 300"),
                                                  node.run("ip address change fd07::1/64 dev tun-left preferred_lft 0")),
    "the addresses have no route": lambda node: (node.run("ip address change 10.7.0.1/24 dev tun-left noprefixroute"),
                                                 node.run("ip address change fd07::1/64 dev tun-left noprefixroute")),
    "IPv6 is switched off and on": lambda node: (node.set("net/ipv6/conf/tun-left/disable_ipv6", 1),
                                                 node.set("net/ipv6/conf/tun-left/disable_ipv6", 0)),
}


@case(event=list(OTHERS), bars=True)
def change(lab, event):
    """Whatever another program changes is repaired."""
    left, right = lay(lab, MTU=1420)
    left.start()
    left.node.ping(BEYOND[4])
    before = inner_state(left.node)
    for number in 1, 2:
        with lab.check(f"{event}, time {number}: all is as before"):
            OTHERS[event](left.node)
            bar_of_repair(lab, repaired(left.node, before))
            assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1420
            left.node.ping(BEYOND[4])
            left.node.ping(BEYOND[6])
            right.node.ping(left.v4)
    with lab.check("after SIGTERM nothing is left"):
        left.stop()
        assert "173" not in left.node.run("ip rule").stdout + left.node.run("ip -6 rule").stdout
        assert "adit" not in left.node.run("nft list ruleset").stdout


@case()
def parameters(lab):
    """Another program sets kernel parameters, which raises no event of rtnetlink."""
    left, _ = lay(lab, MTU=1420)
    left.start()
    v4, v6 = "net/ipv4/conf/", "net/ipv6/conf/"
    values = {v4 + "all/src_valid_mark": "1", v4 + "all/send_redirects": "0", v4 + "tun-left/send_redirects": "0",
              v4 + "tun-left/promote_secondaries": "1", v6 + "tun-left/accept_ra": "0",
              v6 + "tun-left/addr_gen_mode": "1"}
    events = {"at first": lambda node: None, "after IPv6 was away": OTHERS["the MTU falls below 1280"],
              "after the interface was renamed": rename}
    for when, event in events.items():
        before = inner_state(left.node)
        event(left.node)
        repaired(left.node, before)
        for key, value in values.items():
            with lab.check(f"{key} is set again {when}"):
                time.sleep(1.2)  # so that no look of an earlier change sees this one
                left.node.set(key, 1 - int(value))
                wait_for(lambda: left.node.get(key) == value, f"{key} = {value}")
        left.node.ping(BEYOND[4])


@case()
def moved_rules(lab):
    """Another program moves the rules between which ours must lie."""
    left, right = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])

    def leads(address, family, where):
        return where in left.node.run(f"ip -{family} route get {address}").stdout

    for family, own in (4, "10.9.1.2"), (6, "fd09:1::2"):
        with lab.check(f"the rule for the local table is moved, v{family}"):
            left.node.run(f"ip -{family} rule add lookup local pref 32765")
            left.node.run(f"ip -{family} rule del lookup local pref 0")
            wait_for(lambda: leads(own, family, "local"), "a local route to an own address")
        with lab.check(f"a rule for the main table is added in front, v{family}"):
            left.node.run(f"ip -{family} rule add lookup local pref 50")
            left.node.run(f"ip -{family} rule add lookup main pref 100")
            wait_for(lambda: leads(BEYOND[family], family, "tun-left"), "a route into the tunnel")
            assert leads(own, family, "local")
        left.node.ping(BEYOND[family])
    with lab.check("after SIGTERM nothing is left"):
        left.stop()
        assert PROTO not in left.node.run("ip rule").stdout + left.node.run("ip -6 rule").stdout


@case()
def away_and_back(lab):
    """The interface is moved to another network namespace, which removes its addresses and routes, and back."""
    left, _ = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])
    before, other = inner_state(left.node), lab.node("other")
    for number in 1, 2:
        with lab.check(f"back in its namespace, all is as before, time {number}"):
            left.node.run("ip link set tun-left netns other")
            time.sleep(0.5)
            other.run("ip link set tun-left netns left")
            repaired(left.node, before)
            left.node.ping(BEYOND[4])
            left.node.ping(BEYOND[6])
    with lab.check("a later change is repaired, too"):
        flush(left.node, "address flush dev tun-left")
        repaired(left.node, before)


@case()
def replaced_routes(lab):
    """Another program replaces our routes by its own."""
    left, right = lay(lab, allowed=["0.0.0.0/0", "::/0", "198.51.100.0/24"])
    left.start()
    left.node.ping(BEYOND[4])
    for number in 1, 2:
        with lab.check(f"in our table ours comes first again, and the other one stays, time {number}"):
            flush(left.node, "route flush table 51820")  # with two routes, ip(8) cannot replace one by the other
            time.sleep(0.3)
            left.node.run("ip route replace default via 10.9.1.1 dev wan table 51820")
            left.node.run("ip -6 route replace default via fd09:1::1 dev wan table 51820")
            for family in 4, 6:
                wait_for(lambda: f"proto {PROTO}" in left.node.run(f"ip -{family} route show table 51820").stdout,
                         "our route")
                assert "dev wan" in left.node.run(f"ip -{family} route show table 51820").stdout
                left.node.ping(BEYOND[family])
    with lab.check("ours also comes in front of a route that is prepended or has a smaller metric"):
        flush(left.node, "route flush table 51820"), flush(left.node, "-6 route flush table 51820")
        for family in 4, 6:
            wait_for(lambda: "tun-left" in left.node.run(f"ip -{family} route show table 51820").stdout, "our route")
        left.node.run("ip route prepend default via 10.9.1.1 dev wan table 51820")
        left.node.run("ip -6 route add default via fd09:1::1 dev wan table 51820 metric 5")
        for family in 4, 6:
            wait_for(lambda: "tun-left" in left.node.run(f"ip -{family} route get {BEYOND[family]}").stdout, "our route")
            assert "dev wan" in left.node.run(f"ip -{family} route show table 51820").stdout
            left.node.ping(BEYOND[family])
        assert left.reload().stdout.strip() == "tun-left: nothing has changed"
        time.sleep(1.5)
        repairs = left.daemon.log().count("another program changed")
        time.sleep(2)
        assert left.daemon.log().count("another program changed") == repairs
    with lab.check("ours stays beside a worse one through the tunnel"):
        for command in "ip route {} default dev tun-left src 10.9.1.2 metric 9 table 51820", \
                       "ip -6 route {} default dev tun-left src fd09:1::2 metric 2000 table 51820":
            left.node.run(command.format("add"))
            left.node.run("ip link set tun-left multicast on")
            wait_for(lambda: "MULTICAST" not in left.node.run("ip link show tun-left").stdout, "a look")
            for family in 4, 6:
                assert f"proto {PROTO}" in left.node.run(f"ip -{family} route show table 51820").stdout
                left.node.ping(BEYOND[family])
            left.node.run(command.format("del"))
    with lab.check("in the main table the conflict is reported once"):
        for _ in range(3):
            left.node.run("ip route replace 198.51.100.0/24 via 10.9.1.1 dev wan")
            time.sleep(0.3)
        assert left.daemon.log().count("route 198.51.100.0/24: already on dev wan") == 1, left.daemon.log()
        left.node.ping(BEYOND[4])
    for network in "198.51.100.0/24", "10.7.0.0/24":
        with lab.check(f"when the other route to {network} is deleted, ours comes back"):
            line = f"route {network}: already on dev wan"
            left.node.run(f"ip route replace {network} via 10.9.1.1 dev wan")
            wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
            left.node.run(f"ip route del {network}")
            wait_for(lambda: "tun-left" in left.node.run(f"ip route show {network}").stdout, "our route")
        with lab.check(f"when the other route to {network} goes with its interface, ours comes back"):
            line = f"route {network}: already on dev other"
            left.node.run("ip link add other type veth peer name another")
            left.node.run("ip link set other up")
            left.node.run(f"ip route replace {network} dev other")
            wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
            left.node.run("ip link del other")
            wait_for(lambda: "tun-left" in left.node.run(f"ip route show {network}").stdout, "our route")
    left.node.ping(right.v4)


CONFLICTS = {
    "a route in our table": ("route 192.0.2.64/26 table 51820 on dev wan",
                             "ip route {} 192.0.2.64/26 via 10.9.1.1 dev wan table 51820"),
    "a blackhole in our table": ("route 192.0.2.64/26 table 51820 of another program",
                                 "ip route {} blackhole 192.0.2.64/26 table 51820"),
    "a route for one TOS": ("route 0.0.0.0/0 table 51820 on dev wan",
                            "ip route {} default via 10.9.1.1 dev wan tos 0x10 table 51820"),
    "an IPv6 route with the smallest metric": ("route ::/0 table 51820 on dev wan",
                                               "ip -6 route {} default via fd09:1::1 dev wan metric 1 table 51820"),
    "a rule for everything": ("IPv4 rule 5 of another program", "ip rule {} from all lookup 77 pref 5"),
    "a rule for the main table": ("IPv4 rule 0 of another program", "ip rule {} from all lookup main pref 0"),
    "half of a default route": ("route 128.0.0.0/1 on dev wan", "ip route {} 128.0.0.0/1 via 10.9.1.1"),
    "a rule that goes on behind ours": ("route 0.0.0.0/0 on dev wan", "ip rule {} goto 32766 pref 5"),
    "a rule for what the host sends": ("route 0.0.0.0/0 table 77 on dev wan", "ip rule {} iif lo lookup 77 pref 5"),
    "a rule that rejects": ("IPv6 rule 5 of another program", "ip -6 rule {} unreachable pref 5"),
    "a rule for our own datagrams": ("IPv4 rule 5 of another program", "ip rule {} fwmark 51820 lookup 51820 pref 5"),
    "a static route": ("route fd09:7::/64 on dev wan", "ip -6 route {} fd09:7::/64 dev wan metric 5"),
    "an advertised network": ("route fd09:7::/64 on dev wan", "ip -6 route {} fd09:7::/64 dev wan proto ra metric 600"),
    "a route in an earlier table": ("route 10.7.0.0/24 table 52 on dev wan", "ip route {} 10.7.0.0/24 dev wan table 52"),
    "a connected network": ("route fd09:7::/64 on dev wan", "ip address {} fd09:7::1/64 dev wan nodad"),
}


@case(what=list(CONFLICTS))
def conflict(lab, what):
    """Another program takes traffic from the tunnel in a way that may be intended: it is named and never touched."""
    left, _ = lay(lab, allowed=[*EVERYTHING, "fd09:7::/64"])
    left.start()
    left.node.ping(BEYOND[4])
    left.node.run("ip route add default via 10.9.1.1 dev wan table 77")
    left.node.run("ip rule add lookup 52 pref 4")
    name, command = CONFLICTS[what]
    line = f"{name} takes traffic from the tunnel"

    def routes_and_rules():
        return [left.node.run(f"ip -{family} {objects}").stdout for family in (4, 6)
                for objects in ("rule", "route show table 51820")]

    def warned():
        return line in left.node.run([lab.adit, "show", "tun-left"]).stdout

    quiet = routes_and_rules()
    assert "takes traffic" not in left.daemon.log(), left.daemon.log()
    for number in 1, 2:
        left.node.run(command.format("add"))
        before = routes_and_rules()
        with lab.check(f"the log and `adit show` name it, time {number}"):
            wait_for(lambda: left.daemon.log().count(line) == 1, line)
            wait_for(warned, "the warning")
        with lab.check(f"further events do not repeat it, and nothing is changed, time {number}"):
            for _ in range(3):
                left.node.run("ip link set tun-left mtu 1400")
                time.sleep(0.4)
            assert left.daemon.log().count(line) == 1, left.daemon.log()
            assert routes_and_rules() == before
        with lab.check(f"the warning ends with the conflict, time {number}"):
            left.node.run(command.format("del"))
            wait_for(lambda: not warned(), "no warning")
            assert routes_and_rules() == quiet
    left.node.ping(BEYOND[4])


@case(table=["auto", "100"])
def conflict_beside_the_default_route(lab, table):
    """Without a default route in the file, routes to its networks count, whatever is done with our own datagrams."""
    left, _ = lay(lab, allowed=["10.7.0.0/24", "fd09:7::/64"], Table=table, FwMark=7)
    for command in ("rule add fwmark 7 lookup 77", "route add default via fd09:1::1 dev wan table 77",
                    "rule add from fd09:1::2 lookup 78 pref 4", "route add fd09:7::/64 dev wan table 78",
                    "rule add lookup 100", "route add fd09:7::/48 dev wan table 52"):
        left.node.run(f"ip -6 {command}")
    left.start()
    name, command = {
        "auto": ("route fd09:7::/48 table 52 on dev wan", "ip -6 rule {} lookup 52 pref 5"),
        "100": ("route fd09:7::/64 table 100 on dev wan", "ip -6 route {} fd09:7::/64 dev wan metric 5 table 100")}[table]
    line = f"{name} takes traffic from the tunnel"
    with lab.check("the log and `adit show` name it until it ends"):
        time.sleep(1.5)
        assert "takes traffic" not in left.daemon.log(), left.daemon.log()
        left.node.run(command.format("add"))
        wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
        assert line in left.daemon.log()
        left.node.run(command.format("del"))
        wait_for(lambda: line not in left.node.run([lab.adit, "show", "tun-left"]).stdout, "no warning")


@case()
def conflict_beside_what_is_left_out(lab):
    """Without IPv6, a part of the tunnel is left out. `adit show` names it beside a conflict, until each of them ends."""
    left, _ = lay(lab)
    for name in "all", "default":
        left.node.set(f"net/ipv6/conf/{name}/disable_ipv6", 1)
    left.start()
    left.node.run("ip rule add lookup 52 pref 4")
    left_out = "IPv6 is disabled here"
    conflict = "route 10.7.0.0/24 table 52 on dev wan takes traffic from the tunnel"

    def wait_for_warnings(**expected):
        def shown():
            text = left.node.run([lab.adit, "show", "tun-left"]).stdout
            return {"left_out": left_out in text, "conflict": conflict in text}
        wait_for(lambda: shown() == expected, f"the warnings {expected}")

    with lab.check("both are shown while both exist"):
        wait_for_warnings(left_out=True, conflict=False)
        left.node.run("ip route add 10.7.0.0/24 dev wan table 52")
        wait_for_warnings(left_out=True, conflict=True)
    with lab.check("the end of the conflict leaves the other one"):
        left.node.run("ip route del 10.7.0.0/24 dev wan table 52")
        wait_for_warnings(left_out=True, conflict=False)
    with lab.check("IPv6 that is switched on leaves the conflict"):
        left.node.run("ip route add 10.7.0.0/24 dev wan table 52")
        wait_for_warnings(left_out=True, conflict=True)
        for name in "all", "default", "tun-left":
            left.node.set(f"net/ipv6/conf/{name}/disable_ipv6", 0)
        wait_for_warnings(left_out=False, conflict=True)


@case(network=["198.51.100.0/24", "fd09:7::/64", "::/0"])
def rejected(lab, network):
    """A route of another program rejects the packets to one of our networks, or to everything."""
    left, _ = lay(lab, allowed=["0.0.0.0/1", "198.51.100.0/24", network])
    left.start()
    family, verb, rest = (6, "add", "metric 5") if ":" in network else (4, "prepend", "")
    name = "::/0 table 51820" if network == "::/0" else network
    line = f"route {name}: a route or rule of another program rejects its packets"
    for kind in "blackhole", "prohibit", "unreachable":
        with lab.check(f"the log and `adit show` name a route of the type {kind} until it is deleted"):
            assert "rejects" not in left.node.run([lab.adit, "show", "tun-left"]).stdout
            left.node.run(f"ip -{family} route {verb} {kind} {network} {rest}")
            wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
            left.node.run(f"ip -{family} route del {kind} {network} {rest}")
            wait_for(lambda: "rejects" not in left.node.run([lab.adit, "show", "tun-left"]).stdout, "no warning")
    with lab.check("it is logged once"):
        assert left.daemon.log().count("rejects") == 1, left.daemon.log()


@case()
def intended(lab):
    """
    Rules and routes for certain packets are intended, so they are no conflict. Neither are the link-local networks of
    other interfaces.
    """
    left, _ = lay(lab)
    left.addresses.append("fe80::7/64")
    left.start()
    left.node.ping(BEYOND[4])
    for command in ("ip rule add from 10.9.1.7 lookup 77 pref 5", "ip rule add from all lookup 78 pref 6",
                    "ip route add default via 10.9.1.1 dev wan table 77", "ip rule add to 192.0.2.64/26 lookup main pref 7",
                    "ip rule add lookup main suppress_prefixlength 0 pref 8", "ip rule add fwmark 51820 lookup 77 pref 9",
                    "ip rule add from 10.7.0.9 lookup 51820 pref 10", "ip route add 203.0.113.64/26 via 10.9.1.1",
                    "ip address add 10.7.0.99/24 dev tun-left",
                    "ip address add fd07::99/64 dev tun-left nodad preferred_lft 0",
                    "ip address add fe80::1/64 dev tun-left nodad", "ip -6 route add fd07::/64 dev wan metric 2000"):
        left.node.run(command)
    time.sleep(1)
    with lab.check("nothing is logged, and all of them stay"):
        assert "WARN" not in left.daemon.log().upper() and "takes traffic" not in left.daemon.log(), left.daemon.log()
        assert len(left.node.run("ip rule").stdout.splitlines()) == 11, left.node.run("ip rule").stdout
        left.node.ping(BEYOND[4])


@case()
def other_source(lab):
    """An address of another program becomes the one from which the kernel sends."""
    left, _ = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])
    for address in "10.7.0.99/24", "10.8.0.99/24":
        with lab.check(f"the conflict with {address} is named"):
            left.node.run(f"ip address add {address} dev tun-left")
            left.node.run("ip address del 10.7.0.1/24 dev tun-left")
            line = f"address {address} of another program precedes 10.7.0.1/24 as the source of packets"
            wait_for(lambda: line in left.daemon.log(), line)
            assert address in left.node.run("ip address show tun-left").stdout
        with lab.check(f"without {address} the tunnel works again"):
            left.node.run(f"ip address del {address} dev tun-left")
            wait_for(lambda: "precedes" not in left.node.run([lab.adit, "show", "tun-left"]).stdout, "no warning")
            left.node.ping(BEYOND[4])
    with lab.check("the kernel prefers the latest IPv6 address: the conflict is named until it is deleted"):
        left.node.run("ip address add fd07::99/64 dev tun-left nodad")
        line = "address fd07::99/64 of another program is the source of packets into the tunnel"
        wait_for(lambda: line in left.daemon.log(), line)
        left.node.run("ip address del fd07::99/64 dev tun-left")
        wait_for(lambda: line not in left.node.run([lab.adit, "show", "tun-left"]).stdout, "no warning")
        left.node.ping(BEYOND[6])


@case()
def source_of_a_network(lab):
    """The restored route to the network of an address has this address as its source, also if others are restored."""
    left, right = lay(lab, allowed=["10.7.0.0/24", "198.51.100.0/24"])
    left.addresses = ["10.6.0.1/32", *left.addresses, "10.8.0.9/24", "10.8.0.3/24"]
    left.start()
    with lab.check("the source is that of the start"):
        left.node.ping(right.v4)
        left.node.run("ip route flush dev tun-left")
        wait_for(lambda: f"proto {PROTO}" in left.node.run("ip route show 10.7.0.0/24").stdout, "the route")
        for to, source in (right.v4, "10.7.0.1"), ("10.8.0.77", "10.8.0.9"):
            wait_for(lambda: f"src {source} " in left.node.run(f"ip route get {to}").stdout, f"packets from {source}")
        left.node.ping(right.v4)


@case()
def address_of_a_hook(lab):
    """If the file leaves the IPv6 address to a hook, this address is the right source."""
    left, _ = lay(lab, allowed=["10.7.0.0/24", "fd07::/64"], PostUp="ip address add fd07::1/64 dev %i nodad")
    left.addresses.remove("fd07::1/64")
    left.start()
    with lab.check("it is no conflict"):
        left.node.ping("fd07::2")
        left.node.run("ip address del 10.7.0.1/24 dev tun-left")
        wait_for(lambda: "10.7.0.1/24" in left.node.run("ip address show tun-left").stdout, "a look")
        left.node.ping("10.7.0.2")
        assert "source of packets" not in left.daemon.log(), left.daemon.log()


@case()
def contested(lab):
    """Another program deletes a rule whenever it comes back."""
    left, _ = lay(lab)
    left.start()
    used = left.daemon.cpu_seconds()
    begin = time.monotonic()
    while time.monotonic() - begin < 8:
        left.node.run("ip rule del lookup 51820", check=False)
        time.sleep(0.02)
    used = left.daemon.cpu_seconds() - used
    with lab.check("one warning, and little work"):
        assert left.daemon.log().count("another program keeps changing") == 1, left.daemon.log()
        assert used < 0.8, f"{used} s of CPU in 8 s"
    with lab.check("when it ends, the rule stays"):
        wait_for(lambda: "lookup 51820" in left.node.run("ip rule").stdout, "the rule")


@case()
def idle(lab):
    left, _ = lay(lab)
    left.start()
    time.sleep(1)
    with lab.check("without events nothing is looked at"):
        used = left.daemon.cpu_seconds()
        time.sleep(3)
        assert left.daemon.cpu_seconds() == used


@case()
def reload_repairs(lab):
    left, right = lay(lab)
    left.start()
    left.node.ping(BEYOND[4])
    before = inner_state(left.node)
    with lab.check("a reload of an unchanged file repairs at once"):
        left.daemon.halt()
        flush(left.node, "route flush table 51820")
        flush(left.node, "address flush dev tun-left")
        left.daemon.process.send_signal(signal.SIGCONT)
        left.reload()
        assert not (difference := changes(before, inner_state(left.node))), difference
        left.node.ping(BEYOND[4])


@case(bars=True)
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
        with lab.check(f"{event}: all is as before"):
            OTHERS[event](left.node)
            bar_of_repair(lab, repaired(left.node, before))
            left.node.ping(BEYOND[4])
    for number in 1, 2:
        with lab.check(f"one route is deleted, time {number}"):
            left.node.run("ip route del 11.7.9.0/24")
            bar_of_repair(lab, repaired(left.node, before))
    with lab.check("another program replaces one route, and deletes its own later"):
        line = "route 11.7.9.0/24: already on dev wan"
        left.node.run("ip route replace 11.7.9.0/24 via 10.9.1.1 dev wan")
        wait_for(lambda: line in left.node.run([lab.adit, "show", "tun-left"]).stdout, line)
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
        reloading = subprocess.Popen(left.node.words([lab.adit, "reload", left.interface]), stdout=subprocess.DEVNULL)
        left.node.run("ip route del 11.7.9.0/24")
        assert reloading.wait(TIMEOUT) == 0
        repaired(left.node, {name: "\n".join(sorted(text.splitlines())) for name, text in before.items()})
    with lab.check("afterwards it is quiet"):
        time.sleep(2)
        used = left.daemon.cpu_seconds()
        time.sleep(2)
        assert left.daemon.cpu_seconds() == used


# --- scale ------------------------------------------------------------------------------------------------------------

@case(alone=True, slow=True)
def foreign_routes(lab):
    """A routing daemon changes 100,000 routes."""
    left, right = lay(lab)
    left.start()
    left.node.ping(right.v4)
    batch = "".join(f"route add 10.{100 + number // 25600}.{number // 100 % 256}.{number % 100} via 10.9.1.1 dev wan "
                    f"proto {'bird' if number % 2 else 'static'}\n" for number in range(100_000))
    used, begin = left.daemon.cpu_seconds(), time.monotonic()
    for text in batch, batch.replace("route add", "route del"):
        left.node.run("ip -batch -", input=text)
    seconds, used = time.monotonic() - begin, left.daemon.cpu_seconds() - used
    with lab.check("100,000 foreign routes come and go: less than 5 % of a processor"):
        assert used < 0.05 * seconds, f"{used:.2f} s of CPU in {seconds:.2f} s"
    left.node.ping(right.v4)
