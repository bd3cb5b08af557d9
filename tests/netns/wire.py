# SPDX-License-Identifier: MIT
"""
What a WireGuard tunnel may put on the wire: four message types, each of its length (paper, section 5.4).
"""

import collections
import struct

NAMES = {1: "initiation", 2: "response", 3: "cookie reply", 4: "data"}
LENGTHS = {1: 148, 2: 92, 3: 64}
OVERHEAD = 32  # header and tag of a data message


def count_messages(datagrams, mtu):
    """How many datagrams there are of each type; an AssertionError names the first that is no message."""
    counts = collections.Counter()
    for payload in datagrams:
        length = len(payload)
        kind = struct.unpack_from("<I", payload)[0] if length >= 4 else None
        assert kind in NAMES, f"a datagram of {length} bytes that begins with {payload[:4].hex()}"
        if kind in LENGTHS:
            assert length == LENGTHS[kind], f"{NAMES[kind]} of {length} bytes, not {LENGTHS[kind]}"
        else:
            inner = length - OVERHEAD
            assert inner == mtu or (inner >= 0 and inner % 16 == 0), f"data message of {length} bytes, MTU {mtu}"
        counts[NAMES[kind]] += 1
    return counts
