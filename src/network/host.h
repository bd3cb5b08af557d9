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
	uint32_t mark;                   /* of the desired rules */
	uint32_t tables[2];              /* those that this process claims; 0: none */
	const struct item_list *desired; /* its addresses are those that the firewall guards */
	const struct item_list *before;  /* addresses of ours before Linux 5.18, which reports no owner */
	bool first;               /* before the first commit: look for what a daemon that died left in other tables */
	bool gone;                /* the last observation found no interface */
	bool closing;             /* the interface may be gone, and what else is ours is still of interest */
	struct netlink_link link; /* as the last observation found it */
	struct host_operations operations;
};

/* Opens the sockets. The caller has zeroed the struct and set `index`. 0 or negative errno. */
int host_open(struct host *host);
/* Takes a zeroed struct. */
void host_close(struct host *host);

/* Parts of the operations; see host_operations. */
int host_observe_firewall(struct host *host, uint8_t family, struct item_list *observed);
int host_apply_firewall(struct host *host, const struct operation *operation, struct reason *reason);

/* Reads what the interface is like now. 0 or negative errno. */
int host_read_link(struct host *host);
/* True if an interface of the host has a strict reverse path filter. */
bool host_is_strict(void);
/* True if the interface has IPv6, or will have it once its MTU is 1280 or more. */
bool host_has_v6(const struct host *host);

#endif
