/* SPDX-License-Identifier: MIT */
/* Applies changes of the link to the device. */
#include "daemon/link_watch.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel/control.h"

/* A socket that cannot be opened is logged, and is not an error: the link may go down and up again. */
static int apply_link_state(struct link_watch *watch)
{
	struct device *device = watch->device;
	struct link_state state;
	int error = link_state(&watch->link, &state);

	if (error)
		return error;
	if (device->mtu != state.mtu)
		log_debug(device->name, "MTU is %u", state.mtu);
	device_lock(device);
	device->mtu = state.mtu;
	device_unlock(device);
	error = control_set_up(device, state.up, clock_boottime());
	if (error)
		log_error(device->name, "the link is up, but UDP port %u cannot be opened: %s", device->listen_port,
				  strerror(-error));
	return 0;
}

static void on_link_event(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct link_watch *watch = watcher->data;
	int status;

	/* If the interface has moved, link.watch is a new descriptor, possibly with the old number. Always restart. */
	ev_io_stop(loop, watcher);
	status = link_read(&watch->link);
	if (status > 0)
		status = apply_link_state(watch);
	if (status == -EBADFD) {
		watch->deleted(watch->context);
	} else if (status < 0) {
		log_error(watch->device->name, "stopped following the link: %s", strerror(-status));
	} else {
		ev_io_set(watcher, watch->link.watch, EV_READ);
		ev_io_start(loop, watcher);
	}
}

int link_watch_start(struct link_watch *watch, struct device *device, int tun, struct ev_loop *loop,
					 void (*deleted)(void *context), void *context)
{
	int error;

	*watch = (struct link_watch) { .device = device, .loop = loop, .deleted = deleted, .context = context };
	error = link_open(&watch->link, tun);
	if (error) {
		watch->loop = NULL;
		return error;
	}
	ev_io_init(&watch->watcher, on_link_event, watch->link.watch, EV_READ);
	watch->watcher.data = watch;
	ev_set_priority(&watch->watcher, EV_MAXPRI); /* before packets that were sent after the change */
	ev_io_start(loop, &watch->watcher);
	error = apply_link_state(watch);
	if (error)
		link_watch_stop(watch);
	return error;
}

void link_watch_stop(struct link_watch *watch)
{
	if (!watch->loop)
		return;
	ev_io_stop(watch->loop, &watch->watcher);
	link_close(&watch->link);
	*watch = (struct link_watch) { 0 };
}
