/* SPDX-License-Identifier: MIT */
/*
 * The symmetric state of the handshake: the SymmetricState of Noise (revision 34, section 5.2), with the same
 * operations. Everything that depends on the cipher suite is here: the name of the construction and the handshake's
 * AEAD.
 */
#ifndef ADIT_CRYPTO_SYMMETRIC_H
#define ADIT_CRYPTO_SYMMETRIC_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/message.h"
#include "crypto/suite.h"

/* Secret; the caller wipes it. */
struct symmetric {
	enum suite suite;
	uint8_t hash[NOISE_HASH];         /* of the transcript: H in the paper */
	uint8_t chaining_key[NOISE_HASH]; /* C in the paper */
	uint8_t key[NOISE_KEY];           /* encrypts the next field */
};

/* Initializes the state with the construction, which names the suite, the identifier and the responder's public key. */
void symmetric_init(struct symmetric *symmetric, enum suite suite, const uint8_t responder_public[NOISE_KEY]);

/* Mixes data into the hash. */
void symmetric_mix_hash(struct symmetric *symmetric, const void *data, size_t length);

/* Mixes a secret or an ephemeral public key into the chaining key, and derives a new key. */
void symmetric_mix_key(struct symmetric *symmetric, const uint8_t input[NOISE_KEY]);

/* Mixes a pre-shared key into the hash and the chaining key, and derives a new key. */
void symmetric_mix_key_and_hash(struct symmetric *symmetric, const uint8_t psk[NOISE_KEY]);

/*
 * Encrypts `length` bytes, writes length + NOISE_TAG bytes to `sealed`, and mixes these into the hash. Call it at most
 * once per key, because the nonce is always 0.
 */
void symmetric_encrypt_and_hash(struct symmetric *symmetric, uint8_t *sealed, const uint8_t *plain, size_t length);

/* Decrypts length + NOISE_TAG bytes to `plain` and mixes the ciphertext into the hash. Returns 0 or -EBADMSG. */
int symmetric_decrypt_and_hash(struct symmetric *symmetric, uint8_t *plain, const uint8_t *sealed, size_t length);

#endif
