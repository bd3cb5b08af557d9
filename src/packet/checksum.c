/* SPDX-License-Identifier: MIT */
/* The Internet checksum: vector loops for whole steps of 32 bytes, and scalar code for the tail. */
#include "packet/checksum.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"

enum { STEP = 32 }; /* bytes of the widest vector */

typedef uint64_t lanes16 __attribute__((vector_size(16)));
#define LANES lanes16
#define SUM_STEPS sum_steps16
#include "checksum_steps.h"

/*
 * Each call tests a CPU feature bit. An ifunc would avoid the test, but ifuncs are resolved before the sanitizers are
 * initialized, and not every C library supports them. CHECKSUM_PORTABLE disables AVX2, so that a test can cover the
 * other code on a machine that has AVX2.
 */
#if defined __x86_64__ && !defined CHECKSUM_PORTABLE

typedef uint64_t lanes32 __attribute__((vector_size(32)));
#define LANES lanes32
#define SUM_STEPS sum_steps32
#include "checksum_steps.h"

__attribute__((target("avx2"))) static uint64_t add_avx2(uint64_t sum, const uint8_t *from, size_t n)
{
	return sum_steps32(sum, false, NULL, from, n);
}

__attribute__((target("avx2"))) static uint64_t copy_avx2(uint64_t sum, uint8_t *restrict to,
														  const uint8_t *restrict from, size_t n)
{
	return sum_steps32(sum, true, to, from, n);
}

static uint64_t add_steps(uint64_t sum, const uint8_t *from, size_t n)
{
	return __builtin_cpu_supports("avx2") ? add_avx2(sum, from, n) : sum_steps16(sum, false, NULL, from, n);
}

static uint64_t copy_steps(uint64_t sum, uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	return __builtin_cpu_supports("avx2") ? copy_avx2(sum, to, from, n) : sum_steps16(sum, true, to, from, n);
}

#else
#define add_steps(sum, from, n) sum_steps16(sum, false, NULL, from, n)
#define copy_steps(sum, to, from, n) sum_steps16(sum, true, to, from, n)
#endif

/* Adds the bytes after the last whole step. A last odd byte is padded with a zero byte (RFC 1071, section 4.1). */
static inline uint64_t add_tail(uint64_t sum, const uint8_t *p, size_t n)
{
	size_t words = n & ~(size_t)3;

	sum = checksum_words(sum, p, words);
	p += words;
	n -= words;
	if (n >= 2) {
		sum += get_raw16(p);
		p += 2;
		n -= 2;
	}
	if (n)
		sum += get_raw16((const uint8_t[2]) { *p });
	return sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t n)
{
	const uint8_t *from = data;
	size_t tail = n % STEP, steps = n - tail;

	if (steps)
		sum = add_steps(sum, from, steps);
	return add_tail(sum, from + steps, tail);
}

uint64_t checksum_copy(uint64_t sum, void *restrict to, const void *restrict from, size_t n)
{
	size_t tail = n % STEP, steps = n - tail;
	const uint8_t *rest = (const uint8_t *)from + steps;

	if (steps)
		sum = copy_steps(sum, to, from, steps);
	memcpy((uint8_t *)to + steps, rest, tail);
	return add_tail(sum, rest, tail);
}
