# SPDX-License-Identifier: MIT
"""
`adit show` with real daemons: a peer in each state, in every format.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2

left has more peers: `mute`, a socket of right that never answers; `lost`, to which there is no route; and `nobody`, of
which no endpoint is known.
"""

import json
import os
import re
import signal
import socket
import xml.etree.ElementTree

from ends import Adit, WireguardGo, key, pair
from lab import Skip, case, wait_for

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
MUTE_PORT = 999
SVG = "{http://www.w3.org/2000/svg}"


def show(end, *arguments):
    return end.node.run([end.node.lab.adit, "show", end.interface, *arguments]).stdout


def peers_of(end, validator=None):
    """Returns the peers of the interface by name or key, from a document that has the schema."""
    document = json.loads(show(end, "--json"))
    if validator:
        validator.validate(document)
    return {peer["name"] or peer["public_key"]: peer for peer in document["interfaces"][0]["peers"]}


def schema_validator():
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is missing") from None
    with open(f"{TOP}/docs/show.schema.json") as file:
        return jsonschema.Draft202012Validator(json.load(file))


def add_stranger(end, name, number, **settings):
    public = key(end.node.lab.adit, "pubkey", key(end.node.lab.adit, "genkey"))
    end.peers.append({"PublicKey": public, "Name": name, "AllowedIPs": f"10.7.1.{number}/32", **settings})


@case(other=["adit", "wireguard-go"])
def states(lab, other):
    left, right = pair(lab, right={"adit": Adit, "wireguard-go": WireguardGo}[other], start=False)
    left.peers[0]["Name"] = "right"
    add_stranger(left, "mute", 1, Endpoint=f"192.0.2.2:{MUTE_PORT}", PersistentKeepalive=1)
    add_stranger(left, "lost", 2, Endpoint="203.0.113.9:9", PersistentKeepalive=1)
    add_stranger(left, "nobody", 3)
    with right.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("192.0.2.2", MUTE_PORT))
        left.start(), right.start()
        left.node.ping(right.inner(4))
        check_states(lab, left)
    check_formats(lab, left)
    with lab.check("the other end is shown, too, with what its daemon reports"):
        text = show(right)
        assert "latest handshake" in text and "\n    state             up" in text, text
        assert all(peer["allowed_ips"] for peer in peers_of(right).values())


@case()
def killed_daemon(lab):
    left, right = pair(lab, right=WireguardGo)
    right.stop(signal.SIGKILL)
    with lab.check("a daemon that was killed has a line, and the others are shown"):
        text = left.node.run([lab.adit, "show"]).stdout
        assert f'interface {right.interface}: the daemon has died; start it again, or clean up with "adit stop"\n' in text, text
        assert f"interface {left.interface}\n" in text, text
    with lab.check("the JSON has the schema and is false, like adit_up"):
        document = json.loads(left.node.run([lab.adit, "show", "--json"]).stdout)
        schema_validator().validate(document)
        assert {found["name"]: found["up"] for found in document["interfaces"]} == {left.interface: True, right.interface: False}
    with lab.check("adit stop removes the socket"):
        left.node.run([lab.adit, "stop", right.interface])
        assert right.interface not in left.node.run([lab.adit, "show"]).stdout


def check_states(lab, left):
    with lab.check("the JSON has the schema while the peers change their states"):
        validator, wanted = schema_validator(), {"right": "up", "mute": "silent", "lost": "unreachable",
                                                 "nobody": "no-endpoint"}
        wait_for(lambda: {name: peer["state"] for name, peer in peers_of(left, validator).items()} == wanted,
                 f"the states {wanted}")
    with lab.check("the text has each state, and the quality of the peer that is up"):
        text = show(left)
        about = {part.split("\n", 1)[0]: part for part in text.split("\n  peer ")[1:]}
        for name, words in ("right", "up for"), ("mute", "silent for"), ("lost", "unreachable"), ("nobody", "no endpoint"):
            assert re.search(rf"\n    state +{words}", about[name]), about[name]
        assert re.search(r"\n    quality +rtt [0-9.]+ [mu]?s \(min .*\), lost 0 % in\n", about["right"]), about["right"]
        assert "192.0.2.2:51820 (configured)" in about["right"] and "(2 up" not in text, text
        assert "  peers        4 (1 up, 1 silent, 1 no endpoint, 1 unreachable)\n" in text, text


def check_formats(lab, left):
    with lab.check("a table has a line for each peer"):
        lines = show(left, "--brief").splitlines()
        assert sorted(line.split()[0] for line in lines[-4:]) == ["lost", "mute", "nobody", "right"], lines
        assert lines[-4].startswith("right"), lines
    with lab.check("endpoint, handshake and transfer are those of wg show"):
        fields = {line.split("\t")[0]: line.split("\t") for line in
                  left.node.run(["wg", "show", left.interface, "dump"]).stdout.splitlines()[1:]}
        for peer in peers_of(left).values():
            _, _, endpoint, prefixes, handshake, received, sent, keepalive = fields[peer["public_key"]]
            assert (peer["endpoint"] or "(none)") == endpoint and ",".join(peer["allowed_ips"]) == prefixes, peer
            assert abs((peer["latest_handshake"] or 0) - int(handshake)) <= 1, f"{peer} {handshake}"
            assert str(peer["persistent_keepalive"] or "off") == keepalive, peer
            assert peer["transfer_rx"] >= int(received) and peer["transfer_tx"] >= int(sent), f"{peer} {received} {sent}"
    with lab.check("the counters have a meaning each"):
        lines = show(left, "--counters").splitlines()
        assert len(lines) > 40, lines
        for number, line in enumerate(lines[1:]):
            fields = line.split()
            if len(fields) <= 2:  # too long for the column, so the meaning is on the next line
                assert re.match(r" {20,}\w", lines[number + 2]), line
        number = dict(line.split()[:2] for line in lines[1:])
        assert int(number["handshake_done"]) >= 1 and int(number["sealed"]) >= 3, number
    with lab.check("the picture shows each peer and its state"):
        root = xml.etree.ElementTree.fromstring(show(left, "--svg"))
        nodes = [node.get("class") for node in root.iter(SVG + "circle")]
        assert sorted(nodes) == ["node down", "node down", "node none", "node up", "self"], nodes
        labels = [text.text for text in root.iter(SVG + "text")]
        assert {"right", "mute", "lost", "nobody", "unreachable", "silent", "no endpoint", "up"} <= set(labels), labels
