/* SPDX-License-Identifier: MIT */
/* Reasons of failures, as text. */
#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int reason_set(struct reason *reason, int error, const char *format, ...)
{
	va_list arguments;

	if (!reason)
		return error;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof reason->text, format, arguments);
	va_end(arguments);
	return error;
}

int reason_set_errno(struct reason *reason, int error, const char *format, ...)
{
	char object[REASON_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(object, sizeof object, format, arguments);
	va_end(arguments);
	/* Truncate a long object, so that the error, which explains the failure, fits. */
	return reason_set(reason, error, "%.180s: %s", object, strerror(-error));
}
