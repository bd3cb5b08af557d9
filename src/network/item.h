/* SPDX-License-Identifier: MIT */
/*
 * Items: everything that the reconciler sets on the host, each as one small value that can be compared and sorted. The
 * desired state and the observed state are sorted lists of items.
 */
#ifndef ADIT_NETWORK_ITEM_H
#define ADIT_NETWORK_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* In the order in which additions are made: whatever closes a leak comes first. */
enum item_kind {
	ITEM_GUARD,    /* an unreachable default route in the tunnel's table, worse than all others; value: its metric */
	ITEM_RULE,     /* one of the two policy rules of a full tunnel */
	ITEM_FIREWALL, /* the nftables table of a full tunnel */
	ITEM_SYSCTL,
	ITEM_LINK,
	ITEM_ADDRESS,
	ITEM_ROUTE,
	ITEM_KINDS
};

/* `which` of an ITEM_RULE, in the order of their preferences. */
enum item_rule {
	RULE_SUPPRESS, /* not from all fwmark MARK lookup main suppress_prefixlength 0 */
	RULE_TUNNEL,   /* not from all fwmark MARK lookup TABLE */
};

/* `which` of an ITEM_SYSCTL. */
enum item_sysctl {
	SYSCTL_SRC_VALID_MARK,     /* net.ipv4.conf.all.src_valid_mark */
	SYSCTL_ALL_SEND_REDIRECTS, /* net.ipv4.conf.all.send_redirects */
	SYSCTL_ACCEPT_RA,          /* net.ipv6.conf.NAME.accept_ra */
	SYSCTLS
};

/* `which` of an ITEM_LINK, in the order in which they are set: IPv6 settings must be right before the link is up. */
enum item_link {
	LINK_MTU,
	LINK_ADDR_GEN_MODE,
	LINK_SEND_REDIRECTS,
	LINK_PROMOTE_SECONDARIES,
	LINK_MULTICAST,
	LINK_CARRIER,
	LINK_QUEUE, /* whether its queue has room for any packet */
	LINK_UP,
	LINK_SETTINGS
};

enum item_flags {
	/* Desired items. */
	ITEM_OPTIONAL = 1 << 0,  /* left out with a warning if the host refuses it */
	ITEM_LEFT_OUT = 1 << 1,  /* it was refused, and is not tried again before the next reload */
	ITEM_AT_LEAST = 1 << 2,  /* a minimum: a larger value satisfies it too */
	ITEM_CONNECTED = 1 << 3, /* the kernel adds this route with an address; wanted only while that address is there */
	ITEM_BRIEF = 1 << 4,     /* a guard that exists only while other items change */
	ITEM_FAILED = 1 << 5,    /* it was refused in this run */
	/* Observed items. */
	ITEM_OURS = 1 << 6, /* this daemon or an earlier one added it */
	/*
	 * A rule of ours with a wrong preference, an address of ours without its local route or in a wrong place, an
	 * address that the kernel will remove, a route behind another one.
	 */
	ITEM_BROKEN = 1 << 7,
};

static const uint32_t item_no_place = UINT32_MAX; /* of an observed address that is not ours, or not desired */

struct item {
	uint8_t kind, family, flags;
	uint8_t length; /* of the prefix; other kinds store `which` here */
	uint32_t table; /* of routes, guards and tunnel rules; for an address, its place in the desired order */
	union {
		uint8_t address[16]; /* of addresses and routes */
		struct {
			uint32_t mark, preference;
		} rule;
		uint64_t digest; /* of a firewall's text */
		uint32_t value;  /* of settings; the metric of a guard */
	};
};

struct item_list {
	struct item *items;
	size_t count, room;
};

/* Appends an item. 0 or -ENOMEM. */
int item_push(struct item_list *list, const struct item *item);
/* Frees the memory. Accepts a zeroed struct. */
void item_list_destroy(struct item_list *list);
/* Sorts by identity and drops items that are equal in every field, which an interrupted dump returns. */
void item_list_sort(struct item_list *list);
/* Keeps the first item of each identity in a sorted list. */
void item_list_unique(struct item_list *list);
/* Returns the item with the identity of `item` in a sorted list, or NULL. */
struct item *item_find(const struct item_list *sorted, const struct item *item);

/*
 * Compares identities as strcmp does: kind, family, prefix, table and so on, but no flag, no value and no preference.
 * Longer prefixes come first.
 */
int item_compare(const struct item *a, const struct item *b);
/* Returns true if the observed item also has the desired value. Both have the same identity. */
bool item_satisfies(const struct item *observed, const struct item *desired);

struct item item_route(const struct ip_prefix *to, uint32_t table);
struct item item_setting(enum item_kind kind, uint8_t which, uint32_t value);

/*
 * The metric of a guard identifies its owner after the daemon has ended. Any start of adit removes a guard with
 * guard_brief_metric, and the rules that lead to it. A guard of FailClosed has the metric item_closed_metric, and only
 * a tunnel with the same name removes it.
 */
static const uint32_t guard_brief_metric = UINT32_MAX;
uint32_t item_closed_metric(const char *interface);
/* Returns true if the metric is that of a guard of FailClosed, of any tunnel. */
bool item_is_closed_metric(uint32_t metric);

/* Returns the position of the first item from `i` on that a user knows from the file. Others follow from these. */
size_t item_list_next_shown(const struct item_list *list, size_t i);
/* Returns true if two sorted lists have the same addresses, at any places. */
bool item_lists_have_same_addresses(const struct item_list *a, const struct item_list *b);
/*
 * Marks observed addresses of ours as ITEM_BROKEN if they are in the wrong order, which determines from which one the
 * kernel sends. `list` has them in the kernel's order, each with its desired place. The kernel puts a new address
 * behind the others of its network or scope, so the order becomes wrong if one is deleted and added again, or if the
 * configuration changes. Marks all from the first one on that is in front of one that it must follow. That is never the
 * first one of all, so the routes of the interface stay. An IPv4 network with an address without a place is left as it
 * is: that address may lead, or take the lead by a deletion.
 */
void item_list_check_places(struct item_list *list, uint8_t family);

void item_prefix(const struct item *item, struct ip_prefix *prefix);
/* Returns true if two addresses are in the same network, with the same prefix length. */
bool item_same_network(const struct item *a, const struct item *b);

enum { ITEM_TEXT = 96 };

/* "address 10.0.0.1/24", "route 192.0.2.0/24 table 7", "IPv4 rule not fwmark 0xca6c table 51820". */
void item_text(char text[ITEM_TEXT], const struct item *item);

#endif
