/* SPDX-License-Identifier: MIT */
/* Tests of the trial: correct ciphers pass, and each kind of faulty cipher fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "aead_cipher.h"
#include "base/clock.h"

static const struct aead_provider *const libsodium = &aead_libsodium;

/* Faulty ciphers: the correct cipher with one fault each. */

static int fault_length; /* the only length with the fault, or -1: all lengths */

static bool faulty(size_t length)
{
	return fault_length < 0 || (size_t)fault_length == length;
}

static void correct_seal(uint64_t counter, const void *key, uint8_t *data, size_t length)
{
	libsodium->cipher[0]->seal(libsodium, key, counter, data, length);
}

static int correct_open(uint64_t counter, const void *key, uint8_t *out, const uint8_t *in, size_t length)
{
	return libsodium->cipher[0]->open(libsodium, key, counter, out, in, length);
}

static void key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	libsodium->cipher[0]->key_set(libsodium, key, secret);
}

static void seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	correct_seal(counter, key, data, length);
}

static int open_one(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
					const uint8_t *in, size_t length)
{
	return correct_open(counter, key, out, in, length);
}

static void leave_plain(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
						size_t length)
{
	if (!faulty(length))
		correct_seal(counter, key, data, length);
}

static void other_counter(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
						  size_t length)
{
	correct_seal(counter + faulty(length), key, data, length);
}

static void wrong_tag(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	correct_seal(counter, key, data, length);
	data[length + AEAD_TAG - 1] ^= faulty(length);
}

static void other_key(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	uint8_t other[AEAD_KEY];

	memcpy(other, secret, AEAD_KEY);
	other[AEAD_KEY - 1] ^= 1;
	libsodium->cipher[0]->key_set(libsodium, key, other);
}

static int reject_all(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
					  const uint8_t *in, size_t length)
{
	return faulty(length) ? -EBADMSG : correct_open(counter, key, out, in, length);
}

static int accept_forgeries(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
							const uint8_t *in, size_t length)
{
	int error = correct_open(counter, key, out, in, length);

	return faulty(length) ? 0 : error;
}

static int open_to_garbage(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
						   const uint8_t *in, size_t length)
{
	int error = correct_open(counter, key, out, in, length);

	if (faulty(length))
		memset(out, 0xee, length);
	return error;
}

static bool passes(const struct aead_cipher *cipher)
{
	return aead_trial_passed(libsodium, cipher);
}

static const struct aead_cipher correct = {
	"correct", SUITE_CHACHA20POLY1305, AEAD_KEY, key_set, seal, open_one, false
};

static void correct_ciphers_pass(void **state)
{
	assert_true(passes(&correct));
	for (int suite = 0; suite < SUITES; suite++) {
		if (suite_available((enum suite)suite))
			assert_true(passes(libsodium->cipher[suite]));
	}
}

static void faulty_ciphers_fail(void **state)
{
	const struct aead_cipher wrong[] = {
		{ "", 0, AEAD_KEY, key_set, leave_plain, open_one, false },
		{ "", 0, AEAD_KEY, key_set, other_counter, open_one, false },
		{ "", 0, AEAD_KEY, key_set, wrong_tag, open_one, false },
		{ "", 0, AEAD_KEY, other_key, seal, open_one, false },
		{ "", 0, AEAD_KEY, key_set, seal, reject_all, false },
		{ "", 0, AEAD_KEY, key_set, seal, accept_forgeries, false },
		{ "", 0, AEAD_KEY, key_set, seal, open_to_garbage, false },
	};

	fault_length = -1;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(passes(&wrong[i]));
}

enum { LARGE_KEY = 5000 };

/* Fills a prepared key that is larger than that of any library, with the real key at its end. */
static void set_large_key(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	memset(key, 0xee, LARGE_KEY);
	memcpy((uint8_t *)key + LARGE_KEY - AEAD_KEY, secret, AEAD_KEY);
}

static void seal_large_key(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
						   size_t length)
{
	correct_seal(counter, (const uint8_t *)key + LARGE_KEY - AEAD_KEY, data, length);
}

static int open_large_key(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
						  const uint8_t *in, size_t length)
{
	return correct_open(counter, (const uint8_t *)key + LARGE_KEY - AEAD_KEY, out, in, length);
}

/* The size of a prepared key depends on the library and its version: 1264 bytes for AES-GCM with IPsec-MB 2.0. */
static void the_trial_allocates_keys_of_any_size(void **state)
{
	const struct aead_cipher large = { "large",        SUITE_CHACHA20POLY1305, LARGE_KEY, set_large_key,
									   seal_large_key, open_large_key,         false };

	assert_true(passes(&large));
	assert_uint_in_range(aead_trial_time(libsodium, &large), 1, NS_PER_S);
}

/* ChaCha20-Poly1305 under the name of the other suite. */
static void the_other_suite_fails(void **state)
{
	struct aead_cipher mistaken = correct;

	mistaken.suite = SUITE_AES256GCM;
	if (suite_available(SUITE_AES256GCM))
		assert_false(passes(&mistaken));
}

static void a_fault_at_one_length_fails(void **state)
{
	static const int lengths[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct aead_cipher wrong = correct;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		fault_length = lengths[i];
		wrong.seal = wrong_tag;
		wrong.open = open_one;
		assert_false(passes(&wrong));
		wrong.seal = seal;
		wrong.open = accept_forgeries;
		assert_false(passes(&wrong));
	}
}

#define NAP (10 * NS_PER_MS) /* much longer than a round without naps takes, on a busy machine, too */

static int calls, quick_call; /* of slow_seal; the round that is not slow */

static void slow_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	const struct timespec nap = { .tv_nsec = NAP };

	if (calls++ / 2 != quick_call)
		nanosleep(&nap, NULL);
	correct_seal(counter, key, data, length);
}

static void the_fastest_round_counts(void **state)
{
	struct aead_cipher slow = correct;

	slow.seal = slow_seal;
	calls = 0;
	quick_call = -1;
	assert_true(aead_trial_time(libsodium, &slow) >= 2 * NAP);
	calls = 0;
	quick_call = 5;
	assert_uint_in_range(aead_trial_time(libsodium, &slow), 1, 2 * NAP - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(correct_ciphers_pass),     cmocka_unit_test(faulty_ciphers_fail),
		cmocka_unit_test(the_other_suite_fails),    cmocka_unit_test(a_fault_at_one_length_fails),
		cmocka_unit_test(the_fastest_round_counts), cmocka_unit_test(the_trial_allocates_keys_of_any_size),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
