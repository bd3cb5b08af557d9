/* SPDX-License-Identifier: MIT */
/* metrics: families and samples, from which the text for Prometheus is made. */
#ifndef ADIT_CLI_METRICS_EXPOSITION_H
#define ADIT_CLI_METRICS_EXPOSITION_H

#include <stdio.h>

#include "metrics_state.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO, METRIC_HISTOGRAM };

struct metric_family {
	const char *name; /* without the suffix of its samples */
	enum metric_type type;
	const char *unit; /* NULL: none; else the name ends with it */
	const char *help; /* without characters that need escaping */
};

struct exposition {
	FILE *to;
	const struct metrics_options *options;
	const struct metrics_interface *interfaces;
	size_t count;
	const struct metric_family *family; /* the family whose metadata was written last */
	bool has_label;                     /* of the current sample */
};

/* Starts a sample, after the metadata if it is the first one of its family. Labels and sample_end follow. */
void sample_begin(struct exposition *exposition, const struct metric_family *family);
/* The same for a sample of a histogram: its suffix is "_bucket", "_count" or "_sum". */
void sample_begin_part(struct exposition *exposition, const struct metric_family *family, const char *suffix);

void sample_label(struct exposition *exposition, const char *name, const char *value);
/* An empty value is the same as no label, so it is left out. */
void sample_label_if_set(struct exposition *exposition, const char *name, const char *value);
/* The first labels of the sample, as sample_label has written them to another stream. */
void sample_ready_labels(struct exposition *exposition, const char *labels);

void sample_end(struct exposition *exposition, uint64_t value);
/* Writes a value in ns as seconds. */
void sample_end_seconds(struct exposition *exposition, uint64_t nanoseconds);

/* A whole sample of an interface. */
void interface_sample(struct exposition *exposition, const struct metric_family *family,
					  const struct metrics_interface *interface, uint64_t value);

#endif
