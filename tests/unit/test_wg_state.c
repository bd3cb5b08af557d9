/* SPDX-License-Identifier: MIT */
/* Tests of the state of a peer whose daemon reports only the values of wg(8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wg_state.h"

#define NOW UINT64_C(1750000000)

static void the_word_follows_from_the_values(void **state)
{
	static const struct {
		struct wg_values values;
		const char *word;
	} rows[] = {
		{ { .has_endpoint = true, .handshake = NOW }, "up" },
		{ { .has_endpoint = true, .handshake = NOW - 179 }, "up" },
		{ { .has_endpoint = true, .handshake = NOW + 10 }, "up" },
		{ { .has_endpoint = true, .handshake = UINT64_MAX }, "up" },
		{ { .handshake = NOW - 179 }, "up" },
		{ { .has_endpoint = true, .handshake = NOW - 180 }, "idle" },
		{ { .has_endpoint = true, .handshake = NOW - 180, .sent = 9 }, "idle" },
		{ { .has_endpoint = true, .handshake = NOW - 180, .has_keepalive = true }, "silent" },
		{ { .has_endpoint = true }, "idle" },
		{ { .has_endpoint = true, .has_keepalive = true }, "idle" },
		{ { .has_endpoint = true, .sent = 148 }, "silent" },
		{ { .sent = 148 }, "no-endpoint" },
		{ { .has_keepalive = true }, "no-endpoint" },
		{ { .handshake = NOW - 180 }, "no-endpoint" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(wg_state_word(&rows[i].values, NOW), rows[i].word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_follows_from_the_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
