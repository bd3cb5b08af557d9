/* SPDX-License-Identifier: MIT */
/* metrics: the state of an interface with its counters, and the options of the text. */
#ifndef ADIT_CLI_METRICS_STATE_H
#define ADIT_CLI_METRICS_STATE_H

#include "show_state.h"

enum { METRICS_COUNTER_NAME = 48, METRICS_COUNTERS_MAX = 256, METRICS_HISTOGRAMS = 4, METRICS_BUCKETS = 8 };

/* A counter as the daemon names it, such as "sealed" or "drop_no_peer". */
struct metrics_counter {
	char name[METRICS_COUNTER_NAME];
	uint64_t value;
};

/* Sizes of batches: buckets of 1, 2 to 3, 4 to 7, ..., 64 to 127, 128 and more packets. */
struct metrics_histogram {
	bool known; /* the daemon reports it */
	uint64_t bucket[METRICS_BUCKETS];
	uint64_t sum; /* of the sizes */
};

struct metrics_interface {
	struct show_interface state;
	bool up;        /* the daemon has answered; if not, only the name is valid */
	bool has_bytes; /* the kernel knows the interface */
	uint64_t receive_bytes, transmit_bytes;
	struct metrics_counter *counters; /* METRICS_COUNTERS_MAX; NULL: the daemon has none, because it is not adit */
	unsigned counter_count;
	struct metrics_histogram histograms[METRICS_HISTOGRAMS]; /* in the order of metrics_histogram_name */
	uint64_t start_time;                                     /* seconds since the epoch; 0: not reported */
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

#endif
