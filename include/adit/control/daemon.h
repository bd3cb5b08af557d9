/* `adit run FILE`: the foreground daemon, from the INI file to the last packet. */
#ifndef ADIT_DAEMON_H
#define ADIT_DAEMON_H

/*
 * Reads the file, makes the device, and moves packets until SIGTERM, SIGINT or the end of the device. SIGUSR1 logs all
 * counters. Returns the exit code: 0, or 1 with the reason on standard error.
 */
int command_run(int argc, char **argv);

#endif
