#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A second implementation of the handshake, written from the WireGuard paper (section 5.4) without regard to speed. The
daemon's messages must be identical. All keys are fixed, so the output is reproducible.

    tests/vectors/handshake.py            writes handshake.h next to this file
    tests/vectors/handshake.py --check    exits with 1 if handshake.h is out of date

Needs Python 3.9 and the package `cryptography` (Debian: python3-cryptography).
"""

import hashlib
import hmac
import pathlib
import struct

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

import emit

IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
LABEL_MAC1 = b"mac1----"
LABEL_COOKIE = b"cookie--"

# A suite: its number in the daemon, its name in Noise, its AEAD and the byte order of the counter (Noise, section 12).
CHACHAPOLY = (0, b"ChaChaPoly", ChaCha20Poly1305, "<Q")
AES = (1, b"AESGCM", AESGCM, ">Q")


# Primitives, named as in the paper.


def HASH(data):
    return hashlib.blake2s(data).digest()


def MAC(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def HMAC(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def KDF(count, key, data):
    secret = HMAC(key, data)
    outputs = [HMAC(secret, b"\1")]
    while len(outputs) < count:
        outputs.append(HMAC(secret, outputs[-1] + bytes([len(outputs) + 1])))
    return outputs


def CONSTRUCTION(suite):
    return b"Noise_IKpsk2_25519_" + suite[1] + b"_BLAKE2s"


def AEAD(suite, key, counter, plain, additional):
    _, _, cipher, order = suite
    return cipher(key).encrypt(bytes(4) + struct.pack(order, counter), plain, additional)


def DH(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def PUBLIC(private):
    public = X25519PrivateKey.from_private_bytes(private).public_key()
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def TAI64N(realtime):
    """Returns the timestamp of `realtime` ns since 1970, rounded down to multiples of 2^24 ns within the second."""
    seconds, nanoseconds = divmod(realtime, 10**9)
    return struct.pack(">QI", 2**62 + 10 + seconds, nanoseconds // 2**24 * 2**24)


# XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), which `cryptography` does not have.


def quarter_round(s, a, b, c, d):
    for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) % 2**32
        s[z] ^= s[x]
        s[z] = (s[z] << bits | s[z] >> 32 - bits) % 2**32


def hchacha20(key, nonce):
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for i in range(4):
            quarter_round(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *s[:4], *s[12:])


def XAEAD(key, nonce, plain, additional):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, additional)


# The test vector of section 2.2.1 of the draft.
assert (
    hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex()
    == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
)


# Messages.


def macs(message, receiver_public, cookie=None):
    mac1 = MAC(HASH(LABEL_MAC1 + receiver_public), message)
    mac2 = MAC(cookie, message + mac1) if cookie else bytes(16)
    return message + mac1 + mac2


def initiation(suite, static, ephemeral, responder_public, index, timestamp):
    """Returns the message without its MACs, and the chaining key and hash after it."""
    c = HASH(CONSTRUCTION(suite))
    h = HASH(c + IDENTIFIER)
    h = HASH(h + responder_public)

    # e
    (c,) = KDF(1, c, PUBLIC(ephemeral))
    h = HASH(h + PUBLIC(ephemeral))

    # es
    c, k = KDF(2, c, DH(ephemeral, responder_public))

    # s
    sealed_static = AEAD(suite, k, 0, PUBLIC(static), h)
    h = HASH(h + sealed_static)

    # ss
    c, k = KDF(2, c, DH(static, responder_public))

    # {timestamp}
    sealed_timestamp = AEAD(suite, k, 0, timestamp, h)
    h = HASH(h + sealed_timestamp)
    return struct.pack("<II", 1, index) + PUBLIC(ephemeral) + sealed_static + sealed_timestamp, c, h


def response(suite, c, h, ephemeral, initiator_ephemeral, initiator_public, psk, index, initiator_index):
    """Returns the same as initiation() for the response."""
    # e
    (c,) = KDF(1, c, PUBLIC(ephemeral))
    h = HASH(h + PUBLIC(ephemeral))

    # ee
    (c,) = KDF(1, c, DH(ephemeral, initiator_ephemeral))

    # se
    (c,) = KDF(1, c, DH(ephemeral, initiator_public))

    # psk
    c, t, k = KDF(3, c, psk)
    h = HASH(h + t)

    # {}
    sealed_nothing = AEAD(suite, k, 0, b"", h)
    h = HASH(h + sealed_nothing)
    return struct.pack("<III", 2, index, initiator_index) + PUBLIC(ephemeral) + sealed_nothing, c, h


def data(suite, key, receiver, counter, packet):
    return struct.pack("<IIQ", 4, receiver, counter) + AEAD(suite, key, counter, packet, b"")


def fixed(name, length=32):
    """Returns bytes that look random but are reproducible."""
    return hashlib.shake_128(b"adit test vector: " + name.encode()).digest(length)


def case(name, suite, psk):
    initiator, responder = fixed(name + " initiator"), fixed(name + " responder")
    initiator_ephemeral, responder_ephemeral = fixed(name + " e of initiator"), fixed(name + " e of responder")
    initiator_index, responder_index = struct.unpack("<II", fixed(name + " indices", 8))
    realtime = 1_700_000_000_987_654_321
    packet = fixed(name + " packet", 96)

    first, c, h = initiation(
        suite, initiator, initiator_ephemeral, PUBLIC(responder), initiator_index, TAI64N(realtime)
    )
    second, c, h = response(
        suite,
        c,
        h,
        responder_ephemeral,
        PUBLIC(initiator_ephemeral),
        PUBLIC(initiator),
        psk,
        responder_index,
        initiator_index,
    )
    initiator_sends, responder_sends = KDF(2, c, b"")

    secret, source, nonce = fixed(name + " secret"), fixed(name + " source", 6), fixed(name + " nonce", 24)
    cookie = MAC(secret, source)
    mac1 = macs(first, PUBLIC(responder))[-32:-16]
    sealed_cookie = XAEAD(HASH(LABEL_COOKIE + PUBLIC(responder)), nonce, cookie, mac1)

    return {
        "suite": suite[0],
        "initiator_private": initiator,
        "initiator_public": PUBLIC(initiator),
        "initiator_ephemeral": initiator_ephemeral,
        "initiator_index": initiator_index,
        "responder_private": responder,
        "responder_public": PUBLIC(responder),
        "responder_ephemeral": responder_ephemeral,
        "responder_index": responder_index,
        "preshared_key": psk,
        "realtime": struct.pack("<Q", realtime),
        "initiation": macs(first, PUBLIC(responder)),
        "response": macs(second, PUBLIC(initiator)),
        "initiator_sends": initiator_sends,
        "responder_sends": responder_sends,
        "packet": packet,
        "keepalive_of_initiator": data(suite, initiator_sends, responder_index, 0, b""),
        "data_of_initiator": data(suite, initiator_sends, responder_index, 1, packet),
        "data_of_responder": data(suite, responder_sends, initiator_index, 0, packet),
        "secret": secret,
        "source": source,
        "nonce": nonce,
        "cookie_reply": struct.pack("<II", 3, initiator_index) + nonce + sealed_cookie,
        "initiation_with_cookie": macs(first, PUBLIC(responder), cookie),
    }


emit.write_or_check(
    pathlib.Path(__file__).with_name("handshake.h"),
    emit.header(
        "tests/vectors/handshake.py",
        "handshake_vector",
        [
            case("without psk", CHACHAPOLY, bytes(32)),
            case("with psk", CHACHAPOLY, fixed("psk")),
            case("AES without psk", AES, bytes(32)),
            case("AES with psk", AES, fixed("psk")),
        ],
    ),
)
