/* SPDX-License-Identifier: MIT */
/* Tests of the spelling: the distance between words, and which words are taken for typing errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/spelling.h"

static void the_distance_counts_letters(void **state)
{
	static const struct {
		const char *typed, *word;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "key", 3 },
		{ "key", "", 3 },
		{ "key", "key", 0 },
		{ "KEY", "key", 0 },
		{ "kez", "key", 1 },
		{ "ke", "key", 1 },
		{ "keyy", "key", 1 },
		{ "kye", "key", 1 },
		{ "yek", "key", 2 },
		{ "AllowedIP", "AllowedIPs", 1 },
		{ "lalowedipz", "AllowedIPs", 2 },
		{ "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(spelling_distance(cases[i].typed, cases[i].word), cases[i].distance);
}

static void the_distance_is_symmetric(void **state)
{
	static const char *const words[] = { "", "a", "run", "rnu", "check", "chekc", "Endpoint", "Endpont", "Address" };
	enum { WORDS = sizeof words / sizeof *words };

	for (size_t i = 0; i < WORDS; i++)
		for (size_t j = 0; j < WORDS; j++)
			assert_int_equal(spelling_distance(words[i], words[j]), spelling_distance(words[j], words[i]));
}

static void a_long_word_is_infinitely_far(void **state)
{
	char longest[SPELLING_MAX + 1], longer[SPELLING_MAX + 2];

	memset(longest, 'a', SPELLING_MAX);
	longest[SPELLING_MAX] = '\0';
	memset(longer, 'a', SPELLING_MAX + 1);
	longer[SPELLING_MAX + 1] = '\0';
	assert_int_equal(spelling_distance(longest, longest), 0);
	assert_true(spelling_distance(longest, longer) == SIZE_MAX);
	assert_true(spelling_distance(longer, longest) == SIZE_MAX);
	assert_false(spelling_resembles(longer, "a"));
}

static void one_error_is_a_typing_error(void **state)
{
	static const char *const typed[] = { "mtu", "MTUU", "MT", "MTX", "TMU", "TU" };

	for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
		assert_true(spelling_resembles(typed[i], "MTU"));
}

static void two_errors_are_a_typing_error_in_a_long_word(void **state)
{
	assert_true(spelling_resembles("Adres", "Address"));
	assert_true(spelling_resembles("Endpiont", "Endpoint"));
	assert_true(spelling_resembles("AlowedIP", "AllowedIPs"));
	assert_false(spelling_resembles("AlowdIP", "AllowedIPs"));
	assert_false(spelling_resembles("Tbl", "Table"));
}

static void another_first_letter_makes_another_word(void **state)
{
	assert_false(spelling_resembles("tun", "run"));
	assert_false(spelling_resembles("Xddress", "Address"));
	assert_false(spelling_resembles("", "run"));
	assert_false(spelling_resembles("u", "run"));
	assert_true(spelling_resembles("un", "run"));
	assert_true(spelling_resembles("urn", "run"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_distance_counts_letters),
		cmocka_unit_test(the_distance_is_symmetric),
		cmocka_unit_test(a_long_word_is_infinitely_far),
		cmocka_unit_test(one_error_is_a_typing_error),
		cmocka_unit_test(two_errors_are_a_typing_error_in_a_long_word),
		cmocka_unit_test(another_first_letter_makes_another_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
