/* SPDX-License-Identifier: MIT */
/* metrics: the families of the counters and histograms of an interface. */
#ifndef ADIT_CLI_METRICS_COUNTERS_H
#define ADIT_CLI_METRICS_COUNTERS_H

#include "metrics_exposition.h"

void metrics_write_counters(struct exposition *exposition);

/* True if the counter has a family of its own, or is an outcome of a handshake or a cause of a drop. */
bool metrics_has_counter(const char *name);
/* Returns false if the daemon has no counter of this name, or one with several values. */
bool metrics_find_counter(const struct show_interface *interface, const char *name, uint64_t *value);

#endif
