/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { FIRST_ROOM = 8 };

static int make_room(struct network_list *list, size_t room)
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
	if (list->count == list->room && make_room(list, list->room ? list->room * 2 : FIRST_ROOM) < 0)
		return -ENOMEM;
	list->items[list->count++] = (struct network_item) { *prefix, table };
	return 0;
}

void network_list_destroy(struct network_list *list)
{
	free(list->items);
	*list = (struct network_list) { 0 };
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_addresses(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int upper;

	if (a->family != AF_INET6)
		return compare_numbers(get_be32(a->address), get_be32(b->address));
	upper = compare_numbers(get_be64(a->address), get_be64(b->address));
	return upper ? upper : compare_numbers(get_be64(a->address + 8), get_be64(b->address + 8));
}

/* The longest prefixes first, which is also the order in which routes are to be added. */
static int compare(const void *left, const void *right)
{
	const struct network_item *a = left, *b = right;

	if (a->prefix.length != b->prefix.length)
		return a->prefix.length > b->prefix.length ? -1 : 1;
	if (a->prefix.family != b->prefix.family)
		return a->prefix.family < b->prefix.family ? -1 : 1;
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return compare_addresses(&a->prefix, &b->prefix);
}

static bool is_sorted(const struct network_list *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (compare(&list->items[i - 1], &list->items[i]) > 0)
			return false;
	return true;
}

/* Most lists are sorted already, and there may be a hundred thousand routes in them. */
static void sort(struct network_list *list)
{
	if (!is_sorted(list))
		qsort(list->items, list->count, sizeof *list->items, compare);
}

/* `at` is where the item would be if it followed the one found last, which it nearly always does; it begins as 0. */
static bool has(const struct network_list *sorted, const struct network_item *item, size_t *at)
{
	const struct network_item *found = NULL;

	if (*at < sorted->count && compare(&sorted->items[*at], item) == 0)
		found = &sorted->items[*at];
	else if (sorted->count)
		found = bsearch(item, sorted->items, sorted->count, sizeof *item, compare);
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

static int push_route(struct network_list *list, const struct ip_prefix *allowed, const struct config *config,
					  const struct network_plan *plan)
{
	struct ip_prefix to = *allowed;
	uint32_t table = 0;

	prefix_mask(&to);
	if (config->table == TABLE_NUMBER)
		table = config->table_number;
	else if (to.length == 0)
		table = plan->table;
	return network_list_push(list, &to, table);
}

/* Two peers may name the same prefix; the later one has it, and there is one route. */
static void drop_equal_neighbours(struct network_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || compare(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

int network_list_routes(struct network_list *list, const struct config *config, const struct network_plan *plan)
{
	if (config->table == TABLE_OFF)
		return 0;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next)
			if (push_route(list, &ip->prefix, config, plan) < 0)
				return -ENOMEM;
	sort(list);
	drop_equal_neighbours(list);
	return 0;
}

/* True when the first bits of `prefix`, as many as `cover` has, are those of `cover`. */
static bool within(const struct ip_prefix *prefix, const struct ip_prefix *cover)
{
	size_t whole = cover->length / 8;
	unsigned rest = cover->length % 8;

	if (cover->family != prefix->family || cover->length > prefix->length)
		return false;
	if (memcmp(cover->address, prefix->address, whole) != 0)
		return false;
	return !rest || (cover->address[whole] ^ prefix->address[whole]) >> (8 - rest) == 0;
}

bool network_list_covers(const struct network_list *list, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].table && within(prefix, &list->items[i].prefix))
			return true;
	return false;
}

static int drop_unwanted(struct network_list *have, const struct network_list *want, const struct network_acts *acts)
{
	size_t kept = 0, at = 0;
	int status = 0;

	for (size_t i = 0; i < have->count; i++) {
		struct network_item item = have->items[i];

		if (status == 0 && !has(want, &item, &at)) {
			status = acts->del(acts->context, &item);
			if (status == 0)
				continue;
		}
		have->items[kept++] = item;
	}
	have->count = kept;
	return status;
}

/* Adds items to the kernel and, as far as that did it, to the end of `have`, which has room. The first error, or 0. */
static int add_some(struct network_list *have, const struct network_item *items, size_t count,
					const struct network_acts *acts)
{
	int status[NETWORK_LIST_AT_ONCE], error = 0;

	acts->add(acts->context, items, count, status);
	for (size_t i = 0; i < count; i++) {
		if (status[i] == 0)
			have->items[have->count++] = items[i];
		else if (status[i] < 0 && !error)
			error = status[i];
	}
	return error;
}

/* `have` stays sorted before what is added at its end, and that is where the search looks. */
static int add_missing(struct network_list *have, const struct network_list *want, const struct network_acts *acts)
{
	const struct network_list before = *have;
	struct network_item missing[NETWORK_LIST_AT_ONCE];
	size_t count = 0, at = 0;
	int error = 0;

	for (size_t i = 0; i < want->count && !error; i++) {
		if (!has(&before, &want->items[i], &at))
			missing[count++] = want->items[i];
		if (count == NETWORK_LIST_AT_ONCE) {
			error = add_some(have, missing, count, acts);
			count = 0;
		}
	}
	if (count && !error)
		error = add_some(have, missing, count, acts);
	sort(have);
	return error;
}

static int copy_sorted(struct network_list *copy, const struct network_list *list)
{
	if (make_room(copy, list->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		copy->items[copy->count++] = list->items[i];
	sort(copy);
	return 0;
}

static bool is_same(const struct network_list *a, const struct network_list *b)
{
	for (size_t i = 0; a->count == b->count && i < a->count; i++)
		if (compare(&a->items[i], &b->items[i]) != 0)
			return false;
	return a->count == b->count;
}

int network_list_sync(struct network_list *have, const struct network_list *want, const struct network_acts *acts)
{
	struct network_list sorted = { 0 };
	int status;

	if (is_same(have, want))
		return 0;
	status = make_room(have, have->count + want->count);
	if (status == 0)
		status = copy_sorted(&sorted, want);
	if (status == 0)
		status = drop_unwanted(have, &sorted, acts);
	if (status == 0)
		status = add_missing(have, want, acts);
	network_list_destroy(&sorted);
	return status;
}
