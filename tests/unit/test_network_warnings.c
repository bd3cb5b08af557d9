/* SPDX-License-Identifier: MIT */
/* Unit tests of the warnings of a network: which ones the owner sees after looks, changes and refused changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "network/warnings.h"

static char shown[NETWORK_WARNINGS][REASON_BYTES]; /* what the owner was notified of last */
static struct network_warnings warnings;

static void on_warning(void *context, enum network_warning kind, const char *text)
{
	snprintf(shown[kind], sizeof shown[kind], "%s", text ? text : "");
}

static int clear(void **state)
{
	static const struct network_callbacks callbacks = { .warning = on_warning };

	warnings = (struct network_warnings) { .interface = "adit0", .callbacks = &callbacks };
	memset(shown, 0, sizeof shown);
	return 0;
}

static void look(bool left_out, const char *left_out_text, const char *conflict)
{
	network_warnings_begin_look(&warnings);
	if (left_out_text)
		network_warnings_report(&warnings, NETWORK_LEFT_OUT, left_out_text);
	if (conflict)
		network_warnings_report(&warnings, NETWORK_CONFLICT, conflict);
	network_warnings_end_look(&warnings, left_out);
}

static void assert_shown(const char *left_out, const char *conflict)
{
	assert_string_equal(shown[NETWORK_LEFT_OUT], left_out);
	assert_string_equal(shown[NETWORK_CONFLICT], conflict);
}

static void each_kind_is_shown_beside_the_other(void **state)
{
	look(false, "route a", "rule b");
	assert_shown("route a", "rule b");
	look(false, "route a", NULL);
	assert_shown("route a", "");
	assert_true(network_warnings_stand(&warnings));
	look(false, NULL, "rule b");
	assert_shown("", "rule b");
	look(false, NULL, NULL);
	assert_shown("", "");
	assert_false(network_warnings_stand(&warnings));
}

static void parts_that_looks_skip_keep_their_warning(void **state)
{
	look(true, "route a", "rule b");
	look(true, NULL, NULL);
	assert_shown("route a", "");
	look(true, NULL, "rule b");
	assert_shown("route a", "rule b");
}

static void a_text_that_was_set_stays_until_it_is_withdrawn(void **state)
{
	network_warnings_begin_change(&warnings);
	network_warnings_set(&warnings, NETWORK_LEFT_OUT, "no IPv6");
	network_warnings_report(&warnings, NETWORK_CONFLICT, "rule b");
	network_warnings_end_look(&warnings, false);
	assert_shown("no IPv6", "rule b");
	look(false, NULL, NULL);
	assert_shown("no IPv6", "");
	network_warnings_withdraw(&warnings, NETWORK_LEFT_OUT);
	assert_shown("", "");
}

static void a_change_starts_without_warnings(void **state)
{
	look(true, "route a", "rule b");
	network_warnings_begin_change(&warnings);
	assert_shown("", "");
	network_warnings_report(&warnings, NETWORK_CONFLICT, "rule c");
	network_warnings_end_look(&warnings, false);
	assert_shown("", "rule c");
	look(false, NULL, NULL);
	assert_shown("", "");
}

static void a_refused_change_restores_the_warnings(void **state)
{
	look(false, "route a", "rule b");
	network_warnings_begin_change(&warnings);
	network_warnings_set(&warnings, NETWORK_LEFT_OUT, "no IPv6");
	network_warnings_restore(&warnings);
	assert_shown("route a", "rule b");
	assert_true(network_warnings_stand(&warnings));
	look(false, NULL, NULL);
	assert_shown("", "");
}

/* Counts the lines of the log during some reports. */
static unsigned count_lines(void (*report)(void))
{
	int stderr_copy = dup(STDERR_FILENO), file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	char text[8192];
	unsigned lines = 0;
	ssize_t length;

	assert_true(stderr_copy >= 0 && file >= 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	report();
	assert_int_equal(dup2(stderr_copy, STDERR_FILENO), STDERR_FILENO);
	length = pread(file, text, sizeof text, 0);
	assert_true(length >= 0);
	for (ssize_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	close(file);
	close(stderr_copy);
	return lines;
}

static void report_twice(void)
{
	look(false, "route a", "rule b");
	look(false, "route a", "rule b");
}

static void report_more_than_remembered(void)
{
	char text[32];

	for (unsigned i = 0; i < NETWORK_WARNINGS_REMEMBERED; i++) {
		snprintf(text, sizeof text, "route %u", i);
		look(false, text, NULL);
	}
	look(false, "route a", NULL);
}

static void the_log_receives_each_text_once(void **state)
{
	assert_int_equal(count_lines(report_twice), 2);
	assert_int_equal(count_lines(report_twice), 0);
	network_warnings_withdraw(&warnings, NETWORK_LEFT_OUT); /* the other kind is remembered */
	assert_int_equal(count_lines(report_twice), 1);
	/* The oldest texts are forgotten, so a text can be logged again. */
	assert_int_equal(count_lines(report_more_than_remembered), NETWORK_WARNINGS_REMEMBERED + 1);
}

static void an_owner_without_a_callback_is_not_notified(void **state)
{
	const struct network_callbacks none = { 0 };

	warnings.callbacks = &none;
	look(false, "route a", NULL);
	assert_shown("", "");
	assert_true(network_warnings_stand(&warnings));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_kind_is_shown_beside_the_other, clear),
		cmocka_unit_test_setup(parts_that_looks_skip_keep_their_warning, clear),
		cmocka_unit_test_setup(a_text_that_was_set_stays_until_it_is_withdrawn, clear),
		cmocka_unit_test_setup(a_change_starts_without_warnings, clear),
		cmocka_unit_test_setup(a_refused_change_restores_the_warnings, clear),
		cmocka_unit_test_setup(the_log_receives_each_text_once, clear),
		cmocka_unit_test_setup(an_owner_without_a_callback_is_not_notified, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
