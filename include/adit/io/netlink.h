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

enum { IPV6_MTU_MIN = 1280 }; /* RFC 8200, section 5; below it the kernel removes IPv6 from the interface */

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

/* Reads the MTU of a link. */
int netlink_link_mtu(struct netlink *netlink, uint32_t index, uint32_t *mtu);

/* Deletes an interface. */
int netlink_link_delete(struct netlink *netlink, uint32_t index);

/*
 * Reads the MTU of the route of datagrams with firewall mark `mark` (0: none) to the address in `to`: the route's own,
 * or else that of its device. If the family in `to` is 0, uses the default route, of IPv4 if there is one, else of
 * IPv6. *mtu is 0 if there is no route, or if it leads to the interface `except` (0: none).
 */
int netlink_route_mtu(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t except,
					  uint32_t *mtu);

/*
 * Finds the interface through which the kernel sends a datagram with firewall mark `mark` (0: none) to the address in
 * `to`. Returns a negative errno such as -ENETUNREACH if there is no route.
 */
int netlink_route_interface(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark, uint32_t *index);

/* A UDP datagram of this host, as far as routes and policy rules look at it. Zeroed members are unknown. */
struct netlink_flow {
	struct ip_prefix to, from;   /* only family and address are used */
	uint16_t to_port, from_port; /* host byte order */
	uint32_t mark;
};

/*
 * Returns 1 if the route that the kernel chooses for the flow leads to interface `index` alone; 2 if to one of several
 * next hops there; 0 if it leads elsewhere; or a negative errno, -ENETUNREACH or -EINVAL if there is no route or if an
 * IPv4 address in `from` is not of this host. Kernels before 4.13 report only the next hop that they would use.
 */
int netlink_flow_leaves(struct netlink *netlink, const struct netlink_flow *flow, uint32_t index);
/* Finds the interface that has `address`. Sets *index to 0 if the host does not have the address. */
int netlink_address_interface(struct netlink *netlink, const struct ip_prefix *address, uint32_t *index);

#endif
