/* SPDX-License-Identifier: MIT */
/* Sets up and removes the host's network around the device: addresses, MTU, link and routes. */
#include "network/network.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum {
	FIRST_TABLE = 51820,
	DEFAULT_MTU = 1500,
	OVERHEAD = 80,         /* outer IPv6 40, UDP 8, our header 16, tag 16 */
	MTU_MIN = 68,          /* RFC 791, and the minimum of a TUN */
	LOCAL_CHECKS_MAX = 16, /* see route_is_redundant */
};

static void find_default_routes(struct network_plan *plan, const struct config *config)
{
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next)
			if (ip->prefix.length == 0)
				*(ip->prefix.family == AF_INET ? &plan->full_v4 : &plan->full_v6) = true;
}

/* 1 if a family has a route in the table, 0 if none has, or negative errno. */
static int table_used(struct netlink *netlink, uint32_t table)
{
	int used = netlink_table_used(netlink, AF_INET, table);

	return used ? used : netlink_table_used(netlink, AF_INET6, table);
}

static int find_unused_table(uint32_t *table, struct reason *reason)
{
	struct netlink *netlink = netlink_open();
	int used;

	if (!netlink)
		return reason_set_errno(reason, -errno, "rtnetlink");
	*table = FIRST_TABLE;
	used = table_used(netlink, *table);
	while (used > 0) {
		++*table;
		used = table_used(netlink, *table);
	}
	netlink_close(netlink);
	return used < 0 ? reason_set_errno(reason, used, "routes of table %u", *table) : 0;
}

int network_plan(struct network_plan *plan, const struct network *network, const struct config *config,
				 struct reason *reason)
{
	int status = 0;

	*plan = (struct network_plan) { .mark = config->fwmark };
	if (config->table != TABLE_AUTO)
		return 0;
	find_default_routes(plan, config);
	if (!plan->full_v4 && !plan->full_v6)
		return 0;
	plan->table = config->fwmark;
	if (!plan->table && network)
		plan->table = network->default_route.plan.table;
	if (!plan->table)
		status = find_unused_table(&plan->table, reason);
	plan->mark = plan->table;
	return status;
}

/* The state of one call of network_up. */
struct setup {
	struct network *network;
	struct netlink *netlink;
	const struct config *config;
	struct reason *reason;
	struct network_list kernel_routes; /* of the main table to the interface, when this call first needed them */
	bool kernel_routes_loaded;
	unsigned local_checks; /* routes that may still be checked against our own lists before asking the kernel */
	int status;
};

/* -ENXIO: the MTU fell below 1280, and the kernel removed IPv6 with its addresses from the interface. */
static bool address_gone(int status)
{
	return status == -EADDRNOTAVAIL || status == -ENXIO;
}

static void add_addresses(void *context, const struct network_item *items, size_t count, int *status)
{
	struct setup *setup = context;
	bool failed = false;

	for (size_t i = 0; i < count; i++) {
		char text[PREFIX_TEXT];

		status[i] = 1;
		if (failed)
			continue;
		status[i] = netlink_address_add(setup->netlink, setup->network->index, &items[i].prefix);
		if (status[i] == 0)
			continue;
		failed = true;
		prefix_to_text(text, &items[i].prefix);
		reason_set_errno(setup->reason, status[i], "address %s", text);
	}
}

static int delete_address(void *context, const struct network_item *item)
{
	struct setup *setup = context;
	int status = netlink_address_del(setup->netlink, setup->network->index, &item->prefix);
	char text[PREFIX_TEXT];

	if (status == 0 || address_gone(status))
		return 0;
	prefix_to_text(text, &item->prefix);
	return reason_set_errno(setup->reason, status, "delete address %s", text);
}

static int sync_addresses(struct setup *setup)
{
	const struct network_list_ops ops = { add_addresses, delete_address, setup };
	struct network_list wanted = { 0 };
	int status = network_list_addresses(&wanted, setup->config);

	if (status == 0)
		status = network_list_sync(&setup->network->addresses, &wanted, &ops);
	network_list_destroy(&wanted);
	return status;
}

static int endpoint_mtu(struct netlink *netlink, const struct endpoint *endpoint, uint32_t *mtu)
{
	struct ip_prefix to = { .family = (uint8_t)endpoint->to.any.sa_family };

	if (to.family == AF_INET) {
		memcpy(to.address, &endpoint->to.v4.sin_addr, 4);
	} else if (to.family == AF_INET6) {
		if (endpoint->to.v6.sin6_scope_id)
			return netlink_link_mtu(netlink, endpoint->to.v6.sin6_scope_id, mtu);
		memcpy(to.address, &endpoint->to.v6.sin6_addr, 16);
	} else {
		return -EAFNOSUPPORT;
	}
	return netlink_route_mtu(netlink, &to, mtu);
}

/* Endpoints without a route are ignored, as in wg-quick(8). */
static uint32_t path_mtu(struct netlink *netlink, const struct endpoint *endpoints, size_t count)
{
	const struct ip_prefix any = { 0 };
	uint32_t min = 0, mtu;

	for (size_t i = 0; i < count; i++)
		if (endpoint_mtu(netlink, &endpoints[i], &mtu) == 0 && mtu && (!min || mtu < min))
			min = mtu;
	if (!min && (netlink_route_mtu(netlink, &any, &min) < 0 || !min))
		min = DEFAULT_MTU;
	return min < OVERHEAD + MTU_MIN ? MTU_MIN : min - OVERHEAD;
}

/* Derives the MTU only before the link is up: later, the routes to the peers may lead through the tunnel. */
static int set_link(struct setup *setup, const struct endpoint *endpoints, size_t count)
{
	struct network *network = setup->network;
	uint32_t mtu = setup->config->mtu;
	int status;

	if (!mtu && !network->link_up)
		mtu = path_mtu(setup->netlink, endpoints, count);
	status = netlink_link_set(setup->netlink, network->index, mtu, true);
	if (status < 0)
		return reason_set_errno(setup->reason, status, "link up, MTU %u", mtu);
	network->link_up = true;
	return 0;
}

static void on_kernel_route(void *context, const struct netlink_route *route)
{
	struct setup *setup = context;

	if (setup->status == 0)
		setup->status = network_list_push(&setup->kernel_routes, &route->to, 0);
}

static int load_kernel_routes(struct setup *setup)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof families; i++) {
		int status = netlink_route_each(setup->netlink, families[i], setup->network->index, 0, on_kernel_route, setup);
		if (status < 0)
			return status;
	}
	return setup->status;
}

/* 1 if a route of the kernel's main table to the interface contains `prefix`, 0 if none does, or negative errno. */
static int kernel_route_contains(struct setup *setup, const struct ip_prefix *prefix)
{
	int status = setup->kernel_routes_loaded ? 0 : load_kernel_routes(setup);

	setup->kernel_routes_loaded = true;
	return status < 0 ? status : network_list_contains(&setup->kernel_routes, prefix);
}

/*
 * With Table = auto, a route is not added to the main table if an address of the interface or another route to it
 * already contains it, as in wg-quick(8). A reload checks the first LOCAL_CHECKS_MAX routes against our own addresses
 * and routes, because the kernel takes 70 ms to list 100,000 routes. 1, 0, or negative errno.
 */
static int route_is_redundant(struct setup *setup, const struct network_item *item)
{
	const struct network *network = setup->network;

	if (setup->config->table != TABLE_AUTO || item->table)
		return 0;
	if (!setup->local_checks)
		return kernel_route_contains(setup, &item->prefix);
	setup->local_checks--;
	return network_list_contains(&network->addresses, &item->prefix) ||
		   network_list_contains(&network->routes, &item->prefix);
}

static int route_failed(struct setup *setup, int status, const char *verb, const struct network_item *item)
{
	char text[PREFIX_TEXT];

	prefix_to_text(text, &item->prefix);
	if (item->table)
		return reason_set_errno(setup->reason, status, "%sroute %s table %u", verb, text, item->table);
	return reason_set_errno(setup->reason, status, "%sroute %s", verb, text);
}

/* The result for a route that the kernel rejected. An existing route to the interface serves as well as ours. */
static int route_rejected(struct setup *setup, int error, const struct network_item *item)
{
	if (error == -EEXIST && !item->table && kernel_route_contains(setup, &item->prefix) > 0)
		return 1;
	return route_failed(setup, error, "", item);
}

static void add_routes(void *context, const struct network_item *items, size_t count, int *status)
{
	struct netlink_route routes[NETWORK_LIST_BATCH];
	int results[NETWORK_LIST_BATCH];
	struct setup *setup = context;
	size_t requested = 0, answered = 0;
	bool failed = false;

	for (size_t i = 0; i < count; i++) {
		status[i] = failed ? 1 : route_is_redundant(setup, &items[i]);
		if (status[i] < 0) {
			route_failed(setup, status[i], "", &items[i]);
			failed = true;
		}
		if (status[i] == 0)
			routes[requested++] = (struct netlink_route) { items[i].prefix, items[i].table, setup->network->index, 0 };
	}
	if (requested)
		netlink_routes_add(setup->netlink, routes, requested, results);
	for (size_t i = 0; i < count; i++) {
		int result = status[i] == 0 ? results[answered++] : 0;

		if (result)
			status[i] = failed ? 1 : route_rejected(setup, result, &items[i]);
		if (status[i] < 0)
			failed = true;
	}
}

static int delete_route(void *context, const struct network_item *item)
{
	struct setup *setup = context;
	int status = netlink_route_del(setup->netlink, setup->network->index, &item->prefix, item->table);

	return status < 0 && status != -ESRCH ? route_failed(setup, status, "delete ", item) : 0;
}

static int sync_routes(struct setup *setup, const struct network_plan *plan)
{
	const struct network_list_ops ops = { add_routes, delete_route, setup };
	struct network_list wanted = { 0 };
	int status = network_list_routes(&wanted, setup->config, plan->table);

	setup->local_checks = setup->network->routes.count ? LOCAL_CHECKS_MAX : 0;
	if (status == 0)
		status = network_list_sync(&setup->network->routes, &wanted, &ops);
	network_list_destroy(&wanted);
	network_list_destroy(&setup->kernel_routes);
	return status;
}

int network_up(struct network *network, const struct network_plan *plan, const struct config *config,
			   const struct endpoint *endpoints, size_t endpoint_count, struct reason *reason)
{
	struct setup setup = { .network = network, .netlink = netlink_open(), .config = config, .reason = reason };
	int status;

	if (!setup.netlink)
		return reason_set_errno(reason, -errno, "rtnetlink");
	reason->text[0] = '\0';
	memcpy(network->default_route.interface, network->name, sizeof network->name);
	network->default_route.index = network->index;
	status = sync_addresses(&setup);
	if (status == 0)
		status = set_link(&setup, endpoints, endpoint_count);
	if (status == 0)
		status = sync_routes(&setup, plan);
	if (status == 0)
		status = default_route_sync(&network->default_route, setup.netlink, plan, reason);
	netlink_close(setup.netlink);
	if (status < 0 && !reason->text[0])
		reason_set_errno(reason, status, "network");
	return status;
}

static void take_link_down(struct network *network, struct netlink *netlink)
{
	/* -ENODEV: the interface is gone, and its addresses with it. */
	int status = network->link_up ? netlink_link_set(netlink, network->index, 0, false) : 0;

	if (status < 0 && status != -ENODEV)
		log_warning(network->name, "cannot take the link down: %s", strerror(-status));
	for (size_t i = 0; status != -ENODEV && i < network->addresses.count; i++) {
		const struct ip_prefix *address = &network->addresses.items[i].prefix;
		char text[PREFIX_TEXT];

		status = netlink_address_del(netlink, network->index, address);
		prefix_to_text(text, address);
		if (status < 0 && status != -ENODEV && !address_gone(status))
			log_warning(network->name, "cannot delete address %s: %s", text, strerror(-status));
	}
}

void network_down(struct network *network)
{
	struct netlink *netlink = network->index ? netlink_open() : NULL;

	if (netlink) {
		default_route_remove(&network->default_route, netlink);
		take_link_down(network, netlink);
	} else if (network->index) {
		log_warning(network->name, "cannot remove addresses, routes and rules: rtnetlink: %s", strerror(errno));
	}
	netlink_close(netlink);
	network_list_destroy(&network->routes);
	network_list_destroy(&network->addresses);
	*network = (struct network) { 0 };
}
