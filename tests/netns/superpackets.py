# SPDX-License-Identifier: MIT
"""
Super-packets as the kernel hands them to a TUN: packets with partial checksums behind a virtio-net header that
describes the segments. The tests send them through a packet socket, so that they can choose every bit.
"""

import ipaddress
import socket
import struct

from packets import ETH_P_IP, ETH_P_IPV6, SOL_PACKET, TCP, UDP
from traffic import NOISE

PACKET_VNET_HDR = 15
NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 4, 5, 0x80
FIN, PSH, ACK, ECE, CWR = 1, 8, 16, 64, 128
CSUM_OFFSET = {TCP: 16, UDP: 6}
ETHERNET = b"\xff" * 6 + b"\x02\0\0\0\0\x01"


def sum16(words):
    """Returns the ones' complement sum (RFC 1071) of an even number of bytes, with 0xffff as 0."""
    return int.from_bytes(words, "big") % 0xFFFF


class SuperPacket:
    """
    A TCP or UDP packet with `size` bytes of payload, to be cut into segments with `gso` bytes of payload. With a `gso`
    of 0 it is not cut. Further keywords set header fields.
    """

    def __init__(self, title, source, target, protocol, size, gso, **fields):
        self.title = title
        self.version = ipaddress.ip_address(source).version
        self.addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
        self.protocol = protocol
        self.gso = gso
        self.segments = -(-size // gso) if gso else 1
        self.fields = fields
        payload = NOISE[:size]
        if fields.get("zero_checksum"):
            payload = b"".join(self.sums_to_zero(payload[at:at + (gso or size)]) for at in range(0, size, gso or size))
        transport = self.transport(payload)
        network = self.v4(len(transport)) if self.version == 4 else self.v6(len(transport))
        self.start = len(network)
        self.packet = network + transport

    def pseudo_sum(self, length):
        return sum16(self.addresses + struct.pack(">II", length, self.protocol))

    def sums_to_zero(self, payload):
        """Returns the payload with its first word changed so that the checksum of the UDP datagram computes to 0."""
        length = len(payload) + 8
        rest = sum16(struct.pack(">HHH", 4000, 5000, length) + payload[2:] + b"\0" * (len(payload) & 1))
        return struct.pack(">H", 0xFFFF - (self.pseudo_sum(length) + rest) % 0xFFFF) + payload[2:]

    def transport(self, payload):
        """Returns the transport header and payload. The checksum field contains the folded sum of the pseudo-header."""
        options = self.fields.get("options", b"")
        length = len(payload) + (20 + len(options) if self.protocol == TCP else 8)
        seed = self.pseudo_sum(length)
        if self.protocol == UDP:
            return struct.pack(">HHHH", 4000, 5000, length, seed) + payload
        flags = self.fields.get("flags", ACK)
        offset = 5 + len(options) // 4
        return struct.pack(">HHIIBBHHH", 4000, 5000, self.fields.get("sequence", 1), 7, offset << 4, flags, 500, seed,
                           0) + options + payload

    def v4(self, length):
        options = self.fields.get("ip_options", b"")
        words = 5 + len(options) // 4
        total = words * 4 + length
        head = struct.pack(">BBHHHBB", 0x40 | words, self.fields.get("tos", 0), total, self.fields.get("id", 1), 0x4000,
                           64, self.protocol)
        checksum = 0xFFFF - sum16(head + self.addresses + options)
        return head + struct.pack(">H", checksum) + self.addresses + options

    def v6(self, length):
        extension = bytes([self.protocol]) + self.fields["extension"] if "extension" in self.fields else b""
        head = struct.pack(">IHBB", 6 << 28 | self.fields.get("tos", 0) << 20 | 0x12345, len(extension) + length,
                           60 if extension else self.protocol, 64)
        return head + self.addresses + extension

    def virtio_header(self, link_header):
        kind = GSO_NONE
        if self.gso:
            kind = GSO_UDP_L4 if self.protocol == UDP else GSO_TCPV4 if self.version == 4 else GSO_TCPV6
        if self.fields.get("flags", 0) & CWR:
            kind |= GSO_ECN
        start = link_header + self.start
        transport = 8 if self.protocol == UDP else 20 + len(self.fields.get("options", b""))
        return struct.pack("=BBHHHH", NEEDS_CSUM, kind, start + transport, self.gso, start, CSUM_OFFSET[self.protocol])

    def ethertype(self):
        return ETH_P_IP if self.version == 4 else ETH_P_IPV6

    def send(self, node, interface, ethernet=False):
        """Sends the packet to an interface of a namespace. Pass `ethernet` if the link has Ethernet headers."""
        link = ETHERNET + struct.pack(">H", self.ethertype()) if ethernet else b""
        with node.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            sender.sendto(self.virtio_header(len(link)) + link + self.packet, (interface, self.ethertype()))
