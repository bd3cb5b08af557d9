/* SPDX-License-Identifier: MIT */
/* The trial of a cipher: checks that its results are correct and measures its speed. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "aead_cipher.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
	FULL = 1420, /* a segment at the usual MTU */
	SMALL = 64,
	BUFFER = AEAD_HEADROOM + FULL + AEAD_TAILROOM,
	ALIGNMENT = 64,
	ROUNDS = 16, /* the fastest counts, so that interrupts do not matter */
};

#define COUNTER UINT64_C(0x8001020304050607)

static const uint8_t secret[AEAD_KEY] = "a key that is of use to nobody";

/* A prepared key and two packet buffers with headroom and tailroom. */
struct trial {
	uint8_t *key; /* key_size bytes, which depend on the version of the library */
	uint8_t sealed[BUFFER], opened[BUFFER];
};

/* Returns false if there is no memory. */
static bool trial_init(struct trial *trial, const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	memset(trial, 0, sizeof *trial);
	trial->key = aligned_alloc(ALIGNMENT, (cipher->key_size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
	if (!trial->key)
		return false;
	cipher->key_set(aead, trial->key, secret);
	return true;
}

static bool correct_at(struct trial *trial, const struct aead_provider *aead, const struct aead_cipher *cipher,
					   size_t length)
{
	uint8_t *sealed = trial->sealed + AEAD_HEADROOM, *opened = trial->opened + AEAD_HEADROOM;
	uint8_t plain[FULL], expected[FULL + AEAD_TAG], nonce[12] = { 0 };
	bool correct;

	for (size_t i = 0; i < length; i++)
		plain[i] = (uint8_t)(length + 7 * i);
	if (cipher->suite == SUITE_AES256GCM) {
		put_be64(nonce + 4, COUNTER);
		crypto_aead_aes256gcm_encrypt(expected, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	} else {
		put_le64(nonce + 4, COUNTER);
		crypto_aead_chacha20poly1305_ietf_encrypt(expected, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	}
	memcpy(sealed, plain, length);
	cipher->seal(aead, trial->key, COUNTER, sealed, length);
	correct = !memcmp(sealed, expected, length + AEAD_TAG) &&
			  !cipher->open(aead, trial->key, COUNTER, opened, sealed, length) && !memcmp(opened, plain, length);
	sealed[length + length % AEAD_TAG] ^= 1;
	return correct && cipher->open(aead, trial->key, COUNTER, opened, sealed, length) == -EBADMSG;
}

bool aead_trial_passed(const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	struct trial trial;
	bool passed = trial_init(&trial, aead, cipher);

	/* Every short length, then steps of an eighth: all partial blocks and all numbers of blocks computed at once. */
	for (size_t length = 0; length <= FULL && passed; length += 1 + length / 8)
		passed = correct_at(&trial, aead, cipher, length);
	free(trial.key);
	return passed;
}

uint64_t aead_trial_time(const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	uint64_t best = UINT64_MAX;
	struct trial trial;

	if (!trial_init(&trial, aead, cipher))
		return best;
	for (uint64_t counter = 0; counter < ROUNDS; counter++) {
		uint64_t begin = clock_boottime(), time;

		cipher->seal(aead, trial.key, counter, trial.sealed + AEAD_HEADROOM, FULL);
		cipher->seal(aead, trial.key, counter, trial.sealed + AEAD_HEADROOM, SMALL);
		time = clock_boottime() - begin;
		if (time < best)
			best = time;
	}
	free(trial.key);
	return best;
}
