/* SPDX-License-Identifier: MIT */
/*
 * Addresses, link, routes and policy rules by rtnetlink (rtnetlink(7), through libmnl), as ip(8) and wg-quick(8) set
 * them.
 *
 * Every call waits for the kernel's answer, which comes at once, and acts in the network namespace in which the socket
 * was opened. One struct netlink belongs to one thread. `index` is always an interface index, 0 for none.
 */
#ifndef ADIT_IO_NETLINK_H
#define ADIT_IO_NETLINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* An address with a prefix length; family AF_INET or AF_INET6. */
struct ip_prefix {
	uint8_t family;
	uint8_t length;
	uint8_t address[16]; /* 4 or 16 bytes, network order */
};

/* NULL and errno on failure. */
struct netlink *netlink_open(void);
/* Takes NULL. */
void netlink_close(struct netlink *netlink);

/* All return 0 or a negative errno as the kernel gave it: -EEXIST for what stands already, -ENODEV for a gone
 * interface. */

/* Sets the MTU (0: leave it) and brings the link up, or takes it down, in one request. */
int netlink_link_set(struct netlink *netlink, uint32_t index, uint32_t mtu, bool up);
int netlink_link_mtu(struct netlink *netlink, uint32_t index, uint32_t *mtu);

/*
 * The route to the network of an address comes and goes with it. -EADDRNOTAVAIL: there is none to delete; -ENXIO: nor
 * IPv6 on the interface.
 */
int netlink_address_add(struct netlink *netlink, uint32_t index, const struct ip_prefix *address);
int netlink_address_del(struct netlink *netlink, uint32_t index, const struct ip_prefix *address);
/* Hands each address of the interface and family to `handle`; one may come twice when they change meanwhile. */
int netlink_address_each(struct netlink *netlink, uint32_t index, uint8_t family,
						 void (*handle)(void *context, const struct ip_prefix *address), void *context);

struct netlink_route {
	struct ip_prefix to;
	uint32_t table;
	uint32_t index; /* of the first next hop; 0: none (blackhole and the like) */
	uint32_t mtu;   /* 0: the route does not say */
};

/*
 * Adds device routes with link scope: `to`, `table` (0: main) and `index` of each. Bits of `to` past its length must be
 * zero. Goes on behind one that fails: `status` gets 0 or a negative errno for each.
 */
void netlink_routes_add(struct netlink *netlink, const struct netlink_route *routes, size_t count, int *status);
/* Deletes one of these. -ESRCH: no such. */
int netlink_route_del(struct netlink *netlink, uint32_t index, const struct ip_prefix *to, uint32_t table);

/*
 * Hands each route of `family` in `table` (0: main) that leaves by `index` (0: any) to `handle`, the preferred one of a
 * destination first; one may come twice when routes change meanwhile. A table that does not exist has none.
 */
int netlink_route_each(struct netlink *netlink, uint8_t family, uint32_t index, uint32_t table,
					   void (*handle)(void *context, const struct netlink_route *route), void *context);
/* 1 when some route stands in `table`, 0 when none, or a negative errno. */
int netlink_table_used(struct netlink *netlink, uint8_t family, uint32_t table);
/*
 * The MTU of the route towards the address of `to`, or with family 0 of the default route (IPv4's, else IPv6's): the
 * route's own, else its device's. 0: no route.
 */
int netlink_route_mtu(struct netlink *netlink, const struct ip_prefix *to, uint32_t *mtu);

/*
 * The interface by which a datagram with firewall mark `mark` (0: none) leaves for the address of `to`. 0, or negative
 * errno: -ENETUNREACH and the like.
 */
int netlink_route_interface(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t *index);

/* A non-blocking descriptor that is readable when routes, policy rules or addresses have changed, or negative errno. */
int netlink_routes_watch_open(void);
/* Takes all that is readable. True when there was anything. */
bool netlink_routes_watch_read(int fd);

/*
 * Policy rules as wg-quick makes them for a default route: `not fwmark MARK lookup TABLE`, and `lookup main
 * suppress_prefixlength 0`, which leaves to the main table all but its default route. A new rule goes before all
 * others.
 *
 * Of several equal ones the last in order is deleted, and never a rule that says more than ours: each tunnel brings a
 * suppressing rule of its own, and those that stay need one before them. -ENOENT: there is none.
 */
int netlink_rule_add_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table);
int netlink_rule_add_suppress_main(struct netlink *netlink, uint8_t family);
int netlink_rule_del_not_mark(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table);
int netlink_rule_del_suppress_main(struct netlink *netlink, uint8_t family);

/* Link events, for an event loop. */
struct netlink_event {
	uint32_t index;
	uint32_t mtu; /* 0: this event does not say */
	bool up, gone;
};
/* A non-blocking descriptor subscribed to RTNLGRP_LINK, or negative errno. */
int netlink_watch_open(void);
/*
 * Hands each pending event of `index` to `handle`, for a bounded time: the descriptor stays readable when more wait. 0
 * or negative errno (-ENOBUFS: events were lost, ask for the state again).
 */
int netlink_watch_read(int fd, uint32_t index, void (*handle)(void *context, const struct netlink_event *event),
					   void *context);

#endif
