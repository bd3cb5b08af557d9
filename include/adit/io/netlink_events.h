/* SPDX-License-Identifier: MIT */
/*
 * Events of rtnetlink: changes of links, addresses, routes and rules. The kernel drops uninteresting events before
 * they reach the socket, because a routing daemon can change 100,000 routes at once.
 */
#ifndef ADIT_IO_NETLINK_EVENTS_H
#define ADIT_IO_NETLINK_EVENTS_H

#include "io/netlink_dump.h"

enum netlink_event_kind { NETLINK_EVENT_LINK, NETLINK_EVENT_ADDRESS, NETLINK_EVENT_ROUTE, NETLINK_EVENT_RULE };

struct netlink_state_event {
	enum netlink_event_kind kind;
	bool removed;
	uint32_t index;                   /* of links and addresses */
	struct netlink_route_entry route; /* of routes */
	uint32_t mark;                    /* of rules */
	uint8_t protocol;                 /* of rules */
};

/*
 * A non-blocking descriptor, or negative errno. It receives no event that the socket with port number `own_port`
 * causes (netlink_port), and no event of a route unless it replaces another route, or belongs to us or to the kernel.
 */
int netlink_events_open(uint32_t own_port);

/*
 * Calls `handle` with pending events, for a bounded time: the descriptor stays readable if there are more. 0, -ENOBUFS
 * if events were lost, or another negative errno.
 */
int netlink_events_read(int fd, void (*handle)(void *context, const struct netlink_state_event *event), void *context);

#endif
