/* SPDX-License-Identifier: MIT */
/* Applies changes of the link to the device. */
#include "daemon/link_watch.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel/control.h"

#define LINK_RETRY 1.0 /* seconds */

/*
 * A socket that cannot be opened is logged, and is not an error: the link may go down and up again. A link that
 * `was_down` ends all sessions, as in the kernel, also if it is up again before we look.
 */
static int apply_link_state(struct link_watch *watch, bool was_down)
{
	struct device *device = watch->device;
	struct link_state state;
	int error = link_state(&watch->link, &state);

	if (error)
		return error;
	if (device->mtu != state.mtu)
		log_debug(device->name, "MTU is %u", state.mtu);
	if (device->up != state.up)
		log_debug(device->name, "link is %s", state.up ? "up" : "down");
	device_lock(device);
	device->mtu = state.mtu;
	device_unlock(device);
	if (was_down)
		control_set_up(device, false, clock_boottime());
	error = control_set_up(device, state.up, clock_boottime());
	if (error)
		log_error(device->name, "the link is up, but UDP port %u cannot be opened: %s", device->listen_port,
				  strerror(-error));
	return 0;
}

static void link_watch_resume(struct link_watch *watch)
{
	ev_io_set(&watch->watcher, watch->link.watch, EV_READ);
	ev_io_start(watch->loop, &watch->watcher);
}

/*
 * The link cannot be followed now: it is in a namespace that this process may not enter, or the host lacks memory or
 * descriptors. The timer tries again until it can be followed. Until then the device keeps its last state, or counts as
 * up if the namespace is the cause, so that packets flow.
 */
static void link_watch_lost(struct link_watch *watch, int error)
{
	struct device *device = watch->device;

	if (error == -EPERM)
		log_warning(device->name, "the interface has moved to a network namespace that adit may not enter (it lacks "
								  "CAP_SYS_ADMIN, or the unit restricts namespaces); not following its state there");
	else
		log_warning(device->name, "cannot follow the state of the link, trying again: %s", strerror(-error));
	route_mtus_stop(&watch->route_mtus);
	link_close(&watch->link);
	if (error == -EPERM)
		control_set_up(device, true, clock_boottime());
	ev_timer_again(watch->loop, &watch->retry);
}

static void on_link_event(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct link_watch *watch = watcher->data;
	int changed, status;

	/* If the interface has moved, link.watch is a new descriptor, possibly with the old number. Always restart. */
	ev_io_stop(loop, watcher);
	changed = link_read(&watch->link);
	status = changed > 0 && changed & LINK_STATE ? apply_link_state(watch, changed & LINK_DOWN) : changed;
	if (status == -EBADFD) {
		watch->deleted(watch->context);
	} else if (status < 0) {
		link_watch_lost(watch, status);
	} else {
		link_watch_resume(watch);
		route_mtus_follow(&watch->route_mtus, changed);
	}
}

static void on_link_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct link_watch *watch = timer->data;
	int error = link_open(&watch->link, watch->link.tun);

	if (!error)
		error = apply_link_state(watch, false);
	if (error && error != -EBADFD) { /* the timer repeats */
		link_close(&watch->link);
		return;
	}
	ev_timer_stop(loop, timer);
	if (error) {
		watch->deleted(watch->context);
		return;
	}
	log_info(watch->device->name, "following the state of the link again");
	link_watch_resume(watch);
	route_mtus_start(&watch->route_mtus, watch->device, loop, &watch->link);
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
	ev_init(&watch->watcher, on_link_event);
	ev_init(&watch->retry, on_link_retry);
	watch->retry.repeat = LINK_RETRY;
	watch->watcher.data = watch->retry.data = watch;
	ev_set_priority(&watch->watcher, EV_MAXPRI); /* before packets that were sent after the change */
	link_watch_resume(watch);
	error = apply_link_state(watch, false);
	if (error)
		link_watch_stop(watch);
	else
		route_mtus_start(&watch->route_mtus, device, loop, &watch->link);
	return error;
}

void link_watch_stop(struct link_watch *watch)
{
	if (!watch->loop)
		return;
	route_mtus_stop(&watch->route_mtus);
	ev_io_stop(watch->loop, &watch->watcher);
	ev_timer_stop(watch->loop, &watch->retry);
	link_close(&watch->link);
	*watch = (struct link_watch) { 0 };
}
