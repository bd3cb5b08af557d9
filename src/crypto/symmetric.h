/* SPDX-License-Identifier: MIT */
/*
 * The symmetric half of the handshake: what Noise (revision 34, section 5.2) calls the SymmetricState, and its names
 * for the verbs. All that a cipher suite decides stands here: the name of the construction and the AEAD of the
 * handshake.
 */
#ifndef ADIT_CRYPTO_SYMMETRIC_H
#define ADIT_CRYPTO_SYMMETRIC_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/message.h"
#include "crypto/suite.h"

/* Secret; wiped by whoever holds it. */
struct symmetric {
	enum suite suite;
	uint8_t hash[NOISE_HASH];         /* of all that was said so far: H */
	uint8_t chaining_key[NOISE_HASH]; /* of all that was agreed so far: C */
	uint8_t key[NOISE_KEY];           /* of the next encrypted field */
};

/* The state before the first message: construction (it names the suite), identifier and the responder's public key. */
void symmetric_init(struct symmetric *symmetric, enum suite suite, const uint8_t responder_public[NOISE_KEY]);

void symmetric_mix_hash(struct symmetric *symmetric, const void *data, size_t length);

/* Mixes in a secret (or an ephemeral public key); a new key comes of it. */
void symmetric_mix_key(struct symmetric *symmetric, const uint8_t input[NOISE_KEY]);

/* Mixes a pre-shared key into both hash and keys. */
void symmetric_mix_key_and_hash(struct symmetric *symmetric, const uint8_t psk[NOISE_KEY]);

/* Writes `length` bytes and NOISE_TAG to `sealed`, and mixes these into the hash. Once a key: the nonce is 0. */
void symmetric_encrypt_and_hash(struct symmetric *symmetric, uint8_t *sealed, const uint8_t *plain, size_t length);

/* The reverse, to `length` bytes of `plain`. 0 or -EBADMSG. */
int symmetric_decrypt_and_hash(struct symmetric *symmetric, uint8_t *plain, const uint8_t *sealed, size_t length);

#endif
