/* SPDX-License-Identifier: MIT */
/*
 * Keys: new private ones, and their text, which is base64 as in wg(8), or hexadecimal as on the control socket. All
 * conversions run in constant time.
 */
#ifndef ADIT_BASE_KEYTEXT_H
#define ADIT_BASE_KEYTEXT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	KEY_BYTES = 32,
	KEY_BASE64 = 45, /* 44 characters and the terminating NUL */
	KEY_HEX = 65,    /* 64 characters and the terminating NUL */
};

/* Clears and sets the bits that X25519 requires of a private key (RFC 7748, section 5). */
void key_clamp(uint8_t private_key[KEY_BYTES]);
/* Makes a random private key. */
void key_generate(uint8_t private_key[KEY_BYTES]);

void key_to_base64(char text[KEY_BASE64], const uint8_t key[KEY_BYTES]);
void key_to_hex(char text[KEY_HEX], const uint8_t key[KEY_BYTES]);

/*
 * Return true if `text` is exactly one key, without blanks. Otherwise they return false and leave `key` unchanged. Like
 * wg(8), key_from_base64 accepts only the canonical form: 44 characters, and no bits set after the last byte.
 * Hexadecimal digits may be of either case.
 */
bool key_from_base64(uint8_t key[KEY_BYTES], const char *text);
bool key_from_hex(uint8_t key[KEY_BYTES], const char *text);

/* Whether the text may contain a key, or half of one: 20 characters of base64 in a row. Then it must not be shown. */
bool key_like(const char *text);

/*
 * Replaces each key in the text by "(key)". A key is 44 characters of base64, or 64 hexadecimal digits, whatever stands
 * beside them. For texts that others wrote, which may contain secrets.
 */
void key_mask(char *text);

#endif
