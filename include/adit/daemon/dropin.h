/* SPDX-License-Identifier: MIT */
/*
 * `adit [-f | --foreground] IFNAME`: a bare device, configured over the control socket by wg(8) and wg-quick(8), in the
 * place of wireguard-go and with its environment: LOG_LEVEL, WG_TUN_FD, WG_UAPI_FD, WG_PROCESS_FOREGROUND.
 */
#ifndef ADIT_DAEMON_DROPIN_H
#define ADIT_DAEMON_DROPIN_H

#include <stdbool.h>

/*
 * Runs the device IFNAME. Without `-f` the process returns as soon as the control socket answers, and a child of it
 * goes on. Returns the exit code: 0, or 1 with the reason on standard error.
 */
int command_interface(int argc, char **argv);

/* True when `argument` can only be meant as an interface: -f, --foreground, or a name that the kernel takes. */
bool is_interface_argument(const char *argument);

#endif
