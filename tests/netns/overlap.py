# SPDX-License-Identifier: MIT
"""
Commands that overlap with the start or the end of a tunnel, and tunnels that were killed. No service manager restarts
them. hooks.py has the topology and the tools.
"""

import os
import signal
import socket
import subprocess

from device_life import processes
from ends import PORT, Adit, key
from hooks import Upped, calls, check_nothing_left, forget_calls, lay, record
from lab import case, wait_for
from life import changes, network_state

EVERYTHING = "0.0.0.0/0, ::/0"
WAIT = "touch /run/begins; until [ -e /run/go ]; do sleep 0.05; done"
POINTS = ("PreUp", "PostUp", "PreDown", "PostDown")


def touch(path):
    with open(path, "w"):
        pass


def begin(node, command):
    """Starts a command whose hook waits for /run/go, and returns when the hook runs."""
    for path in "/run/begins", "/run/go":
        if os.path.exists(path):
            os.unlink(path)
    process = subprocess.Popen(node.words(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists("/run/begins"), "the hook")
    return process


def adit(end, *arguments):
    """Runs adit. Returns its exit code and output."""
    done = end.node.run([end.node.lab.adit, *arguments], check=False)
    return done.returncode, done.stdout + done.stderr


def take_down(end):
    code, text = adit(end, "down", end.interface)
    assert code == 0, text


def waits_for_process(process):
    """Returns whether the process has a pidfd."""
    folder = f"/proc/{process.pid}/fd"
    try:
        return any("pidfd" in os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
    except FileNotFoundError:  # a descriptor was closed meanwhile
        return False


@case(second=["up", "run"])
def two_starts(lab, second):
    left, right = lay(lab, hooks=[*record("PreUp"), ("PreUp", WAIT)])
    before = network_state(left.node)
    path = left.write()
    first = begin(left.node, [lab.adit, "up", path])
    with lab.check(f"adit {second} while the tunnel starts: it fails and runs no hook"):
        code, text = adit(left, second, path)
        assert code == 1 and "is already starting this interface" in text, text
        assert calls() == ["PreUp tun-left"], calls()
    touch("/run/go")
    with lab.check("the first start is not disturbed"):
        assert first.wait(60) == 0
        left.node.ping(right.v4)
        take_down(left)
        check_nothing_left(left, before)
        assert not [name for name in os.listdir("/var/run/wireguard") if "tun-left" in name]


@case()
def many_starts(lab):
    """Of several starts at the same moment, one succeeds, and PreUp runs once."""
    left, right = lay(lab, hooks=record(*POINTS))
    before = network_state(left.node)
    path = left.write()
    for number in range(5):
        forget_calls()
        starts = [subprocess.Popen(left.node.words([lab.adit, "up", path]), stderr=subprocess.DEVNULL) for _ in range(4)]
        codes = sorted(start.wait(60) for start in starts)
        with lab.check(f"round {number + 1}: one of four starts succeeds"):
            assert codes == [0, 1, 1, 1], codes
            assert calls() == ["PreUp tun-left", "PostUp tun-left"], calls()
            left.node.ping(right.v4)
            take_down(left)
            check_nothing_left(left, before)


@case(verb=["down", "stop"], point=["PreUp", "PostUp"])
def ended_while_starting(lab, verb, point):
    left, right = lay(lab, hooks=[*record("PreUp"), (point, "touch /run/begins; sleep 1000"), *record("PreDown", "PostDown")],
                      allowed=EVERYTHING)
    before = network_state(left.node)
    up = begin(left.node, [lab.adit, "up", left.write()])
    with lab.check(f"adit {verb} during {point}: the hook is killed, and no other runs, as after a start that fails"):
        code, text = adit(left, verb, "tun-left")
        assert code == 0, text
        assert point == "PostUp" or text == f"adit {verb}: `tun-left' was still starting; its start has been ended\n", text
        assert up.wait(60) == 1
        assert not processes("/usr/bin/sleep"), "the hook is left"
        assert calls() == ["PreUp tun-left"], calls()
        check_nothing_left(left, before)
    with lab.check("the next start follows at once"):
        left.settings = {}
        left.start()
        left.node.ping(right.v4)
        take_down(left)


@case()
def commands_while_ending(lab):
    left, right = lay(lab, hooks=[*record("PreUp"), ("PostDown", WAIT), *record("PostDown")])
    before = network_state(left.node)
    left.start()
    down = begin(left.node, [lab.adit, "down", "tun-left"])
    with lab.check("while PostDown runs, the tunnel does not start, and adit down reports that it is going down"):
        code, text = adit(left, "up", left.write())
        assert code == 1 and "is still removing this interface" in text, text
        assert adit(left, "down", "tun-left") == (1, "adit down: `tun-left' is going down already\n")
        assert calls() == ["PreUp tun-left"], calls()
    with lab.check("adit stop returns when PostDown has run"):
        stop = subprocess.Popen(left.node.words([lab.adit, "stop", "tun-left"]))
        wait_for(lambda: waits_for_process(stop), "adit stop")
        up = subprocess.Popen(left.node.words([lab.adit, "up", left.write()]), stderr=subprocess.DEVNULL)
        touch("/run/go")
        assert stop.wait(60) == 0 and down.wait(60) == 0
        assert calls()[:2] == ["PreUp tun-left", "PostDown tun-left"], calls()
    with lab.check("adit up, called just before the end, waits for it"):
        assert up.wait(60) == 0
        assert calls()[2:] == ["PreUp tun-left"], calls()
        left.node.ping(right.v4)
        take_down(left)
        check_nothing_left(left, before)


@case()
def several_ends(lab):
    """A daemon that ends closes the connections of further commands, which then wait for its end or report it."""
    left, right = lay(lab, hooks=[("PostDown", "sleep 0.5")])
    before = network_state(left.node)
    for number in range(3):
        left.start()
        ends = [subprocess.Popen(left.node.words([lab.adit, verb, "tun-left"]), stderr=subprocess.PIPE, text=True)
                for verb in ("down", "stop") * 3]
        texts = [end.communicate(timeout=60)[1] for end in ends]
        with lab.check(f"round {number + 1}: each adit stop succeeds, and no message calls the daemon a foreign one"):
            assert [end.returncode for end in ends[1::2]] == [0, 0, 0], texts
            assert {*texts} <= {"", "[#] sleep 0.5\n", "adit down: `tun-left' is going down already\n"}, texts
            check_nothing_left(left, before)


@case()
def down_after_stop(lab):
    """
    The daemon reads down=1 one turn of its loop after stop=1, just before the loop ends. It could not answer that the
    client has to wait for the result.
    """
    left, right = lay(lab, left=Adit)
    left.start()
    with socket.socket(socket.AF_UNIX) as stop, socket.socket(socket.AF_UNIX) as down:
        stop.connect("/var/run/wireguard/tun-left.sock")
        stop.sendall(b"get=1\n\n")
        stop.recv(65536)
        left.daemon.halt()
        stop.sendall(b"stop=1\n\n")
        down.connect("/var/run/wireguard/tun-left.sock")
        down.sendall(b"down=1\n\n")
        left.daemon.process.send_signal(signal.SIGCONT)
        with lab.check("the daemon ends, and sends no result without that answer"):
            assert left.daemon.wait() == 0
            assert down.recv(65536) == b""


@case(verb=["down", "stop"])
def ended_without_a_control_socket(lab, verb):
    left, right = lay(lab, hooks=record("PreUp", "PostDown"))
    before = network_state(left.node)
    os.makedirs("/var/run/wireguard", exist_ok=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("/var/run/wireguard/tun-left.sock")
        other.listen()
        left.start()
        with lab.check(f"adit {verb} ends the tunnel of this network namespace, not the owner of the socket"):
            assert adit(left, verb, "tun-left") == (
                0, f"adit {verb}: `tun-left' has no control socket; its process has been ended\n")
        os.unlink("/var/run/wireguard/tun-left.sock")
        assert calls() == ["PreUp tun-left", "PostDown tun-left"], calls()
        check_nothing_left(left, before)


@case()
def other_namespace(lab):
    """All network namespaces share the folder of the control sockets, so each command finds the socket of left."""
    left, right = lay(lab, hooks=record("PreDown", "PostDown"))
    left.start()
    there = lab.node("there")
    changing = ("down", "tun-left"), ("stop", "tun-left"), ("reload", "tun-left"), ("log", "debug", "tun-left")

    def run(*arguments):
        done = there.run([lab.adit, *arguments], check=False)
        return done.returncode, done.stdout + done.stderr

    for words in changing:
        with lab.check(f"adit {words[0]} in another network namespace: it changes nothing, and names the namespace"):
            assert run(*words) == (1, f'adit {words[0]}: tun-left: the interface is in the network namespace "left"; use '
                                      '"ip netns exec left adit ..."\n')
    with lab.check("adit log debug for all tunnels changes those of its namespace"):
        assert run("log", "debug") == (1, "adit log: no tunnel is running in this network namespace\n")
        assert adit(left, "log") == (0, "tun-left info\ntun-right info\n")
    with lab.check("adit show and adit log without a level only ask, as wg(8)"):
        assert run("show", "tun-left") == adit(left, "show", "tun-left")
        assert run("log", "tun-left") == (0, "tun-left info\n")
    with lab.check("a namespace without a name is reached by the process"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
        text = subprocess.run([lab.adit, "down", "tun-left"], capture_output=True, text=True).stderr
        subprocess.run(["umount", "/run/netns"], check=True)
        assert '; use "nsenter --net --target ' in text and text.count("\n") == 1, text
    second = Upped(there, "tun-left", ["10.9.0.1/24"]).start()
    with lab.check("with a tunnel of the same name, the commands that need its control socket say so"):
        for words in changing[2:]:
            code, text = run(*words)
            assert code == 1 and "has no control socket, because another network namespace" in text, text
    with lab.check("adit down ends the tunnel of its own namespace"):
        assert run("down", "tun-left")[0] == 0
        assert not there.has_link("tun-left") and calls() == [], calls()
        left.node.ping(right.v4)
        take_down(left)
        assert calls() == ["PreDown tun-left", "PostDown tun-left"], calls()


@case(verb=["up", "run"])
def folder_without_room_for_a_socket(lab, verb):
    """Nobody could end a tunnel that has neither a lock nor a control socket, so it does not start."""
    left, right = lay(lab, Adit, hooks=record("PreUp"), allowed=EVERYTHING)
    before = network_state(left.node)
    folder, path = "/var/run/wireguard", left.write()
    os.makedirs(folder, exist_ok=True)
    for options, reason in ("ro", "Read-only file system"), ("nr_inodes=1", "No space left on device"):
        with lab.check(f"{reason}: the folder is named, and nothing is left"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
            code, text = adit(left, verb, path)
            subprocess.run(["umount", folder], check=True)
            assert code == 1 and text.count("\n") == 1, text
            assert f"{folder}: {reason}; " in text, text
            assert calls() == [], calls()
            check_nothing_left(left, before)
    with lab.check("a folder in the place of the socket is named, and nothing is left"):
        os.mkdir(f"{folder}/tun-left.sock")
        code, text = adit(left, verb, path)
        os.rmdir(f"{folder}/tun-left.sock")
        assert code == 1 and f"control socket {folder}/tun-left.sock: " in text, text
        check_nothing_left(left, before)
        assert not [name for name in os.listdir(folder) if "tun-left" in name]
    with lab.check("afterwards, the tunnel starts"):
        left.start()
        left.node.ping(right.v4)


@case()
def daemon_killed_while_starting(lab):
    left, right = lay(lab, hooks=[("PreUp", WAIT)])
    path = left.write()
    for name in "/run/begins", "/run/go":
        os.path.exists(name) and os.unlink(name)
    up = subprocess.Popen(left.node.words([lab.adit, "up", path]), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: os.path.exists("/run/begins"), "the hook")
    left.node.run(["pkill", "-KILL", "--newest", "-f", f"^{lab.adit} up "])
    touch("/run/go")
    with lab.check("adit up names the signal"):
        text = up.communicate(timeout=60)[1]
        assert up.returncode == 1, text
        assert text.endswith("adit up: `tun-left': the daemon was ended by signal 9 (Killed)\n"), text


@case(verb=["down", "stop"])
def killed(lab, verb):
    """What a killed daemon leaves is removed by the command that would have ended the tunnel."""
    left, right = lay(lab, Adit, allowed=EVERYTHING)
    left.node.set("net/ipv4/conf/all/src_valid_mark", 1)
    before = network_state(left.node)
    left.start()
    left.node.ping(right.v4)
    left.stop(signal.SIGKILL)
    remains = changes(before, network_state(left.node))
    with lab.check("a killed daemon leaves rules and firewall tables"):
        assert "proto 173" in remains and "table ip adit-tun-left" in remains, remains
    with lab.check("a command for another interface leaves them alone"):
        code, text = adit(left, verb, "tun-other")
        assert code == 1, text
        assert changes(before, network_state(left.node)) == remains
    with lab.check(f"adit {verb} removes them, with one line"):
        code, text = adit(left, verb, "tun-left")
        assert code == 0 and text.startswith(f"adit {verb}: `tun-left' was killed; removed its network: "), text
        assert text.count("\n") == 1, text
        check_nothing_left(left, before)
        assert not [name for name in os.listdir("/var/run/wireguard") if "tun-left" in name]
    with lab.check(f"a second adit {verb} has nothing to do"):
        code, text = adit(left, verb, "tun-left")
        assert code == 1 and "was killed" not in text, text
    with lab.check("--killed: the same for the service, without an error"):
        left.start()
        assert adit(left, "stop", "--killed", "tun-left") == (0, "")
        left.node.ping(right.v4)
        left.stop(signal.SIGKILL)
        code, text = adit(left, "stop", "--killed", "tun-left")
        assert code == 0 and "was killed" in text, text
        check_nothing_left(left, before)
        assert adit(left, "stop", "--killed", "tun-left") == (0, "")
        assert adit(left, "stop", "--killed", "sixteen-letters1")[0] == 0
    with lab.check("after a start that fails, adit still knows that the tunnel was killed"):
        left.start()
        left.stop(signal.SIGKILL)
        with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
            holder.bind(("0.0.0.0", left.port))
            assert adit(left, "up", left.write())[0] == 1
        code, text = adit(left, verb, "tun-left")
        assert code == 0 and "was killed" in text, text
        check_nothing_left(left, before)
    with lab.check("the tunnel starts again"):
        left.start()
        left.node.ping(right.v4)


@case()
def killed_beside_another(lab):
    """Rules without a living owner are removed, those of a tunnel that runs are not, nor what FailClosed keeps."""
    left, right = lay(lab, Adit, allowed="198.51.100.0/24, 0.0.0.0/0")
    other = Adit(left.node, "tun-other", ["10.8.0.1/24"], port=PORT + 1)
    other.peers = [{"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "::/0"}]
    other.start()
    alone = network_state(left.node)
    left.start()
    left.stop(signal.SIGKILL)
    with lab.check("the rules of the other tunnel stay"):
        assert adit(left, "down", "tun-left")[0] == 0
        assert not changes(alone, network_state(left.node)), changes(alone, network_state(left.node))
    left.settings = {"FailClosed": "true"}
    left.start()
    left.stop(signal.SIGKILL)
    with lab.check("the rules and guards of FailClosed stay"):
        adit(left, "down", "tun-left")
        assert "unreachable default" in left.node.run("ip route show table all").stdout
        assert left.node.run("ip -4 rule").stdout.count("proto 173") == 2
        assert left.node.run("ip route get 203.0.113.7", check=False).returncode
    with lab.check("a start without FailClosed and adit down remove them"):
        left.settings = {}
        left.start()
        assert left.stop() == 0
        assert not changes(alone, network_state(left.node)), changes(alone, network_state(left.node))


@case()
def killed_with_persistent_device(lab):
    left, right = lay(lab, Adit, allowed=EVERYTHING)
    left.node.set("net/ipv4/conf/all/src_valid_mark", 1)
    left.node.run("ip tuntap add tun-left mode tun")
    left.start()
    left.node.ping(right.v4)
    left.stop(signal.SIGKILL)
    with lab.check("adit down removes addresses, routes, rules and firewall tables of an interface that stays"):
        assert "10.7.0.1" in left.node.run("ip address show tun-left").stdout
        code, text = adit(left, "down", "tun-left")
        assert code == 0 and "was killed" in text, text
        shown = left.node.run("ip address show tun-left").stdout
        assert "inet" not in shown and ",UP" not in shown, shown
        assert "proto 173" not in left.node.run(["sh", "-c", "ip rule; ip -6 rule; ip route show table all"]).stdout
        assert "adit-tun-left" not in left.node.run("nft list ruleset").stdout
        left.node.run("ip link delete tun-left")


@case()
def killed_while_starting(lab):
    left, right = lay(lab, Upped, [*record("PreUp"), ("PreUp", WAIT)])
    up = begin(left.node, [lab.adit, "up", left.write()])
    with lab.check("a dead process holds no lock"):
        left.node.run(["pkill", "-KILL", "-f", f"^{lab.adit} up "])
        up.wait(60)
        touch("/run/go")
        left.start()
        left.node.ping(right.v4)
        assert calls() == ["PreUp tun-left"] * 2, calls()
        take_down(left)
