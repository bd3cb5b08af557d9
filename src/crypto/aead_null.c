/* SPDX-License-Identifier: MIT */
/*
 * The null cipher: encrypts and authenticates nothing, to measure the cost of a tunnel without its cipher. Only builds
 * for benchmarks (ADIT_NULL_CIPHER) contain it. The handshake is unchanged.
 */
#include "aead_cipher.h"

#ifdef ADIT_NULL_CIPHER

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static void null_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	memset(key, 0, AEAD_KEY);
}

static void null_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	memset(data + length, 0, AEAD_TAG);
}

static int null_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
					 const uint8_t *in, size_t length)
{
	if (get_le64(in + length) | get_le64(in + length + 8))
		return -EBADMSG;
	if (out != in)
		memcpy(out, in, length);
	return 0;
}

static const struct aead_cipher null_cipher[SUITES] = {
	[SUITE_CHACHA20POLY1305] = { "null", SUITE_CHACHA20POLY1305, AEAD_KEY, null_key_set, null_seal, null_open, true },
	[SUITE_AES256GCM] = { "null", SUITE_AES256GCM, AEAD_KEY, null_key_set, null_seal, null_open, true },
};

const struct aead_provider aead_null = {
	.name = "null",
	.cipher = {
		[SUITE_CHACHA20POLY1305] = &null_cipher[SUITE_CHACHA20POLY1305],
		[SUITE_AES256GCM] = &null_cipher[SUITE_AES256GCM],
	},
};

#endif
