/* SPDX-License-Identifier: MIT */
/* One request to rtnetlink and its answer: what the netlink_*.c files share. */
#ifndef ADIT_IO_NETLINK_REQUEST_H
#define ADIT_IO_NETLINK_REQUEST_H

#include <libmnl/libmnl.h>
#include <stddef.h>

#include "io/netlink.h"

enum {
	NETLINK_REQUEST_MAX = 512, /* bytes of one request */
	NETLINK_REQUEST_BYTES = 4096,
	NETLINK_ANSWER_BYTES = 32768
}; /* the kernel fills at most 32 KiB a message of a dump */

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	struct nlmsghdr *last; /* of the requests that stand in `request` */
	_Alignas(struct nlmsghdr) char request[NETLINK_REQUEST_BYTES];
	_Alignas(struct nlmsghdr) char answer[NETLINK_ANSWER_BYTES];
};

typedef void netlink_handler(void *context, const struct nlmsghdr *message);

/* Begins a request of `type`, with NLM_F_REQUEST and NLM_F_ACK besides `flags`. It stands in netlink->request. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/*
 * Begins another request behind those that were begun, to leave with them; NULL when there is no room. Only the last is
 * acknowledged: of the others the kernel tells errors alone.
 */
struct nlmsghdr *netlink_begin_another(struct netlink *netlink, uint16_t type, uint16_t flags);

/* Sends the `count` requests that were begun. `status` gets 0 or a negative errno for each; none of them is a dump. */
void netlink_finish_all(struct netlink *netlink, int *status, size_t count);

/*
 * Sends what netlink_begin began, hands each message of the answer to `handle` (NULL: there are none) and waits for its
 * end. 0 or a negative errno of the kernel. A dump during which things changed is asked for again: `handle` may meet an
 * entry twice.
 */
int netlink_finish(struct netlink *netlink, netlink_handler *handle, void *context);

/* Bytes of an address of `family`. */
static inline size_t netlink_address_bytes(uint8_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* Puts the address of `prefix` in as attribute `type`. */
void netlink_put_address(struct nlmsghdr *message, uint16_t type, const struct ip_prefix *prefix);
/* Reads an address attribute into `prefix`, whose family is set; one of another length changes nothing. */
void netlink_get_address(const struct nlattr *attribute, struct ip_prefix *prefix);
/* The value of a 32-bit attribute; 0 when it is shorter. */
uint32_t netlink_get_u32(const struct nlattr *attribute);

#endif
