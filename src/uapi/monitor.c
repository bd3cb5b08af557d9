/* SPDX-License-Identifier: MIT */
/*
 * Monitors: each has a queue of bytes. An event that does not fit into the queue is lost. As soon as there is room
 * again, the client gets the number of lost events. So a client that never reads costs no more than one that does: a
 * few microseconds per event, and the memory of its queue. A monitor has no time limits. If there are too many, a new
 * one replaces the one that has not read for longest, but only after EVICT_SLOW.
 *
 * A client may close its sending side and continue to read. If it sends anything after its request, or closes its whole
 * socket, its monitor ends.
 */
#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { QUEUE = 64 << 10 };

#define EVICT_SLOW 5.0 /* seconds without reading, while events wait */

static const char accepted[] = "errno=0\n\n";

struct uapi_monitor {
	struct uapi *uapi;
	struct list_node node;
	struct ev_io read_watcher, write_watcher;
	double active;       /* when bytes last moved, or began to wait; by clock_seconds */
	uint64_t lost;       /* events that did not fit since the last one that did */
	size_t sent, filled; /* the bytes of `queue` between these offsets wait to be sent */
	char queue[QUEUE];
};

static void monitor_stop(struct uapi_monitor *monitor)
{
	struct uapi *uapi = monitor->uapi;

	ev_io_stop(uapi->loop, &monitor->read_watcher);
	ev_io_stop(uapi->loop, &monitor->write_watcher);
	close(monitor->write_watcher.fd);
	list_remove(&monitor->node);
	if (!--uapi->monitor_count)
		event_unsubscribe(&uapi->event_consumer);
	free(monitor);
}

/* --- queue ----- */

static void monitor_queue(struct uapi_monitor *monitor, const char *text, size_t length)
{
	if (monitor->sent == monitor->filled) {
		monitor->sent = monitor->filled = 0;
		monitor->active = clock_seconds();
	}
	memcpy(monitor->queue + monitor->filled, text, length);
	monitor->filled += length;
	ev_io_start(monitor->uapi->loop, &monitor->write_watcher);
}

/* Returns true if `length` more bytes fit. */
static bool monitor_make_room(struct uapi_monitor *monitor, size_t length)
{
	size_t waiting = monitor->filled - monitor->sent;

	if (monitor->filled + length <= QUEUE)
		return true;
	memmove(monitor->queue, monitor->queue + monitor->sent, waiting);
	monitor->sent = 0;
	monitor->filled = waiting;
	return waiting + length <= QUEUE;
}

static void monitor_report_lost(struct uapi_monitor *monitor)
{
	char text[UAPI_EVENT_ROOM];
	size_t length = uapi_lost_text(text, monitor->lost);

	monitor->lost = 0;
	monitor_queue(monitor, text, length);
}

static void on_event(void *context, const struct event *event)
{
	struct uapi *uapi = context;
	char text[UAPI_EVENT_ROOM];
	size_t length = uapi_event_text(text, event);

	list_for_each (monitor, &uapi->monitors, struct uapi_monitor, node) {
		if (!monitor_make_room(monitor, length + (monitor->lost ? sizeof text : 0))) {
			monitor->lost++;
			continue;
		}
		if (monitor->lost)
			monitor_report_lost(monitor);
		monitor_queue(monitor, text, length);
	}
}

/* --- client ----- */

static ssize_t monitor_send(const struct uapi_monitor *monitor)
{
	return send(monitor->write_watcher.fd, monitor->queue + monitor->sent, monitor->filled - monitor->sent,
				MSG_NOSIGNAL);
}

static void on_monitor_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct uapi_monitor *monitor = watcher->data;
	ssize_t n = monitor_send(monitor);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		monitor_stop(monitor);
		return;
	}
	monitor->active = clock_seconds();
	monitor->sent += (size_t)n;
	if (monitor->sent < monitor->filled)
		return;
	ev_io_stop(loop, watcher);
	if (monitor->lost)
		monitor_report_lost(monitor);
}

static void on_monitor_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct pollfd hangup = { .fd = watcher->fd };
	char byte;
	ssize_t n = recv(watcher->fd, &byte, 1, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	ev_io_stop(loop, watcher);
	if (n || poll(&hangup, 1, 0)) /* not only the sending side of the client is closed */
		monitor_stop(watcher->data);
}

/* Closes the monitor that has not read for longest. Returns false if all of them read. */
static bool monitor_evict(struct uapi *uapi)
{
	struct uapi_monitor *slowest = NULL;

	list_for_each (monitor, &uapi->monitors, struct uapi_monitor, node)
		if (monitor->sent < monitor->filled && clock_seconds() - monitor->active >= EVICT_SLOW &&
			(!slowest || monitor->active < slowest->active))
			slowest = monitor;
	if (slowest)
		monitor_stop(slowest);
	return slowest;
}

static void monitor_watch(struct uapi_monitor *monitor, struct ev_io *watcher, int fd, int event,
						  void (*handle)(struct ev_loop *loop, struct ev_io *watcher, int events))
{
	ev_io_init(watcher, handle, fd, event);
	ev_set_priority(watcher, EV_MINPRI);
	watcher->data = monitor;
}

int uapi_monitor_start(struct uapi *uapi, int fd)
{
	struct uapi_monitor *monitor;

	if (uapi->monitor_count == UAPI_MONITORS_MAX && !monitor_evict(uapi))
		return -EBUSY;
	monitor = calloc(1, sizeof *monitor);
	if (!monitor)
		return -ENOMEM;
	monitor->uapi = uapi;
	monitor_watch(monitor, &monitor->read_watcher, fd, EV_READ, on_monitor_readable);
	monitor_watch(monitor, &monitor->write_watcher, fd, EV_WRITE, on_monitor_writable);
	ev_io_start(uapi->loop, &monitor->read_watcher);
	list_append(&uapi->monitors, &monitor->node);
	if (!uapi->monitor_count++) {
		uapi->event_consumer = (struct event_consumer) { .handle = on_event, .context = uapi };
		event_subscribe(&uapi->device->events, &uapi->event_consumer);
	}
	monitor_queue(monitor, accepted, sizeof accepted - 1);
	return 0;
}

void uapi_monitors_stop(struct uapi *uapi)
{
	struct list_node *node;

	list_for_each (monitor, &uapi->monitors, struct uapi_monitor, node)
		if (monitor->sent < monitor->filled)
			monitor_send(monitor);
	while ((node = list_take_first(&uapi->monitors)))
		monitor_stop(container_of(node, struct uapi_monitor, node));
}
