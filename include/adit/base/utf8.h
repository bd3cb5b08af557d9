/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629): text that others wrote, for JSON, logs and terminals. */
#ifndef ADIT_BASE_UTF8_H
#define ADIT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

enum { UTF8_MAX = 4 }; /* bytes of a character */

/*
 * Returns the length of the UTF-8 character at `text` (RFC 3629, section 4), or 0 if it is invalid: overlong forms,
 * surrogates and anything beyond U+10FFFF are. A NUL byte is a character of length 1.
 */
int utf8_length(const char *text);

/*
 * Returns the length of the byte order mark at the beginning of a text of `length` bytes, which some editors write, or
 * 0 if there is none.
 */
size_t utf8_mark_length(const char *text, size_t length);

/* Returns the code point of the valid character at `text`, whose length is `length`. */
unsigned utf8_code_point(const char *text, int length);

/*
 * True if the string is valid UTF-8 that cannot confuse a terminal: no control characters, no line separators, and no
 * characters that change the direction of the text after them.
 */
bool utf8_printable(const char *text);

#endif
