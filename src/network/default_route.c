/* SPDX-License-Identifier: MIT */
/*
 * All traffic goes to the tunnel by a table of its own, but for datagrams that carry our mark:
 *
 *     from all lookup main suppress_prefixlength 0     what the main table knows better than by its default route
 *     not from all fwmark MARK lookup TABLE            all else that is not ours: the tunnel
 *     from all lookup main                             ours
 */
#include "default_route.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "firewall.h"
#include "list.h"
#include "why.h"

static const char valid_mark_path[] = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

static bool *full(struct network_plan *plan, uint8_t family)
{
	return family == AF_INET6 ? &plan->full_v6 : &plan->full_v4;
}

static int version(uint8_t family)
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

/* Written only when it must be: the daemon may run where /proc/sys is read-only, with the value set beforehand. */
static int set_valid_mark(char why[NETWORK_WHY])
{
	int fd, status;

	if (valid_mark_set())
		return 0;
	fd = open(valid_mark_path, O_WRONLY | O_CLOEXEC);
	status = fd < 0 || write(fd, "1\n", 2) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return status < 0 ? network_why(why, status, "%s = 1", valid_mark_path) : 0;
}

/* A daemon that died left its rules behind; its table went with the device. They come in pairs. */
static void sweep_rules(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table)
{
	while (netlink_rule_del_not_mark(netlink, family, mark, table) == 0)
		netlink_rule_del_suppress_main(netlink, family);
}

static int add_rules(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table, char why[NETWORK_WHY])
{
	int status = netlink_rule_add_not_mark(netlink, family, mark, table);

	if (status < 0)
		return network_why(why, status, "IPv%d rule: not fwmark %u table %u", version(family), mark, table);
	status = netlink_rule_add_suppress_main(netlink, family);
	if (status == 0)
		return 0;
	netlink_rule_del_not_mark(netlink, family, mark, table);
	return network_why(why, status, "IPv%d rule: table main suppress_prefixlength 0", version(family));
}

struct gathering {
	struct network_list list;
	int status;
};

static void gather(void *context, const struct ip_prefix *address)
{
	struct gathering *gathering = context;

	if (gathering->status == 0)
		gathering->status = network_list_push(&gathering->list, address, 0);
}

static void warn_of_missing_nft(struct network *network)
{
	if (!network->nft_missing)
		log_warning(network->name,
					"nft(8) is missing, so the default route has no firewall: neighbours on the link can probe the "
					"tunnel's addresses, and a strict reverse path filter may drop the peers' answers");
	network->nft_missing = true;
}

/* All addresses of the interface, the link-local one and those of others too. */
static int set_firewall(struct network *network, struct netlink *netlink, uint8_t family, char why[NETWORK_WHY])
{
	struct gathering addresses = { 0 };
	struct network_firewall firewall = { network->name, family, network->plan.mark, &addresses.list };
	int status = netlink_address_each(netlink, network->index, family, gather, &addresses);

	if (status == 0)
		status = addresses.status;
	status = status < 0 ? network_why(why, status, "firewall: addresses of the interface")
						: network_firewall_set(&firewall, why);
	network_list_destroy(&addresses.list);
	if (status != -ENOENT)
		return status;
	warn_of_missing_nft(network);
	return 0;
}

static int add_family(struct network *network, struct netlink *netlink, uint8_t family, char why[NETWORK_WHY])
{
	const struct network_plan *plan = &network->plan;
	int status;

	if (!*full(&network->plan, family)) {
		sweep_rules(netlink, family, plan->mark, plan->table);
		status = add_rules(netlink, family, plan->mark, plan->table, why);
		if (status < 0)
			return status;
		*full(&network->plan, family) = true;
		log_info(network->name, "IPv%d default route: table %u, firewall mark %u", version(family), plan->table,
				 plan->mark);
	}
	if (family == AF_INET) {
		status = set_valid_mark(why);
		if (status < 0)
			return status;
	}
	return set_firewall(network, netlink, family, why);
}

static void warn(const struct network *network, uint8_t family, int status, const char *what)
{
	if (status < 0 && status != -ENOENT)
		log_warning(network->name, "IPv%d: cannot remove %s: %s", version(family), what, strerror(-status));
}

static void remove_family(struct network *network, struct netlink *netlink, uint8_t family)
{
	const struct network_plan *plan = &network->plan;
	char why[NETWORK_WHY];
	int status;

	if (!*full(&network->plan, family))
		return;
	*full(&network->plan, family) = false;
	warn(network, family, netlink_rule_del_not_mark(netlink, family, plan->mark, plan->table), "the rule of the mark");
	warn(network, family, netlink_rule_del_suppress_main(netlink, family), "the suppressing rule");
	status = network_firewall_remove(network->name, family, why);
	if (status < 0 && status != -ENOENT)
		log_warning(network->name, "IPv%d: cannot remove the %s", version(family), why);
}

void network_default_remove(struct network *network, struct netlink *netlink)
{
	remove_family(network, netlink, AF_INET);
	remove_family(network, netlink, AF_INET6);
}

static int sync_family(struct network *network, struct netlink *netlink, uint8_t family, bool wanted,
					   char why[NETWORK_WHY])
{
	if (wanted)
		return add_family(network, netlink, family, why);
	remove_family(network, netlink, family);
	return 0;
}

int network_default_sync(struct network *network, struct netlink *netlink, const struct network_plan *plan,
						 char why[NETWORK_WHY])
{
	int status;

	if (network->plan.mark != plan->mark || network->plan.table != plan->table)
		network_default_remove(network, netlink);
	network->plan.mark = plan->mark;
	network->plan.table = plan->table;
	status = sync_family(network, netlink, AF_INET, plan->full_v4, why);
	return status < 0 ? status : sync_family(network, netlink, AF_INET6, plan->full_v6, why);
}
