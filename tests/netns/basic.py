# SPDX-License-Identifier: MIT
"""
The basics: two hosts on one wire, an adit at each end, each started from its INI file.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import errno
import socket

from ends import pair
from lab import case
from traffic import MIB, NOISE, both_ways, datagrams, family_of, small_datagrams

MTU = 1420
HEADERS = {4: 20 + 8, 6: 40 + 8}  # IP with ICMP or UDP
IP_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
IP_MTU = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}
PMTUDISC_DO = 2  # send no fragments


@case(outside=[4, 6])
def tunnel(lab, outside):
    left, right = pair(lab, outside)
    with lab.check("adit show names the crypto provider, the TUN backend and the number of workers"):
        shown = left.node.json([lab.adit, "show", left.interface, "--json"])["interfaces"][0]
        assert shown["crypto_provider"] in ("libsodium", "ipsec-mb"), shown
        wanted = lab.settings.get("TunBackend")
        assert shown["tun_backend"] in ([wanted] if wanted else ["syscalls", "io_uring"]), shown
        assert shown["workers"] == int(lab.settings.get("Workers", shown["workers"])) > 0, shown
    for family in 4, 6:
        with lab.check(f"ping, v{family} inside"):
            left.node.ping(right.inner(family))
            right.node.ping(left.inner(family))
        with lab.check(f"64 MiB of TCP each way, v{family} inside"):
            both_ways(left.node, left.inner(family), right.node, right.inner(family), 64 * MIB)
        with lab.check(f"64-byte UDP, v{family} inside"):
            datagrams(left.node, left.inner(family), right.node, right.inner(family), small_datagrams())
            datagrams(right.node, right.inner(family), left.node, left.inner(family), small_datagrams())
        with lab.check(f"zero-length datagrams keep their place among others, v{family} inside"):
            payloads = [b"before", b"", b"after", NOISE[:1300], b"", b"", NOISE[:1300]]
            datagrams(left.node, left.inner(family), right.node, right.inner(family), payloads)
            datagrams(right.node, right.inner(family), left.node, left.inner(family), payloads)
        with lab.check(f"UDP of every size up to the MTU, v{family} inside"):
            payloads = [NOISE[size:2 * size] for size in range(1, MTU - HEADERS[family] + 1)]
            datagrams(left.node, left.inner(family), right.node, right.inner(family), payloads)


@case(outside=[4, 6])
def mtu(lab, outside):
    """The default is 1420, the value that wg-quick computes for a wire with MTU 1500."""
    left, right = pair(lab, outside)
    with lab.check("the interface has MTU 1420"):
        for end in left, right:
            found = end.node.json(f"ip -j link show {end.interface}")[0]["mtu"]
            assert found == MTU, f"{end.interface} has {found}"
    for family in 4, 6:
        full = MTU - HEADERS[family]
        with lab.check(f"a packet of the full MTU crosses and a larger one does not, v{family} inside"):
            left.node.ping(right.inner(family), options=f"-M do -s {full}")
            error, found = send_unfragmented(left.node, right.inner(family), full + 1)
            assert (error, found) == (errno.EMSGSIZE, MTU), f"{errno.errorcode.get(error)}, MTU {found}"
        with lab.check(f"packets that are fragmented before the tunnel arrive whole, v{family} inside"):
            left.node.ping(right.inner(family), options="-s 9000")
            datagrams(left.node, left.inner(family), right.node, right.inner(family), [NOISE[:60000]] * 20, burst=1)


def send_unfragmented(node, address, size):
    """Sends a UDP datagram that must not be fragmented. Returns the errno and the path MTU that the socket reports."""
    family = 6 if ":" in address else 4
    with node.socket(family_of(address), socket.SOCK_DGRAM) as sender:
        sender.setsockopt(*IP_MTU_DISCOVER[family], PMTUDISC_DO)
        sender.connect((address, 9))
        try:
            sender.send(NOISE[:size])
            error = 0
        except OSError as failure:
            error = failure.errno
        return error, sender.getsockopt(*IP_MTU[family])
