# SPDX-License-Identifier: MIT
"""
The process: what it inherits, its limits, and how it begins and ends.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import base64
import contextlib
import errno
import itertools
import os
import re
import signal
import socket
import struct
import subprocess
import time

from device_life import check_gone, processes
from ends import PORT, Adit, AditDevice, devices, key, pair
from lab import TIMEOUT, case, forbid, wait_for

INTERFACE = "tun-left"
FOLDER = "/var/run/wireguard"


def alone(lab):
    """A device with no peers that has not been started."""
    return AditDevice(lab.node("left"), INTERFACE, ["10.7.0.1/24"])


def daemon_of(end):
    """The process of a device in the background."""
    return next(int(pid) for pid in filter(str.isdigit, os.listdir("/proc")) if runs(pid, end.node.lab.adit))


def runs(pid, program):
    try:
        return os.path.samefile(f"/proc/{pid}/exe", program)
    except OSError:
        return False


def delete(end):
    end.node.run(f"ip link del {end.interface}")
    wait_for(lambda: not processes(end.node.lab.adit), "the end of the daemon")


# --- what the process inherits ---


@case()
def inherited(lab):
    end = alone(lab)
    background = f"{lab.adit} {end.interface}"
    with lab.check("flock FILE adit IFNAME releases the lock when the command returns"):
        end.node.run(f"flock /run/lock {background}")
        end.node.run("flock --nonblock /run/lock true")
        delete(end)
    for level in None, "silent", "error", "verbose":
        with lab.check(f"x=$(adit IFNAME) returns with LOG_LEVEL={level}"):
            variables = {"LOG_LEVEL": level} if level else {}
            end.node.run(["sh", "-c", f"x=$({background} 2>/run/log); exit"],
                         env={**os.environ, **variables})
            delete(end)
    with lab.check("without LOG_LEVEL, a pipe on standard error is closed, too"):
        end.node.run(["sh", "-c", f"x=$({background} 2>&1); exit"])
        delete(end)
    with lab.check("a pipe of the caller on any descriptor is closed"):
        for number in 3, 9, 200:
            reader, writer = os.pipe()
            end.node.run(["bash", "-c", f"exec {number}>&{writer} {writer}>&-; {background}"], pass_fds=[writer])
            os.close(writer)
            os.set_blocking(reader, False)
            assert os.read(reader, 1) == b"", f"descriptor {number}"
            os.close(reader)
            delete(end)
    with lab.check("the directory of the caller can be unmounted"):
        os.mkdir("/run/mount")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/mount"], check=True)
        end.node.run(background, cwd="/run/mount")
        subprocess.run(["umount", "/run/mount"], check=True)
        delete(end)
    with lab.check("adit run closes the descriptors of its caller"):
        reader, writer = os.pipe()
        path = Adit(end.node, INTERFACE, ["10.7.0.1/24"]).write()
        daemon = end.node.start("run", [lab.adit, "run", path], pass_fds=[writer])
        os.close(writer)
        wait_for(lambda: ": up: " in daemon.log(), "the start")
        os.set_blocking(reader, False)
        assert os.read(reader, 1) == b""
        assert daemon.stop() == 0


@case()
def closed_streams(lab):
    """Descriptors 0 to 2, closed in each combination."""
    end = alone(lab)
    path = Adit(end.node, INTERFACE, ["10.7.0.1/24"]).write()
    for closed in itertools.chain.from_iterable(itertools.combinations(range(3), count) for count in (1, 2, 3)):
        redirections = " ".join(f"{fd}>&-" for fd in closed)
        with lab.check(f"without descriptors {closed}: in the background"):
            end.node.run(["sh", "-c", f"exec {lab.adit} {end.interface} {redirections}"])
            check_streams(end, closed)
            end.wg("set", "listen-port", "1234")
            delete(end)
        with lab.check(f"without descriptors {closed}: adit run"):
            daemon = end.node.start("run", ["sh", "-c", f"exec {lab.adit} run {path} {redirections}"])
            wait_for(lambda: answers(end), "an answer")
            check_streams(end, closed)
            assert daemon.stop() == 0


@case()
def blocked_signals(lab):
    """The caller blocks all signals. Its mask is inherited."""
    end = Adit(lab.node("left"), INTERFACE, ["10.7.0.1/24"])

    def run():
        return end.node.start("run", [lab.adit, "run", end.write()],
                              preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))

    with lab.check("SIGTERM ends the daemon"):
        daemon = run()
        wait_for(lambda: ": up: " in daemon.log(), "the start")
        assert daemon.stop() == 0
    with lab.check("the daemon notices the end of a hook"):
        end.settings["PostUp"] = "exit 3"
        daemon = run()
        try:
            assert daemon.wait() == 1, daemon.log()
        finally:
            daemon.process.kill()


@case()
def inherited_path(lab):
    """cron(8), and su(1) without a hyphen, give root a PATH without the folder of nft(8)."""
    end = Adit(lab.node("left"), INTERFACE, ["10.7.0.1/24"], PostUp="echo path $PATH")
    end.peers.append({"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "0.0.0.0/0"})
    command = [lab.adit, "run", end.write()]
    for path, completed in (("/usr/bin:/bin", "/usr/bin:/bin:/usr/sbin:/sbin"),
                            ("", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")):
        with lab.check(f"PATH={path} is completed, also for hooks"):
            daemon = end.node.start(f"path-{len(path)}", ["env", f"PATH={path}", *command])
            wait_for(lambda: ": up: " in daemon.log() or not daemon.running(), "the start")
            assert f"PostUp: path {completed}\n" in daemon.log(), daemon.log()
            assert "nft" not in daemon.log() and INTERFACE in end.node.run("nft list tables").stdout, daemon.log()
            assert daemon.stop() == 0


@case()
def small_files(lab):
    """The limit of the size of files, RLIMIT_FSIZE, is 0."""
    end = Adit(lab.node("left"), INTERFACE, ["10.7.0.1/24"])
    end.peers.append({"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "0.0.0.0/0"})
    daemon = end.node.start("run", ["bash", "-c", f"exec prlimit --fsize=0 {lab.adit} run {end.write()} 2> >(cat)"])
    with lab.check("the tunnel starts, and one line names what has failed"):
        wait_for(lambda: ": up: " in daemon.log() or not daemon.running(), "the start")
        assert daemon.running() and daemon.log().count(os.strerror(errno.EFBIG)) == 1, daemon.log()
        assert daemon.stop() == 0


@case(workers=[1, 4])
def small_stack(lab, workers):
    end = Adit(lab.node("left"), INTERFACE, ["10.7.0.1/24"], Workers=workers)
    command = [lab.adit, "run", end.write()]
    with lab.check("a soft limit of 24 KiB is raised"):
        daemon = end.node.start("run", ["prlimit", "--stack=24576:", *command])
        wait_for(lambda: ": up: " in daemon.log() or not daemon.running(), "the start")
        assert daemon.running(), daemon.log()
        end.node.run(["prlimit", "--stack=24576:", lab.adit, "show", INTERFACE])
        assert daemon.stop() == 0
    with lab.check("one line names a hard limit that may not be raised"):
        done = end.node.run(["prlimit", "--stack=24576:24576", "setpriv", "--bounding-set=-sys_resource", *command],
                            check=False)
        assert done.returncode == 1, done
        assert done.stderr == ("adit: the stack is limited to 24 KiB, but 256 KiB are needed "
                               "(ulimit -s, LimitSTACK=)\n"), done.stderr


@case()
def no_threads(lab):
    """The limit of threads is reached: clone3(2) with its 88 bytes of arguments fails with EAGAIN."""
    end = Adit(lab.node("left"), INTERFACE, ["10.7.0.1/24"], Workers=4)
    with lab.check("one line names the limits"):
        done = end.node.run([lab.adit, "run", end.write()], check=False,
                            preexec_fn=lambda: forbid((435, 435), errno.EAGAIN, 1, 88))
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and len(lines) == 1 and "TasksMax" in lines[0], done
        assert not end.node.has_link(INTERFACE)


def answers(end):
    """Whether a daemon listens on the control socket, whoever started it."""
    with socket.socket(socket.AF_UNIX) as client:
        return not client.connect_ex(end.control_path)


def check_streams(end, closed):
    pid = daemon_of(end)
    for fd in closed:
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert target == "/dev/null", f"descriptor {fd} is {target}"


@case()
def passed_descriptors(lab):
    """WG_TUN_FD in the background, on the descriptors that the daemon replaces, and above."""
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    for number in 0, 1, 7, 50:
        with lab.check(f"WG_TUN_FD={number}"):
            tun = left.open_tun()
            left.node.run(["bash", "-c", f"exec {number}>&{tun}; exec {lab.adit} {left.interface}"], pass_fds=[tun],
                          env={**os.environ, "WG_TUN_FD": str(number)})
            os.close(tun)
            left.configure()
            left.node.ping(right.v4)
            pid = daemon_of_namespace(left)
            left.node.run(f"ip link del {left.interface}")
            wait_for(lambda: not runs(pid, lab.adit), "the end")


def daemon_of_namespace(end):
    """The daemon behind the control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(end.control_path)
        return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


@case()
def journal(lab):
    """JOURNAL_STREAM is inherited by everything that a service starts, also by what has another standard error."""
    node = lab.node("left")
    path = Adit(node, INTERFACE, ["10.7.0.1/24"]).write()

    def log_of(stream):
        reader, writer = os.pipe()
        status = os.fstat(writer)
        variables = {"JOURNAL_STREAM": stream.format(dev=status.st_dev, ino=status.st_ino)}
        process = subprocess.Popen(node.words([lab.adit, "run", path]), stderr=writer, env={**os.environ, **variables})
        os.close(writer)
        lines = []
        with os.fdopen(reader) as log:
            for line in log:
                lines.append(line)
                if ": up: " in line:
                    process.terminate()
        assert process.wait(TIMEOUT) == 0
        return "".join(lines)

    with lab.check("standard error is the journal: priorities"):
        assert log_of("{dev}:{ino}").startswith("<6>")
    for stream in "1:2", "{dev}:1", "1:{ino}", "", "nonsense":
        with lab.check(f"JOURNAL_STREAM={stream!r} is another stream: no priorities"):
            text = log_of(stream)
            assert ": up: " in text and "<" not in text, text


# --- limits ---


def is_ready(notify):
    with contextlib.suppress(BlockingIOError):
        return b"READY=1" in notify.recv(4096)
    return False


def start_limited(node, command, limit):
    """Runs with a limit of descriptors. "ready", or the lines of its failure."""
    path = "/run/limited.notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.setblocking(False)
        program = subprocess.Popen(node.words(["prlimit", f"--nofile={limit}:{limit}", *command]), text=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**os.environ, "NOTIFY_SOCKET": path})
        try:
            wait_for(lambda: program.poll() is not None or is_ready(notify), "READY=1 or the end")
            if program.poll() is not None:
                return program.returncode, program.stderr.read().splitlines()
            program.terminate()
            return program.wait(TIMEOUT), "ready"
        finally:
            program.kill()
            program.wait()
            os.unlink(path)


@case(workers=[1, 8])
def few_descriptors(lab, workers):
    node = lab.node("left")
    end = Adit(node, INTERFACE, ["10.7.0.1/24", "fd07::1/64"], Workers=workers)
    end.peers.append({"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "0.0.0.0/0, ::/0",
                      "Endpoint": "192.0.2.2:1"})
    path = end.write()
    node.run("ip link add wan type veth peer name wan2")
    node.run("ip address add 192.0.2.1/24 dev wan")
    before = everything(node)
    seen = set()
    for limit in [*range(6, 61), 90]:
        code, lines = start_limited(node, [lab.adit, "run", path], limit)
        if lines == "ready":
            seen.add("ready")
            ok = code == 0
        else:
            seen.add("refused")
            causes = f"open files|{os.strerror(errno.EMFILE)}|shared object"
            ok = code == 1 and len(lines) == 1 and re.search(causes, lines[0])
        if not ok or everything(node) != before:
            with lab.check(f"ulimit -n {limit}: it starts, or one line says why not, and nothing is left"):
                assert ok, f"exit code {code}: {lines}"
                assert everything(node) == before, everything(node)
    with lab.check("of the descriptors that a start asks for, eight are left for clients and questions"):
        end.start()
        used = len(os.listdir(f"/proc/{end.daemon.pid}/fd"))
        assert used <= 35 + 6 * workers - 8, used
        end.stop()
    with lab.check("a low limit is refused, a sufficient one is not, and each time nothing is left"):
        assert seen == {"ready", "refused"}, seen


def everything(node):
    """What a failed start could leave behind."""
    commands = "ip -br link", "ip -4 rule", "ip -6 rule", "ip route show table all", "nft list ruleset"
    text = [node.run(command).stdout for command in commands]
    return text, os.listdir(FOLDER) if os.path.isdir(FOLDER) else [], node.udp_ports()


@case(workers=[1, 8])
def low_soft_limit(lab, workers):
    """A soft limit is raised as far as the hard limit allows."""
    node = lab.node("left")
    path = Adit(node, INTERFACE, ["10.7.0.1/24"], Workers=workers).write()
    daemon = node.start("run", ["prlimit", "--nofile=8:1000", lab.adit, "run", path])
    with lab.check("soft limit 8, hard limit 1000: it starts"):
        wait_for(lambda: ": up: " in daemon.log() or not daemon.running(), "the start")
        assert daemon.running(), daemon.log()
    with lab.check("no core dump is possible"):
        with open(f"/proc/{daemon.pid}/limits") as limits:
            line = next(line for line in limits if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"], line


@case()
def core_dumps(lab):
    node = lab.node("left")
    path = Adit(node, INTERFACE, ["10.7.0.1/24"]).write()
    process = subprocess.Popen(node.words(["prlimit", "--core=unlimited", lab.adit, "run", path]), cwd="/run",
                               stderr=subprocess.DEVNULL)
    wait_for(lambda: node.has_link(INTERFACE), "the link")
    with lab.check("a crash leaves no core dump"):
        process.send_signal(signal.SIGSEGV)
        code = os.waitid(os.P_PID, process.pid, os.WEXITED).si_code
        assert code == os.CLD_KILLED, code


# --- the device node ---


def forbid_node():
    """For a child: openat(2) with the flags for /dev/net/tun fails with EPERM."""
    forbid((257, 56), errno.EPERM, 2, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


@case()
def device_node(lab):
    """The reason why there is no TUN, for adit run and for a bare device."""
    node = lab.node("left")
    path = Adit(node, INTERFACE, ["10.7.0.1/24"]).write()
    private = "mount -t tmpfs -o {} tmpfs /dev/net && {} exec"
    nowhere = {
        "EPERM by the device policy": ("exec", forbid_node, "DeviceAllow=/dev/net/tun"),
        "EACCES by a mount with nodev": (private.format("nodev", "mknod /dev/net/tun c 10 200 &&"), None, "permission"),
        "ENOENT": (private.format("dev", ""), None, "/dev/net/tun does not exist.*modprobe tun"),
        "ENXIO, no driver": (private.format("dev", "mknod /dev/net/tun c 10 199 &&"), None, "no TUN driver"),
        "EPERM by a missing capability": ("exec setpriv --bounding-set=-net_admin", None, "CAP_NET_ADMIN"),
    }
    for title, (prefix, preexec, pattern) in nowhere.items():
        for command in f"run {path}", INTERFACE:
            with lab.check(f"{title}: adit {command.split()[0]}"):
                done = node.run(["unshare", "--mount", "sh", "-c", f"{prefix} {lab.adit} {command}"], check=False,
                                preexec_fn=preexec)
                lines = done.stderr.splitlines()
                assert done.returncode == 1 and len(lines) == 1 and re.search(pattern, lines[0]), done.stderr
                assert ("CAP_NET_ADMIN" in lines[0]) == ("capability" in title), lines[0]


def greet(left, right):
    """After a restart of left, right may seal its first answer under the old session."""
    left.node.run(f"ping -c 1 -W 1 {right.v4}", check=False)


# --- an interface that was made beforehand ---


@case(made=["multi_queue", "", "multi_queue vnet_hdr"], workers=[1, 4])
def made_beforehand(lab, made, workers):
    left, right = pair(lab, start=False)
    left.settings["Workers"] = right.settings["Workers"] = workers
    right.start()
    left.node.run(f"ip tuntap add dev {INTERFACE} mode tun {made}")
    with lab.check("it starts, and traffic flows"):
        left.start()
        left.node.ping(right.v4)
        left.node.ping(right.v6)
    with lab.check("a warning says when there are fewer workers than configured"):
        assert ("without multiple queues" in left.daemon.log()) == (workers > 1 and not made), left.daemon.log()
    with lab.check("a second start is refused, and takes no queue"):
        second = left.node.run([lab.adit, "run", left.write()], check=False)
        line = second.stderr.splitlines()[-1]
        assert second.returncode == 1 and "another process uses it" in line, second.stderr
        left.node.ping(right.v4, count=10)
    with lab.check("the interface outlives the daemon, and it starts again"):
        assert left.stop() == 0
        assert left.node.has_link(INTERFACE)
        left.start()
        greet(left, right)
        left.node.ping(right.v4)
        left.stop()
        left.node.run(f"ip link del {INTERFACE}")


@case()
def device_made_beforehand(lab):
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    for made in "multi_queue", "":
        with lab.check(f"a bare device uses an interface made beforehand: {made or 'one queue'}"):
            left.node.run(f"ip tuntap add dev {INTERFACE} mode tun {made}")
            left.start()
            left.node.ping(right.v4)
            left.node.run(f"ip link del {INTERFACE}")
            assert left.daemon.wait() == 0
    with lab.check("a TAP is refused by name"):
        left.node.run(f"ip tuntap add dev {INTERFACE} mode tap")
        done = left.node.run([lab.adit, "-f", INTERFACE], check=False)
        assert done.returncode == 1 and "not a TUN" in done.stderr, done.stderr


# --- ends ---


ENDS = {"the interface is deleted": lambda end: end.node.run(f"ip link del {end.interface}"),
        "the control socket is removed": lambda end: os.unlink(f"{FOLDER}/{end.interface}.sock")}


@case(workers=[1, 4])
def losses(lab, workers):
    """A service manager starts a daemon again that ends with a failure."""
    left, right = pair(lab, Workers=workers)
    for title, lose in ENDS.items():
        with lab.check(f"{title}: adit run fails, says why, and leaves nothing"):
            greet(left, right)
            left.node.ping(right.v4)
            lose(left)
            assert left.daemon.wait() == 1
            assert title.replace(" is ", " was ") in left.daemon.log(), left.daemon.log()
            assert not left.node.has_link(INTERFACE) and not left.node.udp_ports()
            assert not os.path.exists(f"{FOLDER}/{INTERFACE}.sock")
        left.start()
    with lab.check("the unit restarts it without end"):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "systemd", "adit@.service")) as file:
            unit = file.read()
        assert "\nStartLimitIntervalSec=0\n" in unit.split("[Service]")[0] and "\nRestart=on-failure\n" in unit


@case(bars=True)
def successor(lab):
    """
    `wg-quick down` deletes the link and returns; `wg-quick up` starts a new daemon while the old one may not have
    noticed. A stopped process is one that has not.
    """
    end = alone(lab)
    with lab.check("a start waits for the daemon whose link is gone, 10 times"):
        for _ in range(10):
            end.launch()
            end.wg("set", "listen-port", str(PORT))
            end.link("up")
            old = end.daemon
            old.halt()
            end.node.run(f"ip link del {end.interface}")
            new = end.node.start("successor", [lab.adit, "-f", end.interface], env={**os.environ, "LOG_LEVEL": "error"})
            time.sleep(0.2)
            assert new.running(), new.log()
            old.process.send_signal(signal.SIGCONT)
            assert old.wait() == 0
            wait_for(lambda: end.wg("show", "fwmark", check=False) == "off\n", "an answer of the new daemon")
            end.wg("set", "listen-port", str(PORT))
            end.link("up")
            wait_for(lambda: end.node.udp_ports() == [PORT, PORT], "the port of the old daemon")
            assert new.stop() == 0, new.log()
    with lab.check("up and down 50 times at once, in the background"):
        for _ in range(50):
            end.node.run([lab.adit, end.interface])
            end.wg("set", "listen-port", str(PORT))
            end.link("up")
            wait_for(lambda: end.node.udp_ports() == [PORT, PORT], "the port")
            end.node.run(f"ip link del {end.interface}")
        wait_for(lambda: not processes(lab.adit), "the end of all")
        check_gone(end)
    with lab.check("ended by SIGTERM and started at once, 20 times"):
        for _ in range(20):
            end.node.run([lab.adit, end.interface])
            os.kill(daemon_of_namespace(end), signal.SIGTERM)
            end.node.run([lab.adit, end.interface])
            delete(end)
    with lab.check("a daemon that lives, in another namespace, is refused at once"):
        other = lab.node("other")
        living = other.start("living", [lab.adit, "-f", end.interface], env={**os.environ, "LOG_LEVEL": "error"})
        wait_for(lambda: answers(end), "an answer")
        began = time.monotonic()
        done = end.node.run([lab.adit, end.interface], check=False)
        assert done.returncode == 1 and "in use" in done.stderr, done
        lab.bar("the refusal takes at most 1.5 s", time.monotonic() - began, 1.5)
        assert living.running() and living.stop() == 0


@case()
def dead_sockets(lab):
    end = alone(lab)
    os.makedirs(FOLDER, exist_ok=True)
    for name in ".tun-left.99999", ".other.12":
        socket.socket(socket.AF_UNIX).bind(f"{FOLDER}/{name}")
    kept = {".tun-left.5": lambda path: open(path, "w").close(), ".notes": lambda path: open(path, "w").close(),
            ".x.sock": lambda path: socket.socket(socket.AF_UNIX).bind(path),
            "wg7.sock": lambda path: socket.socket(socket.AF_UNIX).bind(path)}
    for name, make in kept.items():
        make(f"{FOLDER}/{name}")
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(f"{FOLDER}/.living.7")
        living.listen()
        with lab.check("a start removes the temporary sockets of dead daemons, and nothing else"):
            end.launch()
            left = set(os.listdir(FOLDER))
            assert left == {*kept, ".living.7", f"{INTERFACE}.sock"}, left


# --- the link ---


@case(workers=[1, 4])
def renames(lab, workers):
    left, right = pair(lab, Workers=workers, Table="off")
    node = left.node
    for end in left, right:
        end.node.run(f"ip route replace {(right if end is left else left).v4} dev {end.interface}")
    with lab.check("after 400 renames without a pause the link is still followed"):
        node.run(["bash", "-c", "for i in {1..200}; do ip link set tun-left mtu $((1300 + i)); "
                  "ip link set dev tun-left name other; ip link set dev other name tun-left; done"])
        assert "stopped" not in left.daemon.log(), left.daemon.log()
        before = node.udp_sockets()
        node.run("ip link set tun-left down")
        node.wait_for_new_sockets(before)
        node.run(f"ip route replace {right.v4} dev {left.interface}")
        node.ping(right.v4)
    with lab.check("a new name is followed"):
        node.run("ip link set tun-left name new")
        before = node.udp_sockets()
        node.run("ip link set new down")
        node.wait_for_new_sockets(before)
        node.run("ip link del new")
        assert left.daemon.wait() == 1


def move(end, node, other):
    """Moves the interface to another namespace, where it is configured again."""
    end.link(f"netns {node.name}")
    end.node = node
    node.run(f"ip address add {end.addresses[0]} dev {end.interface}")
    end.link("up")
    node.run(f"ip route replace {other.v4} dev {end.interface}")
    node.ping(other.v4)


@case()
def confined(lab):
    """Without CAP_SYS_ADMIN, as in the unit, the daemon cannot enter the namespace to which its link was moved."""
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    left.program = lambda: ["setpriv", "--bounding-set=-sys_admin", lab.adit]
    left.start()
    left.node.ping(right.v4)
    outside, inside = left.node, lab.node("inside")
    with lab.check("moved: one warning, and traffic flows"):
        move(left, inside, right)
        time.sleep(2.5)
        assert left.daemon.log().count("may not enter") == 1, left.daemon.log()
    with lab.check("back again: it is followed"):
        move(left, outside, right)
        time.sleep(1.5)
        left.link("down")
        wait_for(lambda: not outside.udp_ports(), "the ports are closed")
    with lab.check("moved and deleted: it ends"):
        left.link("netns inside")
        time.sleep(0.2)
        inside.run(f"ip link del {left.interface}")
        assert left.daemon.wait() == 0


# --- the log ---


@case()
def many_peers(lab):
    node = lab.node("left")
    end = Adit(node, INTERFACE, ["10.7.0.1/16"])
    for number in range(2000):
        end.peers.append({"PublicKey": base64.b64encode(os.urandom(32)).decode(),
                          "AllowedIPs": f"10.7.{number >> 8}.{number & 255}/32", "Endpoint": "127.0.0.1:9",
                          "PersistentKeepalive": 1})
    end.start()
    with lab.check("2,000 peers with traffic are at most 100 lines at SIGUSR1 and at the end, with the totals"):
        time.sleep(1.5)
        for finish in (lambda: end.daemon.process.send_signal(signal.SIGUSR1)), end.stop:
            before = len(end.daemon.log().splitlines())
            finish()
            lines = wait_for(lambda: [line for line in end.daemon.log().splitlines()[before:] if "2000 peers" in line],
                             "the totals")
            assert len(end.daemon.log().splitlines()) - before < 100
            assert "not all listed" in lines[0] and re.search(r"tx_bytes [1-9]", lines[0]), lines
