#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Vectors for the hash functions, computed with Python's hashlib and hmac only.

    tests/vectors/hash.py            writes hash.h next to this file
    tests/vectors/hash.py --check    exits with 1 if hash.h is out of date
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
    """Returns the three outputs of KDF_3 (WireGuard paper, section 5.4)."""
    secret = hmac_blake2s(key, data)
    outputs, last = [], b""
    for number in (1, 2, 3):
        last = hmac_blake2s(secret, last + bytes([number]))
        outputs.append(last)
    return outputs


def case(length):
    """Returns the results of all functions for `length` bytes of data. The lengths of the keys vary with it."""
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
