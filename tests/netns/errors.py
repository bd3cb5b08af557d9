# SPDX-License-Identifier: MIT
"""
Errors: a message of one line that names the problem, an exit code, and nothing left behind.

    left  192.0.2.1  ----  right  192.0.2.2        (right runs nothing)
"""

import errno
import os
import re
import shlex
import socket

from ends import PORT, Adit
from lab import case, forbid, wait_for

INTERFACE = "tun-left"

EX_CONFIG = 78  # the exit status of `adit run` for a file that is missing or has errors


def host(lab):
    node, other = lab.node("left"), lab.node("right")
    lab.wire(node, "wan", ["192.0.2.1/24"], other, "wan", ["192.0.2.2/24"])
    return node


def fails(node, command, *patterns, code=1):
    """Requires this exit code, and one line on standard error that matches all patterns. Returns the line."""
    done = node.run(command, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr.strip()}"
    assert len(lines) == 1, f"{len(lines)} lines, not one: {done.stderr.strip()}"
    for pattern in patterns:
        assert re.search(pattern, lines[0], re.IGNORECASE), f"no {pattern!r} in: {lines[0]}"
    return lines[0]


@case()
def files(lab):
    node = host(lab)
    run = [lab.adit, "run"]
    with lab.check("a file that does not exist"):
        fails(node, run + ["/run/tun-left.conf"], "/run/tun-left.conf", "no such file", code=EX_CONFIG)
    with lab.check("a directory"):
        os.mkdir("/run/tun-dir.conf")
        fails(node, run + ["/run/tun-dir.conf"], "/run/tun-dir.conf", "directory", code=EX_CONFIG)
    with lab.check("a name that is too long for an interface"):
        path = "/run/a-name-that-is-too-long.conf"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(Adit(node, INTERFACE, ["10.7.0.1/24"]).text())
        fails(node, run + [path], "a-name-that-is-too-long", "name", code=EX_CONFIG)
    with lab.check("an invalid key: the message has file and line, but not the key"):
        end = Adit(node, INTERFACE, ["10.7.0.1/24"])
        end.private = "x" + end.private
        line = fails(node, run + [end.write()], f"/run/{INTERFACE}.conf:2: ", "key", code=EX_CONFIG)
        assert end.private[:12] not in line, "the message contains the key"
    with lab.check("an unknown configuration key: the message has file and line"):
        end = Adit(node, INTERFACE, ["10.7.0.1/24"], Adress="10.7.0.1")
        fails(node, run + [end.write()], f"/run/{INTERFACE}.conf:5: ", "unknown key", code=EX_CONFIG)
    with lab.check("no link is left"):
        assert not node.has_link(INTERFACE)


@case()
def conflicts(lab):
    node = host(lab)
    end = Adit(node, INTERFACE, ["10.7.0.1/24"])
    command = [lab.adit, "run", end.write()]
    for family, name, any_address in (socket.AF_INET, "IPv4", ""), (socket.AF_INET6, "IPv6", "::"):
        with lab.check(f"a port in use, {name}"):
            with node.socket(family, socket.SOCK_DGRAM) as taken:
                if family == socket.AF_INET6:
                    taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                taken.bind((any_address, PORT))
                fails(node, command, INTERFACE, str(PORT), "in use")
            assert not node.has_link(INTERFACE), "the link is left"
    with lab.check("an interface with this name exists"):
        node.run(f"ip link add {INTERFACE} type veth peer name other")
        try:
            fails(node, command, INTERFACE, "exists|busy|in use")
        finally:
            node.run(f"ip link del {INTERFACE}")
    with lab.check("a daemon with the same file already runs"):
        end.start()
        fails(node, command, INTERFACE, "exists|busy|in use|running")
        assert node.has_link(INTERFACE), "the second start deleted the link of the first"


@case()
def missing_requirements(lab):
    node = host(lab)
    end = Adit(node, INTERFACE, ["10.7.0.1/24"])
    path = end.write()
    with lab.check("not root"):
        os.chmod(path, 0o644)
        os.chmod("/run", 0o755)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = node.run(user + [lab.adit, "run", path], check=False)
        error = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and re.search("root|CAP_NET_ADMIN|not permitted|denied", error), error
        os.chmod(path, 0o600)
    nodes = {"true": "/dev/net/tun does not exist", "touch /dev/net/tun": "/dev/net/tun is not the TUN device",
             "mknod /dev/net/tun c 1 3": "/dev/net/tun is not the TUN device"}
    for make, message in nodes.items():
        with lab.check(f"/dev/net/tun as made by {make!r}"):
            script = f"mount -t tmpfs tmpfs /dev/net && {make} && exec {shlex.quote(lab.adit)} run {path}"
            fails(node, ["unshare", "--mount", "sh", "-c", script], message)
    with lab.check("with root and /dev/net/tun it starts"):
        end.start()
    with lab.check("not root: adit metrics reports that the user may not ask the daemon"):
        done = node.run(user + [lab.adit, "metrics"], check=False)
        assert done.stderr == f"adit metrics: {INTERFACE}: Permission denied\n", done


def refuse_io_uring():
    """For a child: io_uring_setup(2) fails with EPERM."""
    forbid((425, 425), errno.EPERM)


@case()
def without_io_uring(lab):
    """If a sandbox refuses io_uring, adit uses system calls, and warns if the file asks for io_uring."""
    for wanted in "io_uring", "auto":
        node = lab.node(f"host-{wanted[0]}")
        path = Adit(node, INTERFACE, ["10.7.0.1/24"], TunBackend=wanted).write()
        with lab.check(f"TunBackend = {wanted} where io_uring is refused"):
            daemon = node.start(INTERFACE, [lab.adit, "run", path], preexec_fn=refuse_io_uring)
            wait_for(lambda: ", syscalls, " in daemon.log(), "the log line with the TUN backend")
            warned = "io_uring is unavailable" in daemon.log()
            assert warned == (wanted == "io_uring"), daemon.log()


@case()
def command_line(lab):
    node = host(lab)
    path = Adit(node, INTERFACE, ["10.7.0.1/24"]).write()
    with lab.check("no command, a wrong option, no file: where the usage is, and an exit code"):
        for words, text in ([], "usage: "), (["--frobnicate"], "adit --help"), (["run"], "usage: "), (["check"], "usage: "):
            done = node.run([lab.adit] + words, check=False)
            assert done.returncode in (1, 2), f"{words}: exit code {done.returncode}"
            assert text in done.stderr.lower(), f"{words}: {done.stderr}"
    with lab.check("check: 0 for a good file, 1 and file:line for a bad one"):
        node.run([lab.adit, "check", path])
        bad = Adit(node, INTERFACE, ["10.7.0.1/24"], port=70000).write()
        fails(node, [lab.adit, "check", bad], f"{bad}:3: ", "70000")
    with lab.check("genkey, pubkey and genpsk print 32 bytes, and pubkey is deterministic"):
        private = node.run([lab.adit, "genkey"]).stdout
        public = [node.run([lab.adit, "pubkey"], input=private).stdout for _ in range(2)]
        secret = node.run([lab.adit, "genpsk"]).stdout
        assert all(re.fullmatch(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n", text) for text in (private, secret, *public))
        assert public[0] == public[1] != private != secret
    with lab.check("pubkey rejects text that is not a key"):
        done = node.run([lab.adit, "pubkey"], input="no key\n", check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and not done.stdout
