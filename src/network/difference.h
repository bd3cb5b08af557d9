/* SPDX-License-Identifier: MIT */
/* The difference: the operations that turn the observed state into the desired one, in the order to apply them. */
#ifndef ADIT_NETWORK_DIFFERENCE_H
#define ADIT_NETWORK_DIFFERENCE_H

#include "item.h"

/*
 * Settings are "added": their value is overwritten. OPERATION_PREPEND adds an item although one with its identity is
 * there: a route in front of that one, an address in its place.
 */
enum operation_verb { OPERATION_ADD, OPERATION_DELETE, OPERATION_PREPEND };

struct operation {
	enum operation_verb verb;
	struct item item;
};

struct operation_list {
	struct operation *operations;
	size_t count, room;
};

/* Which part of the difference is wanted. */
enum difference_part {
	DIFFERENCE_ADDITIONS, /* no deletions, except those that an addition requires */
	DIFFERENCE_ALL,
};

/*
 * Fills an empty list with the operations that turn `observed` into `desired`; both are sorted, and `observed` may hold
 * several items with the same identity. A pure function.
 *
 * Additions come in the order of enum item_kind, except that default routes come first if the link is ready for them.
 * Addresses come in the desired order. Deletions follow, in reverse order. Only items with ITEM_OURS are deleted. If
 * there is any operation, brief guards are added first and deleted last. Returns 0 or -ENOMEM.
 */
int difference_find(struct operation_list *list, const struct item_list *desired, const struct item_list *observed,
					enum difference_part part);

/* Frees the memory. Accepts a zeroed struct. */
void operation_list_destroy(struct operation_list *list);

#endif
