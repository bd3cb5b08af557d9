# SPDX-License-Identifier: MIT
"""
The control socket of a daemon that does not exist. It answers with peers in all states and with quality, which would
take long to make with real peers and real losses.
"""

import base64
import itertools
import os
import socket
import threading
import time

STATES = ["up", "idle", "waiting", "silent", "no-endpoint", "unreachable"]
LOST = 0.02  # of the datagrams of each peer that is up


class FakeDaemon:
    """Peer N has the state STATES[N % 6]. Counters grow with time, unless `frozen`."""

    def __init__(self, interface, peers, frozen=False):
        self.interface = interface
        self.keys = [os.urandom(32) for _ in range(peers)]
        self.started = int(time.time())
        self.frozen = frozen
        self.answers = {}
        self.listener = socket.socket(socket.AF_UNIX)
        os.makedirs("/var/run/wireguard", exist_ok=True)
        self.listener.bind(f"/var/run/wireguard/{interface}.sock")
        self.listener.listen(64)
        threading.Thread(target=self.run, daemon=True).start()

    def public(self, number):
        return base64.b64encode(self.keys[number]).decode()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            request = b""
            while more := client.recv(4096):
                request += more
                while b"\n\n" in request:
                    first, _, request = request.partition(b"\n\n")
                    client.sendall(self.answer(first.decode()))

    def answer(self, request):
        if self.frozen and request in self.answers:
            return self.answers[request]
        lines = {"get=1": self.get, "counters=1": self.counters}.get(request, lambda ticks: ["errno=-22"])
        ticks = 100 if self.frozen else int((time.time() - self.started) * 100) + 1
        self.answers[request] = ("\n".join(lines(ticks)) + "\n\n").encode()
        return self.answers[request]

    def get(self, ticks):
        yield from ["private_key=" + "40" * 32, "listen_port=51820", "crypto_provider=libsodium",
                    "tun_backend=syscalls", "workers=1", "log_level=info", "warning=nft is missing"]
        for number, (key, state) in enumerate(zip(self.keys, itertools.cycle(STATES))):
            yield from [f"public_key={key.hex()}", "preshared_key=" + "0" * 64, "protocol_version=1"]
            if state != "no-endpoint":
                yield from [f"endpoint=192.0.2.{number % 256}:51820", "endpoint_origin=roamed"]
            yield from [f"last_handshake_time_sec={self.started}", "last_handshake_time_nsec=0", f"tx_bytes={ticks * 99}",
                        f"rx_bytes={ticks * 88}", "persistent_keepalive_interval=25", f"state={state}",
                        f"state_since_time_sec={self.started}"]
            if state not in ("up", "idle"):
                yield "state_reason=the peer does not answer"
            yield from [f"rx_datagrams={round(ticks * (1 - LOST))}", f"rx_lost={round(ticks * LOST)}",
                        f"rx_late={ticks // 10}", f"rx_duplicate={ticks // 20}", "rx_gaps=1,2,3,4,5,6,7,8",
                        "rtt_ns=12345678", "rtt_min_ns=11000000", "jitter_ns=250000", f"name=peer {number}",
                        f"allowed_ip=10.{64 + number // 65536}.{number // 256 % 256}.{number % 256}/32"]
        yield "errno=0"

    def counters(self, ticks):
        yield from [f"sealed={ticks}", f"opened={ticks}", f"handshake_done={ticks}", f"drop_no_peer={ticks}",
                    f"start_time_sec={self.started}", "errno=0"]
