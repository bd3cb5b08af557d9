/* SPDX-License-Identifier: MIT */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int network_why(char why[NETWORK_WHY], int status, const char *format, ...)
{
	char what[NETWORK_WHY];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(why, NETWORK_WHY, "%.180s: %s", what, strerror(-status));
	return status;
}
