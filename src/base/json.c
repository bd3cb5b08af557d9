/* SPDX-License-Identifier: MIT */
/* JSON strings. */
#include "base/json.h"

#include <string.h>

#include "base/utf8.h"

void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	while (*text) {
		int length = utf8_length(text);
		char character[UTF8_MAX + 1] = "";

		memcpy(character, text, (size_t)length);
		if (!length)
			fputs("\\ufffd", to);
		else if (!utf8_printable(character)) /* all of them have 16 bits */
			fprintf(to, "\\u%04x", utf8_code_point(text, length));
		else
			fprintf(to, "%s%.*s", strchr("\"\\", *text) ? "\\" : "", length, text);
		text += length ? length : 1;
	}
	fputc('"', to);
}

void json_string_or_null(FILE *to, const char *name, const char *text)
{
	fprintf(to, "\"%s\": ", name);
	if (text && *text)
		json_string(to, text);
	else
		fputs("null", to);
}
