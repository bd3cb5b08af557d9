/* SPDX-License-Identifier: MIT */
/*
 * Endpoints that are names. They are resolved without blocking, and asked for again until they resolve: a name that the
 * network cannot answer yet at boot does not stop the start.
 */
#ifndef ADIT_DAEMON_ENDPOINT_NAMES_H
#define ADIT_DAEMON_ENDPOINT_NAMES_H

#include <ev.h>

#include "config/config.h"
#include "io/resolve.h"
#include "tunnel/device.h"

struct endpoint_name;

struct endpoint_names {
	struct device *device;
	struct ev_loop *loop;
	struct resolver *resolver;
	struct endpoint_name *first;
	struct ev_io answers;
	struct ev_timer again;
	uint64_t next_id;
	double wait; /* seconds until the names that are missing are asked for again */
};

/* Begins to resolve the names of `config`; answers go to the device's peers. Takes zeroed memory. 0 or negative errno.
 */
int endpoint_names_start(struct endpoint_names *names, const struct config *config, struct device *device,
						 struct ev_loop *loop);
/*
 * The configuration was read again: names that it no longer has are forgotten, and the answer to one that is new or
 * another than before moves its peer. 0, or negative errno and nothing has changed.
 */
int endpoint_names_reload(struct endpoint_names *names, const struct config *config);
/* Takes a zeroed struct. */
void endpoint_names_stop(struct endpoint_names *names);

#endif
