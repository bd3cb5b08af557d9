/* SPDX-License-Identifier: MIT */
/* Arrays of addresses and routes, and how the ones in the kernel are brought to match the configured ones. */
#ifndef ADIT_NETWORK_ITEM_LIST_H
#define ADIT_NETWORK_ITEM_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "io/netlink.h"

/* An address of the interface (table 0), or a route to it in a table (0: main). */
struct network_item {
	struct ip_prefix prefix;
	uint32_t table;
};

struct network_list {
	struct network_item *items;
	size_t count, room;
};

/* Appends an item. 0 or -ENOMEM. */
int network_list_push(struct network_list *list, const struct ip_prefix *prefix, uint32_t table);
/* Accepts a zeroed struct. */
void network_list_destroy(struct network_list *list);

/*
 * Appends the configured addresses in their order, because the kernel prefers the first of a network as the source
 * address. 0 or -ENOMEM.
 */
int network_list_addresses(struct network_list *list, const struct config *config);
/*
 * Fills an empty list with the routes for the allowed IPs of all peers as `Table =` requires, each once, the longest
 * prefixes first. With Table = auto, default routes go to `default_table`. 0 or -ENOMEM.
 */
int network_list_routes(struct network_list *list, const struct config *config, uint32_t default_table);

/* True if a prefix of the list that belongs to the main table contains `prefix` or is equal to it. */
bool network_list_contains(const struct network_list *list, const struct ip_prefix *prefix);

enum { NETWORK_LIST_BATCH = 32 };

/*
 * Changes the kernel. `add` gets up to NETWORK_LIST_BATCH items and stores a result for each in `status`; `del` returns
 * it. A result is 0: done; 1: skipped, as the items after a failed one may be; or negative errno.
 */
struct network_list_ops {
	void (*add)(void *context, const struct network_item *items, size_t count, int *status);
	int (*del)(void *context, const struct network_item *item);
	void *context;
};

/*
 * Deletes the items of `have` that are not in `want`, then adds those that are missing, in the order of `want`. Stops
 * at the first error and returns it, a negative errno. `have` then contains the items that we have added to the
 * kernel, also after an error. It must be sorted, and every call leaves it sorted.
 */
int network_list_sync(struct network_list *have, const struct network_list *want, const struct network_list_ops *ops);

#endif
