/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2s (RFC 7693), HMAC-BLAKE2s (RFC 2104) and the key derivation of the WireGuard paper, section 5.4. What they
 * keep on the way is wiped: everything hashed may be secret.
 */
#ifndef ADIT_CRYPTO_HASH_H
#define ADIT_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
	HASH_BYTES = 32,
	HASH_MAC_BYTES = 16,
};

/* HASH(a || b); either part may be empty, and then NULL. `out` may be a part. */
void hash_blake2s(uint8_t out[HASH_BYTES], const void *a, size_t a_length, const void *b, size_t b_length);

/* Keyed BLAKE2s with 16 bytes of output: MAC of the paper. `key_length` is at most 32. */
void hash_mac(uint8_t out[HASH_MAC_BYTES], const void *key, size_t key_length, const void *data, size_t length);

/* HMAC(key, data); `key_length` is any. `out` may be `data`. */
void hash_hmac(uint8_t out[HASH_BYTES], const uint8_t *key, size_t key_length, const void *data, size_t length);

/*
 * KDF_1, KDF_2, KDF_3 of `key`, a chaining key, and `input`: outputs that are NULL are not wanted (only from the end).
 * `out1` may be `key`.
 */
void hash_kdf(uint8_t out1[HASH_BYTES], uint8_t *out2, uint8_t *out3, const uint8_t key[HASH_BYTES], const void *input,
			  size_t length);

#endif
