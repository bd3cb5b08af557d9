/* SPDX-License-Identifier: MIT */
/*
 * Child programs of the daemon, on the event loop: hooks and the tools that set name servers. Packets flow while a
 * child runs.
 *
 * The environment of a child is that of the daemon without the variables by which a service manager addresses the
 * daemon itself. Its standard input is a text or /dev/null, its output goes to a function line by line, and it inherits
 * no other descriptor. It has a process group of its own.
 */
#ifndef ADIT_DAEMON_CHILD_H
#define ADIT_DAEMON_CHILD_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

enum { CHILD_LINE = 512 }; /* bytes of the longest line of output with its NUL; a longer line is split */

/* The children of one owner. */
struct children {
	struct ev_loop *loop; /* the default loop, because libev reaps children there only */
	struct list list;
	char **environment;
};

struct child_options {
	const char *const *argv; /* argv[0] is searched for in PATH */
	/* "NAME=VALUE", added to the environment; ends with NULL. NULL: none. Not used after child_start. */
	const char *const *variables;
	const char *input; /* the text on standard input; NULL: /dev/null */
	const char *label; /* for `line`; must stay valid until children_stop */
	double limit;      /* seconds until the process group is killed */
	/* Receives each line of output without its newline. Control characters are replaced by '?'. May be NULL. */
	void (*line)(void *context, const char *label, const char *text);
	void *line_context;
	/*
	 * Receives the exit status of the program, 128 plus the number of the signal that ended it, as in a shell, or
	 * -ETIMEDOUT. Programs that it leaves in the background may still write lines.
	 */
	void (*done)(void *context, int status);
	void *done_context;
};

/* Returns 0 or -ENOMEM. */
int children_start(struct children *children, struct ev_loop *loop);
/* Kills the children that run, without a call of `done`, and stops reading output. Accepts a zeroed struct. */
void children_stop(struct children *children);

/* Starts a program. Returns 0, or negative errno and calls nothing: -ENOENT means that there is no such program. */
int child_start(struct children *children, const struct child_options *options);

/*
 * Starts a program and runs the loop until it ends. Ignores `done` in `options`. Returns the status that `done` would
 * receive, or negative errno as child_start. If *ended becomes true meanwhile, kills the program and returns
 * -ECANCELED.
 */
int child_run(struct children *children, const struct child_options *options, const bool *ended);

#endif
