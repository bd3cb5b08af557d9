# SPDX-License-Identifier: MIT
"""
An idle tunnel sleeps: 30 s after the last packet, no thread of a daemon wakes up any more. IPv6 is disabled on the
tunnel, because the kernel would send router solicitations and multicast reports.

    left  192.0.2.1  ----  right  192.0.2.2
    tun-left  10.7.0.1     tun-right  10.7.0.2
"""

import time

from ends import Adit, host_port
from lab import case

QUIET = 30  # seconds after the last packet, when the passive keepalive has been sent
WATCH = 60
KEEPALIVE = 5


def lay(lab, workers, **peer_settings):
    hosts = [lab.node("left"), lab.node("right")]
    lab.wire(hosts[0], "wan", ["192.0.2.1/24"], hosts[1], "wan", ["192.0.2.2/24"])
    ends = [Adit(host, f"tun-{host.name}", [f"10.7.0.{number}/24"], Workers=workers)
            for number, host in enumerate(hosts, 1)]
    for number, end, other in (2, ends[0], ends[1]), (1, ends[1], ends[0]):
        end.add_peer(other, Endpoint=host_port(f"192.0.2.{number}"), **peer_settings)
    for end in ends:
        end.node.set("net/ipv6/conf/default/disable_ipv6", 1)
        end.start()
    ends[0].node.ping(ends[1].v4)
    return ends


def watch(ends):
    """Returns the wake-ups of the ends when they have become idle, and WATCH seconds later."""
    time.sleep(QUIET)
    before = [end.daemon.wake_ups() for end in ends]
    time.sleep(WATCH)
    after = [end.daemon.wake_ups() for end in ends]
    return before, after


@case(slow=True, waits=True, workers=[1, 2])
def no_wake_ups(lab, workers):
    ends = lay(lab, workers)
    before, after = watch(ends)
    for end, was, now in zip(ends, before, after):
        with lab.check(f"{end.node.name}: no thread wakes up in {WATCH} s"):
            assert was == now, f"voluntary context switches by thread: {was}, then {now}"
    with lab.check("the tunnel still works"):
        ends[0].node.ping(ends[1].v4)


@case(slow=True, waits=True)
def keepalives_are_counted(lab):
    """With keepalives the threads do wake up, which shows that the test counts wake-ups."""
    ends = lay(lab, 1, PersistentKeepalive=KEEPALIVE)
    before, after = watch(ends)
    for end, was, now in zip(ends, before, after):
        with lab.check(f"{end.node.name}: wakes up for a keepalive every {KEEPALIVE} s"):
            added = sum(now.values()) - sum(was.values())
            assert added >= WATCH // KEEPALIVE - 1, f"{added} wake-ups"
