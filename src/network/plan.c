/* SPDX-License-Identifier: MIT */
/* The plan of mark and table, and the claims on tables. */
#include "network/plan.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/netlink_dump.h"
#include "item.h"

#define CLAIM_NAME "adit/table/" /* and the number */

enum {
	FIRST_TABLE = 51820,
	TABLES_TRIED = 4096, /* limits the search, because any process can take the names of claims */
};

/* The name starts with a zero byte: it is in the abstract namespace. Returns the length of the address. */
static socklen_t claim_address(struct sockaddr_un *address, uint32_t table)
{
	int length;

	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, CLAIM_NAME "%u", table);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int table_claim_take(struct table_claim *claim, uint32_t table)
{
	struct sockaddr_un address;
	socklen_t length = claim_address(&address, table);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, length) == 0) {
		*claim = (struct table_claim) { table, fd };
		return 0;
	}
	error = -errno;
	close(fd);
	return error;
}

int table_claim_adopt(struct table_claim *claim, int fd)
{
	struct sockaddr_un address = { 0 }, expected;
	socklen_t length = sizeof address;
	uint32_t table;

	if (getsockname(fd, (struct sockaddr *)&address, &length) || address.sun_family != AF_UNIX ||
		length >= sizeof address)
		return -EINVAL;
	table = (uint32_t)strtoul(address.sun_path + 1 + strlen(CLAIM_NAME), NULL, 10);
	if (!table || length != claim_address(&expected, table) || memcmp(&address, &expected, length) != 0)
		return -EINVAL;
	*claim = (struct table_claim) { table, fd };
	return 0;
}

void table_claim_release(struct table_claim *claim)
{
	if (claim->table)
		close(claim->fd);
	*claim = (struct table_claim) { 0 };
}

struct table_search {
	uint32_t closed_metric; /* of our own guard with FailClosed */
	bool foreign;
};

static void note_foreign(void *context, const struct netlink_route_entry *entry)
{
	struct table_search *search = context;

	if (entry->protocol != NETLINK_PROTOCOL_ADIT)
		search->foreign = true;
	else if (entry->type == RTN_UNREACHABLE && item_is_closed_metric(entry->metric))
		search->foreign |= entry->metric != search->closed_metric;
}

/*
 * The caller holds the claim, so routes of adit in the table are the remains of a daemon that died. A guard that
 * another tunnel with FailClosed left must stay.
 */
static int table_is_used(struct netlink *netlink, uint32_t table, const char *interface)
{
	struct table_search search = { .closed_metric = item_closed_metric(interface) };
	struct netlink_route_filter filter = { .family = AF_INET, .table = table };
	int error = netlink_dump_routes(netlink, &filter, note_foreign, &search);

	filter.family = AF_INET6;
	if (!error)
		error = netlink_dump_routes(netlink, &filter, note_foreign, &search);
	return error ? error : search.foreign;
}

static int claim_free_table(struct table_claim *claim, const char *interface, struct reason *reason)
{
	struct netlink *netlink = netlink_open();
	int error = -EADDRINUSE;

	if (!netlink)
		return reason_set_errno(reason, -errno, "rtnetlink");
	for (uint32_t table = FIRST_TABLE; error == -EADDRINUSE && table < FIRST_TABLE + TABLES_TRIED; table++) {
		error = table_claim_take(claim, table);
		if (!error) {
			error = table_is_used(netlink, table, interface);
			if (error > 0)
				error = -EADDRINUSE;
			if (error)
				table_claim_release(claim);
		}
	}
	netlink_close(netlink);
	return error ? reason_set_errno(reason, error, "no free routing table from %u on", FIRST_TABLE) : 0;
}

/* The number of the table is that of the mark. */
static int claim_marked_table(struct table_claim *claim, uint32_t mark, struct reason *reason)
{
	/* Any process can take the name of a claim, so other errors do not prevent the start. */
	if (table_claim_take(claim, mark) == -EADDRINUSE)
		return reason_set(reason, -EADDRINUSE, "FwMark: another tunnel has a default route with the mark 0x%x", mark);
	return 0;
}

int network_plan(struct network_plan *plan, const struct table_claim *current, struct table_claim *claim,
				 const struct config *config, struct reason *reason)
{
	int error = 0;

	*plan = (struct network_plan) { .mark = config->fwmark };
	if (config->table != TABLE_AUTO)
		return 0;
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next) {
			plan->full_v4 |= ip->prefix.length == 0 && ip->prefix.family == AF_INET;
			plan->full_v6 |= ip->prefix.length == 0 && ip->prefix.family == AF_INET6;
		}
	}
	if (!plan->full_v4 && !plan->full_v6)
		return 0;
	/* A table that was chosen stays; that of a mark which is no longer in the file does not. */
	if (config->fwmark)
		plan->table = config->fwmark;
	else if (current->table >= FIRST_TABLE && current->table < FIRST_TABLE + TABLES_TRIED)
		plan->table = current->table;
	if (!plan->table) {
		error = claim_free_table(claim, config->interface, reason);
		plan->table = claim->table;
	} else if (plan->table != current->table) {
		error = claim_marked_table(claim, plan->table, reason);
	}
	plan->mark = plan->table;
	return error;
}
