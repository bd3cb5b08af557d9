#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Packets of every length, sealed by the AEADs of the package `cryptography`. The vector is a hash of all of them, because
two thousand packets are too large for a header.

    tests/vectors/aead.py            writes aead.h next to this file
    tests/vectors/aead.py --check    exits with 1 if aead.h is out of date
"""

import hashlib
import pathlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

import emit

LONGEST = 2048


def case(suite, cipher, order):
    """Returns the BLAKE2b hash of all sealed packets, in order of length. The counter depends on the length."""
    key = hashlib.shake_128(b"adit test vector: aead").digest(32)
    digest = hashlib.blake2b(digest_size=32)
    for length in range(LONGEST + 1):
        plain = bytes((length + 7 * i) % 256 for i in range(length))
        counter = length * 0x0007_0005_0003_0001
        digest.update(cipher(key).encrypt(bytes(4) + struct.pack(order, counter), plain, b""))
    return {"suite": suite, "longest": LONGEST, "key": key, "digest": digest.digest()}


emit.write_or_check(
    pathlib.Path(__file__).with_name("aead.h"),
    emit.header("tests/vectors/aead.py", "aead_vector", [case(0, ChaCha20Poly1305, "<Q"), case(1, AESGCM, ">Q")]),
)
