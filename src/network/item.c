/* SPDX-License-Identifier: MIT */
/* Items: comparison, order and text. */
#include "item.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { FIRST_ROOM = 16 };

static const uint32_t closed_metrics = 0xfe000000;

static const char *const link_names[] = {
	[LINK_MTU] = "MTU",
	[LINK_ADDR_GEN_MODE] = "addr_gen_mode",
	[LINK_SEND_REDIRECTS] = "send_redirects",
	[LINK_PROMOTE_SECONDARIES] = "promote_secondaries",
	[LINK_MULTICAST] = "multicast",
	[LINK_CARRIER] = "carrier",
	[LINK_QUEUE] = "queue",
	[LINK_UP] = "up",
};
_Static_assert(sizeof link_names / sizeof link_names[0] == LINK_SETTINGS, "every link setting has a name");

static const char *const sysctl_names[] = {
	[SYSCTL_SRC_VALID_MARK] = "net.ipv4.conf.all.src_valid_mark",
	[SYSCTL_ALL_SEND_REDIRECTS] = "net.ipv4.conf.all.send_redirects",
	[SYSCTL_ACCEPT_RA] = "accept_ra of the interface",
};
_Static_assert(sizeof sysctl_names / sizeof sysctl_names[0] == SYSCTLS, "every sysctl has a name");

int item_push(struct item_list *list, const struct item *item)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : FIRST_ROOM;
		struct item *larger = realloc(list->items, room * sizeof *larger);

		if (!larger)
			return -ENOMEM;
		list->items = larger;
		list->room = room;
	}
	list->items[list->count++] = *item;
	return 0;
}

void item_list_destroy(struct item_list *list)
{
	free(list->items);
	*list = (struct item_list) { 0 };
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Combines kind, length and family in one number. Longer prefixes and earlier settings have smaller numbers. */
static uint32_t item_rank(const struct item *item)
{
	bool prefix = item->kind == ITEM_ADDRESS || item->kind == ITEM_ROUTE;

	return (uint32_t)item->kind << 16 | (uint32_t)(prefix ? 255 - item->length : item->length) << 8 | item->family;
}

int item_compare(const struct item *a, const struct item *b)
{
	uint32_t rank_a = item_rank(a), rank_b = item_rank(b);
	uint64_t upper_a, upper_b;

	if (rank_a != rank_b)
		return rank_a < rank_b ? -1 : 1;
	if (a->kind != ITEM_ADDRESS && a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if (a->kind == ITEM_RULE)
		return compare_numbers(a->rule.mark, b->rule.mark);
	if (a->kind != ITEM_ADDRESS && a->kind != ITEM_ROUTE)
		return 0;
	upper_a = get_be64(a->address);
	upper_b = get_be64(b->address);
	return upper_a != upper_b ? compare_numbers(upper_a, upper_b)
							  : compare_numbers(get_be64(a->address + 8), get_be64(b->address + 8));
}

static int compare_identities(const void *a, const void *b)
{
	return item_compare(a, b);
}

/* The part of an item that is neither its identity nor a flag. */
static uint64_t item_value(const struct item *item)
{
	switch (item->kind) {
	case ITEM_RULE:
		return item->rule.preference;
	case ITEM_FIREWALL:
		return item->digest;
	case ITEM_GUARD:
	case ITEM_SYSCTL:
	case ITEM_LINK:
		return item->value;
	case ITEM_ADDRESS:
		return item->table;
	default:
		return 0;
	}
}

/* Not memcmp, because the unused bytes of the union have no defined value. */
static int compare_wholly(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = item_compare(a, b);

	if (order == 0)
		order = compare_numbers(a->flags, b->flags);
	return order ? order : compare_numbers(item_value(a), item_value(b));
}

void item_list_sort(struct item_list *list)
{
	size_t sorted = 1, kept = 0;

	/* Most lists are sorted already, and a list can hold a hundred thousand routes. */
	while (sorted < list->count && item_compare(&list->items[sorted - 1], &list->items[sorted]) < 0)
		sorted++;
	if (sorted >= list->count)
		return;
	qsort(list->items, list->count, sizeof *list->items, compare_wholly);
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || compare_wholly(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

void item_list_unique(struct item_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || item_compare(&list->items[kept - 1], &list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

struct item *item_find(const struct item_list *sorted, const struct item *item)
{
	return sorted->count ? bsearch(item, sorted->items, sorted->count, sizeof *item, compare_identities) : NULL;
}

bool item_satisfies(const struct item *observed, const struct item *desired)
{
	switch (observed->kind) {
	case ITEM_RULE:
	case ITEM_ADDRESS:
	case ITEM_ROUTE:
		return !(observed->flags & ITEM_BROKEN);
	case ITEM_GUARD:
		return observed->value == desired->value;
	case ITEM_FIREWALL:
		return observed->digest == desired->digest;
	case ITEM_SYSCTL:
	case ITEM_LINK:
		return observed->value == desired->value ||
			   (desired->flags & ITEM_AT_LEAST && observed->value > desired->value);
	default:
		return true;
	}
}

struct item item_route(const struct ip_prefix *to, uint32_t table)
{
	struct item item = { .kind = ITEM_ROUTE, .family = to->family, .length = to->length, .table = table };

	memcpy(item.address, to->address, sizeof item.address);
	return item;
}

struct item item_setting(enum item_kind kind, uint8_t which, uint32_t value)
{
	return (struct item) { .kind = (uint8_t)kind, .length = which, .value = value };
}

/* The upper byte, and FNV-1a folded to 24 bits. The default metrics are 0 and 1024, so other routes are preferred. */
uint32_t item_closed_metric(const char *interface)
{
	uint32_t hash = UINT32_C(0x811c9dc5);

	for (const char *letter = interface; *letter; letter++)
		hash = (hash ^ (uint8_t)*letter) * UINT32_C(0x01000193);
	return closed_metrics | ((hash >> 24 ^ hash) & 0xffffff);
}

bool item_is_closed_metric(uint32_t metric)
{
	return (metric & 0xff000000) == closed_metrics;
}

void item_prefix(const struct item *item, struct ip_prefix *prefix)
{
	*prefix = (struct ip_prefix) { .family = item->family, .length = item->length };
	memcpy(prefix->address, item->address, sizeof prefix->address);
}

bool item_same_network(const struct item *a, const struct item *b)
{
	struct ip_prefix one, other;

	item_prefix(a, &one);
	item_prefix(b, &other);
	prefix_mask(&one);
	prefix_mask(&other);
	return one.length == other.length && memcmp(one.address, other.address, sizeof one.address) == 0;
}

static bool is_address_of(const struct item *item, uint8_t family)
{
	return item->kind == ITEM_ADDRESS && item->family == family;
}

void item_list_check_places(struct item_list *list, uint8_t family)
{
	uint32_t smallest = item_no_place, limit = item_no_place;

	for (size_t i = 0; i < list->count; i++) {
		const struct item *other = &list->items[i];

		if (family != AF_INET || !is_address_of(other, family) || other->table != item_no_place)
			continue;
		for (size_t j = 0; j < list->count; j++)
			if (is_address_of(&list->items[j], family) && item_same_network(&list->items[j], other))
				list->items[j].table = item_no_place;
	}
	for (size_t i = 0; i < list->count; i++) {
		/* From the last one to the first; the kernel lists IPv6 addresses in this order. */
		const struct item *item = &list->items[family == AF_INET6 ? i : list->count - 1 - i];

		if (!is_address_of(item, family))
			continue;
		if (item->table > smallest && item->table < limit)
			limit = item->table;
		if (item->table < smallest)
			smallest = item->table;
	}
	for (size_t i = 0; i < list->count; i++) {
		struct item *item = &list->items[i];

		if (is_address_of(item, family) && item->table >= limit && item->table != item_no_place)
			item->flags |= ITEM_BROKEN;
	}
}

size_t item_list_next_shown(const struct item_list *list, size_t i)
{
	for (; i < list->count; i++) {
		const struct item *item = &list->items[i];

		if (item->flags & (ITEM_CONNECTED | ITEM_LEFT_OUT))
			continue;
		if (item->kind == ITEM_ADDRESS || item->kind == ITEM_ROUTE ||
			(item->kind == ITEM_LINK && item->length == LINK_MTU))
			break;
	}
	return i;
}

static size_t first_address(const struct item_list *list)
{
	size_t i = 0;

	while (i < list->count && list->items[i].kind < ITEM_ADDRESS)
		i++;
	return i;
}

static bool has_address_at(const struct item_list *list, size_t i)
{
	return i < list->count && list->items[i].kind == ITEM_ADDRESS;
}

bool item_lists_have_same_addresses(const struct item_list *a, const struct item_list *b)
{
	size_t i = first_address(a), j = first_address(b);

	while (has_address_at(a, i) && has_address_at(b, j) && item_compare(&a->items[i], &b->items[j]) == 0)
		i++, j++;
	return !has_address_at(a, i) && !has_address_at(b, j);
}

void item_text(char text[ITEM_TEXT], const struct item *item)
{
	int version = item->family == AF_INET6 ? 6 : 4;
	struct ip_prefix prefix;
	char shown[PREFIX_TEXT];

	switch (item->kind) {
	case ITEM_GUARD:
		snprintf(text, ITEM_TEXT, "IPv%d unreachable default route, table %u", version, item->table);
		break;
	case ITEM_RULE:
		if (item->length == RULE_SUPPRESS)
			snprintf(text, ITEM_TEXT, "IPv%d rule: table main suppress_prefixlength 0", version);
		else
			snprintf(text, ITEM_TEXT, "IPv%d rule: not fwmark %u table %u", version, item->rule.mark, item->table);
		break;
	case ITEM_FIREWALL:
		snprintf(text, ITEM_TEXT, "firewall");
		break;
	case ITEM_SYSCTL:
		snprintf(text, ITEM_TEXT, "%s = %u", sysctl_names[item->length], item->value);
		break;
	case ITEM_LINK:
		if (item->length == LINK_UP)
			snprintf(text, ITEM_TEXT, "link state %s", item->value ? "up" : "down");
		else
			snprintf(text, ITEM_TEXT, "link %s %s%u", link_names[item->length], item->length == LINK_MTU ? "" : "= ",
					 item->value);
		break;
	default:
		item_prefix(item, &prefix);
		prefix_to_text(shown, &prefix);
		if (item->kind == ITEM_ADDRESS)
			snprintf(text, ITEM_TEXT, "address %s", shown);
		else if (item->table == RT_TABLE_MAIN)
			snprintf(text, ITEM_TEXT, "route %s", shown);
		else
			snprintf(text, ITEM_TEXT, "route %s table %u", shown, item->table);
	}
}
