/* SPDX-License-Identifier: MIT */
/*
 * metrics: writes samples and their metadata, in one of two formats.
 *
 * OpenMetrics (prometheus.io/docs/specs/om/open_metrics_spec) and the older text format differ in four points: only
 * OpenMetrics has the line `# UNIT`, the type `info` and the end `# EOF`; and its metadata names a counter without the
 * suffix `_total` of the samples. Both require that all samples of a family follow each other. The metadata of a family
 * precedes its first sample; a family without samples is left out.
 *
 * With 10,000 peers, the text has more than 100,000 lines. Samples are therefore written by functions of stdio that
 * take no lock and parse no format.
 */
#include "metrics_exposition.h"

#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

static void sample_metadata(struct exposition *exposition, const struct metric_family *family)
{
	static const char *const types[] = {
		[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_INFO] = "info", [METRIC_HISTOGRAM] = "histogram"
	};
	static const char *const suffixes[] = {
		[METRIC_GAUGE] = "", [METRIC_COUNTER] = "_total", [METRIC_INFO] = "_info", [METRIC_HISTOGRAM] = ""
	};
	bool openmetrics = exposition->options->format == METRICS_OPENMETRICS;
	const char *suffix = openmetrics ? "" : suffixes[family->type];
	const char *type = !openmetrics && family->type == METRIC_INFO ? "gauge" : types[family->type];

	fprintf(exposition->to, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix, family->help, family->name,
			suffix, type);
	if (openmetrics && family->unit)
		fprintf(exposition->to, "# UNIT %s %s\n", family->name, family->unit);
	exposition->family = family;
}

void sample_begin_part(struct exposition *exposition, const struct metric_family *family, const char *suffix)
{
	if (exposition->family != family)
		sample_metadata(exposition, family);
	fputs_unlocked(family->name, exposition->to);
	fputs_unlocked(suffix, exposition->to);
	exposition->has_label = false;
}

void sample_begin(struct exposition *exposition, const struct metric_family *family)
{
	sample_begin_part(exposition, family,
					  family->type == METRIC_COUNTER ? "_total"
					  : family->type == METRIC_INFO  ? "_info"
													 : "");
}

/* --- labels ----- */

/* Replaces bytes that are not valid UTF-8 by U+FFFD, because parsers would reject the whole text. */
static void sample_value_text(FILE *to, const char *text)
{
	while (*text) {
		int length = utf8_length(text);
		if (!length)
			fputs("\xef\xbf\xbd", to);
		else if (*text == '\n')
			fputs("\\n", to);
		else
			fprintf(to, "%s%.*s", strchr("\"\\", *text) ? "\\" : "", length, text);
		text += length ? length : 1;
	}
}

void sample_label(struct exposition *exposition, const char *name, const char *value)
{
	const char *end = value;
	FILE *to = exposition->to;

	putc_unlocked(exposition->has_label ? ',' : '{', to);
	fputs_unlocked(name, to);
	fputs_unlocked("=\"", to);
	/* Most values are printable ASCII without quotes, and are written at once. */
	while (*end >= ' ' && *end < 127 && *end != '"' && *end != '\\')
		end++;
	if (!*end)
		fputs_unlocked(value, to);
	else
		sample_value_text(to, value);
	putc_unlocked('"', to);
	exposition->has_label = true;
}

void sample_label_if_set(struct exposition *exposition, const char *name, const char *value)
{
	if (value && *value)
		sample_label(exposition, name, value);
}

void sample_ready_labels(struct exposition *exposition, const char *labels)
{
	fputs_unlocked(labels, exposition->to);
	exposition->has_label = true;
}

/* --- values ----- */

enum { DIGITS_MAX = 20 };

/* Writes the number in decimal, with zeros in front if it has less than `width` digits. */
static void write_decimal(FILE *to, uint64_t number, size_t width)
{
	char text[DIGITS_MAX + 1], *first = text + DIGITS_MAX;

	*first = '\0';
	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number || (size_t)(text + DIGITS_MAX - first) < width);
	fputs_unlocked(first, to);
}

void sample_end(struct exposition *exposition, uint64_t value)
{
	fputs_unlocked(exposition->has_label ? "} " : " ", exposition->to);
	write_decimal(exposition->to, value, 1);
	putc_unlocked('\n', exposition->to);
}

void sample_end_seconds(struct exposition *exposition, uint64_t nanoseconds)
{
	fputs_unlocked(exposition->has_label ? "} " : " ", exposition->to);
	write_decimal(exposition->to, nanoseconds / NS_PER_S, 1);
	putc_unlocked('.', exposition->to);
	write_decimal(exposition->to, nanoseconds % NS_PER_S, 9);
	putc_unlocked('\n', exposition->to);
}

void interface_sample(struct exposition *exposition, const struct metric_family *family,
					  const struct metrics_interface *interface, uint64_t value)
{
	sample_begin(exposition, family);
	sample_label(exposition, "interface", interface->state.name);
	sample_end(exposition, value);
}
