# SPDX-License-Identifier: MIT
"""
Interoperability of adit with Debian's wireguard-go, which is configured with wg(8). kernel.py does the same with the
kernel's WireGuard.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    adit  10.7.0.1, fd07::1             wireguard-go  10.7.0.2, fd07::2
"""

from ends import WireguardGo, check_handshake, host_port, pair
from kernel import KernelWireguard
from lab import case
from traffic import MIB, both_ways, datagrams, small_datagrams, stream

REKEY_AFTER = 120  # seconds; paper, section 6.2


@case(outside=[4, 6], initiator=["left", "right"], psk=[False, True])
def handshake(lab, outside, initiator, psk):
    """The responder has no endpoint for its peer, so the handshake can only come from the initiator."""
    left, right = pair(lab, outside, right=WireguardGo, psk=psk, knows=initiator)
    check_handshake(lab, left, right, initiator)


@case(outside=[4, 6])
def traffic(lab, outside):
    left, right = pair(lab, outside, right=WireguardGo)
    for family in 4, 6:
        ends = left.node, left.inner(family), right.node, right.inner(family)
        back = ends[2:] + ends[:2]
        with lab.check(f"32 MiB of TCP each way, v{family} inside"):
            both_ways(*ends, 32 * MIB)
        with lab.check(f"64-byte UDP, v{family} inside"):
            datagrams(*ends, small_datagrams(500))
            datagrams(*back, small_datagrams(500))
        with lab.check(f"a zero-length UDP datagram, v{family} inside"):
            datagrams(*ends, [b"before", b"", b"after"], burst=1)  # in one burst, wireguard-go may move it to the end
            datagrams(*back, [b"before", b"", b"after"])


@case(slow=True, direction=["to-wireguard-go", "to-adit"])
def gibibyte(lab, direction):
    left, right = pair(lab, right=WireguardGo)
    source, target = (left, right) if direction == "to-wireguard-go" else (right, left)
    with lab.check("1 GiB of TCP with equal checksums"):
        stream(source.node, target.node, target.v4, 1024 * MIB)


@case(slow=True, waits=True, initiator=["left", "right"], other=["wireguard-go", "kernel"])
def rekey(lab, initiator, other):
    """After 120 s the initiator creates a new session. A ping every 0.5 s shows that nothing is lost meanwhile."""
    left, right = pair(lab, right=KernelWireguard if other == "kernel" else WireguardGo, knows=initiator)
    source, target = (left, right) if initiator == "left" else (right, left)
    source.node.ping(target.v4)
    first = int(right.about_peer("latest-handshakes"))
    count = 2 * (REKEY_AFTER + 15)
    with lab.check(f"no ping of {count} is lost across {REKEY_AFTER} s"):
        source.node.ping(target.v4, count=count, options="-i 0.5")
    with lab.check(f"there was a new handshake, after {REKEY_AFTER} s"):
        later = int(right.about_peer("latest-handshakes")) - first
        # On a busy machine wireguard-go can receive the response before it sets the timer for the repetition, and then
        # initiates again after 5 s.
        assert REKEY_AFTER - 2 <= later <= REKEY_AFTER + 15, f"the last handshake was {later} s after the first"


@case(outside=[4, 6])
def roaming_of_wireguard_go(lab, outside):
    """wireguard-go moves to another port, then to another address. adit follows the packets that it receives."""
    left, right = pair(lab, outside, right=WireguardGo, knows="right")
    right.node.ping(left.v4)
    with lab.check("adit follows to another port"):
        right.wg("set", "listen-port", "40000")
        right.node.ping(left.v4)
        left.node.ping(right.v4)
    with lab.check("adit follows to another address"):
        move(right.node, outside, 2, 12)
        right.wg("set", "listen-port", "40001")  # wireguard-go uses a deleted source address until it binds again
        right.node.ping(left.v4)
        left.node.ping(right.v4)


@case(outside=[4, 6])
def roaming_of_adit(lab, outside):
    """The host of adit changes its address. adit forgets its old source address, and wireguard-go follows."""
    left, right = pair(lab, outside, right=WireguardGo, knows="left")
    left.node.ping(right.v4)
    with lab.check("wireguard-go follows adit to another address"):
        move(left.node, outside, 1, 11)
        left.node.ping(right.v4)
        right.node.ping(left.v4)
        moved = {4: "192.0.2.11", 6: "2001:db8::11"}[outside]
        assert right.about_peer("endpoints").strip() == host_port(moved), right.about_peer("endpoints")


@case(outside=[4, 6])
def answers_from_the_destination_address(lab, outside):
    """adit answers from the address to which a datagram was sent, even if its routes select another one."""
    left, right = pair(lab, outside, right=WireguardGo, knows="right", start=False)
    left.node.add_address("wan", address_of(outside, 21), "preferred_lft 0")
    second = host_port(address_of(outside, 21).split("/")[0])
    right.peers[0]["Endpoint"] = second
    left.start(), right.start()
    with lab.check("ping, and the endpoint stays the second address"):
        right.node.ping(left.v4)
        assert right.about_peer("endpoints").strip() == second, right.about_peer("endpoints")


def address_of(family, number):
    return f"192.0.2.{number}/24" if family == 4 else f"2001:db8::{number}/64"


def move(node, family, old, new):
    """Replaces an address. Sockets that remember the old one as their source have to forget it."""
    node.set("net/ipv4/conf/all/promote_secondaries", 1)
    node.add_address("wan", address_of(family, new))
    node.run(f"ip address del {address_of(family, old)} dev wan")
