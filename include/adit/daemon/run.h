/* SPDX-License-Identifier: MIT */
/* The command `adit run FILE`: the foreground daemon with a configuration file. */
#ifndef ADIT_DAEMON_RUN_H
#define ADIT_DAEMON_RUN_H

/*
 * Reads the file, creates the device, sets up addresses and routes, and runs until SIGTERM or SIGINT. Returns the exit
 * code: 0, or with the reason on standard error 1, or EX_CONFIG if the file cannot be read or has errors. A service
 * manager need not try again after EX_CONFIG.
 */
int command_run(int argc, char **argv);

#endif
