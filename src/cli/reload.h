/* SPDX-License-Identifier: MIT */
/* Reload: the request that several commands make. */
#ifndef ADIT_CLI_RELOAD_H
#define ADIT_CLI_RELOAD_H

#include <stdio.h>

/*
 * Asks the daemon of `interface` to read its file again, and prints its messages on standard error and what has changed
 * on `changes`. If `changes` is not NULL, also waits until name servers that have changed are set, and returns an error
 * if they cannot be. Returns 0; -ENOENT or -ECONNREFUSED, not reported, if no daemon runs; or another negative errno,
 * which was reported as "COMMAND: INTERFACE: ...".
 */
int reload_interface(const char *command, const char *interface, FILE *changes);

#endif
