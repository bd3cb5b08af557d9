/* SPDX-License-Identifier: MIT */
/* Keys of 32 bytes as text: the base64 of wg(8) and the hexadecimal of the control socket. Constant time in the key. */
#ifndef ADIT_BASE_KEYTEXT_H
#define ADIT_BASE_KEYTEXT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	KEY_BYTES = 32,
	KEY_BASE64 = 45, /* 44 characters and the end of the string */
	KEY_HEX = 65,    /* 64 characters and the end of the string */
};

void key_to_base64(char text[KEY_BASE64], const uint8_t key[KEY_BYTES]);
void key_to_hex(char text[KEY_HEX], const uint8_t key[KEY_BYTES]);

/* False, and `key` untouched, unless `text` is exactly one key (base64: 44 characters, canonical, as wg(8) wants it).
 */
bool key_from_base64(uint8_t key[KEY_BYTES], const char *text);
bool key_from_hex(uint8_t key[KEY_BYTES], const char *text);

#endif
