/* SPDX-License-Identifier: MIT */
/* The daemon with a configuration file, and the command `adit run FILE`, which runs it in the foreground. */
#ifndef ADIT_DAEMON_RUN_H
#define ADIT_DAEMON_RUN_H

#include "config/config.h"

/*
 * Reads the file, creates the device, sets up addresses and routes, and runs until SIGTERM or SIGINT. Returns the exit
 * code, after it has logged the reason of a failure:
 *
 * 0          the tunnel was ended on request
 * 2          the tunnel was ended on request, but PreDown, PostDown or SaveConfig has failed
 * EX_CONFIG  the file cannot be read, or the file or the environment has errors
 * 1          any other failure; after this one alone, a service manager should try again
 */
int command_run(int argc, char **argv);

/*
 * Runs the tunnel of `config`, which was read from the file `path`, until its end, and destroys `config`. With
 * `strict`, a reload rejects files with keys that others can read. Calls `ready` when the tunnel is up; NULL: nothing.
 * Returns 0 or a negative errno; the reason has been logged.
 */
int run_tunnel(const char *path, struct config *config, bool strict, void (*ready)(void *context), void *context);

#endif
