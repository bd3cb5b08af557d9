/* SPDX-License-Identifier: MIT */
/* The symmetric state of the handshake. */
#include "symmetric.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"

static const char *const constructions[] = {
	[SUITE_CHACHA20POLY1305] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
	[SUITE_AES256GCM] = "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
};
static_assert(sizeof constructions / sizeof *constructions == SUITES, "each suite has a construction");

static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

/* Each key encrypts one field only, so the nonce is always zero. */
static const uint8_t nonce_zero[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
static_assert(sizeof nonce_zero == crypto_aead_aes256gcm_NPUBBYTES, "all suites have the same nonce size");

void symmetric_init(struct symmetric *symmetric, enum suite suite, const uint8_t responder_public[NOISE_KEY])
{
	symmetric->suite = suite;
	hash_blake2s(symmetric->chaining_key, constructions[suite], strlen(constructions[suite]), NULL, 0);
	hash_blake2s(symmetric->hash, symmetric->chaining_key, NOISE_HASH, identifier, sizeof identifier - 1);
	symmetric_mix_hash(symmetric, responder_public, NOISE_KEY);
}

void symmetric_mix_hash(struct symmetric *symmetric, const void *data, size_t length)
{
	hash_blake2s(symmetric->hash, symmetric->hash, NOISE_HASH, data, length);
}

/*
 * The paper uses KDF_1 where no field is encrypted before the next mix. KDF_2 gives the same chaining key, and nobody
 * uses the other output then.
 */
void symmetric_mix_key(struct symmetric *symmetric, const uint8_t input[NOISE_KEY])
{
	hash_kdf(symmetric->chaining_key, symmetric->key, NULL, symmetric->chaining_key, input, NOISE_KEY);
}

void symmetric_mix_key_and_hash(struct symmetric *symmetric, const uint8_t psk[NOISE_KEY])
{
	uint8_t mixed[NOISE_HASH];

	hash_kdf(symmetric->chaining_key, mixed, symmetric->key, symmetric->chaining_key, psk, NOISE_KEY);
	symmetric_mix_hash(symmetric, mixed, sizeof mixed);
	sodium_memzero(mixed, sizeof mixed);
}

void symmetric_encrypt_and_hash(struct symmetric *symmetric, uint8_t *sealed, const uint8_t *plain, size_t length)
{
	if (symmetric->suite == SUITE_AES256GCM)
		crypto_aead_aes256gcm_encrypt(sealed, NULL, plain, length, symmetric->hash, NOISE_HASH, NULL, nonce_zero,
									  symmetric->key);
	else
		crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, length, symmetric->hash, NOISE_HASH, NULL,
												  nonce_zero, symmetric->key);
	symmetric_mix_hash(symmetric, sealed, length + NOISE_TAG);
}

int symmetric_decrypt_and_hash(struct symmetric *symmetric, uint8_t *plain, const uint8_t *sealed, size_t length)
{
	int forged;

	if (symmetric->suite == SUITE_AES256GCM)
		forged = crypto_aead_aes256gcm_decrypt(plain, NULL, NULL, sealed, length + NOISE_TAG, symmetric->hash,
											   NOISE_HASH, nonce_zero, symmetric->key);
	else
		forged = crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, length + NOISE_TAG,
														   symmetric->hash, NOISE_HASH, nonce_zero, symmetric->key);
	if (forged)
		return -EBADMSG;
	symmetric_mix_hash(symmetric, sealed, length + NOISE_TAG);
	return 0;
}
