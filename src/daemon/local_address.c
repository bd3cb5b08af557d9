/* SPDX-License-Identifier: MIT */
#include "daemon/local_address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Where the question itself fails the source is believed: sending will tell. */
static bool usable(void *context, const struct endpoint *from)
{
	struct sources *sources = context;
	bool v6 = from->to.any.sa_family == AF_INET6;
	struct ip_prefix to = { .family = (uint8_t)from->to.any.sa_family };
	uint32_t index, came_by = v6 ? from->local.v6.ipi6_ifindex : (uint32_t)from->local.v4.ipi_ifindex;

	if (v6 && IN6_IS_ADDR_LINKLOCAL(&from->to.v6.sin6_addr)) /* its interface is part of the address */
		return true;
	memcpy(to.address, v6 ? (const void *)&from->to.v6.sin6_addr : &from->to.v4.sin_addr, v6 ? 16 : 4);
	if (netlink_route_interface(sources->netlink, &to, sources->device->mark, &index))
		return true;
	return !index || !came_by || index == came_by;
}

static void on_change(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct sources *sources = watcher->data;

	if (netlink_routes_watch_read(watcher->fd))
		device_recheck_locals(sources->device);
}

int local_address_start(struct sources *sources, struct device *device, struct ev_loop *loop)
{
	int fd = netlink_routes_watch_open();

	if (fd < 0)
		return fd;
	*sources = (struct sources) { .device = device, .loop = loop, .netlink = netlink_open() };
	if (!sources->netlink) {
		close(fd);
		return -errno;
	}
	ev_io_init(&sources->watcher, on_change, fd, EV_READ);
	sources->watcher.data = sources;
	ev_set_priority(&sources->watcher, EV_MAXPRI); /* before the packets that were sent after the change */
	ev_io_start(loop, &sources->watcher);
	device->local_usable = usable;
	device->sources = sources;
	return 0;
}

void local_address_stop(struct sources *sources)
{
	if (!sources->netlink)
		return;
	sources->device->local_usable = NULL;
	ev_io_stop(sources->loop, &sources->watcher);
	close(sources->watcher.fd);
	netlink_close(sources->netlink);
	*sources = (struct sources) { 0 };
}
