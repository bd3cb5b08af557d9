/* SPDX-License-Identifier: MIT */
/* Route MTUs: dumps the routes through the interface after events. */
#include "daemon/route_mtus.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/netlink.h"
#include "tunnel/control.h"

/* From the end of a dump to the next one. The first event after a quiet time is followed by a dump at once. */
#define PAUSE_MIN (NS_PER_S / 20)

enum { PAUSE_PER_DUMP = 20 }; /* a dump that took t seconds is followed by a pause of 20 t */

static void read_again(struct route_mtus *mtus);

static void note_route(void *context, const struct netlink_route_entry *entry)
{
	struct route_mtus *mtus = context;

	if (entry->mtu)
		padding_limits_add(&mtus->limits, entry->mtu);
}

static int begin_family(struct route_mtus *mtus, uint8_t family)
{
	mtus->filter.family = family;
	return netlink_begin_route_dump(mtus->netlink, &mtus->filter);
}

static void close_dump(struct route_mtus *mtus)
{
	if (!mtus->netlink)
		return;
	ev_io_stop(mtus->loop, &mtus->part);
	netlink_close(mtus->netlink);
	mtus->netlink = NULL;
}

static void apply_limits(struct route_mtus *mtus)
{
	struct device *device = mtus->device;
	const struct padding_limits *limits = &mtus->limits;

	if (!limits->any)
		link_watch_removals(mtus->link, false);
	if (memcmp(limits, &device->padding_limits, sizeof *limits) == 0)
		return;
	if (limits->any != device->padding_limits.any)
		log_debug(device->name, "%s",
				  limits->any ? "routes with an MTU of their own limit the padding"
							  : "no route has an MTU of its own any more");
	control_set_padding_limits(device, limits);
}

static void end_dump(struct route_mtus *mtus, int status)
{
	uint64_t now = clock_boottime(), pause = (now - mtus->begun) * PAUSE_PER_DUMP;

	close_dump(mtus);
	mtus->next = now + (pause > PAUSE_MIN ? pause : PAUSE_MIN);
	if (status < 0)
		log_debug(mtus->device->name, "cannot read the MTUs of the routes: %s", strerror(-status));
	else
		apply_limits(mtus);
	if (mtus->stale)
		read_again(mtus);
}

static void on_mtu_part(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct route_mtus *mtus = io->data;
	int status = netlink_read_route_dump(mtus->netlink, &mtus->filter, note_route, mtus);

	if (status == 1)
		return;
	if (status == -EINTR) { /* the routes changed meanwhile, so one of them may be missing */
		mtus->stale = true;
		status = 0;
	}
	if (status == 0 && mtus->filter.family == AF_INET) {
		status = begin_family(mtus, AF_INET6);
		if (status == 0)
			return;
	}
	end_dump(mtus, status);
}

static void begin_route_dump(struct route_mtus *mtus)
{
	int error;

	mtus->begun = clock_boottime();
	mtus->stale = false;
	mtus->limits = (struct padding_limits) { 0 };
	mtus->filter = (struct netlink_route_filter) { .index = mtus->link->index, .or_no_device = true };
	link_watch_removals(mtus->link, true); /* before the dump, so that no removal is missed */
	mtus->netlink = link_open_netlink(mtus->link);
	error = mtus->netlink ? begin_family(mtus, AF_INET) : -errno;
	if (error) {
		end_dump(mtus, error);
		return;
	}
	ev_io_set(&mtus->part, netlink_fd(mtus->netlink), EV_READ);
	ev_io_start(mtus->loop, &mtus->part);
}

static void on_mtu_pause_end(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	begin_route_dump(timer->data);
}

static void read_again(struct route_mtus *mtus)
{
	uint64_t now = clock_boottime();
	double rest = now < mtus->next ? (double)(mtus->next - now) / (double)NS_PER_S : 0;

	if (mtus->netlink) {
		mtus->stale = true;
	} else if (!ev_is_active(&mtus->pause) && !ev_is_pending(&mtus->pause)) {
		ev_timer_set(&mtus->pause, rest, 0.0);
		ev_timer_start(mtus->loop, &mtus->pause);
	}
}

void route_mtus_start(struct route_mtus *mtus, struct device *device, struct ev_loop *loop, struct link *link)
{
	*mtus = (struct route_mtus) { .device = device, .loop = loop, .link = link };
	ev_init(&mtus->part, on_mtu_part);
	ev_init(&mtus->pause, on_mtu_pause_end);
	mtus->part.data = mtus->pause.data = mtus;
	begin_route_dump(mtus);
}

/*
 * A link that goes down takes its routes along, and the kernel adapts the MTUs of IPv6 routes to that of the link.
 * After one event, those of a routing daemon that replaces very many routes are not needed until the next dump begins.
 */
void route_mtus_follow(struct route_mtus *mtus, int events)
{
	if (!(events & LINK_ROUTES) && !mtus->device->padding_limits.any)
		return;
	link_watch_removals(mtus->link, false);
	read_again(mtus);
}

void route_mtus_stop(struct route_mtus *mtus)
{
	if (!mtus->loop)
		return;
	close_dump(mtus);
	ev_timer_stop(mtus->loop, &mtus->pause);
	mtus->loop = NULL;
}
