/* SPDX-License-Identifier: MIT */
/* The host as the reconciler sees it: rtnetlink, nfnetlink with nft(8), and /proc/sys. */
#ifndef ADIT_NETWORK_HOST_H
#define ADIT_NETWORK_HOST_H

#include "io/netfilter.h"
#include "io/netlink_dump.h"
#include "reconcile.h"

struct host {
	uint32_t index; /* of the interface */
	struct netlink *netlink;
	struct netfilter *netfilter;     /* NULL: the kernel has no nfnetlink */
	uint64_t rules_hash[2];          /* of our firewall per family, since it was first seen; 0: not seen yet */
	uint32_t mark;                   /* of the desired rules */
	uint32_t tables[2];              /* tables that this process claims; 0: none */
	const struct item_list *desired; /* the firewall guards its addresses */
	const struct item_list *before;  /* identifies our addresses before Linux 5.18, which reports no owner */
	uint32_t closed_metric;          /* of our guard with FailClosed */
	bool first;               /* before the first commit: also look in other tables for remains of a daemon that died */
	bool gone;                /* the last observation found no interface */
	bool closing;             /* the interface may be gone, but our other items must still be observed */
	struct netlink_link link; /* at the last observation */
	struct host_operations operations;
	void (*report)(void *context, const char *text); /* of a conflict that stays; NULL: not reported */
	void *report_context;
};

/* Opens the sockets. The caller has zeroed the struct and set `index`. 0 or negative errno. */
int host_open(struct host *host);
/* Accepts a zeroed struct. */
void host_close(struct host *host);

/* Parts of the operations; see host_operations. */
int host_observe_firewall(struct host *host, uint8_t family, struct item_list *observed);
int host_apply_firewall(struct host *host, const struct operation *operation, struct reason *reason);

/* Marks our default route as ITEM_BROKEN if another one in our table precedes it, and reports other conflicts there. */
int host_check_routes(const struct host *host, uint8_t family, struct item_list *observed);
/*
 * Report conflicts with rules and addresses of other programs, and with their routes to our networks. `observed` has
 * the addresses in the kernel's order.
 */
int host_check_rules(const struct host *host, uint8_t family, const struct item_list *observed);
void host_check_source(const struct host *host, const struct item_list *observed);
void host_check_lookups(const struct host *host, const struct item_list *observed);

/* Reads the state of the interface into `link`. Returns 0 or a negative errno. */
int host_read_link(struct host *host);
/* Returns true if an interface of the host has a strict reverse path filter. */
bool host_is_strict(void);
/* Returns true if the interface has IPv6, or will have it with an MTU of at least 1280. */
bool host_has_v6(const struct host *host);

#endif
