/* SPDX-License-Identifier: MIT */
/* JSON: writes text as JSON strings (RFC 8259, section 7). */
#ifndef ADIT_BASE_JSON_H
#define ADIT_BASE_JSON_H

#include <stdio.h>

/*
 * Replaces bytes that are not valid UTF-8 by U+FFFD, because JSON parsers would reject the document. Characters that
 * are not printable, in the sense of utf8_printable, are escaped, because the document may be shown on a terminal.
 */
void json_string(FILE *to, const char *text);
/* Writes "name": and the text, or null if the text is NULL or empty. */
void json_string_or_null(FILE *to, const char *name, const char *text);

#endif
