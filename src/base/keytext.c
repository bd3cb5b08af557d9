/* SPDX-License-Identifier: MIT */
#include "base/keytext.h"

#include <sodium.h>
#include <string.h>

void key_to_base64(char text[KEY_BASE64], const uint8_t key[KEY_BYTES])
{
	sodium_bin2base64(text, KEY_BASE64, key, KEY_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

void key_to_hex(char text[KEY_HEX], const uint8_t key[KEY_BYTES])
{
	sodium_bin2hex(text, KEY_HEX, key, KEY_BYTES);
}

/* libsodium writes as it reads, so a decoded key waits in a local until all of the text has passed. */
static bool accept(uint8_t key[KEY_BYTES], uint8_t decoded[KEY_BYTES], bool whole)
{
	if (whole)
		memcpy(key, decoded, KEY_BYTES);
	sodium_memzero(decoded, KEY_BYTES);
	return whole;
}

bool key_from_base64(uint8_t key[KEY_BYTES], const char *text)
{
	uint8_t decoded[KEY_BYTES];
	char canonical[KEY_BASE64];
	size_t length = strlen(text), written = 0;
	bool whole = length == KEY_BASE64 - 1 &&
				 sodium_base642bin(decoded, sizeof decoded, text, length, NULL, &written, NULL,
								   sodium_base64_VARIANT_ORIGINAL) == 0 &&
				 written == KEY_BYTES;

	/* libsodium 1.0.18 reads bytes above 127 as if they were letters. */
	if (whole) {
		key_to_base64(canonical, decoded);
		whole = sodium_memcmp(canonical, text, sizeof canonical) == 0;
		sodium_memzero(canonical, sizeof canonical);
	}
	return accept(key, decoded, whole);
}

bool key_from_hex(uint8_t key[KEY_BYTES], const char *text)
{
	uint8_t decoded[KEY_BYTES];
	size_t length = strlen(text);
	bool whole = length == KEY_HEX - 1 && sodium_hex2bin(decoded, sizeof decoded, text, length, NULL, NULL, NULL) == 0;

	return accept(key, decoded, whole);
}
