# SPDX-License-Identifier: MIT
"""
A packet capture, and a parser that checks packets against the RFCs independently of adit.
"""

import ipaddress
import socket
import struct
import threading

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
SOL_PACKET, PACKET_AUXDATA, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 8, 6, 33
CSUM_NOT_READY = 8  # TP_STATUS_CSUMNOTREADY: the kernel has left the checksum to hardware
PACKET_OUTGOING = 4
BUFFER = 512 << 20
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
EXTENSIONS = {0, 43, 60}
FRAGMENT = 44


class Capture:
    """
    Records the IP packets that pass an interface of a namespace until stop(). A packet starts with its IP header. With
    `incoming`, only packets that the interface receives are recorded. Packets larger than the MTU are super-packets; see
    Node.offloads().
    """

    def __init__(self, node, interface, incoming=False):
        self.incoming = incoming
        self.packets = []
        self.error = None
        self.unfinished = 0  # packets captured before their checksum was computed
        # A socket that is created with a protocol receives the packets of all interfaces until it is bound.
        self.socket = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.05)  # after stop(), the capture ends when no packet has arrived for this time
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(65600, 64)
            except TimeoutError:
                if self.stopping.is_set():
                    return
                continue
            except OSError as error:  # the interface has been deleted
                self.error = error
                return
            if address[1] not in (ETH_P_IP, ETH_P_IPV6) or (self.incoming and address[2] == PACKET_OUTGOING):
                continue
            self.packets.append(data)
            self.unfinished += any(struct.unpack_from("=I", value)[0] & CSUM_NOT_READY for _, _, value in control)

    def stop(self):
        """Reads the remaining packets and returns all packets. Fails if the packet socket lost any."""
        self.stopping.set()
        self.thread.join()
        _, drops = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()
        assert not self.error, f"the packet socket: {self.error}"
        assert not drops, f"the packet socket lost {drops} packets"
        return self.packets


class Packet:
    """The parts of an IP packet. Raises an AssertionError that names the wrong length or checksum."""

    def __init__(self, data):
        self.data = data
        self.version = data[0] >> 4
        self.fragment = False
        if self.version == 4:
            self.parse_v4(data)
        else:
            self.parse_v6(data)
        self.check_payload()

    def parse_v4(self, data):
        header = (data[0] & 15) * 4
        total, self.id, flags = struct.unpack_from(">HHH", data, 2)
        assert header >= 20 and total == len(data), f"IPv4 length {total}, header {header}, packet {len(data)}"
        assert ones_sum(data[:header]) == 0, "IPv4 header checksum"
        self.fragment = bool(flags & 0x3FFF)
        self.protocol = data[9]
        self.source, self.target = data[12:16], data[16:20]
        self.payload = data[header:]

    def parse_v6(self, data):
        length, self.protocol = struct.unpack_from(">HB", data, 4)
        assert length + 40 == len(data), f"IPv6 payload length {length}, packet {len(data)}"
        self.source, self.target = data[8:24], data[24:40]
        offset = 40
        while self.protocol in EXTENSIONS:
            self.protocol, words = data[offset], data[offset + 1]
            offset += 8 + words * 8
        self.fragment = self.protocol == FRAGMENT
        self.payload = data[offset:]

    def check_payload(self):
        payload, protocol = self.payload, self.protocol
        if self.fragment:
            return
        if protocol == ICMP:
            assert ones_sum(payload) == 0, "ICMP checksum"
            return
        if protocol == UDP:
            length, checksum = struct.unpack_from(">HH", payload, 4)
            assert length == len(payload), f"UDP length {length}, datagram {len(payload)}"
            if not checksum:
                assert self.version == 4, "UDP checksum 0 over IPv6"
                return
        elif protocol == TCP:
            assert 20 <= (payload[12] >> 4) * 4 <= len(payload), "TCP data offset"
        elif protocol != ICMPV6:
            return
        pseudo = self.source + self.target + struct.pack(">II", len(payload), protocol)
        assert ones_sum(pseudo + payload) == 0, f"checksum of protocol {protocol}, {len(self.data)} bytes"

    def addresses(self):
        return str(ipaddress.ip_address(self.source)), str(ipaddress.ip_address(self.target))


def ones_sum(data):
    """Returns the ones' complement sum (RFC 1071) with 0xffff as 0. It is 0 for data that contains its own checksum."""
    return int.from_bytes(data + b"\0" * (len(data) & 1), "big") % 0xFFFF


def check_all(capture, mtu):
    """Stops a capture on a wire with this MTU, checks every packet and returns the packets."""
    packets = [Packet(data) for data in capture.stop()]
    assert not capture.unfinished, f"{capture.unfinished} packets were captured before their checksum was computed"
    longest = max((len(packet.data) for packet in packets), default=0)
    assert longest <= mtu, f"a packet of {longest} bytes on a wire with MTU {mtu}"
    return packets
