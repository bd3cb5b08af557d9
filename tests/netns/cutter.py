# SPDX-License-Identifier: MIT
"""
Segmentation: adit cuts super-packets exactly as the kernel does.

    left  192.0.2.1  ----  right  192.0.2.2               cutting  ----  cut
    adit  10.7.0.1, fd07::1  wireguard-go  10.7.0.2, fd07::2        (veth, no offloads)

Without offloads, wireguard-go merges nothing: a packet socket on its TUN sees each segment as adit sent it. The wire
without offloads shows how the kernel cuts the same super-packet.
"""

import re
import socket
import struct

from ends import PlainWireguardGo, pair
from lab import Skip, case, need_kernel, wait_for
from packets import TCP, UDP, Capture, check_all
from superpackets import ACK, CWR, ECE, FIN, PSH, SuperPacket
from traffic import MIB, NOISE, stream, udp_socket

MTU = 1420
UDP_SEGMENT = 103
NOP = b"\x01"
TIMESTAMPS = NOP * 2 + b"\x08\x0a" + b"\x11\x22\x33\x44\x55\x66\x77\x88"
PADDING_EXTENSION = b"\0\x01\x04\0\0\0\0"  # the rest of a destination options header: PadN of 6 bytes


def tcp_super_packets(family, source, target):
    """Yields packets with sizes, last segments, flags, options and counters at their limits."""
    full = MTU - (40 if family == 4 else 60)

    def tcp(title, size=20000, gso=full, **fields):
        return SuperPacket(f"TCP: {title}", source, target, TCP, size, gso, **fields)

    yield from (tcp(f"{size} bytes by {gso}", size, gso) for size, gso in (
        (2, 1), (100, 1), (101, 7), (full + 1, full), (2 * full, full), (2 * full - 1, full), (4001, 536), (30000, 999),
        (60000, 1359), (65535 - 60, full)))
    yield from (tcp(title, flags=flags) for title, flags in (
        ("PSH", ACK | PSH), ("FIN", ACK | FIN), ("FIN PSH", ACK | FIN | PSH), ("ECE", ACK | ECE), ("CWR", ACK | CWR),
        ("CWR ECE PSH", ACK | CWR | ECE | PSH)))
    yield tcp("timestamps", gso=full - 12, options=TIMESTAMPS)
    yield tcp("40 bytes of options", gso=full - 40, options=NOP * 40)
    yield tcp("sequence numbers wrap", sequence=0xFFFFFFFF - 3 * full)
    yield tcp("traffic class with CE", tos=0xBB)
    if family == 4:
        yield tcp("identification wraps", id=0xFFFE)
        yield from (tcp(f"IHL {5 + words}", gso=full - 40, ip_options=NOP * 4 * words) for words in (1, 2, 9, 10))
    else:
        yield tcp("an extension header", gso=full - 8, extension=PADDING_EXTENSION)


def udp_super_packets(family, source, target):
    full = MTU - (28 if family == 4 else 48)

    def udp(title, size, gso, **fields):
        return SuperPacket(f"UDP: {title}", source, target, UDP, size, gso, **fields)

    yield from (udp(f"{size} bytes by {gso}", size, gso) for size, gso in (
        (2, 1), (100, 1), (101, 7), (full + 1, full), (2 * full, full), (2 * full - 1, full), (6400, 64),
        (50001, 1359)))
    yield udp("not cut, a partial checksum", 777, 0)
    yield udp("not cut, a checksum that computes to 0", 500, 0, zero_checksum=True)
    yield udp("checksums that compute to 0", 3333, 1000, zero_checksum=True)
    yield udp("traffic class with ECT(0)", 5000, 1000, tos=0xBA)
    if family == 4:
        yield udp("identification wraps", 5000, 1000, id=0xFFFE)


def sent_through(super_packet, node, interface, far, far_interface, ethernet=False):
    """Sends a super-packet through one interface and returns the packets that arrive at the other."""
    if super_packet.protocol == UDP and super_packet.gso:
        need_kernel((6, 2), "USO through packet sockets")
    capture = Capture(far, far_interface, incoming=True)
    super_packet.send(node, interface, ethernet)
    wait_for(lambda: len(ours(capture.packets, super_packet)) >= super_packet.segments,
             f"{super_packet.segments} segments at {far.name}")
    return [packet.data for packet in check_all(capture, MTU) if ours([packet.data], super_packet)]


def ours(packets, super_packet):
    """Returns the packets with the addresses of the super-packet. The hosts also exchange ICMPv6."""
    first = 12 if super_packet.version == 4 else 8
    return [packet for packet in packets if packet[first:first + len(super_packet.addresses)] == super_packet.addresses]


def features_on(end, *wanted):
    if end.settings.get("TunOffload") == "off":
        raise Skip("TunOffload = off")
    features = dict(re.findall(r"(\S+): (on|off)", end.node.run(["ethtool", "-k", end.interface]).stdout))
    off = [name for name in wanted if features.get(name) != "on"]
    assert not off, f"off: {', '.join(off)}"


def first_difference(cut, expected):
    if len(cut) != len(expected):
        return f"{len(cut)} segments, but {len(expected)} from the kernel"
    for number, (one, other) in enumerate(zip(cut, expected)):
        at = next((at for at in range(min(len(one), len(other))) if one[at] != other[at]), None)
        if one != other:
            return (f"segment {number} of {len(cut)}: {len(one)} bytes, but {len(other)} from the kernel; the first "
                    f"difference is at byte {at}")
    return None


@case(family=[4, 6])
def as_the_kernel_cuts(lab, family):
    left, right = pair(lab, right=PlainWireguardGo)
    cutting, cut = lab.node("cutting"), lab.node("cut")
    lab.wire(cutting, "wire", [], cut, "wire", [])
    cutting.offloads("wire", "off")
    left.node.ping(right.v4)
    with lab.check("the TUN accepts TCP super-packets"):
        features_on(left, "tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-tcp6-segmentation")
    with lab.check("the TUN accepts UDP super-packets"):
        need_kernel((6, 2), "USO")
        features_on(left, "tx-udp-segmentation")
    for make in tcp_super_packets, udp_super_packets:
        for super_packet in make(family, left.inner(family), right.inner(family)):
            with lab.check(f"the same segments, byte for byte: {super_packet.title}"):
                expected = sent_through(super_packet, cutting, "wire", cut, "wire", ethernet=True)
                by_adit = sent_through(super_packet, left.node, left.interface, right.node, right.interface)
                difference = first_difference(by_adit, expected)
                assert not difference, difference


@case(family=[4, 6], mtu=[1280, 1333, 1420])
def tcp_of_odd_sizes(lab, family, mtu):
    left, right = pair(lab, right=PlainWireguardGo, MTU=mtu)
    for mss in 537, 1001, 1460:
        with lab.check(f"8 MiB of TCP with MSS {mss}: lengths and checksums are right"):
            capture = Capture(right.node, right.interface, incoming=True)
            stream(left.node, right.node, right.inner(family), 8 * MIB, mss)
            packets = [packet for packet in check_all(capture, mtu) if packet.protocol == TCP]
            longest = min(mss, mtu - (40 if family == 4 else 60))
            assert max(len(packet.payload) - 20 for packet in packets) == longest, "no segment has the full size"
            assert len(packets) > 8 * MIB // longest, f"only {len(packets)} segments were captured"


@case(family=[4, 6])
def udp_segment_sends(lab, family):
    """One send with UDP_SEGMENT creates one USO super-packet. The far socket receives the individual datagrams."""
    left, right = pair(lab, right=PlainWireguardGo)
    full = MTU - (28 if family == 4 else 48)
    for size, length in ((full, full * 40), (full, full * 40 - 1), (1000, 20001), (999, 999 * 60), (64, 64 * 60 + 1),
                         (1, 50)):
        with lab.check(f"{length} bytes in datagrams of {size}"):
            capture = Capture(right.node, right.interface, incoming=True)
            expected = [NOISE[at:min(at + size, length)] for at in range(0, length, size)]
            assert send_segmented(left, right, family, NOISE[:length], size, len(expected)) == expected
            seen = [packet.payload[8:] for packet in check_all(capture, MTU) if packet.protocol == UDP]
            assert seen == expected, f"{len(seen)} datagrams were captured, {len(expected)} sent"


def send_segmented(left, right, family, payload, size, count):
    with udp_socket(left.node, left.inner(family)) as sender, udp_socket(right.node, right.inner(family)) as receiver:
        sender.connect(receiver.getsockname()[:2])
        sender.sendmsg([payload], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))])
        return [receiver.recv(65536) for _ in range(count)]
