/* SPDX-License-Identifier: MIT */
/* Arrays of addresses and routes: filled from a configuration, sorted, compared, and synchronized with the kernel. */
#include "network/item_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { ROOM_MIN = 8 };

static int items_reserve(struct network_list *list, size_t room)
{
	struct network_item *larger;

	if (room <= list->room)
		return 0;
	larger = realloc(list->items, room * sizeof *larger);
	if (!larger)
		return -ENOMEM;
	list->items = larger;
	list->room = room;
	return 0;
}

int network_list_push(struct network_list *list, const struct ip_prefix *prefix, uint32_t table)
{
	if (list->count == list->room && items_reserve(list, list->room ? list->room * 2 : ROOM_MIN) < 0)
		return -ENOMEM;
	list->items[list->count++] = (struct network_item) { *prefix, table };
	return 0;
}

void network_list_destroy(struct network_list *list)
{
	free(list->items);
	*list = (struct network_list) { 0 };
}

static int number_compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int address_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int upper;

	if (a->family != AF_INET6)
		return number_compare(get_be32(a->address), get_be32(b->address));
	upper = number_compare(get_be64(a->address), get_be64(b->address));
	return upper ? upper : number_compare(get_be64(a->address + 8), get_be64(b->address + 8));
}

/* Longest prefix first: the order in which routes must be added. */
static int item_compare(const void *left, const void *right)
{
	const struct network_item *a = left, *b = right;

	if (a->prefix.length != b->prefix.length)
		return a->prefix.length > b->prefix.length ? -1 : 1;
	if (a->prefix.family != b->prefix.family)
		return a->prefix.family < b->prefix.family ? -1 : 1;
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return address_compare(&a->prefix, &b->prefix);
}

static bool items_sorted(const struct network_list *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (item_compare(&list->items[i - 1], &list->items[i]) > 0)
			return false;
	return true;
}

/* Checks first, because most lists are already sorted and some have a hundred thousand routes. */
static void items_sort(struct network_list *list)
{
	if (!items_sorted(list))
		qsort(list->items, list->count, sizeof *list->items, item_compare);
}

/* `at` is a hint, 0 at first: the position after the item found last, where the next one usually is. */
static bool items_has(const struct network_list *sorted, const struct network_item *item, size_t *at)
{
	const struct network_item *found = NULL;

	if (*at < sorted->count && item_compare(&sorted->items[*at], item) == 0)
		found = &sorted->items[*at];
	else if (sorted->count)
		found = bsearch(item, sorted->items, sorted->count, sizeof *item, item_compare);
	if (found)
		*at = (size_t)(found - sorted->items) + 1;
	return found;
}

int network_list_addresses(struct network_list *list, const struct config *config)
{
	for (const struct config_prefix *address = config->addresses; address; address = address->next)
		if (network_list_push(list, &address->prefix, 0) < 0)
			return -ENOMEM;
	return 0;
}

static int items_push_route(struct network_list *list, const struct ip_prefix *allowed, const struct config *config,
							uint32_t default_table)
{
	struct ip_prefix to = *allowed;
	uint32_t table = 0;

	prefix_mask(&to);
	if (config->table == TABLE_NUMBER)
		table = config->table_number;
	else if (to.length == 0)
		table = default_table;
	return network_list_push(list, &to, table);
}

/* Two peers may have the same prefix, but it needs only one route. */
static void items_drop_duplicates(struct network_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || item_compare(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

int network_list_routes(struct network_list *list, const struct config *config, uint32_t default_table)
{
	if (config->table == TABLE_OFF)
		return 0;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next)
			if (items_push_route(list, &ip->prefix, config, default_table) < 0)
				return -ENOMEM;
	items_sort(list);
	items_drop_duplicates(list);
	return 0;
}

static bool prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	size_t whole = outer->length / 8;
	unsigned rest = outer->length % 8;

	if (outer->family != inner->family || outer->length > inner->length)
		return false;
	if (memcmp(outer->address, inner->address, whole) != 0)
		return false;
	return !rest || (outer->address[whole] ^ inner->address[whole]) >> (8 - rest) == 0;
}

bool network_list_contains(const struct network_list *list, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].table && prefix_contains(&list->items[i].prefix, prefix))
			return true;
	return false;
}

static int items_delete_unwanted(struct network_list *have, const struct network_list *want,
								 const struct network_list_ops *ops)
{
	size_t kept = 0, at = 0;
	int status = 0;

	for (size_t i = 0; i < have->count; i++) {
		struct network_item item = have->items[i];

		if (status == 0 && !items_has(want, &item, &at)) {
			status = ops->del(ops->context, &item);
			if (status == 0)
				continue;
		}
		have->items[kept++] = item;
	}
	have->count = kept;
	return status;
}

/* Adds items to the kernel, and appends those it accepted to `have`, which has room. Returns the first error, or 0. */
static int items_add_batch(struct network_list *have, const struct network_item *items, size_t count,
						   const struct network_list_ops *ops)
{
	int status[NETWORK_LIST_BATCH], error = 0;

	ops->add(ops->context, items, count, status);
	for (size_t i = 0; i < count; i++) {
		if (status[i] == 0)
			have->items[have->count++] = items[i];
		else if (status[i] < 0 && !error)
			error = status[i];
	}
	return error;
}

/* Searches only the items that were there before, because appending to `have` leaves it unsorted until the end. */
static int items_add_missing(struct network_list *have, const struct network_list *want,
							 const struct network_list_ops *ops)
{
	const struct network_list before = *have;
	struct network_item missing[NETWORK_LIST_BATCH];
	size_t count = 0, at = 0;
	int error = 0;

	for (size_t i = 0; i < want->count && !error; i++) {
		if (!items_has(&before, &want->items[i], &at))
			missing[count++] = want->items[i];
		if (count == NETWORK_LIST_BATCH) {
			error = items_add_batch(have, missing, count, ops);
			count = 0;
		}
	}
	if (count && !error)
		error = items_add_batch(have, missing, count, ops);
	items_sort(have);
	return error;
}

static int items_copy_sorted(struct network_list *copy, const struct network_list *list)
{
	if (items_reserve(copy, list->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		copy->items[copy->count++] = list->items[i];
	items_sort(copy);
	return 0;
}

static bool items_equal(const struct network_list *a, const struct network_list *b)
{
	for (size_t i = 0; a->count == b->count && i < a->count; i++)
		if (item_compare(&a->items[i], &b->items[i]) != 0)
			return false;
	return a->count == b->count;
}

int network_list_sync(struct network_list *have, const struct network_list *want, const struct network_list_ops *ops)
{
	struct network_list sorted = { 0 };
	int status;

	if (items_equal(have, want))
		return 0;
	status = items_reserve(have, have->count + want->count);
	if (status == 0)
		status = items_copy_sorted(&sorted, want);
	if (status == 0)
		status = items_delete_unwanted(have, &sorted, ops);
	if (status == 0)
		status = items_add_missing(have, want, ops);
	network_list_destroy(&sorted);
	return status;
}
