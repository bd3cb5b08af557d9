/* SPDX-License-Identifier: MIT */
/* Startup: puts the process into a known state, whatever it inherits from its caller. */
#ifndef ADIT_DAEMON_STARTUP_H
#define ADIT_DAEMON_STARTUP_H

#include <stdbool.h>

#include "base/log.h"
#include "base/reason.h"

/*
 * Prepares the process; main calls it first. Opens /dev/null for each of the descriptors 0 to 2 that is closed, so that
 * no other file gets its number. A closed standard output becomes one that cannot be written to, so that a command
 * whose output is lost fails. Completes PATH if it is empty, or if it has /usr/bin without /usr/sbin. Also unblocks all
 * signals, ignores SIGXFSZ, and disables core dumps, which would contain keys. Builds with a sanitizer keep core dumps,
 * because a leak check needs to trace the process. Raises the limit of the stack if it is too low. Returns 0, or
 * -ENOMEM with the reason if this process may not raise that limit.
 */
int startup_init(struct reason *reason);

/*
 * Closes all descriptors above 2 except `keep` and `keep_also`, each of which may be -1. A daemon calls this before it
 * opens anything, so that it does not hold locks and pipes of its caller.
 */
void startup_close_inherited(int keep, int keep_also);
/* The same, but keeps the descriptors up to `last`, which the service manager has passed. */
void startup_close_inherited_after(int last);

/*
 * Raises the soft limit of open descriptors as far as needed, and checks that a daemon with `workers` workers can open
 * all of its descriptors. Without this check, libev would abort the process when it cannot open its pipe. Returns 0, or
 * -EMFILE, -ENFILE or -ENOMEM with the reason. Leaves nothing open.
 */
int startup_check_descriptors(unsigned workers, struct reason *reason);

/*
 * Sets the level of the log: that of the environment variable ADIT_LOG_LEVEL, or `otherwise` if it is not set or empty.
 * Returns 0, or -EINVAL with the reason.
 */
int startup_set_log_level(enum log_level otherwise, struct reason *reason);

/* Detaches from the terminal, the directory and the standard streams of the caller; keeps stderr if `keep_log`. */
void startup_detach(bool keep_log);

#endif
