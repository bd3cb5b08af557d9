/* SPDX-License-Identifier: MIT */
/* Keys: libsodium does the conversions in constant time. */
#include "base/keytext.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

enum { KEY_LIKE_RUN = 20 }; /* half a key has 22 */

void key_clamp(uint8_t private_key[KEY_BYTES])
{
	private_key[0] &= 248;
	private_key[31] = (private_key[31] & 127) | 64;
}

void key_generate(uint8_t private_key[KEY_BYTES])
{
	randombytes_buf(private_key, KEY_BYTES);
	key_clamp(private_key);
}

void key_to_base64(char text[KEY_BASE64], const uint8_t key[KEY_BYTES])
{
	sodium_bin2base64(text, KEY_BASE64, key, KEY_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

void key_to_hex(char text[KEY_HEX], const uint8_t key[KEY_BYTES])
{
	sodium_bin2hex(text, KEY_HEX, key, KEY_BYTES);
}

/*
 * Copies the decoded key to `key` if the text was valid, and wipes `decoded` in either case. libsodium writes bytes
 * while it parses, so the callers decode into a local array.
 */
static bool move_key(uint8_t key[KEY_BYTES], uint8_t decoded[KEY_BYTES], bool valid)
{
	if (valid)
		memcpy(key, decoded, KEY_BYTES);
	sodium_memzero(decoded, KEY_BYTES);
	return valid;
}

bool key_from_base64(uint8_t key[KEY_BYTES], const char *text)
{
	uint8_t decoded[KEY_BYTES];
	char canonical[KEY_BASE64];
	size_t length = strlen(text), written = 0;
	bool valid = length == KEY_BASE64 - 1 &&
				 sodium_base642bin(decoded, sizeof decoded, text, length, NULL, &written, NULL,
								   sodium_base64_VARIANT_ORIGINAL) == 0 &&
				 written == KEY_BYTES;

	/* libsodium 1.0.18 decodes bytes above 127 as if they were letters, so encode the key again and compare. */
	if (valid) {
		key_to_base64(canonical, decoded);
		valid = sodium_memcmp(canonical, text, sizeof canonical) == 0;
		sodium_memzero(canonical, sizeof canonical);
	}
	return move_key(key, decoded, valid);
}

bool key_from_hex(uint8_t key[KEY_BYTES], const char *text)
{
	uint8_t decoded[KEY_BYTES];
	size_t length = strlen(text);
	bool valid = length == KEY_HEX - 1 && sodium_hex2bin(decoded, sizeof decoded, text, length, NULL, NULL, NULL) == 0;

	return move_key(key, decoded, valid);
}

static bool is_base64(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/';
}

/*
 * Returns the length of the key that ends at `end`, the `run` characters of base64 or hexadecimal before it; 0: none.
 */
static size_t key_length(const char *end, size_t run)
{
	enum { BASE64 = KEY_BASE64 - 2, HEX = KEY_HEX - 1 }; /* BASE64: without the "=" */
	char text[KEY_HEX] = "";
	uint8_t key[KEY_BYTES];

	if (*end == '=' && run >= BASE64) {
		memcpy(text, end - BASE64, BASE64 + 1);
		return key_from_base64(key, text) ? BASE64 + 1 : 0;
	}
	if (run != HEX)
		return 0;
	memcpy(text, end - HEX, HEX);
	return key_from_hex(key, text) ? HEX : 0;
}

bool key_like(const char *text)
{
	int run = 0;

	for (; *text && run < KEY_LIKE_RUN; text++)
		run = is_base64(*text) ? run + 1 : 0;
	return run == KEY_LIKE_RUN;
}

void key_mask(char *text)
{
	static const char mask[] = "(key)";
	size_t run = 0;

	for (char *at = text;; at++) {
		size_t length = is_base64(*at) ? 0 : key_length(at, run);

		if (length) {
			char *end = at + (*at == '='), *start = end - length;

			memcpy(start, mask, sizeof mask - 1);
			at = start + sizeof mask - 1;
			memmove(at, end, strlen(end) + 1);
			run = 0;
		}
		if (!*at)
			return;
		run = is_base64(*at) ? run + 1 : 0;
	}
}
