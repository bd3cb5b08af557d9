# SPDX-License-Identifier: MIT
"""
The datagrams that a WireGuard tunnel may send: four message types with their lengths (WireGuard paper, section 5.4).
"""

import collections
import struct

NAMES = {1: "initiation", 2: "response", 3: "cookie reply", 4: "data"}
LENGTHS = {1: 148, 2: 92, 3: 64}
OVERHEAD = 32  # header and tag of a data message


def count_messages(datagrams, mtu):
    """Counts the datagrams of each type. Raises an AssertionError if a datagram is not a message."""
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
