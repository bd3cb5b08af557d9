/* SPDX-License-Identifier: MIT */
/*
 * Route MTUs: reads the MTUs of the routes through the interface, which limit the padding of packets.
 *
 * Most interfaces have no such routes. Then the kernel passes no events to this process, and nothing is read after the
 * start. Otherwise each event that may add or remove such a route is followed by a dump of the routes through the
 * interface, in parts, so that a long list does not hold up packets. The MTU that the host has learned for one
 * destination from an ICMP message is not among them.
 */
#ifndef ADIT_DAEMON_ROUTE_MTUS_H
#define ADIT_DAEMON_ROUTE_MTUS_H

#include <ev.h>

#include "io/link.h"
#include "io/netlink_dump.h"
#include "tunnel/device.h"

struct route_mtus {
	struct device *device;
	struct ev_loop *loop; /* NULL: not started */
	struct link *link;
	struct netlink *netlink; /* of the dump; NULL: none is running */
	struct netlink_route_filter filter;
	struct ev_io part;
	struct ev_timer pause;
	uint64_t begun, next;         /* when the last dump began, and when the next one may; clock_boottime */
	bool stale;                   /* an event came while a dump was running */
	struct padding_limits limits; /* that the dump has found so far */
};

/* Reads the routes and gives their MTUs to the device. `link` is open. */
void route_mtus_start(struct route_mtus *mtus, struct device *device, struct ev_loop *loop, struct link *link);
/* `events` of link_read have arrived. */
void route_mtus_follow(struct route_mtus *mtus, int events);
/* Accepts a zeroed struct. */
void route_mtus_stop(struct route_mtus *mtus);

#endif
