/* SPDX-License-Identifier: MIT */
#include "network/network.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "default_route.h"
#include "list.h"
#include "why.h"

enum {
	FIRST_TABLE = 51820,
	DEFAULT_MTU = 1500,
	OVERHEAD = 80,  /* outer IPv6 40, UDP 8, our header 16, tag 16 */
	LEAST_MTU = 68, /* RFC 791, and what a TUN takes */
	RECALLS = 16,   /* routes that a reload adds before it asks the kernel for all there are */
};

/* Tells the plan in which families a peer may have any address. */
static void find_defaults(struct network_plan *plan, const struct config *config)
{
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next)
			if (ip->prefix.length == 0)
				*(ip->prefix.family == AF_INET ? &plan->full_v4 : &plan->full_v6) = true;
}

static int unused_table(uint32_t *table, char why[NETWORK_WHY])
{
	struct netlink *netlink = netlink_open();
	int used = 1;

	if (!netlink)
		return network_why(why, -errno, "rtnetlink");
	for (*table = FIRST_TABLE; used > 0; *table += used > 0) {
		used = netlink_table_used(netlink, AF_INET, *table);
		if (used == 0)
			used = netlink_table_used(netlink, AF_INET6, *table);
	}
	netlink_close(netlink);
	return used < 0 ? network_why(why, used, "routes of table %u", *table) : 0;
}

int network_plan(struct network_plan *plan, const struct network *network, const struct config *config,
				 char why[NETWORK_WHY])
{
	int status = 0;

	*plan = (struct network_plan) { .mark = config->fwmark };
	if (config->table != TABLE_AUTO)
		return 0;
	find_defaults(plan, config);
	if (!plan->full_v4 && !plan->full_v6)
		return 0;
	plan->table = config->fwmark;
	if (!plan->table && network)
		plan->table = network->plan.table;
	if (!plan->table)
		status = unused_table(&plan->table, why);
	plan->mark = plan->table;
	return status;
}

/* What one call of network_up works with. */
struct setup {
	struct network *network;
	struct netlink *netlink;
	const struct config *config;
	char *why;
	struct network_list covers; /* destinations that the main table sends to the interface already */
	bool covers_known;
	unsigned recalls; /* for how many more routes what we have set before tells whether they are covered */
	int status;
};

/* IPv6 leaves the interface when the MTU falls below 1280 (-ENXIO), and its addresses go with it. */
static bool address_gone(int status)
{
	return status == -EADDRNOTAVAIL || status == -ENXIO;
}

static int change_address(struct setup *setup, const struct network_item *item, bool add)
{
	uint32_t index = setup->network->index;
	int status = add ? netlink_address_add(setup->netlink, index, &item->prefix)
					 : netlink_address_del(setup->netlink, index, &item->prefix);
	char text[PREFIX_TEXT];

	if (status == 0 || (!add && address_gone(status)))
		return 0;
	prefix_to_text(text, &item->prefix);
	return network_why(setup->why, status, "%saddress %s", add ? "" : "delete ", text);
}

static void add_addresses(void *context, const struct network_item *items, size_t count, int *status)
{
	bool failed = false;

	for (size_t i = 0; i < count; i++) {
		status[i] = failed ? 1 : change_address(context, &items[i], true);
		failed |= status[i] < 0;
	}
}

static int del_address(void *context, const struct network_item *item)
{
	return change_address(context, item, false);
}

static int sync_addresses(struct setup *setup)
{
	const struct network_acts acts = { add_addresses, del_address, setup };
	struct network_list wanted = { 0 };
	int status = network_list_addresses(&wanted, setup->config);

	if (status == 0)
		status = network_list_sync(&setup->network->addresses, &wanted, &acts);
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

/* A route that cannot be had has no say, as with wg-quick(8). */
static uint32_t path_mtu(struct netlink *netlink, const struct endpoint *endpoints, size_t count)
{
	const struct ip_prefix anywhere = { 0 };
	uint32_t least = 0, mtu;

	for (size_t i = 0; i < count; i++)
		if (endpoint_mtu(netlink, &endpoints[i], &mtu) == 0 && mtu && (!least || mtu < least))
			least = mtu;
	if (!least && (netlink_route_mtu(netlink, &anywhere, &least) < 0 || !least))
		least = DEFAULT_MTU;
	return least < OVERHEAD + LEAST_MTU ? LEAST_MTU : least - OVERHEAD;
}

/* Decided once: later the routes to the peers may lead through the tunnel itself. */
static int set_link(struct setup *setup, const struct endpoint *endpoints, size_t count)
{
	struct network *network = setup->network;
	uint32_t mtu = setup->config->mtu;
	int status;

	if (!mtu && !network->link_up)
		mtu = path_mtu(setup->netlink, endpoints, count);
	status = netlink_link_set(setup->netlink, network->index, mtu, true);
	if (status < 0)
		return network_why(setup->why, status, "link up, MTU %u", mtu);
	network->link_up = true;
	return 0;
}

static void note_cover(void *context, const struct netlink_route *route)
{
	struct setup *setup = context;

	if (setup->status == 0)
		setup->status = network_list_push(&setup->covers, &route->to, 0);
}

/* What the kernel says: its own routes, and who else has some to the interface. */
static int read_covers(struct setup *setup)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int status = 0;

	for (size_t i = 0; status == 0 && i < sizeof families; i++)
		status = netlink_route_each(setup->netlink, families[i], setup->network->index, 0, note_cover, setup);
	return status < 0 ? status : setup->status;
}

static int kernel_covers(struct setup *setup, const struct ip_prefix *prefix)
{
	int status = setup->covers_known ? 0 : read_covers(setup);

	setup->covers_known = true;
	return status < 0 ? status : network_list_covers(&setup->covers, prefix);
}

/*
 * With Table = auto no route is added to the main table where that of an address, or a wider one, serves already. For
 * the few that a reload adds, the addresses and routes of ours tell: the kernel would take 70 ms to list 100,000.
 */
static int covered(struct setup *setup, const struct network_item *item)
{
	const struct network *network = setup->network;

	if (setup->config->table != TABLE_AUTO || item->table)
		return 0;
	if (!setup->recalls)
		return kernel_covers(setup, &item->prefix);
	setup->recalls--;
	return network_list_covers(&network->addresses, &item->prefix) ||
		   network_list_covers(&network->routes, &item->prefix);
}

static int fail_route(struct setup *setup, int status, const char *act, const struct network_item *item)
{
	char text[PREFIX_TEXT];

	prefix_to_text(text, &item->prefix);
	if (item->table)
		return network_why(setup->why, status, "%sroute %s table %u", act, text, item->table);
	return network_why(setup->why, status, "%sroute %s", act, text);
}

/* What it means that the kernel did not add a route. */
static int judge_refusal(struct setup *setup, int error, const struct network_item *item)
{
	if (error == -EEXIST && !item->table && kernel_covers(setup, &item->prefix) > 0)
		return 1; /* somebody else's, and as good */
	return fail_route(setup, error, "", item);
}

static void add_routes(void *context, const struct network_item *items, size_t count, int *status)
{
	struct netlink_route routes[NETWORK_LIST_AT_ONCE];
	int answers[NETWORK_LIST_AT_ONCE];
	struct setup *setup = context;
	size_t asked = 0, answered = 0;
	bool failed = false;

	for (size_t i = 0; i < count; i++) {
		int covers = failed ? 1 : covered(setup, &items[i]);

		status[i] = covers < 0 ? fail_route(setup, covers, "", &items[i]) : covers;
		failed |= covers < 0;
		if (covers == 0)
			routes[asked++] = (struct netlink_route) { items[i].prefix, items[i].table, setup->network->index, 0 };
	}
	if (asked)
		netlink_routes_add(setup->netlink, routes, asked, answers);
	for (size_t i = 0; i < count; i++) {
		int answer = status[i] == 0 ? answers[answered++] : 0;

		if (answer)
			status[i] = failed ? 1 : judge_refusal(setup, answer, &items[i]);
		failed |= status[i] < 0;
	}
}

static int del_route(void *context, const struct network_item *item)
{
	struct setup *setup = context;
	int status = netlink_route_del(setup->netlink, setup->network->index, &item->prefix, item->table);

	return status < 0 && status != -ESRCH ? fail_route(setup, status, "delete ", item) : 0;
}

static int sync_routes(struct setup *setup, const struct network_plan *plan)
{
	const struct network_acts acts = { add_routes, del_route, setup };
	struct network_list wanted = { 0 };
	int status = network_list_routes(&wanted, setup->config, plan);

	setup->recalls = setup->network->routes.count ? RECALLS : 0;
	if (status == 0)
		status = network_list_sync(&setup->network->routes, &wanted, &acts);
	network_list_destroy(&wanted);
	network_list_destroy(&setup->covers);
	return status;
}

int network_up(struct network *network, const struct network_plan *plan, const struct config *config,
			   const struct endpoint *endpoints, size_t endpoint_count, char why[NETWORK_WHY])
{
	struct setup setup = { .network = network, .netlink = netlink_open(), .config = config, .why = why };
	int status;

	if (!setup.netlink)
		return network_why(why, -errno, "rtnetlink");
	why[0] = '\0';
	status = sync_addresses(&setup);
	if (status == 0)
		status = set_link(&setup, endpoints, endpoint_count);
	if (status == 0)
		status = sync_routes(&setup, plan);
	if (status == 0)
		status = network_default_sync(network, setup.netlink, plan, why);
	netlink_close(setup.netlink);
	return status == 0 || why[0] ? status : network_why(why, status, "network");
}

/* Of an interface that is gone, nothing is left to take away. */
static void remove_link(struct network *network, struct netlink *netlink)
{
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
		network_default_remove(network, netlink);
		remove_link(network, netlink);
	} else if (network->index) {
		log_warning(network->name, "cannot take the network down: rtnetlink: %s", strerror(errno));
	}
	netlink_close(netlink);
	network_list_destroy(&network->routes);
	network_list_destroy(&network->addresses);
	*network = (struct network) { 0 };
}
