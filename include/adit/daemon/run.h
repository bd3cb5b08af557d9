/* SPDX-License-Identifier: MIT */
/* `adit run FILE`: the foreground daemon, from the INI file to the last packet. */
#ifndef ADIT_DAEMON_RUN_H
#define ADIT_DAEMON_RUN_H

/*
 * Reads the file, makes the device, sets up addresses and routes, and moves packets until it is told to end. Returns
 * the exit code: 0, or 1 with the reason on standard error.
 */
int command_run(int argc, char **argv);

#endif
