# SPDX-License-Identifier: MIT
"""
The outer headers of a bare device: ECN marks in and out (RFC 6040), the traffic class of handshakes, and no DF.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2     right's nft plays the congested router
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import socket
import struct
import sys

from ends import devices
from lab import case, wait_for
from packets import UDP, Capture, check_all
from superpackets import SuperPacket
from traffic import NOISE, udp_socket

AF41 = 34 << 2
EXPEDITED = 46 << 2
MARKS = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
CE, ECT1, ECT0 = 3, 1, 2
INITIATION, RESPONSE, DATA = 1, 2, 4
DONT_FRAGMENT = 0x4000
OPTIONS = {4: (socket.IPPROTO_IP, socket.IP_TOS, 13),  # IP_RECVTOS
           6: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, socket.IPV6_RECVTCLASS)}


def traffic_class(data):
    return data[1] if data[0] >> 4 == 4 else struct.unpack_from(">I", data)[0] >> 20 & 0xFF


def messages(capture, kind):
    """Stops a capture and returns the outer packets that contain a message of this type."""
    return [packet for packet in check_all(capture, 1500) if packet.protocol == UDP and packet.payload[8] == kind]


def send_marked(source, target, family, marks):
    """Sends eight datagrams with each of these traffic classes. Returns the classes that the far socket receives."""
    level, option, receive_option = OPTIONS[family]
    receiver = udp_socket(target.node, target.inner(family))
    with receiver, udp_socket(source.node, source.inner(family)) as sender:
        receiver.setsockopt(level, receive_option, 1)
        sender.connect(receiver.getsockname()[:2])
        for mark in marks:
            sender.setsockopt(level, option, mark)
            for _ in range(8):
                sender.send(NOISE[:600])
        return [receive_class(receiver) for _ in range(8 * len(marks))]


def receive_class(receiver):
    """Receives a datagram and returns its traffic class."""
    _, control, _, _ = receiver.recvmsg(2048, 64)
    return int.from_bytes(control[0][2], sys.byteorder)  # one byte with IPv4, an int with IPv6


@case(outside=[4, 6])
def handshake(lab, outside):
    left, right = devices(lab, "adit+adit", outside)
    for end in left, right:
        end.node.offloads("wan", "off")
    capture = Capture(left.node, "wan")
    left.node.ping(right.v4, count=1)
    packets = [packet for packet in check_all(capture, 1500) if packet.protocol == UDP]
    kinds = [packet.payload[8] for packet in packets]
    with lab.check("initiation and response have class AF41, data has class 0"):
        assert kinds == [INITIATION, RESPONSE, DATA, DATA], kinds
        classes = [traffic_class(packet.data) for packet in packets]
        assert classes == [AF41, AF41, 0, 0], classes
    if outside == 4:
        with lab.check("DF is not set"):
            assert not any(packet.data[6] << 8 & DONT_FRAGMENT for packet in packets)


@case(outside=[4, 6])
def marks_on_the_way_out(lab, outside):
    left, right = devices(lab, "adit+adit", outside)
    left.node.offloads("wan", "off")
    left.node.ping(right.v4)
    for family in 4, 6:
        with lab.check(f"the ECN field is copied to the outer header, the DSCP is not, v{family} inside"):
            capture = Capture(right.node, "wan", incoming=True)
            marks = [EXPEDITED | mark for mark in (0, CE, ECT0, ECT1, 0, ECT0)]
            inside = send_marked(left, right, family, marks)
            assert inside == [mark for mark in marks for _ in range(8)], inside
            seen = [traffic_class(packet.data) for packet in messages(capture, DATA)]
            expected = [mark & 3 for mark in marks for _ in range(8)]
            assert seen == expected, f"{seen}, not {expected}"
        with lab.check(f"each segment of a super-packet has the mark, v{family} inside"):
            capture = Capture(right.node, "wan", incoming=True)
            SuperPacket("", left.inner(family), right.inner(family), UDP, 9000, 1000, tos=EXPEDITED | CE).send(
                left.node, left.interface)
            wait_for(lambda: len(capture.packets) >= 9, "nine datagrams")
            seen = [traffic_class(packet.data) for packet in messages(capture, DATA)]
            assert seen == [CE] * 9, seen


def combined(inner, outer):
    """Returns the inner ECN field after decapsulation (RFC 6040, figure 4, except that nothing is dropped)."""
    if inner in (0, CE):
        return inner
    return outer if outer == CE or (outer, inner) == (ECT1, ECT0) else inner


@case(outside=[4, 6])
def marks_on_the_way_in(lab, outside):
    left, right = devices(lab, "adit+adit", outside)
    left.node.ping(right.v4)
    for name, outer in MARKS.items():
        right.node.run(["nft", f"""
            table inet congested
            delete table inet congested
            table inet congested {{
                chain in {{
                    type filter hook prerouting priority raw
                    iifname wan udp dport 51820 {'ip' if outside == 4 else 'ip6'} ecn set {name}
                }}
            }}"""])
        for family in 4, 6:
            with lab.check(f"{name} outside is combined with each mark inside, the DSCP is kept, v{family} inside"):
                seen = send_marked(left, right, family, [EXPEDITED | inner for inner in MARKS.values()])
                expected = [EXPEDITED | combined(inner, outer) for inner in MARKS.values() for _ in range(8)]
                assert seen == expected, f"{seen}, not {expected}"
