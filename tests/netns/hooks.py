# SPDX-License-Identifier: MIT
"""
Hooks, SaveConfig, and adit up and down; hooks and DNS calls are compared with those of wg-quick(8) and wireguard-go.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
    runs the hooks                      lo  203.0.113.7, 2001:db8:7::7

The tools that set name servers are scripts in /run/tools that write their calls to /run/calls, as the hooks do.
"""

import os
import re
import signal
import socket
import subprocess

from device_life import processes
from ends import Adit, host_port, key, pair
from lab import case, wait_for
from life import changes, network_state
from quick import BEYOND, RESOLVER, TOOLS, check_kernel, prepare, read, several, write_tool

CALLS = "/run/calls"
RESOLVED = "/run/systemd/resolve"
FILE = "/run/tun-left.conf"

# As openresolv does: one entry per interface, and an exclusive one determines resolv.conf alone. -u writes the file.
RESOLVCONF = f"""#!/bin/sh
until [ ! -e /run/slow ]; do sleep 0.05; done
update() {{
    {{ cat /run/resolvconf/* 2>/dev/null || printf '{RESOLVER}'; }} >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
}}
mkdir -p /run/resolvconf
echo "resolvconf $*" >>{CALLS}
case $1 in
-a) input=$(cat); echo "$input" >>{CALLS}; [ ! -e /run/broken ] || {{ echo 'what went wrong'; exit 4; }}
    [ "$input" = "$(cat /run/resolvconf/$2 2>/dev/null)" ] || {{ echo "$input" >/run/resolvconf/$2; update; }} ;;
-d) rm -f /run/resolvconf/$2; update ;;
-u) update ;;
esac
"""
RESOLVECTL = f"""#!/bin/sh
verb=$1 link=$2
[ $# -lt 3 -a $verb != revert ] || echo "resolvectl $*" >>{CALLS}
[ ! -e /run/broken ] || exit 1
case $verb in
dns|domain)
    shift 2
    if [ $# -gt 0 ]; then echo "$*" >/run/resolved.$verb; else echo "Link 7 ($link): $(cat /run/resolved.$verb)"; exit; fi ;;
revert) rm /run/resolved.* ;;
esac
cat /run/resolved.dns >{RESOLVED}/new 2>/dev/null
mv {RESOLVED}/new {RESOLVED}/resolv.conf
"""


def calls():
    return read(CALLS).splitlines() if os.path.exists(CALLS) else []


def forget_calls():
    if os.path.exists(CALLS):
        os.unlink(CALLS)


def record(*points):
    """Hooks that write their names to the list of calls."""
    return [(point, f"echo {point} %i >>{CALLS}") for point in points]


POINTS = ("PreUp", "PostUp", "PreDown", "PostDown")
ALL = [hook for point in POINTS for hook in record(point, point)]


def set_tools(resolvconf=True):
    """Replaces the tools of the host by those of this suite; see `prepare`."""
    os.environ["PATH"] = f"{TOOLS}:{os.environ['PATH']}"
    if resolvconf:
        write_tool("resolvconf", RESOLVCONF)
    else:
        os.unlink(f"{TOOLS}/resolvconf")


def start_resolved():
    """Makes systemd-resolved look alive. Returns its socket."""
    os.makedirs(RESOLVED, exist_ok=True)
    write_tool("resolvectl", RESOLVECTL)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{RESOLVED}/io.systemd.Resolve")
    listener.listen()
    return listener


class Upped(Adit):
    """An end that runs in the background, by adit up and adit down."""

    def start(self):
        done = self.up()
        assert not done.returncode, done.stderr
        return self

    def up(self, *options):
        path = self.write()
        # A file as standard error: a pipe would only end with the hooks in the background.
        with open("/run/up.log", "w+") as log:
            done = subprocess.run(self.node.words([self.node.lab.adit, "up", *options, path]), stderr=log, timeout=60)
            log.seek(0)
            done.stderr = log.read()
        return done

    def down(self, argument=None):
        return self.node.run([self.node.lab.adit, "down", argument or self.interface], check=False)


def lay(lab, left=Upped, hooks=(), allowed=None, **settings):
    """Returns left, which has not been started, and right, which runs."""
    prepare(lab)
    set_tools()
    left, right = pair(lab, left=left, start=False)
    left.settings = settings
    if hooks:
        left.settings[hooks[0][0]] = several(hooks)
    if allowed:
        left.peers[0]["AllowedIPs"] = allowed
    for address in BEYOND.values():
        right.node.add_address("lo", address)
    right.start()
    return left, right


def check_nothing_left(end, before):
    left_behind = changes(before, network_state(end.node))
    assert not left_behind, left_behind
    assert read("/etc/resolv.conf") == RESOLVER, read("/etc/resolv.conf")
    assert not os.path.exists(f"/var/run/wireguard/{end.interface}.sock"), "the socket is left"


# --- the same as wg-quick ---


def wg_quick(end, verb):
    variables = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"}
    return end.node.run([f"{TOOLS}/wg-quick", verb, FILE], check=False, env={**os.environ, **variables}).returncode


def up_and_down(up, down):
    """Returns whether up and down succeeded, and their calls. wg-quick exits with the status of the hook that fails."""
    forget_calls()
    done = [not up()]
    calls_up = calls()
    if done[0]:
        done.append(not down())
    return done, calls_up, calls()[len(calls_up):]


DNS = {"DNS": "10.7.0.2, example.org  fd07::2,corp.example.org"}
FILES = {
    "hooks": ({}, ALL),
    "dns": (DNS, ALL),
    "search domains only": ({"DNS": "example.org"}, ALL),
    "several DNS lines": ({"DNS": "10.7.0.2\nDNS = example.org\nDNS = 10.7.0.3"}, ALL),
    "no hooks": (DNS, []),
    "PreUp fails": (DNS, [*ALL, ("PreUp", "exit 3"), *record("PreUp")]),
    "PostUp fails": (DNS, [*ALL, ("PostUp", "false; true"), *record("PostUp")]),
    "PreDown fails": (DNS, [*ALL, ("PreDown", "false | true"), *record("PreDown")]),
    "PostDown fails": (DNS, [*ALL, ("PostDown", "no-such-command"), *record("PostDown")]),
    "bash": ({}, [("PostUp", f"cat <(echo %i) >>{CALLS}; [[ %i == tun-+(left|right) ]] && echo matched >>{CALLS}")]),
    "state": ({}, [("PreUp", f"ip -br link show %i 2>&1 | wc -l >>{CALLS}"),
                   ("PostUp", f"ip -br address show %i | grep -o 10.7.0.1/24 >>{CALLS}"),
                   ("PostUp", f"ip route show dev %i | grep -o 10.7.0.0/24 >>{CALLS}"),
                   ("PostUp", f"wg show %i listen-port >>{CALLS}"),
                   ("PreDown", f"wg show %i listen-port >>{CALLS}"),
                   ("PostDown", f"test -e /sys/class/net/%i || echo gone >>{CALLS}")]),
    "environment": ({}, [("PostUp", f"env | grep ^WG_ | grep -cv ^WG_QUICK_ >>{CALLS} || true; echo $LC_ALL >>{CALLS}")]),
}


@case(file=list(FILES))
def as_wg_quick(lab, file):
    """The same hooks and DNS calls in the same order, and the same exit codes."""
    settings, hooks = FILES[file]
    left, right = lay(lab, hooks=hooks, **settings)
    before = network_state(left.node)
    left.write()

    with lab.check("wg-quick can start wireguard-go, because the kernel has no WireGuard"):
        check_kernel(left.node)
        expected = up_and_down(lambda: wg_quick(left, "up"), lambda: wg_quick(left, "down"))
        if left.node.has_link("tun-left"):
            assert expected[0] == [True, False]
            left.node.run("ip link delete tun-left")
        wait_for(lambda: not processes("/usr/bin/wireguard-go"), "the end of wireguard-go")
        left.node.run("resolvconf -d tun-left -f")
    with lab.check("adit up and adit down do the same"):
        found = up_and_down(lambda: left.up().returncode, lambda: left.down().returncode)
        assert found == expected, f"{found}, not {expected}"
    if left.node.has_link("tun-left"):
        with lab.check("a signal ends the tunnel in spite of PreDown"):
            assert file == "PreDown fails"
            left.node.run(f"{lab.adit} stop tun-left")
    with lab.check("nothing is left"):
        wait_for(lambda: processes(lab.adit) == 1, "the end of the daemon")
        check_nothing_left(left, before)


@case()
def adit_run(lab):
    """adit run has the same sequence, and its exit status shows a failure."""
    left, _ = lay(lab, Adit, ALL, **DNS)
    before = network_state(left.node)
    names = ["PreUp tun-left"] * 2, ["PostUp tun-left"] * 2, ["PreDown tun-left"] * 2, ["PostDown tun-left"] * 2
    added = ["resolvconf -a tun-left -m 0 -x", "nameserver 10.7.0.2", "nameserver fd07::2",
             "search example.org corp.example.org"]
    with lab.check("READY comes after PostUp"):
        left.start()
        assert calls() == [*names[0], *added, *names[1]], calls()
    with lab.check("SIGTERM runs PreDown, removes the servers, and runs PostDown"):
        forget_calls()
        assert left.stop() == 0
        assert calls() == [*names[2], "resolvconf -d tun-left -f", *names[3]], calls()
        check_nothing_left(left, before)
    with lab.check("a second daemon for the interface runs no hook"):
        forget_calls()
        left.start()
        up = calls()
        second = left.node.start("second", [lab.adit, "run", left.write()])
        assert second.wait() == 1 and "another process uses it" in second.log(), second.log()
        assert calls() == up, calls()
        assert left.stop() == 0
    for point in POINTS:
        status = 2 if point in ("PreDown", "PostDown") else 1  # adit@.service is not started again after 2
        with lab.check(f"a failure of {point}: exit status {status}, and one line with the command"):
            left.settings = {point: "echo 'what went wrong'; exit 7"}
            daemon = left.node.start(f"failing-{point}", [lab.adit, "run", left.write()])
            if point in ("PreDown", "PostDown"):
                wait_for(lambda: ": up: " in daemon.log(), "the start")
                daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait() == status
            assert daemon.log().count(f"tun-left: {point}: failed with status 7: echo 'what went wrong'; exit 7\n") == 1
            assert f"tun-left: {point}: what went wrong\n" in daemon.log()
            check_nothing_left(left, before)


# --- while a hook runs ---


@case()
def packets_flow(lab):
    left, right = lay(lab, Adit, [("PostUp", "ping -n -c 1 -W 5 10.7.0.2"),
                                  ("PostUp", "wg set %i peer $(wg show %i peers) persistent-keepalive 7"),
                                  ("PostUp", "touch /run/up-begins; until [ -e /run/go ]; do sleep 0.05; done"),
                                  ("PreDown", "ping -n -c 1 -W 5 10.7.0.2"),
                                  ("PreDown", "touch /run/down-begins; until [ -e /run/go ]; do sleep 0.05; done"),
                                  ("PostDown", "test ! -e /sys/class/net/%i")])
    path = "/run/left.notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.setblocking(False)
        left.daemon = left.node.start("tun-left", [lab.adit, "run", left.write()], dump_signal=signal.SIGUSR1,
                                      env={**os.environ, "NOTIFY_SOCKET": path})
        with lab.check("packets flow and wg(8) is answered while PostUp runs"):
            wait_for(lambda: os.path.exists("/run/up-begins"), "the last PostUp")
            right.node.ping(left.v4, count=20, options="-i 0.02")
            assert left.node.run("wg show tun-left persistent-keepalive").stdout.endswith("\t7\n")
        with lab.check("a reload is refused while PostUp runs"):
            done = left.node.run(f"{lab.adit} reload tun-left", check=False)
            assert done.returncode == 1 and done.stderr.startswith("the tunnel is still starting\n"), done
            left.daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: left.daemon.log().count("still starting") == 2, "the refusal of SIGHUP")
        with lab.check("the service is not ready before the end of PostUp"):
            assert not left.ready(notify)
            with open("/run/go", "w"):
                pass
            wait_for(lambda: left.ready(notify), "READY=1")
    os.unlink("/run/go")
    with lab.check("packets flow while PreDown runs"):
        left.daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: os.path.exists("/run/down-begins"), "the last PreDown")
        right.node.ping(left.v4, count=20, options="-i 0.02")
        left.node.run(f"{lab.adit} reload tun-left")
        done = left.node.run(f"{lab.adit} down tun-left", check=False)
        assert done.returncode == 1 and done.stderr == "adit down: `tun-left' is going down already\n", done
    with lab.check("PostDown runs when the interface is gone"):
        with open("/run/go", "w"):
            pass
        assert left.daemon.wait() == 0, left.daemon.tail()


@case()
def output_and_time_limit(lab):
    left, _ = lay(lab, Adit, [("PostUp", "seq 3; printf 'no newline' >&2"), ("PostUp", "(sleep 0.5; echo late) &")])
    before = network_state(left.node)
    with lab.check("the output of a hook is in the log, line by line, also that of its programs in the background"):
        left.start()
        wait_for(lambda: "tun-left: PostUp: late\n" in left.daemon.log(), "the late line")
        for line in "1", "2", "3", "no newline":
            assert f"tun-left: PostUp: {line}\n" in left.daemon.log(), line
        assert left.stop() == 0
    with lab.check("a flood of output is cut"):
        left.settings = {"PostUp": "seq 100000; sleep 0.1; echo the end"}
        left.start()
        assert 400 < left.daemon.log().count("PostUp: ") < 2000
        assert "lines of output not shown" in left.daemon.log()
        assert left.stop() == 0
    os.environ["ADIT_HOOK_TIMEOUT"] = "0.5"
    for point in POINTS:
        with lab.check(f"{point} is killed after its time limit, with all of its processes"):
            left.settings = {point: "sleep 1000 & sleep 2000"}
            daemon = left.node.start(f"slow-{point}", [lab.adit, "run", left.write()])
            if point in ("PreDown", "PostDown"):
                wait_for(lambda: ": up: " in daemon.log(), "the start")
                daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait() == (2 if point in ("PreDown", "PostDown") else 1)
            assert daemon.log().count(f"{point}: killed after 0.5 s: sleep 1000 & sleep 2000\n") == 1, daemon.log()
            wait_for(lambda: not processes("/usr/bin/sleep"), "the end of the hook")
            check_nothing_left(left, before)


@case()
def signals(lab):
    """A signal during a hook kills the hook, and ends the daemon as usual."""
    left, _ = lay(lab, Adit, **DNS)
    before = network_state(left.node)
    for point in "PreUp", "PostUp", "PreDown", "PostDown":
        for number in signal.SIGTERM, signal.SIGINT:
            with lab.check(f"{number.name} during {point}"):
                left.settings = {**DNS, point: "touch /run/begins; sleep 1000"}
                daemon = left.node.start(f"{point}-{number.name}", [lab.adit, "run", left.write()])
                if point in ("PreDown", "PostDown"):
                    wait_for(lambda: ": up: " in daemon.log(), "the start")
                    daemon.process.send_signal(signal.SIGTERM)
                wait_for(lambda: os.path.exists("/run/begins"), "the hook")
                daemon.process.send_signal(number)
                daemon.wait()
                wait_for(lambda: not processes("/usr/bin/sleep"), "the end of the hook")
                check_nothing_left(left, before)
                os.unlink("/run/begins")
    

@case()
def stopped_during_down(lab):
    """`adit stop` or a signal during `adit down`: the tunnel ends in any case, as it does without `adit down`."""
    left, _ = lay(lab, hooks=[("PreDown", "touch /run/begins; sleep 1; false"), *record("PreDown", "PostDown")],
                  SaveConfig="true")
    added = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    with lab.check("all commands run, the file is saved, and adit down reports the failure"):
        left.start()
        left.node.run(["wg", "set", "tun-left", "peer", added, "persistent-keepalive", "25"])
        down = subprocess.Popen(left.node.words([lab.adit, "down", "tun-left"]), stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists("/run/begins"), "the first PreDown")
        assert not left.node.run(f"{lab.adit} stop tun-left", check=False).returncode
        assert down.wait(60) == 1
        assert calls() == ["PreDown tun-left", "PostDown tun-left"], calls()
        assert added in read(FILE)


@case()
def lost_during_a_hook(lab):
    """The interface is deleted while PostUp runs: a failure, so that the service manager starts the daemon again."""
    left, _ = lay(lab, Adit, [("PostUp", "touch /run/begins; sleep 1000"), *record("PreDown", "PostDown")])
    before = network_state(left.node)
    with lab.check("the hook is killed, and the exit status is 1"):
        daemon = left.node.start("lost", [lab.adit, "run", left.write()])
        wait_for(lambda: os.path.exists("/run/begins"), "the hook")
        left.node.run("ip link delete tun-left")
        assert daemon.wait() == 1
        assert "the interface was deleted" in daemon.log() and not calls()
        wait_for(lambda: not processes("/usr/bin/sleep"), "the end of the hook")
        check_nothing_left(left, before)


@case(end=["stop", "delete", "hook", "hook-down"])
def hooks_at_the_end(lab, end):
    """
    adit stop and the loss of the interface run PreDown and PostDown, so that each PostUp is undone. The loss of the
    interface is reported by several events, some of them while a hook runs. A hook can cause the loss, too.
    """
    lose = "ip link delete %i; " if end.startswith("hook") else ""
    left, _ = lay(lab, Adit, [*record("PreDown"), ("PreDown", f"{lose}sleep 0.5; false"),
                              *record("PreDown", "PostDown")])
    before = network_state(left.node)
    left.start()
    with lab.check(f"{end}: all hooks run, although one fails"):
        if end == "delete":
            left.node.run("ip link delete tun-left")
        elif end == "hook-down":
            assert left.node.run(f"{lab.adit} down tun-left", check=False).returncode
        else:
            left.node.run(f"{lab.adit} stop tun-left")
        assert left.daemon.wait() == (2 if end == "stop" else 1)
        assert calls() == ["PreDown tun-left", "PreDown tun-left", "PostDown tun-left"], calls()
        check_nothing_left(left, before)


# --- kill switch ---

KILL_SWITCH = [
    ("PostUp", "nft add table inet kill; nft add chain inet kill out '{ type filter hook output priority 0; }'"),
    ("PostUp", "nft add rule inet kill out oifname != %i meta mark != $(wg show %i fwmark) fib daddr type != local drop"),
    ("PreDown", "nft delete table inet kill"),
]


@case()
def kill_switch(lab):
    left, right = lay(lab, Adit, KILL_SWITCH, allowed="0.0.0.0/0, ::/0")
    left.node.set("net/ipv4/conf/all/src_valid_mark", 1)
    before = network_state(left.node)
    with lab.check("with the kill switch, traffic goes through the tunnel or nowhere"):
        left.start()
        left.node.ping(BEYOND[4])
        left.node.ping(BEYOND[6])
        left.node.run("ip rule add pref 1 to 192.0.2.2 lookup main")  # leads it past the tunnel
        left.node.no_answer("192.0.2.2")
        left.node.run("ip rule del pref 1 to 192.0.2.2 lookup main")
    with lab.check("PreDown opens it again"):
        assert left.stop() == 0
        left.node.ping("192.0.2.2")
        check_nothing_left(left, before)
    with lab.check("if the kill switch cannot be set, the tunnel does not start"):
        left.settings = {"PostUp": "no-such-firewall -I OUTPUT ! -o %i -j REJECT"}
        daemon = left.node.start("open", [lab.adit, "run", left.write()])
        assert daemon.wait() == 1
        check_nothing_left(left, before)


# --- SaveConfig ---


@case()
def save_config(lab):
    left, right = lay(lab, Adit, SaveConfig="true", PostUp="true # keep this")
    left.settings["ListenPort"] = left.port
    private = left.private
    text = left.text().replace(f"ListenPort = {left.port}\n", "", 1)
    text = f"# a tunnel\n{text}# the end\n"

    def start():
        left.write = lambda: FILE
        left.start()

    def write(content, mode=0o600):
        with open(os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(content)
        os.chmod(FILE, mode)

    write(text)
    added = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    with lab.check("a state that equals the file leaves it alone"):
        inode = os.stat(FILE).st_ino
        start()
        left.node.ping(right.v4)
        assert left.stop() == 0
        assert read(FILE) == text and os.stat(FILE).st_ino == inode
    with lab.check("settings of wg(8) and ip(8) are saved, and lines that do not change stay"):
        start()
        left.node.run(["wg", "set", "tun-left", "listen-port", "4321", "fwmark", "0x99", "peer", added, "allowed-ips",
                       "10.7.3.0/24,fd07:3::/64", "endpoint", host_port("2001:db8::9"), "persistent-keepalive", "25"])
        left.node.run(["wg", "set", "tun-left", "peer", right.public, "persistent-keepalive", "11"])
        left.node.run("ip address add 10.7.9.1/24 dev tun-left")
        left.node.run("ip address add 10.7.9.2/24 dev tun-left label tun-left:1")
        shown = left.node.run("wg showconf tun-left").stdout
        assert left.stop() == 0
        saved = read(FILE)
        assert saved.startswith("# a tunnel\n[Interface]\n") and "# the end\n" in saved, saved
        assert "PostUp = true # keep this\n" in saved and "SaveConfig = true\n" in saved
        assert "10.7.9.1/24" in saved and "10.7.9.2/24" in saved and os.stat(FILE).st_mode & 0o7777 == 0o600
    with lab.check("the next start restores the state, and saves the same file"):
        start()
        assert sorted(left.node.run("wg showconf tun-left").stdout.splitlines()) == sorted(shown.splitlines())
        assert left.stop() == 0
        assert read(FILE) == saved
    with lab.check("a random port is not saved"):
        start()
        left.node.run("wg set tun-left listen-port 0")
        assert left.node.run("wg show tun-left listen-port").stdout.strip() != "4321"
        assert left.stop() == 0
        assert read(FILE) == saved, read(FILE)
    with lab.check("addresses that the kernel deletes with the link stay in the file"):
        start()
        left.node.run("ip link set tun-left down")
        assert left.stop() == 0
        assert "fd07::1" in read(FILE) and read(FILE) == saved, read(FILE)
    with lab.check("an address of a renamed interface is saved"):
        start()
        left.node.run("ip link set tun-left down", check=False)  # old kernels rename only a link that is down
        left.node.run("ip link set tun-left name renamed")
        left.node.run("ip address add 10.7.9.3/24 dev renamed")
        assert left.stop() == 0
        assert "10.7.9.3/24" in read(FILE), read(FILE)
    with lab.check("a removed peer and a new private key are saved"):
        start()
        private = key(lab.adit, "genkey")
        left.node.run(["wg", "set", "tun-left", "peer", added, "remove"])
        left.node.run(["wg", "set", "tun-left", "private-key", "/dev/stdin"], input=private)
        assert left.stop() == 0
        assert added not in read(FILE) and private in read(FILE)
    with lab.check("the file of a symbolic link is replaced, not the link"):
        os.rename(FILE, "/run/real")
        os.symlink("real", FILE)
        start()
        left.node.run(["wg", "set", "tun-left", "peer", right.public, "persistent-keepalive", "12"])
        assert left.stop() == 0
        assert os.path.islink(FILE) and "PersistentKeepalive = 12" in read("/run/real")
        assert sorted(name for name in os.listdir("/run") if "real" in name) == ["real"]
    with lab.check("a file that has an error by then is not changed, and the exit status is 2"):
        start()
        write("nonsense\n")
        left.daemon.process.send_signal(signal.SIGTERM)
        assert left.daemon.wait() == 2
        assert "has errors, so it is not changed" in left.daemon.log() and read(FILE) == "nonsense\n"


@case()
def save_config_of_an_included_peer(lab):
    left, _ = lay(lab, SaveConfig="true", Include="/run/peers.d")
    included = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    os.mkdir("/run/peers.d")
    with open(os.open("/run/peers.d/other.conf", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f"[Peer]\nPublicKey = {included}\nAllowedIPs = 10.7.3.0/24\n")
    left.start()
    left.node.run(["wg", "set", "tun-left", "peer", included, "persistent-keepalive", "25"])
    with lab.check("adit down prints that the change of an included peer is not saved"):
        done = left.down()
        assert not done.returncode and "does not edit included files" in done.stderr, done
        assert "/run/peers.d/other.conf" in done.stderr and done.stderr.count("\n") == 1, done
        assert "25" not in read("/run/peers.d/other.conf") and included not in read(FILE)


# --- up and down ---


@case()
def messages(lab):
    left, right = lay(lab)
    before = network_state(left.node)

    def run(*arguments, cwd="/run"):
        done = left.node.run([lab.adit, *arguments], check=False, cwd=cwd)
        return done.returncode, done.stdout + done.stderr

    left.write()
    with lab.check("down without a tunnel"):
        assert run("down", "tun-left") == (1, "adit down: `tun-left' is not an adit interface\n")
        assert run("down", "lo") == (1, "adit down: `lo' is not an adit interface\n")
        assert run("down", "/etc/passwd")[0] == 1
        assert run("down", "-x") == (1, 'adit down: unknown option "-x"; see "adit down --help"\n')
    with lab.check("up without a file, and with a broken one"):
        assert run("up", "nope") == (1, "adit up: `/etc/adit/nope.conf' does not exist\n")
        assert run("up", "./nope.conf") == (1, "adit up: `./nope.conf' does not exist\n")
        words = ["sh", "-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"", "sh", lab.adit, "up", "nope.conf"]
        done = left.node.run(words, check=False, cwd="/run")
        assert (done.returncode, done.stderr) == (1, "adit up: `nope.conf': No such file or directory\n"), done
        with open("/run/broken.conf", "w") as file:
            file.write("nonsense\n")
        code, text = run("up", "broken.conf")
        assert code == 1 and text.startswith("broken.conf:1: error: ") or "broken.conf:1: error: " in text, text
        assert text.endswith("adit up: `broken.conf' has errors\n"), text
    with lab.check("up returns when the tunnel works"):
        done = left.up()
        assert done.returncode == 0 and "tun-left: up: " in done.stderr, done
        left.node.ping(right.v4)
    with lab.check("up again"):
        assert run("up", FILE) == (1, "adit up: `tun-left' already exists\n")
    with lab.check("down returns when the interface is gone and the daemon has ended"):
        assert run("down", "tun-left") == (0, "")
        assert processes(lab.adit) == 1
        check_nothing_left(left, before)
    with lab.check("a relative path, a path in down, and a reload"):
        assert run("up", "./tun-left.conf")[0] == 0
        assert run("reload", "tun-left") == (0, "tun-left: nothing has changed\n")
        assert run("down", "./tun-left.conf") == (0, "")
    with lab.check("a name alone means a file in /etc/adit"):
        os.makedirs("/etc/adit", exist_ok=True)
        os.symlink(FILE, "/etc/adit/tun-left.conf")
        assert run("up", "tun-left")[0] == 0
        assert run("down", "tun-left") == (0, "")
    with lab.check("--strict refuses a file that other users can read, also at a reload"):
        os.chmod(FILE, 0o644)
        code, text = run("up", "--strict", FILE)
        assert code == 1 and text.endswith(f"adit up: `{FILE}' has errors\n"), text
        os.chmod(FILE, 0o600)
        assert run("up", "--strict", FILE)[0] == 0
        os.chmod(FILE, 0o644)
        assert run("reload", "tun-left")[0] == 1
        assert run("down", "tun-left") == (0, "")
        assert run("up", FILE)[0] == 0
        assert run("down", "tun-left") == (0, "")
        os.chmod(FILE, 0o600)
    with lab.check("an interface of another kind"):
        left.node.run("ip tuntap add tun-left mode tap")
        assert run("up", FILE) == (1, "adit up: `tun-left' already exists\n")
        left.node.run("ip link delete tun-left")
    with lab.check("a bare device is left alone by down"):
        left.node.run([lab.adit, "tun-left"])
        assert run("down", "tun-left") == (1, "adit down: `tun-left' is not an adit interface that has a file\n")
        assert run("stop", "tun-left") == (0, "")
    with lab.check("a start that fails: exit status 1, and the reason on standard error"):
        holder = left.node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        holder.bind(("0.0.0.0", left.port))
        code, text = run("up", FILE)
        assert code == 1 and "Address already in use" in text, text
        holder.close()
        check_nothing_left(left, before)
    with lab.check("the log goes to the file of --log, and to standard error until the tunnel is up"):
        code, text = run("up", "--log", "/run/log", FILE)
        assert code == 0 and "tun-left: up: " in text
        assert run("down", "tun-left")[0] == 0
        assert "taken down over the control socket" in read("/run/log")
    with lab.check("the log goes to the system log"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        os.path.exists("/dev/log") and os.unlink("/dev/log")
        listener.bind("/dev/log")
        assert run("up", FILE)[0] == 0
        assert run("down", "tun-left")[0] == 0
        listener.settimeout(5)
        line = listener.recv(4096).decode()
        assert re.match(r"<30>adit\[\d+\]: tun-left: ", line), line
        os.unlink("/dev/log")


@case()
def terminated_up(lab):
    left, _ = lay(lab, PostUp="touch /run/begins; sleep 1000")
    before = network_state(left.node)
    with lab.check("SIGTERM to a waiting adit up undoes the start"):
        up = subprocess.Popen(left.node.words([lab.adit, "up", left.write()]), stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists("/run/begins"), "PostUp")
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 1
        check_nothing_left(left, before)
    with lab.check("without its file, adit down names adit stop, which ends the tunnel"):
        left.settings = {"SaveConfig": "true"}
        left.start()
        os.unlink(FILE)
        done = left.down()
        assert done.returncode == 1 and '"adit stop" ends it' in done.stderr, done
        assert not left.node.run(f"{lab.adit} stop tun-left", check=False).returncode
        check_nothing_left(left, before)


@case()
def many_times(lab):
    left, right = lay(lab, hooks=ALL, **DNS)
    before = network_state(left.node)
    with lab.check("up, and down as soon as up returns, 10 times"):
        for _ in range(10):
            left.start()
            done = left.down()
            assert not done.returncode, done.stderr
        check_nothing_left(left, before)
        assert processes(lab.adit) == 1
    with lab.check("up as soon as the daemon was killed, 5 times"):
        for _ in range(5):
            left.start()
            left.node.run(["pkill", "-KILL", "-f", f"^{lab.adit} up "])
        left.start()
        done = left.down()
        assert not done.returncode, done.stderr
        check_nothing_left(left, before)
    with lab.check("the tunnel works after the last up"):
        left.start()
        left.node.ping(right.v4)
        assert not left.down().returncode
