/* SPDX-License-Identifier: MIT */
/* INI: formats findings, limits their number, and keeps keys out of them. */
#include "ini_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	FINDINGS_SHOWN = 100,
	FINDING_BYTES = 2048,
	QUOTE_MAX = 60,    /* bytes of a value that are shown */
	KEY_LIKE_RUN = 20, /* base64 characters in a row that may be part of a key; half a key has 22 */
};

static void report_finding(const struct ini_parser *parser, const struct config_file *file, int line,
						   const char *severity, const char *format, va_list arguments)
{
	const char *name = file ? file->path : parser->name;
	struct ini_report *report = parser->report;
	char text[FINDING_BYTES];
	int length;

	if (report->errors + report->warnings > FINDINGS_SHOWN)
		return;
	if (report->errors + report->warnings == FINDINGS_SHOWN) {
		snprintf(text, sizeof text, "%s: too many findings; only the first %d are shown", parser->name, FINDINGS_SHOWN);
		report->line(report->context, text);
		return;
	}
	if (line)
		length = snprintf(text, sizeof text, "%s:%d: %s: ", name, line, severity);
	else
		length = snprintf(text, sizeof text, "%s: %s: ", name, severity);
	if (length >= 0 && length < FINDING_BYTES)
		vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
	report->line(report->context, text);
}

static void report_error(const struct ini_parser *parser, const struct config_file *file, int line, const char *format,
						 va_list arguments)
{
	report_finding(parser, file, line, "error", format, arguments);
	parser->report->errors++;
}

static void report_warning(const struct ini_parser *parser, const struct config_file *file, int line,
						   const char *format, va_list arguments)
{
	report_finding(parser, file, line, "warning", format, arguments);
	parser->report->warnings++;
}

void ini_error(const struct ini_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_error(parser, parser->file, line, format, arguments);
	va_end(arguments);
}

void ini_error_in(const struct ini_parser *parser, const struct config_file *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_error(parser, file, line, format, arguments);
	va_end(arguments);
}

void ini_warning(const struct ini_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_warning(parser, parser->file, line, format, arguments);
	va_end(arguments);
}

void ini_warning_in(const struct ini_parser *parser, const struct config_file *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_warning(parser, file, line, format, arguments);
	va_end(arguments);
}

void ini_advice_in(const struct ini_parser *parser, const struct config_file *file, int line, const char *format, ...)
{
	va_list arguments;

	if (!parser->report->advice)
		return;
	va_start(arguments, format);
	report_warning(parser, file, line, format, arguments);
	va_end(arguments);
}

void ini_exposure(const struct ini_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (parser->report->strict)
		report_error(parser, parser->file, line, format, arguments);
	else
		report_warning(parser, parser->file, line, format, arguments);
	va_end(arguments);
}

static bool may_contain_key(const char *text)
{
	int run = 0;

	for (; *text; text++) {
		bool base64 = isalnum((unsigned char)*text) || *text == '+' || *text == '/';
		run = base64 ? run + 1 : 0;
		if (run >= KEY_LIKE_RUN)
			return true;
	}
	return false;
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
	if (!may_contain_key(text))
		return ini_quote_word(quoted, text);
	snprintf(quoted, INI_QUOTE, "the value (not shown, because it may be a key)");
	return quoted;
}
