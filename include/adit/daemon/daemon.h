/* SPDX-License-Identifier: MIT */
/* The part that both kinds of daemon share: event loop, device, workers, link and signals. */
#ifndef ADIT_DAEMON_DAEMON_H
#define ADIT_DAEMON_DAEMON_H

#include <ev.h>

#include "base/reason.h"
#include "daemon/link_watch.h"
#include "daemon/local_address.h"
#include "io/path_watch.h"
#include "tunnel/device.h"
#include "tunnel/worker_pool.h"

enum { DAEMON_SIGNALS = 4 };

struct daemon {
	struct ev_loop *loop;
	struct path_watches paths;
	struct aead_provider aead;
	struct device device;
	struct worker_pool workers;
	struct link_watch link_watch;
	struct local_addresses local_addresses;
	const char *lost; /* see daemon_run */
	struct ev_signal signals[DAEMON_SIGNALS];
	struct ev_periodic never;      /* see loop_sleep_without_end */
	bool ended;                    /* daemon_end was called, perhaps before daemon_run; see before_end */
	bool ending;                   /* before_end runs, or has returned true */
	bool must_end;                 /* daemon_end was called again while before_end ran */
	bool terminated;               /* by SIGTERM, which systemd sends to stop and to restart a service */
	void (*reload)(void *context); /* on SIGHUP; NULL: ignore the signal */
	/*
	 * Called when the daemon is to end, while packets still flow; it may run the loop. Returns false to continue.
	 * NULL: nothing is to do. It clears `ended`, which a signal sets again. A loss does not: the kernel reports a
	 * deleted interface by several events, and a PreDown command may delete it.
	 */
	bool (*before_end)(void *context);
	void *context;
};

/*
 * Creates loop, device and workers. Takes ownership of the `count` open queues of a TUN, which the workers read by
 * `backend`. `aead` names the implementation of the ciphers (aead.h). The device has no key, peers or sockets yet.
 * Returns 0, or negative errno with the reason; the queues are then closed.
 */
int daemon_init(struct daemon *daemon, const char *aead, enum backend_kind backend, struct tun *queues, unsigned count,
				struct reason *reason);

/* Applies the state of the link to the device, then follows link and routes. 0, or negative errno with the reason. */
int daemon_watch_link(struct daemon *daemon, struct reason *reason);

/*
 * Runs the loop until SIGTERM, SIGINT or daemon_end. Logs the counters on SIGUSR1 and at the end. The UDP sockets are
 * closed when it returns, while the control socket still exists: a new daemon of this name waits for the end of the
 * control socket, and then finds its UDP port unused. Returns NULL, or what the daemon has lost and cannot run without.
 */
const char *daemon_run(struct daemon *daemon);
/* Makes daemon_run return `lost`: NULL, or a text such as "the interface was deleted". */
void daemon_end(struct daemon *daemon, const char *lost);
/*
 * The same with NULL, once the events that are pending now have been handled. A client of the control socket gets its
 * reply.
 */
void daemon_end_soon(struct daemon *daemon);

/* Closes sockets and TUN, and wipes keys. */
void daemon_destroy(struct daemon *daemon);

#endif
