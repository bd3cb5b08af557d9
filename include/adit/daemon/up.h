/* SPDX-License-Identifier: MIT */
/* The command `adit up FILE`: the daemon with a configuration file, in the background. */
#ifndef ADIT_DAEMON_UP_H
#define ADIT_DAEMON_UP_H

/*
 * `up [--strict] [--log LOG] FILE`: returns when the tunnel is up. Until then, the lines of the log go to standard
 * error, and from then on to the system log, or to the file LOG. Returns the exit code: 0, or 1 after a message on
 * standard error.
 */
int command_up(int argc, char **argv);

#endif
