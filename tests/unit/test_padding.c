/* SPDX-License-Identifier: MIT */
/* Padding against a table, and within its bounds for every length and many MTUs. */
#include "tunnel/padding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct padding_limits no_limits;

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
		assert_int_equal(padding_of_packet(cases[i].length, cases[i].mtu, &no_limits), cases[i].zeros);
}

static void packets_are_not_padded_past_the_next_limit(void **state)
{
	static const struct {
		uint32_t limits[3];
		size_t mtu, length, zeros;
	} cases[] = {
		{ { 1300 }, 1420, 28, 4 },
		{ { 1300 }, 1420, 1280, 0 },
		{ { 1300 }, 1420, 1281, 15 },
		{ { 1300 }, 1420, 1284, 12 },
		{ { 1300 }, 1420, 1285, 11 },
		{ { 1300 }, 1420, 1295, 1 },
		{ { 1300 }, 1420, 1296, 0 },
		{ { 1300 }, 1420, 1297, 3 },
		{ { 1300 }, 1420, 1298, 2 },
		{ { 1300 }, 1420, 1299, 1 },
		{ { 1300 }, 1420, 1300, 0 },
		{ { 1300 }, 1420, 1301, 11 }, /* came by another route */
		{ { 1300 }, 1420, 1312, 0 },
		{ { 1300 }, 1420, 1419, 1 },
		{ { 1299 }, 1300, 1297, 2 },
		{ { 1299 }, 1300, 1300, 0 },
		/* several */
		{ { 1310, 1300 }, 1420, 1297, 3 },
		{ { 1310, 1300 }, 1420, 1301, 9 },
		{ { 1310, 1300 }, 1420, 1310, 0 },
		{ { 1310, 1300 }, 1420, 1311, 1 },
		{ { 1300, 1300, 1301 }, 1420, 1301, 0 },
		{ { 1297, 1298, 1299 }, 1420, 1297, 0 },
		{ { 1297, 1298, 1299 }, 1420, 1300, 12 },
		/* at the MTU of the device, beyond it, and without one */
		{ { 1420 }, 1420, 1419, 1 },
		{ { 1500 }, 1420, 1419, 1 },
		{ { 1430 }, 1420, 1425, 5 },
		{ { 1300 }, 0, 1297, 3 },
		/* the ends of the range */
		{ { 68 }, 1420, 65, 3 },
		{ { 1 }, 1420, 1, 0 },
		{ { 65535 }, 0, 65535, 0 },
		{ { 65535 }, 0, 65534, 1 },
		{ { 65535 }, 65535, 65521, 14 },
		{ { 65536, 100000, UINT32_MAX }, 0, 65535, 1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct padding_limits limits = { 0 };
		for (int j = 0; j < 3; j++)
			if (cases[i].limits[j])
				padding_limits_add(&limits, cases[i].limits[j]);
		assert_int_equal(padding_of_packet(cases[i].length, cases[i].mtu, &limits), cases[i].zeros);
	}
}

/* The smallest limit that is not smaller than the packet, by a search. */
static void limits_agree_with_a_search(void **state)
{
	for (uint32_t first = 1; first < 60000; first = first * 4 / 3 + 1) {
		uint32_t several[] = { first, first + 7, first + 16, first * 2 };
		struct padding_limits limits = { 0 };

		for (int i = 0; i < 4; i++)
			padding_limits_add(&limits, several[i]);
		for (size_t n = 1; n <= 65535; n++) {
			size_t end = n + padding_of_packet(n, 1420, &no_limits);
			for (int i = 0; i < 4; i++)
				if (several[i] >= n && several[i] <= 65535 && several[i] < end)
					end = several[i];
			assert_int_equal(padding_of_packet(n, 1420, &limits), end - n);
		}
	}
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
			size_t zeros = padding_of_packet(n, mtu, &no_limits);
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
		cmocka_unit_test(packets_are_not_padded_past_the_next_limit),
		cmocka_unit_test(limits_agree_with_a_search),
		cmocka_unit_test(full_segments_are_not_padded_and_the_last_does_not_outgrow_them),
		cmocka_unit_test(padding_keeps_its_bounds),
	};
	return cmocka_run_group_tests_name("padding", tests, NULL, NULL);
}
