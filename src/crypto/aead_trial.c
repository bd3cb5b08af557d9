/* SPDX-License-Identifier: MIT */
/* Ciphers on trial, before one is trusted with keys. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "aead_cipher.h"
#include "base/bytes.h"
#include "base/clock.h"

enum {
	FULL = 1420, /* a segment at the usual MTU */
	SMALL = 64,
	PLACE = AEAD_HEADROOM + FULL + AEAD_TAILROOM,
	ALIGNMENT = 64,
	ROUNDS = 16, /* of which the fastest counts: an interrupt or two do not matter */
};

#define COUNTER UINT64_C(0x8001020304050607)

static const uint8_t secret[AEAD_KEY] = "thirty-two bytes, of use to none";

/* A prepared key and two places for data, with what a cipher may touch around it. */
struct bench {
	uint8_t *key; /* of the size that the cipher states, which depends on the version of its library */
	uint8_t sealed[PLACE], opened[PLACE];
};

/* False without memory: the cipher cannot be tried. */
static bool set_up(struct bench *bench, const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	memset(bench, 0, sizeof *bench);
	bench->key = aligned_alloc(ALIGNMENT, (cipher->key_size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
	if (!bench->key)
		return false;
	cipher->key_set(aead, bench->key, secret);
	return true;
}

static void tear_down(struct bench *bench)
{
	free(bench->key);
}

static void fill(uint8_t *plain, size_t length)
{
	for (size_t i = 0; i < length; i++)
		plain[i] = (uint8_t)(length + 7 * i);
}

/* What must come out. */
static void seal_one_shot(enum suite suite, uint8_t *sealed, const uint8_t *plain, size_t length)
{
	uint8_t nonce[12] = { 0 };

	if (suite == SUITE_AES256GCM) {
		put_be64(nonce + 4, COUNTER);
		crypto_aead_aes256gcm_encrypt(sealed, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	} else {
		put_le64(nonce + 4, COUNTER);
		crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, length, NULL, 0, NULL, nonce, secret);
	}
}

static bool right_at(struct bench *bench, const struct aead_provider *aead, const struct aead_cipher *cipher,
					 size_t length)
{
	uint8_t *sealed = bench->sealed + AEAD_HEADROOM, *opened = bench->opened + AEAD_HEADROOM;
	uint8_t plain[FULL], expected[FULL + AEAD_TAG];
	bool right;

	fill(plain, length);
	seal_one_shot(cipher->suite, expected, plain, length);
	memcpy(sealed, plain, length);
	cipher->seal(aead, bench->key, COUNTER, sealed, length);
	right = !memcmp(sealed, expected, length + AEAD_TAG) &&
			!cipher->open(aead, bench->key, COUNTER, opened, sealed, length) && !memcmp(opened, plain, length);
	sealed[length + length % AEAD_TAG] ^= 1;
	return right && cipher->open(aead, bench->key, COUNTER, opened, sealed, length) == -EBADMSG;
}

bool aead_trial_passed(const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	struct bench bench;
	bool passed = set_up(&bench, aead, cipher);

	/* All of the shortest, then an eighth more each time: every tail, and every number of blocks done at once. */
	for (size_t length = 0; length <= FULL && passed; length += 1 + length / 8)
		passed = right_at(&bench, aead, cipher, length);
	tear_down(&bench);
	return passed;
}

static uint64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t aead_trial_time(const struct aead_provider *aead, const struct aead_cipher *cipher)
{
	uint64_t least = UINT64_MAX;
	struct bench bench;

	if (!set_up(&bench, aead, cipher))
		return least;
	for (uint64_t counter = 0; counter < ROUNDS; counter++) {
		uint64_t begin = monotonic(), time;

		cipher->seal(aead, bench.key, counter, bench.sealed + AEAD_HEADROOM, FULL);
		cipher->seal(aead, bench.key, counter, bench.sealed + AEAD_HEADROOM, SMALL);
		time = monotonic() - begin;
		if (time < least)
			least = time;
	}
	tear_down(&bench);
	return least;
}
