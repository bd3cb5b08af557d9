/* SPDX-License-Identifier: MIT */
/* Tests of the names of counters: each counter has one, in snake_case, and no two are equal. */
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_counter_has_a_name_of_its_own) };

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
