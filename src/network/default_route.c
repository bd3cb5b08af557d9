/* SPDX-License-Identifier: MIT */
/*
 * Policy rules, src_valid_mark and firewall for a default route into the tunnel.
 *
 * The route is in a table of its own. These rules, in order, send everything there except the tunnel's own datagrams,
 * which carry MARK:
 *
 *     from all lookup main suppress_prefixlength 0     specific routes of the main table, but not its default route
 *     not from all fwmark MARK lookup TABLE            the rest, unless it carries MARK: into the tunnel
 *     from all lookup main                             datagrams with MARK: by the default route of the main table
 */
#include "network/default_route.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "firewall.h"

static const char valid_mark_path[] = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

static bool *plan_family(struct network_plan *plan, uint8_t family)
{
	return family == AF_INET6 ? &plan->full_v6 : &plan->full_v4;
}

static int ip_version(uint8_t family)
{
	return family == AF_INET6 ? 6 : 4;
}

static bool valid_mark_set(void)
{
	int fd = open(valid_mark_path, O_RDONLY | O_CLOEXEC);
	char value = '0';
	bool set = fd >= 0 && read(fd, &value, 1) == 1 && value == '1';

	if (fd >= 0)
		close(fd);
	return set;
}

/* Writes only if needed, because /proc/sys may be read-only for the daemon and the value set by the administrator. */
static int set_valid_mark(struct reason *reason)
{
	int fd, status;

	if (valid_mark_set())
		return 0;
	fd = open(valid_mark_path, O_WRONLY | O_CLOEXEC);
	status = fd < 0 || write(fd, "1\n", 2) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return status < 0 ? reason_set_errno(reason, status, "%s = 1", valid_mark_path) : 0;
}

/*
 * Deletes rules that a dead daemon left behind, in the pairs in which they were added. Its routes are gone, because the
 * kernel deleted them together with the device.
 */
static void delete_stale_rules(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table)
{
	while (netlink_rule_del_not_mark(netlink, family, mark, table) == 0)
		netlink_rule_del_suppress_main(netlink, family);
}

static int add_rules(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table, struct reason *reason)
{
	int status = netlink_rule_add_not_mark(netlink, family, mark, table);

	if (status < 0)
		return reason_set_errno(reason, status, "IPv%d rule: not fwmark %u table %u", ip_version(family), mark, table);
	status = netlink_rule_add_suppress_main(netlink, family);
	if (status == 0)
		return 0;
	netlink_rule_del_not_mark(netlink, family, mark, table);
	return reason_set_errno(reason, status, "IPv%d rule: table main suppress_prefixlength 0", ip_version(family));
}

struct address_query {
	struct network_list addresses;
	int status;
};

static void on_address(void *context, const struct ip_prefix *address)
{
	struct address_query *query = context;

	if (query->status == 0)
		query->status = network_list_push(&query->addresses, address, 0);
}

/* Protects all addresses of the interface, including link-local ones and those that others have added. */
static int set_firewall(struct default_route *route, struct netlink *netlink, uint8_t family, struct reason *reason)
{
	struct address_query query = { 0 };
	struct network_firewall firewall = { route->interface, family, route->plan.mark, &query.addresses };
	int status = netlink_address_each(netlink, route->index, family, on_address, &query);

	if (status == 0)
		status = query.status;
	if (status < 0)
		reason_set_errno(reason, status, "firewall: addresses of the interface");
	else
		status = network_firewall_set(&firewall, reason);
	network_list_destroy(&query.addresses);
	if (status != -ENOENT)
		return status;
	if (!route->nft_warned)
		log_warning(
			route->interface,
			"no firewall for the default route, because nft(8) is not installed: hosts on the local network can "
			"probe the tunnel's addresses, and a strict reverse path filter may drop datagrams from the peers");
	route->nft_warned = true;
	return 0;
}

static int add_family(struct default_route *route, struct netlink *netlink, uint8_t family, struct reason *reason)
{
	const struct network_plan *plan = &route->plan;
	int status;

	if (!*plan_family(&route->plan, family)) {
		delete_stale_rules(netlink, family, plan->mark, plan->table);
		status = add_rules(netlink, family, plan->mark, plan->table, reason);
		if (status < 0)
			return status;
		*plan_family(&route->plan, family) = true;
		log_info(route->interface, "IPv%d default route: table %u, firewall mark %u", ip_version(family), plan->table,
				 plan->mark);
	}
	if (family == AF_INET) {
		status = set_valid_mark(reason);
		if (status < 0)
			return status;
	}
	return set_firewall(route, netlink, family, reason);
}

static void warn_not_removed(const struct default_route *route, uint8_t family, int status, const char *object)
{
	if (status < 0 && status != -ENOENT)
		log_warning(route->interface, "IPv%d: cannot remove %s: %s", ip_version(family), object, strerror(-status));
}

static void remove_family(struct default_route *route, struct netlink *netlink, uint8_t family)
{
	const struct network_plan *plan = &route->plan;
	struct reason reason;
	int status;

	if (!*plan_family(&route->plan, family))
		return;
	*plan_family(&route->plan, family) = false;
	warn_not_removed(route, family, netlink_rule_del_not_mark(netlink, family, plan->mark, plan->table),
					 "the fwmark rule");
	warn_not_removed(route, family, netlink_rule_del_suppress_main(netlink, family), "the suppress_prefixlength rule");
	status = network_firewall_remove(route->interface, family, &reason);
	if (status < 0 && status != -ENOENT)
		log_warning(route->interface, "IPv%d: cannot remove the %s", ip_version(family), reason.text);
}

void default_route_remove(struct default_route *route, struct netlink *netlink)
{
	remove_family(route, netlink, AF_INET);
	remove_family(route, netlink, AF_INET6);
}

static int sync_family(struct default_route *route, struct netlink *netlink, uint8_t family, bool wanted,
					   struct reason *reason)
{
	if (wanted)
		return add_family(route, netlink, family, reason);
	remove_family(route, netlink, family);
	return 0;
}

int default_route_sync(struct default_route *route, struct netlink *netlink, const struct network_plan *plan,
					   struct reason *reason)
{
	int status;

	if (route->plan.mark != plan->mark || route->plan.table != plan->table)
		default_route_remove(route, netlink);
	route->plan.mark = plan->mark;
	route->plan.table = plan->table;
	status = sync_family(route, netlink, AF_INET, plan->full_v4, reason);
	return status < 0 ? status : sync_family(route, netlink, AF_INET6, plan->full_v6, reason);
}
