#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A relay between the two ends of a tunnel. It loses, delays and duplicates datagrams and changes their order, and counts
exactly what it does.

    lossy_relay.py CONTROL SEED LEFT-ADDRESS LEFT-PEER RIGHT-ADDRESS RIGHT-PEER

It binds port 51820 of its two addresses and forwards between the two peers, which use the same port. Only data messages
are harmed; handshakes pass, so that a case does not wait for retries. The counters of data messages are not encrypted,
so the relay knows which ones it has forwarded, and in which order.

CONTROL is a Unix socket of type SOCK_SEQPACKET. A request is a JSON object with new settings: "loss", "reorder" and
"duplicate" are probabilities, "delay" is in seconds. The datagrams that are held back are forwarded first. The answer
is a JSON object with the counts of the two directions, "left" and "right", each named after the sender.
"""

import collections
import heapq
import itertools
import json
import random
import select
import signal
import socket
import struct
import sys
import time

PORT = 51820
DATA, DATA_OVERHEAD = 4, 32  # type and minimum length of a data message
OVERTAKEN_BY = 8  # a datagram is overtaken by up to so many others
BUFFER, SO_RCVBUFFORCE, SO_SNDBUFFORCE = 32 << 20, 33, 32
CLASSES = 8  # of gaps: 1, 2 to 3, 4 to 7, ..., 128 and more


class Session:
    """The counters of one session in one direction, as sets: slow, but obviously correct."""

    def __init__(self):
        self.entered, self.forwarded = set(), set()
        self.highest = -1  # of the counters that were forwarded

    def gaps(self):
        """Returns the length of each run of counters below the highest that were not forwarded."""
        lengths, last = [], -1
        for counter in sorted(self.forwarded):
            if counter > last + 1:
                lengths.append(counter - last - 1)
            last = counter
        return lengths


class Direction:
    """What one end sends."""

    def __init__(self, seed, source, sink, target):
        self.random = random.Random(seed)
        self.source, self.sink, self.target = source, sink, target
        self.loss = self.reorder = self.duplicate = self.delay = 0.0
        self.sessions = collections.defaultdict(Session)
        self.held = []  # [how many others still overtake it, message]
        self.delayed, self.order = [], itertools.count()
        self.dropped = self.late = self.duplicates = 0

    def receive(self):
        message = self.source.recv(65536)
        if len(message) < DATA_OVERHEAD or message[0] != DATA:
            self.send(message)
            return
        index, counter = struct.unpack_from("<IQ", message, 4)
        self.sessions[index].entered.add(counter)
        if self.random.random() < self.loss:
            self.dropped += 1
        elif self.random.random() < self.reorder:
            self.held.append([self.random.randint(1, OVERTAKEN_BY), message])
        else:
            self.forward(message)
            for entry in self.held:
                entry[0] -= 1
            self.release(lambda left: left <= 0)

    def release(self, condition):
        ready = [message for left, message in self.held if condition(left)]
        self.held = [entry for entry in self.held if not condition(entry[0])]
        for message in ready:
            self.forward(message)

    def forward(self, message):
        """Sends a data message once or twice, and counts it as the receiver should."""
        for _ in range(2 if self.random.random() < self.duplicate else 1):
            index, counter = struct.unpack_from("<IQ", message, 4)
            session = self.sessions[index]
            if counter in session.forwarded:
                self.duplicates += 1
            elif counter < session.highest:
                self.late += 1
            session.forwarded.add(counter)
            session.highest = max(session.highest, counter)
            self.send(message)

    def send(self, message):
        if self.delay:
            heapq.heappush(self.delayed, (time.monotonic() + self.delay, next(self.order), message))
        else:
            self.sink.sendto(message, self.target)

    def send_delayed(self):
        """Sends what is due. Returns the seconds until the next message, or None."""
        while self.delayed:
            left = self.delayed[0][0] - time.monotonic()
            if left > 0:
                return left
            self.sink.sendto(heapq.heappop(self.delayed)[2], self.target)
        return None

    def set(self, loss=None, reorder=None, duplicate=None, delay=None):
        for name, value in ("loss", loss), ("reorder", reorder), ("duplicate", duplicate), ("delay", delay):
            if value is not None:
                setattr(self, name, value)
        self.release(lambda left: True)

    def counts(self):
        gaps = [length for session in self.sessions.values() for length in session.gaps()]
        classes = [0] * CLASSES
        for length in gaps:
            classes[min(length.bit_length(), CLASSES) - 1] += 1
        return {"entered": sum(len(session.entered) for session in self.sessions.values()),
                "unseen": sum(max(session.entered) + 1 - len(session.entered) for session in self.sessions.values()),
                "dropped": self.dropped,
                "datagrams": sum(len(session.forwarded) for session in self.sessions.values()),
                "lost": sum(gaps), "late": self.late, "duplicate": self.duplicates, "gaps": classes,
                "sessions": len(self.sessions)}


def open_udp(address):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    made.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
    made.bind((address, PORT))
    return made


def answer(client, directions):
    """Handles a request. Returns False when the client has gone."""
    request = client.recv(4096)
    if not request:
        return False
    for direction in directions.values():
        direction.set(**json.loads(request))
    client.send(json.dumps({name: direction.counts() for name, direction in directions.items()}).encode())
    return True


def main():
    control, seed, left_address, left_peer, right_address, right_peer = sys.argv[1:]
    left, right = open_udp(left_address), open_udp(right_address)
    directions = {"left": Direction(f"{seed} left", left, right, (right_peer, PORT)),
                  "right": Direction(f"{seed} right", right, left, (left_peer, PORT))}
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(control)
    listener.listen()
    clients = []
    while True:
        waits = [wait for direction in directions.values() if (wait := direction.send_delayed()) is not None]
        ready, _, _ = select.select([left, right, listener, *clients], [], [], min(waits, default=None))
        for direction in directions.values():
            if direction.source in ready:
                direction.receive()
        if listener in ready:
            clients.append(listener.accept()[0])
        # A request is only handled when no datagram waits, so that the counts contain whatever was sent before it.
        if not {left, right} & set(ready):
            clients = [client for client in clients if client not in ready or answer(client, directions)]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
