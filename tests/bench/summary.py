#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Copies the figures that users need from the tables of docs/notebook/measurements.md to docs/performance.md.
"""

import os
import re

import report

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
SOURCE = os.path.join(DOCS, "notebook", "measurements.md")
TARGET = os.path.join(DOCS, "performance.md")
TUNNELS = {"adit": "adit", "adit aes256gcm": "adit, `Cipher = aes256gcm`",
           "adit libsodium": "adit, `CryptoProvider = libsodium`", "wireguard-go": "wireguard-go", "nebula": "nebula",
           "veth": "no tunnel"}
FIGURES = {"TCP 1 flow Gbit/s": "TCP, Gbit/s", "TCP 1 flow CPU ns/B": "CPU, ns per byte",
           "UDP 1372 B kpps": "UDP 1372 B, kpps", "UDP 64 B kpps": "UDP 64 B, kpps",
           "UDP 64 B CPU us": "CPU, us per datagram", "ping p50 ms": "ping, ms", "peak MiB": "peak memory, MiB"}
SCALE = {"start, 1 peer, ms": "start with 1 peer, ms",
         "start, 10000 peers with 1 prefix, ms": "start with 10,000 peers of 1 prefix, ms",
         "start, 10000 peers with 10 prefixes, ms": "start with 10,000 peers of 10 prefixes, ms",
         "reload of one changed peer, 10000 peers, ms": "reload after a change of one of 10,000 peers, ms",
         "memory per configured peer, 1 prefix, bytes": "memory of a configured peer without a session, bytes",
         "memory per peer with one session, chacha20poly1305, bytes":
             "memory of a peer with a session, ChaCha20-Poly1305, bytes",
         "memory per peer with one session, aes256gcm, bytes": "memory of a peer with a session, AES-256-GCM, bytes"}


def section(document, name):
    return re.search(rf"<!-- bench {name} -->\n(.*?)<!-- end -->", document, re.DOTALL).group(1)


def rows(text):
    """The cells of each row of the first table in `text`, without the line below its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE).group().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for number, line in enumerate(lines) if number != 1]


def tunnels(document):
    head, *lines = rows(section(document, "tunnels"))
    cells = {line[0]: dict(zip(head[1:], line[1:])) for line in lines}
    machine = section(document, "tunnels").split("\n")[0]
    table = report.markdown([""] + list(FIGURES.values()),
                            [[text] + [cells[figure][name] for figure in FIGURES] for name, text in TUNNELS.items()])
    return f"{table}\n\n{machine}\n"


def scale(document):
    cells = {line[0]: line[1] for line in rows(section(document, "scale"))}
    return report.markdown(["", ""], [[text, cells[name]] for name, text in SCALE.items()]) + "\n"


def sections():
    with open(SOURCE) as file:
        measured = file.read()
    return {"summary": tunnels(measured), "scale": scale(measured)}


def agrees():
    """True when docs/performance.md shows what was measured."""
    with open(TARGET) as file:
        shown = file.read()
    return all(section(shown, name) == text for name, text in sections().items())


if __name__ == "__main__":
    for name, text in sections().items():
        report.replace_section(TARGET, name, text)
