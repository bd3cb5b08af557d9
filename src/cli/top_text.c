/* SPDX-License-Identifier: MIT */
/* top: writes numbers as short texts. */
#include "top_text.h"

#include <inttypes.h>
#include <stdio.h>

/* Divides by `step` until fewer than `limit` remain. Returns the number of divisions, at most `max`. */
static int scale(double *number, double step, double limit, int max)
{
	int divisions = 0;

	while (*number >= limit && divisions < max) {
		*number /= step;
		divisions++;
	}
	return divisions;
}

/* Returns how many digits after the point make three in all. */
static int decimals(double number)
{
	if (number >= 99.95)
		return 0;
	return number >= 9.995 ? 1 : 2;
}

static const char *text_scaled(char text[TOP_TEXT], double number, const char *space, const char *unit)
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
	int prefix;

	if (number < 0) {
		snprintf(text, TOP_TEXT, "-");
		return text;
	}
	prefix = scale(&number, 1000, 999.5, 6);
	snprintf(text, TOP_TEXT, "%.*f%s%s%s", prefix ? decimals(number) : 0, number, space, prefixes[prefix], unit);
	return text;
}

const char *top_text_number(char text[TOP_TEXT], double number)
{
	return text_scaled(text, number, "", "");
}

const char *top_text_bits(char text[TOP_TEXT], double bytes)
{
	return text_scaled(text, 8 * bytes, " ", "bit/s");
}

const char *top_text_bytes(char text[TOP_TEXT], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double number = (double)bytes;
	int unit = scale(&number, 1024, 1023.5, 6);

	snprintf(text, TOP_TEXT, "%.*f %s", unit ? decimals(number) : 0, number, units[unit]);
	return text;
}

const char *top_text_percent(char text[TOP_TEXT], double percent)
{
	if (percent < 0)
		snprintf(text, TOP_TEXT, "-");
	else if (percent == 0)
		snprintf(text, TOP_TEXT, "0%%");
	else
		snprintf(text, TOP_TEXT, "%.*f%%", decimals(percent), percent);
	return text;
}

const char *top_text_time(char text[TOP_TEXT], uint64_t nanoseconds)
{
	double milliseconds = (double)nanoseconds / 1e6;

	if (!nanoseconds)
		snprintf(text, TOP_TEXT, "-");
	else if (milliseconds < 999.5)
		snprintf(text, TOP_TEXT, "%.*f ms", decimals(milliseconds), milliseconds);
	else
		snprintf(text, TOP_TEXT, "%.*f s", decimals(milliseconds / 1000), milliseconds / 1000);
	return text;
}

const char *top_text_age(char text[TOP_TEXT], uint64_t seconds)
{
	if (seconds < 120)
		snprintf(text, TOP_TEXT, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		snprintf(text, TOP_TEXT, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 172800)
		snprintf(text, TOP_TEXT, "%" PRIu64 " h", seconds / 3600);
	else
		snprintf(text, TOP_TEXT, "%" PRIu64 " d", seconds / 86400);
	return text;
}
