# SPDX-License-Identifier: MIT
"""
`adit metrics`: the text is read by Prometheus's own parsers, and its values are those of wg(8) and of the log.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import base64
import os
import signal
import socket
import subprocess
import time

from ends import AditDevice, WireguardGo, counters_of, pair
from fake_daemon import FakeDaemon
from lab import Skip, case, wait_for
from traffic import MIB, both_ways

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
ACCEPT = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n"
PEERS = 10000


def parse(text, openmetrics=True):
    """Returns the samples by name and labels, and the families by name. Raises ValueError for invalid text."""
    try:
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as openmetrics_parser
    except ImportError:
        raise Skip("python3-prometheus-client is missing") from None
    used = openmetrics_parser if openmetrics else parser
    families = list(used.text_string_to_metric_families(text))
    samples = {}
    for family in families:
        for sample in family.samples:
            place = (sample.name, frozenset(sample.labels.items()))
            assert place not in samples, f"{place} occurs twice"
            samples[place] = sample.value
    names = [family.name for family in families]
    assert len(set(names)) == len(names), f"a family occurs twice: {names}"
    return samples, {family.name: family for family in families}


def metrics(end, *arguments):
    return end.node.run([end.node.lab.adit, "metrics", *arguments]).stdout


def value(samples, name, /, **labels):
    return samples[name, frozenset(labels.items())]


def dump(end):
    """What `wg show dump` prints: the fields of the interface, and those of its peers by public key."""
    lines = [line.split("\t") for line in end.node.run(["wg", "show", end.interface, "dump"]).stdout.splitlines()]
    return lines[0], {fields[0]: fields for fields in lines[1:]}


def steady(end, *arguments):
    """Returns metrics and the dump of wg(8) of a moment at which no value changed."""
    def both():
        before = dump(end)
        text = metrics(end, *arguments)
        return (text, before) if dump(end) == before else None
    return wait_for(both, "values that do not change")


def ask(end, request, *arguments, pause=None, close=False):
    """Sends bytes to `adit metrics --http`. Returns the head and the body of the answer, and the exit code."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(20)
        process = subprocess.Popen(end.node.words([end.node.lab.adit, "metrics", "--http", *arguments]), stdin=theirs,
                                   stdout=theirs)
        theirs.close()
        if pause is None:
            ours.sendall(request)
        else:
            for byte in request:
                ours.sendall(bytes([byte]))
                time.sleep(pause)
        if close:
            ours.shutdown(socket.SHUT_WR)
        answer = b""
        while more := ours.recv(65536):
            answer += more
        ours.close()
        head, _, body = answer.decode().partition("\r\n\r\n")
        return head, body, process.wait(60)


def fields_of(head):
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:])


def compare_peers(end, samples, peers):
    for public, (_, _, peer_endpoint, _, handshake, received, sent, _) in peers.items():
        labels = {"interface": end.interface, "public_key": public}
        if public == end.peers[0]["PublicKey"]:
            labels["name"] = end.peers[0]["Name"]
        found = [value(samples, "adit_peer_receive_bytes_total", **labels),
                 value(samples, "adit_peer_transmit_bytes_total", **labels),
                 value(samples, "adit_peer_latest_handshake_timestamp_seconds", **labels)]
        assert found == [int(received), int(sent), int(handshake)], f"{found}, but wg(8) has {peers[public]}"
        found = [dict(labels) for name, labels in samples if name == "adit_peer_info" and ("public_key", public) in labels]
        assert len(found) == 1 and found[0].get("endpoint", "(none)") == peer_endpoint, found
        assert ("endpoint_origin" in found[0]) == (peer_endpoint != "(none)"), found


@case()
def exposition(lab):
    left, right = pair(lab, start=False)
    left.peers[0]["Name"] = 'J\u00fcrgen "J" \\ x'
    left.peers.append({"PublicKey": base64.b64encode(os.urandom(32)).decode(), "AllowedIPs": "10.9.0.1/32"})
    with lab.check("without a tunnel there is a valid text"):
        samples, families = parse(metrics(left))
        assert list(families) == ["adit_build"], list(families)
    left.start()
    right.start()
    both_ways(left.node, left.v4, right.node, right.v4, 4 * MIB)
    left.node.run("ping -n -q -c 3 -i 0.2 -W 1 10.7.0.99", check=False)  # no peer has this address
    text, (interface, peers) = steady(left)
    samples, families = parse(text)
    labels = {"interface": left.interface}
    with lab.check("peers have the values of wg show"):
        assert len(peers) == 2 and int(peers[right.public][5]) > 4 * MIB, peers
        compare_peers(left, samples, peers)
    with lab.check("interfaces have the values of wg show and of the kernel"):
        for end in left, right:
            assert value(samples, "adit_up", interface=end.interface) == 1
        assert value(samples, "adit_interface_listen_port", **labels) == int(interface[2])
        assert value(samples, "adit_interface_peers", **labels) == 2
        assert value(samples, "adit_interface_receive_bytes_total", **labels) > 4 * MIB
        assert value(samples, "adit_interface_transmit_bytes_total", **labels) > 4 * MIB
    with lab.check("counters are those of the log, and every cause of a drop is there"):
        logged = counters_of(left)
        samples, _ = parse(metrics(left))
        assert value(samples, "adit_dropped_packets_total", cause="no_peer", **labels) == logged["drop_no_peer"] >= 3
        assert value(samples, "adit_sealed_datagrams_total", **labels) == logged["sealed"] > 0
        assert value(samples, "adit_handshakes_total", outcome="completed", **labels) == logged["handshake_done"] > 0
        causes = {dict(labels)["cause"] for name, labels in samples if name == "adit_dropped_packets_total"}
        assert {"replay", "forged", "tun_write", "refused_no_size", "refused_too_long", "too_long"} <= causes, causes
    with lab.check("units and types are declared"):
        assert families["adit_peer_receive_bytes"].unit == "bytes"
        assert families["adit_peer_latest_handshake_timestamp_seconds"].unit == "seconds"
        assert families["adit_peer_transmit_bytes"].type == "counter"
    with lab.check("--peers=off leaves the peers out, and names select interfaces"):
        samples, families = parse(metrics(left, "--peers=off", right.interface))
        assert not [name for name in families if name.startswith("adit_peer")], list(families)
        assert {dict(labels).get("interface") for _, labels in samples} == {None, right.interface}
    with lab.check("no private or preshared key is printed"):
        assert left.private not in text and right.private not in text


@case()
def http(lab):
    left, _ = pair(lab)
    for accept, kind in (ACCEPT, OPENMETRICS), ("", PLAIN), ("Accept: */*\r\n", PLAIN):
        with lab.check(f"GET /metrics: {kind}, for {accept.strip() or 'no Accept field'}"):
            head, body, code = ask(left, f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n".encode())
            assert head.startswith("HTTP/1.1 200 OK\r\n") and code == 0, head
            assert fields_of(head) == {"Content-Type": kind, "Content-Length": str(len(body.encode())),
                                       "Connection": "close"}, head
            samples, _ = parse(body, kind == OPENMETRICS)
            assert value(samples, "adit_up", interface=left.interface) == 1
    with lab.check("HEAD has the header alone"):
        head, body, code = ask(left, b"HEAD /metrics HTTP/1.1\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 OK\r\n") and not body and code == 0, head
        assert int(fields_of(head)["Content-Length"]) > 1000, head
    for title, status, request in (
            ("the root says where the metrics are", 200, b"GET / HTTP/1.0\r\n\r\n"),
            ("an unknown path", 404, b"GET /metric HTTP/1.1\r\n\r\n"),
            ("a method other than GET and HEAD", 405, b"POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"),
            ("garbage", 400, os.urandom(2000).replace(b"\n", b"") + b"\n\n"),
            ("a head of 9000 bytes", 431, b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n")):
        with lab.check(f"{title}: {status}"):
            head, body, code = ask(left, request)
            assert head.startswith(f"HTTP/1.1 {status} ") and body == "adit answers GET /metrics\n" and code == 0, head
    with lab.check("a slow client: 408 after 5 s"):
        begin = time.monotonic()
        head, _, code = ask(left, b"GET /metrics HTTP/1.1\r\n", pause=0.1)
        assert head.startswith("HTTP/1.1 408 ") and code == 0, head
        assert time.monotonic() - begin >= 4.9
    with lab.check("a client that sends nothing gets nothing"):
        assert ask(left, b"", close=True) == ("", "", 0)


@case(bars=True)
def hung_daemon(lab):
    left, right = pair(lab)
    with lab.check("a daemon that hangs is down, and the other is shown"):
        with right.daemon.held():
            begin = time.monotonic()
            samples, _ = parse(metrics(left))
            took = time.monotonic() - begin
        assert value(samples, "adit_up", interface=right.interface) == 0
        assert value(samples, "adit_up", interface=left.interface) == 1
        assert value(samples, "adit_interface_peers", interface=left.interface) == 1
    lab.bar("the answer takes at most 3 s", took, 3)
    with lab.check("a daemon that was killed is down"):
        right.stop(signal.SIGKILL)
        samples, _ = parse(metrics(left))
        assert value(samples, "adit_up", interface=right.interface) == 0
        assert value(samples, "adit_up", interface=left.interface) == 1


@case()
def other_implementation(lab):
    _, right = pair(lab, left=AditDevice, right=WireguardGo)
    with lab.check("wireguard-go has peers and no counters"):
        samples, _ = parse(metrics(right, right.interface))
        assert value(samples, "adit_up", interface=right.interface) == 1
        assert value(samples, "adit_interface_peers", interface=right.interface) == 1
        assert [word for name, word in samples if name == "adit_peer_up"], samples
        assert not [name for name, _ in samples if name == "adit_dropped_packets_total"]


def best_of_five(lab, *arguments):
    """Returns the shortest time in seconds, and the text."""
    best = None
    for _ in range(5):
        begin = time.monotonic()
        text = subprocess.run([lab.adit, "metrics", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout
        best = min(time.monotonic() - begin, best or 60)
    return best, text


@case(bars=True)
def many_peers(lab):
    left, _ = pair(lab, start=False, Table="off")
    left.peers += [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Name": f"peer {i}",
                    "AllowedIPs": f"10.{64 + i // 65536}.{i // 256 % 256}.{i % 256}/32"} for i in range(PEERS)]
    left.start()
    took, text = best_of_five(lab)
    with lab.check("10,000 peers are there"):
        samples, _ = parse(text)
        assert sum(name == "adit_peer_info" for name, _ in samples) == PEERS + 1
        assert value(samples, "adit_interface_peers", interface=left.interface) == PEERS + 1
    lab.bar("10,000 peers take at most 0.1 s", took, 0.1)
    lab.bar("10,000 peers with --peers=off take at most 0.1 s", best_of_five(lab, "--peers=off")[0], 0.1)


@case(bars=True)
def many_active_peers(lab):
    """Peers that have all values that adit knows. Reading and writing them is measured without their daemon."""
    FakeDaemon("fake", PEERS, frozen=True)
    took, text = best_of_five(lab, "fake")
    with lab.check("10,000 peers with state and quality are there"):
        samples, _ = parse(text)
        for name in "adit_peer_info", "adit_peer_state", "adit_peer_rtt_seconds", "adit_peer_receive_lost_datagrams_total":
            assert sum(found == name for found, _ in samples) == PEERS, name
    lab.bar("10,000 peers with state and quality take at most 0.1 s", took, 0.1)
    lab.bar("10,000 such peers with --peers=off take at most 0.1 s", best_of_five(lab, "--peers=off", "fake")[0], 0.1)
