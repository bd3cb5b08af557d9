# SPDX-License-Identifier: MIT
"""
Daemons that only answer on their control sockets, with states that real tunnels reach rarely or not at all. They listen
in an empty /var/run/wireguard, in a mount namespace of the test.
"""
import os
import socket
import subprocess
import sys
import threading
import time

DIRECTORY = "/var/run/wireguard"
RUNNING = []
SKIPPED = 77  # the exit status that CTest counts as a skipped test


def enter():
    """Runs the test again in namespaces of its own, with an empty /run. Returns only there."""
    if os.environ.get("FAKE_DAEMONS") == "inside":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        os.mkdir("/run/wireguard")
        return
    enter_namespace = ["unshare", "-rm"] if os.geteuid() else ["unshare", "-m"]
    if subprocess.run([*enter_namespace, "true"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: no user namespaces")
        sys.exit(SKIPPED)
    sys.exit(subprocess.run([*enter_namespace, sys.executable, *sys.argv],
                            env=os.environ | {"FAKE_DAEMONS": "inside"}).returncode)


def key(number):
    """A public key in hex."""
    return bytes([number % 256, number // 256, 7] + [(number * 37 + i * 101) % 256 for i in range(29)]).hex()


class Daemon:
    """Serves one interface. `answers` maps a request such as "get=1" to a function that makes the lines of the answer."""

    def __init__(self, interface, answers):
        self.answers = answers
        self.path = f"{DIRECTORY}/{interface}.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(8)
        RUNNING.append(self)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            with client:
                try:
                    request = client.recv(64).decode().strip()
                    client.sendall(self.answer(request).encode("utf-8", "surrogateescape"))
                except OSError:
                    pass  # the client has gone

    def answer(self, request):
        make = self.answers.get(request)
        return "".join(line + "\n" for line in make()) + "errno=0\n\n" if make else "errno=-22\n\n"

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        os.unlink(self.path)


def close_all():
    while RUNNING:
        RUNNING.pop().close()


def interface(peers, *more, private="48" * 32, adit=True):
    """The lines of an interface. A peer is a function of the current time that returns its lines."""
    def lines():
        now = int(time.time())
        own = ["crypto_provider=ipsec-mb", "tun_backend=io_uring", "workers=2"] if adit else []
        return [f"private_key={private}", "listen_port=51820", *own, *more,
                *(line for peer in peers for line in peer(now))]
    return lines


def peer(number, *, name=None, endpoint=None, handshake=None, received=0, sent=0, since=None, origin=None, rtt=None,
         counts=None, prefixes=(), **values):
    """A peer. Times are ages in seconds. `counts` are datagrams received, lost, late and duplicate."""
    def lines(now):
        found = [f"public_key={key(number)}"]
        found += [f"endpoint={endpoint}"] if endpoint else []
        found += [f"last_handshake_time_sec={now - handshake if handshake is not None else 0}",
                  "last_handshake_time_nsec=0", f"tx_bytes={sent}", f"rx_bytes={received}",
                  f"persistent_keepalive_interval={values.get('keepalive', 0)}"]
        found += [f"state={values['state']}"] if "state" in values else []
        found += [f"state_since_time_sec={now - since}"] if since is not None else []
        found += [f"endpoint_origin={origin}"] if origin else []
        found += [f"state_reason={values['reason']}"] if "reason" in values else []
        if counts:
            names = "rx_datagrams", "rx_lost", "rx_late", "rx_duplicate"
            found += [f"{name}={count}" for name, count in zip(names, counts)]
            found += [f"rx_gaps={counts[1]},0,0,0,0,0,0,0"]
        if rtt:
            found += [f"rtt_ns={rtt}", f"rtt_min_ns={rtt * 9 // 10}", f"jitter_ns={rtt // 25}"]
        found += [f"name={name}"] if name else []
        found += [f"description={values['description']}"] if "description" in values else []
        return found + [f"allowed_ip={prefix}" for prefix in prefixes] + ["protocol_version=1"]
    return lines


# --- three peers, and three hundred ---

WARNING = "warning=a path or network driver refuses UDP GSO; datagrams to some peers are sent one by one"
MINUTE, HOUR, DAY = 60, 3600, 86400

three = interface([
    peer(1, name="alice", description="laptop of Alice", endpoint="198.51.100.7:40112", handshake=95, state="up",
         since=2 * HOUR + 5 * MINUTE, origin="roamed", rtt=12_300_000, counts=(184223, 41, 3, 0), received=243 << 20,
         sent=31 << 20, prefixes=["10.9.0.2/32", "fd09::2/128"], keepalive=25),
    peer(2, name="berlin", endpoint="[2001:db8:20::1]:51820", handshake=31, state="up", since=9 * DAY + 4 * HOUR,
         origin="resolved", rtt=850_000, counts=(91_000_112, 18_400, 12_001, 7), received=118 << 30, sent=97 << 30,
         prefixes=["10.9.0.3/32", "fd09::3/128", "192.168.20.0/24"]),
    peer(3, name="carol", endpoint="203.0.113.80:51820", handshake=3 * HOUR + 90, state="unreachable", since=12 * MINUTE,
         origin="configured", reason="cannot send to 203.0.113.80:51820: this host has no route there",
         rtt=48_100_000, counts=(20113, 260, 0, 0),
         received=26 << 20, sent=9 << 20, prefixes=["10.9.0.4/32"]),
], "log_level=info", WARNING)


def many(count=300):
    """Peers of an imaginary company: most are up, and each state occurs."""
    peers = []
    for i in range(1, count + 1):
        name = f"{('edge', 'store', 'depot', 'van')[i % 4]}-{('north', 'south', 'east', 'west')[i // 4 % 4]}-{i:03}"
        endpoint = f"198.51.{100 + i // 200}.{1 + i % 200}:51820" if i % 7 else f"[2001:db8:{i:x}::1]:51820"
        values = {"name": name, "endpoint": endpoint, "handshake": 100 + i % 17, "state": "up", "since": i * HOUR,
                  "origin": ("resolved", "configured", "roamed")[i % 3], "rtt": 2_000_000 + i * 170_000,
                  "counts": (1000 * i, i % 11, 0, 0), "received": i ** 3 << 8, "sent": i ** 3 << 6,
                  "prefixes": [f"10.{9 + i // 250}.{i % 250}.0/24"]}
        if i % 23 == 0:
            values |= {"state": "silent", "since": i * MINUTE, "handshake": i * MINUTE + 130,
                       "reason": f"no answer from {endpoint} any more: the peer is off or has moved, its keys have "
                                 "changed, or a firewall or NAT blocks it"}
        elif i % 31 == 0:
            values |= {"state": "no-endpoint", "since": 3 * DAY, "handshake": None, "endpoint": None, "rtt": None,
                       "counts": None, "received": 0, "sent": 0,
                       "reason": f"cannot resolve its endpoint {name}.example.net: the name does not exist"}
        elif i % 47 == 0:
            values |= {"state": "unreachable", "since": 5 * MINUTE, "handshake": 7 * MINUTE,
                       "reason": f"cannot send to {endpoint}: this host has no route there"}
        elif i % 19 == 0:
            values |= {"state": "idle", "since": 20 * MINUTE, "handshake": 23 * MINUTE}
        elif i == 100:
            values |= {"state": "waiting", "since": 30, "handshake": None, "rtt": None, "counts": None, "received": 0}
        peers.append(peer(i, **values))
    return interface(peers, "log_level=info", WARNING)


counters = ["tun_read=204112", "tun_written=51200", "sealed=1033021", "sent=1033021", "received=990112", "opened=990001",
            "handshake_sent=41", "handshake_done=20", "group_refused=1", "drop_no_peer=12", "drop_replay=3",
            "drop_forged=0", "batch_udp_send=5,0,7,1,0,0,900,2", "batch_udp_send_sum=60122"]
