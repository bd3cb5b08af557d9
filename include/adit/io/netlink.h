/* SPDX-License-Identifier: MIT */
/*
 * Addresses, links, routes and policy rules by rtnetlink (rtnetlink(7), through libmnl), as ip(8) and wg-quick(8) set
 * them.
 *
 * Each call waits for the kernel's answer, which arrives immediately, and acts on the network namespace in which the
 * socket was opened. A struct netlink must be used by one thread at a time. `index` is always an interface index, 0 for
 * none. Unless stated otherwise, functions return 0 or the kernel's negative errno, for example -EEXIST if the object
 * exists already and -ENODEV if the interface does not.
 */
#ifndef ADIT_IO_NETLINK_H
#define ADIT_IO_NETLINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* An address and its prefix length. The family is AF_INET or AF_INET6. */
struct ip_prefix {
	uint8_t family;
	uint8_t length;
	uint8_t address[16]; /* 4 or 16 bytes, network byte order */
};

/* Returns NULL and sets errno on failure. */
struct netlink *netlink_open(void);
/* Accepts NULL. */
void netlink_close(struct netlink *netlink);

/* Sets the MTU (0: unchanged) and sets the link up or down, in one request. */
int netlink_link_set(struct netlink *netlink, uint32_t index, uint32_t mtu, bool up);
int netlink_link_mtu(struct netlink *netlink, uint32_t index, uint32_t *mtu);

/*
 * Add or delete an address. The kernel adds and deletes the route to its network as well. -EADDRNOTAVAIL: there is no
 * such address to delete. -ENXIO: likewise, and the interface has no IPv6.
 */
int netlink_address_add(struct netlink *netlink, uint32_t index, const struct ip_prefix *address);
int netlink_address_del(struct netlink *netlink, uint32_t index, const struct ip_prefix *address);
/*
 * Calls `handle` for each address of the interface and family. If addresses change during the call, it may see an
 * address twice.
 */
int netlink_address_each(struct netlink *netlink, uint32_t index, uint8_t family,
						 void (*handle)(void *context, const struct ip_prefix *address), void *context);

struct netlink_route {
	struct ip_prefix to;
	uint32_t table;
	uint32_t index; /* of the first next hop; 0: none, for example a blackhole route */
	uint32_t mtu;   /* 0: the route has no MTU of its own */
};

/*
 * Adds device routes with link scope, given `to`, `table` (0: main) and `index` of each. The bits of `to` after the
 * prefix must be zero. Sets `status` of each route to 0 or a negative errno; a failure does not stop the routes that
 * follow.
 */
void netlink_routes_add(struct netlink *netlink, const struct netlink_route *routes, size_t count, int *status);
/* Deletes a route that netlink_routes_add added. -ESRCH: there is no such route. */
int netlink_route_del(struct netlink *netlink, uint32_t index, const struct ip_prefix *to, uint32_t table);

/*
 * Calls `handle` for each route of `family` in `table` (0: main) through `index` (0: any). Of several routes to one
 * destination the preferred one comes first. If routes change during the call, `handle` may see a route twice. A table
 * that does not exist is empty.
 */
int netlink_route_each(struct netlink *netlink, uint8_t family, uint32_t index, uint32_t table,
					   void (*handle)(void *context, const struct netlink_route *route), void *context);
/* Returns 1 if the table contains a route of `family`, 0 if not, or a negative errno. */
int netlink_table_used(struct netlink *netlink, uint8_t family, uint32_t table);
/*
 * Reads the MTU of the route to the address in `to`: the route's own, or else that of its device. If the family in `to`
 * is 0, uses the default route, of IPv4 if there is one, else of IPv6. *mtu is 0 if there is no route.
 */
int netlink_route_mtu(struct netlink *netlink, const struct ip_prefix *to, uint32_t *mtu);

/*
 * Finds the interface through which the kernel sends a datagram with firewall mark `mark` (0: none) to the address in
 * `to`. Returns a negative errno such as -ENETUNREACH if there is no route.
 */
int netlink_route_interface(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t *index);

/*
 * Returns a non-blocking descriptor that becomes readable when routes, policy rules or addresses change, or a negative
 * errno.
 */
int netlink_routes_watch_open(void);
/* Discards pending events, for a bounded time. Returns true if there were any. */
bool netlink_routes_watch_read(int fd);

/*
 * The policy rules that wg-quick sets for a default route: `not fwmark MARK lookup TABLE`, and `lookup main
 * suppress_prefixlength 0`, which uses all routes of the main table except its default route. A new rule goes in front
 * of all others.
 *
 * Each tunnel adds a suppressing rule of its own. Of several equal rules the del functions delete the last one, because
 * the rules of the remaining tunnels need one in front of them. They never delete a rule that has further conditions.
 * -ENOENT: there is no such rule.
 */
int netlink_rule_add_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table);
int netlink_rule_add_suppress_main(struct netlink *netlink, uint8_t family);
int netlink_rule_del_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table);
int netlink_rule_del_suppress_main(struct netlink *netlink, uint8_t family);

/* A link event. */
struct netlink_event {
	uint32_t index;
	uint32_t mtu; /* 0: the event does not include it */
	bool up, gone;
};
/* Returns a non-blocking descriptor for an event loop, subscribed to RTNLGRP_LINK, or a negative errno. */
int netlink_watch_open(void);
/*
 * Calls `handle` for the pending events of interface `index`. Reads a limited number of messages; the descriptor stays
 * readable if there are more. Returns 0 or a negative errno; -ENOBUFS means that events were lost, so read the state
 * again.
 */
int netlink_watch_read(int fd, uint32_t index, void (*handle)(void *context, const struct netlink_event *event),
					   void *context);

#endif
