/* SPDX-License-Identifier: MIT */
/* Tests of keys as text: known and random keys, and malformed texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/keytext.h"

#define COUNTING_BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define COUNTING_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void fill_counting(uint8_t key[KEY_BYTES])
{
	for (int i = 0; i < KEY_BYTES; i++)
		key[i] = (uint8_t)i;
}

static void a_known_key_converts_both_ways(void **state)
{
	uint8_t key[KEY_BYTES], read[KEY_BYTES];
	char base64[KEY_BASE64], hex[KEY_HEX];

	fill_counting(key);
	key_to_base64(base64, key);
	key_to_hex(hex, key);
	assert_string_equal(base64, COUNTING_BASE64);
	assert_string_equal(hex, COUNTING_HEX);
	assert_true(key_from_base64(read, base64));
	assert_memory_equal(read, key, KEY_BYTES);
	memset(read, 0, sizeof read);
	assert_true(key_from_hex(read, hex));
	assert_memory_equal(read, key, KEY_BYTES);
}

static void random_keys_survive_the_round_trip(void **state)
{
	uint8_t key[KEY_BYTES], read[KEY_BYTES];
	char base64[KEY_BASE64], hex[KEY_HEX];

	for (int i = 0; i < 1000; i++) {
		randombytes_buf(key, sizeof key);
		key_to_base64(base64, key);
		assert_true(key_from_base64(read, base64));
		assert_memory_equal(read, key, KEY_BYTES);
		key_to_hex(hex, key);
		assert_true(key_from_hex(read, hex));
		assert_memory_equal(read, key, KEY_BYTES);
	}
}

/* Also requires that a rejected text leaves the key as it was. */
static void assert_rejected(bool (*convert)(uint8_t key[KEY_BYTES], const char *text), const char *text)
{
	uint8_t key[KEY_BYTES], untouched[KEY_BYTES];

	memset(untouched, 0x5a, sizeof untouched);
	memcpy(key, untouched, sizeof key);
	if (convert(key, text))
		fail_msg("accepted: '%s'", text);
	assert_memory_equal(key, untouched, sizeof key);
}

static void malformed_base64_is_rejected(void **state)
{
	static const char *const texts[] = {
		"",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",   /* no padding */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", /* too much padding */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh89",  /* 33 bytes */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",  /* 31 bytes */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",  /* a bit set after the last byte */
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
		" AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"AAECAwQFBgcICQoL A0ODxAREhMUFRYXGBkaGxwdHh8=",
		"AAECAwQFBgcICQoL-A0ODxAREhMUFRYXGBkaGxwdHh8=", /* the URL alphabet */
		"AAECAwQFBgcICQoL_A0ODxAREhMUFRYXGBkaGxwdHh8=",
		"=AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		COUNTING_HEX,
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_rejected(key_from_base64, texts[i]);
}

static void base64_accepts_only_its_alphabet(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t key[KEY_BYTES];
	char text[] = COUNTING_BASE64;

	for (int byte = 1; byte < 256; byte++) {
		text[7] = (char)byte;
		assert_int_equal(key_from_base64(key, text), strchr(alphabet, byte) != NULL);
	}
}

static void hex_accepts_only_its_digits(void **state)
{
	uint8_t key[KEY_BYTES];
	char text[] = COUNTING_HEX;

	for (int byte = 1; byte < 256; byte++) {
		text[7] = (char)byte;
		assert_int_equal(key_from_hex(key, text), strchr("0123456789abcdefABCDEF", byte) != NULL);
	}
}

static void hex_digits_may_be_of_either_case(void **state)
{
	uint8_t key[KEY_BYTES], expected[KEY_BYTES];

	fill_counting(expected);
	assert_true(key_from_hex(key, "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1E1F"));
	assert_memory_equal(key, expected, sizeof key);
}

static void malformed_hex_is_rejected(void **state)
{
	static const char *const texts[] = {
		"",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
		"00:102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		" 00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		COUNTING_BASE64,
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_rejected(key_from_hex, texts[i]);
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

#define KEY "6KpcbY9tWfSPVKhYJkCSEfTjzLPyy4UY0TpjLWeDaWQ="
#define HEX "e8aa5c6d8f6d59f48f54a85826409211f4e3ccb3f2cb8518d13a632d67836964"

static void new_private_keys_are_clamped_and_differ(void **state)
{
	uint8_t key[KEY_BYTES], last[KEY_BYTES] = { 0 };

	for (int i = 0; i < 100; i++) {
		key_generate(key);
		assert_int_equal(key[0] & 7, 0);
		assert_int_equal(key[31] & 0xc0, 0x40);
		assert_memory_not_equal(key, last, KEY_BYTES);
		memcpy(last, key, KEY_BYTES);
	}
	memset(key, 0xff, sizeof key);
	key_clamp(key);
	assert_int_equal(key[0], 0xf8);
	assert_int_equal(key[31], 0x7f);
	for (int i = 1; i < KEY_BYTES - 1; i++)
		assert_int_equal(key[i], 0xff);
}

static void keys_in_a_text_are_masked(void **state)
{
	static const char *const cases[][2] = {
		{ "[#] wg set wg0 private-key <(echo " KEY ")", "[#] wg set wg0 private-key <(echo (key))" },
		{ KEY, "(key)" },
		{ "PrivateKey=" KEY KEY " and /" KEY, "PrivateKey=(key)(key) and /(key)" },
		{ "private_key=" HEX " " HEX ".", "private_key=(key) (key)." },
		/* Almost keys: one character less, a last character with bits that a key does not have, one digit more. */
		{ "6KpcbY9tWfSPVKhYJkCSEfTjzLPyy4UY0TpjLWeDaW=", "6KpcbY9tWfSPVKhYJkCSEfTjzLPyy4UY0TpjLWeDaW=" },
		{ "6KpcbY9tWfSPVKhYJkCSEfTjzLPyy4UY0TpjLWeDaWR=", "6KpcbY9tWfSPVKhYJkCSEfTjzLPyy4UY0TpjLWeDaWR=" },
		{ HEX "0", HEX "0" },
		{ "", "" },
		{ "a = b", "a = b" },
	};
	char text[256];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text, "%s", cases[i][0]);
		key_mask(text);
		assert_string_equal(text, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_key_converts_both_ways),
		cmocka_unit_test(random_keys_survive_the_round_trip),
		cmocka_unit_test(malformed_base64_is_rejected),
		cmocka_unit_test(base64_accepts_only_its_alphabet),
		cmocka_unit_test(malformed_hex_is_rejected),
		cmocka_unit_test(hex_accepts_only_its_digits),
		cmocka_unit_test(hex_digits_may_be_of_either_case),
		cmocka_unit_test(keys_in_a_text_are_masked),
		cmocka_unit_test(new_private_keys_are_clamped_and_differ),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
