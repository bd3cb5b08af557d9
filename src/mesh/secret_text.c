/* SPDX-License-Identifier: MIT */
/* Text that grows. */
#include "secret_text.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keytext.h"

enum { TEXT_ROOM_MIN = 4096 };

/* realloc(3) would leave a copy behind. */
static bool text_reserve(struct secret_text *text, size_t length)
{
	size_t room = text->room ? text->room : TEXT_ROOM_MIN;
	char *larger;

	if (text->failed || text->length + length < text->room)
		return !text->failed;
	while (room <= text->length + length)
		room *= 2;
	larger = malloc(room);
	if (!larger) {
		text->failed = true;
		return false;
	}
	if (text->bytes) {
		memcpy(larger, text->bytes, text->length);
		sodium_memzero(text->bytes, text->length);
		free(text->bytes);
	}
	text->bytes = larger;
	text->room = room;
	return true;
}

void secret_text_append(struct secret_text *text, const char *bytes, size_t length)
{
	if (!text_reserve(text, length))
		return;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void secret_text_printf(struct secret_text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || !text_reserve(text, (size_t)length))
		return;
	va_start(arguments, format);
	vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	text->length += (size_t)length;
}

void secret_text_key(struct secret_text *text, const char *name, const uint8_t key[32])
{
	char base64[KEY_BASE64];

	key_to_base64(base64, key);
	secret_text_append(text, name, strlen(name));
	secret_text_append(text, " = ", 3);
	secret_text_append(text, base64, KEY_BASE64 - 1);
	secret_text_append(text, "\n", 1);
	sodium_memzero(base64, sizeof base64);
}

void secret_text_clear(struct secret_text *text)
{
	text->length = 0;
	text->failed = false;
}

void secret_text_destroy(struct secret_text *text)
{
	if (text->bytes)
		sodium_memzero(text->bytes, text->room);
	free(text->bytes);
	*text = (struct secret_text) { 0 };
}
