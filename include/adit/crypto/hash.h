/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2s (RFC 7693), HMAC-BLAKE2s (RFC 2104) and the key derivation of the WireGuard paper, section 5.4. All functions
 * wipe their intermediate state, because any input may be secret.
 */
#ifndef ADIT_CRYPTO_HASH_H
#define ADIT_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
	HASH_BYTES = 32,
	HASH_MAC_BYTES = 16,
};

/* HASH(a || b). A part of length 0 may be NULL. `out` may overlap either part. */
void hash_blake2s(uint8_t out[HASH_BYTES], const void *a, size_t a_length, const void *b, size_t b_length);

/* MAC(key, data) of the paper: keyed BLAKE2s with 16 bytes of output. `key_length` is at most 32. */
void hash_mac(uint8_t out[HASH_MAC_BYTES], const void *key, size_t key_length, const void *data, size_t length);

/* HMAC(key, data), with a key of any length. `out` may be equal to `data`. */
void hash_hmac(uint8_t out[HASH_BYTES], const uint8_t *key, size_t key_length, const void *data, size_t length);

/*
 * KDF_1, KDF_2 or KDF_3 of the chaining key `key` and `input`. For KDF_1 pass NULL as out2 and out3, for KDF_2 as out3.
 * `out1` may be equal to `key`.
 */
void hash_kdf(uint8_t out1[HASH_BYTES], uint8_t *out2, uint8_t *out3, const uint8_t key[HASH_BYTES], const void *input,
			  size_t length);

#endif
