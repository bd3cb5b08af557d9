/* SPDX-License-Identifier: MIT */
/* AEAD providers: chooses a library for each suite. */
#include "crypto/aead.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "aead_cipher.h"

static const struct aead_cipher *const ciphers[] = {
	&aead_libsodium_chacha20poly1305,
	&aead_libsodium_aes256gcm,
#ifdef ADIT_IPSEC_MB
	&aead_ipsec_mb_chacha20poly1305,
	&aead_ipsec_mb_aes256gcm,
#endif
};

enum { CIPHERS = sizeof ciphers / sizeof *ciphers };

const struct aead_provider aead_libsodium = {
	.name = "libsodium",
	.cipher = {
		[SUITE_CHACHA20POLY1305] = &aead_libsodium_chacha20poly1305,
		[SUITE_AES256GCM] = &aead_libsodium_aes256gcm,
	},
};

static bool is_auto(const char *name)
{
	return !strcmp(name, "auto");
}

static bool is_ipsec_mb(const char *name)
{
	return !strcmp(name, "ipsec-mb");
}

/* Returns the null provider if `name` asks for it and this is a build for benchmarks. */
static const struct aead_provider *find_null(const char *name)
{
#ifdef ADIT_NULL_CIPHER
	if (!strcmp(name, aead_null.name))
		return &aead_null;
#endif
	return NULL;
}

bool aead_known(const char *name)
{
	return aead_built_in(name) || is_ipsec_mb(name);
}

bool aead_built_in(const char *name)
{
	bool found = is_auto(name) || find_null(name);

	for (size_t i = 0; i < CIPHERS; i++)
		found |= !strcmp(name, ciphers[i]->library);
	return found;
}

/*
 * For each suite, chooses the fastest of the working ciphers that `name` permits. Frees the memory of IPsec-MB if none
 * of them is from that library. Returns 0, or -ENOTSUP if an available suite has no cipher.
 */
static int choose_ciphers(struct aead_provider *aead, const char *name)
{
	bool uses_ipsec_mb = false;
	uint64_t best[SUITES];

	memset(best, 0xff, sizeof best);
	for (size_t i = 0; i < CIPHERS; i++) {
		const struct aead_cipher *cipher = ciphers[i];
		uint64_t time;

		if (!is_auto(name) && strcmp(name, cipher->library) != 0)
			continue;
		if (!suite_available(cipher->suite) || (is_ipsec_mb(cipher->library) && !aead->ipsec_mb))
			continue;
		if (!aead_trial_passed(aead, cipher))
			continue;
		time = aead_trial_time(aead, cipher);
		if (time < best[cipher->suite]) {
			best[cipher->suite] = time;
			aead->cipher[cipher->suite] = cipher;
		}
	}
	for (int suite = 0; suite < SUITES; suite++) {
		if (aead->cipher[suite])
			uses_ipsec_mb |= is_ipsec_mb(aead->cipher[suite]->library);
		else if (suite_available((enum suite)suite))
			return -ENOTSUP;
	}
	if (!aead->cipher[SUITE_CHACHA20POLY1305])
		return -ENOTSUP;
	aead->name = aead->cipher[SUITE_CHACHA20POLY1305]->library;
	if (!uses_ipsec_mb) {
		ipsec_mb_destroy(aead->ipsec_mb);
		aead->ipsec_mb = NULL;
	}
	return 0;
}

int aead_init(struct aead_provider *aead, const char *name)
{
	const struct aead_provider *null = find_null(name);
	int error = 0;

	if (null) {
		*aead = *null;
		return 0;
	}
	*aead = (struct aead_provider) { 0 };
	if (!aead_known(name))
		return -EINVAL;
	if (is_auto(name) || is_ipsec_mb(name))
		error = ipsec_mb_create(&aead->ipsec_mb);
	if (error && !is_auto(name))
		return error;
	error = choose_ciphers(aead, name);
	if (error)
		aead_destroy(aead);
	return error;
}

int aead_init_like(struct aead_provider *aead, const struct aead_provider *model)
{
	*aead = *model;
	aead->ipsec_mb = NULL;
	return model->ipsec_mb ? ipsec_mb_create(&aead->ipsec_mb) : 0;
}

void aead_destroy(struct aead_provider *aead)
{
	ipsec_mb_destroy(aead->ipsec_mb);
	*aead = (struct aead_provider) { 0 };
}
