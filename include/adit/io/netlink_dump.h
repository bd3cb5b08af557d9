/* SPDX-License-Identifier: MIT */
/*
 * Dumps of one interface's link, addresses, routes and rules, and requests that change them, for the reconciler. All
 * entries have the protocol number of their owner, and the kernel filters the dumps.
 */
#ifndef ADIT_IO_NETLINK_DUMP_H
#define ADIT_IO_NETLINK_DUMP_H

#include <net/if.h>

#include "io/netlink.h"

/*
 * The protocol number (rtm_protocol, FRA_PROTOCOL, IFA_PROTO) of the routes, rules and addresses that adit adds. It is
 * in no rt_protos file of iproute2 and in no kernel header; 0xad are the first letters of the name.
 */
enum { NETLINK_PROTOCOL_ADIT = 0xad };

struct netlink_link {
	char name[IFNAMSIZ];
	uint32_t mtu;
	bool up, multicast, carrier;
	bool queue;                               /* its length is not 0 */
	bool send_redirects, promote_secondaries; /* of net.ipv4.conf.NAME */
	bool has_v6;                              /* false below an MTU of 1280, and in a kernel without IPv6 */
	bool v6_disabled, accept_ra;              /* of net.ipv6.conf.NAME; valid with has_v6 */
	uint8_t addr_gen_mode;                    /* IN6_ADDR_GEN_MODE_*; valid with has_v6 */
};

/* Each setting is a separate request, because the kernel accepts or refuses a request as a whole. */
enum netlink_link_setting {
	NETLINK_LINK_ADDR_GEN_MODE,
	NETLINK_LINK_SEND_REDIRECTS,
	NETLINK_LINK_PROMOTE_SECONDARIES,
	NETLINK_LINK_MULTICAST,
	NETLINK_LINK_CARRIER,
	NETLINK_LINK_QUEUE, /* sets the default length */
	NETLINK_LINK_MTU,
	NETLINK_LINK_UP,
};

/* All functions return 0 or the kernel's negative errno. -ENODEV: the interface is gone. */
int netlink_link_read(struct netlink *netlink, uint32_t index, struct netlink_link *link);
int netlink_link_change(struct netlink *netlink, uint32_t index, enum netlink_link_setting setting, uint32_t value);

struct netlink_address_entry {
	struct ip_prefix prefix;
	uint8_t protocol; /* IFA_PROTO; 0 before Linux 5.18 */
	bool expiring;    /* the kernel will remove it, or does not send from it any more */
	bool tentative;   /* the kernel has not added its local route yet */
};

/* Calls `handle` for each address of the interface. After an interruption, entries may be repeated. */
int netlink_dump_addresses(struct netlink *netlink, uint8_t family, uint32_t index,
						   void (*handle)(void *context, const struct netlink_address_entry *entry), void *context);
enum netlink_address_verb {
	NETLINK_ADDRESS_ADD,
	NETLINK_ADDRESS_REPLACE, /* adds it, or changes owner and lifetime of one that is there */
	NETLINK_ADDRESS_DELETE,
};

/* Adds an address with our protocol number, or deletes one. */
int netlink_change_address(struct netlink *netlink, enum netlink_address_verb verb, uint32_t index,
						   const struct ip_prefix *address);

struct netlink_route_entry {
	struct ip_prefix to;
	uint32_t table, index; /* index 0: no device */
	uint32_t metric;
	uint32_t mtu;           /* 0: the route has no MTU of its own */
	uint8_t protocol, type; /* RTPROT_*, RTN_* */
	bool partial;           /* it applies only to packets with a certain TOS or source */
};

/* A field of 0 matches everything. */
struct netlink_route_filter {
	uint8_t family, protocol, type;
	uint32_t table, index;
	bool or_no_device; /* with `index`: also list routes without a device, such as those with several next hops */
};

int netlink_dump_routes(struct netlink *netlink, const struct netlink_route_filter *filter,
						void (*handle)(void *context, const struct netlink_route_entry *entry), void *context);

/*
 * The same in parts, for a thread that must not wait for a long list: begin the dump, then read parts of up to 32 KiB,
 * about 500 routes each. Until the last part is read, `netlink` must not be used for anything else. The part returns 1
 * if there is more, 0 at the end, -EINTR at the end if routes changed meanwhile, or another negative errno.
 */
int netlink_begin_route_dump(struct netlink *netlink, const struct netlink_route_filter *filter);
int netlink_read_route_dump(struct netlink *netlink, const struct netlink_route_filter *filter,
							void (*handle)(void *context, const struct netlink_route_entry *entry), void *context);
/* Becomes readable when a part is there. */
int netlink_fd(const struct netlink *netlink);

/*
 * Reads the route by which the kernel sends packets without a firewall mark to the address in `to`, and the address
 * from which it sends them (family 0: unknown). Returns a negative errno such as -ENETUNREACH if there is none.
 */
int netlink_match_route(struct netlink *netlink, const struct ip_prefix *to, struct netlink_route_entry *entry);
int netlink_route_source(struct netlink *netlink, const struct ip_prefix *to, struct ip_prefix *source);

struct netlink_route_change {
	struct ip_prefix to;
	uint32_t table, index, metric;
	uint8_t type;                   /* RTN_UNICAST or RTN_UNREACHABLE */
	const struct ip_prefix *source; /* the preferred source address; NULL: none */
};

enum netlink_route_verb {
	NETLINK_ROUTE_ADD,     /* -EEXIST if there is a route with the same destination and metric */
	NETLINK_ROUTE_PREPEND, /* adds it in front of such routes; IPv6 has no such order */
	NETLINK_ROUTE_DELETE,
};

/*
 * Adds or deletes routes with our protocol number, as many to a send as fit. Routes of other protocols are never
 * deleted. `status` receives 0 or a negative errno for each; a failure does not stop the others.
 */
void netlink_change_routes(struct netlink *netlink, enum netlink_route_verb verb,
						   const struct netlink_route_change *changes, size_t count, int *status);

struct nlmsghdr;
/* Reads RTM_NEWROUTE and RTM_DELROUTE. */
void netlink_read_route(const struct nlmsghdr *message, struct netlink_route_entry *entry);

enum { NETLINK_NOT_SUPPRESSED = -1 };

struct netlink_rule_entry {
	uint8_t family, protocol;
	bool inverted;    /* "not" */
	bool plain;       /* the fields here represent all its conditions and actions */
	bool rejects;     /* the fields here represent all its conditions, and it drops or rejects packets */
	uint32_t mark;    /* with a full mask; 0: any */
	int32_t suppress; /* suppress_prefixlength, or NETLINK_NOT_SUPPRESSED */
	uint32_t table;
	uint32_t preference;
};

/* A kernel without the family has no rules. */
int netlink_dump_rules(struct netlink *netlink, uint8_t family,
					   void (*handle)(void *context, const struct netlink_rule_entry *entry), void *context);
/* Adds or deletes exactly this rule. */
int netlink_change_rule(struct netlink *netlink, bool add, const struct netlink_rule_entry *rule);

/* Returns the port number of the socket, which is in nlmsg_pid of the events that its requests cause. */
uint32_t netlink_port(const struct netlink *netlink);

#endif
