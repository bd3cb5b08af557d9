/* SPDX-License-Identifier: MIT */
/* New files with secrets: text of a limited size that is wiped, and files that appear complete or not at all. */
#ifndef ADIT_CLI_NEW_FILE_H
#define ADIT_CLI_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { TEXT_ROOM = 64 << 10 };

/* Zeroed memory is an empty text. */
struct text {
	char bytes[TEXT_ROOM];
	size_t length;
	bool full; /* something did not fit */
};

void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends "NAME = KEY" in base64. */
void text_key(struct text *text, const char *name, const unsigned char key[32]);
/* Wipes the text. It is empty afterwards. */
void text_wipe(struct text *text);

/*
 * Writes a new file of mode 0600: first under a hidden name in the same folder, then under its own, which appears when
 * the content is on the disk. Returns 0 or a negative errno: -EEXIST if there is such a file.
 */
int new_file_write(const char *path, const struct text *text);
/* Writes the text to standard output, past the buffers of stdio. Returns 0 or a negative errno. */
int new_file_print(const struct text *text);

#endif
