/* SPDX-License-Identifier: MIT */
/*
 * Endpoints that are host names: resolves them without blocking, and retries until they resolve, so that the daemon
 * starts at boot before the network can reach a DNS server.
 */
#ifndef ADIT_DAEMON_ENDPOINT_NAMES_H
#define ADIT_DAEMON_ENDPOINT_NAMES_H

#include <ev.h>

#include "base/list.h"
#include "config/config.h"
#include "io/resolve.h"
#include "tunnel/device.h"

struct endpoint_names {
	struct device *device;
	struct ev_loop *loop;
	struct resolver *resolver; /* NULL until there is a name */
	struct list names;         /* of struct endpoint_name */
	struct ev_io answer_watcher;
	struct ev_timer retry;
	double retry_delay; /* seconds; doubles with each retry */
	uint64_t next_id;
};

/*
 * Starts to resolve the host names in `config`. The addresses become the endpoints of the device's peers. A peer that
 * is silent has its name resolved again. The caller zeroes the struct. 0 or negative errno.
 */
int endpoint_names_start(struct endpoint_names *names, const struct config *config, struct device *device,
						 struct ev_loop *loop);
/*
 * Replaces the names by those in `config`, after it was read again. The answer to a new or changed name replaces the
 * endpoint of its peer; an unchanged name is not resolved again. 0, or negative errno and nothing has changed.
 */
int endpoint_names_reload(struct endpoint_names *names, const struct config *config);
/* Accepts a zeroed struct. */
void endpoint_names_stop(struct endpoint_names *names);

#endif
