/* SPDX-License-Identifier: MIT */
/* metrics: the state of an interface with its counters, and the text for Prometheus. */
#ifndef ADIT_CLI_METRICS_TEXT_H
#define ADIT_CLI_METRICS_TEXT_H

#include <stdio.h>

#include "show_state.h"

enum { METRICS_COUNTER_NAME = 48, METRICS_COUNTERS_MAX = 256 };

/* A counter as the daemon names it, such as "sealed" or "drop_no_peer". */
struct metrics_counter {
	char name[METRICS_COUNTER_NAME];
	uint64_t value;
};

struct metrics_interface {
	struct show_interface state;
	bool up;        /* the daemon has answered; if not, only the name is valid */
	bool has_bytes; /* the kernel knows the interface */
	uint64_t receive_bytes, transmit_bytes;
	struct metrics_counter *counters; /* METRICS_COUNTERS_MAX; NULL: the daemon has none, because it is not adit */
	unsigned counter_count;
};

enum metrics_format {
	METRICS_OPENMETRICS, /* OpenMetrics 1.0 */
	METRICS_PROMETHEUS,  /* the text format 0.0.4 of Prometheus */
};

struct metrics_options {
	enum metrics_format format;
	bool no_peers;       /* leave out the families of peers */
	const char *version; /* of the program */
};

/* Writes the exposition of `count` interfaces, whose names differ. */
void metrics_text(FILE *to, const struct metrics_options *options, const struct metrics_interface *interfaces,
				  size_t count);

/* True if the counter has a family of its own or is a cause of a drop. */
bool metrics_has_counter(const char *name);

#endif
