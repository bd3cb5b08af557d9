/* SPDX-License-Identifier: MIT */
/* Keys as text: base64 as in wg(8), hexadecimal as on the control socket. All conversions run in constant time. */
#ifndef ADIT_BASE_KEYTEXT_H
#define ADIT_BASE_KEYTEXT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	KEY_BYTES = 32,
	KEY_BASE64 = 45, /* 44 characters and the terminating NUL */
	KEY_HEX = 65,    /* 64 characters and the terminating NUL */
};

void key_to_base64(char text[KEY_BASE64], const uint8_t key[KEY_BYTES]);
void key_to_hex(char text[KEY_HEX], const uint8_t key[KEY_BYTES]);

/*
 * Return true if `text` is exactly one key, without blanks. Otherwise they return false and leave `key` unchanged. Like
 * wg(8), key_from_base64 accepts only the canonical form: 44 characters, and no bits set after the last byte.
 * Hexadecimal digits may be of either case.
 */
bool key_from_base64(uint8_t key[KEY_BYTES], const char *text);
bool key_from_hex(uint8_t key[KEY_BYTES], const char *text);

/* Whether the text may contain a key, or half of one, so that it must not be shown: 20 characters of base64 in a row. */
bool key_like(const char *text);

/*
 * Replaces each key in the text by "(key)": what is 44 characters of base64 or 64 hexadecimal digits, whatever stands
 * beside it. For texts that others wrote, which may contain secrets.
 */
void key_mask(char *text);

#endif
