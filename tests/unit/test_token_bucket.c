/* SPDX-License-Identifier: MIT */
/* The token bucket against a naive count: bursts, refills, rests of an interval, and a clock that starts anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/token_bucket.h"

static void a_burst_passes_and_no_more(void **state)
{
	static const uint64_t starts[] = { 0, 1, 999, 1000, UINT64_C(1) << 60 };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		struct token_bucket bucket = { 0 };

		for (int taken = 0; taken < 10; taken++)
			assert_true(token_bucket_take(&bucket, 10, 1000, starts[i]));
		assert_false(token_bucket_take(&bucket, 10, 1000, starts[i]));
		assert_false(token_bucket_take(&bucket, 10, 1000, starts[i] + 999));
		assert_true(token_bucket_take(&bucket, 10, 1000, starts[i] + 1000));
		assert_false(token_bucket_take(&bucket, 10, 1000, starts[i] + 1999));
		assert_true(token_bucket_take(&bucket, 10, 1000, starts[i] + 2000));
	}
}

static void a_long_rest_fills_one_burst_only(void **state)
{
	struct token_bucket bucket = { 0 };
	int taken = 0;

	while (token_bucket_take(&bucket, 3, 10, 5))
		taken++;
	assert_int_equal(taken, 3);
	while (token_bucket_take(&bucket, 3, 10, 1000000))
		taken++;
	assert_int_equal(taken, 6);
}

/* Over any time span, no more than a burst and one token per interval pass. */
static void random_times_never_exceed_the_rate(void **state)
{
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct token_bucket bucket = { 0 };
		uint32_t burst = 1 + (uint32_t)rand() % 20;
		uint64_t interval = 1 + (uint64_t)rand() % 100, start = (uint64_t)rand(), now = start, taken = 0;

		for (int step = 0; step < 500; step++) {
			now += (uint64_t)rand() % (2 * interval);
			taken += token_bucket_take(&bucket, burst, interval, now);
			assert_true(taken <= burst + (now - start) / interval);
		}
		assert_true(taken >= (now - start) / (2 * interval));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_and_no_more),
		cmocka_unit_test(a_long_rest_fills_one_burst_only),
		cmocka_unit_test(random_times_never_exceed_the_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
