# SPDX-License-Identifier: MIT
"""
The words of the command line: help, words that are no commands, a bare device on a terminal, stop, names in /etc/adit.

    left  (one host without a network)
"""

import os
import pty
import re
import subprocess

from ends import Adit
from lab import TIMEOUT, case, wait_for

WORDS = {"status": "show", "version": "--version", "chek": "check", "list": "show", "start": "run", "connect": "up",
         "disconnect": "down", "relaod": "reload", "STATUS": "show", "gen-key": "genkey", "site.conf": "run", "shwo": "show"}


def links(node):
    return {link["ifname"] for link in node.json("ip -j link")}


@case()
def words(lab):
    node = lab.node("left")
    before = links(node)
    with lab.check("a word near a command makes no interface and names the command"):
        for word, command in WORDS.items():
            done = node.run([lab.adit, word], check=False)
            assert done.returncode == 1, f"{word}: exit code {done.returncode}"
            assert f'did you mean "adit {command}' in done.stderr, f"{word}: {done.stderr}"
            assert links(node) == before, f"{word}: made {links(node) - before}"
            assert not os.path.exists(f"/var/run/wireguard/{word}.sock"), f"{word}: made a socket"
    with lab.check("-- and -f make an interface of any name"):
        node.run([lab.adit, "--", "status"])
        daemon = node.start("list", [lab.adit, "-f", "--", "list"])
        wait_for(lambda: os.path.exists("/var/run/wireguard/list.sock"), "a socket")
        assert links(node) == before | {"status", "list"}
        node.run([lab.adit, "stop", "status"])
        node.run([lab.adit, "stop", "list"])
        assert daemon.wait() == 0
        assert links(node) == before


@case()
def helps(lab):
    node = lab.node("left")
    before = links(node)
    with lab.check("every command explains itself within 80 columns"):
        commands = re.findall("^  adit ([a-z]+) ", node.run([lab.adit, "--help"]).stdout, re.M)
        assert {"run", "show", "log"} < set(commands), commands
        for command in commands:
            for line in [command, "--help"], [command, "-h"], ["help", command], [command, "one", "--help"]:
                done = node.run([lab.adit] + line)
                assert done.stdout.startswith(f"usage: adit {command}") and not done.stderr, f"{line}: {done}"
                assert done.stdout.count("\n") >= 3, f"{line}: says nothing more"
                assert max(map(len, done.stdout.splitlines())) < 80, f"{line}: too wide"
    with lab.check("so do a bare device and the program"):
        for line in ["wg9", "--help"], ["-f", "--help"], ["-f", "wg9", "-h"], ["--help"], ["-h"], ["help"]:
            done = node.run([lab.adit] + line)
            assert done.stdout.startswith("usage: adit ") and not done.stderr, f"{line}: {done}"
            assert max(map(len, done.stdout.splitlines())) < 80, f"{line}: too wide"
    with lab.check("nothing was made"):
        assert links(node) == before


@case()
def version(lab):
    node = lab.node("left")
    before = links(node)
    with lab.check("--version prints one line"):
        done = node.run([lab.adit, "--version"])
        assert re.fullmatch(r"adit \S+\n", done.stdout) and not done.stderr, f"{done}"
    with lab.check("--version with an argument prints one line of usage"):
        for rest in ["x"], ["--version"], ["wg9"], ["--"], ["run", "site.conf"]:
            done = node.run([lab.adit, "--version"] + rest, check=False)
            assert done.returncode == 1, f"{rest}: exit code {done.returncode}"
            assert done.stderr == "usage: adit --version\n" and not done.stdout, f"{rest}: {done}"
    with lab.check("nothing was made"):
        assert links(node) == before


def on_terminal(node, command):
    """Runs a command with a terminal as its standard error. Returns what it printed there."""
    master, slave = pty.openpty()
    try:
        subprocess.run(node.words(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                       check=True, timeout=TIMEOUT)
        os.set_blocking(master, False)
        try:
            return os.read(master, 4096).decode().replace("\r\n", "\n")
        except BlockingIOError:
            return ""
    finally:
        os.close(slave)
        os.close(master)


@case()
def hint(lab):
    node = lab.node("left")
    with lab.check("on a terminal, a started device prints one line: its name, configuration and end"):
        text = on_terminal(node, [lab.adit, "wg9"])
        assert text.count("\n") == 1, text
        assert all(part in text for part in ("wg9", "wg(8)", "adit stop wg9")), text
        node.run([lab.adit, "stop", "wg9"])
    with lab.check("elsewhere it prints nothing"):
        done = node.run([lab.adit, "wg9"])
        assert not done.stdout and not done.stderr, done
    with lab.check("a start that fails prints no hint"):
        done = node.run([lab.adit, "wg9"], check=False)
        assert done.returncode == 1 and "adit stop" not in done.stderr, done.stderr
        node.run([lab.adit, "stop", "wg9"])


@case(workers=[1, 4])
def stop(lab, workers):
    node = lab.node("left")
    with lab.check("stop ends a device in the background, and returns when it is gone; ten times"):
        for _ in range(10):
            node.run([lab.adit, "wg9"])
            node.run([lab.adit, "stop", "wg9"])
            assert not node.has_link("wg9")
            assert not os.path.exists("/var/run/wireguard/wg9.sock")
    with lab.check("stop ends a tunnel that was started with a file, with exit code 0"):
        end = Adit(node, "tun-left", ["10.7.0.1/24"], Workers=workers).start()
        node.run([lab.adit, "stop", "tun-left"])
        assert end.daemon.wait() == 0
        assert not node.has_link("tun-left")
    with lab.check("stop ends a device whose interface was made beforehand and stays"):
        node.run("ip tuntap add wg8 mode tun")
        node.run([lab.adit, "wg8"])
        node.run([lab.adit, "stop", "wg8"])
        assert node.has_link("wg8")
        node.run("ip link del wg8")
    with lab.check("stop leaves a device in another network namespace alone, and says where it is"):
        other = lab.node("right")
        node.run([lab.adit, "wg9"])
        done = other.run([lab.adit, "stop", "wg9"], check=False)
        assert done.returncode == 1 and done.stderr == (
            'adit stop: wg9: the interface is in the network namespace "left"; use "ip netns exec left adit ..."\n'), done
        node.run([lab.adit, "stop", "wg9"])
        assert not node.has_link("wg9")
    with lab.check("without such a daemon, stop fails and says so"):
        for name in "wg9", "no-such", "../x", "":
            done = node.run([lab.adit, "stop", name], check=False)
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, f"{name}: {done}"
    with lab.check("stop leaves wireguard-go alone, and says how to end it"):
        node.run(["wireguard-go", "wg7"])
        done = node.run([lab.adit, "stop", "wg7"], check=False)
        assert done.returncode == 1 and "ip link delete wg7" in done.stderr, done.stderr
        assert node.has_link("wg7")
        node.run("ip link del wg7")


@case()
def names(lab):
    """`adit run site` is `adit run /etc/adit/site.conf`, as with wg-quick(8) and /etc/wireguard."""
    node = lab.node("left")
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    os.makedirs("/etc/adit", exist_ok=True)
    path = Adit(node, "site", ["10.7.0.1/24"]).write()
    os.rename(path, "/run/moved")
    with open("/run/moved") as file, open(os.open("/etc/adit/site.conf", os.O_WRONLY | os.O_CREAT, 0o600), "w") as to:
        to.write(file.read())
    with lab.check("check"):
        assert node.run([lab.adit, "check", "site"]).stdout == "site: OK, 0 peers\n"
    with lab.check("run and reload"):
        daemon = node.start("site", [lab.adit, "run", "site"])
        wait_for(lambda: os.path.exists("/var/run/wireguard/site.sock"), "a socket")
        with open("/etc/adit/site.conf", "a") as file:
            file.write("[Interface]\nMTU = 1300\n")
        node.run([lab.adit, "reload", "site"])
        assert node.json("ip -j link show site")[0]["mtu"] == 1300
        node.run([lab.adit, "stop", "site"])
        assert daemon.wait() == 0
    with lab.check("a name without a file: the message names the file that was looked for"):
        done = node.run([lab.adit, "run", "nowhere"], check=False)
        assert done.returncode == 78 and re.match("/etc/adit/nowhere.conf: error: No such file", done.stderr), done.stderr
    with lab.check("init names a command that starts the tunnel, also where no unit can have its name"):
        for name, command in (("b", "systemctl enable --now adit@b "),
                              ("b.target", "systemctl enable --now adit@b.target.service "),
                              ("a=b", "adit up a=b "), ("a+b", "adit up a+b ")):
            done = node.run([lab.adit, "init", name, "--address", "10.7.0.1/24"])
            assert f"\n  {command}" in done.stderr, done.stderr
