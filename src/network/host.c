/* SPDX-License-Identifier: MIT */
/* The host: observes its state, applies operations, and finds the owners of conflicting routes. */
#include "host.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "network/plan.h"
#include "sysctl.h"

enum {
	ADDRESS_OF_KERNEL = 3, /* IFAPROT_KERNEL_LL: a link-local address that the kernel generated */
	USABLE_POLL_US = 500,
};

#define USABLE_WAIT (10 * NS_PER_S) /* for an IPv6 address; an idle machine needs 3 us, at most 3 ms */

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* --- observation ----- */

struct observation {
	struct host *host;
	struct item_list *items;
	struct item_list local; /* the local routes of the interface, and tentative addresses, which get theirs later */
	int error;
};

static void observe_item(struct observation *observation, const struct item *item)
{
	if (!observation->error)
		observation->error = item_push(observation->items, item);
}

static void observe_setting(struct observation *observation, enum item_kind kind, uint8_t which, uint32_t value)
{
	struct item item = item_setting(kind, which, value);

	observe_item(observation, &item);
}

static void observe_settings(struct observation *observation)
{
	static const uint8_t global[] = { SYSCTL_SRC_VALID_MARK, SYSCTL_ALL_SEND_REDIRECTS };
	const struct netlink_link *link = &observation->host->link;
	uint32_t value;

	observe_setting(observation, ITEM_LINK, LINK_MTU, link->mtu);
	observe_setting(observation, ITEM_LINK, LINK_SEND_REDIRECTS, link->send_redirects);
	observe_setting(observation, ITEM_LINK, LINK_PROMOTE_SECONDARIES, link->promote_secondaries);
	observe_setting(observation, ITEM_LINK, LINK_MULTICAST, link->multicast);
	observe_setting(observation, ITEM_LINK, LINK_CARRIER, link->carrier);
	observe_setting(observation, ITEM_LINK, LINK_QUEUE, link->queue);
	observe_setting(observation, ITEM_LINK, LINK_UP, link->up);
	if (link->has_v6) {
		observe_setting(observation, ITEM_LINK, LINK_ADDR_GEN_MODE, link->addr_gen_mode);
		observe_setting(observation, ITEM_SYSCTL, SYSCTL_ACCEPT_RA, link->accept_ra);
	}
	for (size_t i = 0; i < sizeof global; i++)
		if (sysctl_read(sysctl_path(global[i]), NULL, &value) == 0)
			observe_setting(observation, ITEM_SYSCTL, global[i], value);
}

/* Before Linux 5.18 addresses have no owner. Then those of the previous desired state are ours. */
static bool addresses_have_owners(void)
{
	unsigned long major, minor;
	struct utsname name;
	char *end;

	if (uname(&name) < 0)
		return false;
	major = strtoul(name.release, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	return major > 5 || (major == 5 && minor >= 18);
}

static void observe_address(void *context, const struct netlink_address_entry *entry)
{
	struct observation *observation = context;
	const struct item_list *before = observation->host->before;
	const struct item *desired;
	struct item item = item_route(&entry->prefix, 0);
	bool ours = entry->protocol == NETLINK_PROTOCOL_ADIT || entry->protocol == ADDRESS_OF_KERNEL;

	item.kind = ITEM_ADDRESS;
	if (!ours && before && !addresses_have_owners())
		ours = item_find(before, &item);
	item.flags = (ours ? ITEM_OURS : 0) | (entry->expiring ? ITEM_BROKEN : 0);
	desired = observation->host->desired ? item_find(observation->host->desired, &item) : NULL;
	item.table = ours && desired ? desired->table : item_no_place;
	observe_item(observation, &item);
	if (entry->tentative && !observation->error)
		observation->error = item_push(&observation->local, &item);
}

static void observe_route(void *context, const struct netlink_route_entry *entry)
{
	struct item item = item_route(&entry->to, entry->table);
	struct observation *observation = context;

	item.flags = entry->protocol == NETLINK_PROTOCOL_ADIT ? ITEM_OURS : 0;
	if (entry->type == RTN_UNICAST && entry->table != RT_TABLE_LOCAL && !entry->partial)
		observe_item(observation, &item);
	else if (entry->type == RTN_LOCAL && !observation->error)
		observation->error = item_push(&observation->local, &item);
}

/*
 * An address without its local route receives nothing. Another program can delete this route, and the kernel only adds
 * it together with the address. A link that is down has no local routes.
 */
static void find_broken_addresses(struct observation *observation)
{
	const struct item_list *local = &observation->local;

	for (size_t i = 0; observation->host->link.up && i < observation->items->count; i++) {
		struct item *item = &observation->items->items[i];
		size_t route = 0;

		if (item->kind != ITEM_ADDRESS || !(item->flags & ITEM_OURS))
			continue;
		while (route < local->count && memcmp(local->items[route].address, item->address, sizeof item->address) != 0)
			route++;
		if (route == local->count)
			item->flags |= ITEM_BROKEN;
	}
}

struct closed_search {
	uint32_t own; /* the metric of our guard */
	bool found;
};

static void match_closed(void *context, const struct netlink_route_entry *entry)
{
	struct closed_search *search = context;

	if (entry->to.length == 0 && item_is_closed_metric(entry->metric) && entry->metric != search->own)
		search->found = true;
}

/*
 * Returns true if we claim the table, or if no process does, because the daemon that used it has died, and that daemon
 * did not have FailClosed.
 */
static bool table_is_ours(const struct host *host, uint8_t family, uint32_t table)
{
	struct netlink_route_filter filter = {
		.family = family,
		.protocol = NETLINK_PROTOCOL_ADIT,
		.type = RTN_UNREACHABLE,
		.table = table,
	};
	struct closed_search search = { .own = host->closed_metric };
	struct table_claim claim = { 0 };

	if (table == host->tables[0] || table == host->tables[1])
		return true;
	if (table_claim_take(&claim, table) != 0)
		return false;
	table_claim_release(&claim);
	return netlink_dump_routes(host->netlink, &filter, match_closed, &search) == 0 && !search.found;
}

struct guard_observation {
	struct item_list guards;
	int error;
};

/* Guards have no device, so they are found by protocol and type. */
static void collect_guard(void *context, const struct netlink_route_entry *entry)
{
	struct item item = { .kind = ITEM_GUARD, .family = entry->to.family, .table = entry->table, .flags = ITEM_OURS };
	struct guard_observation *observation = context;

	item.value = entry->metric;
	if (entry->to.length == 0 && !observation->error)
		observation->error = item_push(&observation->guards, &item);
}

/*
 * The preferences between which rules of ours must lie. In front of the rule for the local table they would send
 * packets for this host into the tunnel, and behind the one for the main table they would have no effect. Some programs
 * move the rule for the local table, for example to 100 or 32765, and put their own rules in front of it. No rule of
 * ours can precede one for the main table with preference 0, so such a rule is no bound.
 */
struct rule_bounds {
	uint32_t local, main; /* of the first rule that looks up the table for all packets; 0: none */
	bool has_local;
};

/* The kernel lists rules by preference. */
static void find_bounds(struct rule_bounds *bounds, const struct netlink_rule_entry *entry)
{
	if (!entry->plain || entry->inverted || entry->mark || entry->suppress != NETLINK_NOT_SUPPRESSED)
		return;
	if (entry->table == RT_TABLE_MAIN && !bounds->main) {
		bounds->main = entry->preference;
	} else if (entry->table == RT_TABLE_LOCAL && !bounds->has_local && !bounds->main) {
		bounds->local = entry->preference;
		bounds->has_local = true;
	}
}

/* Returns true if a rule of ours, which the kernel lists in front of the one for the main table, is well placed. */
static bool is_within(const struct rule_bounds *bounds, const struct item *rule)
{
	uint32_t preference = rule->rule.preference;

	return !(rule->flags & ITEM_BROKEN) && preference >= bounds->local && (preference || bounds->main == 1);
}

struct rule_observation {
	struct observation *observation;
	struct item_list found; /* the two kinds of rules of adit, of all tunnels, in the order in which they apply */
	struct rule_bounds bounds;
};

/* Rules of adit are recognized by their protocol and their conditions. */
static void collect_rule(void *context, const struct netlink_rule_entry *entry)
{
	struct rule_observation *rules = context;
	struct item item = { .kind = ITEM_RULE, .family = entry->family, .table = entry->table };

	find_bounds(&rules->bounds, entry);
	if (entry->protocol != NETLINK_PROTOCOL_ADIT || !entry->plain || !entry->inverted || !entry->mark)
		return;
	if (entry->table == RT_TABLE_MAIN && entry->suppress == 0)
		item.length = RULE_SUPPRESS;
	else if (entry->suppress == NETLINK_NOT_SUPPRESSED)
		item.length = RULE_TUNNEL;
	else
		return;
	item.rule.mark = entry->mark;
	item.rule.preference = entry->preference;
	item.flags = rules->bounds.main ? ITEM_BROKEN : 0; /* the kernel has listed the rule for the main table before */
	if (!rules->observation->error)
		rules->observation->error = item_push(&rules->found, &item);
}

static bool is_misplaced(const struct rule_observation *rules, size_t position)
{
	const struct item *rule = &rules->found.items[position];

	if (!is_within(&rules->bounds, rule))
		return true;
	/* The suppressing rule must precede the tunnel rule with the same mark. */
	for (size_t i = 0; i < rules->found.count; i++) {
		const struct item *other = &rules->found.items[i];

		if (other->length != rule->length && other->rule.mark == rule->rule.mark && is_within(&rules->bounds, other))
			return (rule->length == RULE_SUPPRESS) == (position > i);
	}
	return false;
}

static int observe_rules(struct observation *observation, uint8_t family)
{
	struct rule_observation rules = { .observation = observation };
	int error = netlink_dump_rules(observation->host->netlink, family, collect_rule, &rules);

	for (size_t i = 0; i < rules.found.count && !error; i++) {
		struct item item = rules.found.items[i];

		if (!table_is_ours(observation->host, family, item.rule.mark))
			continue;
		item.flags = ITEM_OURS | (is_misplaced(&rules, i) ? ITEM_BROKEN : 0);
		observe_item(observation, &item);
	}
	item_list_destroy(&rules.found);
	return error;
}

static int observe_guards(struct observation *observation, uint8_t family)
{
	const struct host *host = observation->host;
	struct netlink_route_filter filter = {
		.family = family,
		.protocol = NETLINK_PROTOCOL_ADIT,
		.type = RTN_UNREACHABLE,
	};
	struct guard_observation found = { 0 };
	int error = 0;

	if (host->first)
		error = netlink_dump_routes(host->netlink, &filter, collect_guard, &found);
	for (size_t i = 0; i < 2 && !host->first && !error; i++) {
		filter.table = host->tables[i];
		if (filter.table)
			error = netlink_dump_routes(host->netlink, &filter, collect_guard, &found);
	}
	/* table_is_ours uses the same socket, so the dump must have ended. */
	for (size_t i = 0; i < found.guards.count; i++)
		if (table_is_ours(host, family, found.guards.items[i].table))
			observe_item(observation, &found.guards.items[i]);
	item_list_destroy(&found.guards);
	return error ? error : found.error;
}

static int observe_family(struct observation *observation, uint8_t family, bool routes)
{
	const struct host *host = observation->host;
	struct netlink_route_filter own = { .family = family, .index = host->index };
	int error = observe_rules(observation, family);

	if (!error)
		error = host_observe_firewall(observation->host, family, observation->items);
	if (!error)
		error = observe_guards(observation, family);
	if (!error && !host->gone)
		error = netlink_dump_addresses(host->netlink, family, host->index, observe_address, observation);
	if (!error && !host->gone && routes)
		error = netlink_dump_routes(host->netlink, &own, observe_route, observation);
	if (!error && !host->gone && routes)
		error = host_check_routes(host, family, observation->items);
	if (!error)
		error = host_check_rules(host, family, observation->items);
	return error;
}

static int host_observe(void *context, struct item_list *observed, bool routes)
{
	struct host *host = context;
	struct observation observation = { .host = host, .items = observed };
	struct netlink_link last = host->link;
	int error = host_read_link(host);

	host->gone = error == -ENODEV;
	if (host->gone)
		host->link = last; /* its name is that of the firewall's tables */
	if (error && !(host->gone && host->closing))
		return error;
	if (!host->gone)
		observe_settings(&observation);
	for (size_t i = 0; i < sizeof families; i++) {
		error = observe_family(&observation, families[i], routes);
		if (error)
			break;
		item_list_check_places(observed, families[i]);
	}
	host_check_source(host, observed);
	if (!error && !host->gone && routes) {
		host_check_lookups(host, observed);
		find_broken_addresses(&observation);
	}
	item_list_destroy(&observation.local);
	return error ? error : observation.error;
}

/* --- application ----- */

static const enum netlink_route_verb route_verbs[] = {
	[OPERATION_ADD] = NETLINK_ROUTE_ADD,
	[OPERATION_DELETE] = NETLINK_ROUTE_DELETE,
	[OPERATION_PREPEND] = NETLINK_ROUTE_PREPEND,
};

/* Finds the source that the kernel would choose for a connected network: the first configured address in it. */
static bool connected_source(const struct host *host, const struct item *route, struct ip_prefix *source)
{
	const struct item *first = NULL;
	struct ip_prefix network;

	for (size_t i = 0; i < host->desired->count; i++) {
		const struct item *item = &host->desired->items[i];

		if (item->kind != ITEM_ADDRESS || item->family != AF_INET || item->length != route->length)
			continue;
		item_prefix(item, &network);
		prefix_mask(&network);
		if (memcmp(network.address, route->address, sizeof network.address) == 0 &&
			(!first || item->table < first->table))
			first = item;
	}
	if (first)
		item_prefix(first, source);
	return first;
}

static void apply_routes(struct host *host, const struct operation *operations, size_t count, int *status)
{
	struct netlink_route_change changes[RECONCILE_BATCH];
	struct ip_prefix sources[RECONCILE_BATCH];

	for (size_t i = 0; i < count; i++) {
		const struct item *item = &operations[i].item;
		struct netlink_route_change *change = &changes[i];

		*change = (struct netlink_route_change) { .table = item->table, .type = RTN_UNICAST, .index = host->index };
		item_prefix(item, &change->to);
		if (operations->verb == OPERATION_PREPEND && item->family == AF_INET6)
			change->metric = 1; /* IPv6 orders routes of one destination by their metric alone */
		if (item->flags & ITEM_CONNECTED && connected_source(host, item, &sources[i]))
			change->source = &sources[i];
	}
	netlink_change_routes(host->netlink, route_verbs[operations->verb], changes, count, status);
}

static int apply_guard(struct host *host, const struct operation *operation)
{
	struct netlink_route_change change = {
		.to = { .family = operation->item.family },
		.table = operation->item.table,
		.metric = operation->item.value,
		.type = RTN_UNREACHABLE,
	};
	int status;

	netlink_change_routes(host->netlink, route_verbs[operation->verb], &change, 1, &status);
	return status;
}

struct preferences {
	struct item_list rules; /* all rules of the family; only the preference is set */
	struct item_list own;   /* our own, with their kind */
	struct rule_bounds bounds;
	uint32_t mark;
	int error;
};

static void collect_preference(void *context, const struct netlink_rule_entry *entry)
{
	struct item item = { .kind = ITEM_RULE, .rule.preference = entry->preference };
	struct preferences *preferences = context;

	find_bounds(&preferences->bounds, entry);
	item.length = entry->suppress == 0 ? RULE_SUPPRESS : RULE_TUNNEL;
	item.flags = preferences->bounds.main ? ITEM_BROKEN : 0;
	if (!preferences->error && entry->preference)
		preferences->error = item_push(&preferences->rules, &item);
	if (!preferences->error && entry->protocol == NETLINK_PROTOCOL_ADIT && entry->mark == preferences->mark)
		preferences->error = item_push(&preferences->own, &item);
}

/* Returns the preference of our first rule of this kind that is well placed, or 0. */
static uint32_t own_preference(const struct preferences *found, enum item_rule which)
{
	for (size_t i = 0; i < found->own.count; i++) {
		const struct item *rule = &found->own.items[i];

		if (rule->length == which && is_within(&found->bounds, rule))
			return rule->rule.preference;
	}
	return 0;
}

/*
 * Returns a preference for the suppressing rule; the tunnel rule gets the next one. Like wg-quick(8), puts the pair in
 * front of all other rules, except for the local table's. If a rule with preference 1 or 2 leaves no room, the pair
 * goes in front of the next rule that does, or at last behind the first rule, or both get the preference in front of
 * the main table's. The kernel lists rules by preference. Preference 0 belongs to the local table, and is only ours if
 * the main table's is 1.
 */
static uint32_t free_preference(const struct preferences *found)
{
	uint32_t previous = found->bounds.local, first = 0;

	for (size_t i = 0; i < found->rules.count; i++) {
		uint32_t preference = found->rules.items[i].rule.preference;

		if (preference < found->bounds.local || (found->bounds.main && preference > found->bounds.main))
			continue;
		if (preference - previous > 2)
			return preference - 2;
		if (!first)
			first = preference;
		previous = preference;
	}
	if (first && first == found->bounds.main)
		return first - 1;
	return first ? first : 1;
}

/* Chooses the preference of a new rule. Rules with equal preference apply in the order in which they were added. */
static uint32_t choose_preference(const struct preferences *found, enum item_rule which)
{
	uint32_t tunnel = own_preference(found, RULE_TUNNEL), suppress = own_preference(found, RULE_SUPPRESS);

	if (which == RULE_SUPPRESS)
		return tunnel > found->bounds.local + 1 ? tunnel - 1 : free_preference(found);
	if (!suppress)
		suppress = free_preference(found);
	return suppress + 1 == found->bounds.main ? suppress : suppress + 1;
}

static int apply_rule(struct host *host, const struct operation *operation)
{
	const struct item *item = &operation->item;
	struct netlink_rule_entry rule = {
		.family = item->family,
		.protocol = NETLINK_PROTOCOL_ADIT,
		.inverted = true,
		.mark = item->rule.mark,
		.suppress = item->length == RULE_SUPPRESS ? 0 : NETLINK_NOT_SUPPRESSED,
		.table = item->table,
		.preference = item->rule.preference,
	};
	struct preferences found = { .mark = item->rule.mark };
	int error;

	if (operation->verb != OPERATION_ADD)
		return netlink_change_rule(host->netlink, false, &rule);
	error = netlink_dump_rules(host->netlink, item->family, collect_preference, &found);
	if (!error)
		error = found.error;
	rule.preference = choose_preference(&found, item->length == RULE_SUPPRESS ? RULE_SUPPRESS : RULE_TUNNEL);
	item_list_destroy(&found.rules);
	item_list_destroy(&found.own);
	return error ? error : netlink_change_rule(host->netlink, true, &rule);
}

static int apply_one(struct host *host, const struct operation *operation, struct reason *reason)
{
	static const enum netlink_link_setting settings[] = {
		[LINK_MTU] = NETLINK_LINK_MTU,
		[LINK_ADDR_GEN_MODE] = NETLINK_LINK_ADDR_GEN_MODE,
		[LINK_SEND_REDIRECTS] = NETLINK_LINK_SEND_REDIRECTS,
		[LINK_PROMOTE_SECONDARIES] = NETLINK_LINK_PROMOTE_SECONDARIES,
		[LINK_MULTICAST] = NETLINK_LINK_MULTICAST,
		[LINK_CARRIER] = NETLINK_LINK_CARRIER,
		[LINK_QUEUE] = NETLINK_LINK_QUEUE,
		[LINK_UP] = NETLINK_LINK_UP,
	};
	static const enum netlink_address_verb address_verbs[] = {
		[OPERATION_ADD] = NETLINK_ADDRESS_ADD,
		[OPERATION_DELETE] = NETLINK_ADDRESS_DELETE,
		[OPERATION_PREPEND] = NETLINK_ADDRESS_REPLACE,
	};
	struct ip_prefix prefix;

	switch (operation->item.kind) {
	case ITEM_GUARD:
		return apply_guard(host, operation);
	case ITEM_RULE:
		return apply_rule(host, operation);
	case ITEM_FIREWALL:
		return host_apply_firewall(host, operation, reason);
	case ITEM_SYSCTL:
		return sysctl_write(sysctl_path(operation->item.length), host->link.name, operation->item.value);
	case ITEM_LINK:
		return netlink_link_change(host->netlink, host->index, settings[operation->item.length], operation->item.value);
	default:
		item_prefix(&operation->item, &prefix);
		return netlink_change_address(host->netlink, address_verbs[operation->verb], host->index, &prefix);
	}
}

struct tentative_search {
	const struct item *address;
	bool tentative;
};

static void match_tentative(void *context, const struct netlink_address_entry *entry)
{
	struct tentative_search *search = context;

	if (memcmp(entry->prefix.address, search->address->address, sizeof entry->prefix.address) == 0)
		search->tentative = entry->tentative;
}

/*
 * The kernel finishes an IPv6 address in a work queue. Until then no program can bind to it, and packets leave with the
 * address of another interface. The kernel adds its local route under the lock that the next observation takes.
 */
static void wait_until_usable(const struct host *host, const struct item *address)
{
	struct tentative_search search = { .address = address };
	uint64_t end = clock_boottime() + USABLE_WAIT;

	do {
		if (search.tentative)
			usleep(USABLE_POLL_US);
		search.tentative = false;
	} while (netlink_dump_addresses(host->netlink, AF_INET6, host->index, match_tentative, &search) == 0 &&
			 search.tentative && clock_boottime() < end);
}

static void host_apply(void *context, const struct operation *operations, size_t count, int *status,
					   struct reason *reason)
{
	if (operations->item.kind == ITEM_ROUTE) {
		apply_routes(context, operations, count, status);
		return;
	}
	for (size_t i = 0; i < count; i++)
		status[i] = apply_one(context, &operations[i], reason);
	for (size_t i = 0; i < count; i++) {
		const struct item *item = &operations[i].item;

		if (item->kind == ITEM_ADDRESS && item->family == AF_INET6 && operations->verb == OPERATION_ADD && !status[i])
			wait_until_usable(context, item);
	}
}

/* --- owners ----- */

struct owner_search {
	const struct item *item;
	struct netlink_route_entry entry;
	bool found;
};

static void match_owner(void *context, const struct netlink_route_entry *entry)
{
	struct owner_search *search = context;
	struct item item = item_route(&entry->to, entry->table);

	if (!search->found && item_compare(&item, search->item) == 0) {
		search->entry = *entry;
		search->found = true;
	}
}

static int host_owner(void *context, const struct item *item, struct reason *reason)
{
	struct owner_search search = { .item = item };
	struct host *host = context;
	char interface[IF_NAMESIZE];

	if (item->kind == ITEM_GUARD)
		return 1;
	if (item->kind == ITEM_ADDRESS)
		return reason_set(reason, 0, "already on this interface with another prefix length");
	if (item->kind == ITEM_ROUTE) {
		struct netlink_route_filter filter = { .family = item->family, .table = item->table };

		if (netlink_dump_routes(host->netlink, &filter, match_owner, &search) < 0 || !search.found)
			return 0;
		if (search.entry.index == host->index)
			return 1;
		if (search.entry.index && if_indextoname(search.entry.index, interface))
			return reason_set(reason, 0, "already on dev %s", interface);
		if (search.entry.type == RTN_UNICAST)
			return reason_set(reason, 0, "already there with several next hops");
		return reason_set(reason, 0, "already there without a device (blackhole or the like)");
	}
	return 0;
}

/* --- set-up and facts ----- */

int host_open(struct host *host)
{
	host->operations = (struct host_operations) { host_observe, host_apply, host_owner, host };
	host->netlink = netlink_open();
	if (!host->netlink)
		return -errno;
	host->netfilter = netfilter_open();
	return 0;
}

void host_close(struct host *host)
{
	netlink_close(host->netlink);
	netfilter_close(host->netfilter);
	host->netlink = NULL;
	host->netfilter = NULL;
}

int host_read_link(struct host *host)
{
	return netlink_link_read(host->netlink, host->index, &host->link);
}

bool host_is_strict(void)
{
	uint32_t all = 0;

	/* The larger of `all` and the interface's own value applies. 1 is strict, 2 is loose. */
	sysctl_read("/proc/sys/net/ipv4/conf/all/rp_filter", NULL, &all);
	return all < 2 && sysctl_any_is("/proc/sys/net/ipv4/conf", "rp_filter", 1);
}

bool host_has_v6(const struct host *host)
{
	uint32_t all = 0, standard = 0;

	if (host->link.has_v6)
		return !host->link.v6_disabled;
	if (sysctl_read("/proc/sys/net/ipv6/conf/all/disable_ipv6", NULL, &all) < 0)
		return false;
	sysctl_read("/proc/sys/net/ipv6/conf/default/disable_ipv6", NULL, &standard);
	return !all && !standard;
}
