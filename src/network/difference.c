/* SPDX-License-Identifier: MIT */
/* The difference: compares two sorted lists of items, and orders the operations. */
#include "difference.h"

#include <errno.h>
#include <linux/rtnetlink.h>
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

static bool is_setting(const struct item *item)
{
	return item->kind == ITEM_LINK || item->kind == ITEM_SYSCTL;
}

/* Returns true if an observed address lies in the connected network `route`. */
static bool has_address_in(const struct item_list *observed, const struct item *route)
{
	size_t whole = route->length / 8;
	unsigned rest = route->length % 8;

	for (size_t i = 0; i < observed->count && observed->items[i].kind <= ITEM_ADDRESS; i++) {
		const struct item *address = &observed->items[i];

		if (address->kind != ITEM_ADDRESS || address->family != route->family || address->length != route->length)
			continue;
		if (memcmp(route->address, address->address, whole) == 0 &&
			(!rest || (route->address[whole] ^ address->address[whole]) >> (8 - rest) == 0))
			return true;
	}
	return false;
}

static int add_missing(struct operation_list *list, const struct item *item, const struct item_list *observed)
{
	if (item->flags & (ITEM_LEFT_OUT | ITEM_FAILED | ITEM_BRIEF))
		return 0;
	if (is_setting(item))
		return 0; /* a setting that was not observed does not exist, such as those of IPv6 below an MTU of 1280 */
	if (item->flags & ITEM_CONNECTED && !has_address_in(observed, item))
		return 0;
	/*
	 * An IPv6 address can be on an interface only once, with one prefix length. If the length changes, the old address
	 * must be deleted first.
	 */
	for (size_t i = 0; item->kind == ITEM_ADDRESS && item->family == AF_INET6 && i < observed->count; i++) {
		const struct item *other = &observed->items[i];

		if (other->kind == ITEM_ADDRESS && other->family == AF_INET6 && other->flags & ITEM_OURS &&
			other->length != item->length && memcmp(other->address, item->address, 16) == 0) {
			int error = operation_push(list, OPERATION_DELETE, other);
			if (error)
				return error;
			break;
		}
	}
	return operation_push(list, OPERATION_ADD, item);
}

/*
 * Compares the observed items that have the identity of `desired`. Keeps the first one that satisfies it, one of ours
 * if there is any, and deletes our other ones. A connected route is the kernel's if it has added one.
 */
static int compare_run(struct operation_list *additions, struct operation_list *deletions, const struct item *desired,
					   const struct item *observed, size_t count)
{
	bool satisfied = false, own = false;
	int error = 0;

	for (size_t i = 0; i < count && !(desired->flags & ITEM_CONNECTED); i++)
		own |= observed[i].flags & ITEM_OURS && item_satisfies(&observed[i], desired);
	for (size_t i = 0; i < count && !error; i++) {
		bool good = item_satisfies(&observed[i], desired) && (!own || observed[i].flags & ITEM_OURS);
		/* A wrong address, or a route behind another program's, must be deleted before it can be added again. */
		bool first = desired->kind == ITEM_ADDRESS || (desired->kind == ITEM_ROUTE && observed[i].flags & ITEM_BROKEN);

		if (good && !satisfied)
			satisfied = true;
		else if (!is_setting(desired) && desired->kind != ITEM_FIREWALL && observed[i].flags & ITEM_OURS)
			error = operation_push(first ? additions : deletions, OPERATION_DELETE, &observed[i]);
	}
	if (satisfied || error || desired->flags & (ITEM_LEFT_OUT | ITEM_FAILED))
		return error;
	return operation_push(additions, desired->kind >= ITEM_ADDRESS ? OPERATION_PREPEND : OPERATION_ADD, desired);
}

/* Walks both sorted lists. change_guards handles brief guards. */
static int walk_lists(struct operation_list *additions, struct operation_list *deletions,
					  const struct item_list *desired, const struct item_list *observed)
{
	const struct item *wanted = desired->items, *existing = observed->items;
	size_t d = 0, o = 0;
	int error = 0;

	while (!error && (d < desired->count || o < observed->count)) {
		int order = d == desired->count ? 1 : o == observed->count ? -1 : item_compare(&wanted[d], &existing[o]);
		size_t begin = o;

		if (order < 0) {
			error = add_missing(additions, &wanted[d++], observed);
		} else if (order > 0) {
			if (existing[o].flags & ITEM_OURS && !is_setting(&existing[o]))
				error = operation_push(deletions, OPERATION_DELETE, &existing[o]);
			o++;
		} else {
			while (o < observed->count && item_compare(&wanted[d], &existing[o]) == 0)
				o++;
			if (!(wanted[d].flags & ITEM_BRIEF))
				error = compare_run(additions, deletions, &wanted[d], &existing[begin], o - begin);
			d++;
		}
	}
	return error;
}

static int compare_places(const void *left, const void *right)
{
	const struct operation *a = left, *b = right;

	if ((a->verb == OPERATION_DELETE) != (b->verb == OPERATION_DELETE))
		return a->verb == OPERATION_DELETE ? -1 : 1;
	return (a->item.table > b->item.table) - (a->item.table < b->item.table);
}

/* The kernel sends from the first address of a network, so addresses are added in the order of the configuration. */
static void order_addresses(struct operation_list *list)
{
	size_t begin = 0, end;

	while (begin < list->count && list->operations[begin].item.kind != ITEM_ADDRESS)
		begin++;
	for (end = begin; end < list->count && list->operations[end].item.kind == ITEM_ADDRESS;)
		end++;
	if (end > begin)
		qsort(list->operations + begin, end - begin, sizeof *list->operations, compare_places);
}

/* Adds the brief guards that are missing, or deletes those that exist, whatever their metric. */
static int change_guards(struct operation_list *list, const struct item_list *desired, const struct item_list *observed,
						 enum operation_verb verb)
{
	int error = 0;

	for (size_t i = 0; i < desired->count && desired->items[i].kind == ITEM_GUARD && !error; i++) {
		const struct item *guard = &desired->items[i];

		if (!(guard->flags & ITEM_BRIEF))
			continue;
		if (verb == OPERATION_ADD && !item_find(observed, guard))
			error = operation_push(list, verb, guard);
		for (size_t o = 0; verb == OPERATION_DELETE && o < observed->count && !error; o++) {
			struct item existing = observed->items[o];

			if (existing.kind != ITEM_GUARD)
				break;
			existing.flags |= ITEM_BRIEF; /* not a change that is reported */
			if (item_compare(&existing, guard) == 0)
				error = operation_push(list, verb, &existing);
		}
	}
	return error;
}

/* Returns true if the link is up and none of its settings changes, so that routes need not wait for them. */
static bool link_is_ready(const struct operation_list *additions, const struct item_list *observed)
{
	const struct item up = item_setting(ITEM_LINK, LINK_UP, 1), *link = item_find(observed, &up);

	for (size_t i = 0; i < additions->count; i++)
		if (additions->operations[i].item.kind == ITEM_LINK)
			return false;
	return link && link->value;
}

/*
 * If the link is ready, the default route in a table of ours is added before the rule that leads there. Otherwise the
 * guard would reject packets until the route is added, although they can enter the tunnel.
 */
static int push_additions(struct operation_list *list, const struct operation_list *additions,
						  const struct item_list *observed)
{
	bool ready = link_is_ready(additions, observed);
	int error = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < additions->count && !error; i++) {
			const struct operation *operation = &additions->operations[i];
			const struct item *item = &operation->item;
			bool first = ready && item->kind == ITEM_ROUTE && item->length == 0 && item->table != RT_TABLE_MAIN;

			if (first == (round == 0))
				error = operation_push(list, operation->verb, item);
		}
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
	if (!error)
		error = push_additions(list, &additions, observed);
	if (!error && part == DIFFERENCE_ALL) {
		for (size_t i = deletions.count; i > 0 && !error; i--)
			error = operation_push(list, OPERATION_DELETE, &deletions.operations[i - 1].item);
		/* The first operations of the list added guards. */
		for (size_t i = 0; i < guards && !error; i++) {
			struct item guard = list->operations[i].item; /* operation_push may move the list */

			error = operation_push(list, OPERATION_DELETE, &guard);
		}
		if (!error)
			error = change_guards(list, desired, observed, OPERATION_DELETE);
	}
	operation_list_destroy(&additions);
	operation_list_destroy(&deletions);
	return error;
}
