/* SPDX-License-Identifier: MIT */
/*
 * The command `adit [-f | --foreground] [--] IFNAME`: a bare device that wg(8) and wg-quick(8) configure over the
 * control socket. It is a drop-in replacement for wireguard-go and uses its environment variables: LOG_LEVEL,
 * WG_TUN_FD, WG_UAPI_FD, WG_PROCESS_FOREGROUND.
 */
#ifndef ADIT_DAEMON_DROPIN_H
#define ADIT_DAEMON_DROPIN_H

#include <stdbool.h>

/*
 * Runs the device IFNAME. Without `-f` the process returns when the control socket accepts connections, and a child
 * continues in the background. On a terminal, prints how to configure and stop the device. Returns the exit code: 0, or
 * 1 with the reason on standard error.
 */
int command_interface(int argc, char **argv);

/* True if an interface may have this name. */
bool is_interface_name(const char *word);

#endif
