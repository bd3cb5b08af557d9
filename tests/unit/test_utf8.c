/* SPDX-License-Identifier: MIT */
/* Tests of UTF-8: lengths of characters, and text that a terminal shows as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

static void characters_have_one_to_four_bytes(void **state)
{
	static const struct {
		const char *text;
		int length;
	} cases[] = {
		{ "", 1 },
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },             /* a continuation byte alone */
		{ "\xc1\xbf", 0 },         /* overlong */
		{ "\xe0\x9f\xbf", 0 },     /* overlong */
		{ "\xed\xa0\x80", 0 },     /* a surrogate */
		{ "\xf4\x90\x80\x80", 0 }, /* beyond U+10FFFF */
		{ "\xe2\x82", 0 },         /* cut off */
		{ "\xff", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(utf8_length(cases[i].text), cases[i].length);
}

static void printable_text_has_no_controls(void **state)
{
	static const char *const good[] = {
		"", "a b", "J\xc3\xbcrgen", "\xe6\x9d\xb1\xe4\xba\xac", "\xf0\x9f\x98\x80", "\xc2\xa0"
	};
	static const char *const bad[] = { "a\n",          "\t",           "\x1b[0m",      "\x7f",
									   "\xc2\x85",     "\xc2\x9f",     "\xe2\x80\xa8", "\xe2\x80\xae",
									   "\xe2\x81\xa6", "\xe2\x80\x8f", "a\xff",        "\xc3" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(utf8_printable(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(utf8_printable(bad[i]));
}

static void a_byte_order_mark_is_skipped_at_the_beginning_only(void **state)
{
	assert_int_equal(utf8_mark_length("\xef\xbb\xbf", 3), 3);
	assert_int_equal(utf8_mark_length("\xef\xbb\xbfx", 4), 3);
	assert_int_equal(utf8_mark_length("\xef\xbb\xbf", 2), 0);
	assert_int_equal(utf8_mark_length("x\xef\xbb\xbf", 4), 0);
	assert_int_equal(utf8_mark_length("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_one_to_four_bytes),
		cmocka_unit_test(printable_text_has_no_controls),
		cmocka_unit_test(a_byte_order_mark_is_skipped_at_the_beginning_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
