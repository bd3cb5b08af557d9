/* SPDX-License-Identifier: MIT */
/* Shared by the tests of adit doctor: the findings of one test, and their comparison with expected ones. */
#ifndef ADIT_TESTS_DOCTOR_FINDINGS_H
#define ADIT_TESTS_DOCTOR_FINDINGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

static struct findings found;

static int begin_findings(void **state)
{
	findings_free(&found);
	return 0;
}

static int end_findings(void **state)
{
	findings_free(&found);
	return 0;
}

#define finding_test(function) cmocka_unit_test_setup_teardown(function, begin_findings, end_findings)

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* Compares finding `i`: parts of its object and fact, and its whole command ("": none). */
static inline void assert_finding(size_t i, enum verdict verdict, const char *object, const char *fact,
								  const char *command)
{
	assert_true(i < found.count);
	assert_contains(found.list[i].object, object);
	assert_contains(found.list[i].fact, fact);
	assert_int_equal(found.list[i].verdict, verdict);
	assert_string_equal(found.list[i].command, command);
	/* Every warning has a remedy. */
	if (verdict >= VERDICT_WARN)
		assert_true(found.list[i].command[0] || found.list[i].hint[0]);
}

/* The same for a judgement with one finding, which starts the list again. */
static inline void assert_only(enum verdict verdict, const char *object, const char *fact, const char *command)
{
	assert_int_equal(found.count, 1);
	assert_finding(0, verdict, object, fact, command);
	found.count = 0;
}

#endif
