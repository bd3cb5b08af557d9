/* SPDX-License-Identifier: MIT */
/* Events of rtnetlink: changes of links, addresses, routes and rules. */
#ifndef ADIT_IO_NETLINK_EVENTS_H
#define ADIT_IO_NETLINK_EVENTS_H

#include "io/netlink_dump.h"

enum netlink_event_kind {
	NETLINK_EVENT_LINK = 1 << 0,
	NETLINK_EVENT_ADDRESS = 1 << 1,
	NETLINK_EVENT_ROUTE = 1 << 2,
	NETLINK_EVENT_RULE = 1 << 3,
};

struct netlink_event {
	enum netlink_event_kind kind;
	bool removed;
	bool up;                          /* of links */
	uint32_t index;                   /* of links and addresses */
	uint32_t mtu;                     /* of links; 0: the event does not include it */
	struct netlink_route_entry route; /* of routes */
	uint32_t mark, table;             /* of rules */
	uint8_t protocol;                 /* of rules */
};

enum { NETLINK_NETWORK_MIN = 8 }; /* a shorter prefix is a part of a default route rather than a network */

/*
 * Opens a socket for events of these kinds, of all interfaces. Returns a non-blocking descriptor for an event loop, or
 * a negative errno.
 *
 * If `own_port` is not 0, the kernel drops the events that the socket with this port number causes (netlink_port), and
 * those of a route that replaces no other one, is to a network, and belongs neither to us nor to the kernel. It
 * drops them before they reach the socket, because a routing daemon can change 100,000 routes at once.
 */
int netlink_events_open(unsigned kinds, uint32_t own_port);

enum { NETLINK_EVENTS_PREFIXES = 250 };

/*
 * Lets all events of routes in `table` (0: none) through the filter of a socket that was opened with `own_port`, and
 * those of routes to `prefixes`, at most NETLINK_EVENTS_PREFIXES. Some routes to other prefixes pass, too. 0 or a
 * negative errno.
 */
int netlink_events_set_filter(int fd, uint32_t own_port, uint32_t table, const struct ip_prefix *prefixes,
							  size_t count);

/*
 * Also subscribes a socket for events of links to the events of routes with metrics, such as an MTU, that lead through
 * the interface `index`. The kernel drops all other events of routes. With `removals`, the events of any route that
 * replaces another one, and of deleted IPv4 addresses of the interface, arrive as well, because these may remove a
 * route with an MTU; only a caller that knows of such routes needs them. May be called again. 0 or a negative errno.
 */
int netlink_events_add_route_mtus(int fd, uint32_t index, bool removals);

/*
 * Calls `handle` with pending events, for a bounded time: the descriptor stays readable if there are more. Returns 0 or
 * a negative errno; -ENOBUFS means that events were lost, so read the state again.
 */
int netlink_events_read(int fd, void (*handle)(void *context, const struct netlink_event *event), void *context);

/* Discards pending events, for a bounded time. Returns true if there were any, or if events were lost. */
bool netlink_events_discard(int fd);

#endif
