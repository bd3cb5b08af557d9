/* SPDX-License-Identifier: MIT */
/* Tests of suites: names, and machines without AES instructions, which a wrapped libsodium function simulates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/session.h"
#include "crypto/suite.h"

int __wrap_crypto_aead_aes256gcm_is_available(void);

static int aes_available;

int __wrap_crypto_aead_aes256gcm_is_available(void)
{
	return aes_available;
}

static void names_convert_both_ways(void **state)
{
	for (int i = 0; i < SUITES; i++) {
		enum suite suite = SUITES;

		assert_true(suite_find(&suite, suite_name((enum suite)i)));
		assert_int_equal(suite, i);
		assert_non_null(strstr(SUITE_NAMES, suite_name((enum suite)i)));
	}
	assert_string_equal(suite_name(SUITE_CHACHA20POLY1305), "chacha20poly1305");
	assert_string_equal(suite_name(SUITE_AES256GCM), "aes256gcm");
}

static void other_names_are_unknown(void **state)
{
	static const char *const names[] = { "", "aes", "aes256gc", "aes256gcm ", "AES256GCM", "aes128gcm" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		enum suite suite = SUITES;

		assert_false(suite_find(&suite, names[i]));
		assert_int_equal(suite, SUITES);
	}
}

static void aes_is_available_if_libsodium_supports_it(void **state)
{
	for (aes_available = 0; aes_available < 2; aes_available++) {
		assert_true(suite_available(SUITE_CHACHA20POLY1305));
		assert_int_equal(suite_available(SUITE_AES256GCM), aes_available);
	}
}

static void no_provider_has_aes_without_aes_instructions(void **state)
{
	struct noise_keys keys = { .suite = SUITE_AES256GCM };
	struct aead_provider aead;
	struct session *session;

	aes_available = 0;
	assert_int_equal(aead_init(&aead, "auto"), 0);
	assert_null(aead.cipher[SUITE_AES256GCM]);
	assert_null(session_create(&aead, &keys, 0));
	keys.suite = SUITE_CHACHA20POLY1305;
	session = session_create(&aead, &keys, 0);
	assert_non_null(session);
	session_destroy(session);
	aead_destroy(&aead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_convert_both_ways),
		cmocka_unit_test(other_names_are_unknown),
		cmocka_unit_test(aes_is_available_if_libsodium_supports_it),
		cmocka_unit_test(no_provider_has_aes_without_aes_instructions),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
