/* SPDX-License-Identifier: MIT */
/* Checks local addresses against the routes. */
#include "daemon/local_address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tunnel/control.h"

/* If the lookup fails, the address counts as usable; a send error will show otherwise. */
static bool local_address_usable(void *context, const struct endpoint *from)
{
	struct local_addresses *addresses = context;
	bool v6 = from->to.any.sa_family == AF_INET6;
	struct ip_prefix to = { .family = (uint8_t)from->to.any.sa_family };
	uint32_t index, arrived_on = v6 ? from->local.v6.ipi6_ifindex : (uint32_t)from->local.v4.ipi_ifindex;

	if (v6 && IN6_IS_ADDR_LINKLOCAL(&from->to.v6.sin6_addr)) /* the interface is part of the address */
		return true;
	memcpy(to.address, v6 ? (const void *)&from->to.v6.sin6_addr : &from->to.v4.sin_addr, v6 ? 16 : 4);
	if (netlink_route_interface(addresses->netlink, &to, addresses->device->mark, &index))
		return true;
	return !index || !arrived_on || index == arrived_on;
}

/* A routing daemon can change 100,000 routes at once. The first change counts at once, others after this pause. */
static const double pause_seconds = 0.02;

static void on_pause_end(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct local_addresses *addresses = timer->data;

	ev_io_start(loop, &addresses->watcher);
}

static void on_route_change(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct local_addresses *addresses = watcher->data;

	ev_io_stop(loop, watcher);
	ev_timer_set(&addresses->pause, pause_seconds, 0.0);
	ev_timer_start(loop, &addresses->pause);
	if (!netlink_routes_watch_read(watcher->fd))
		return;
	control_recheck_locals(addresses->device);
	if (addresses->changed)
		addresses->changed(addresses->context);
}

int local_address_start(struct local_addresses *addresses, struct device *device, struct ev_loop *loop)
{
	int fd = netlink_routes_watch_open(), error;

	if (fd < 0)
		return fd;
	*addresses = (struct local_addresses) { .device = device, .loop = loop, .netlink = netlink_open() };
	if (!addresses->netlink) {
		error = -errno;
		close(fd);
		return error;
	}
	ev_timer_init(&addresses->pause, on_pause_end, pause_seconds, 0.0);
	addresses->pause.data = addresses;
	ev_io_init(&addresses->watcher, on_route_change, fd, EV_READ);
	addresses->watcher.data = addresses;
	ev_set_priority(&addresses->watcher, EV_MAXPRI); /* before packets that were sent after the change */
	ev_io_start(loop, &addresses->watcher);
	device->local_usable = local_address_usable;
	device->local_usable_context = addresses;
	return 0;
}

void local_address_stop(struct local_addresses *addresses)
{
	if (!addresses->netlink)
		return;
	addresses->device->local_usable = NULL;
	ev_io_stop(addresses->loop, &addresses->watcher);
	ev_timer_stop(addresses->loop, &addresses->pause);
	close(addresses->watcher.fd);
	netlink_close(addresses->netlink);
	*addresses = (struct local_addresses) { 0 };
}
