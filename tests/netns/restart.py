# SPDX-License-Identifier: MIT
"""
Restarts of the daemon by a service manager that keeps its descriptors.

    left  10.9.1.2, fd09:1::2  ----  router  ----  right  192.0.2.2, 2001:db8::2
                10.9.1.1, fd09:1::1     192.0.2.1, 2001:db8::1
    tun-left  10.7.0.1, fd07::1                    tun-right  10.7.0.2, fd07::2
                                                   lo  203.0.113.7, 2001:db8:7::7  (reachable only through the tunnel)
"""

import base64
import contextlib
import os
import re
import signal
import socket
import time

from ends import PORT, Adit, counters_of, host_port, key, pair
from lab import TIMEOUT, case, wait_for
from leaks import Leaks
from life import BEYOND, changes, lay, network_state
from manager import Manager
from repair import inner_state
from traffic import MIB, Flow

RATE = 20 * MIB  # bytes per second
RECOVERY = 1.0  # seconds from the end of the process until a ping is answered, with the pause of RestartSec=
PAUSE = 0.3  # RestartSec= of the unit
ROUNDS = 3


@contextlib.contextmanager
def managed(end):
    manager = Manager(end)
    try:
        yield manager
    finally:
        if end.daemon and end.daemon.running():
            end.daemon.stop(signal.SIGKILL)
        manager.discard()
        manager.close()


class Monitor:
    """Records changes of links, addresses, routes and rules."""

    def __init__(self, node, interface="tun-left"):
        self.interface = interface
        self.daemon = node.start("monitor", "ip -o monitor link address route rule")
        self.begin = 0
        wait_for(self.listens, "a monitor that gets events")

    def listens(self):
        """Returns whether the monitor has joined multicast groups of rtnetlink."""
        with open(f"/proc/{self.daemon.pid}/net/netlink") as file:
            sockets = [line.split() for line in file.readlines()[1:]]
        return any(words[1:3] == ["0", str(self.daemon.pid)] and int(words[3], 16) for words in sockets)

    def forget(self):
        """Ignores what has happened so far."""
        time.sleep(0.2)
        self.begin = len(self.daemon.log())

    def removals(self):
        """Returns the lines which show that something was removed or that the link went down."""
        return [line for line in self.daemon.log()[self.begin:].splitlines()
                if line.startswith("Deleted") and (f" {self.interface}" in line or "proto 173" in line)
                or re.search(rf" {self.interface}: <(?!.*\bUP\b)", line)]

    def stop(self):
        self.daemon.stop()


def again(manager, how):
    """Ends the daemon and starts it again."""
    if how == "restart":
        manager.restart()
    else:
        manager.kill()
        time.sleep(PAUSE)
        manager.start()


def answers_at(node, address, since):
    """Sends pings until one is answered. Returns how long after `since` that was."""
    while node.run(f"ping -n -q -c 1 -W 0.2 {address}", check=False).returncode:
        assert time.monotonic() - since < TIMEOUT, f"no answer within {TIMEOUT} s"
    return time.monotonic() - since


@case(workers=[1, 4], how=["restart", "SIGKILL"], bars=True)
def survives(lab, workers, how):
    left, right = lay(lab, Workers=workers)
    with managed(left) as manager:
        manager.start()
        left.node.ping(BEYOND[4])
        before, processes = inner_state(left.node), set()
        with lab.check("the store has the queues, the sockets, the claim and the endpoints"):
            expected = {"endpoints": 1, "table": 1, "tun": workers, "udp": 2 * workers}
            wait_for(lambda: manager.names() == expected, f"{expected}, not {manager.names()}")
        leaks, monitor = Leaks(left.node), Monitor(left.node)
        flow = Flow(left.node, right.node, BEYOND[4], RATE)
        slowest = 0
        with lab.check(f"{ROUNDS} times: the interface is taken over, and a ping is answered"):
            for _ in range(ROUNDS):
                time.sleep(0.3)
                processes.add(left.daemon.pid)
                moment = time.monotonic()
                again(manager, how)
                slowest = max(slowest, answers_at(left.node, BEYOND[4], moment))
                assert "interface taken over" in left.daemon.log(), left.daemon.log()
        lab.bar(f"a ping is answered within {RECOVERY} s of the end of the process", slowest, RECOVERY)
        with lab.check("TCP goes on, and everything arrives"):
            received = flow.receiver.length
            # On a busy machine the restarts take so long that TCP waits for minutes until it tries again.
            wait_for(lambda: flow.receiver.length > received + MIB, "more data", 300)
            flow.stop()
        with lab.check("nothing is missing at any time: link, addresses, routes and rules"):
            monitor.stop()
            assert not monitor.removals(), monitor.removals()
            assert not changes(before, inner_state(left.node)), changes(before, inner_state(left.node))
        with lab.check("nothing leaves in the clear"):
            assert not leaks.times, f"{len(leaks.times)} packets"
        leaks.stop()


@case(workers=[1, 4])
def stop_removes(lab, workers):
    left, _ = lay(lab, Workers=workers)
    before = network_state(left.node)
    with managed(left) as manager:
        for title, prepare in ("after a start", lambda: None), ("after kill -9", lambda: again(manager, "SIGKILL")):
            manager.start()
            prepare()
            left.node.ping(BEYOND[4])
            with lab.check(f"stop {title}: nothing is left, in the store either"):
                assert manager.stop() == 0
                assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))
                wait_for(lambda: not manager.names(), f"an empty store, not {manager.names()}")
                assert not left.node.udp_ports()
        manager.start()
        with lab.check("SIGTERM without a job of the service manager is a stop, too"):
            assert left.stop() == 0
            assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))


def use_one_worker(left):
    left.settings["Workers"] = 1


def use_another_port(left):
    left.port = PORT + 1


def turn_offloads_off(left):
    left.settings["TunOffload"] = "off"


def use_another_mark(left):
    left.settings["FwMark"] = 77


def use_another_mtu(left):
    left.settings["MTU"] = 1300


CHANGES = {"Workers": use_one_worker, "ListenPort": use_another_port, "TunOffload": turn_offloads_off,
           "FwMark": use_another_mark, "MTU": use_another_mtu}


@case(change=list(CHANGES))
def changed_file(lab, change):
    """Descriptors that do not fit the changed file are replaced."""
    left, right = lay(lab, Workers=4)
    before = network_state(left.node)
    with managed(left) as manager:
        manager.start()
        left.node.ping(BEYOND[4])
        old = left.node.json("ip -j link show tun-left")[0]["ifindex"]
        CHANGES[change](left)
        manager.restart()
        with lab.check(f"{change}: the tunnel works, and the store has what is in use"):
            left.node.ping(BEYOND[4])
            workers = left.settings["Workers"]
            expected = {"endpoints": 1, "table": 1, "tun": workers, "udp": 2 * workers}
            wait_for(lambda: manager.names() == expected, f"{expected}, not {manager.names()}")
            assert left.node.udp_ports() == [left.port] * 2 * workers
            index = left.node.json("ip -j link show tun-left")[0]["ifindex"]
            assert (index == old) == (change != "Workers"), (old, index)
        with lab.check(f"{change}: the old rules are gone"):
            rules = left.node.run("ip rule").stdout
            assert rules.count("proto 173") == 2 and (change != "FwMark" or "lookup 77" in rules), rules
        with lab.check(f"{change}: it is in effect"):
            if change == "MTU":
                assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1300
            if change == "TunOffload":
                features = left.node.run("ethtool -k tun-left").stdout
                assert "tcp-segmentation-offload: off" in features, features
        manager.stop()
        assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))


@case()
def mtu_stays(lab):
    """The routes to the peer may lead through the tunnel, but they do not reduce the MTU again and again."""
    left, right = lay(lab)
    with managed(left) as manager:
        manager.start()
        for _ in range(2):
            again(manager, "SIGKILL")
        with lab.check("without MTU in the file, the MTU stays"):
            assert left.node.json("ip -j link show tun-left")[0]["mtu"] == 1420
            left.node.ping(BEYOND[6])


@case()
def broken_file(lab):
    left, _ = lay(lab)
    before = network_state(left.node)
    with managed(left) as manager:
        manager.start()
        left.node.ping(BEYOND[4])
        manager.set_job("restart")
        assert left.stop() == 0
        assert left.node.has_link("tun-left")
        good, left.private = left.private, "short"
        with lab.check("a restart with a broken file fails, and removes everything"):
            manager.start(wait=False)
            assert left.daemon.wait() == 78
            assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))
            wait_for(lambda: not manager.names(), f"an empty store, not {manager.names()}")
        left.private, left.settings["FailClosed"] = good, "true"
        manager.start()
        left.node.ping(BEYOND[4])
        leaks = Leaks(left.node)
        manager.set_job("restart")
        assert left.stop() == 0
        left.private = "short"
        with lab.check("with FailClosed nothing leaves in the clear then"):
            manager.start(wait=False)
            assert left.daemon.wait() == 78
            assert not left.node.has_link("tun-left")
            time.sleep(0.3)
            assert not leaks.times, f"{len(leaks.times)} packets"
        leaks.stop()


@case()
def other_tunnel(lab):
    """A tunnel that starts while the daemon of another one is dead takes neither its table nor its rules."""
    left, _ = lay(lab)
    other = Adit(left.node, "tun-other", ["10.8.0.1/24"], port=PORT + 1)
    other.peers = [{"PublicKey": key(lab.adit, "pubkey", key(lab.adit, "genkey")), "AllowedIPs": "198.51.100.0/24, ::/0"}]
    with managed(left) as manager:
        manager.start()
        left.node.ping(BEYOND[4])
        rules = left.node.run("ip rule").stdout
        manager.kill()
        other.start()
        with lab.check("the rules of the dead daemon stay, and the other tunnel uses another table"):
            assert left.node.run("ip rule").stdout == rules
            tables = set(re.findall(r"lookup (518\d\d)", left.node.run("ip -6 rule").stdout))
            assert len(tables) == 2, tables
        manager.start()
        with lab.check("the daemon uses its table again"):
            assert left.node.run("ip rule").stdout == rules
            left.node.ping(BEYOND[4])


@case(workers=[1, 4], bars=True)
def endpoints(lab, workers):
    """Left knows right only from its packets."""
    left, right = pair(lab, knows="right", Workers=workers)
    left.stop()
    with managed(left) as manager:
        manager.start()
        right.node.ping(left.v4)
        for _ in range(2):
            moment = time.monotonic()
            again(manager, "SIGKILL")
            with lab.check("the next process sends a handshake to the last endpoint"):
                wait_for(lambda: counters_of(left).get("handshake_done"), "a handshake")
                lab.bar("a ping is answered within 2 s", answers_at(left.node, right.v4, moment), 2)
        with lab.check("an endpoint that is new in the file takes the place of the last one"):
            left.peers[0]["Endpoint"] = "192.0.2.99:51820"
            again(manager, "SIGKILL")
            shown = left.node.run("wg show tun-left endpoints").stdout
            assert "192.0.2.99:51820" in shown, shown


@case()
def first_start_is_silent(lab):
    left, right = pair(lab, start=False)
    with managed(left) as manager:
        manager.start()
        time.sleep(0.3)
        with lab.check("a start without stored descriptors sends nothing"):
            assert "handshake_sent" not in counters_of(left)


@case()
def changes_while_running(lab):
    """The store follows the sockets and the claim."""
    left, right = lay(lab)
    with managed(left) as manager:
        manager.start()
        for port in (PORT + 5, PORT, PORT + 6, PORT):
            left.node.run(f"wg set tun-left listen-port {port}")
        with lab.check("after listen-port there and back, the store has the sockets in use"):
            wait_for(lambda: manager.names().get("udp") == 2 and left.node.udp_ports() == [PORT] * 2,
                     "two sockets on the port")
            again(manager, "SIGKILL")
            assert left.node.udp_ports() == [PORT] * 2
            left.node.ping(BEYOND[4])
        with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("0.0.0.0", PORT + 9))
            with lab.check("listen-port to a port in use fails, and the store still has the sockets in use"):
                assert left.node.run(f"wg set tun-left listen-port {PORT + 9}", check=False).returncode
                wait_for(lambda: manager.names().get("udp") == 2, "two stored sockets")
        for _ in range(5):
            left.node.run("ip link set tun-left down")
            left.node.run("ip link set tun-left up")
        with lab.check("link down and up, 5 times: the port is open, and the store has the sockets in use"):
            wait_for(lambda: manager.names().get("udp") == 2 and left.node.udp_ports() == [PORT] * 2,
                     "two sockets on the port")
            again(manager, "SIGKILL")
            assert left.node.udp_ports() == [PORT] * 2
            left.node.ping(BEYOND[4])
        left.peers[0]["AllowedIPs"] = "10.7.0.2/32"
        left.write()
        left.node.run([lab.adit, "reload", "tun-left"])
        again(manager, "SIGKILL")
        with lab.check("after a reload without the default route, the next process has no rules and no claim"):
            assert "proto 173" not in left.node.run("ip rule").stdout
            assert "table" not in manager.names(), manager.names()
            left.node.ping(right.v4)
        left.peers[0]["AllowedIPs"] = "0.0.0.0/0"
        left.write()
        left.node.run([lab.adit, "reload", "tun-left"])
        with lab.check("a reload with a default route stores the claim"):
            wait_for(lambda: "table" in manager.names(), f"a claim, not {manager.names()}")


@case()
def deleted_interface(lab):
    left, _ = lay(lab)
    with managed(left) as manager:
        manager.start()
        left.node.run("ip link del tun-left")
        with lab.check("an interface that was deleted is not kept"):
            assert left.daemon.wait() == 1
            wait_for(lambda: not manager.names(), f"an empty store, not {manager.names()}")
        manager.start()
        left.node.ping(BEYOND[4])
        manager.kill()
        left.node.run("ip link del tun-left")
        with lab.check("nor one that was deleted while no daemon ran"):
            manager.start()
            left.node.ping(BEYOND[4])


@case(bars=True)
def many_peers(lab):
    """The initiations of a restart do not all leave at once."""
    left, right = pair(lab, start=False)
    right.start()
    for number in range(2000):
        left.peers.append({"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Endpoint": host_port("192.0.2.2", 9),
                           "AllowedIPs": f"10.8.{number >> 8}.{number & 255}/32"})
    with managed(left) as manager:
        manager.start()
        again(manager, "SIGKILL")
        with lab.check("2,000 peers: all get an initiation, but not within 0.8 s"):
            begin = time.monotonic()
            wait_for(lambda: counters_of(left).get("handshake_sent", 0) >= 2001, "2,001 initiations")
            took = time.monotonic() - begin
            assert took > 0.8, took
        lab.bar("all get one within 10 s", took, 10)


@case(how=["restart", "SIGKILL"])
def hooks(lab, how):
    """A restart runs no hook. A daemon that is killed before the end of PostUp is followed by one that begins anew."""
    path = "/run/calls"
    settings = {point: f"echo {point} >>{path}" for point in ("PreUp", "PreDown", "PostDown")}
    left, _ = lay(lab, **settings, PostUp=f"echo PostUp >>{path}; while [ -e /run/wait ]; do sleep 0.05; done")
    before = network_state(left.node)

    def calls():
        with open(path) as file:
            return file.read().split()

    with managed(left) as manager:
        manager.start()
        with lab.check("a restart runs no hook"):
            again(manager, how)
            left.node.ping(BEYOND[4])
            assert calls() == ["PreUp", "PostUp"], calls()
        with lab.check("a stop runs PreDown and PostDown"):
            assert manager.stop() == 0
            assert calls() == ["PreUp", "PostUp", "PreDown", "PostDown"], calls()
            assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))
        with lab.check("kill -9 during PostUp: all hooks run again"):
            os.unlink(path)
            with open("/run/wait", "w"):
                pass
            manager.start(wait=False)
            wait_for(lambda: os.path.exists(path) and "PostUp" in calls(), "PostUp")
            manager.kill()
            os.unlink("/run/wait")
            manager.start()
            assert calls() == ["PreUp", "PostUp"] * 2, calls()
            left.node.ping(BEYOND[4])
            assert manager.stop() == 0
