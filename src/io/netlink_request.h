/* SPDX-License-Identifier: MIT */
/* Requests to rtnetlink and their answers, for the netlink_*.c files. */
#ifndef ADIT_IO_NETLINK_REQUEST_H
#define ADIT_IO_NETLINK_REQUEST_H

#include <libmnl/libmnl.h>
#include <stddef.h>

#include "io/netlink.h"

enum {
	NETLINK_REQUEST_MAX = 512,    /* bytes of one request */
	NETLINK_REQUEST_BYTES = 4096, /* of all requests that are sent together */
	NETLINK_ANSWER_BYTES = 32768, /* the kernel's maximum for one message of a dump */
};

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	bool interrupted;      /* entries changed during the dump that is being read */
	struct nlmsghdr *last; /* the last request in `request` */
	_Alignas(struct nlmsghdr) char request[NETLINK_REQUEST_BYTES];
	_Alignas(struct nlmsghdr) char answer[NETLINK_ANSWER_BYTES];
};

typedef void netlink_handler(void *context, const struct nlmsghdr *message);

/* Starts a request of `type` in netlink->request, with NLM_F_REQUEST and NLM_F_ACK in addition to `flags`. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/*
 * Starts another request that is sent together with the previous ones. Returns NULL if the buffer is full. Only the
 * last request is acknowledged; for the others the kernel reports only errors.
 */
struct nlmsghdr *netlink_begin_another(struct netlink *netlink, uint16_t type, uint16_t flags);

/*
 * Sends all requests, `count` of them, and waits for the answers. Sets `status` of each request to 0 or a negative
 * errno. None of them may be a dump.
 */
void netlink_finish_all(struct netlink *netlink, int *status, size_t count);

/*
 * Sends the request, waits for the answer and calls `handle` (may be NULL) for each message in it. Returns 0 or the
 * kernel's negative errno. A dump during which entries changed is repeated, so `handle` may see an entry twice.
 */
int netlink_finish(struct netlink *netlink, netlink_handler *handle, void *context);

/* Sends the requests without waiting for the answers. */
int netlink_send(struct netlink *netlink);
/* Reads one part of the answer to the last request: 1 if there is more, else as netlink_finish. */
int netlink_read_part(struct netlink *netlink, netlink_handler *handle, void *context);

/* Returns the size of an address of `family`. */
static inline size_t netlink_address_bytes(uint8_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* Starts a request for the route of packets with firewall mark `mark` (0: none) to the address in `to`. */
struct nlmsghdr *netlink_begin_lookup(struct netlink *netlink, const struct ip_prefix *to, uint32_t mark);

/* Appends the address of `prefix` as an attribute of type `type`. */
void netlink_put_address(struct nlmsghdr *message, uint16_t type, const struct ip_prefix *prefix);
/* Reads an address attribute into `prefix`, whose family must be set. Ignores an attribute of the wrong length. */
void netlink_get_address(const struct nlattr *attribute, struct ip_prefix *prefix);
/* Returns the value of a 32-bit attribute, or 0 if it is too short. */
uint32_t netlink_get_u32(const struct nlattr *attribute);
/* Returns the MTU in an RTA_METRICS attribute, or 0 if it has none. */
uint32_t netlink_get_mtu(const struct nlattr *metrics);

#endif
