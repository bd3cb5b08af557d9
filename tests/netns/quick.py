# SPDX-License-Identifier: MIT
"""
wg-quick(8) with adit instead of wireguard-go: WG_QUICK_USERSPACE_IMPLEMENTATION=adit wg-quick up FILE.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
    run by wg-quick                     lo  203.0.113.7, 2001:db8:7::7

wg-quick searches its own directory before $PATH, so it would prefer an installed adit to the adit under test. The cases
therefore run a copy of wg-quick, from a directory that contains the adit under test and a resolvconf.
"""

import os
import shutil
import subprocess

from device_life import processes
from ends import DEVICES, End, host_port, key, pair
from lab import Skip, case, wait_for
from life import changes, network_state
from traffic import MIB, both_ways

TOOLS = "/run/tools"
TOOLS_ADIT, TOOLS_QUICK = f"{TOOLS}/adit", f"{TOOLS}/wg-quick"
HOOKS = "/run/hooks"  # output of the hooks
RESOLVER = "nameserver 192.0.2.53\n"
RESOLVCONF = f"""#!/bin/sh
case $1 in
-a) cat >/etc/resolv.conf ;;
-d) printf '{RESOLVER}' >/etc/resolv.conf ;;
esac
"""
BEYOND = {4: "203.0.113.7", 6: "2001:db8:7::7"}


class Quick(End):
    """An end that wg-quick sets up and down."""

    def start(self):
        self.quick("up", self.write())

    def quick(self, verb, path, check=True):
        variables = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "WG_QUICK_USERSPACE_IMPLEMENTATION": "adit"}
        return self.node.run([TOOLS_QUICK, verb, path], check=check, env={**os.environ, **variables})

    def down(self):
        """Sets the tunnel down and waits for the end of its daemon, which wg-quick does not do."""
        self.quick("down", f"/run/{self.interface}.conf")
        wait_for(lambda: not processes(TOOLS_ADIT), "the end of the daemon")

    def wg(self, verb, *arguments):
        return self.node.run(["wg", verb, self.interface, *arguments]).stdout


def write_tool(name, text):
    with open(os.open(f"{TOOLS}/{name}", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
        file.write(text)


def prepare(lab):
    """Creates the directory of tools, and an /etc that belongs to this case."""
    os.makedirs(TOOLS)
    shutil.copy(lab.adit, TOOLS_ADIT)  # a copy, so that processes() does not count the daemon of right
    shutil.copy(shutil.which("wg-quick"), TOOLS_QUICK)
    write_tool("resolvconf", RESOLVCONF)
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    if os.path.lexists("/etc/resolv.conf"):
        os.unlink("/etc/resolv.conf")  # often a symbolic link into the /run of the host
    with open("/etc/resolv.conf", "w") as file:
        file.write(RESOLVER)


def lay(lab, right="adit", allowed=None, **settings):
    """Returns left, which wg-quick has not set up yet, and right, which runs."""
    prepare(lab)
    left, right = pair(lab, left=Quick, right=DEVICES[right], start=False)
    left.settings = settings
    if allowed:
        left.peers[0]["AllowedIPs"] = allowed
    for address in BEYOND.values():
        right.node.add_address("lo", address)
    right.start()
    return left, right


def check_kernel(node):
    """wg-quick starts a program only if the kernel has no WireGuard."""
    if not node.run("ip link add probe type wireguard", check=False).returncode:
        node.run("ip link del probe")
        raise Skip("needs a kernel without WireGuard")


def read(path):
    with open(path) as file:
        return file.read()


def check_down(end, before, resolver=RESOLVER):
    left_behind = changes(before, network_state(end.node))
    assert not left_behind, left_behind
    assert read("/etc/resolv.conf") == resolver, read("/etc/resolv.conf")
    assert not os.path.exists(f"/var/run/wireguard/{end.interface}.sock"), "the socket is left"


def several(hooks):
    """Returns the hooks as the value of the first one. A dict cannot contain the same key several times."""
    return "\n".join([hooks[0][1], *(f"{name} = {value}" for name, value in hooks[1:])])


@case(right=["adit", "wireguard-go"])
def default_route(lab, right):
    hooks = [("PreUp", f"echo PreUp %i >{HOOKS}"), ("PostUp", f"wg show %i public-key >>{HOOKS}"),
             ("PostUp", f"ping -c 1 -W 3 10.7.0.2 >/run/post-up && echo PostUp %i >>{HOOKS}"),
             ("PreDown", f"wg show %i latest-handshakes >/run/pre-down; echo PreDown %i >>{HOOKS}"),
             ("PostDown", f"echo PostDown %i >>{HOOKS}")]
    left, right = lay(lab, right, "0.0.0.0/0, ::/0", DNS="10.7.0.2, fd07::2, example.org", PreUp=several(hooks))
    left.node.set("net/ipv4/conf/all/src_valid_mark", 1)  # wg-quick sets it, and it stays
    before = network_state(left.node)
    with lab.check("wg-quick starts adit because the kernel has no WireGuard"):
        check_kernel(left.node)
    for number in 1, 2, 3:
        with lab.check(f"up, time {number}: hooks, DNS, MTU, mark"):
            left.start()
            assert read(HOOKS) == f"PreUp tun-left\n{left.public}\nPostUp tun-left\n", read(HOOKS)
            assert read("/etc/resolv.conf") == "nameserver 10.7.0.2\nnameserver fd07::2\nsearch example.org\n"
            assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1420
            assert left.wg("show", "fwmark").strip() == "0xca6c"
            assert processes(TOOLS_ADIT) > 0
        with lab.check(f"up, time {number}: traffic to anywhere goes through the tunnel"):
            for family in 4, 6:
                left.node.ping(BEYOND[family])
                both_ways(left.node, left.inner(family), right.node, BEYOND[family], 4 * MIB)
        with lab.check(f"down, time {number}: nothing is left"):
            left.down()
            assert read(HOOKS).endswith("PreDown tun-left\nPostDown tun-left\n"), read(HOOKS)
            assert right.public in read("/run/pre-down")
            check_down(left, before)


@case()
def saved(lab):
    left, right = lay(lab, SaveConfig="true")
    before = network_state(left.node)
    added = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    with lab.check("settings made by wg(8) are saved by down and restored by up"):
        left.start()
        left.node.ping(right.v4)
        left.wg("set", "peer", added, "allowed-ips", "10.7.3.0/24", "endpoint", host_port("192.0.2.9"),
                "persistent-keepalive", "25")
        shown = left.wg("showconf")
        left.down()
        check_down(left, before)
        left.quick("up", "/run/tun-left.conf")
        assert sorted(left.wg("showconf").splitlines()) == sorted(shown.splitlines())
        left.node.ping(right.v4)


@case()
def failing_hook(lab):
    left, _ = lay(lab, PostUp="false", DNS="10.7.0.2")
    before = network_state(left.node)
    with lab.check("a failing hook undoes everything"):
        done = left.quick("up", left.write(), check=False)
        assert done.returncode, done.stderr
        wait_for(lambda: not processes(TOOLS_ADIT), "the end of the daemon")
        check_down(left, before)
    with lab.check("without the hook, up and down work"):
        left.settings.pop("PostUp")
        left.start()
        left.down()
        check_down(left, before)


@case()
def many_times(lab):
    left, right = lay(lab)
    before = network_state(left.node)
    with lab.check("up, and down as soon as up returns, 10 times"):
        for _ in range(10):
            left.start()
            left.down()
        check_down(left, before)
    with lab.check("the tunnel works after the last up"):
        left.start()
        left.node.ping(right.v4)
