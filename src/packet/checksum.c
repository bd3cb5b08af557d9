/* SPDX-License-Identifier: MIT */
#include "packet/checksum.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"

enum { STEP = 32 }; /* one of the widest vectors */

typedef uint64_t lanes16 __attribute__((vector_size(16)));
#define LANES lanes16
#define SUM_STEPS sum_steps16
#include "checksum_steps.h"

static uint64_t add_any(uint64_t sum, const uint8_t *from, size_t n)
{
	return sum_steps16(sum, false, NULL, from, n);
}

static uint64_t copy_any(uint64_t sum, uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	return sum_steps16(sum, true, to, from, n);
}

/*
 * Chosen by a bit test a call and not by an ifunc: those are resolved before the sanitizers have started, and not every
 * C library has them. CHECKSUM_PORTABLE lets a test see the other way on a machine that has AVX2.
 */
#if defined __x86_64__ && !defined CHECKSUM_PORTABLE

typedef uint64_t lanes32 __attribute__((vector_size(32)));
#define LANES lanes32
#define SUM_STEPS sum_steps32
#include "checksum_steps.h"

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

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
	return has_avx2() ? add_avx2(sum, from, n) : add_any(sum, from, n);
}

static uint64_t copy_steps(uint64_t sum, uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	return has_avx2() ? copy_avx2(sum, to, from, n) : copy_any(sum, to, from, n);
}

#else
#define add_steps add_any
#define copy_steps copy_any
#endif

/* The bytes after the last whole step; an odd one is the first half of a word whose second half is 0. */
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
