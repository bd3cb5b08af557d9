/* SPDX-License-Identifier: MIT */
/*
 * Conflicts: routes, rules and addresses of other programs that take traffic from the tunnel.
 *
 * They may be intended, so they are never touched. If one of ours can be put in front of such an item, the reconciler
 * does that. Otherwise the conflict is reported.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "io/netlink_events.h"

enum {
	CONFLICT_TEXT = 2 * ITEM_TEXT,
	RULES_MAX = 8,
	LOOKUPS_MAX = 500, /* routes of ours for which a look asks the kernel, about 5 us each */
	PROBES = 3,        /* addresses of a network; the first ones are often local */
};

static void report_conflict(const struct host *host, const char *text)
{
	if (host->report && !host->closing)
		host->report(host->report_context, text);
}

/* Returns true for the errors with which the kernel reports a blackhole, prohibit or unreachable route or rule. */
static bool is_rejection(int error)
{
	return error == -EINVAL || error == -EACCES || error == -EHOSTUNREACH;
}

static void report_rejected_network(const struct host *host, const struct item *network)
{
	char name[ITEM_TEXT], text[CONFLICT_TEXT];

	item_text(name, network);
	snprintf(text, sizeof text, "%s: a route or rule of another program rejects its packets", name);
	report_conflict(host, text);
}

/* --- routes in our table ----- */

struct table_view {
	const struct host *host;
	struct netlink_route_entry first; /* the default route that applies */
	struct netlink_route_entry other; /* a route of another program that ours cannot precede */
	bool has_first, has_other;
};

/* The kernel lists the routes of one destination in the order in which they apply. */
static void view_route(void *context, const struct netlink_route_entry *entry)
{
	struct table_view *view = context;
	bool ours = entry->index == view->host->index || entry->protocol == NETLINK_PROTOCOL_ADIT;
	bool is_default = entry->to.length == 0 && !entry->partial;
	bool is_first = is_default && !view->has_first;
	/* No IPv6 route can precede one with the smallest metric, 1. */
	bool stays_first = is_first && entry->to.family == AF_INET6 && entry->metric <= 1;

	if (is_first) {
		view->first = *entry;
		view->has_first = true;
	}
	if (ours || view->has_other || (is_default && !stays_first))
		return;
	view->other = *entry;
	view->has_other = true;
}

static void report_route(const struct host *host, const struct netlink_route_entry *entry)
{
	char name[ITEM_TEXT], interface[IF_NAMESIZE], text[CONFLICT_TEXT];
	struct item item = item_route(&entry->to, entry->table);

	item_text(name, &item);
	if (entry->index && if_indextoname(entry->index, interface))
		snprintf(text, sizeof text, "%s on dev %s takes traffic from the tunnel", name, interface);
	else
		snprintf(text, sizeof text, "%s of another program takes traffic from the tunnel", name);
	report_conflict(host, text);
}

int host_check_routes(const struct host *host, uint8_t family, struct item_list *observed)
{
	struct netlink_route_filter filter = { .family = family, .table = host->tables[0] };
	struct table_view view = { .host = host };
	int error = filter.table ? netlink_dump_routes(host->netlink, &filter, view_route, &view) : 0;

	if (view.has_other)
		report_route(host, &view.other);
	if (error || !view.has_first || view.first.index == host->index || (family == AF_INET6 && view.first.metric <= 1))
		return error;
	for (size_t i = 0; i < observed->count; i++) {
		struct item *item = &observed->items[i];

		if (item->kind == ITEM_ROUTE && item->family == family && item->length == 0 && item->table == filter.table &&
			item->flags & ITEM_OURS)
			item->flags |= ITEM_BROKEN;
	}
	return 0;
}

/* --- rules ----- */

struct rule_view {
	const struct host *host;
	struct netlink_rule_entry others[RULES_MAX];
	size_t count;
	bool own_seen, main_seen;
};

/*
 * Notes the rules that apply to all packets before ours, and those that send our own datagrams into the tunnel. Other
 * conditions select certain packets, which is intended.
 */
static void view_rule(void *context, const struct netlink_rule_entry *entry)
{
	struct rule_view *view = context;
	const struct host *host = view->host;
	bool for_all = entry->mark ? entry->inverted : !entry->inverted;
	bool for_ours = !entry->inverted && (!entry->mark || entry->mark == host->mark);

	if (entry->protocol == NETLINK_PROTOCOL_ADIT && entry->mark == host->mark) {
		view->own_seen |= entry->suppress == NETLINK_NOT_SUPPRESSED;
		return;
	}
	if (entry->suppress != NETLINK_NOT_SUPPRESSED || (!entry->plain && !entry->rejects))
		return;
	/* The reconciler puts our rules in front of one for the main table, except for preference 0. */
	if (entry->plain && (entry->table == RT_TABLE_LOCAL || (entry->table == RT_TABLE_MAIN && entry->preference))) {
		view->main_seen |= for_all && entry->table == RT_TABLE_MAIN;
		return;
	}
	if (((for_all && !view->own_seen) ||
		 (for_ours && entry->plain && entry->table == host->tables[0] && !view->main_seen)) &&
		view->count < RULES_MAX)
		view->others[view->count++] = *entry;
}

static void note_default_route(void *context, const struct netlink_route_entry *entry)
{
	if (entry->to.length == 0)
		*(bool *)context = true;
}

/* Returns true if another rule precedes ours and rejects all packets, or leads to a default route. */
static bool report_rule(const struct host *host, uint8_t family, const struct rule_view *view)
{
	struct netlink_route_filter filter = { .family = family };
	char text[CONFLICT_TEXT];

	for (size_t i = 0; i < view->count; i++) {
		const struct netlink_rule_entry *rule = &view->others[i];
		bool takes_all = rule->rejects;

		filter.table = rule->table;
		if (rule->plain)
			netlink_dump_routes(host->netlink, &filter, note_default_route, &takes_all);
		if (!takes_all)
			continue;
		snprintf(text, sizeof text, "IPv%d rule %u of another %s takes traffic from the tunnel",
				 family == AF_INET6 ? 6 : 4, rule->preference,
				 rule->protocol == NETLINK_PROTOCOL_ADIT ? "tunnel" : "program");
		report_conflict(host, text);
		return true;
	}
	return false;
}

/* Returns the default route of the tunnel, or NULL if packets do not enter it yet, because a part is missing. */
static const struct item *find_default_route(const struct host *host, uint8_t family, const struct item_list *observed)
{
	const struct item *route = NULL;
	bool rule = false;

	for (size_t i = 0; i < observed->count; i++) {
		const struct item *item = &observed->items[i];

		if (item->family != family || item->table != host->tables[0] || item->flags & ITEM_BROKEN)
			continue;
		rule |= item->kind == ITEM_RULE && item->length == RULE_TUNNEL;
		if (item->kind == ITEM_ROUTE && item->length == 0)
			route = item;
	}
	return rule ? route : NULL;
}

/*
 * Looks up the route to an address of the Internet, one of a.root-servers.net. If the route is neither ours nor one to
 * a certain network, most traffic misses the tunnel. The reason can be a half of a default route in the main table, a
 * default route there that rejects packets, which the suppressing rule does not skip, or a rule with other conditions.
 */
static void check_default_route(const struct host *host, const struct item *own)
{
	static const char *const probes[] = { "198.41.0.4/32", "2001:503:ba3e::2:30/128" };
	struct netlink_route_entry entry;
	struct ip_prefix probe;
	int error;

	if (!prefix_from_text(&probe, probes[own->family == AF_INET6]))
		return;
	error = netlink_match_route(host->netlink, &probe, &entry);
	if (!error && entry.index != host->index && entry.to.length < NETLINK_NETWORK_MIN)
		report_route(host, &entry);
	else if (is_rejection(error))
		report_rejected_network(host, own);
}

int host_check_rules(const struct host *host, uint8_t family, const struct item_list *observed)
{
	struct rule_view view = { .host = host };
	int error = host->tables[0] ? netlink_dump_rules(host->netlink, family, view_rule, &view) : 0;
	const struct item *own;

	/* Without our rules, those that are going to be added precede all others. */
	if (error || !view.own_seen || report_rule(host, family, &view))
		return error;
	own = find_default_route(host, family, observed);
	if (own)
		check_default_route(host, own);
	return 0;
}

/* --- addresses ----- */

/*
 * The kernel sends from the first IPv4 address of the interface or, to a connected network, from the first one in this
 * network. The order is that in which they were added. So if ours is deleted and comes back, an address that another
 * program has added precedes it, and the peers drop what comes from there.
 */
void host_check_source(const struct host *host, const struct item_list *observed)
{
	const struct item *first = NULL;
	char text[CONFLICT_TEXT], own_text[PREFIX_TEXT], other_text[PREFIX_TEXT];

	for (size_t i = 0; host->desired && i < observed->count; i++) {
		const struct item *own = &observed->items[i], *other;
		struct ip_prefix prefix;

		if (own->kind != ITEM_ADDRESS || own->family != AF_INET)
			continue;
		if (!first)
			first = own;
		if (!item_find(host->desired, own))
			continue;
		/* The address that precedes ours: the first one or, if that is ours, too, the first one in our network. */
		other = first;
		if (item_find(host->desired, first))
			while (!item_same_network(other, own))
				other++; /* the addresses of a family follow each other, and `own` is one of them */
		if (item_find(host->desired, other) || other->flags & ITEM_OURS) /* one of ours is about to be removed */
			continue;
		item_prefix(own, &prefix);
		prefix_to_text(own_text, &prefix);
		item_prefix(other, &prefix);
		prefix_to_text(other_text, &prefix);
		snprintf(text, sizeof text, "address %s of another program precedes %s as the source of packets", other_text,
				 own_text);
		report_conflict(host, text);
		return;
	}
}

/* --- routes to our networks ----- */

enum match { MATCH_NONE, MATCH_ROUTE, MATCH_REJECTED };

/*
 * Finds the route to a network by that of an address in it which is not local. Without a match the network is local or
 * link-local: every link has the latter, and each packet to it names its interface.
 */
static enum match match_network(const struct host *host, const struct item *network, struct ip_prefix *probe,
								struct netlink_route_entry *entry)
{
	item_prefix(network, probe);
	if (prefix_is_link_local(probe))
		return MATCH_NONE;
	if (probe->family == AF_INET && network->length < 8 && !probe->address[0])
		probe->address[0] = 1; /* the kernel refuses packets to 0.0.0.0/8 */
	for (int i = 0; i < PROBES; i++) {
		uint8_t *last = &probe->address[probe->family == AF_INET ? 3 : 15];
		int error;

		if (network->length <= (probe->family == AF_INET ? 30 : 126))
			++*last;
		error = netlink_match_route(host->netlink, probe, entry);
		if (is_rejection(error))
			return MATCH_REJECTED;
		if (error)
			return MATCH_NONE;
		if (entry->type == RTN_UNICAST)
			return MATCH_ROUTE;
	}
	return MATCH_NONE;
}

/*
 * Returns whether the interface has an IPv6 address of the file and one of another program. If the file leaves the
 * address to a hook, that of the hook is the right source.
 */
static bool has_two_sources_v6(const struct host *host, const struct item_list *observed)
{
	bool own = false, other = false;

	for (size_t i = 0; i < observed->count; i++) {
		const struct item *item = &observed->items[i];
		struct ip_prefix prefix;

		if (item->kind != ITEM_ADDRESS)
			continue;
		item_prefix(item, &prefix);
		if (prefix.family != AF_INET6 || prefix_is_link_local(&prefix))
			continue;
		if (item_find(host->desired, item))
			own = true;
		else if (!(item->flags & ITEM_OURS))
			other = true;
	}
	return own && other;
}

/*
 * The kernel sends to IPv6 networks from an address that depends on the destination, and prefers the latest of equal
 * ones.
 */
static bool check_source_v6(const struct host *host, const struct item_list *observed, const struct ip_prefix *to)
{
	char text[CONFLICT_TEXT], name[PREFIX_TEXT];
	struct ip_prefix source;

	if (netlink_route_source(host->netlink, to, &source) || !source.family)
		return false;
	for (size_t i = 0; i < observed->count; i++) {
		const struct item *other = &observed->items[i];
		struct ip_prefix prefix;

		if (other->kind != ITEM_ADDRESS || other->family != AF_INET6 || other->flags & ITEM_OURS ||
			memcmp(other->address, source.address, sizeof other->address) != 0 || item_find(host->desired, other))
			continue;
		item_prefix(other, &prefix);
		prefix_to_text(name, &prefix);
		snprintf(text, sizeof text, "address %s of another program is the source of packets into the tunnel", name);
		report_conflict(host, text);
		return true;
	}
	return false;
}

/*
 * A route in another table applies if a rule in front of that of the main table leads there. A default route in such a
 * table is left to host_check_rules. Routes in a table that the file names apply to the packets that the rules of the
 * user select, which need not be ours.
 */
static bool takes_network(const struct host *host, const struct netlink_route_entry *entry, const struct item *network)
{
	if (entry->index == host->index)
		return false;
	if (entry->table == network->table)
		return entry->to.length == network->length;
	return network->table == RT_TABLE_MAIN && entry->to.length && entry->to.length <= network->length;
}

/*
 * A route of another program to the same network can precede ours: in IPv6 by a smaller metric, which that of a
 * connected network has, in IPv4 because it was there before the kernel added ours with an address. Routes in the table
 * of a full tunnel are left to host_check_routes.
 */
void host_check_lookups(const struct host *host, const struct item_list *observed)
{
	bool sources = host->desired && has_two_sources_v6(host, observed), taken = false;
	size_t lookups = 0;

	for (size_t i = 0; host->desired && i < observed->count && lookups < LOOKUPS_MAX; i++) {
		const struct item *item = &observed->items[i];
		struct netlink_route_entry entry;
		struct ip_prefix probe;
		enum match match;

		if (item->kind != ITEM_ROUTE || item->table == host->tables[0] || !item_find(host->desired, item))
			continue;
		lookups++;
		match = match_network(host, item, &probe, &entry);
		if (match == MATCH_REJECTED && !taken) {
			report_rejected_network(host, item);
			taken = true;
		}
		if (match != MATCH_ROUTE)
			continue;
		if (!taken && takes_network(host, &entry, item)) {
			report_route(host, &entry);
			taken = true;
		}
		if (entry.index == host->index && item->family == AF_INET6 && sources)
			sources = !check_source_v6(host, observed, &probe);
	}
}
