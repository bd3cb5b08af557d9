/* SPDX-License-Identifier: MIT */
/* Checks local addresses against the routes. */
#include "daemon/local_address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/netlink_events.h"
#include "tunnel/control.h"

/*
 * Returns the flow of the datagrams that we send to the endpoint, and sets *arrived_on to the interface on which the
 * datagrams of the peer arrive, or 0.
 */
static struct netlink_flow flow_to(const struct device *device, const struct endpoint *endpoint, uint32_t *arrived_on)
{
	struct netlink_flow flow = { .mark = device->mark, .from_port = device->listen_port };

	flow.to.family = flow.from.family = (uint8_t)endpoint->to.any.sa_family;
	if (flow.to.family == AF_INET6) {
		flow.to_port = ntohs(endpoint->to.v6.sin6_port);
		memcpy(flow.to.address, &endpoint->to.v6.sin6_addr, 16);
		memcpy(flow.from.address, &endpoint->local.v6.ipi6_addr, 16);
		*arrived_on = endpoint->local.v6.ipi6_ifindex;
	} else {
		flow.to_port = ntohs(endpoint->to.v4.sin_port);
		memcpy(flow.to.address, &endpoint->to.v4.sin_addr, 4);
		memcpy(flow.from.address, &endpoint->local.v4.ipi_spec_dst, 4);
		*arrived_on = (uint32_t)endpoint->local.v4.ipi_ifindex;
	}
	return flow;
}

/*
 * An address is usable as long as the route from it to the peer leads back to the interface on which the peer's
 * datagrams arrive. This is the rule of the kernel implementation, with two exceptions. One of several equal next hops
 * is enough; the endpoint is then pinned to the interface, because the kernel may choose another. And an address of
 * another interface, for example of lo, does not depend on the uplink: the peer chose it, and the way back may differ
 * from the way in.
 *
 * If a lookup fails, the address counts as usable; a send error will show otherwise.
 */
static bool local_address_usable(void *context, struct endpoint *from)
{
	struct local_addresses *addresses = context;
	uint32_t arrived_on, owner;
	struct netlink_flow flow = flow_to(addresses->device, from, &arrived_on);
	int leaves;

	if (from->to.any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&from->to.v6.sin6_addr))
		return true; /* the interface is part of the address */
	if (!arrived_on)
		return true;
	leaves = netlink_flow_leaves(addresses->netlink, &flow, arrived_on);
	from->pinned = leaves == 2 && flow.to.family == AF_INET; /* IPv6 selects by its hash all the same */
	if (leaves > 0 || netlink_address_interface(addresses->netlink, &flow.from, &owner))
		return true;
	return owner && (leaves < 0 || owner != arrived_on);
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
	if (!netlink_events_discard(watcher->fd))
		return;
	control_recheck_locals(addresses->device);
	if (addresses->changed)
		addresses->changed(addresses->context);
}

int local_address_start(struct local_addresses *addresses, struct device *device, struct ev_loop *loop)
{
	int fd = netlink_events_open(NETLINK_EVENT_ADDRESS | NETLINK_EVENT_ROUTE | NETLINK_EVENT_RULE, 0), error;

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
