/* SPDX-License-Identifier: MIT */
/* Cipher suites: names and availability. */
#include "crypto/suite.h"

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	[SUITE_CHACHA20POLY1305] = "chacha20poly1305",
	[SUITE_AES256GCM] = "aes256gcm",
};
static_assert(sizeof names / sizeof *names == SUITES, "each suite has a name");

const char *suite_name(enum suite suite)
{
	return names[suite];
}

bool suite_find(enum suite *suite, const char *name)
{
	for (size_t i = 0; i < SUITES; i++) {
		if (!strcmp(name, names[i])) {
			*suite = (enum suite)i;
			return true;
		}
	}
	return false;
}

bool suite_available(enum suite suite)
{
	return suite != SUITE_AES256GCM || crypto_aead_aes256gcm_is_available();
}
