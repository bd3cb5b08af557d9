/* SPDX-License-Identifier: MIT */
/* Tests of counters: their names, and the buckets and sums of histograms. */
#include "tunnel/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void each_counter_has_a_name_of_its_own(void **state)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		const char *name = counter_name(i);

		if (!name)
			fail_msg("counter %u has no name", i);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(name, counter_name(j));
	}
}

static void a_bucket_begins_at_each_power_of_two(void **state)
{
	static const struct {
		uint32_t size;
		unsigned bucket;
	} cases[] = { { 1, 0 },  { 2, 1 },  { 3, 1 },  { 4, 2 },  { 7, 2 },   { 8, 3 },   { 15, 3 },  { 16, 4 },
				  { 31, 4 }, { 32, 5 }, { 63, 5 }, { 64, 6 }, { 127, 6 }, { 128, 7 }, { 255, 7 }, { UINT32_MAX, 7 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned kind = 0; kind < HISTOGRAMS; kind++) {
			struct counters counters = { 0 }, expected = { 0 };

			expected.histogram[kind].bucket[cases[i].bucket] = 3;
			expected.histogram[kind].larger_sum = cases[i].bucket ? (uint64_t)cases[i].size * 3 : 0;
			counters_add_batches(&counters, kind, cases[i].size, 3);
			assert_memory_equal(&counters, &expected, sizeof counters);
			assert_int_equal(histogram_sum(&counters.histogram[kind]), (uint64_t)cases[i].size * 3);
		}
	}
}

static void a_sum_has_all_counters_and_histograms(void **state)
{
	struct counters sum = { 0 }, from, expected;
	uint64_t *value = (uint64_t *)&from, *wanted = (uint64_t *)&expected;

	for (size_t i = 0; i < sizeof from / sizeof *value; i++) {
		value[i] = i + 1;
		wanted[i] = 2 * (i + 1);
	}
	counters_add(&sum, &from);
	assert_memory_equal(&sum, &from, sizeof sum);
	counters_add(&sum, &from);
	assert_memory_equal(&sum, &expected, sizeof sum);
}

static void each_histogram_has_a_name_of_its_own(void **state)
{
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(histogram_name(i), histogram_name(j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_counter_has_a_name_of_its_own),
		cmocka_unit_test(a_bucket_begins_at_each_power_of_two),
		cmocka_unit_test(a_sum_has_all_counters_and_histograms),
		cmocka_unit_test(each_histogram_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
