/* SPDX-License-Identifier: MIT */
/*
 * The file watch: reports changes of /etc/resolv.conf and /etc/hosts by inotify(7).
 *
 * A watch on each file follows symbolic links and bind mounts. A watch on their folder reports files that are created
 * or renamed into place.
 */
#ifndef ADIT_DAEMON_FILE_WATCH_H
#define ADIT_DAEMON_FILE_WATCH_H

#include <ev.h>
#include <stdbool.h>
#include <sys/stat.h>

enum { FILE_WATCH_FILES = 2 };

struct file_watch {
	const char *const *paths; /* FILE_WATCH_FILES of them, all in `folder` */
	const char *folder;
	int watches[FILE_WATCH_FILES];
	struct ev_loop *loop; /* NULL: not started */
	struct ev_io watcher;
	void (*changed)(void *context);
	void *context;
};

/*
 * Calls `changed` from the loop after each change. `paths` and `folder` must stay valid. Returns 0 or a negative errno.
 */
int file_watch_start(struct file_watch *watch, const char *const paths[FILE_WATCH_FILES], const char *folder,
					 struct ev_loop *loop, void (*changed)(void *context), void *context);
/* Accepts a zeroed struct. */
void file_watch_stop(struct file_watch *watch);

/* Returns whether two results of stat(2) are about different files, or about different contents of one. */
bool file_differs(const struct stat *a, const struct stat *b);

#endif
