/* SPDX-License-Identifier: MIT */
/* Tests of the Internet checksum against a byte by byte sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet_naive.h"

enum { LONGEST = 700, GUARD = 0xa5 };

static void fill_random(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)naive_random(&seed);
}

/* Returns the folded sum as it would be read from a packet. */
static unsigned folded(uint64_t sum)
{
	uint8_t field[2];

	put_raw16(field, checksum_fold(sum));
	return naive_get16(field);
}

static void assert_sum(const uint8_t *p, size_t n)
{
	assert_int_equal(folded(checksum_add(0, p, n)), naive_sum(0, p, n));
}

static void any_length_and_alignment_is_summed(void **state)
{
	uint8_t bytes[LONGEST + 64];

	fill_random(bytes, sizeof bytes, 1);
	for (size_t start = 0; start < 64; start++) {
		for (size_t n = 0; n <= LONGEST; n++)
			assert_sum(bytes + start, n);
	}
}

static void no_byte_past_the_end_is_read(void **state)
{
	for (size_t n = 0; n <= 200; n++) {
		uint8_t *exact = calloc(n ? n : 1, 1);
		uint8_t *to = malloc(n ? n : 1);

		fill_random(exact, n, n + 1);
		assert_sum(exact, n);
		assert_int_equal(folded(checksum_copy(0, to, exact, n)), naive_sum(0, exact, n));
		free(exact);
		free(to);
	}
}

/* With all bits set every addition carries. Such a sum is 0xffff and never 0, which is only the sum of zeros. */
static void no_carry_is_lost(void **state)
{
	static uint8_t ones[65535];

	memset(ones, 0xff, sizeof ones);
	for (size_t n = 0; n <= 300; n++)
		assert_sum(ones, n);
	assert_sum(ones, sizeof ones);
	assert_int_equal(folded(checksum_add(0, ones, 65534)), 0xffff);
	for (size_t hole = 0; hole < 300; hole++) {
		ones[hole] = 0x7f;
		assert_sum(ones, 301);
		assert_sum(ones, sizeof ones);
		ones[hole] = 0xff;
	}
	memset(ones, 0, sizeof ones);
	assert_int_equal(folded(checksum_add(0, ones, sizeof ones)), 0);
}

static void sums_may_be_chained_at_even_lengths(void **state)
{
	uint8_t bytes[LONGEST];

	fill_random(bytes, sizeof bytes, 2);
	for (size_t split = 0; split < LONGEST; split += 2) {
		uint64_t sum = checksum_add(0, bytes, split);

		sum = checksum_add(sum, bytes + split, LONGEST - 1 - split);
		assert_int_equal(folded(sum), naive_sum(0, bytes, LONGEST - 1));
	}
}

static void checksum_copy_copies_the_summed_bytes(void **state)
{
	uint8_t from[LONGEST + 3], to[LONGEST + 16];

	fill_random(from, sizeof from, 3);
	for (size_t n = 0; n <= LONGEST; n++) {
		size_t at = 1 + n % 7, start = n % 4;

		memset(to, GUARD, sizeof to);
		assert_int_equal(folded(checksum_copy(0x1234, to + at, from + start, n)),
						 folded(checksum_add(0x1234, from + start, n)));
		assert_memory_equal(to + at, from + start, n);
		assert_int_equal(to[at - 1], GUARD);
		for (size_t i = at + n; i < sizeof to; i++)
			assert_int_equal(to[i], GUARD);
	}
}

static void headers_are_summed_by_words(void **state)
{
	uint8_t bytes[128];

	fill_random(bytes, sizeof bytes, 4);
	for (size_t n = 0; n <= 120; n += 4) {
		for (size_t start = 0; start < 8; start++)
			assert_int_equal(folded(checksum_words(0, bytes + start, n)), naive_sum(0, bytes + start, n));
	}
}

static uint16_t fold_by_loop(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void any_sum_is_folded(void **state)
{
	uint64_t seed = 5;

	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t sum = UINT64_C(1) << bit;

		assert_int_equal(checksum_fold(sum), fold_by_loop(sum));
		assert_int_equal(checksum_fold(sum - 1), fold_by_loop(sum - 1));
		assert_int_equal(checksum_fold(~sum), fold_by_loop(~sum));
	}
	for (int i = 0; i < 100000; i++) {
		uint64_t sum = (uint64_t)naive_random(&seed) << 32 | naive_random(&seed);

		assert_int_equal(checksum_fold(sum), fold_by_loop(sum));
	}
}

static void pseudo_headers_match_the_naive_sum(void **state)
{
	static const size_t lengths[] = { 0, 8, 1480, 65535, 65536, 0x12345678 };
	uint8_t ip[40];

	fill_random(ip, sizeof ip, 6);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		ip[0] = 0x45;
		assert_int_equal(folded(checksum_pseudo(ip, 6, lengths[i])), naive_pseudo(ip, 6, lengths[i]));
		ip[0] = 0x60;
		assert_int_equal(folded(checksum_pseudo(ip, 17, lengths[i])), naive_pseudo(ip, 17, lengths[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_length_and_alignment_is_summed),
		cmocka_unit_test(no_byte_past_the_end_is_read),
		cmocka_unit_test(no_carry_is_lost),
		cmocka_unit_test(sums_may_be_chained_at_even_lengths),
		cmocka_unit_test(checksum_copy_copies_the_summed_bytes),
		cmocka_unit_test(headers_are_summed_by_words),
		cmocka_unit_test(any_sum_is_folded),
		cmocka_unit_test(pseudo_headers_match_the_naive_sum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
