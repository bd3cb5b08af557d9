#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Vectors for the hash functions, made by Python's hashlib and hmac alone.

    tests/vectors/hash.py            writes hash.h beside this file
    tests/vectors/hash.py --check    exits 1 when hash.h is not what would be written
"""

import hashlib
import hmac
import pathlib

import emit

LENGTHS = [0, 1, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 148, 200]
LONGEST = 200


def pattern(start, length):
    return bytes((start + 7 * i) % 256 for i in range(LONGEST))[:length]


def hmac_blake2s(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def kdf(key, data):
    """Section 5.4 of the WireGuard paper: all three outputs."""
    secret = hmac_blake2s(key, data)
    outputs, last = [], b""
    for number in (1, 2, 3):
        last = hmac_blake2s(secret, last + bytes([number]))
        outputs.append(last)
    return outputs


def case(length):
    """All functions over `length` bytes of data; the keys go through their own lengths meanwhile."""
    mac_key = pattern(100, length % 33)
    hmac_key = pattern(200, LONGEST - length)
    data = pattern(3, length)
    key1, key2, key3 = kdf(pattern(50, 32), data)
    return {
        "length": length,
        "mac_key_length": len(mac_key),
        "hmac_key_length": len(hmac_key),
        "hash": hashlib.blake2s(data).digest(),
        "mac": hashlib.blake2s(data, key=mac_key, digest_size=16).digest(),
        "hmac": hmac_blake2s(hmac_key, data),
        "kdf1": key1,
        "kdf2": key2,
        "kdf3": key3,
    }


emit.write_or_check(
    pathlib.Path(__file__).with_name("hash.h"),
    emit.header("tests/vectors/hash.py", "hash_vector", [case(length) for length in LENGTHS]),
)
