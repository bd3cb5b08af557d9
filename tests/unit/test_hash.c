/* SPDX-License-Identifier: MIT */
/* Tests of BLAKE2s, HMAC and KDF against RFC 7693 and against Python (tests/vectors/hash.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../vectors/hash.h"

#include "crypto/hash.h"

enum { VECTORS = sizeof hash_vectors / sizeof *hash_vectors, LONGEST = 200 };

/* The inputs of hash.py. */
static void pattern(uint8_t bytes[LONGEST], uint8_t start)
{
	for (size_t i = 0; i < LONGEST; i++)
		bytes[i] = (uint8_t)(start + 7 * i);
}

static void blake2s_matches_rfc7693(void **state)
{
	static const uint8_t expected[HASH_BYTES] = {
		0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb, 0x45, 0x2f,
		0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
	};
	uint8_t hash[HASH_BYTES];

	hash_blake2s(hash, "abc", 3, NULL, 0);
	assert_memory_equal(hash, expected, sizeof hash);
	hash_blake2s(hash, NULL, 0, "abc", 3);
	assert_memory_equal(hash, expected, sizeof hash);
}

static void blake2s_accepts_two_parts(void **state)
{
	uint8_t data[LONGEST], hash[HASH_BYTES];

	pattern(data, 3);
	for (size_t i = 0; i < VECTORS; i++) {
		const struct hash_vector *v = &hash_vectors[i];
		for (size_t cut = 0; cut <= v->length; cut++) {
			hash_blake2s(hash, data, cut, data + cut, v->length - cut);
			assert_memory_equal(hash, v->hash, sizeof hash);
		}
	}
}

static void blake2s_may_overwrite_its_input(void **state)
{
	uint8_t hash[HASH_BYTES], data[LONGEST];

	pattern(data, 3);
	hash_blake2s(data, data, HASH_BYTES, data + HASH_BYTES, 1); /* 33 bytes: vector 5 */
	assert_int_equal(hash_vectors[5].length, HASH_BYTES + 1);
	memcpy(hash, hash_vectors[5].hash, sizeof hash);
	assert_memory_equal(data, hash, sizeof hash);
}

static void mac_matches_python(void **state)
{
	uint8_t data[LONGEST], key[LONGEST], mac[HASH_MAC_BYTES];

	pattern(data, 3);
	pattern(key, 100);
	for (size_t i = 0; i < VECTORS; i++) {
		const struct hash_vector *v = &hash_vectors[i];
		hash_mac(mac, key, v->mac_key_length, data, v->length);
		assert_memory_equal(mac, v->mac, sizeof mac);
	}
}

static void hmac_matches_python(void **state)
{
	uint8_t data[LONGEST], key[LONGEST], hmac[HASH_BYTES];

	pattern(data, 3);
	pattern(key, 200);
	for (size_t i = 0; i < VECTORS; i++) {
		const struct hash_vector *v = &hash_vectors[i];
		hash_hmac(hmac, key, v->hmac_key_length, data, v->length);
		assert_memory_equal(hmac, v->hmac, sizeof hmac);
	}
}

static void kdf_matches_python(void **state)
{
	uint8_t data[LONGEST], key[LONGEST], out[3][HASH_BYTES];

	pattern(data, 3);
	for (size_t i = 0; i < VECTORS; i++) {
		const struct hash_vector *v = &hash_vectors[i];
		for (int count = 1; count <= 3; count++) {
			pattern(key, 50);
			memset(out, 0, sizeof out);
			hash_kdf(out[0], count > 1 ? out[1] : NULL, count > 2 ? out[2] : NULL, key, data, v->length);
			assert_memory_equal(out[0], v->kdf1, HASH_BYTES);
			assert_int_equal(memcmp(out[1], v->kdf2, HASH_BYTES) == 0, count > 1);
			assert_int_equal(memcmp(out[2], v->kdf3, HASH_BYTES) == 0, count > 2);
		}
	}
}

static void kdf_may_overwrite_its_key(void **state)
{
	uint8_t key[LONGEST], second[HASH_BYTES];

	pattern(key, 50);
	hash_kdf(key, second, NULL, key, NULL, 0); /* no input: vector 0 */
	assert_int_equal(hash_vectors[0].length, 0);
	assert_memory_equal(key, hash_vectors[0].kdf1, HASH_BYTES);
	assert_memory_equal(second, hash_vectors[0].kdf2, HASH_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blake2s_matches_rfc7693),
		cmocka_unit_test(blake2s_accepts_two_parts),
		cmocka_unit_test(blake2s_may_overwrite_its_input),
		cmocka_unit_test(mac_matches_python),
		cmocka_unit_test(hmac_matches_python),
		cmocka_unit_test(kdf_matches_python),
		cmocka_unit_test(kdf_may_overwrite_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
