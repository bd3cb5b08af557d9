# SPDX-License-Identifier: MIT
"""
`adit top` on a real terminal, that of tmux(1): what it shows, what its keys do, and how it ends.

    left  192.0.2.1  ----  right  192.0.2.2
    tun-left  10.7.0.1     tun-right  10.7.0.2

With a folder in the environment variable ADIT_SCREENS, some of the screens are stored there:

    ADIT_SCREENS=docs/screens python3 tests/netns/run.py --adit build/adit top/screens top/keys top/many_peers
"""

import base64
import contextlib
import fcntl
import itertools
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from ends import AditDevice, pair
from lab import Skip, case, wait_for
from reload import resources
from traffic import MIB, Flow

numbers = itertools.count()
UTF8 = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def child_of(pid):
    return int(subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True).stdout.split()[0])


# Runs a program, and stores its exit code and the settings of the terminal before and after it. tmux(1) itself sometimes
# loses the exit code.
WRAPPER = """trap : INT QUIT
stty -g >$0.before
"$@"
echo $? >$0.code
stty -g >$0.after
echo finished
exec sleep 1000"""


class Terminal:
    """A terminal with a program, in the namespace of a node."""

    def __init__(self, node, command, columns=80, rows=24, **environment):
        if not shutil.which("tmux"):
            raise Skip("tmux is missing")
        self.node = node
        self.path = f"/run/tmux-{next(numbers)}"
        with open(f"{self.path}.conf", "w") as file:
            file.write("set -g status off\nset -g escape-time 0\n")
        variables = itertools.chain(*(("-e", f"{name}={value}") for name, value in (UTF8 | environment).items()))
        self.tmux("-u", "-f", f"{self.path}.conf", "new-session", "-d", "-x", columns, "-y", rows, "-s", "top", *variables,
                  "sh", "-c", WRAPPER, self.path, *command)
        self.tmux("set", "-g", "window-size", "manual")

    def tmux(self, *arguments):
        done = subprocess.run(self.node.words(["tmux", "-S", self.path, *arguments]), capture_output=True, text=True,
                              timeout=30, env=os.environ | UTF8)
        assert done.returncode == 0, f"tmux {arguments}: {done.stderr}"
        return done.stdout

    def format(self, text):
        return self.tmux("display-message", "-p", "-t", "top", text).strip()

    @property
    def pid(self):
        """The process of the program."""
        return child_of(int(self.format("#{pane_pid}")))

    def lines(self, *options):
        return self.tmux("capture-pane", "-p", "-t", "top", *options).split("\n")[:-1]

    def screen(self, *options):
        return "\n".join(self.lines(*options))

    def store(self, name):
        """Stores the screen as docs/screens has it."""
        if folder := os.environ.get("ADIT_SCREENS"):
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"top-{name}.txt"), "w") as file:
                file.write("".join(line.rstrip() + "\n" for line in self.lines()))

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "top", *keys)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "top", "-x", columns, "-y", rows)

    def shows(self, pattern, wanted=True):
        """Waits until the screen matches, or does not match. Returns the match."""
        try:
            return wait_for(lambda: bool(found := re.search(pattern, self.screen(), re.M)) == wanted and (found or True),
                            f"a screen {'with' if wanted else 'without'} {pattern}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.screen()}") from None

    def ended(self):
        """Waits for the end of the program and returns its exit code."""
        self.shows("^finished$")
        with open(f"{self.path}.code") as file:
            return int(file.read())

    def settings(self, moment):
        """The settings of the terminal `before` or `after` the program."""
        with open(f"{self.path}.{moment}") as file:
            return file.read()

    def close(self):
        self.tmux("kill-server")


def named_pair(lab, **options):
    """A tunnel whose left end knows three peers by name: the right end, and two that do not exist."""
    left, right = pair(lab, start=False, **options)
    left.peers[0]["Name"] = "berlin"
    for name, address in ("kyoto", "10.9.0.1/32"), ("lima", "10.9.0.2/32"):
        left.peers.append({"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Name": name, "AllowedIPs": address})
    left.start()
    right.start()
    left.node.ping(right.v4)
    return left, right


def top(end, *arguments, **options):
    return Terminal(end.node, [end.node.lab.adit, "top", *arguments], **options)


def row_of(terminal, name):
    """Returns the words of the row of a peer: name, state, rates in and out, ..."""
    return next((line.split() for line in terminal.lines() if line.startswith(name + " ")), [])


def time_of(screen):
    """Returns the time at the end of the title, hh:mm:ss."""
    return screen.split("\n", 1)[0].split()[-1]


def title_row(terminal):
    """Returns the row that has the titles of the columns."""
    return next(i for i, line in enumerate(terminal.lines()) if line.startswith("PEER "))


@case()
def screens(lab):
    left, right = named_pair(lab)
    terminal = top(left, left.interface)
    with lab.check("the title names the interface, and the summary its peers, port, provider, backend and workers"):
        terminal.shows(rf"^adit top  {left.interface} .* by rate  every 1 s  \d\d:\d\d:\d\d$")
        terminal.shows(r"^3 peers, 1 up   port 51820   crypto \S+   TUN \S+   1 worker$")
    with lab.check("all peers have a row, and the one with traffic is first"):
        flow = Flow(left.node, right.node, right.v4)
        terminal.shows(r"\nberlin +up +[\d.]+[kM]? +[\d.]+[MG] .*\n(kyoto|lima) .*\n(kyoto|lima) ")
        assert re.search(r"^lima .* 0 +0\s", terminal.screen(), re.M), terminal.screen()
    with lab.check("the traffic of the flow has a graph, in its row and at the top"):
        terminal.shows(r"^out +[\d.]+ [MG]bit/s +[▁-█]{3}")
        terminal.shows(r"^berlin .*[▁-█]{6}")
        terminal.store("80x24")
        terminal.resize(200, 60)
        terminal.shows("ALLOWED IPS")
        terminal.shows(r"^berlin .*[▁-█]{8}")
        terminal.store("200x60")
        terminal.resize(80, 24)
    with lab.check("when the flow ends, its rate falls to 0"):
        flow.stop()
        wait_for(lambda: row_of(terminal, "berlin")[2:4] == ["0", "0"], "a rate of 0")
        terminal.shows(r"^out +0 bit/s")
    with lab.check("a cause of drops is named with its number"):
        left.node.run("ping -n -q -c 3 -i 0.2 -W 1 10.7.0.99", check=False)  # no peer has this address
        terminal.shows(r"^drops none now, in all: .*no_peer 3\b")
        terminal.shows("packets to 10.7.0.99 are dropped")  # a warning, which has a row of its own
    with lab.check("80x24 is filled, and no line is wider"):
        lines = terminal.lines()
        assert len(lines) == 24 and max(map(len, lines)) <= 80, lines
        assert lines[23].startswith("q quit  s sort") and lines[23].endswith("? help"), lines[23]
        assert title_row(terminal) == 6, terminal.screen()
    with lab.check("at 200x60 there are more columns, and the keys are in the last row"):
        terminal.resize(200, 60)
        terminal.shows(r"^PEER .*HANDSHAKE ENDPOINT +ALLOWED IPS")
        terminal.shows(r"^berlin .* 192\.0\.2\.2:51820 +10\.7\.0\.2/32, fd07")
        wait_for(lambda: terminal.lines()[59].startswith("q quit"), "keys in the last row")
    for columns, rows, kept, gone in (40, 10, r"^PEER +IN bit/s OUT bit/s$", "STATE"), (20, 5, "^berlin", "q quit"), \
                                     (10, 2, "^berlin", "PEER"), (80, 24, "HANDSHAKE$", "ENDPOINT"):
        with lab.check(f"a terminal of {columns}x{rows} has what fits"):
            terminal.resize(columns, rows)
            terminal.shows(kept)
            terminal.shows(gone, wanted=False)
    terminal.close()


@case()
def keys(lab):
    left, right = named_pair(lab)
    flow = Flow(left.node, right.node, right.v4, max_rate=1 * MIB)
    terminal = top(left, left.interface)
    terminal.shows(r"^berlin +up +\S+ +[\d.]+M ")
    with lab.check("s sorts by the next column, S by the previous one, and r reverses"):
        terminal.keys("s", "s", "s")
        terminal.shows(r"by name  every.*\n(?:.*\n)*berlin .*\nkyoto .*\nlima ")
        terminal.keys("r")
        terminal.shows(r"by name, reversed  every.*\n(?:.*\n)*lima .*\nkyoto .*\nberlin ")
        terminal.keys("r", "S")
        terminal.shows("by out  every")
    with lab.check("/ shows the peers that match, and Esc shows all again"):
        terminal.keys("/", "KYO")
        terminal.shows("^filter: KYO_")
        terminal.shows("^(berlin|lima) ", wanted=False)
        terminal.keys("Enter")
        terminal.shows(r'filter "KYO"  by out')
        terminal.shows("3 peers, 1 up, 1 shown")
        terminal.keys("Escape")
        terminal.shows(r"^berlin (.*\n)*lima ")
    with lab.check("p stops the screen, and p continues"):
        terminal.keys("p")
        terminal.shows("PAUSED")
        first = terminal.screen()
        time.sleep(2.5)
        assert terminal.screen() == first, terminal.screen()
        terminal.keys("p")
        terminal.shows("PAUSED", wanted=False)
        wait_for(lambda: time_of(terminal.screen()) != time_of(first), "a later time")
    with lab.check("Enter shows the selected peer, and the arrows the others"):
        terminal.keys("S", "S", "Down")  # by rate: kyoto and lima are below berlin
        terminal.keys("Enter")
        terminal.shows(r"^peer +kyoto$")
        terminal.keys("Up")
        terminal.shows(r"^peer +berlin$")
        terminal.shows(rf"^public key +{re.escape(right.public)}$")
        terminal.shows(r"^endpoint +192\.0\.2\.2:51820")
        terminal.shows(r"^allowed IPs +10\.7\.0\.2/32, fd07::2/128$")
        terminal.shows(r"^handshake +\d+ (s|min) ago$")
        terminal.shows(r"^out +a full bar is [\d.]+ Mbit/s\n(.*\n)*.*█")
        terminal.store("peer")
        terminal.keys("Escape")
        terminal.shows("^PEER ")
    with lab.check("d shows the counters, ? the keys"):
        terminal.keys("d")
        terminal.shows(r"^sealed +[\d.]+k? +[\d.]+k?")
        terminal.store("counters")
        terminal.keys("?")
        terminal.shows("select a peer; Page Up")
        terminal.keys("?")
        terminal.shows("^PEER ")
    with lab.check("Tab shows the next interface, and Shift-Tab the previous one"):
        terminal.shows(rf"^adit top  {left.interface}  1 of 2")
        terminal.keys("Tab")
        terminal.shows(rf"^adit top  {right.interface}  2 of 2(.*\n)1 peer, 1 up")
        terminal.keys("BTab")
        terminal.shows(rf"^adit top  {left.interface}  1 of 2(.*\n)3 peers, 1 up")
    with lab.check("Ctrl-L draws the screen again after another program has written to it"):
        terminal.keys("p")
        terminal.shows("PAUSED")
        with open(terminal.format("#{pane_tty}"), "w") as tty:
            tty.write("\033[10;1Hnonsense")
        terminal.shows("nonsense")
        terminal.keys("C-l")
        terminal.shows("nonsense", wanted=False)
    flow.stop()
    terminal.close()


@case()
def many_peers(lab):
    left, right = pair(lab, start=False, Table="off")
    left.peers[0]["Name"] = "peer 0"
    left.peers += [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Name": f"peer {i}",
                    "AllowedIPs": f"10.64.{i // 256}.{i % 256}/32"} for i in range(1, 300)]
    left.start()
    terminal = top(left)
    with lab.check("without a name the first interface is shown, and 300 peers fill the screen"):
        terminal.shows(rf"^adit top  {left.interface}\b")
        terminal.shows("^300 peers, ")
        lines = terminal.lines()
        assert sum(line.startswith("peer ") for line in lines) == 24 - title_row(terminal) - 2, lines
        terminal.store("300-peers")
    with lab.check("End shows the last peer, Home the first"):
        terminal.keys("s", "s", "s", "End")
        terminal.shows("^peer 299 ")
        terminal.keys("Home")
        terminal.shows("^peer 0 ")
    with lab.check("the selected peer stays on the screen when the terminal shrinks"):
        terminal.keys("NPage", "NPage")
        terminal.shows("^peer 0 ", wanted=False)
        terminal.keys("Enter")
        name = terminal.shows(r"^peer +(peer \d+)$")[1]
        terminal.keys("Escape")
        terminal.resize(80, 10)
        terminal.shows(f"^{name} ")
        terminal.resize(200, 60)
        terminal.shows(f"^{name} ")
    with lab.check("a filter finds one of 300"):
        terminal.keys("/", "10.64.0.217", "Enter")
        terminal.shows(", 1 shown")
        terminal.shows("^peer 217 .* 10.64.0.217/32")
    terminal.close()


@case()
def silent_daemon(lab):
    left, right = named_pair(lab)
    terminal = top(left, left.interface)
    terminal.shows("^berlin +up")
    with lab.check("a daemon that is stopped does not answer: the old values stay, and keys work"):
        with left.daemon.held():
            terminal.shows(r"^The daemon does not answer\. These values are \d+ s old\.$")
            terminal.shows("^berlin +up")
            terminal.keys("?")
            terminal.shows("select a peer; Page Up")
            terminal.keys("?", "s")
            terminal.shows("by in  every")
            terminal.keys("Tab")
            terminal.shows(rf"^adit top  {right.interface}  2 of 2(.*\n)1 peer, 1 up")
            terminal.keys("Tab")
            terminal.shows(rf"^{left.interface}: (waiting for the daemon|the daemon does not answer)$")
        terminal.shows("^berlin +up")
        terminal.shows("does not answer", wanted=False)
    with lab.check("when the daemon ends, the screen says so"):
        left.stop()
        terminal.shows(rf"^{left.interface}: no daemon serves this interface$")
        terminal.shows("^berlin ", wanted=False)
    with lab.check("when it returns, its peers return"):
        left.start()
        terminal.shows(r"^berlin ")
        terminal.shows("no daemon", wanted=False)
    with lab.check("q ends it while the daemon does not answer"):
        with left.daemon.held():
            terminal.shows("does not answer")
            terminal.keys("q")
            assert terminal.ended() == 0
    terminal.close()


@case()
def no_tunnel(lab):
    left, right = pair(lab, start=False)
    terminal = top(left)
    with lab.check("without a tunnel the screen says so, and a tunnel that starts is shown"):
        terminal.shows(r"^No tunnel is running\.$")
        left.start()
        terminal.shows(rf"^adit top  {left.interface} (.*\n)1 peer, ")
    with lab.check("it stays with this tunnel when another one with a lower name starts"):
        other = AditDevice(left.node, "aaa", [], port=0)
        other.launch()
        terminal.shows(rf"^adit top  {left.interface}  2 of 2")
        other.stop()
    terminal.close()


@case(how=["q", "C-c", "TERM", "HUP", "QUIT"])
def end(lab, how):
    left, _ = named_pair(lab)
    terminal = top(left, left.interface)
    terminal.shows("^berlin +up")
    with lab.check("the program uses the other screen of the terminal, without a cursor"):
        assert terminal.format("#{alternate_on} #{cursor_flag}") == "1 0"
    with lab.check(f"{how} ends it, and the terminal is as before"):
        if how.isupper():
            os.kill(terminal.pid, getattr(signal, f"SIG{how}"))
        else:
            terminal.keys(how)
        assert terminal.ended() == 0
        terminal.shows("berlin", wanted=False)
        assert terminal.format("#{alternate_on} #{cursor_flag}") == "0 1"
        assert terminal.settings("after") == terminal.settings("before")
    terminal.close()


@case()
def suspend(lab):
    left, right = named_pair(lab)
    terminal = Terminal(left.node, ["bash", "--norc", "-i"], PS1="prompt> ", HISTFILE="")
    terminal.shows("^prompt>")
    terminal.keys(f"{lab.adit} top {left.interface}", "Enter")
    terminal.shows("^berlin +up")
    with lab.check("Ctrl-Z stops it and restores the terminal"):
        terminal.keys("C-z")
        terminal.shows(r"Stopped .*adit top")
        assert terminal.format("#{alternate_on} #{cursor_flag}") == "0 1"
        terminal.keys("echo a$((1 + 1))b", "Enter")
        terminal.shows("^a2b$")
    with lab.check("fg continues it, in the size that the terminal has now"):
        terminal.resize(200, 60)
        terminal.keys("fg", "Enter")
        terminal.shows(r"^berlin +up .* 192\.0\.2\.2:51820")
        assert terminal.format("#{alternate_on} #{cursor_flag}") == "1 0"
    with lab.check("SIGSTOP and SIGCONT from another program draw the screen again"):
        os.kill(child_of(terminal.pid), signal.SIGSTOP)
        terminal.shows(r"Stopped .*adit top")
        terminal.keys("fg", "Enter")
        terminal.shows(r"^berlin +up .* 192\.0\.2\.2:51820")
        terminal.shows("Stopped", wanted=False)
    with lab.check("q ends it, and the shell continues"):
        terminal.keys("q")
        wait_for(lambda: terminal.format("#{alternate_on} #{cursor_flag}") == "0 1", "the first screen")
        terminal.keys("echo c$((1 + 2))d", "Enter")
        terminal.shows("^c3d")
    terminal.close()


@case(environment=["LC_ALL=C", "LC_ALL=C.UTF-8 TERM=linux"])
def ascii_only(lab, environment):
    left, right = named_pair(lab)
    flow = Flow(left.node, right.node, right.v4, max_rate=1 * MIB)
    words = ["env", *environment.split(), lab.adit, "top", left.interface]
    terminal = Terminal(left.node, words)
    with lab.check(f"{environment}: graphs are of ASCII characters"):
        terminal.shows(r"^berlin +up +\S+ +[\d.]+M +[-.,:=+*#]{3}")
        assert terminal.screen().isascii(), terminal.screen()
    flow.stop()
    terminal.close()


@case()
def colours(lab):
    left, right = named_pair(lab)
    flow = Flow(left.node, right.node, right.v4, max_rate=1 * MIB)
    colour = re.compile(r"\033\[(?:[\d;]*;)?3[1-7][;m]")
    for environment, wanted in ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True):
        terminal = top(left, left.interface, **environment)
        terminal.shows("^out .*[▁-█]{2}")
        with lab.check(f"{environment or 'without NO_COLOR'}: {'colours' if wanted else 'no colours'}"):
            assert bool(colour.search(terminal.screen("-e"))) == wanted, repr(terminal.screen("-e"))
            assert "\033[7m" in terminal.screen("-e"), "no reverse title"
        terminal.close()
    flow.stop()
    terminal = Terminal(left.node, ["env", "TERM=dumb", lab.adit, "top"])
    with lab.check("a terminal without a screen is refused in one line"):
        assert terminal.ended() == 1
        terminal.shows(r'^adit top: TERM: "dumb" is not a type of terminal that has a screen$')
    terminal.close()


class FakeDaemon(threading.Thread):
    """A control socket whose answers are chosen by the test."""

    def __init__(self, name, answer):
        super().__init__(daemon=True)
        self.answer = answer
        os.makedirs("/var/run/wireguard", exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"/var/run/wireguard/{name}.sock")
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            with client, contextlib.suppress(OSError):
                client.recv(4096)
                self.answer(client)


@case()
def hostile_daemon(lab):
    node = lab.node("alone")
    with lab.check("control characters of a daemon do not reach the terminal"):
        key = os.urandom(32).hex()
        text = (f"listen_port=7\nwarning=a\033[2Jb\u202ec\npublic_key={key}\nendpoint=\033]0;x\a:1\nname=n\033[31m\u009b7mx\n"
                f"description=\033[H\nstate_reason=\b\b\b\nerrno=0\n\n")
        FakeDaemon("evil", lambda client: client.sendall(text.encode("utf-8", "surrogateescape")))
        terminal = Terminal(node, [lab.adit, "top", "evil"], columns=200, rows=60)
        terminal.shows(r"^n\?\[31m\?7mx ")
        terminal.shows(r"^a\?\[2Jbc$")
        terminal.keys("Enter")
        terminal.shows(r"^peer +n\?\[31m\?7mx$")
        terminal.close()
    with lab.check("an answer that is no answer, or never ends, is a problem that is shown"):
        FakeDaemon("nonsense", lambda client: client.sendall(b"\0\xff\n\n"))
        FakeDaemon("endless", lambda client: [client.sendall(b"a=b\n" * 1000) for _ in itertools.count()])
        terminal = Terminal(node, [lab.adit, "top", "nonsense"])
        terminal.shows("^nonsense: the daemon sent an invalid reply$")
        terminal.keys("Tab")  # from the last one to the first one
        terminal.shows("^endless: (waiting for the daemon|the daemon does not answer)$")
        terminal.shows("^endless: the daemon does not answer$")
        terminal.keys("q")
        assert terminal.ended() == 0
        terminal.close()


@case()
def slow_daemon(lab):
    node = lab.node("alone")

    def answer(client):
        time.sleep(0.25)
        client.sendall(b"listen_port=7\nerrno=0\n\n")

    FakeDaemon("slow", answer)
    FakeDaemon("quick", lambda client: client.sendall(b"listen_port=8\nerrno=0\n\n"))
    terminal = Terminal(node, [lab.adit, "top", "quick", "--interval", "2"])
    with lab.check("--interval sets the time between two samples"):
        terminal.shows(r"^adit top  quick  1 of 2 .* every 2 s(.*\n)0 peers, 0 up   port 8$")
    with lab.check("a daemon that needs a quarter of a second is asked every 5 s at most"):
        terminal.keys("Tab")
        terminal.shows(r"^adit top  slow  2 of 2 .* every ([5-9]|\d\d+) s(.*\n)0 peers, 0 up   port 7$")
    terminal.close()


@case()
def another_interface_in_a_pause(lab):
    """A pause keeps the values that are shown. Another interface has none yet."""
    node = lab.node("alone")
    for name, port in ("one", 7), ("two", 8):
        FakeDaemon(name, lambda client, port=port: client.sendall(f"listen_port={port}\nerrno=0\n\n".encode()))
    terminal = Terminal(node, [lab.adit, "top", "one"])
    with lab.check("the other interface is shown, and the pause lasts"):
        terminal.shows("port 7$")
        terminal.keys("p")
        terminal.shows("PAUSED")
        terminal.keys("Tab")
        terminal.shows(r"^adit top  two  2 of 2 .*PAUSED(.*\n)0 peers, 0 up   port 8$")
    terminal.close()


@case()
def stopped_clients(lab):
    """16 clients that are stopped, and 16 whose terminal nobody reads."""
    left, right = named_pair(lab)
    left.peers += [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "AllowedIPs": f"10.64.{i // 256}.{i % 256}/32"}
                   for i in range(2000)]  # an answer that does not fit the socket's buffer
    left.reload()
    flow = Flow(left.node, right.node, right.v4)
    flow.rate(1)
    before = resources(left.daemon.pid)
    clients = []
    for i in range(32):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 60, 200, 0, 0))
        clients.append((subprocess.Popen(left.node.words([lab.adit, "top", left.interface]), stdin=slave, stdout=slave,
                                         stderr=slave, start_new_session=True,
                                         env=os.environ | UTF8 | {"TERM": "xterm"}), master))
        os.close(slave)
    for i, (client, _) in enumerate(clients[:16]):
        time.sleep(0.01 * i)  # at different points
        client.send_signal(signal.SIGSTOP)
    with lab.check("data flows meanwhile"):
        for _ in range(5):
            assert flow.rate(1) > 0
    with lab.check("other clients get their answers"):
        for _ in range(3):
            assert left.node.run(["wg", "show", left.interface, "peers"], timeout=60).stdout.count("\n") == 2003
        terminal = top(left, left.interface)
        terminal.shows("^2003 peers, 1 up")
        terminal.close()
    with lab.check("data arrives complete"):
        flow.stop()
    with lab.check("a client whose terminal nobody reads ends with SIGTERM"):
        for client, _ in clients[16:]:
            client.terminate()
        for client, _ in clients[16:]:
            client.wait(60)
    for client, master in clients:
        client.kill()
        client.wait()
        os.close(master)
    with lab.check("the daemon keeps nothing of them"):
        wait_for(lambda: resources(left.daemon.pid)[1] == before[1], "the descriptors of before")
        after = resources(left.daemon.pid)
        assert after[0] <= before[0] + 4096, f"before: {before}, after: {after}"


@case(bars=True)
def cost(lab):
    """The processor time of a daemon with 10,000 peers, with and without a client."""
    left, _ = pair(lab, start=False, Table="off")
    left.peers += [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Name": f"peer {i}",
                    "AllowedIPs": f"10.{64 + i // 65536}.{i // 256 % 256}.{i % 256}/32"} for i in range(10000)]
    left.start()
    terminal = top(left, left.interface)
    with lab.check("10,000 peers are shown"):
        terminal.shows("^10001 peers, ")
    seconds = 10
    before = left.daemon.cpu_seconds()
    time.sleep(seconds)
    used = left.daemon.cpu_seconds() - before
    lab.bar("a client takes at most 10 % of a core of a daemon with 10,000 peers", used / seconds, 0.1)
    with lab.check("while it is paused, the daemon is not asked"):
        terminal.keys("p")
        terminal.shows("PAUSED")
        time.sleep(1)
        switches = left.daemon.wake_ups()
        time.sleep(3)
        assert left.daemon.wake_ups() == switches, f"{switches}, then {left.daemon.wake_ups()}"
    terminal.close()
