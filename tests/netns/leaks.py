# SPDX-License-Identifier: MIT
"""
Leaks: packets that the file sends into the tunnel, but that leave by the uplink in the clear while the network changes.
The topology is that of life.py.
"""

import contextlib
import random
import signal
import socket
import struct
import threading
import time

from ends import Adit
from lab import case, wait_for
from life import BEYOND, changes, lay, network_state
from network import refused_port, refused_route
from repair import OTHERS, REPAIR

ETH_P_ALL = 3  # with ETH_P_IP, a packet socket is not given what the host itself sends
SO_TIMESTAMPNS = 35


class Leaks(threading.Thread):
    """
    Sends to an outside host all the time, and records when one of the packets leaves by the uplink in the clear, by
    time.time(). That is the time of the kernel, because on a busy machine the receiving thread may run much later.
    """

    def __init__(self, node, address=BEYOND[4]):
        super().__init__(daemon=True)
        self.target = socket.inet_aton(address)
        self.times = []
        self.stopping = threading.Event()
        self.capture = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.capture.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.capture.bind(("wan", ETH_P_ALL))
        self.capture.settimeout(0.05)
        self.sender = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = address
        self.sent = threading.Thread(target=self.send, daemon=True)
        self.start()
        self.sent.start()

    def send(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                self.sender.sendto(b"clear", (self.address, 9))
            time.sleep(0.001)

    def run(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):  # nothing has left for a while, or the uplink went down
                packet, [(_, _, stamp)], *_ = self.capture.recvmsg(2048, socket.CMSG_SPACE(16))
                if packet[16:20] == self.target:
                    seconds, nanoseconds = struct.unpack("@qq", stamp)
                    self.times.append(seconds + nanoseconds / 1e9)

    def since(self, moment):
        return [when for when in self.times if when >= moment]

    def stop(self):
        self.stopping.set()
        self.sent.join()
        self.join()


def next_address(left):
    left.addresses[0] = {"10.7.0.1/24": "10.7.0.1/16", "10.7.0.1/16": "10.7.0.1/32",
                         "10.7.0.1/32": "10.7.0.1/24"}[left.addresses[0]]
    left.reload()


def next_table(left):
    left.settings["FwMark"] = {51820: 1234, 1234: 51820}[left.settings.get("FwMark", 51820)]
    left.reload()


def next_halves(left):
    """0.0.0.0/0 in a table of its own becomes two halves in the main table, which pass by the endpoint; and back."""
    full = "0.0.0.0/0, ::/0"
    halves = "0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/23, 192.0.3.0/24, 192.0.4.0/22, 200.0.0.0/5, ::/0"
    left.peers[0]["AllowedIPs"] = halves if left.peers[0]["AllowedIPs"] == full else full
    left.reload()


OWN = {"reload": Adit.reload, "another address": next_address, "another table": next_table, "halves": next_halves,
       "a refused route": refused_route, "a refused port": refused_port}
FOREIGN = ["link down and up", "all rules of ours are deleted", "the table is flushed", "the addresses are flushed",
           "the firewall is flushed", "the interface is renamed", "the MTU falls below 1280"]


def check_leaks(lab, rounds):
    left, right = lay(lab)
    left.node.run("ip route add 192.0.2.0/24 via 10.9.1.1")  # for the halves, which have no rule that spares the endpoint
    leaks = Leaks(left.node)
    with lab.check("the uplink shows the packets that leave in the clear"):
        wait_for(lambda: leaks.times, "a packet in the clear before the start")
    left.start()
    moment = time.time()
    works(left.node, BEYOND[4])
    with lab.check("from READY=1 on nothing leaves in the clear"):
        time.sleep(0.3)
        assert not leaks.since(moment + 0.05), f"{len(leaks.since(moment))} packets"
    events = [(name, False) for name in FOREIGN] * rounds + [(name, True) for name in OWN] * rounds
    random.Random(lab.case).shuffle(events)
    worst = 0
    with lab.check(f"{len(events)} events: 0 packets for our own actions, and others' are repaired"):
        for name, own in events:
            time.sleep(random.uniform(0, 0.2))
            settled(leaks)
            moment = time.time()
            if own:
                OWN[name](left)
                time.sleep(0.05)
                assert not leaks.since(moment), f"{name}: {len(leaks.since(moment))} packets"
            else:
                OTHERS[name](left.node)
                done = time.time()
                time.sleep(0.4)
                settled(leaks)
                worst = max([worst, *(when - done for when in leaks.since(done))])
        lab.bar(f"the last packet in the clear comes within {REPAIR} s of an event", worst, REPAIR)
    with lab.check("the tunnel works"):
        settled(leaks)
        works(left.node, BEYOND[4])
    leaks.stop()


def works(node, *addresses):
    """Waits until the tunnel works. On a busy machine the packets of Leaks fill its queue, so single pings get lost."""
    for address in addresses:
        wait_for(lambda: node.reaches(address), f"an answer of {address}")


def settled(leaks):
    """Waits until the last event's leak has ended."""
    wait_for(lambda: not leaks.since(time.time() - 0.3), "the end of a leak")


@case(workers=[1, 4], bars=True)
def few(lab, workers):
    lab.settings["Workers"] = workers
    check_leaks(lab, 2)


@case(workers=[1, 4], slow=True, bars=True, seconds=1200)
def many(lab, workers):
    lab.settings["Workers"] = workers
    check_leaks(lab, 20)


@case(off=["all", "tun-left", "MTU"])
def without_ipv6(lab, off):
    """The interface loses IPv6, and the uplink still has it: nothing leaves in the clear, and IPv6 comes back."""
    left, _ = lay(lab, MTU=1420)

    def ping_v6():
        wait_for(lambda: "src fd07::1" in left.node.run(f"ip -6 route get {BEYOND[6]}", check=False).stdout,
                 "a route with our address, which the kernel lets be a source in a work queue")
        left.node.ping(BEYOND[6])

    left.start()
    ping_v6()

    def switch(value):
        if off == "MTU":
            left.settings["MTU"] = 1200 if value else 1420
            left.reload()
        else:
            left.node.set(f"net/ipv6/conf/{off}/disable_ipv6", value)

    for number in 1, 2:
        with lab.check(f"without IPv6 the route to the outside is closed, time {number}"):
            switch(1)
            time.sleep(1)
            if off == "all":  # only the uplink gets IPv6 back
                left.node.set("net/ipv6/conf/tun-left/disable_ipv6", 1)
                left.node.set("net/ipv6/conf/wan/disable_ipv6", 0)
                left.node.add_address("wan", "fd09:1::2/64")
                left.node.run("ip -6 route add default via fd09:1::1")
            wait_for(lambda: left.node.run(f"ip -6 route get {BEYOND[6]}", check=False).returncode, "no route")
            left.node.ping(BEYOND[4])
        with lab.check(f"with IPv6 the tunnel has it again, time {number}"):
            switch(0)
            left.node.set("net/ipv6/conf/tun-left/disable_ipv6", 0)
            ping_v6()
            assert not left.node.run("ip -6 route show type unreachable table 51820").stdout
    with lab.check("after SIGTERM nothing is left"):
        switch(1)
        time.sleep(0.5)
        left.stop()
        assert "173" not in left.node.run("ip -6 rule").stdout + left.node.run("ip -6 route show table all").stdout


@case(number=["SIGTERM", "SIGKILL"])
def fail_closed(lab, number):
    left, _ = lay(lab, FailClosed="true")
    before = network_state(left.node)
    leaks = Leaks(left.node)
    wait_for(lambda: leaks.times, "a packet in the clear before the start")
    left.start()
    works(left.node, BEYOND[4])
    moment = time.time()
    with lab.check("with FailClosed nothing leaves in the clear, while no daemon runs either"):
        for _ in range(3):
            left.stop(getattr(signal, number))
            time.sleep(0.3)
            left.node.run("ip route get 192.0.2.2 mark 51820")
            left.start()
            works(left.node, BEYOND[4], BEYOND[6])
        assert not leaks.since(moment), f"{len(leaks.since(moment))} packets"
    leaks.stop()
    left.stop(signal.SIGKILL)
    left.settings["FailClosed"] = "false"
    left.start()
    left.stop()
    with lab.check("a start and end without FailClosed removes it"):
        assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))
