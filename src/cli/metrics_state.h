/* SPDX-License-Identifier: MIT */
/* metrics: the state of an interface, and the options of the text. */
#ifndef ADIT_CLI_METRICS_STATE_H
#define ADIT_CLI_METRICS_STATE_H

#include "show_state.h"

struct metrics_interface {
	struct show_interface state;
	bool up;        /* the daemon has answered; if not, only the name is valid */
	bool has_bytes; /* the kernel knows the interface */
	uint64_t receive_bytes, transmit_bytes;
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
