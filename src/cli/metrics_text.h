/* SPDX-License-Identifier: MIT */
/* metrics: the text for Prometheus. */
#ifndef ADIT_CLI_METRICS_TEXT_H
#define ADIT_CLI_METRICS_TEXT_H

#include <stdio.h>

#include "metrics_state.h"

/* Writes the exposition of `count` interfaces, whose names differ. Returns 0 or -ENOMEM. */
int metrics_text(FILE *to, const struct metrics_options *options, const struct metrics_interface *interfaces,
				 size_t count);

#endif
