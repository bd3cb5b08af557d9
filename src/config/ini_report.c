/* SPDX-License-Identifier: MIT */
#include "ini_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	FINDINGS_SHOWN = 100,
	FINDING_BYTES = 1024,
	KEY_LIKE_RUN = 20, /* half a key is 22 characters of base64 */
};

static void tell(const struct ini_parser *parser, int line, const char *severity, const char *format, va_list arguments)
{
	struct ini_report *report = parser->report;
	char text[FINDING_BYTES];
	int head;

	if (report->errors + report->warnings > FINDINGS_SHOWN)
		return;
	if (report->errors + report->warnings == FINDINGS_SHOWN) {
		snprintf(text, sizeof text, "%s: there are more findings than these %d", parser->name, FINDINGS_SHOWN);
		report->line(report->context, text);
		return;
	}
	head = line ? snprintf(text, sizeof text, "%s:%d: %s: ", parser->name, line, severity)
				: snprintf(text, sizeof text, "%s: %s: ", parser->name, severity);
	if (head >= 0 && head < FINDING_BYTES)
		vsnprintf(text + head, sizeof text - (size_t)head, format, arguments);
	report->line(report->context, text);
}

void ini_error(const struct ini_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(parser, line, "error", format, arguments);
	va_end(arguments);
	parser->report->errors++;
}

void ini_warning(const struct ini_parser *parser, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(parser, line, "warning", format, arguments);
	va_end(arguments);
	parser->report->warnings++;
}

static bool may_hold_key(const char *text)
{
	for (int run = 0; *text; text++) {
		run = isalnum((unsigned char)*text) || *text == '+' || *text == '/' ? run + 1 : 0;
		if (run >= KEY_LIKE_RUN)
			return true;
	}
	return false;
}

const char *ini_quote(char shown[INI_QUOTE], const char *text)
{
	/* A key pasted behind the wrong name must not end up in a log. */
	if (may_hold_key(text))
		snprintf(shown, INI_QUOTE, "this value, not shown as it may be a key,");
	else
		snprintf(shown, INI_QUOTE, "'%.60s'%s", text, strlen(text) > 60 ? "..." : "");
	for (char *c = shown; *c; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
	return shown;
}
