# SPDX-License-Identifier: MIT
"""
Traffic between two namespaces that is checked to the byte.
"""

import hashlib
import itertools
import json
import os
import socket
import struct
import threading
import time

from lab import wait_for

MIB = 1 << 20
BLOCK = MIB // 4
NOISE = os.urandom(4 * MIB)
SO_MAX_PACING_RATE = 47
TIMEOUT = 30  # seconds without a byte after which a transfer fails


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def blocks(size):
    """Yields `size` bytes in blocks. No two blocks are equal, so that lost or exchanged blocks are noticed."""
    number = 0
    while size:
        length = min(size, BLOCK)
        start = number * 4099 % (len(NOISE) - BLOCK)
        yield (number.to_bytes(8, "big") + NOISE[start:start + BLOCK])[:length]
        size -= length
        number += 1


def measure(content):
    """Returns the digest and the length of a stream of blocks."""
    digest, length = hashlib.sha256(), 0
    for block in content:
        digest.update(block)
        length += len(block)
    return digest.hexdigest(), length


class Receiver(threading.Thread):
    """Accepts one connection and reads it to its end."""

    def __init__(self, listener):
        super().__init__(daemon=True)
        self.listener = listener
        self.digest = hashlib.sha256()
        self.length = 0
        self.error = None
        self.start()

    def run(self):
        try:
            connection, _ = self.listener.accept()
            connection.settimeout(TIMEOUT)
            with connection:
                while data := connection.recv(BLOCK):
                    self.digest.update(data)
                    self.length += len(data)
        except OSError as error:
            self.error = error


def listen(node, address, mss=None):
    listener = node.socket(family_of(address), socket.SOCK_STREAM)
    listener.settimeout(TIMEOUT)
    if mss:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    listener.bind((address, 0))
    listener.listen()
    return listener


def stream(source, target, address, size, mss=None, make=blocks):
    """
    Sends `size` bytes over TCP from one namespace to an address of another, and compares the SHA-256 of both sides.
    `mss` limits the segments, `make` produces the bytes. Returns bytes per second, until the receiver has everything.
    """
    expected, length = measure(make(size))
    with listen(target, address, mss) as listener:
        receiver = Receiver(listener)
        with source.socket(family_of(address), socket.SOCK_STREAM) as sender:
            sender.settimeout(TIMEOUT)
            sender.connect(listener.getsockname()[:2])
            begin = time.monotonic()
            for block in make(size):
                sender.sendall(block)
            sender.shutdown(socket.SHUT_WR)
            receiver.join(TIMEOUT)
            seconds = time.monotonic() - begin
    assert not receiver.error, f"receiver: {receiver.error}"
    assert receiver.length == length, f"{receiver.length} of {length} bytes arrived"
    assert receiver.digest.hexdigest() == expected, "the checksums differ"
    return length / seconds


class Flow:
    """A TCP connection that sends until stop(). `max_rate` limits it to a number of bytes per second."""

    def __init__(self, source, target, address, max_rate=None):
        self.sent = 0
        self.digest = hashlib.sha256()
        self.error = None
        self.stopping = threading.Event()
        listener = listen(target, address)
        self.receiver = Receiver(listener)
        self.sender = source.socket(family_of(address), socket.SOCK_STREAM)
        self.sender.settimeout(TIMEOUT)
        if max_rate:
            self.sender.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, max_rate)
        self.sender.connect(listener.getsockname()[:2])
        self.sender.settimeout(None)  # the case decides how long the path may be interrupted
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            for block in itertools.takewhile(lambda _: not self.stopping.is_set(), blocks(1 << 60)):
                self.digest.update(block)
                self.sender.sendall(block)
                self.sent += len(block)
            self.sender.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def retransmissions(self):
        """Returns the number of retransmitted segments so far (tcpi_total_retrans)."""
        return struct.unpack_from("=I", self.sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0]

    def rate(self, seconds):
        """Returns bytes per second at the receiver during the next `seconds`."""
        before, begin = self.receiver.length, time.monotonic()
        time.sleep(seconds)
        return (self.receiver.length - before) / (time.monotonic() - begin)

    def stop(self):
        """Stops sending, waits until everything has arrived and requires that it is what was sent."""
        self.stopping.set()
        self.thread.join(TIMEOUT)
        self.receiver.join(TIMEOUT)
        self.sender.close()
        assert not self.error and not self.receiver.error, f"sender: {self.error}, receiver: {self.receiver.error}"
        assert self.receiver.length == self.sent, f"{self.receiver.length} of {self.sent} bytes arrived"
        assert self.receiver.digest.digest() == self.digest.digest(), "the checksums differ"


def both_ways(left, left_address, right, right_address, size, mss=None):
    stream(left, right, right_address, size, mss)
    stream(right, left, left_address, size, mss)


def udp_socket(node, address):
    made = node.socket(family_of(address), socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MIB)
    made.bind((address, 0))
    return made


def checksum_is_zero(sender, receiver, payload):
    """Returns true if the checksum of a UDP datagram over IPv6 is 0, which is sent as 0xFFFF (RFC 8200, section 8.1)."""
    source, target = sender.getsockname(), receiver.getsockname()
    length = 8 + len(payload)
    header = b"".join(socket.inet_pton(socket.AF_INET6, end[0]) for end in (source, target))
    header += struct.pack(">IIHHHH", length, socket.IPPROTO_UDP, source[1], target[1], length, 0)
    return int.from_bytes(header + payload + bytes(length % 2), "big") % 0xFFFF == 0


def datagrams(source, source_address, target, target_address, payloads, burst=32, prepare=None):
    """
    Sends each payload as one UDP datagram. Fails if one is lost, changed or out of order. A burst starts when the
    previous one has arrived. `prepare` may set options of the sending socket. Leaves out payloads with which the
    checksum is 0 over IPv6: wireguard-go with offloads sends 0 then, and the receiving kernel drops the datagram.
    """
    with udp_socket(source, source_address) as sender, udp_socket(target, target_address) as receiver:
        sender.connect(receiver.getsockname()[:2])
        if prepare:
            prepare(sender)
        if sender.family == socket.AF_INET6:
            payloads = [payload for payload in payloads if not checksum_is_zero(sender, receiver, payload)]
        for first in range(0, len(payloads), burst):
            for payload in payloads[first:first + burst]:
                sender.send(payload)
            for number, payload in enumerate(payloads[first:first + burst], first):
                try:
                    arrived = receiver.recv(65536)
                except TimeoutError:
                    arrived = None
                title = f"datagram {number} of {len(payloads)} ({len(payload)} bytes)"
                assert arrived is not None, f"{title} was lost"
                if arrived != payload:
                    found = payloads.index(arrived) if arrived in payloads else f"{len(arrived)} other bytes"
                    raise AssertionError(f"{title}: {found} arrived instead of it")


def spray(source, address, payloads):
    """Sends datagrams as fast as possible to a port where no socket listens."""
    with source.socket(family_of(address), socket.SOCK_DGRAM) as sender:
        for payload in payloads:
            sender.sendto(payload, (address, 9))


def small_datagrams(count=2000, size=64):
    return [number.to_bytes(4, "big") + NOISE[number:number + size - 4] for number in range(count)]


def iperf(source, target, address, options):
    """Runs iperf3 from one namespace to an address of another. Returns the sums of its report."""
    name = f"iperf3-{len(target.lab.daemons)}"  # each server has its own log
    server = target.start(name, f"iperf3 --server --one-off --forceflush --bind {address}")
    wait_for(lambda: "Server listening" in server.log(), "the iperf3 server")
    done = source.run(f"iperf3 --json --client {address} {options}", check=False)
    report = json.loads(done.stdout)
    assert not done.returncode, f"iperf3: {report.get('error', done.stderr)}"
    assert not server.wait(), f"iperf3 server: {server.tail()}"
    return report["end"]
