/* SPDX-License-Identifier: MIT */
#include "daemon/follow.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static int take_on(struct follow *follow)
{
	struct device *device = follow->device;
	struct link_state state;
	int error = link_state(&follow->link, &state);

	if (error)
		return error;
	if (device->mtu != state.mtu)
		log_debug(device->name, "MTU is %u", state.mtu);
	device_lock(device);
	device->mtu = state.mtu;
	device_unlock(device);
	error = device_set_up(device, state.up, clock_boottime());
	if (error)
		log_error(device->name, "the link is up, but UDP port %u cannot be opened: %s", device->listen_port,
				  strerror(-error));
	return 0;
}

static void on_event(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct follow *follow = watcher->data;
	int status;

	/* After a move the descriptor is another one, perhaps with the old one's number: begin anew in any case. */
	ev_io_stop(loop, watcher);
	status = link_read(&follow->link);
	if (status > 0)
		status = take_on(follow);
	if (status == -EBADFD) {
		follow->gone(follow->context);
	} else if (status < 0) {
		log_error(follow->device->name, "the link is followed no more: %s", strerror(-status));
	} else {
		ev_io_set(watcher, follow->link.watch, EV_READ);
		ev_io_start(loop, watcher);
	}
}

int follow_start(struct follow *follow, struct device *device, int tun, struct ev_loop *loop,
				 void (*gone)(void *context), void *context)
{
	int error;

	*follow = (struct follow) { .device = device, .loop = loop, .gone = gone, .context = context };
	error = link_open(&follow->link, tun);
	if (error)
		return error;
	ev_io_init(&follow->watcher, on_event, follow->link.watch, EV_READ);
	follow->watcher.data = follow;
	ev_set_priority(&follow->watcher, EV_MAXPRI); /* before the packets that were sent after the change */
	ev_io_start(loop, &follow->watcher);
	error = take_on(follow);
	if (error)
		follow_stop(follow);
	return error;
}

void follow_stop(struct follow *follow)
{
	if (!follow->loop)
		return;
	ev_io_stop(follow->loop, &follow->watcher);
	link_close(&follow->link);
	*follow = (struct follow) { 0 };
}
