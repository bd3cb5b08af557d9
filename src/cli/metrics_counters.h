/* SPDX-License-Identifier: MIT */
/* metrics: the families of the counters and histograms of an interface. */
#ifndef ADIT_CLI_METRICS_COUNTERS_H
#define ADIT_CLI_METRICS_COUNTERS_H

#include "metrics_exposition.h"

void metrics_write_counters(struct exposition *exposition);

/* True if the counter has a family of its own, or is an outcome of a handshake or a cause of a drop. */
bool metrics_has_counter(const char *name);
/* The key of a histogram in the daemon's answer, such as "batch_udp_send". That of its sum ends with "_sum". */
const char *metrics_histogram_name(unsigned histogram);

#endif
