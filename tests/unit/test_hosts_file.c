/* SPDX-License-Identifier: MIT */
/* The hosts file against files of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/hosts_file.h"

static char found[4096];
static unsigned pairs;

static void note_pair(void *context, const char *host, const struct endpoint *address)
{
	char text[ENDPOINT_TEXT];
	size_t length = strlen(found);

	assert_ptr_equal(context, found);
	pairs++;
	snprintf(found + length, sizeof found - length, "%s=%s;", host, endpoint_text(text, address));
}

static int read_text(const char *text, size_t length)
{
	char path[] = "/tmp/adit-hosts-XXXXXX";
	int fd = mkstemp(path), error;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
	found[0] = '\0';
	pairs = 0;
	error = hosts_file_read(path, note_pair, found);
	unlink(path);
	return error;
}

static void lines_are_split_into_an_address_and_names(void **state)
{
	static const struct {
		const char *text, *pairs;
	} cases[] = {
		{ "192.0.2.1 a", "a=192.0.2.1:0;" },
		{ "192.0.2.1\ta b\tc \n192.0.2.2 a\r\n", "a=192.0.2.1:0;b=192.0.2.1:0;c=192.0.2.1:0;a=192.0.2.2:0;" },
		{ "  2001:db8::1   a  # b c\n", "a=[2001:db8::1]:0;" },
		{ "::ffff:192.0.2.1 a\n", "a=192.0.2.1:0;" },
		{ "fe80::1%lo a\n", "a=[fe80::1%lo]:0;" },
		{ "", "" },
		{ "\n \n#\n# 192.0.2.1 a\n", "" },
		{ "192.0.2.1\n192.0.2.1 #a\n", "" },
		{ "no.address a\n192.0.2 .1 b\n300.0.2.1 c\n192.0.2.1:5 d\n192.0.2.1/32 e\n", ".1=192.0.0.2:0;b=192.0.0.2:0;" },
		{ "0.0.0.0 a\n:: b\n192.0.2.1 c\n", "c=192.0.2.1:0;" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(cases[i].text, strlen(cases[i].text)), 0);
		assert_string_equal(found, cases[i].pairs);
	}
}

static void bytes_of_any_kind_do_no_harm(void **state)
{
	char bytes[65536];
	uint32_t random = 1;

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof bytes; i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (char)(random >> 24);
		}
		assert_int_equal(read_text(bytes, sizeof bytes), 0);
	}
	memset(bytes, 'x', sizeof bytes); /* one long line */
	memcpy(bytes, "192.0.2.1 ", 10);
	assert_int_equal(read_text(bytes, sizeof bytes), 0);
	assert_int_equal(pairs, 1);
}

static void a_missing_file_is_an_error(void **state)
{
	assert_int_equal(hosts_file_read("/nonexistent/hosts", note_pair, found), -ENOENT);
	assert_int_equal(hosts_file_read("/", note_pair, found), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_split_into_an_address_and_names),
		cmocka_unit_test(bytes_of_any_kind_do_no_harm),
		cmocka_unit_test(a_missing_file_is_an_error),
	};

	return cmocka_run_group_tests_name("hosts_file", tests, NULL, NULL);
}
