/* SPDX-License-Identifier: MIT */
/*
 * Path watches: report changes of files and folders. All watches of a loop share one instance of inotify(7), because
 * the kernel limits the instances of a user, by default to 128. The instance is open while there are watches.
 */
#ifndef ADIT_IO_PATH_WATCH_H
#define ADIT_IO_PATH_WATCH_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { PATH_WATCH_FILES = 2, PATH_WATCH_SLOTS = 3 };

/* The watches of a loop. The owner sets `loop` in zeroed memory, and the watches stop before it destroys the loop. */
struct path_watches {
	struct ev_loop *loop;
	struct ev_io instance;
	struct list list; /* of struct path_watch */
};

/* The owner sets `watches`, `changed` and, for path_watch_files, `files` and `folder` in zeroed memory. */
struct path_watch {
	struct path_watches *watches;
	/* Called from the loop, once for all events that were read together. It may set and stop watches. */
	void (*changed)(struct path_watch *watch);
	const char *const *files, *folder;
	struct list_node node;
	int ids[PATH_WATCH_SLOTS]; /* of the watches of the kernel, which start at 1 */
	uint32_t events[PATH_WATCH_SLOTS];
	bool due; /* `changed` is to be called */
};

/*
 * Watches the file or folder to which `path` leads now for `events` of inotify(7), in place of the earlier one in this
 * slot. Events that the kernel always reports, such as lost events, count too. Returns 0; or negative errno, and the
 * slot is empty: -EMFILE if the user has too many instances.
 */
int path_watch_set(struct path_watch *watch, unsigned slot, const char *path, uint32_t events);
/*
 * Watches PATH_WATCH_FILES `files` in `folder`, and sets these watches again before each call of `changed`, because a
 * path may lead to another file then. Watches on the files follow symbolic links and bind mounts. The watch on the
 * folder reports files that are created or renamed into place. Returns 0, also if a file does not exist, or negative
 * errno.
 */
int path_watch_files(struct path_watch *watch);
/* Accepts a zeroed struct. */
void path_watch_stop(struct path_watch *watch);

#endif
