/* SPDX-License-Identifier: MIT */
/* metrics: the families of peers. */
#ifndef ADIT_CLI_METRICS_PEERS_H
#define ADIT_CLI_METRICS_PEERS_H

#include "metrics_exposition.h"

/* Returns 0 or -ENOMEM. */
int metrics_write_peers(struct exposition *exposition);

#endif
