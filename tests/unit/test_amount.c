/* SPDX-License-Identifier: MIT */
/* Tests of amounts as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/amount.h"

static void bytes_have_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.00 KiB" },
		{ 10 * 1024 - 1, "10.0 KiB" },
		{ 1024 * 1024 - 1, "1.00 MiB" },
		{ 1000 * 1024, "1000 KiB" },
		{ 123 << 20, "123 MiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(amount_bytes(text, cases[i].bytes), cases[i].text);
}

static void rates_are_in_bits(void **state)
{
	static const struct {
		double rate; /* bytes per second */
		const char *text;
	} cases[] = {
		{ 0, "0 bit/s" },       { 124, "992 bit/s" },          { 125, "1.00 kbit/s" },     { 124999, "1.00 Mbit/s" },
		{ 1e6, "8.00 Mbit/s" }, { 1.25e8 - 1, "1.00 Gbit/s" }, { 1e18, "8000000 Tbit/s" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(amount_bit_rate(text, cases[i].rate), cases[i].text);
}

static void times_have_one_or_two_units(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *duration, *age;
	} cases[] = {
		{ 0, "0 s", "0 s" },
		{ 59, "59 s", "59 s" },
		{ 60, "1 min 0 s", "1 min" },
		{ 3599, "59 min 59 s", "59 min" },
		{ 3661, "1 h 1 min", "1 h" },
		{ 86400 * 2 + 7200, "2 d 2 h", "2 d" },
		{ UINT64_MAX, "213503982334601 d 7 h", "213503982334601 d" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(amount_duration(text, cases[i].seconds), cases[i].duration);
		assert_string_equal(amount_age(text, cases[i].seconds), cases[i].age);
	}
}

static void latencies_choose_their_unit(void **state)
{
	static const struct {
		uint64_t nanoseconds;
		const char *text;
	} cases[] = {
		{ 499, "0 us" },         { 850000, "850 us" },    { 999499, "999 us" },
		{ 999500, "1.00 ms" },   { 12345678, "12.3 ms" }, { 123456789, "123 ms" },
		{ 999499999, "999 ms" }, { 999500000, "1.00 s" }, { 90000000000, "90.0 s" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(amount_latency(text, cases[i].nanoseconds), cases[i].text);
}

/* A loss that rounds to nothing is not shown as no loss. */
static void a_small_share_is_not_zero(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *text;
	} cases[] = {
		{ 0, 0, "0 %" },    { 0, 100, "0 %" },     { 1, 1000000, "<0.01 %" }, { 1, 10000, "0.01 %" },
		{ 1, 3, "33.3 %" }, { 100, 100, "100 %" }, { 2, 10000, "0.02 %" },     { UINT64_MAX, UINT64_MAX, "100 %" },
	};
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(amount_percent(text, cases[i].part, cases[i].whole), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_have_three_digits),     cmocka_unit_test(rates_are_in_bits),
		cmocka_unit_test(times_have_one_or_two_units), cmocka_unit_test(latencies_choose_their_unit),
		cmocka_unit_test(a_small_share_is_not_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
