/* SPDX-License-Identifier: MIT */
/* The desired state: derives the items from the configuration, one function per kind. */
#include "desired.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "ruleset.h"

struct desired {
	struct item_list *list;
	const struct config *config;
	const struct network_plan *plan;
	const struct desired_facts *facts;
	char *left_out;
	int error;
};

static void want_item(struct desired *desired, struct item item)
{
	if (!desired->error)
		desired->error = item_push(desired->list, &item);
}

static void want_setting(struct desired *desired, enum item_kind kind, uint8_t which, uint32_t value, uint8_t flags)
{
	struct item item = item_setting(kind, which, value);

	item.flags = flags;
	want_item(desired, item);
}

/* An explicit MTU below 1280 rules out IPv6. */
static bool mtu_allows_v6(const struct desired *desired)
{
	return !desired->config->mtu || desired->config->mtu >= IPV6_MTU_MIN;
}

static bool v6_possible(const struct desired *desired)
{
	return desired->facts->v6 && mtu_allows_v6(desired);
}

/* Wants an item with this prefix. If the interface cannot have IPv6 now, records the first prefix in `left_out`. */
static void want_prefix(struct desired *desired, const struct ip_prefix *prefix, struct item item)
{
	if (prefix->family == AF_INET6 && !v6_possible(desired)) {
		if (!desired->left_out[0])
			prefix_to_text(desired->left_out, prefix);
		if (!mtu_allows_v6(desired))
			return;
		item.flags |= ITEM_LEFT_OUT;
	}
	want_item(desired, item);
}

/*
 * The settings of the kernel's WireGuard, and promote_secondaries, so that the deletion of an address does not delete
 * others.
 */
int desired_link_defaults(struct item_list *list)
{
	const struct {
		enum item_kind kind;
		uint8_t which;
		uint32_t value;
	} defaults[] = {
		{ ITEM_LINK, LINK_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE },
		{ ITEM_LINK, LINK_SEND_REDIRECTS, 0 },
		{ ITEM_LINK, LINK_PROMOTE_SECONDARIES, 1 },
		{ ITEM_LINK, LINK_MULTICAST, 0 },
		{ ITEM_LINK, LINK_CARRIER, 1 },
		{ ITEM_LINK, LINK_QUEUE, 1 },
		{ ITEM_SYSCTL, SYSCTL_ALL_SEND_REDIRECTS, 0 },
		{ ITEM_SYSCTL, SYSCTL_ACCEPT_RA, 0 },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && !error; i++) {
		struct item item = item_setting(defaults[i].kind, defaults[i].which, defaults[i].value);

		item.flags = ITEM_OPTIONAL;
		error = item_push(list, &item);
	}
	return error;
}

static void want_link(struct desired *desired)
{
	uint32_t mtu = desired->facts->mtu;
	bool v6 = config_uses_v6(desired->config) && v6_possible(desired);

	if (v6 && mtu < IPV6_MTU_MIN)
		want_setting(desired, ITEM_LINK, LINK_MTU, IPV6_MTU_MIN, mtu ? 0 : ITEM_AT_LEAST);
	else if (mtu)
		want_setting(desired, ITEM_LINK, LINK_MTU, mtu, 0);
	want_setting(desired, ITEM_LINK, LINK_UP, 1, 0);
	if (!desired->error)
		desired->error = desired_link_defaults(desired->list);
}

static void want_addresses(struct desired *desired)
{
	uint32_t place = 0;

	for (const struct config_prefix *address = desired->config->addresses; address; address = address->next) {
		const struct ip_prefix *prefix = &address->prefix;
		struct item item = item_route(prefix, place++);
		struct ip_prefix network = *prefix;

		item.kind = ITEM_ADDRESS;
		want_prefix(desired, prefix, item);
		if (prefix->length == 0 || prefix->length == (prefix->family == AF_INET ? 32 : 128))
			continue;
		/* The kernel adds the route to the network of an address, but another program can delete this route. */
		prefix_mask(&network);
		item = item_route(&network, RT_TABLE_MAIN);
		item.flags = ITEM_CONNECTED | ITEM_OPTIONAL;
		want_prefix(desired, prefix, item);
	}
}

/* The kernel sorts IPv6 addresses by scope. */
static uint32_t v6_group(const struct item *item)
{
	const struct in6_addr *address = (const void *)item->address;

	if (IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_LOOPBACK(address))
		return 0;
	return IN6_IS_ADDR_SITELOCAL(address) ? 1 : 2;
}

/*
 * Makes the places of addresses the order in which the kernel adds them to its list: in IPv4 the first address of each
 * network, and then the rest; in IPv6 by scope. The upper bits of a place are its group.
 */
static void group_addresses(struct item_list *list)
{
	enum { GROUP = 30 };
	struct item *first = NULL; /* of the network; the list is sorted, so the addresses of a network follow each other */

	for (size_t i = 0; i < list->count && list->items[i].kind <= ITEM_ADDRESS; i++) {
		struct item *item = &list->items[i];

		if (item->kind != ITEM_ADDRESS)
			continue;
		if (item->family == AF_INET6) {
			item->table |= v6_group(item) << GROUP;
		} else if (!first || !item_same_network(first, item)) {
			first = item;
		} else if (first->table < item->table) {
			item->table |= UINT32_C(1) << GROUP;
		} else {
			first->table |= UINT32_C(1) << GROUP;
			first = item;
		}
	}
}

/* Returns true if the prefix lies in the network of an address, to which the main table has a route already. */
static bool address_covers(const struct config *config, const struct ip_prefix *prefix)
{
	for (const struct config_prefix *address = config->addresses; address; address = address->next)
		if (address->prefix.length && prefix_contains(&address->prefix, prefix))
			return true;
	return false;
}

static void want_routes(struct desired *desired)
{
	const struct config *config = desired->config;

	if (config->table == TABLE_OFF)
		return;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next) {
			struct ip_prefix to = ip->prefix;
			uint32_t table = RT_TABLE_MAIN;

			prefix_mask(&to);
			if (config->table == TABLE_NUMBER)
				table = config->table_number;
			else if (to.length == 0)
				table = desired->plan->table;
			if (config->table != TABLE_AUTO || table != RT_TABLE_MAIN || !address_covers(config, &to))
				want_prefix(desired, &ip->prefix, item_route(&to, table));
		}
	}
}

static void want_full(struct desired *desired, uint8_t family)
{
	const struct network_plan *plan = desired->plan;
	struct item guard = { .kind = ITEM_GUARD, .family = family, .table = plan->table };
	struct item rule = { .kind = ITEM_RULE, .family = family, .rule.mark = plan->mark };
	struct item firewall = { .kind = ITEM_FIREWALL, .family = family };
	bool possible = family == AF_INET || v6_possible(desired);

	if (family == AF_INET6 && !desired->facts->v6_on_host)
		return;
	guard.flags = desired->facts->fail_closed || !possible ? 0 : ITEM_BRIEF;
	guard.value = desired->facts->fail_closed ? item_closed_metric(desired->config->interface) : guard_brief_metric;
	want_item(desired, guard);
	rule.length = RULE_SUPPRESS;
	rule.table = RT_TABLE_MAIN;
	want_item(desired, rule);
	rule.length = RULE_TUNNEL;
	rule.table = plan->table;
	want_item(desired, rule);
	firewall.flags = desired->facts->strict && family == AF_INET ? 0 : ITEM_OPTIONAL;
	want_item(desired, firewall);
	if (family == AF_INET)
		want_setting(desired, ITEM_SYSCTL, SYSCTL_SRC_VALID_MARK, 1, desired->facts->strict ? 0 : ITEM_OPTIONAL);
}

int desired_build(struct item_list *list, const struct config *config, const struct network_plan *plan,
				  const struct desired_facts *facts, char left_out[PREFIX_TEXT])
{
	struct desired desired = { list, config, plan, facts, left_out, 0 };

	left_out[0] = '\0';
	if (plan->full_v4)
		want_full(&desired, AF_INET);
	if (plan->full_v6)
		want_full(&desired, AF_INET6);
	want_link(&desired);
	want_addresses(&desired);
	want_routes(&desired);
	if (desired.error)
		return desired.error;
	item_list_sort(list);
	item_list_unique(list);
	group_addresses(list);
	/* The digest depends on the addresses, so it is computed last. */
	for (size_t i = 0; i < list->count && list->items[i].kind <= ITEM_FIREWALL; i++) {
		struct item *item = &list->items[i];

		if (item->kind != ITEM_FIREWALL)
			continue;
		item->digest = ruleset_digest(&(struct ruleset) { facts->index, item->family, plan->mark, list });
		if (!item->digest)
			return -ENOMEM;
	}
	return 0;
}
