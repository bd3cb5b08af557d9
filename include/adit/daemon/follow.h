/* SPDX-License-Identifier: MIT */
/* The device follows its link: sockets are open while it is up, padding keeps to its MTU, and its end is told. */
#ifndef ADIT_DAEMON_FOLLOW_H
#define ADIT_DAEMON_FOLLOW_H

#include <ev.h>

#include "io/link.h"
#include "tunnel/device.h"

struct follow {
	struct device *device;
	struct ev_loop *loop;
	struct link link;
	struct ev_io watcher;
	void (*gone)(void *context);
	void *context;
};

/* Takes on the state of the link now, and follows it. `gone` is called when the device was deleted. 0 or negative
 * errno. */
int follow_start(struct follow *follow, struct device *device, int tun, struct ev_loop *loop,
				 void (*gone)(void *context), void *context);
/* Takes a zeroed struct. */
void follow_stop(struct follow *follow);

#endif
