#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
What packets of every length are sealed to, by the AEADs of the package `cryptography`. So that two thousand packets
need no room here, they are hashed together.

    tests/vectors/aead.py            writes aead.h beside this file
    tests/vectors/aead.py --check    exits 1 when aead.h is not what would be written
"""

import hashlib
import pathlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

import emit

LONGEST = 2048


def case(suite, cipher, order):
    """BLAKE2b of all sealed packets, one behind the other; a packet's counter grows with its length."""
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
