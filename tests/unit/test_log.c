/* SPDX-License-Identifier: MIT */
/* Tests of the log: format, levels and the rate limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

/* Stores in `text` what `call` writes to standard error. */
static void capture(char *text, size_t size, void (*call)(void))
{
	int pipes[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	call();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(pipes[0], text, size - 1);
	close(pipes[0]);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void log_short_line(void)
{
	log_info("wg0", "%d packets", 3);
}

static void log_long_line(void)
{
	char text[5000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_error("wg0", "%s", text);
}

static void a_line_starts_with_its_subject(void **state)
{
	char text[2048];

	unsetenv("JOURNAL_STREAM");
	capture(text, sizeof text, log_short_line);
	assert_string_equal(text, "wg0: 3 packets\n");
}

static const char *stream_format;
static int inode_offset;

/* Names standard error, or another stream, as the journal. */
static void log_with_stream(void)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof stream, stream_format, (unsigned long long)status.st_dev,
			 (unsigned long long)status.st_ino + (unsigned)inode_offset);
	setenv("JOURNAL_STREAM", stream, 1);
	log_stream_changed();
	log_short_line();
	unsetenv("JOURNAL_STREAM"); /* read once */
	log_short_line();
}

static void a_line_has_a_priority_if_standard_error_is_the_journal(void **state)
{
	static const struct {
		const char *format;
		int offset;
		bool journal;
	} cases[] = {
		{ "%llu:%llu", 0, true }, { "%llu:%llu", 1, false }, { "1%llu:%llu", 0, false },
		{ "%llu", 0, false },     { "", 0, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[2048];

		stream_format = cases[i].format;
		inode_offset = cases[i].offset;
		capture(text, sizeof text, log_with_stream);
		assert_string_equal(text, cases[i].journal ? "<6>wg0: 3 packets\n<6>wg0: 3 packets\n"
												   : "wg0: 3 packets\nwg0: 3 packets\n");
	}
	log_stream_changed();
}

static void lines_above_the_level_are_dropped(void **state)
{
	char text[64];

	log_set_level(LOG_WARNING);
	capture(text, sizeof text, log_short_line);
	assert_string_equal(text, "");
	assert_true(log_enabled(LOG_ERROR));
	log_set_level(LOG_SILENT);
	assert_false(log_enabled(LOG_ERROR));
	log_set_level(LOG_INFO);
}

static void a_long_line_is_truncated_and_keeps_its_newline(void **state)
{
	char text[8192];

	capture(text, sizeof text, log_long_line);
	assert_uint_in_range(strlen(text), 500, 1024);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void a_limit_allows_ten_lines_then_one_per_second(void **state)
{
	struct log_limit limit = { 0 };
	uint64_t now = 3 * NS_PER_S;
	int allowed = 0;

	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now);
	assert_int_equal(allowed, 10);
	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now + NS_PER_S + 1);
	assert_int_equal(allowed, 11);
	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, now + 60 * NS_PER_S);
	assert_int_equal(allowed, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_starts_with_its_subject),
		cmocka_unit_test(a_line_has_a_priority_if_standard_error_is_the_journal),
		cmocka_unit_test(lines_above_the_level_are_dropped),
		cmocka_unit_test(a_long_line_is_truncated_and_keeps_its_newline),
		cmocka_unit_test(a_limit_allows_ten_lines_then_one_per_second),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
