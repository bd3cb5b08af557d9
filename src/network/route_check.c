/* SPDX-License-Identifier: MIT */
/* The route check: lists the routes of the interface in parts. */
#include "route_check.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { RESTARTS_MAX = 8 }; /* while routes keep changing; then the routes are taken to differ */

/* A route of ours that is not wanted, or is there twice, is a difference. */
static void see_route(void *context, const struct netlink_route_entry *entry)
{
	struct item item = item_route(&entry->to, entry->table);
	struct route_check *check = context;
	const struct item *items = check->desired->items, *desired;
	bool *seen;

	/* An address receives packets only while the kernel has its local route. */
	for (size_t i = 0; entry->type == RTN_LOCAL && i < check->desired->count && items[i].kind <= ITEM_ADDRESS; i++)
		if (items[i].kind == ITEM_ADDRESS && memcmp(items[i].address, entry->to.address, sizeof item.address) == 0)
			check->seen[i] = true;
	if (entry->type != RTN_UNICAST || entry->table == RT_TABLE_LOCAL)
		return;
	desired = item_find(check->desired, &item);
	seen = desired ? &check->seen[desired - items] : NULL;
	if (entry->protocol == NETLINK_PROTOCOL_ADIT && (!seen || *seen))
		check->differs = true;
	if (seen)
		*seen = true;
}

static bool all_seen(const struct route_check *check)
{
	for (size_t i = 0; i < check->desired->count; i++) {
		const struct item *item = &check->desired->items[i];

		if ((item->kind == ITEM_ADDRESS || item->kind == ITEM_ROUTE) && !check->seen[i] &&
			!(item->flags & (ITEM_LEFT_OUT | ITEM_FAILED)))
			return false;
	}
	return true;
}

static int restart_list(struct route_check *check)
{
	if (++check->restarts > RESTARTS_MAX)
		return -EINTR;
	check->stale = false;
	check->differs = false;
	memset(check->seen, 0, check->desired->count * sizeof *check->seen);
	check->filter.family = AF_INET;
	return netlink_begin_route_dump(check->netlink, &check->filter);
}

static void on_part(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct route_check *check = io->data;
	int status = netlink_read_route_dump(check->netlink, &check->filter, see_route, check);
	bool differs, ended = false;

	if (status == 1)
		return;
	if (status == 0 && check->filter.family == AF_INET) {
		check->filter.family = AF_INET6;
		status = netlink_begin_route_dump(check->netlink, &check->filter);
	} else if (status == -EINTR || (status == 0 && check->stale)) {
		status = restart_list(check);
	} else {
		ended = true;
	}
	if (status == 0 && !ended)
		return;
	differs = status < 0 || check->differs || !all_seen(check);
	route_check_stop(check);
	check->done(check->context, differs);
}

int route_check_start(struct route_check *check, struct ev_loop *loop, uint32_t index, const struct item_list *desired)
{
	int error = -ENOMEM;

	check->stale = true;
	if (check->loop)
		return 0;
	check->desired = desired;
	check->filter = (struct netlink_route_filter) { .index = index };
	check->restarts = 0;
	check->seen = calloc(desired->count + 1, sizeof *check->seen);
	check->netlink = netlink_open();
	if (check->seen && check->netlink)
		error = restart_list(check);
	if (error) {
		route_check_stop(check);
		return error;
	}
	check->loop = loop;
	ev_io_init(&check->io, on_part, netlink_fd(check->netlink), EV_READ);
	check->io.data = check;
	ev_io_start(loop, &check->io);
	return 0;
}

void route_check_stop(struct route_check *check)
{
	if (check->loop)
		ev_io_stop(check->loop, &check->io);
	netlink_close(check->netlink);
	free(check->seen);
	check->loop = NULL;
	check->netlink = NULL;
	check->seen = NULL;
}
