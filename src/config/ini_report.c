/* SPDX-License-Identifier: MIT */
/* INI: formats findings, limits their number, and keeps keys out of them. */
#include "ini_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/keytext.h"

enum {
	FINDINGS_SHOWN = 100,
	FINDING_BYTES = 2048,
	QUOTE_MAX = 60, /* bytes of a value that are shown */
};

void ini_finding(const struct ini_parser *parser, enum ini_severity severity, const struct config_file *file, int line,
				 const char *format, ...)
{
	struct ini_report *report = parser->report;
	bool error = severity == INI_ERROR || (severity == INI_EXPOSURE && report->strict);
	const char *name = file ? file->path : parser->name, *word = error ? "error" : "warning";
	int findings = report->errors + report->warnings, length;
	char text[FINDING_BYTES];
	va_list arguments;

	if (severity == INI_ADVICE && !report->advice)
		return;
	++*(error ? &report->errors : &report->warnings);
	if (findings > FINDINGS_SHOWN || !report->line)
		return;
	if (findings == FINDINGS_SHOWN) {
		snprintf(text, sizeof text, "%s: too many findings; only the first %d are shown", parser->name, FINDINGS_SHOWN);
		report->line(report->context, text);
		return;
	}
	if (line)
		length = snprintf(text, sizeof text, "%s:%d: %s: ", name, line, word);
	else
		length = snprintf(text, sizeof text, "%s: %s: ", name, word);
	va_start(arguments, format);
	if (length >= 0 && length < FINDING_BYTES)
		vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
	va_end(arguments);
	report->line(report->context, text);
}

void ini_print_line(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

const char *ini_quote_word(char quoted[INI_QUOTE], const char *text)
{
	snprintf(quoted, INI_QUOTE, "\"%.*s\"%s", QUOTE_MAX, text, strlen(text) > QUOTE_MAX ? "..." : "");
	for (char *c = quoted; *c; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
	return quoted;
}

const char *ini_quote(char quoted[INI_QUOTE], const char *text)
{
	/* A key that was pasted after the wrong name must not end up in a log. */
	if (!key_like(text))
		return ini_quote_word(quoted, text);
	snprintf(quoted, INI_QUOTE, "the value (not shown, because it may be a key)");
	return quoted;
}
