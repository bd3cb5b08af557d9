/* SPDX-License-Identifier: MIT */
/* Tests of the JSON reader: valid and invalid documents, and values of unexpected types. */
#include "base/json_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Skips the whole document. It is copied without a NUL, so that the sanitizer notices a read past its end. */
static bool is_valid(const char *text, size_t length)
{
	char *copy = malloc(length + !length);
	struct json_reader reader;
	bool valid;

	assert_non_null(copy);
	memcpy(copy, text, length);
	json_reader_init(&reader, copy, length);
	json_skip(&reader);
	valid = json_reader_done(&reader);
	free(copy);
	return valid;
}

static void valid_documents_are_accepted(void **state)
{
	static const char *const cases[] = {
		"{}",
		"[]",
		" [ ] ",
		"null",
		"true",
		"false",
		"0",
		"-0",
		"12.5e-3",
		"1E+2",
		"\"\"",
		"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
		"\"J\xc3\xbcrgen\"",
		"{\"a\": [1, {\"b\": null}, []], \"c\": {}}\n",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (!is_valid(cases[i], strlen(cases[i])))
			fail_msg("%s is rejected", cases[i]);
	}
}

static void invalid_documents_are_rejected(void **state)
{
	static const char *const cases[] = {
		"",
		"{",
		"}",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{\"a\"}",
		"{\"a\":}",
		"{a: 1}",
		"{\"a\":1,}",
		"{1: 2}",
		"[1}",
		"{\"a\":1]",
		"nul",
		"True",
		"+1",
		"01",
		".5",
		"1.",
		"1e",
		"-",
		"\"a",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u0000\"",
		"\"\\ud83d\"",
		"\"\\ude00\"",
		"\"\\ud83d\\u0041\"",
		"\"\n\"",
		"\"\xff\"",
		"\"\xc3\"",
		"1 2",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (is_valid(cases[i], strlen(cases[i])))
			fail_msg("%s is accepted", cases[i]);
	}
	assert_false(is_valid("1\0", 2));
	assert_false(is_valid("\"a\0\"", 4));
}

static const char document[] =
	"{\"version\": 1, \"list\": [\n  {\"name\": \"a\\u00fcb\", \"n\": 18446744073709551615},\n"
	"  {\"n\": 18446744073709551616, \"more\": {\"name\": [\"x\"]}, \"name\": null},\n"
	"  7, {\"name\": 5, \"n\": -1}, {\"n\": 2.5, \"name\": \"last\"}\n]}\n";

static void members_are_found_among_others(void **state)
{
	static const char *const names[] = { ("a\xc3\xbc"
										  "b"),
										 "", "", "last" };
	struct json_reader reader;
	char key[8], name[16];
	int count = 0;

	json_reader_init(&reader, document, strlen(document));
	assert_true(json_enter(&reader, '{'));
	while (json_next_member(&reader, key, sizeof key)) {
		if (strcmp(key, "list") != 0 || !json_enter(&reader, '[')) {
			json_skip(&reader);
			continue;
		}
		while (json_next_item(&reader)) {
			uint64_t number = 42;

			*name = '\0';
			if (!json_enter(&reader, '{'))
				continue;
			while (json_next_member(&reader, key, sizeof key)) {
				if (!strcmp(key, "name"))
					json_read_string(&reader, name, sizeof name);
				else if (!strcmp(key, "n"))
					json_read_u64(&reader, &number);
				else
					json_skip(&reader);
			}
			assert_string_equal(name, names[count]);
			assert_true(number == (count ? 42 : UINT64_MAX));
			count++;
		}
	}
	assert_int_equal(count, 4);
	assert_true(json_reader_done(&reader));
}

static void a_document_that_is_cut_is_an_error(void **state)
{
	size_t length = strlen(document) - 2; /* without "}\n" */

	for (size_t i = 0; i <= length; i++)
		assert_false(is_valid(document, i));
	assert_true(is_valid(document, length + 1));
}

static void long_strings_are_cut_between_characters(void **state)
{
	static const char text[] = "\"ab\xc3\xbc"
							   "cd\"";
	static const char *const expected[] = { "",
											"a",
											"ab",
											"ab",
											"ab\xc3\xbc",
											("ab\xc3\xbc"
											 "c") };

	for (size_t size = 1; size <= sizeof expected / sizeof *expected; size++) {
		struct json_reader reader;
		char value[8];

		memset(value, 'x', sizeof value);
		json_reader_init(&reader, text, strlen(text));
		assert_true(json_read_string(&reader, value, size));
		assert_string_equal(value, expected[size - 1]);
		assert_true(json_reader_done(&reader));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_documents_are_accepted),
		cmocka_unit_test(invalid_documents_are_rejected),
		cmocka_unit_test(members_are_found_among_others),
		cmocka_unit_test(a_document_that_is_cut_is_an_error),
		cmocka_unit_test(long_strings_are_cut_between_characters),
	};

	return cmocka_run_group_tests_name("json reader", tests, NULL, NULL);
}
