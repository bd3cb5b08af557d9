/* SPDX-License-Identifier: MIT */
/* Takes libsodium's random bytes from a list, so that a test gets the messages of its vectors. */
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

/* Nothing but randombytes_buf is expected to ask, and never for more than is there. */
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

/* The next `n` random bytes are `bytes`, and there are no others until fixed_random_end. */
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

static inline void fixed_random_end(void)
{
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

#endif
