/* SPDX-License-Identifier: MIT */
/* Padding against a table, and within its bounds for every length and many MTUs. */
#include "tunnel/padding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void packets_are_padded_to_16_but_not_past_the_mtu(void **state)
{
	static const struct {
		size_t mtu, length, zeros;
	} cases[] = {
		{ 1420, 0, 0 },
		{ 1420, 1, 15 },
		{ 1420, 28, 4 },
		{ 1420, 32, 0 },
		{ 1420, 1408, 0 },
		{ 1420, 1409, 11 },
		{ 1420, 1419, 1 },
		{ 1420, 1420, 0 },
		/* over the MTU: by the remainder */
		{ 1420, 1421, 15 },
		{ 1420, 2840, 0 },
		{ 1420, 2841, 15 },
		{ 1420, 2839, 1 },
		{ 1420, 65535, 9 },
		/* no MTU */
		{ 0, 0, 0 },
		{ 0, 28, 4 },
		{ 0, 1420, 4 },
		{ 0, 65535, 1 },
		/* MTUs smaller than a unit */
		{ 1, 1, 0 },
		{ 1, 100, 0 },
		{ 15, 14, 1 },
		{ 30, 29, 1 },
		{ 40, 28, 4 },
		{ 40, 33, 7 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(padding_of_packet(cases[i].length, cases[i].mtu), cases[i].zeros);
}

static void full_segments_are_not_padded_and_the_last_does_not_outgrow_them(void **state)
{
	static const struct {
		size_t mtu, full, length, zeros;
	} cases[] = {
		{ 1420, 1041, 1041, 0 }, { 1420, 1035, 1034, 1 },  { 1420, 1041, 49, 15 },
		{ 1420, 1041, 64, 0 },   { 0, 1041, 1041, 0 },     { 0, 1041, 1040, 0 },
		{ 0, 41, 40, 1 },        { 1420, 1500, 1421, 15 }, { 40, 1500, 41, 15 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(padding_of_segment(cases[i].length, cases[i].full, cases[i].mtu), cases[i].zeros);
}

static void padding_keeps_its_bounds(void **state)
{
	for (size_t mtu = 0; mtu <= 70000; mtu = mtu * 3 / 2 + 1) {
		for (size_t n = 0; n <= 65535; n++) {
			size_t zeros = padding_of_packet(n, mtu);
			assert_uint_in_range(zeros, 0, PADDING_MAX);
			if (n <= mtu)
				assert_true(n + zeros <= mtu && (n + zeros == mtu || (n + zeros) % 16 == 0));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_padded_to_16_but_not_past_the_mtu),
		cmocka_unit_test(full_segments_are_not_padded_and_the_last_does_not_outgrow_them),
		cmocka_unit_test(padding_keeps_its_bounds),
	};
	return cmocka_run_group_tests_name("padding", tests, NULL, NULL);
}
