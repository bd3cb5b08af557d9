/* SPDX-License-Identifier: MIT */
/* Path watches: reads the events of inotify(7) and calls the watches that they concern. */
#include "io/path_watch.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { FILE_EVENTS = IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF };
enum { FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO };
enum { EVENTS_BYTES = 4096 };

static_assert(EVENTS_BYTES >= (int)sizeof(struct inotify_event) + NAME_MAX + 1, "one event always fits");

/* An event with a name is about an entry of a folder, which has other files too. */
static bool name_concerns(const struct path_watch *watch, const struct inotify_event *event)
{
	if (!watch->files || !event->len)
		return true;
	for (int i = 0; i < PATH_WATCH_FILES; i++)
		if (!strcmp(strrchr(watch->files[i], '/') + 1, event->name))
			return true;
	return false;
}

/* The kernel does not reuse the id of a watch that it removed (IN_IGNORED), so later events match no other watch. */
static void mark_due(struct path_watch *watch, const struct inotify_event *event)
{
	watch->due |= (event->mask & IN_Q_OVERFLOW) != 0;
	for (unsigned i = 0; i < PATH_WATCH_SLOTS; i++) {
		if (watch->ids[i] != event->wd || !(event->mask & (watch->events[i] | IN_IGNORED | IN_UNMOUNT)))
			continue;
		if (event->mask & IN_IGNORED)
			watch->ids[i] = 0;
		watch->due |= name_concerns(watch, event);
	}
}

static struct path_watch *first_due(const struct path_watches *watches)
{
	list_for_each (watch, &watches->list, struct path_watch, node)
		if (watch->due)
			return watch;
	return NULL;
}

static void on_path_events(struct ev_loop *loop, struct ev_io *instance, int events)
{
	_Alignas(struct inotify_event) char buffer[EVENTS_BYTES];
	const struct path_watches *watches = instance->data;
	ssize_t length = read(instance->fd, buffer, sizeof buffer);

	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		list_for_each (watch, &watches->list, struct path_watch, node)
			mark_due(watch, event);
		at += (ssize_t)(sizeof *event + event->len);
	}
	/* Begins with the first one each time, because `changed` may stop any of them. */
	for (struct path_watch *watch = first_due(watches); watch; watch = first_due(watches)) {
		watch->due = false;
		if (watch->files)
			path_watch_files(watch);
		watch->changed(watch);
	}
}

/* Removes a watch of the kernel, unless another slot has the same file. */
static void remove_id(struct path_watches *watches, int id)
{
	if (id <= 0)
		return;
	list_for_each (watch, &watches->list, const struct path_watch, node)
		for (unsigned i = 0; i < PATH_WATCH_SLOTS; i++)
			if (watch->ids[i] == id)
				return;
	inotify_rm_watch(watches->instance.fd, id);
}

int path_watch_set(struct path_watch *watch, unsigned slot, const char *path, uint32_t events)
{
	struct path_watches *watches = watch->watches;
	int fd, error, last = watch->ids[slot];

	if (list_empty(&watches->list)) {
		fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (fd < 0)
			return -errno;
		ev_io_init(&watches->instance, on_path_events, fd, EV_READ);
		watches->instance.data = watches;
		ev_io_start(watches->loop, &watches->instance);
	}
	if (!list_linked(&watch->node))
		list_append(&watches->list, &watch->node);
	watch->events[slot] = events;
	watch->ids[slot] = inotify_add_watch(watches->instance.fd, path, events | IN_MASK_ADD);
	error = watch->ids[slot] < 0 ? -errno : 0;
	remove_id(watches, last);
	return error;
}

int path_watch_files(struct path_watch *watch)
{
	for (unsigned i = 0; i < PATH_WATCH_FILES; i++)
		path_watch_set(watch, i, watch->files[i], FILE_EVENTS);
	return path_watch_set(watch, PATH_WATCH_FILES, watch->folder, FOLDER_EVENTS | IN_ONLYDIR);
}

void path_watch_stop(struct path_watch *watch)
{
	struct path_watches *watches = watch->watches;

	if (!list_linked(&watch->node))
		return;
	list_remove(&watch->node);
	watch->due = false;
	for (unsigned i = 0; i < PATH_WATCH_SLOTS; i++) {
		remove_id(watches, watch->ids[i]);
		watch->ids[i] = 0;
	}
	if (list_empty(&watches->list)) {
		ev_io_stop(watches->loop, &watches->instance);
		close(watches->instance.fd);
	}
}
