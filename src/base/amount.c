/* SPDX-License-Identifier: MIT */
/* Amounts as text for people. */
#include "base/amount.h"

#include <inttypes.h>
#include <stdio.h>

/* Three significant digits: 1.23, 12.3, 123; and 1000 to 1023 before the next power of 1024. */
static void write_digits(char text[AMOUNT_TEXT], double number, const char *unit)
{
	int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;

	snprintf(text, AMOUNT_TEXT, "%.*f %s", decimals, number, unit);
}

const char *amount_bytes(char text[AMOUNT_TEXT], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double amount = (double)bytes / 1024;
	int unit = 0;

	if (bytes < 1024) {
		snprintf(text, AMOUNT_TEXT, "%" PRIu64 " B", bytes);
		return text;
	}
	for (; amount >= 1023.5; unit++)
		amount /= 1024;
	write_digits(text, amount, units[unit]);
	return text;
}

const char *amount_bit_rate(char text[AMOUNT_TEXT], double bytes_per_second)
{
	static const char *const units[] = { "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	double amount = bytes_per_second * 8 / 1000;
	int unit = 0;

	if (amount < 0.9995) {
		snprintf(text, AMOUNT_TEXT, "%.0f bit/s", amount * 1000);
		return text;
	}
	for (; amount >= 999.5 && unit < 3; unit++)
		amount /= 1000;
	write_digits(text, amount, units[unit]);
	return text;
}

static const struct {
	uint64_t seconds;
	const char *name;
} time_units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
enum { SECONDS_UNIT = 3 };

static int time_unit(uint64_t seconds)
{
	int unit = 0;

	while (unit < SECONDS_UNIT && seconds < time_units[unit].seconds)
		unit++;
	return unit;
}

const char *amount_age(char text[AMOUNT_TEXT], uint64_t seconds)
{
	int unit = time_unit(seconds);

	snprintf(text, AMOUNT_TEXT, "%" PRIu64 " %s", seconds / time_units[unit].seconds, time_units[unit].name);
	return text;
}

const char *amount_duration(char text[AMOUNT_TEXT], uint64_t seconds)
{
	int unit = time_unit(seconds);
	char small[AMOUNT_TEXT];

	if (unit == SECONDS_UNIT)
		return amount_age(text, seconds);
	snprintf(small, sizeof small, "%" PRIu64 " %s", seconds % time_units[unit].seconds / time_units[unit + 1].seconds,
			 time_units[unit + 1].name);
	snprintf(text, AMOUNT_TEXT, "%" PRIu64 " %s %.12s", seconds / time_units[unit].seconds, time_units[unit].name,
			 small);
	return text;
}

const char *amount_latency(char text[AMOUNT_TEXT], uint64_t nanoseconds)
{
	double amount = (double)nanoseconds;

	if (nanoseconds < 999500)
		snprintf(text, AMOUNT_TEXT, "%.0f us", amount / 1e3);
	else if (nanoseconds < 999500000)
		write_digits(text, amount / 1e6, "ms");
	else
		write_digits(text, amount / 1e9, "s");
	return text;
}

const char *amount_percent(char text[AMOUNT_TEXT], uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!part)
		snprintf(text, AMOUNT_TEXT, "0 %%");
	else if (percent < 0.005)
		snprintf(text, AMOUNT_TEXT, "<0.01 %%");
	else
		write_digits(text, percent, "%");
	return text;
}
