/* SPDX-License-Identifier: MIT */
/* Lists of addresses and routes, and the way from what stands to what is wanted. */
#ifndef ADIT_NETWORK_LIST_H
#define ADIT_NETWORK_LIST_H

#include "network/network.h"

/* Puts an item at the end. 0 or -ENOMEM. */
int network_list_push(struct network_list *list, const struct ip_prefix *prefix, uint32_t table);
/* Takes a zeroed struct. */
void network_list_destroy(struct network_list *list);

/* Fills an empty list with the addresses of a configuration, in its order: the kernel sends from the first of a
 * network. */
int network_list_addresses(struct network_list *list, const struct config *config);
/* Fills one with the routes of all allowed IPs as `Table =` wants them, the longest prefixes first, each once. */
int network_list_routes(struct network_list *list, const struct config *config, const struct network_plan *plan);

/* Some prefix of the list that is for the main table holds all of `prefix`. */
bool network_list_covers(const struct network_list *list, const struct ip_prefix *prefix);

enum { NETWORK_LIST_AT_ONCE = 32 };

/*
 * What is done to the kernel. `del` returns, and `add` puts in `status` for each of its items, of which it is given
 * NETWORK_LIST_AT_ONCE at most: 0 done, 1 left out (as may be what stands behind an error), or negative errno.
 */
struct network_acts {
	void (*add)(void *context, const struct network_item *items, size_t count, int *status);
	int (*del)(void *context, const struct network_item *item);
	void *context;
};

/*
 * Deletes the items of `have` that are not wanted, then adds the wanted ones that are missing, in their order. Stops at
 * the first error, a negative errno; `have` tells what stands in every case. `have` is sorted, as every call leaves it.
 */
int network_list_sync(struct network_list *have, const struct network_list *want, const struct network_acts *acts);

#endif
