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
		if (!length)
			fputs("\\ufffd", to);
		else if ((unsigned char)*text < ' ' || *text == 127)
			fprintf(to, "\\u%04x", *text);
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
