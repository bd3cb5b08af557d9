/* SPDX-License-Identifier: MIT */
/* The file watch: an inotify(7) descriptor on the loop. */
#include "daemon/file_watch.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { FILE_EVENTS = IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF };
enum { FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO };
enum { EVENTS_BYTES = 4096 };

static_assert(EVENTS_BYTES >= (int)sizeof(struct inotify_event) + NAME_MAX + 1, "one event always fits");

/* Renews the watches, because a path may lead to another file now, and inotify drops the watch of a deleted file. */
static void watch_files(struct file_watch *watch)
{
	for (int i = 0; i < FILE_WATCH_FILES; i++) {
		int id = inotify_add_watch(watch->watcher.fd, watch->paths[i], FILE_EVENTS);

		if (watch->watches[i] >= 0 && watch->watches[i] != id)
			inotify_rm_watch(watch->watcher.fd, watch->watches[i]);
		watch->watches[i] = id;
	}
}

/* An event without a name is about a file; one with a name is about the folder, which has other files too. */
static bool is_ours(const struct file_watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_IGNORED)
		return false;
	if (event->mask & IN_Q_OVERFLOW || !event->len)
		return true;
	for (int i = 0; i < FILE_WATCH_FILES; i++)
		if (!strcmp(strrchr(watch->paths[i], '/') + 1, event->name))
			return true;
	return false;
}

static void on_file_event(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	_Alignas(struct inotify_event) char buffer[EVENTS_BYTES];
	struct file_watch *watch = watcher->data;
	ssize_t length = read(watcher->fd, buffer, sizeof buffer);
	bool ours = false;

	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		ours |= is_ours(watch, event);
		at += (ssize_t)(sizeof *event + event->len);
	}
	if (!ours)
		return;
	watch_files(watch);
	watch->changed(watch->context);
}

int file_watch_start(struct file_watch *watch, const char *const paths[FILE_WATCH_FILES], const char *folder,
					 struct ev_loop *loop, void (*changed)(void *context), void *context)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	*watch = (struct file_watch) { .paths = paths, .folder = folder, .changed = changed, .context = context };
	if (fd < 0)
		return -errno;
	watch->loop = loop;
	ev_io_init(&watch->watcher, on_file_event, fd, EV_READ);
	watch->watcher.data = watch;
	for (int i = 0; i < FILE_WATCH_FILES; i++)
		watch->watches[i] = -1;
	watch_files(watch);
	inotify_add_watch(fd, folder, FOLDER_EVENTS | IN_ONLYDIR);
	ev_io_start(loop, &watch->watcher);
	return 0;
}

void file_watch_stop(struct file_watch *watch)
{
	if (!watch->loop)
		return;
	ev_io_stop(watch->loop, &watch->watcher);
	close(watch->watcher.fd);
	*watch = (struct file_watch) { 0 };
}

bool file_differs(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
		   a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}
