/* SPDX-License-Identifier: MIT */
/* Replaces libsodium's random bytes by a given sequence, so that a test produces the messages of its test vectors. */
#ifndef ADIT_FIXED_RANDOM_H
#define ADIT_FIXED_RANDOM_H

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const uint8_t *bytes;
	size_t left;
} fixed_random;

static const char *fixed_random_name(void)
{
	return "fixed";
}

/* The code under test must use randombytes_buf only, and must not request more bytes than were given. */
static uint32_t fixed_random_word(void)
{
	abort();
}

static void fixed_random_buf(void *out, const size_t n)
{
	if (n > fixed_random.left)
		abort();
	memcpy(out, fixed_random.bytes, n);
	fixed_random.bytes += n;
	fixed_random.left -= n;
}

/* Makes `bytes` the next `n` random bytes. Call fixed_random_end before any others are requested. */
static inline void fixed_random_begin(const uint8_t *bytes, size_t n)
{
	static randombytes_implementation implementation = {
		.implementation_name = fixed_random_name,
		.random = fixed_random_word,
		.buf = fixed_random_buf,
	};

	fixed_random.bytes = bytes;
	fixed_random.left = n;
	randombytes_set_implementation(&implementation);
}

/* Restores the system's random bytes. */
static inline void fixed_random_end(void)
{
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

#endif
