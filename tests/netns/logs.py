# SPDX-License-Identifier: MIT
"""
The log: levels, the journal, one line per event, no secrets, and a reader that stops.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2

The journal is a socket of the test, where journald has its own. All hosts of a case share /run, and with it the journal.
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time

from ends import PORT, devices, key, pair
from lab import TIMEOUT, case, wait_for

JOURNAL = "/run/systemd/journal/socket"
STEPS = ["handshake initiation sent to 192.0.2.2:51820", "handshake completed"]


@contextlib.contextmanager
def environment(**variables):
    """Sets variables for the daemons that are started meanwhile."""
    os.environ |= variables
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


class Journal:
    """Receives what journald would receive. Its socket is in the namespace of a node, which has the limit of its queue."""

    def __init__(self, node, queue=512):
        os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(JOURNAL)
        node.set("net/unix/max_dgram_qlen", queue)  # systemd sets 512
        self.socket = node.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(JOURNAL)
        self.entries = []

    def read(self):
        """Returns all entries so far. Each is a dictionary of its fields."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.socket.recv(1 << 16)
                assert data.endswith(b"\n"), data
                fields = [line.split("=", 1) for line in data.decode().splitlines()]
                assert all(len(field) == 2 for field in fields), f"an entry with a line that is no field: {data}"
                assert len(dict(fields)) == len(fields), f"a field occurs twice: {data}"
                self.entries.append(dict(fields))
        return self.entries

    def messages(self):
        return [entry["MESSAGE"] for entry in self.read()]


def stream_of(end):
    """Returns JOURNAL_STREAM for a daemon whose log is the file of the lab."""
    path = f"/run/{end.node.name}-{end.interface}.log"
    with open(path, "ab") as log:
        status = os.fstat(log.fileno())
    return f"{status.st_dev}:{status.st_ino}"


def named_pair(lab, **settings):
    left, right = pair(lab, start=False, **settings)
    left.peers[0]["Name"] = "Jürgens Büro"
    right.start()
    return left, right


def contains(lines, steps):
    return all(any(step in line for line in lines) for step in steps)


# --- the journal ---


@case()
def journal(lab):
    left, right = named_pair(lab, LogLevel="debug")
    journald = Journal(left.node)
    with environment(JOURNAL_STREAM=stream_of(left)):
        left.start()
    left.node.ping(right.v4)
    with lab.check("the journal has the steps of the handshake"):
        wait_for(lambda: contains(journald.messages(), STEPS), "the steps in the journal")
    with lab.check("each entry has an identifier, a facility, the interface and the priority of its level"):
        for entry in journald.read():
            assert entry["SYSLOG_IDENTIFIER"] == "adit" and entry["SYSLOG_FACILITY"] == "3", entry
            assert entry["ADIT_INTERFACE"] == "tun-left", entry
            expected = {"up: ": "6", "handshake ": "7", "address ": "7"}
            for word, priority in expected.items():
                if re.match(rf"tun-left: (peer \S+ \S+ \(\S+\): )?{word}", entry["MESSAGE"]):
                    assert entry["PRIORITY"] == priority, entry
        assert {entry["PRIORITY"] for entry in journald.read()} == {"6", "7"}
    with lab.check("the entries about a peer, and only those, have its name and key"):
        about = [entry for entry in journald.read() if ": peer " in entry["MESSAGE"]]
        assert len(about) >= 2
        for entry in about:
            assert entry["MESSAGE"].startswith(f"tun-left: peer Jürgens Büro ({right.public[:4]}…"), entry
            assert entry["ADIT_PEER"] == "Jürgens Büro" and entry["ADIT_PEER_KEY"] == right.public, entry
        others = [entry for entry in journald.read() if entry not in about]
        assert others and not any("ADIT_PEER" in entry or "ADIT_PEER_KEY" in entry for entry in others)
    with lab.check("a peer without a name appears by its key"):
        del left.peers[0]["Name"]
        left.reload()
        before = len(journald.read())
        left.node.run(f"ip link set {left.interface} down")  # this ends the session

        def is_logged():
            left.node.run(f"ping -n -q -c 1 -W 1 {right.v4}", check=False)
            return any(entry.get("ADIT_PEER") == right.public for entry in journald.read()[before:])

        wait_for(is_logged, "a line about the peer")
    with lab.check("standard error gets nothing"):
        assert left.stop() == 0
        assert left.daemon.log() == "", left.daemon.log()


@case()
def another_stream(lab):
    """JOURNAL_STREAM is inherited by everything that a service starts, also by what has another standard error."""
    left, right = named_pair(lab)
    journald = Journal(left.node)
    with environment(JOURNAL_STREAM="1:2"):
        left.start()
    left.node.ping(right.v4)
    with lab.check("a daemon whose standard error is another stream sends nothing to the journal"):
        assert left.stop() == 0
        assert not journald.read() and ": up: " in left.daemon.log()


@case()
def lost_journal(lab):
    """A journal that stops reading, closes its socket or loses its file."""
    left, right = named_pair(lab, LogLevel="debug")
    journald = Journal(left.node, queue=64)
    with environment(JOURNAL_STREAM=stream_of(left)):
        left.start()

    def fill(when):
        """Makes the daemon log on until a line arrives on standard error."""
        with lab.check(f"{when}: lines go to standard error with their priorities, and packets flow"):
            before = len(left.daemon.log())

            def falls_back():
                left.node.run([lab.adit, "log", "info", left.interface])
                left.node.run([lab.adit, "log", "debug", left.interface])
                return left.daemon.log()[before:]

            assert re.match(r"<[67]>tun-left: ", wait_for(falls_back, "a line on standard error"))
            left.node.ping(right.v4)

    left.node.ping(right.v4)
    with lab.check("before, standard error gets nothing"):
        assert left.daemon.log() == ""
    fill("the journal is full")
    journald.socket.close()
    fill("the journal has closed its socket")
    os.unlink(JOURNAL)
    fill("the socket of the journal is gone")
    journald = Journal(left.node)
    with lab.check("a new journal gets the lines again"):
        left.node.run([lab.adit, "log", "info", left.interface])
        assert "tun-left: the log level is now info, by the control socket" in journald.messages()
    with lab.check("the daemon ends"):
        assert left.stop() == 0


@case(kind=["pipe", "socket"])
def stuck_reader(lab, kind):
    """Nothing reads standard error, whether it is a pipe or the stream of a journal that hangs."""
    left, right = named_pair(lab, LogLevel="debug")
    if kind == "pipe":
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    else:
        ends = socket.socketpair()
        ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader, writer = ends[1].detach(), ends[0].detach()
    status = os.fstat(writer)
    daemon = subprocess.Popen(left.node.words([lab.adit, "run", left.write()]), stderr=writer,
                              env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    path = f"/var/run/wireguard/{left.interface}.sock"
    wait_for(lambda: os.path.exists(path), "the control socket")
    with lab.check("the daemon goes on while its log is full"):
        for _ in range(200):  # far more than both hold
            left.node.run([lab.adit, "log", "info", left.interface])
            left.node.run([lab.adit, "log", "debug", left.interface])
        left.node.ping(right.v4)
    with lab.check("the next line reports the lost ones"):
        os.set_blocking(reader, False)
        text = os.read(reader, 1 << 20).decode()
        assert "lost" not in text and "tun-left: " in text, text
        for level in "info", "debug":
            left.node.run([lab.adit, "log", level, left.interface])
            select.select([reader], [], [], TIMEOUT)
            text += os.read(reader, 1 << 20).decode()
        found = re.search(r"^<4>adit: the log has lost (\d+) lines, because nothing read it\n", text, re.M)
        assert found and int(found[1]) >= 100, text
    with lab.check("the daemon ends"):
        daemon.terminate()
        assert daemon.wait(TIMEOUT) == 0
    os.close(reader)
    os.close(writer)


# --- levels ---


def level_of(end, *words):
    done = end.node.run([end.node.lab.adit, "log", *words], check=False)
    return done.returncode, done.stdout, done.stderr


@case()
def levels(lab):
    left, right = named_pair(lab, LogLevel="warning")
    left.start()
    with lab.check("LogLevel = warning: the start is not logged"):
        assert left.daemon.log() == "", left.daemon.log()
    with lab.check("adit log prints the levels, of one tunnel or of all"):
        assert level_of(left, "tun-left") == (0, "tun-left warning\n", "")
        assert level_of(left) == (0, "tun-left warning\ntun-right warning\n", "")
    with lab.check("adit log debug IFNAME: the next handshake is logged, and the other tunnel stays"):
        assert level_of(left, "debug", "tun-left") == (0, "", "")
        left.node.ping(right.v4)
        wait_for(lambda: contains(left.daemon.log().splitlines(), STEPS), "the handshake in the log")
        assert level_of(left) == (0, "tun-left debug\ntun-right warning\n", "")
        assert right.daemon.log() == "", right.daemon.log()
    with lab.check("wg(8) and adit show work; get=1 has the level"):
        assert right.public in left.node.run(f"wg show {left.interface}").stdout
        left.node.run([lab.adit, "show", left.interface])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/var/run/wireguard/{left.interface}.sock")
            client.sendall(b"get=1\n\n")
            answer = client.recv(65536).decode()
        assert "\nlog_level=debug\n" in answer.split("public_key=")[0], answer
    with lab.check("adit log error: all tunnels of the network namespace, and the end is not logged"):
        for end in left, right:
            assert level_of(end, "ERROR") == (0, "", "")
        assert level_of(left) == (0, "tun-left error\ntun-right error\n", "")
    with lab.check("a reload returns to the level of the file"):
        left.settings["LogLevel"] = "info"
        left.reload()
        assert level_of(left, "tun-left") == (0, "tun-left info\n", "")
        assert "reloaded" in left.daemon.log().splitlines()[-1], left.daemon.log()
    with lab.check("a file without LogLevel means info"):
        level_of(left, "debug", "tun-left")
        del left.settings["LogLevel"]
        left.reload()
        assert level_of(left, "tun-left") == (0, "tun-left info\n", "")
    with lab.check("a reload that fails changes nothing"):
        level_of(left, "warning", "tun-left")
        left.settings["LogLevel"] = "loud"
        done = left.reload(check=False)
        assert done.returncode == 1 and "is not one of error, warning, info, debug" in done.stderr, done.stderr
        assert level_of(left, "tun-left") == (0, "tun-left warning\n", "")
    with lab.check("wrong words: one line, exit code 1"):
        for words, message in ((["debgu"], 'did you mean the level "debug"'), (["no-such"], "no daemon serves"),
                               (["loud", "tun-left"], '"loud" is not one of'), (["info", "no-such"], "no daemon"),
                               (["info", "a", "b"], "usage")):
            code, out, err = level_of(left, *words)
            assert code == 1 and not out and err.count("\n") == 1 and message in err, (words, code, out, err)
        assert level_of(left, "tun-left") == (0, "tun-left warning\n", "")


@case()
def other_programs(lab):
    """A daemon without a log level, and none at all."""
    left, right = devices(lab, "adit+wireguard-go", start=False)
    with lab.check("without a daemon there is one line and exit code 1"):
        code, out, err = level_of(left, "debug")
        assert code == 1 and not out and err == "adit log: no tunnel is running\n", (code, out, err)
    right.start()
    with lab.check("wireguard-go has no level to change"):
        code, out, err = level_of(right, "debug", "tun-right")
        assert code == 1 and not out and "cannot change the level" in err and err.count("\n") == 1, (code, out, err)
    left.start()
    with lab.check("adit log LEVEL changes adit, and leaves wireguard-go out"):
        assert level_of(left, "debug") == (0, "", "")
        assert level_of(left) == (0, "tun-left debug\n", "")
    right.stop(signal.SIGKILL)
    with lab.check("a daemon that has died is reported as such"):
        for words in ["tun-right"], ["debug", "tun-right"]:
            code, out, err = level_of(left, *words)
            assert code == 1 and not out and err.startswith("adit log: tun-right: the daemon has died; "), (code, out, err)
        assert level_of(left) == (0, "tun-left debug\n", "")


@case()
def environments(lab):
    left, right = named_pair(lab, LogLevel="warning")
    with lab.check("ADIT_LOG_LEVEL takes precedence over LogLevel, also at a reload"):
        with environment(ADIT_LOG_LEVEL="debug"):
            left.start()
        assert ": up: " in left.daemon.log()
        left.reload()
        assert level_of(left, "tun-left") == (0, "tun-left debug\n", "")
    left.stop()
    for name, arguments in ("adit run", ["run", left.write()]), ("adit IFNAME", ["-f", "tun-none"]):
        with lab.check(f"{name}: another word in ADIT_LOG_LEVEL is an error of one line"):
            done = left.node.run([lab.adit, *arguments], check=False, env={**os.environ, "ADIT_LOG_LEVEL": "loud"})
            assert done.returncode == (78 if "run" in arguments else 1) and done.stderr.count("\n") == 1, done
            assert 'ADIT_LOG_LEVEL: "loud" is not one of error, warning, info, debug' in done.stderr, done.stderr
    for command in "run", "up":
        with lab.check(f"adit {command}: a word in ADIT_HOOK_TIMEOUT that is no time is an error of one line"):
            for value in "soon", "0", "-1", "5s", "86401", "nan":
                done = left.node.run([lab.adit, command, left.write()], check=False,
                                     env={**os.environ, "ADIT_HOOK_TIMEOUT": value})
                assert done.returncode == (78 if command == "run" else 1) and done.stderr.count("\n") == 1, done
                assert f'ADIT_HOOK_TIMEOUT: "{value}" is not a number of seconds' in done.stderr, done.stderr
    for variables, level in (({"LOG_LEVEL": "verbose"}, "debug"), ({"LOG_LEVEL": "error"}, "warning"), ({}, "warning"),
                             ({"LOG_LEVEL": "silent"}, "silent"), ({"ADIT_LOG_LEVEL": "error"}, "error"),
                             ({"LOG_LEVEL": "silent", "ADIT_LOG_LEVEL": "Info"}, "info"),
                             ({"LOG_LEVEL": "verbose", "ADIT_LOG_LEVEL": ""}, "debug")):
        with lab.check(f"adit IFNAME with {variables or 'no variable'}: {level}"):
            with environment(**variables):
                daemon = left.node.start("tun-bare", [lab.adit, "-f", "tun-bare"])
            wait_for(lambda: os.path.exists("/var/run/wireguard/tun-bare.sock"), "the control socket")
            assert level_of(left, "tun-bare") == (0, f"tun-bare {level}\n", "")
            assert daemon.stop() == 0


# --- the lines ---


LINE = re.compile(r"tun-(left|right): (peer [^:]+: )?[^\s:].*")


@case()
def lines(lab):
    """Everything that happens is logged in lines of the same form."""
    left, right = named_pair(lab, LogLevel="debug")
    left.settings["PostUp"] = r"printf 'a\033[1m\ntun-left: not a line of ours\rb\n'; ip link show %i | head -n 1"
    right.settings["LogLevel"] = "debug"
    right.reload()
    left.start()
    left.node.ping(right.v4)
    with lab.check("initiator and responder log each step of the handshake"):
        wait_for(lambda: contains(left.daemon.log().splitlines(), STEPS), "the steps on the left")
        steps = ["handshake initiation answered to 192.0.2.1:51820", "handshake completed"]
        wait_for(lambda: contains(right.daemon.log().splitlines(), steps), "the steps on the right")
    with lab.check("routes and addresses are logged one by one"):
        for line in "address 10.7.0.1/24: set", "address fd07::1/64: set":
            assert f"tun-left: {line}\n" in left.daemon.log(), line
        left.peers[0]["AllowedIPs"] += ", 10.99.0.0/16"
        left.reload()
        assert "tun-left: route 10.99.0.0/16: set\n" in left.daemon.log()
        left.peers[0]["AllowedIPs"] = left.peers[0]["AllowedIPs"].replace(", 10.99.0.0/16", "")
        left.reload()
        assert "tun-left: route 10.99.0.0/16: deleted\n" in left.daemon.log()
    with lab.check("a change of the endpoint is logged"):
        before = len(right.daemon.log())
        left.settings["ListenPort"] = left.port = PORT + 7
        left.reload()
        left.node.ping(right.v4)
        wait_for(lambda: f": endpoint is 192.0.2.1:{PORT + 7}\n" in right.daemon.log()[before:], "the new endpoint")
    with lab.check("the link, requests of wg(8) and the end are logged"):
        left.node.run(f"wg set {left.interface} peer {right.public} persistent-keepalive 25")
        assert "tun-left: control socket: set request with 1 peer applied\n" in left.daemon.log()
        left.node.run(f"ip link set {left.interface} down")
        wait_for(lambda: "tun-left: link is down\n" in left.daemon.log(), "the link down")
        wait_for(lambda: "tun-left: link is up\n" in left.daemon.log(), "the link up")
        assert left.stop() == 0
    with lab.check("each line has the interface, the peer by name, and no control character"):
        for line in (left.daemon.log() + right.daemon.log()).splitlines():
            assert LINE.fullmatch(line) and line.isprintable(), repr(line)
            assert not line.startswith("tun-left: peer ") or line.startswith("tun-left: peer Jürgens Büro ("), line
        assert "\ntun-left: not a line of ours" not in left.daemon.log()


@case()
def secrets(lab):
    """No private or preshared key gets into a log, at any level."""
    left, right = pair(lab, psk=True, start=False, LogLevel="debug")
    preshared = left.peers[0]["PresharedKey"]
    given = [left.private, preshared, base64.b64decode(left.private).hex(), base64.b64decode(preshared).hex()]
    journald = Journal(left.node)
    left.settings["PostUp"] = f"wg showconf %i; echo '{' '.join(given)}' >/dev/null; echo key={given[2]}"
    with environment(JOURNAL_STREAM=stream_of(left)):
        left.start()
    right.start()
    left.node.ping(right.v4)
    with lab.check("the output of a hook is logged without the keys in it"):
        texts = journald.messages()
        assert any("PostUp: [#] wg showconf tun-left" in text and "(key) (key) (key) (key)" in text for text in texts), texts
        assert any("PrivateKey = (key)" in text for text in texts), texts
        assert any(text.endswith("key=(key)") for text in texts), texts
    with lab.check("a hook that fails is logged without the keys in it"):
        left.settings["PreDown"] = f"false '{given[0]}'"
        left.reload()
        assert left.stop() == 2
        assert any("PreDown: failed with status 1: false '(key)'" in text for text in journald.messages())
    with lab.check("keys of a broken file are not logged"):
        right.text = lambda whole=True, text=right.text(): text.replace("PrivateKey = ", "PrivateKee = ")
        assert right.reload(check=False).returncode == 1
        left.node.run(f"wg set {right.interface} private-key /dev/stdin", check=False, input=key(lab.adit, "genkey"))
    with lab.check("none of the logs contains a private or preshared key"):
        everything = "\n".join(str(entry) for entry in journald.read()) + left.daemon.log() + right.daemon.log()
        for secret in [*given, right.private, base64.b64decode(right.private).hex()]:
            assert secret not in everything and secret.upper() not in everything
            assert secret[:12] not in everything
        assert len(journald.read()) > 10


@case()
def strangers(lab):
    """What strangers send makes few lines, however much it is."""
    left, right = named_pair(lab, LogLevel="debug")
    left.start()
    start = time.monotonic()
    public = base64.b64decode(left.public)
    secret = hashlib.blake2s(b"mac1----" + public).digest()
    with right.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(2000):
            message = struct.pack("<I", 1) + os.urandom(112)
            message += hashlib.blake2s(message, key=secret, digest_size=16).digest() + bytes(16)
            sender.sendto(message, ("192.0.2.1", left.port))
            sender.sendto(os.urandom(100), ("192.0.2.1", left.port))
    with lab.check("2,000 handshakes of a stranger make ten lines, and one more per second"):
        wait_for(lambda: "rejected" in left.daemon.log(), "a line about a handshake")
        left.node.ping(right.v4)
        count = left.daemon.log().count("rejected")
        assert 1 <= count <= 12 + (time.monotonic() - start), count
    with lab.check("the lines about a peer are not used up"):
        wait_for(lambda: contains(left.daemon.log().splitlines(), STEPS), "the steps of the handshake")


@case(workers=[1, 4])
def floods(lab, workers):
    """Each line that a packet can cause, caused 2,000 times, with another address each time."""
    left, right = named_pair(lab, LogLevel="debug", Workers=workers)
    left.start()
    left.node.ping(right.v4)
    left.node.run("ip route add 198.18.0.0/16 dev tun-left")
    begin, before = time.monotonic(), len(left.daemon.log())

    def wrong_recipients():
        """From addresses that are not those of a peer."""
        for _ in range(200):
            with right.node.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                for _ in range(10):
                    sender.sendto(struct.pack("<I", 1) + os.urandom(144), ("2001:db8::1", left.port))

    def packets(node, source, target):
        """Sends UDP over IPv4, between addresses that contain a number."""
        with node.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            for number in range(2000):
                addresses = [socket.inet_aton(text.format(number // 250, number % 250 + 1)) for text in (source, target)]
                header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, *addresses)
                sender.sendto(header + struct.pack("!HHHH", 9, 9, 8, 0), (socket.inet_ntoa(addresses[1]), 0))

    def moves():
        for number in range(60):
            right.node.run(f"wg set tun-right listen-port {PORT + 1 + number % 2}")
            right.node.run(f"ping -c 1 -W 0.1 -q {left.v4}", check=False)

    kinds = {"handshake from .* is for another public key": wrong_recipients,
             "packets from .* are dropped": lambda: packets(right.node, "172.16.{}.{}", left.v4),
             "packets to .* are dropped": lambda: packets(left.node, left.v4, "198.18.{}.{}"),
             "endpoint is ": moves}
    for kind, flood in kinds.items():
        with lab.check(f"few lines with '{kind}'"):
            flood()
            left.node.ping(right.v4)
            count = len(re.findall(kind, left.daemon.log()[before:]))
            assert count <= 12 + time.monotonic() - begin, count
    with lab.check("few lines in all, but the first kind is logged"):
        assert re.search(next(iter(kinds)), left.daemon.log()[before:])
        count = left.daemon.log()[before:].count("\n")
        assert count <= 12 * len(kinds) + 4 * (time.monotonic() - begin), left.daemon.log()[before:]
