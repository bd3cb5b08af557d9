# SPDX-License-Identifier: MIT
"""
The data path at its limits: bursts, the largest MTU, and offloads that are turned off.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import socket

from ends import Adit, AditDevice, counters_of, devices, pair
from lab import Skip, case
from packets import Capture
from traffic import MIB, both_ways, datagrams, small_datagrams, udp_socket

BURST = 1000
SO_RCVBUFFORCE = 33
WIRE_MTU = 1500


@case(workers=[1, 4])
def a_burst_of_a_local_program_arrives(lab, workers):
    """The daemon does not run during the burst, as on a busy machine. The queue of the TUN has to hold it."""
    left, right = pair(lab, Workers=workers)
    for family in 4, 6:
        left.node.ping(right.inner(family))
        with lab.check(f"{BURST} datagrams at once, v{family} inside"):
            with udp_socket(left.node, left.inner(family)) as sender, \
                 udp_socket(right.node, right.inner(family)) as receiver:
                receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 * MIB)
                sender.connect(receiver.getsockname()[:2])
                with left.daemon.held():
                    for number in range(BURST):
                        sender.send(number.to_bytes(4))
                arrived = 0
                try:
                    while arrived < BURST:
                        assert receiver.recv(64) == arrived.to_bytes(4), f"datagram {arrived} was lost"
                        arrived += 1
                except TimeoutError:
                    pass
            assert arrived == BURST, f"{arrived} of {BURST} arrived"


@case(outside=[4, 6])
def the_largest_mtu(lab, outside):
    """An IP packet of 65535 bytes does not fit a datagram once it is sealed."""
    left, right = devices(lab, "adit+adit", outside)
    for end in left, right:
        end.node.run(f"ip link set {end.interface} mtu 65535")
    for family, headers in (4, 28), (6, 48):
        with lab.check(f"packets of 65504 bytes and more are dropped, v{family} inside"):
            for size in 65504, 65519, 65535:
                left.node.no_answer(right.inner(family), options=f"-s {size - headers}")
            assert left.daemon.running(), "the daemon has ended"
            assert counters_of(left)["drop_too_long"] == 9 * (1 if family == 4 else 2), counters_of(left)
        with lab.check(f"packets of up to 65472 bytes pass, v{family} inside"):
            for size in 1500, 9000, 65472:
                left.node.ping(right.inner(family), options=f"-s {size - headers}")


def features(end):
    """Returns the offloads of the TUN that are on."""
    done = end.node.run(["ethtool", "-k", end.interface], check=False)
    if done.returncode:
        raise Skip(f"ethtool: {done.stderr.strip()}")
    return {line.split(":")[0].strip() for line in done.stdout.splitlines() if ": on" in line}


def largest_packet(end, peer, interface, sources):
    """Returns the size of the largest packet from one of the IPv4 addresses on an interface, while TCP goes both ways."""
    capture = Capture(end.node, interface)
    both_ways(end.node, end.v4, peer.node, peer.v4, 8 * MIB)
    return max(len(packet) for packet in capture.stop() if socket.inet_ntoa(packet[12:16]) in sources)


@case(ends=["bare devices", "1 worker", "4 workers"])
def offloads_are_turned_off(lab, ends):
    """One end is without an offload that the other end has."""
    drop_in = ends == "bare devices"
    kind = AditDevice if drop_in else Adit
    left, right = pair(lab, left=kind, right=kind, start=False)
    for key, variable in ("UdpGso", "ADIT_UDP_GSO"), ("UdpGro", "ADIT_UDP_GRO"), ("TunOffload", "ADIT_TUN_OFFLOAD"):
        if drop_in:
            left.launch(**{variable: "off"}).configure()
        else:
            right.settings |= {"Workers": int(ends[0])}
            left.settings = {**right.settings, key: "off"}
            left.start()
        right.start()
        with lab.check(f"{key} = off at one end: TCP and UDP pass"):
            both_ways(left.node, left.v4, right.node, right.v4, 16 * MIB)
            both_ways(left.node, left.v6, right.node, right.v6, 16 * MIB)
            datagrams(left.node, left.v4, right.node, right.v4, small_datagrams())
            datagrams(right.node, right.v4, left.node, left.v4, small_datagrams())
        if key == "UdpGso":
            with lab.check("no datagrams are grouped"):
                assert largest_packet(left, right, "wan", ["192.0.2.1"]) <= WIRE_MTU
                assert largest_packet(right, left, "wan", ["192.0.2.2"]) > WIRE_MTU
        if key == "TunOffload":
            with lab.check("the TUN has no offloads, and packets are not merged"):
                assert "tx-tcp-segmentation" not in features(left), features(left)
                assert "tx-tcp-segmentation" in features(right), features(right)
                assert largest_packet(left, right, left.interface, [left.v4, right.v4]) <= 1420
                assert largest_packet(right, left, right.interface, [left.v4, right.v4]) > 1420
        left.stop(), right.stop()

