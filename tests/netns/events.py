# SPDX-License-Identifier: MIT
"""
Events: `adit monitor`, the state of peers, and the hooks PeerUp and PeerDown.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
    is monitored

The case of many peers has one device, tun-many, whose 100 peers are interfaces of this test's own making: they are all
in one configuration of wireguard-go's kind at the right end, each with a key and a port of its own.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time

from ends import Adit, AditDevice, key, pair
from lab import case, wait_for

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (\S+) ([a-z-]+)(.*)")
QUEUE = 64 << 10


class Monitor:
    """A running `adit monitor`. Its lines are read from a file."""

    def __init__(self, node, *arguments):
        self.node = node
        self.name = "monitor" + "".join(arguments)
        self.daemon = node.start(self.name, [node.lab.adit, "monitor", *arguments])

    def events(self):
        """Returns (interface, event, details) of each line."""
        lines = self.daemon.log().splitlines()
        assert all(LINE.fullmatch(line) for line in lines), lines
        return [LINE.fullmatch(line).groups() for line in lines]

    def objects(self):
        return [json.loads(line) for line in self.daemon.log().splitlines()]

    def names(self):
        return [event for _, event, _ in self.events()]

    def wait(self, event, count=1):
        """Waits for the count-th event of this name, and returns its details."""
        found = wait_for(lambda: [details for _, name, details in self.events() if name == event][count - 1:count],
                         f"{event} number {count}")
        return found[0]


def follow(end, *arguments):
    """Starts a monitor and waits until the daemon has accepted it."""
    before = len(open_monitors(end))
    monitor = Monitor(end.node, *arguments, end.interface)
    wait_for(lambda: len(open_monitors(end)) > before, "a monitor that is connected")
    return monitor


def open_monitors(end):
    """
    Returns the sockets of clients that the daemon has accepted. ss(8) lists them under their first name, in the namespace
    of the client.
    """
    lines = [line for node in end.node.lab.nodes.values()
             for line in node.run(["ss", "-xH", "state", "connected"]).stdout.splitlines()]
    return [line for line in lines if f"/wireguard/.{end.interface}." in line]


def ask(end, request):
    """Returns the answer of the control socket to a request, as lines."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(f"/var/run/wireguard/{end.interface}.sock")
        client.sendall(request)
        answer = b""
        while not answer.endswith(b"\n\n"):
            more = client.recv(1 << 20)
            assert more, answer
            answer += more
    return answer.decode().splitlines()


def state(end):
    """Returns the keys of the only peer that concern its state."""
    values = dict(line.split("=", 1) for line in ask(end, b"get=1\n\n") if "=" in line)
    return {name: values.get(name) for name in ("state", "state_since_time_sec", "endpoint_origin")}


@case(workers=[1, 4])
def stream(lab, workers):
    left, right = pair(lab, start=False, Workers=workers)
    left.peers[0]["Name"] = "right hand"
    left.start()
    right.start()
    text, objects = follow(left), follow(left, "--json")
    with lab.check("a peer without a session is idle"):
        found = state(left)
        assert found == {"state": "idle", "state_since_time_sec": None, "endpoint_origin": "configured"}, found
    with lab.check("a handshake, and the peer is up"):
        begin = int(time.time())
        left.node.ping(right.v4)
        assert text.wait("peer-up") == " right hand at 192.0.2.2:51820"
        assert text.names() == ["handshake-begun", "handshake-completed", "peer-up"], text.names()
        assert text.wait("handshake-completed") == " right hand at 192.0.2.2:51820 as initiator"
        found = state(left)
        assert found["state"] == "up" and begin - 1 <= int(found["state_since_time_sec"]) <= time.time() + 1, found
    with lab.check("a peer that moves"):
        right.node.run(f"wg set {right.interface} listen-port 4000")
        right.node.ping(left.v4)
        assert text.wait("endpoint-moved") == " right hand from 192.0.2.2:51820 to 192.0.2.2:4000 (roamed)"
        assert state(left)["endpoint_origin"] == "roamed"
        left.node.run(f"wg set {left.interface} peer {right.public} endpoint 192.0.2.2:4001")
        assert text.wait("endpoint-moved", 2) == " right hand from 192.0.2.2:4000 to 192.0.2.2:4001 (set)"
        assert state(left)["endpoint_origin"] == "set"
        right.node.ping(left.v4)
        assert text.wait("endpoint-moved", 3) == " right hand from 192.0.2.2:4001 to 192.0.2.2:4000 (roamed)"
    with lab.check("reloads"):
        left.reload()
        assert text.wait("reload-applied") == " 1 peer"
        left.settings["MTU"] = "many"
        assert left.reload(check=False).returncode == 1
        assert re.fullmatch(r": .*tun-left.conf:\d+: error: MTU: .*", text.wait("reload-refused"))
        del left.settings["MTU"]
        left.write()
    with lab.check("a repair of the network, and what was missing"):
        left.node.run("ip address delete 10.7.0.1/24 dev tun-left")
        found = text.wait("network-repaired")
        assert re.fullmatch(r" \d repairs?: restored address 10.7.0.1/24.*", found), found
    with lab.check("the link goes down, and the peer with it"):
        left.node.run("ip link set tun-left down")
        assert text.wait("peer-down") == " right hand at 192.0.2.2:4000: the link is down"
        text.wait("link-up")
        names = text.names()
        assert names.index("link-down") < names.index("peer-down") < names.index("link-up"), names
    with lab.check("a stranger's handshake is refused"):
        right.node.run(f"wg set {right.interface} private-key /dev/stdin", input=key(lab.adit, "genkey"))
        right.node.run("ping -c 1 -W 1 10.7.0.1", check=False)
        assert text.wait("handshake-refused").startswith(" at 192.0.2.2:4000: "), text.wait("handshake-refused")
    with lab.check("the end of the daemon ends the monitors with status 0"):
        assert left.stop() == 0
        assert text.daemon.wait() == 0 and objects.daemon.wait() == 0
        assert text.events()[-1] == ("tun-left", "end", ": the daemon ends"), text.events()[-1]
    with lab.check("JSON has the same events"):
        found = objects.objects()
        assert [value["event"] for value in found] == text.names()
        assert all(value["version"] == 1 and value["interface"] == "tun-left" for value in found)
        times = [value["time"] for value in found]
        assert times == sorted(times) and times[0] >= begin - 1, times
        assert {name: value for name, value in found[2].items() if name != "time"} == {
            "version": 1, "interface": "tun-left", "event": "peer-up", "public_key": right.public,
            "name": "right hand", "endpoint": "192.0.2.2:51820"}, found[2]


@case()
def silence(lab):
    """A peer that does not answer is silent after 15 s; one to which there is no route is unreachable at once."""
    left, right = pair(lab)
    text = follow(left)
    left.node.ping(right.v4)
    text.wait("peer-up")
    with lab.check("unreachable"):
        left.node.run("ip address flush dev wan")
        left.node.run("ping -c 1 -W 1 10.7.0.2", check=False)
        assert text.wait("peer-down") == f" {right.public} at 192.0.2.2:51820: Network is unreachable"
        assert state(left)["state"] == "unreachable"
        left.node.add_address("wan", "192.0.2.1/24")
        left.node.ping(right.v4)
        text.wait("peer-up", 2)
        assert state(left)["state"] == "up"
    with lab.check("silent"):
        with right.daemon.held():
            begin = time.monotonic()
            left.node.run("ping -c 1 -W 1 10.7.0.2", check=False)
            assert text.wait("peer-down", 2).endswith(": it does not answer")
            assert time.monotonic() - begin > 14
            assert state(left)["state"] == "silent"
        left.node.ping(right.v4)
        text.wait("peer-up", 3)
        assert state(left)["state"] == "up"


@case()
def all_interfaces(lab):
    left, right = pair(lab, start=False)
    everything = Monitor(left.node)
    left.start()
    wait_for(lambda: open_monitors(left), "a monitor of an interface that appears later")
    right.start()
    wait_for(lambda: open_monitors(right), "a monitor of the second interface")
    with lab.check("both interfaces are followed"):
        left.node.ping(right.v4)
        wait_for(lambda: {name for name, event, _ in everything.events() if event == "peer-up"} ==
                 {"tun-left", "tun-right"}, "peer-up of both")
    with lab.check("an interface that ends and comes back"):
        assert left.stop() == 0
        everything.wait("end")
        left.start()
        wait_for(lambda: open_monitors(left), "a monitor of the new daemon")
        left.node.ping(right.v4)
        everything.wait("peer-up", 3)
    with lab.check("a daemon that is killed"):
        left.stop(signal.SIGKILL)
        assert everything.wait("end", 2) == ": the daemon closed the connection"
    with lab.check("SIGINT ends it quietly"):
        before = everything.daemon.log()
        everything.daemon.process.send_signal(signal.SIGINT)
        assert everything.daemon.wait() == -signal.SIGINT
        assert everything.daemon.log() == before
    with lab.check("a closed pipe ends it quietly, although nothing happens"):
        read, write = os.pipe()
        process = subprocess.Popen(right.node.words([lab.adit, "monitor", "tun-right"]), stdout=write,
                                   stderr=subprocess.PIPE, text=True)
        os.close(write)
        wait_for(lambda: len(open_monitors(right)) == 1, "a monitor")
        os.close(read)
        assert process.wait(20) == 0 and process.stderr.read() == ""
    with lab.check("errors"):
        done = left.node.run([lab.adit, "monitor", "nosuch"], check=False)
        assert done.returncode == 1 and done.stderr == "adit monitor: nosuch: no daemon serves this interface\n", done
