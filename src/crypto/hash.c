/* SPDX-License-Identifier: MIT */
/* BLAKE2s, HMAC and KDF on top of libb2. */
#include "crypto/hash.h"

#include <blake2.h>
#include <sodium.h>
#include <string.h>

enum { BLOCK = 64 }; /* the block size of BLAKE2s, to which HMAC pads its key */

void hash_blake2s(uint8_t out[HASH_BYTES], const void *a, size_t a_length, const void *b, size_t b_length)
{
	blake2s_state state;

	blake2s_init(&state, HASH_BYTES);
	blake2s_update(&state, a, a_length);
	blake2s_update(&state, b, b_length);
	blake2s_final(&state, out, HASH_BYTES);
	sodium_memzero(&state, sizeof state);
}

void hash_mac(uint8_t out[HASH_MAC_BYTES], const void *key, size_t key_length, const void *data, size_t length)
{
	blake2s_state state;

	if (key_length)
		blake2s_init_key(&state, HASH_MAC_BYTES, key, key_length);
	else /* libb2 rejects an empty key; MAC with an empty key is the unkeyed hash */
		blake2s_init(&state, HASH_MAC_BYTES);
	blake2s_update(&state, data, length);
	blake2s_final(&state, out, HASH_MAC_BYTES);
	sodium_memzero(&state, sizeof state);
}

void hash_hmac(uint8_t out[HASH_BYTES], const uint8_t *key, size_t key_length, const void *data, size_t length)
{
	uint8_t inner[BLOCK] = { 0 }, outer[BLOCK], digest[HASH_BYTES];

	if (key_length > BLOCK)
		hash_blake2s(inner, key, key_length, NULL, 0);
	else if (key_length)
		memcpy(inner, key, key_length);
	for (size_t i = 0; i < BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	hash_blake2s(digest, inner, BLOCK, data, length);
	hash_blake2s(out, outer, BLOCK, digest, HASH_BYTES);
	sodium_memzero(inner, sizeof inner);
	sodium_memzero(outer, sizeof outer);
	sodium_memzero(digest, sizeof digest);
}

void hash_kdf(uint8_t out1[HASH_BYTES], uint8_t *out2, uint8_t *out3, const uint8_t key[HASH_BYTES], const void *input,
			  size_t length)
{
	uint8_t *const outs[] = { out1, out2, out3 };
	uint8_t secret[HASH_BYTES], block[HASH_BYTES + 1]; /* block: the previous output and the number of the next */

	hash_hmac(secret, key, HASH_BYTES, input, length);
	for (uint8_t i = 0; i < 3 && outs[i]; i++) {
		size_t previous = i ? HASH_BYTES : 0; /* the first output has none */

		block[HASH_BYTES] = i + 1;
		hash_hmac(block, secret, HASH_BYTES, block + HASH_BYTES - previous, previous + 1);
		memcpy(outs[i], block, HASH_BYTES);
	}
	sodium_memzero(secret, sizeof secret);
	sodium_memzero(block, sizeof block);
}
