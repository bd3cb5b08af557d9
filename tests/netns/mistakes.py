# SPDX-License-Identifier: MIT
"""
The commonest mistakes: each gives the peer a reason, or the interface a warning, and one line in the log.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2

Each case makes its mistake in the file of one end, sends packets from left to right, and looks at both ends.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

from ends import PORT, Adit, AditDevice, WireguardGo, counters_of, host_port, key, pair
from events import follow
from lab import TIMEOUT, Skip, case, wait_for
from traffic import stream

WORKERS = [1, 4]
LIMIT = 10  # seconds until the reason is known
SILENT = r"no answer from {}:{}: the endpoint, a firewall or a public key at either end may be wrong"


def state_of(end):
    """Returns the warnings of the interface, and the reasons of its peers by public key."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(f"/var/run/wireguard/{end.interface}.sock")
        client.sendall(b"get=1\n\n")
        text = ""
        while not text.endswith("\n\n"):
            more = client.recv(65536)
            assert more, "the daemon closed the connection"
            text += more.decode()
    warnings, reasons, peer = [], {}, None
    for name, value in (line.split("=", 1) for line in text.split("\n") if line):
        if name == "public_key":
            peer = base64.b64encode(bytes.fromhex(value)).decode()
            reasons[peer] = ""
        elif name == "warning":
            warnings.append(value)
        elif name == "state_reason":
            reasons[peer] = value
    return warnings, reasons


def reason_of(end, public):
    return state_of(end)[1][public]


def word_of(end, public):
    peers = json.loads(end.node.run([end.node.lab.adit, "show", end.interface, "--json"]).stdout)["interfaces"][0]["peers"]
    return next(peer["state"] for peer in peers if peer["public_key"] == public)


def lines_of(end, pattern):
    return [line for line in end.daemon.log().splitlines() if re.search(pattern, line)]


class Watch:
    """Waits for reasons and warnings. The time begins when the case makes the object."""

    def __init__(self, lab):
        self.lab = lab
        self.begin = time.monotonic()

    def found(self, end, get, pattern, counter, what):
        title = f"{end.node.name}: {what}: {pattern}"
        with self.lab.check(title):
            seen = []

            def matches():
                seen[:] = get()
                return any(re.fullmatch(pattern, text) for text in seen)

            try:
                wait_for(matches, title)
            except AssertionError:
                raise AssertionError(f"{what}: {seen}") from None
            wait_for(lambda: lines_of(end, pattern), f"a line in the log: {pattern}")
            wait_for(lambda: not counter or counters_of(end).get(counter), f"the counter {counter}")
        self.lab.bar(f"{title}, seconds", time.monotonic() - self.begin, LIMIT)

    def reason(self, end, public, pattern, counter=None):
        self.found(end, lambda: [reason_of(end, public)], pattern, counter, "reason")

    def warning(self, end, pattern, counter=None):
        self.found(end, lambda: state_of(end)[0], pattern, counter, "warning")


@contextlib.contextmanager
def traffic(end, address):
    """Pings the address all the time."""
    process = end.node.start(f"ping-{address}", f"ping -n -q -i 0.2 {address}")
    process.over = True
    try:
        yield
    finally:
        process.process.kill()
        process.process.wait()


@contextlib.contextmanager
def started(lab, left, right):
    """Starts both ends and sends packets from left to right."""
    left.start()
    right.start()
    with traffic(left, "10.7.0.2"):
        yield Watch(lab)


def random_key(lab):
    return key(lab.adit, "pubkey", key(lab.adit, "genkey"))


def once(lab, end, pattern):
    with lab.check(f"{end.node.name}: one line in the log: {pattern}"):
        lines = lines_of(end, pattern)
        assert len(lines) == 1, lines


@case(workers=WORKERS, knows=["left", "both"], bars=True)
def wrong_public_key(lab, workers, knows):
    """left has another public key for right than right's. right only sees that the message is not for it."""
    left, right = pair(lab, knows=knows, start=False, Workers=workers)
    left.peers[0]["PublicKey"] = random_key(lab)
    with started(lab, left, right) as watch:
        wrong = re.escape(f"is for another public key than that of this interface, {right.public}")
        if knows == "left":
            watch.reason(left, left.peers[0]["PublicKey"], SILENT.format("192.0.2.2", PORT), "handshake_unanswered")
            watch.warning(right, f"a handshake from 192.0.2.1:{PORT} {wrong}", "drop_mac")
            once(lab, left, "no answer from")
            return
        watch.reason(right, left.public, f"handshakes from 192.0.2.1:{PORT} {wrong.replace('is', 'are', 1)}", "drop_mac")
        with traffic(right, "10.7.0.1"):  # right begins a handshake, too
            uses = re.escape(f"uses another public key than is set here: {right.public}")
            watch.reason(left, left.peers[0]["PublicKey"], f"the host at 192.0.2.2:{PORT} {uses}", "drop_unknown_key")


@case(workers=WORKERS, knows=["left", "both"], bars=True)
def unknown_to_the_other_end(lab, workers, knows):
    """right has no peer with the public key of left."""
    left, right = pair(lab, knows=knows, start=False, Workers=workers)
    right.peers[0]["PublicKey"] = random_key(lab)
    with started(lab, left, right) as watch:
        public = re.escape(left.public)
        if knows == "left":
            watch.warning(right, f"a handshake from 192.0.2.1:{PORT} is rejected: no peer has its public key {public}",
                          "drop_unknown_key")
        else:
            watch.reason(right, right.peers[0]["PublicKey"],
                         f"the host at 192.0.2.1:{PORT} uses another public key than is set here: {public}",
                         "drop_unknown_key")
        watch.reason(left, right.public, SILENT.format("192.0.2.2", PORT), "handshake_unanswered")


@case(workers=WORKERS, psk=["left", "right", "different", "of-another-peer"], bars=True)
def preshared_key(lab, workers, psk):
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    if psk in ("left", "different", "of-another-peer"):
        left.peers[0]["PresharedKey"] = key(lab.adit, "genpsk")
    if psk in ("right", "different"):
        right.peers[0]["PresharedKey"] = key(lab.adit, "genpsk")
    if psk == "of-another-peer":
        right.peers[0]["PresharedKey"] = key(lab.adit, "genpsk")
        right.peers.append({"PublicKey": random_key(lab), "AllowedIPs": "10.9.0.0/24",
                            "PresharedKey": left.peers[0]["PresharedKey"]})
    with started(lab, left, right) as watch:
        watch.reason(left, right.public, "its answer to our handshake cannot be decrypted: PresharedKey is not the "
                     "same at both ends", "drop_preshared_key")
        watch.reason(right, left.public, "our answers to its handshakes are not accepted: PresharedKey differs, or they "
                     f"do not reach 192.0.2.1:{PORT}", "handshake_unconfirmed")
        once(lab, left, "PresharedKey")
        once(lab, right, "PresharedKey")
        with lab.check("with the same preshared key, both ends are up and have no reason"):
            for end in left, right:
                end.peers[0]["PresharedKey"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
                end.reload()
            wait_for(lambda: not any([*state_of(left)[1].values(), reason_of(right, left.public)]), "no reason")
            left.node.ping("10.7.0.2")


@case(workers=WORKERS, bars=True)
def cipher(lab, workers):
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    right.peers[0]["Cipher"] = "aes256gcm"
    with started(lab, left, right) as watch:
        text = "the peer uses another Cipher than aes256gcm, which is set here; both ends must set the same"
        watch.reason(right, left.public, text, "drop_cipher")
        watch.reason(left, right.public, SILENT.format("192.0.2.2", PORT))
        with lab.check("right warns of the cipher"):
            assert any("uses another Cipher" in text for text in state_of(right)[0]), state_of(right)


@case(workers=WORKERS, owner=["nobody", "third"], bars=True)
def wrong_allowed_ips(lab, workers, owner):
    """right has another address for left in AllowedIPs than left uses."""
    left, right = pair(lab, start=False, Workers=workers)
    right.peers[0]["AllowedIPs"] = "10.7.0.9/32"
    belongs = ""
    if owner == "third":
        right.peers.append({"PublicKey": random_key(lab), "AllowedIPs": "10.7.0.1/32"})
        public = right.peers[1]["PublicKey"]
        belongs = re.escape(f", but belongs to peer {public[:4]}…{public[39:43]}")
    with started(lab, left, right) as watch:
        text = f"packets from 10.7.0.1 are dropped: the address is not in AllowedIPs of this peer{belongs}"
        watch.reason(right, left.public, text, "drop_source")
        once(lab, right, "packets from")
        with lab.check("left is up, and has no reason"):
            assert counters_of(left)["handshake_done"] > 0 and not reason_of(left, right.public), state_of(left)


@case(workers=WORKERS, bars=True)
def nested_allowed_ips(lab, workers):
    """A third peer has a more specific prefix in AllowedIPs than left, which contains the address of left."""
    left, right = pair(lab, start=False, Workers=workers)
    right.peers[0]["AllowedIPs"] = "10.7.0.0/24"
    right.peers.append({"PublicKey": random_key(lab), "AllowedIPs": "10.7.0.1/32"})
    with started(lab, left, right) as watch:
        watch.reason(right, left.public, "packets from 10.7.0.1 are dropped: the address is not in AllowedIPs of this "
                     "peer, but belongs to peer .*", "drop_source")
        with lab.check("without the third peer, there is no reason"):
            right.peers.pop()
            right.reload()
            assert not reason_of(right, left.public), state_of(right)
            left.node.ping("10.7.0.2")


@case(workers=WORKERS, bars=True)
def same_allowed_ips(lab, workers):
    """Two peers of right have the address of left in AllowedIPs. The last one gets it."""
    left, right = pair(lab, start=False, Workers=workers)
    right.peers.append({"PublicKey": random_key(lab), "AllowedIPs": right.peers[0]["AllowedIPs"]})
    with lab.check("the file warns of it"):
        done = right.node.run([lab.adit, "check", right.write()])
        assert "10.7.0.1/32 is also listed for the peer on line 7; only the last peer gets it" in done.stderr, done
    with started(lab, left, right) as watch:
        watch.reason(right, left.public, "packets from 10.7.0.1 are dropped: the address is not in AllowedIPs of this "
                     "peer, but belongs to peer .*", "drop_source")


@case(workers=WORKERS, bars=True)
def no_peer_for_a_destination(lab, workers):
    left, right = pair(lab, Workers=workers)
    watch = Watch(lab)
    with traffic(left, "10.7.0.77"):
        watch.warning(left, "packets to 10.7.0.77 are dropped: the address is not in AllowedIPs of any peer", "drop_no_peer")
        left.node.ping("10.7.0.2")
    once(lab, left, "packets to 10.7.0.77")
    with lab.check("multicast and link-local addresses are no mistake"):
        left.node.run("ping -n -q -c 3 -i 0.1 -W 1 -I tun-left ff02::1", check=False)
        wait_for(lambda: counters_of(left)["drop_no_peer"] > 3, "packets without a peer")
        assert not lines_of(left, "packets to (ff|fe80)"), left.daemon.log()


@case(workers=WORKERS, bars=True)
def routing_loop(lab, workers):
    """The endpoint of right is in its own AllowedIPs."""
    left, right = pair(lab, start=False, Workers=workers)
    left.peers[0]["AllowedIPs"] += ", 192.0.2.2/32"
    with started(lab, left, right) as watch:
        watch.reason(left, right.public, f"the route to its endpoint 192.0.2.2:{PORT} leads into this tunnel: the host "
                     "needs another route to it", "drop_loop")


@case(workers=WORKERS, where=["192.0.2.1", "127.0.0.1"], bars=True)
def own_endpoint(lab, workers, where):
    """left has an address of its own as the endpoint of right."""
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    left.peers[0]["Endpoint"] = f"{where}:{PORT}"
    with started(lab, left, right) as watch:
        watch.reason(left, right.public, f"its endpoint {where}:{PORT} is this host itself: our handshakes come back",
                     "drop_mac")
        once(lab, left, "this host itself")
        with lab.check("left does not warn of a handshake of its own"):
            assert not state_of(left)[0], state_of(left)


@case(workers=WORKERS, mistake=["wrong-key", "unknown", "no-peer", "cipher"])
def mended(lab, workers, mistake):
    """A warning ends when its cause is mended, at either end, and not only three minutes later."""
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    warned, wrong, setting, value = {
        "wrong-key": (right, left.peers[0], "PublicKey", random_key(lab)),
        "unknown": (right, right.peers[0], "PublicKey", random_key(lab)),
        "no-peer": (left, left.peers[0], "AllowedIPs", "10.7.0.3/32"),
        "cipher": (right, left.peers[0], "Cipher", "aes256gcm"),
    }[mistake]
    good = wrong.get(setting, "chacha20poly1305")
    wrong[setting] = value
    with started(lab, left, right):
        with lab.check(f"{warned.node.name} warns"):
            wait_for(lambda: state_of(warned)[0], "a warning")
        with lab.check("with the right setting, the warning ends"):
            wrong[setting] = good
            (left if wrong is left.peers[0] else right).reload()
            wait_for(lambda: not state_of(warned)[0], "no warning")
            left.node.ping("10.7.0.2")
            assert not state_of(warned)[0], state_of(warned)


@case(workers=WORKERS, bars=True)
def no_endpoint(lab, workers):
    left, right = pair(lab, knows="right", Workers=workers)
    watch = Watch(lab)
    with traffic(left, "10.7.0.2"):
        watch.reason(left, right.public, "no endpoint is set here, and the peer has not sent anything yet",
                     "drop_no_endpoint")
    with lab.check("after a packet of the peer there is no reason"):
        right.node.ping("10.7.0.1")
        assert not reason_of(left, right.public), state_of(left)


def refuse_by_firewall(left):
    table = "table ip mistakes { chain out { type filter hook output priority 0; udp dport 51820 drop; }; }"
    left.node.run(["nft", "-f", "-"], input=table)


@case(workers=WORKERS, why=["no-route", "no-ipv6", "firewall"], bars=True)
def cannot_send(lab, workers, why):
    left, right = pair(lab, start=False, Workers=workers)
    endpoint, text = {
        "no-route": ("203.0.113.1:51820", "this host has no route there"),
        "no-ipv6": ("[2001:db8::2]:51820", "this host has no IPv6 ?.*"),
        "firewall": ("192.0.2.2:51820", "a firewall of this host rejects it"),
    }[why]
    left.peers[0]["Endpoint"] = endpoint
    if why == "no-ipv6":
        left.node.set("net/ipv6/conf/wan/disable_ipv6", 1)
    if why == "firewall":
        refuse_by_firewall(left)
    with started(lab, left, right) as watch:
        watch.reason(left, right.public, f"cannot send to {re.escape(endpoint)}: {text}", "drop_send")
        once(lab, left, "cannot send to")


@case(workers=WORKERS, outside=[4, 6], why=["port", "host", "router"], bars=True)
def unreachable(lab, workers, outside, why):
    """
    ICMP errors: nothing listens on the port, no host has the address, or a router has no route (beyond right):

        left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2

    Another peer, third, is up, and its packets are not lost.
    """
    left, right = pair(lab, outside, start=False, Workers=workers)
    host = {4: {"port": "192.0.2.2", "host": "192.0.2.77", "router": "203.0.113.7"},
            6: {"port": "2001:db8::2", "host": "2001:db8::77", "router": "2001:db8:1::7"}}[outside][why]
    here, there = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}[outside]
    left.peers[0]["PublicKey"] = silent = random_key(lab)
    left.peers[0]["Endpoint"] = endpoint = host_port(host, 40000 if why == "port" else PORT)
    left.peers[0]["AllowedIPs"] = "10.9.0.1/32"
    left.add_peer(right, allowed=["10.7.0.2/32"], Endpoint=host_port(there))
    if why == "router":
        right.node.forward()
        left.node.run(f"ip -{outside} route add default via {there}")
    left.start()
    right.start()
    watch = Watch(lab)
    with traffic(left, "10.9.0.1"):
        left.node.ping("10.7.0.2", 10)
        text = {
            "port": f"{there} reports that nothing listens at {re.escape(endpoint)}: the port is wrong, or no tunnel runs there",
            "host": f"{here} reports that {re.escape(endpoint)} is unreachable: no host answers there, or a firewall rejects it",
            "router": f"{there} reports that {re.escape(endpoint)} is unreachable: no route leads there",
        }[why]
        watch.reason(left, silent, text, "unreachable_received")
        with lab.check("the state is unreachable"):
            wait_for(lambda: word_of(left, silent) == "unreachable", "the state unreachable")
        with lab.check("the other peer is up, has no reason, and loses nothing"):
            left.node.ping("10.7.0.2", 50, "-f")
            assert not reason_of(left, right.public), state_of(left)
            assert not counters_of(left).get("drop_send"), counters_of(left)


def shows_warning(left, text):
    left_show = left.node.run([left.node.lab.adit, "show", left.interface]).stdout
    return f"warning: {text}" in " ".join(left_show.split())


@case(workers=WORKERS)
def udp_gso_refused(lab, workers):
    """The wire has a smaller MTU than the tunnel expects, so the kernel refuses datagrams that it would have to fragment."""
    left, right = pair(lab, Workers=workers, MTU=1420)
    left.node.ping("10.7.0.2")
    with lab.check("no warning before"):
        assert not state_of(left)[0], state_of(left)
    for end in left, right:
        end.node.run("ip link set wan mtu 1300")
    monitor = follow(left)
    monitor.daemon.over = True
    with lab.check("all bytes arrive, show warns, and the event and the counter are there"):
        stream(left.node, right.node, "10.7.0.2", 4 << 20)
        wait_for(lambda: shows_warning(left, "a path or network driver refuses UDP GSO"), "the warning")
        assert counters_of(left).get("group_refused"), counters_of(left)
        monitor.wait("gso-refused")


# The file /run/seam has two numbers: seconds that are added to the clock, and whether the TUN refuses super-packets.
SEAM = """
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *seam;

__attribute__((constructor)) static void open_seam(void)
{
	void *page = mmap(NULL, 16, PROT_READ, MAP_SHARED, open("/run/seam", O_RDONLY | O_CLOEXEC), 0);
	seam = page == MAP_FAILED ? NULL : page;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = (int)syscall(SYS_clock_gettime, clock, time);
	if (seam && clock == CLOCK_REALTIME)
		time->tv_sec += seam[0];
	return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct stat about;
	if (seam && seam[1] && parts->iov_len >= 10 && ((const uint8_t *)parts->iov_base)[1] && !fstat(fd, &about) &&
		S_ISCHR(about.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_writev, fd, parts, count);
}
"""


def set_seam(seconds=0, refuses=False):
    with open("/run/seam", "r+b" if os.path.exists("/run/seam") else "wb") as file:
        file.write(struct.pack("qq", seconds, refuses))


def start_with_seam(end):
    """Starts the daemon with a library in front of the C library, because no namespace has a clock of its own."""
    with open("/run/seam.c", "w") as file:
        file.write(f"#define _GNU_SOURCE\n{SEAM}")
    if subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", "/run/seam.so", "/run/seam.c"],
                      capture_output=True).returncode:
        raise Skip("no C compiler")
    set_seam()
    os.environ |= {"LD_PRELOAD": "/run/seam.so", "ASAN_OPTIONS": "verify_asan_link_order=0"}
    try:
        end.start()
    finally:
        del os.environ["LD_PRELOAD"], os.environ["ASAN_OPTIONS"]


@case(workers=WORKERS)
def merging_refused(lab, workers):
    """The TUN of right refuses super-packets."""
    left, right = pair(lab, start=False, Workers=workers)
    left.start()
    start_with_seam(right)
    with lab.check("no warning before"):
        stream(left.node, right.node, "10.7.0.2", 1 << 20)
        assert not state_of(right)[0], state_of(right)
    set_seam(refuses=True)
    with lab.check("all bytes arrive, show warns, and the log and the counter have it"):
        stream(left.node, right.node, "10.7.0.2", 4 << 20)
        wait_for(lambda: shows_warning(right, "the TUN device refuses merged packets"), "the warning")
        assert counters_of(right).get("merge_refused"), counters_of(right)
        assert lines_of(right, "the TUN takes no merged TCP packets; writing them one by one for 1 min"), right.daemon.log()


@case()
def own_clock(lab):
    """The clock of left is set back, or was never set."""
    left, right = pair(lab, start=False)
    right.start()
    start_with_seam(left)
    left.node.ping("10.7.0.2")
    with lab.check("no warning before, and none for a clock that is set forward"):
        set_seam(3600)
        assert not state_of(left)[0], state_of(left)
    for seconds, text in ((-7300, "the clock was set back by 2 h 1 min; after a restart, peers reject handshakes for as long"),
                          (-int(time.time()) + 5, "the clock of this host is not set; peers reject handshakes that are older")):
        with lab.check(f"show warns: {text}"):
            set_seam(seconds)
            wait_for(lambda: shows_warning(left, text), "the warning")
    with lab.check("the warning ends when the clock is right again"):
        set_seam()
        assert not state_of(left)[0], state_of(left)


@case(bars=True)
def without_nft(lab):
    """The warnings of the network: a full tunnel without nft(8)."""
    left, right = pair(lab, start=False)
    left.peers[0]["AllowedIPs"] = "0.0.0.0/0"
    os.mkdir("/run/no-nft")
    for program in "ip", "ping", "nsenter":
        os.symlink(shutil.which(program), f"/run/no-nft/{program}")
    os.environ["PATH"] = "/run/no-nft"
    left.start()
    right.start()
    Watch(lab).warning(left, r"firewall: nft\(8\) is missing; .*; leaving it out")
    with lab.check("a reload without a full tunnel ends the warning"):
        left.peers[0]["AllowedIPs"] = "10.7.0.2/32"
        left.reload()
        assert not state_of(left)[0], state_of(left)


@case(workers=WORKERS, bars=True)
def own_public_key(lab, workers):
    """left has its own public key in [Peer]."""
    left, right = pair(lab, start=False, Workers=workers)
    left.peers[0]["PublicKey"] = left.public
    left.start()
    right.start()
    watch = Watch(lab)
    with traffic(right, "10.7.0.1"):
        with lab.check("left warns"):
            wait_for(lambda: any("the public key of this interface itself" in text for text in state_of(left)[0]),
                     "a warning")
        watch.warning(left, f"a handshake from 192.0.2.2:{PORT} is rejected: no peer has its public key "
                      + re.escape(right.public), "drop_unknown_key")
        watch.reason(right, left.public, SILENT.format("192.0.2.1", PORT))


@case(bars=True)
def no_private_key(lab):
    left, right = pair(lab, left=AditDevice, knows="both", start=False)
    left.start()
    right.start()
    left.set_key("")
    watch = Watch(lab)
    with traffic(left, "10.7.0.2"), traffic(right, "10.7.0.1"):
        watch.reason(left, right.public, "the interface has no private key", "drop_no_key")
        with lab.check("left warns"):
            assert "no private key is set, so no handshake is possible" in state_of(left)[0], state_of(left)


@case(workers=WORKERS, bars=True)
def shared_private_key(lab, workers):
    """
    Two hosts, left and other, have the same private key:

        left  192.0.2.1  ----  192.0.2.2  right  198.51.100.2  ----  198.51.100.1  other
    """
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    host = lab.node("other")
    lab.wire(right.node, "lan", ["198.51.100.2/24"], host, "lan", ["198.51.100.1/24"])
    other = Adit(host, "tun-other", left.addresses, Workers=workers)
    other.private, other.public = left.private, left.public
    other.add_peer(right, Endpoint=host_port("198.51.100.2"))
    for end in left, other:
        end.peers[0]["PersistentKeepalive"] = 1
    right.start()
    left.start()
    other.start()
    Watch(lab).reason(right, left.public, "its endpoint changes back and forth between .* and .*: two hosts may use the "
                      "same private key")


def later_initiation(end, other):
    """Returns an initiation of `end` to `other` with a timestamp of the year 2100."""
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors"))
    try:
        import handshake
    except ImportError as error:
        raise Skip(f"{error}: python3-cryptography is missing") from None
    static, public = base64.b64decode(end.private), base64.b64decode(other.public)
    message, _, _ = handshake.initiation(handshake.CHACHAPOLY, static, os.urandom(32), public, 1,
                                         handshake.TAI64N(4102444800 * 10**9))
    return handshake.macs(message, public)


@case(workers=WORKERS, bars=True)
def clock_set_back(lab, workers):
    """right has seen a handshake of left from the year 2100, so it takes those of today for replays."""
    left, right = pair(lab, knows="left", start=False, Workers=workers)
    right.start()
    with lab.check("right accepts a handshake of the year 2100"):
        with left.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(later_initiation(left, right), ("192.0.2.2", PORT))
            assert len(sender.recv(2048)) == 92, "not a response"
    left.start()
    watch = Watch(lab)
    with traffic(left, "10.7.0.2"):
        watch.reason(right, left.public, r"its handshakes are \d+ d \d+ h older than one before: its clock was set back, or "
                     "they are replays", "drop_stale")
        watch.reason(left, right.public, SILENT.format("192.0.2.2", PORT))


@case(mistake=["wrong-key", "unknown", "psk", "allowed-ips"], bars=True)
def with_wireguard_go(lab, mistake):
    """The same with wireguard-go at the left end, where the mistake is, or which right does not know."""
    left, right = pair(lab, left=WireguardGo, knows="left", start=False)
    other = random_key(lab)
    if mistake == "wrong-key":
        left.peers[0]["PublicKey"] = other
    elif mistake == "unknown":
        right.peers[0]["PublicKey"] = other
    elif mistake == "psk":
        left.peers[0]["PresharedKey"] = key(lab.adit, "genpsk")
    else:
        right.peers[0]["AllowedIPs"] = "10.7.0.9/32"
    with started(lab, left, right) as watch:
        if mistake == "wrong-key":
            watch.warning(right, f"a handshake from 192.0.2.1:{PORT} is for another public key than that of this "
                          f"interface, {re.escape(right.public)}", "drop_mac")
        elif mistake == "unknown":
            watch.warning(right, f"a handshake from 192.0.2.1:{PORT} is rejected: no peer has its public key "
                          + re.escape(left.public), "drop_unknown_key")
        elif mistake == "psk":
            watch.reason(right, left.public, "our answers to its handshakes are not accepted: .*", "handshake_unconfirmed")
        else:
            watch.reason(right, left.public, "packets from 10.7.0.1 are dropped: .*", "drop_source")


@case(mistake=["wrong-key", "unknown", "psk"], bars=True)
def to_wireguard_go(lab, mistake):
    """The same with wireguard-go at the right end: left begins the handshakes."""
    left, right = pair(lab, right=WireguardGo, knows="left", start=False)
    if mistake == "wrong-key":
        left.peers[0]["PublicKey"] = random_key(lab)
    elif mistake == "unknown":
        right.peers[0]["PublicKey"] = random_key(lab)
    else:
        right.peers[0]["PresharedKey"] = key(lab.adit, "genpsk")
    with started(lab, left, right) as watch:
        public = left.peers[0]["PublicKey"]
        if mistake == "psk":
            watch.reason(left, public, "its answer to our handshake cannot be decrypted: PresharedKey is not the "
                         "same at both ends", "drop_preshared_key")
        else:
            watch.reason(left, public, SILENT.format("192.0.2.2", PORT), "handshake_unanswered")
