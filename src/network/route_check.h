/* SPDX-License-Identifier: MIT */
/*
 * The route check: compares very many routes of the interface with the desired ones in the background.
 *
 * The kernel needs 100 ms to list 100,000 routes. With one worker, packets would wait as long. So the check reads one
 * part of the list, about 500 routes, per iteration of the event loop, and marks the desired items that it sees.
 *
 * The check finds whether there is a difference, and not which one. A difference is rare, and it is repaired by a look
 * that lists all routes at once.
 */
#ifndef ADIT_NETWORK_ROUTE_CHECK_H
#define ADIT_NETWORK_ROUTE_CHECK_H

#include <ev.h>

#include "io/netlink_dump.h"
#include "item.h"

struct route_check {
	struct ev_loop *loop; /* NULL: not running */
	struct ev_io io;
	struct netlink *netlink; /* a socket of its own; NULL: not running */
	struct netlink_route_filter filter;
	const struct item_list *desired;
	bool *seen; /* per desired item */
	bool differs;
	bool stale; /* an event came meanwhile, so the list must be read again */
	unsigned restarts;
	/* Called at the end, when the check is not running any more. */
	void (*done)(void *context, bool differs);
	void *context;
};

/*
 * Starts a check of the interface `index`; if one is running already, it is repeated at its end. `desired` must not
 * change before the end or route_check_stop. 0 or negative errno.
 */
int route_check_start(struct route_check *check, struct ev_loop *loop, uint32_t index, const struct item_list *desired);
/* Accepts a zeroed struct and one that is not running. Does not call `done`. */
void route_check_stop(struct route_check *check);

#endif
