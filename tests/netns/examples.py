# SPDX-License-Identifier: MIT
"""
The example files of conf/. The tests replace only their keys, as users must, because the keys in the files are public.
The hosts have the addresses that the files contain.
"""

import os
import re

from ends import Adit, key
from lab import Skip, case, wait_for
from traffic import MIB, both_ways

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf")
KEY = re.compile(r"[A-Za-z0-9+/]{43}=")


class Example(Adit):
    """An end with a given file."""

    def __init__(self, node, interface, text):
        self.node = node
        self.interface = interface
        self.content = text

    def text(self, whole=True):
        return self.content

    def inner(self, family):
        found = re.search(r"^Address = (.*)$", self.content, re.MULTILINE)[1]
        return next(part.split("/")[0] for part in found.split(", ") if (":" in part) == (family == 6))


def read_with_new_keys(lab, folder, names):
    """Returns the files of a folder, with each key pair replaced by a new one."""
    texts = {}
    for name in names:
        with open(os.path.join(CONF, folder, f"{name}.conf")) as file:
            texts[name] = file.read()
    replaced = {}
    for text in texts.values():
        old = re.search(r"^PrivateKey = (.*)$", text, re.MULTILINE)[1]
        new = key(lab.adit, "genkey")
        replaced |= {old: new, key(lab.adit, "pubkey", old): key(lab.adit, "pubkey", new)}
    return {name: KEY.sub(lambda found: replaced[found[0]], text) for name, text in texts.items()}


def lay(lab, folder, addresses):
    """Creates hosts with these addresses around a router, the internet. Returns their ends, which are not started."""
    internet = lab.node("internet", forward=True)
    ends = {}
    for name, text in read_with_new_keys(lab, folder, addresses).items():
        node = lab.node(name, forward=True)
        gateway = addresses[name].rsplit(".", 1)[0] + ".254"
        lab.wire(node, "wan", [f"{addresses[name]}/24"], internet, name, [f"{gateway}/24"])
        node.run(f"ip route add default via {gateway}")
        ends[name] = Example(node, name, text)
    return ends


@case()
def site_to_site(lab):
    """
    here - left - internet - right - there
    192.168.10.2  192.168.10.1, 198.51.100.1    203.0.113.2, 192.168.20.1  192.168.20.2
    """
    ends = lay(lab, "site-to-site", {"left": "198.51.100.1", "right": "203.0.113.2"})
    here, there = lab.node("here"), lab.node("there")
    for end, host, lan in (ends["left"], here, "192.168.10"), (ends["right"], there, "192.168.20"):
        lab.wire(end.node, "lan", [f"{lan}.1/24"], host, "lan", [f"{lan}.2/24"])
        host.run(f"ip route add default via {lan}.1")
        end.start()
    with lab.check("the LANs behind the ends reach each other: TCP both ways"):
        both_ways(here, "192.168.10.2", there, "192.168.20.2", 16 * MIB)
    with lab.check("the ends reach each other through the tunnel: TCP both ways"):
        both_ways(ends["left"].node, ends["left"].v4, ends["right"].node, ends["right"].v4, 4 * MIB)


@case()
def mesh(lab):
    """
    a 198.51.100.11 - internet - b 203.0.113.12
                         |
                    c 10.0.0.2, behind a NAT: the others see an address of the internet, and another port
    """
    ends = lay(lab, "mesh", {"a": "198.51.100.11", "b": "203.0.113.12", "c": "10.0.0.2"})
    with lab.check("c is behind a NAT"):
        masquerade(lab.nodes["internet"], "c")
    for end in ends.values():
        end.start()
    for one, other in ("a", "b"), ("a", "c"), ("b", "c"):
        left, right = ends[one], ends[other]
        for family in 4, 6:
            with lab.check(f"{one} and {other}: TCP both ways, v{family} inside"):
                wait_for(lambda: reaches(left, right.inner(family)), f"an answer of {other}")
                both_ways(left.node, left.inner(family), right.node, right.inner(family), 4 * MIB)


def masquerade(node, interface):
    """Masquerades connections from an interface, and drops connections to it."""
    done = node.run(["nft", f"""
        table ip nat {{
            chain out {{
                type nat hook postrouting priority srcnat
                iifname {interface} masquerade random
            }}
            chain in {{
                type filter hook forward priority filter
                oifname {interface} ct state new drop
            }}
        }}"""], check=False)
    if done.returncode:
        raise Skip(f"nft cannot masquerade: {done.stderr.strip()}")


def reaches(end, address):
    return end.node.run(f"ping -n -q -c 1 -W 1 {address}", check=False).returncode == 0
