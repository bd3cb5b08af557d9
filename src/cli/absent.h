/* SPDX-License-Identifier: MIT */
/* Interfaces without a control socket: their tunnel starts, ends, or was killed. */
#ifndef ADIT_CLI_ABSENT_H
#define ADIT_CLI_ABSENT_H

#include <stdbool.h>

#include "stop_wait.h"

/*
 * Ends the tunnel `wait->name`, on whose control socket nobody listens. If its daemon is still starting, or has no
 * control socket, terminates it. If it was killed, removes what it left. Prints one line about either, after the name
 * of the command.
 *
 * Returns 0; -EBUSY if the daemon is ending; -ENOENT if there is nothing to end; or -EIO, which was reported. After 0
 * and -EBUSY, the caller may call stop_wait_end.
 */
int absent_end(const char *command, struct stop_wait *wait);

/*
 * If the tunnel is starting and its daemon is the main process of a systemd unit, stops the unit, prints a line after
 * the name of the command, and returns true.
 */
bool absent_stop_unit(const char *command, const char *name);

/*
 * Returns whether the control socket belongs to another interface of this name, in another network namespace. The lock
 * is one per namespace, the socket is not.
 */
bool absent_has_foreign_socket(const struct stop_wait *wait);

/*
 * Returns whether the daemon of the interface is starting, is ending or has ended. In these states it may close its
 * connections without an answer.
 */
bool absent_closes_connections(const char *name);

/*
 * Removes what a killed daemon left, if there is anything, and prints a line then. If the interface still exists, first
 * waits until the service manager has closed the descriptors in its store.
 */
void absent_remove_remains(const char *command, const char *name);

#endif
