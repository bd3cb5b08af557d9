/* SPDX-License-Identifier: MIT */
/* Text that grows, and that may contain keys: no copy of it stays in freed memory. */
#ifndef ADIT_MESH_SECRET_TEXT_H
#define ADIT_MESH_SECRET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory is an empty text. */
struct secret_text {
	char *bytes;
	size_t length, room;
	bool failed; /* out of memory: the text is incomplete */
};

void secret_text_append(struct secret_text *text, const char *bytes, size_t length);
void secret_text_printf(struct secret_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends "NAME = KEY" in base64. */
void secret_text_key(struct secret_text *text, const char *name, const uint8_t key[32]);
/* Makes the text empty and keeps its memory. */
void secret_text_clear(struct secret_text *text);
/* Wipes and frees. Accepts a zeroed struct, and leaves one. */
void secret_text_destroy(struct secret_text *text);

#endif
