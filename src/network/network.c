/* SPDX-License-Identifier: MIT */
/* The network of a tunnel: applies changes, repairs them, and removes everything at the end. */
#include "network/network.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/token_bucket.h"
#include "desired.h"
#include "host.h"
#include "mtu.h"
#include "reconcile.h"
#include "route_check.h"
#include "watch.h"

enum {
	/* With more routes than this, a reload or an observation does not list them; the route check does. */
	ROUTES_LISTED_AT_ONCE = 2000,
	/* The log lists so many operations at once, and then one per interval. */
	OPERATIONS_BURST = 200,
	OPERATIONS_INTERVAL_MS = 20,
};

#define NO_INTERFACE INT32_MAX /* an index that no interface has */

struct network {
	char name[IFNAMSIZ]; /* of the interface, for the log */
	struct host host;
	struct reconcile reconcile; /* holds the desired state of the latest configuration */
	struct item_list before;    /* the desired state before a prepared change */
	uint32_t mark_before;
	uint32_t automatic_mtu; /* the latest that the routes determined; 0: none */
	struct table_claim claim, claim_before;
	struct network_plan plan;
	bool committed_once;
	struct network_options options;
	struct network_warnings warnings;
	struct token_bucket listed; /* operations in the log */
	unsigned long unlisted;
	struct watch watch;
	struct route_check check;
	bool routes_differ; /* the check has found it, so the next look lists them all */
};

static void warn_of_left_out(void *context, const char *text)
{
	struct network *network = context;

	network_warnings_report(&network->warnings, NETWORK_LEFT_OUT, text);
}

static void warn_of_conflict(void *context, const char *text)
{
	struct network *network = context;

	network_warnings_report(&network->warnings, NETWORK_CONFLICT, text);
}

static void log_operation(void *context, const struct operation *operation)
{
	static const char *const verbs[] = {
		[OPERATION_ADD] = "set", [OPERATION_DELETE] = "deleted", [OPERATION_PREPEND] = "set"
	};
	struct network *network = context;
	char text[ITEM_TEXT];

	if (!log_enabled(LOG_DEBUG))
		return;
	if (!token_bucket_take(&network->listed, OPERATIONS_BURST, OPERATIONS_INTERVAL_MS * NS_PER_MS, clock_boottime())) {
		network->unlisted++;
		return;
	}
	if (network->unlisted)
		log_debug(network->name, "%lu more changes of the network are not listed", network->unlisted);
	network->unlisted = 0;
	item_text(text, &operation->item);
	log_debug(network->name, "%s: %s", text, verbs[operation->verb]);
}

/* With a name, the interface need not exist any more. */
static struct network *open_network(uint32_t index, const char *interface)
{
	struct network *network = calloc(1, sizeof *network);
	int error;

	if (!network)
		return NULL;
	network->host.index = index;
	network->host.first = true;
	error = host_open(&network->host);
	if (!error)
		error = host_read_link(&network->host);
	if (error == -ENODEV && interface) {
		snprintf(network->host.link.name, sizeof network->host.link.name, "%s", interface);
		error = 0;
	}
	if (error) {
		host_close(&network->host);
		free(network);
		errno = -error;
		return NULL;
	}
	memcpy(network->name, network->host.link.name, sizeof network->name);
	network->warnings.interface = network->name;
	network->warnings.callbacks = &network->options.callbacks;
	network->host.report = warn_of_conflict;
	network->host.report_context = network;
	network->reconcile = (struct reconcile) {
		.host = &network->host.operations, .warn = warn_of_left_out, .applied = log_operation, .context = network
	};
	return network;
}

struct network *network_open(uint32_t index, const struct network_options *options)
{
	struct network *network = open_network(index, NULL);

	if (network)
		network->options = *options;
	return network;
}

const struct table_claim *network_claim(const struct network *network)
{
	return &network->claim;
}

/* --- changes ----- */

/*
 * The MTU of a configuration that sets none. If the routes are not known now, for example because the uplink is down,
 * the MTU stays.
 */
static uint32_t choose_mtu(const struct network *network, const struct network_plan *plan,
						   const struct endpoint *endpoints, size_t endpoint_count)
{
	uint32_t mtu;

	if (network->options.adopted && !network->committed_once)
		return network->host.link.mtu;
	mtu = path_mtu(network->host.netlink, plan->mark, network->host.index, endpoints, endpoint_count);
	if (!mtu)
		mtu = network->automatic_mtu;
	return mtu ? mtu : PATH_MTU_DEFAULT;
}

static int build_desired(struct network *network, struct item_list *list, const struct network_plan *plan,
						 const struct config *config, const struct endpoint *endpoints, size_t endpoint_count)
{
	struct desired_facts facts = { .index = network->host.index,
								   .mtu = config->mtu,
								   .fail_closed = config->fail_closed };
	char left_out[PREFIX_TEXT], warning[REASON_BYTES];
	const char *rejected = "";
	int error = host_read_link(&network->host);

	if (error)
		return error;
	facts.strict = host_is_strict();
	facts.v6 = host_has_v6(&network->host);
	facts.v6_on_host = access("/proc/sys/net/ipv6", F_OK) == 0;
	if (!facts.mtu)
		facts.mtu = network->automatic_mtu = choose_mtu(network, plan, endpoints, endpoint_count);
	error = desired_build(list, config, plan, &facts, left_out);
	if (error || !left_out[0])
		return error;
	if (plan->full_v6 && facts.v6_on_host)
		rejected = ", and rejecting the traffic for ::/0";
	if (config->mtu && config->mtu < IPV6_MTU_MIN) {
		snprintf(warning, sizeof warning, "IPv6 needs an MTU of %d or more: leaving out %s%s", IPV6_MTU_MIN, left_out,
				 rejected);
	} else {
		network->reconcile.v6_refused = true;
		snprintf(warning, sizeof warning, "IPv6 is disabled here (net.ipv6.conf.all.disable_ipv6): leaving out %s%s",
				 left_out, rejected);
	}
	network_warnings_set(&network->warnings, NETWORK_LEFT_OUT, warning);
	return 0;
}

static size_t count_routes(const struct item_list *list)
{
	size_t count = 0;

	for (size_t i = list->count; i > 0 && list->items[i - 1].kind == ITEM_ROUTE; i--)
		count++;
	return count;
}

/* A long list of routes is compared with the previous desired state, and with the kernel's later, when idle. */
static int apply_desired(struct network *network, enum reconcile_mode mode, struct reason *reason)
{
	const struct item_list *before = &network->before, *desired = &network->reconcile.desired;
	size_t equal = 0;

	if (!network->committed_once || count_routes(before) <= ROUTES_LISTED_AT_ONCE)
		return reconcile_run(&network->reconcile, mode, reason);
	while (equal < before->count && equal < desired->count &&
		   item_compare(&before->items[equal], &desired->items[equal]) == 0)
		equal++;
	if (equal == before->count && equal == desired->count)
		return reconcile_run(&network->reconcile, mode, reason);
	return reconcile_change(&network->reconcile, before, mode, reason);
}

int network_prepare(struct network *network, const struct network_plan *plan, struct table_claim *claim,
					const struct config *config, const struct endpoint *endpoints, size_t endpoint_count,
					struct reason *reason)
{
	struct item_list desired = { 0 };
	int status;

	network_warnings_begin_change(&network->warnings);
	status = build_desired(network, &desired, plan, config, endpoints, endpoint_count);
	if (status < 0) {
		network_warnings_restore(&network->warnings);
		item_list_destroy(&desired);
		table_claim_release(claim);
		return reason_set_errno(reason, status, "network");
	}
	route_check_stop(&network->check); /* network_commit and network_revert ask for a look, which starts it again */
	network->before = network->reconcile.desired;
	network->mark_before = network->host.mark;
	network->claim_before = network->claim;
	if (claim->table || !plan->table)
		network->claim = *claim;
	*claim = (struct table_claim) { 0 };
	network->plan = *plan;
	network->reconcile.desired = desired;
	network->reconcile.own_table = plan->table;
	network->host.desired = &network->reconcile.desired;
	network->host.before = &network->before;
	network->host.mark = plan->mark;
	network->host.closed_metric = item_closed_metric(config->interface);
	network->host.tables[0] = network->claim.table;
	network->host.tables[1] = network->claim_before.table;
	status = apply_desired(network, RECONCILE_PREPARE, reason);
	if (status >= 0)
		return 0;
	network_revert(network);
	return status;
}

/* Releases the claim that is not in use, unless both are the same. */
static void drop_claim(struct network *network, struct table_claim *claim)
{
	if (claim->table != network->claim.table)
		table_claim_release(claim);
	*claim = (struct table_claim) { 0 };
	network->host.tables[0] = network->claim.table;
	network->host.tables[1] = 0;
}

/*
 * The filter of the watch drops events of other tables, unless they are of routes to our networks. Those of another
 * program that keep ours away come first, because ours must follow when they are deleted.
 */
static void follow_routes(const struct network *network)
{
	const struct item_list *desired = &network->reconcile.desired;
	struct ip_prefix prefixes[NETLINK_EVENTS_PREFIXES];
	size_t count = 0;

	if (!network->watch.loop)
		return;
	for (int failed = ITEM_FAILED; failed >= 0; failed -= ITEM_FAILED) {
		for (size_t i = 0; i < desired->count && count < NETLINK_EVENTS_PREFIXES; i++) {
			const struct item *item = &desired->items[i];

			if (item->kind == ITEM_ROUTE && item->length && (item->flags & ITEM_FAILED) == failed)
				item_prefix(item, &prefixes[count++]);
		}
	}
	netlink_events_set_filter(network->watch.routes.fd, netlink_port(network->host.netlink), network->plan.table,
							  prefixes, count);
}

static bool leaves_out(const struct item_list *desired)
{
	for (size_t i = 0; i < desired->count; i++)
		if (desired->items[i].flags & ITEM_LEFT_OUT)
			return true;
	return false;
}

void network_commit(struct network *network)
{
	struct reason reason;

	if (apply_desired(network, RECONCILE_FULL, &reason) < 0)
		log_warning(network->name, "%s", reason.text);
	item_list_destroy(&network->before);
	network->host.before = &network->reconcile.desired;
	if (network->plan.table)
		log_debug(network->name, "default route: table %u, firewall mark %u", network->plan.table, network->plan.mark);
	drop_claim(network, &network->claim_before);
	network->committed_once = true;
	network->host.first = false;
	network->reconcile.v6_refused &= leaves_out(&network->reconcile.desired);
	network_warnings_end_look(&network->warnings, leaves_out(&network->reconcile.desired));
	follow_routes(network);
	watch_look_when_idle(&network->watch);
}

void network_changes(const struct network *network, void (*change)(void *context, const char *text, const char *verb),
					 void *context)
{
	const struct item_list *before = &network->before, *after = &network->reconcile.desired;
	size_t i = item_list_next_shown(before, 0), j = item_list_next_shown(after, 0);
	bool same = item_lists_have_same_addresses(before, after);
	char text[ITEM_TEXT];

	while (i < before->count || j < after->count) {
		int order = i == before->count ? 1 : j == after->count ? -1 : item_compare(&before->items[i], &after->items[j]);
		const struct item *shown = order < 0 ? &before->items[i] : &after->items[j];
		/* A change of places without another address is what the user has changed. */
		bool differs = order != 0 || !item_satisfies(&before->items[i], shown) ||
					   (same && shown->kind == ITEM_ADDRESS && before->items[i].table != shown->table);

		if (order <= 0)
			i = item_list_next_shown(before, i + 1);
		if (order >= 0)
			j = item_list_next_shown(after, j + 1);
		if (!differs)
			continue;
		item_text(text, shown);
		change(context, text, order < 0 ? "removed" : order > 0 ? "added" : "set");
	}
}

void network_revert(struct network *network)
{
	struct item_list refused = network->reconcile.desired;
	struct reason reason;

	network->reconcile.desired = network->before;
	network->before = refused;
	network->host.mark = network->mark_before;
	/* Before the first configuration there was only a link that was down, so there is nothing to restore. */
	if (network->committed_once && reconcile_run(&network->reconcile, RECONCILE_FULL, &reason) < 0)
		log_error(network->name, "cannot restore the network: %s", reason.text);
	if (network->committed_once) {
		struct table_claim refused_claim = network->claim;

		network->claim = network->claim_before;
		drop_claim(network, &refused_claim);
	}
	network->claim_before = (struct table_claim) { 0 };
	item_list_destroy(&network->before);
	network->host.before = &network->reconcile.desired;
	network_warnings_restore(&network->warnings);
	watch_look_when_idle(&network->watch);
}

static void log_refusal(void *context, const char *text)
{
	const struct host *host = context;

	log_debug(host->link.name, "%s", text);
}

void network_set_link_defaults(uint32_t index)
{
	struct host host = { .index = index };
	struct reconcile reconcile = { .host = &host.operations, .warn = log_refusal, .context = &host };
	struct reason reason;

	if (host_open(&host) < 0)
		return;
	host.desired = &reconcile.desired;
	if (host_read_link(&host) == 0 && desired_link_defaults(&reconcile.desired) == 0) {
		item_list_sort(&reconcile.desired);
		if (reconcile_run(&reconcile, RECONCILE_PREPARE, &reason) < 0)
			log_debug(host.link.name, "%s", reason.text);
	}
	item_list_destroy(&reconcile.desired);
	host_close(&host);
}

/* --- repair ----- */

static bool event_concerns(void *context, const struct netlink_event *event)
{
	const struct netlink_route_entry *route = &event->route;
	struct network *network = context;
	struct item item;

	switch (event->kind) {
	case NETLINK_EVENT_ROUTE:
		/* When IPv6 is switched on, the kernel adds a route to the multicast addresses. */
		if (network->reconcile.v6_refused && !event->removed && route->to.family == AF_INET6 &&
			route->index == network->host.index)
			return true;
		if (network->plan.table && route->table == network->plan.table) {
			network->routes_differ = true; /* another route may precede ours */
			return true;
		}
		if (route->index == network->host.index &&
			(route->protocol == NETLINK_PROTOCOL_ADIT || route->protocol == RTPROT_KERNEL))
			return event->removed;
		/* It may take traffic from our default route. */
		if (network->plan.table && route->table == RT_TABLE_MAIN && route->to.length < NETLINK_NETWORK_MIN)
			return true;
		/* It may have replaced one of ours, or precede it, also from a table that comes before the main table. */
		item = item_route(&route->to, route->table);
		if (item_find(&network->reconcile.desired, &item))
			return true;
		item.table = RT_TABLE_MAIN;
		return item_find(&network->reconcile.desired, &item);
	case NETLINK_EVENT_RULE:
		return true; /* ours must precede others, and others may lead to a table with a route that precedes ours */
	default:
		/* The kernel deletes IPv4 routes with a link or its last address, without events. Ours may wait for that. */
		return event->index == network->host.index || network_warnings_stand(&network->warnings);
	}
}

static void on_routes_checked(void *context, bool differs)
{
	struct network *network = context;

	network->routes_differ = differs;
	if (differs)
		watch_look(&network->watch);
}

/* Repairs everything. Many routes are taken to be right until the check has found otherwise. */
static int repair_network(void *context)
{
	struct network *network = context;
	struct reconcile *reconcile = &network->reconcile;
	bool list_routes = network->routes_differ || count_routes(&reconcile->desired) <= ROUTES_LISTED_AT_ONCE;
	struct reason reason;
	int status;

	if (reconcile->v6_refused && host_read_link(&network->host) == 0 && host_has_v6(&network->host)) {
		reconcile_take_back_v6(reconcile);
		list_routes = true;
		network_warnings_withdraw(&network->warnings, NETWORK_LEFT_OUT);
	}
	network_warnings_begin_look(&network->warnings);
	network->routes_differ = false;
	network->check.done = on_routes_checked;
	network->check.context = network;
	if (list_routes ||
		route_check_start(&network->check, network->watch.loop, network->host.index, &reconcile->desired) < 0)
		status = reconcile_run(reconcile, RECONCILE_REPAIR, &reason);
	else
		status = reconcile_change(reconcile, &reconcile->desired, RECONCILE_REPAIR, &reason);
	if (status == -ENODEV)
		return status;
	watch_parameters(&network->watch, network->host.link.name);
	follow_routes(network);
	if (strcmp(network->name, network->host.link.name) != 0) {
		log_info(network->name, "the interface is now named %s", network->host.link.name);
		memcpy(network->name, network->host.link.name, sizeof network->name);
	}
	if (status < 0)
		warn_of_left_out(network, reason.text);
	network_warnings_end_look(&network->warnings, leaves_out(&reconcile->desired));
	if (status > 0 && network->options.events) {
		struct event event = { .kind = EVENT_NETWORK_REPAIRED,
							   .interface = network->name,
							   .repairs = (uint32_t)status,
							   .reason = reconcile->first_change };
		event_emit(network->options.events, &event);
	}
	if (status > 0)
		log_info(network->name, "another program changed the network of the tunnel: %s (%d repair%s)",
				 reconcile->first_change, status, status == 1 ? "" : "s");
	return status;
}

static void warn_of_contest(void *context)
{
	const struct network *network = context;

	log_warning(network->name, "another program keeps changing the network of the tunnel; is a network manager or a "
							   "firewall set up for this interface, too?");
	if (network->options.callbacks.contested)
		network->options.callbacks.contested(network->options.callbacks.context);
}

int network_watch(struct network *network, struct ev_loop *loop, struct path_watches *paths)
{
	int error;

	network->watch.concerns = event_concerns;
	network->watch.repair = repair_network;
	network->watch.contested = warn_of_contest;
	network->watch.context = network;
	error = watch_start(&network->watch, loop, paths, netlink_port(network->host.netlink));
	if (error)
		return error;
	follow_routes(network);
	watch_parameters(&network->watch, network->host.link.name);
	watch_look_when_idle(&network->watch); /* because something may have changed since the start */
	return 0;
}

/* --- the end ----- */

/*
 * The desired state is a link that is down. The kernel deletes its routes with it, so they are not listed. Returns the
 * number of changes.
 */
static int remove_all(struct network *network)
{
	struct item_list *desired = &network->reconcile.desired;
	struct item down = item_setting(ITEM_LINK, LINK_UP, 0);
	const struct item_list no_routes = { 0 };
	struct reason reason;
	size_t kept = 0;
	int changes;

	network->host.closing = true;
	item_list_destroy(&network->before);
	/* With FailClosed, guards and rules outlive the daemon. They are the first items. */
	if (desired->count && desired->items[0].kind == ITEM_GUARD && item_is_closed_metric(desired->items[0].value)) {
		while (kept < desired->count && desired->items[kept].kind <= ITEM_RULE)
			kept++;
	}
	desired->count = kept;
	if (item_push(desired, &down) < 0)
		return 0;
	changes = reconcile_change(&network->reconcile, &no_routes, RECONCILE_REPAIR, &reason);
	if (changes < 0)
		log_warning(network->name, "cannot take the network down: %s", reason.text);
	return changes < 0 ? 0 : changes;
}

void network_leave(struct network *network)
{
	if (!network)
		return;
	watch_stop(&network->watch);
	route_check_stop(&network->check);
	item_list_destroy(&network->before);
	item_list_destroy(&network->reconcile.desired);
	table_claim_release(&network->claim_before);
	table_claim_release(&network->claim);
	host_close(&network->host);
	free(network);
}

/* The guard of FailClosed: in our table, or, without a claim on one, any that has our name. */
static bool is_closing_guard(const struct network *network, const struct item *item)
{
	if (item->kind != ITEM_GUARD)
		return false;
	if (!network->claim.table)
		return item->value == network->host.closed_metric;
	return item->table == network->claim.table && item_is_closed_metric(item->value);
}

static bool leads_to_closing_guard(const struct network *network, const struct item_list *observed,
								   const struct item *rule)
{
	for (size_t i = 0; i < observed->count; i++)
		if (is_closing_guard(network, &observed->items[i]) && observed->items[i].table == rule->rule.mark)
			return true;
	return false;
}

/*
 * Adds the guards of an earlier process with FailClosed, and the rules that lead to their table, to the desired state:
 * without a configuration of our own, because the start failed or the process was killed, they stay.
 */
static int want_closing_guards(struct network *network)
{
	const struct host_operations *host = &network->host.operations;
	struct item_list observed = { 0 };
	int error = host->observe(host->host, &observed, false);

	for (size_t i = 0; i < observed.count && !error; i++) {
		const struct item *item = &observed.items[i];

		if (is_closing_guard(network, item) ||
			(item->kind == ITEM_RULE && leads_to_closing_guard(network, &observed, item)))
			error = item_push(&network->reconcile.desired, item);
	}
	item_list_destroy(&observed);
	item_list_sort(&network->reconcile.desired);
	return error;
}

void network_close(struct network *network)
{
	bool started;

	if (!network)
		return;
	started = network->committed_once || network->reconcile.desired.count;
	watch_stop(&network->watch);
	route_check_stop(&network->check);
	if (!started && network->claim.table && want_closing_guards(network) < 0)
		log_warning(network->name, "cannot read the network that the previous process left");
	remove_all(network);
	network_leave(network);
}

void network_sweep(uint32_t index, struct table_claim *claim)
{
	struct network *network = open_network(index, NULL);

	if (!network) {
		table_claim_release(claim);
		return;
	}
	network->claim = *claim;
	*claim = (struct table_claim) { 0 };
	network->host.tables[0] = network->claim.table;
	network->host.desired = &network->reconcile.desired;
	network->host.closed_metric = item_closed_metric(network->name);
	network_close(network);
}

/* Returns whether the kernel has a TUN interface of this name, which no process has open. */
static bool interface_is_abandoned(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* of any kind */
	char path[sizeof "/sys/class/net//tun_flags" + IFNAMSIZ];
	bool abandoned;

	if (fd < 0)
		return false;
	snprintf(path, sizeof path, "/sys/class/net/%s/tun_flags", interface);
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	/* A TUN interface that is up has a carrier while it is open. */
	abandoned = !access(path, F_OK) && !ioctl(fd, SIOCGIFFLAGS, &request) && !(request.ifr_flags & IFF_RUNNING);
	close(fd);
	return abandoned;
}

int network_remove_remains(const char *interface)
{
	uint32_t index = if_nametoindex(interface);
	struct network *network;
	int changes = 0;

	if (index && !interface_is_abandoned(interface))
		return 0;
	network = open_network(index ? index : NO_INTERFACE, interface);
	if (!network)
		return -errno;
	network->host.desired = &network->reconcile.desired;
	network->host.closed_metric = item_closed_metric(interface);
	network->host.closing = true;
	if (want_closing_guards(network) < 0)
		log_warning(interface, "cannot read the network that the killed daemon left");
	else
		changes = remove_all(network);
	network_leave(network);
	return changes;
}
