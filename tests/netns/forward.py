# SPDX-License-Identifier: MIT
"""
Forwarded traffic. The gateways run the tunnel, but they send and receive none of the packets inside it.

    near  ------------  west  ----------------  east  ------------  far
    10.1.0.2            10.1.0.1       10.2.0.1            10.2.0.2
    fd01::2             fd01::1         fd02::1             fd02::2
                        192.0.2.1     192.0.2.2
                        tun-west 10.7.0.1, fd07::1   tun-east 10.7.0.2, fd07::2

The wires have MTU 1500, the tunnel has 1420. The LAN interfaces of the gateways have no offloads. A packet socket in
near or far therefore sees the packets of a cable: the kernel of the gateway has segmented the packets that adit wrote
to the TUN, and has computed their checksums.
"""

import concurrent.futures
import socket

from ends import Adit, host_port
from lab import case
from packets import TCP, UDP, Capture, check_all
from traffic import MIB, NOISE, both_ways, datagrams, small_datagrams, spray, stream

WIRE = 1500
SO_NO_CHECK = 11
LAN = {"west": ("10.1.0.{}/24", "fd01::{}/64", "near"), "east": ("10.2.0.{}/24", "fd02::{}/64", "far")}
NEAR, FAR = {4: "10.1.0.2", 6: "fd01::2"}, {4: "10.2.0.2", 6: "fd02::2"}


def lay(lab, mtu=1420):
    """Creates the network and starts both ends. Returns near and far."""
    gateways = {name: lab.node(name, forward=True) for name in LAN}
    hosts = {}
    lab.wire(gateways["west"], "wan", ["192.0.2.1/24"], gateways["east"], "wan", ["192.0.2.2/24"])
    for name, (v4, v6, host) in LAN.items():
        hosts[name] = lab.node(host)
        lab.wire(gateways[name], "lan", [v4.format(1), v6.format(1)], hosts[name], "lan", [v4.format(2), v6.format(2)])
        gateways[name].offloads("lan", "off")
        for family, prefix in (4, v4), (6, v6):
            hosts[name].run(f"ip -{family} route add default via {prefix.format(1).split('/')[0]}")
    ends = [Adit(gateways[name], f"tun-{name}", [f"10.7.0.{number}/24", f"fd07::{number}/64"], MTU=mtu)
            for number, name in ((1, "west"), (2, "east"))]
    for end, other, number in (ends[0], ends[1], 2), (ends[1], ends[0], 1):
        lan = [prefix.format(0).replace("::0/", "::/") for prefix in LAN[other.node.name][:2]]
        end.add_peer(other, [f"10.7.0.{number}/32", f"fd07::{number}/128", *lan],
                     Endpoint=host_port(f"192.0.2.{number}"))
        end.start()
    return hosts["west"], hosts["east"]


def payload_packets(packets, protocol):
    return [packet for packet in packets if packet.protocol == protocol and not packet.fragment]


@case(family=[4, 6])
def tcp(lab, family):
    """The first full-sized packet exceeds the MTU of the tunnel. Path MTU discovery then reduces the segments."""
    near, far = lay(lab)
    for source, target, address in (near, far, FAR[family]), (far, near, NEAR[family]):
        with lab.check(f"32 MiB of TCP from {source.name}: every packet on the wire of {target.name} is correct"):
            capture = Capture(target, "lan", incoming=True)
            stream(source, target, address, 32 * MIB)
            packets = payload_packets(check_all(capture, WIRE), TCP)
            assert len(packets) > 20000, f"only {len(packets)} TCP packets were captured"
    with lab.check("64 MiB of TCP each way"):
        both_ways(near, NEAR[family], far, FAR[family], 64 * MIB)


@case(family=[4, 6])
def udp(lab, family):
    near, far = lay(lab)
    full = 1420 - (28 if family == 4 else 48)
    sets = {
        "64-byte": small_datagrams(4000),
        "full-sized": [NOISE[number:number + full] for number in range(4000)],
        "zero-length": [b"", b"x"] * 200,
        "fragmented": [NOISE[number:number + 5000] for number in range(200)],
    }
    for source, address in (near, FAR[family]), (far, NEAR[family]):
        source.run(f"ping -c 2 -W 1 -s 5000 {address}", check=False)  # lets the kernel learn the path MTU
    for title, payloads in sets.items():
        for ends in (near, NEAR, far, FAR), (far, FAR, near, NEAR):
            source, source_address, target, target_address = ends
            with lab.check(f"{title} UDP from {source.name}: every packet on the wire of {target.name} is correct"):
                capture = Capture(target, "lan", incoming=True)
                datagrams(source, source_address[family], target, target_address[family], payloads, burst=8)
                packets = check_all(capture, WIRE)
                seen = [packet for packet in packets if packet.protocol == UDP or packet.fragment]
                assert len(seen) >= len(payloads), f"only {len(seen)} of {len(payloads)} were captured"


@case(family=[4, 6])
def concurrent_flows(lab, family):
    """Packets of several flows alternate when adit reads the TUN and its socket."""
    near, far = lay(lab)
    there, back = (near, far, FAR[family]), (far, near, NEAR[family])
    with lab.check("two TCP flows, one in the other direction, and UDP: every packet on the wire of far is correct"):
        capture = Capture(far, "lan", incoming=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            flows = [pool.submit(stream, *there, 16 * MIB), pool.submit(stream, *there, 16 * MIB),
                     pool.submit(stream, *back, 16 * MIB),
                     pool.submit(spray, near, FAR[family], small_datagrams(20000))]
        for flow in flows:
            flow.result()
        packets = check_all(capture, WIRE)
        assert len(packets) > 25000, f"only {len(packets)} packets were captured"


@case()
def udp_without_checksum(lab):
    """Legal over IPv4 (RFC 768). A datagram that adit merged leaves with a checksum that the kernel computed; one that
    came alone keeps the 0. check_all verifies each checksum that is not 0."""
    near, far = lay(lab)
    with lab.check("UDP with checksum 0 arrives, with no checksum or a correct one"):
        capture = Capture(far, "lan", incoming=True)
        datagrams(near, NEAR[4], far, FAR[4], small_datagrams(), prepare=no_checksum)
        seen = payload_packets(check_all(capture, WIRE), UDP)
        assert len(seen) == 2000, f"{len(seen)} datagrams"


def no_checksum(sender):
    sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
