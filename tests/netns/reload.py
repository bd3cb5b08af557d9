"""
A configuration that changes under a running tunnel: `adit reload`, SIGHUP and `wg syncconf`.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import os
import re
import signal
import subprocess
import time

from ends import counters_of, host_port, key, pair
from lab import case, wait_for
from traffic import MIB, Flow

ROUNDS = 1000
RATE = 50 * MIB  # bytes per second: with no processor time to spare TCP takes an answer that is late for one that is lost
LAPS = 4  # different public keys for the peers that come and go


def keys(lab, count):
    return [key(lab.adit, "pubkey", key(lab.adit, "genkey")) for _ in range(count)]


def calm(lab, **settings):
    """A pair whose interfaces say nothing by themselves: what a host asks its IPv6 neighbours no peer would get."""
    left, right = pair(lab, start=False, **settings)
    for end in left, right:
        end.node.set("net/ipv6/conf/default/disable_ipv6", 1)
        end.addresses = end.addresses[:1]
        end.peers[0]["AllowedIPs"] = end.peers[0]["AllowedIPs"].split(", ")[0]
        end.start()
    left.node.ping(right.v4)
    return left, right


def change(left, changing, coming, number):
    """The file of this round: one peer is changed, one has come, the one that came last is gone."""
    del left.peers[1:]
    left.peers.append({"PublicKey": changing, "PresharedKey": coming[number % LAPS],
                       "Endpoint": host_port("192.0.2.99", 1 + number), "AllowedIPs": f"10.8.{number % 250}.0/24"})
    left.peers.append({"PublicKey": coming[number % LAPS], "AllowedIPs": f"10.9.{number % 250}.0/24, 10.10.0.{number % 3}/32"})


def by_command(left):
    left.write()
    subprocess.run([left.node.lab.adit, "reload", left.interface], check=True, timeout=10)


def by_signal(left):
    """Each is waited for: signals that meet are one."""
    left.write()
    seen = left.daemon.log().count("reloaded")
    left.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: left.daemon.log().count("reloaded") > seen, 5, "the reload")


def by_wg(left):
    subprocess.run(["wg", "syncconf", left.interface, left.write(whole=False)], check=True, timeout=10)


WAYS = {"adit reload": by_command, "SIGHUP": by_signal, "wg syncconf": by_wg}


def held(pid):
    """Resident KiB and open descriptors of a process."""
    with open(f"/proc/{pid}/status") as file:
        memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    return memory, len(os.listdir(f"/proc/{pid}/fd"))


def drops(end):
    return {name: count for name, count in counters_of(end).items() if name.startswith("drop")}


@case(way=list(WAYS), slow=True)
def under_load(lab, way):
    left, right = calm(lab)
    changing, *coming = keys(lab, 1 + LAPS)
    flow = Flow(left.node, right.node, right.v4, most=RATE)
    for number in range(ROUNDS // 10):  # memory that is kept for the next time has been asked for
        change(left, changing, coming, number)
        WAYS[way](left)
    before, dropped, quiet = held(left.daemon.pid), drops(left), retransmissions(flow, 3)
    begin = time.monotonic()
    with lab.check(f"a peer added, one removed, one changed, {ROUNDS} times"):
        again = flow.retransmissions()
        for number in range(ROUNDS):
            change(left, changing, coming, number)
            WAYS[way](left)
        again, seconds = flow.retransmissions() - again, time.monotonic() - begin
        shown = left.node.run(f"wg show {left.interface} allowed-ips").stdout.split()
        assert shown == [right.public, "10.7.0.2/32", changing, f"10.8.{number % 250}.0/24", coming[number % LAPS],
                         f"10.9.{number % 250}.0/24", f"10.10.0.{number % 3}/32"], shown
    with lab.check("what TCP sent has arrived, and it had to send no more again than without"):
        # a probe of TCP's own now and then is no loss; were packets lost, each round would show
        flow.stop()
        assert again <= quiet * seconds / 3 + ROUNDS / 100, f"{again} segments in {seconds:.1f} s, {quiet} in 3 s without"
    with lab.check("nothing was dropped at either end"):
        assert drops(left) == dropped and not drops(right), f"{drops(left)}, {drops(right)}"
    with lab.check("what one end sent the other received, both ways"):
        time.sleep(0.2)
        sent, received = transfer(left, right), transfer(right, left)
        assert sent == received[::-1], f"left: {sent}, right: {received}"
    with lab.check("no memory and no descriptor is lost"):
        after = held(left.daemon.pid)
        assert after[1] == before[1] and after[0] <= before[0] + 256, f"before: {before}, after: {after}"


def retransmissions(flow, seconds):
    before = flow.retransmissions()
    time.sleep(seconds)
    return flow.retransmissions() - before


def transfer(end, other):
    """Bytes received from the other and sent to it."""
    lines = end.node.run(f"wg show {end.interface} transfer").stdout.splitlines()
    values = next(line.split("\t")[1:] for line in lines if line.startswith(other.public))
    return [int(value) for value in values]
