/* SPDX-License-Identifier: MIT */
/* The difference: compares two sorted lists of items, and orders the operations. */
#include "difference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 };

static int operation_push(struct operation_list *list, enum operation_verb verb, const struct item *item)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : FIRST_ROOM;
		struct operation *larger = realloc(list->operations, room * sizeof *larger);

		if (!larger)
			return -ENOMEM;
		list->operations = larger;
		list->room = room;
	}
	list->operations[list->count++] = (struct operation) { verb, *item };
	return 0;
}

void operation_list_destroy(struct operation_list *list)
{
	free(list->operations);
	*list = (struct operation_list) { 0 };
}

/* Returns the end of the run of items with the identity of the item at `at`. */
static size_t run_end(const struct item_list *list, size_t at)
{
	size_t end = at + 1;

	while (end < list->count && item_compare(&list->items[at], &list->items[end]) == 0)
		end++;
	return end;
}

static bool is_setting(const struct item *item)
{
	return item->kind == ITEM_LINK || item->kind == ITEM_SYSCTL;
}

static bool prefixes_overlap(const struct item *network, const struct item *address)
{
	size_t whole = network->length / 8;
	unsigned rest = network->length % 8;

	if (network->family != address->family || network->length != address->length ||
		memcmp(network->address, address->address, whole) != 0)
		return false;
	return !rest || (network->address[whole] ^ address->address[whole]) >> (8 - rest) == 0;
}

/* Returns true if an observed address lies in the connected network `route`. */
static bool address_stands(const struct item_list *observed, const struct item *route)
{
	for (size_t i = 0; i < observed->count && observed->items[i].kind <= ITEM_ADDRESS; i++)
		if (observed->items[i].kind == ITEM_ADDRESS && prefixes_overlap(route, &observed->items[i]))
			return true;
	return false;
}

/* Returns false for items that cannot or must not be added now. */
static bool is_wanted(const struct item *item, const struct item_list *observed)
{
	if (item->flags & (ITEM_LEFT_OUT | ITEM_FAILED | ITEM_BRIEF))
		return false;
	if (is_setting(item))
		return false; /* a setting that was not observed does not exist, such as those of IPv6 below an MTU of 1280 */
	return !(item->flags & ITEM_CONNECTED) || address_stands(observed, item);
}

/*
 * An IPv6 address can be on an interface only once, with one prefix length. If the length changes, the old address must
 * be deleted first.
 */
static int delete_other_length(struct operation_list *list, const struct item *address,
							   const struct item_list *observed)
{
	if (address->kind != ITEM_ADDRESS || address->family != AF_INET6)
		return 0;
	for (size_t i = 0; i < observed->count; i++) {
		const struct item *other = &observed->items[i];

		if (other->kind == ITEM_ADDRESS && other->family == AF_INET6 && other->flags & ITEM_OURS &&
			other->length != address->length && memcmp(other->address, address->address, 16) == 0)
			return operation_push(list, OPERATION_DELETE, other);
	}
	return 0;
}

static int add_missing(struct operation_list *list, const struct item *item, const struct item_list *observed)
{
	int error;

	if (!is_wanted(item, observed))
		return 0;
	error = delete_other_length(list, item, observed);
	return error ? error : operation_push(list, OPERATION_ADD, item);
}

/*
 * Compares the observed items that have the identity of `desired`. Keeps the first one that satisfies it, and deletes
 * our other ones. A wrong address must be deleted before it can be added again.
 */
static int compare_run(struct operation_list *additions, struct operation_list *deletions, const struct item *desired,
					   const struct item *observed, size_t count)
{
	bool satisfied = false;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		bool good = item_satisfies(&observed[i], desired);

		if (good && !satisfied)
			satisfied = true;
		else if (!is_setting(desired) && desired->kind != ITEM_FIREWALL && observed[i].flags & ITEM_OURS)
			error =
				operation_push(desired->kind == ITEM_ADDRESS ? additions : deletions, OPERATION_DELETE, &observed[i]);
	}
	if (satisfied || error || desired->flags & (ITEM_LEFT_OUT | ITEM_FAILED))
		return error;
	return operation_push(additions, OPERATION_ADD, desired);
}

static int delete_unwanted(struct operation_list *deletions, const struct item *observed, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		if (observed[i].flags & ITEM_OURS && !is_setting(&observed[i]))
			error = operation_push(deletions, OPERATION_DELETE, &observed[i]);
	return error;
}

/* Walks both sorted lists. change_guards handles brief guards. */
static int walk_lists(struct operation_list *additions, struct operation_list *deletions,
					  const struct item_list *desired, const struct item_list *observed)
{
	size_t d = 0, o = 0;
	int error = 0;

	while (!error && (d < desired->count || o < observed->count)) {
		int order = d == desired->count    ? 1
					: o == observed->count ? -1
										   : item_compare(&desired->items[d], &observed->items[o]);

		if (order < 0) {
			error = add_missing(additions, &desired->items[d++], observed);
			continue;
		}
		size_t end = run_end(observed, o);
		if (order > 0)
			error = delete_unwanted(deletions, &observed->items[o], end - o);
		else if (!(desired->items[d].flags & ITEM_BRIEF))
			error = compare_run(additions, deletions, &desired->items[d], &observed->items[o], end - o);
		d += order == 0;
		o = end;
	}
	return error;
}

static int compare_places(const void *left, const void *right)
{
	const struct operation *a = left, *b = right;

	return (a->item.table > b->item.table) - (a->item.table < b->item.table);
}

/*
 * The kernel sends from the first address of a network, so addresses are added in the order of the configuration. Only
 * runs of additions are sorted, because a deletion by delete_other_length must stay in front of its addition.
 */
static void order_addresses(struct operation_list *list)
{
	size_t begin = 0;

	while (begin < list->count) {
		size_t end = begin;

		while (end < list->count && list->operations[end].item.kind == ITEM_ADDRESS &&
			   list->operations[end].verb == OPERATION_ADD)
			end++;
		if (end - begin > 1)
			qsort(list->operations + begin, end - begin, sizeof *list->operations, compare_places);
		begin = end > begin ? end : begin + 1;
	}
}

static int append_reversed(struct operation_list *list, const struct operation_list *deletions)
{
	int error = 0;

	for (size_t i = deletions->count; i > 0 && !error; i--)
		error = operation_push(list, OPERATION_DELETE, &deletions->operations[i - 1].item);
	return error;
}

/* Adds the brief guards that are missing, or deletes those that exist. */
static int change_guards(struct operation_list *list, const struct item_list *desired, const struct item_list *observed,
						 enum operation_verb verb)
{
	int error = 0;

	for (size_t i = 0; i < desired->count && desired->items[i].kind == ITEM_GUARD && !error; i++) {
		const struct item *guard = &desired->items[i];
		bool stands = item_find(observed, guard);

		if (guard->flags & ITEM_BRIEF && stands == (verb == OPERATION_DELETE))
			error = operation_push(list, verb, guard);
	}
	return error;
}

/* Appends the deletion of the guards that the first operations of the list add. */
static int delete_added_guards(struct operation_list *list, size_t guards)
{
	int error = 0;

	for (size_t i = 0; i < guards && !error; i++) {
		struct item guard = list->operations[i].item;

		error = operation_push(list, OPERATION_DELETE, &guard);
	}
	return error;
}

int difference_find(struct operation_list *list, const struct item_list *desired, const struct item_list *observed,
					enum difference_part part)
{
	struct operation_list additions = { 0 }, deletions = { 0 };
	size_t guards = 0;
	int error = walk_lists(&additions, &deletions, desired, observed);

	if (!error && (additions.count || (deletions.count && part == DIFFERENCE_ALL)))
		error = change_guards(list, desired, observed, OPERATION_ADD);
	guards = list->count;
	order_addresses(&additions);
	for (size_t i = 0; i < additions.count && !error; i++)
		error = operation_push(list, additions.operations[i].verb, &additions.operations[i].item);
	if (!error && part == DIFFERENCE_ALL) {
		error = append_reversed(list, &deletions);
		if (!error)
			error = delete_added_guards(list, guards);
		if (!error)
			error = change_guards(list, desired, observed, OPERATION_DELETE);
	}
	operation_list_destroy(&additions);
	operation_list_destroy(&deletions);
	return error;
}
