/* SPDX-License-Identifier: MIT */
/*
 * The watchdog of the service manager (sd_watchdog_enabled(3)): the loop sends WATCHDOG=1 and the status of the tunnel.
 * This is the only timer of an idle daemon, and it exists only if the unit sets WatchdogSec=.
 */
#ifndef ADIT_DAEMON_WATCHDOG_H
#define ADIT_DAEMON_WATCHDOG_H

#include <ev.h>

#include "tunnel/device.h"

struct watchdog {
	struct ev_loop *loop; /* NULL: not started */
	struct device *device;
	struct ev_timer timer;
};

/*
 * Sends WATCHDOG=1 twice per WATCHDOG_USEC, if that is set and WATCHDOG_PID is this process or not set. Each time
 * checks that all workers respond, by waiting for the device lock.
 */
void watchdog_start(struct watchdog *watchdog, struct device *device, struct ev_loop *loop);
/* Accepts a zeroed struct. */
void watchdog_stop(struct watchdog *watchdog);

#endif
