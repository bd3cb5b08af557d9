/* SPDX-License-Identifier: MIT */
/* Reasons: the text names the object and the error, and never outgrows its room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/reason.h"

static void the_error_is_returned_and_the_text_is_set(void **state)
{
	struct reason reason = { 0 };

	assert_int_equal(reason_set(&reason, -EINVAL, "table %d: in use", 7), -EINVAL);
	assert_string_equal(reason.text, "table 7: in use");
	assert_int_equal(reason_set_errno(&reason, -EEXIST, "address %s", "10.0.0.1/24"), -EEXIST);
	assert_string_equal(reason.text, "address 10.0.0.1/24: File exists");
	assert_int_equal(reason_set(NULL, -EPERM, "nobody asks"), -EPERM);
	assert_int_equal(reason_set_errno(NULL, -EPERM, "nobody asks"), -EPERM);
}

static void a_long_text_is_cut_and_keeps_the_error(void **state)
{
	struct reason reason;
	char object[2 * REASON_BYTES];

	memset(object, 'x', sizeof object - 1);
	object[sizeof object - 1] = 0;
	reason_set(&reason, -EINVAL, "%s", object);
	assert_int_equal(strlen(reason.text), REASON_BYTES - 1);
	reason_set_errno(&reason, -ENODEV, "%s", object);
	assert_non_null(strstr(reason.text, "x: No such device"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_error_is_returned_and_the_text_is_set),
		cmocka_unit_test(a_long_text_is_cut_and_keeps_the_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
