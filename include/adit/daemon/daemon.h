/* SPDX-License-Identifier: MIT */
/* What every running adit has, however it is configured: a loop, a device with its workers, its link, and signals. */
#ifndef ADIT_DAEMON_DAEMON_H
#define ADIT_DAEMON_DAEMON_H

#include <ev.h>

#include "daemon/follow.h"
#include "daemon/local_address.h"
#include "tunnel/device.h"
#include "tunnel/workers.h"

enum { DAEMON_SIGNALS = 4 };

struct daemon {
	struct ev_loop *loop;
	struct aead_provider aead;
	struct device device;
	struct workers workers;
	struct follow follow;
	struct sources sources;
	struct ev_signal signals[DAEMON_SIGNALS];
	struct ev_periodic never;      /* lets the loop sleep without end */
	void (*reload)(void *context); /* on SIGHUP; NULL: it is ignored */
	void *context;
};

/*
 * Makes loop, device and workers around the `count` open queues of a TUN, which are taken over and read by `backend`,
 * with the cipher implementation `aead` (aead.h). The device has no key, no peers and no sockets. 0, or negative errno
 * with the reason logged, and then the queues are closed.
 */
int daemon_init(struct daemon *daemon, const char *aead, enum backend_kind backend, struct tun *queues, unsigned count);

/* Follows the link and the routes from now on, and takes on the state of the link. 0, or negative errno with the reason
 * logged. */
int daemon_follow(struct daemon *daemon);

/* Moves packets until SIGTERM, SIGINT or the end of the device; SIGUSR1 logs the counters, and so does the end. */
void daemon_run(struct daemon *daemon);
/* Ends daemon_run. */
void daemon_end(struct daemon *daemon);

/* Closes sockets and TUN, wipes keys. */
void daemon_destroy(struct daemon *daemon);

#endif
