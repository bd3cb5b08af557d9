/* SPDX-License-Identifier: MIT */
/* Applies changes of the link to the device: up, down, MTU, MTUs of routes, and the deletion of the interface. */
#ifndef ADIT_DAEMON_LINK_WATCH_H
#define ADIT_DAEMON_LINK_WATCH_H

#include <ev.h>

#include "daemon/route_mtus.h"
#include "io/link.h"
#include "tunnel/device.h"

struct link_watch {
	struct device *device;
	struct ev_loop *loop;
	struct link link;
	struct ev_io watcher;
	struct ev_timer retry; /* runs while the link cannot be followed */
	struct route_mtus route_mtus;
	void (*deleted)(void *context);
	void *context;
};

/*
 * Applies the current state of the link of the TUN descriptor `tun`, then follows its changes. Calls `deleted` when the
 * interface has been deleted. 0 or negative errno.
 */
int link_watch_start(struct link_watch *watch, struct device *device, int tun, struct ev_loop *loop,
					 void (*deleted)(void *context), void *context);
/* Accepts a zeroed struct. */
void link_watch_stop(struct link_watch *watch);

#endif
