/* SPDX-License-Identifier: MIT */
/*
 * A worker: one TUN queue, one pair of UDP sockets, egress and ingress between them, and the watchers that drive them.
 * It runs on control's loop or, threaded, on a loop and a thread of its own. worker_pool.h has all workers of a device.
 */
#ifndef ADIT_TUNNEL_WORKER_H
#define ADIT_TUNNEL_WORKER_H

#include <ev.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "crypto/aead.h"
#include "io/backend.h"
#include "io/tun.h"
#include "io/udp.h"
#include "tunnel/counters.h"
#include "tunnel/device.h"
#include "tunnel/egress.h"
#include "tunnel/ingress.h"

struct worker {
	struct device *device;
	unsigned number; /* from 0 on */
	struct ev_loop *loop;
	struct tun tun;
	struct backend backend; /* reads the TUN */
	struct udp udp;
	struct counters counters;
	struct egress egress;
	struct ingress ingress;
	struct ev_io tun_read, v4_read, v6_read, v4_write, v6_write;
	struct ev_prepare before_sleep; /* sends staged packets that became ready during the wake-up */

	bool threaded; /* the rest is for a worker with a thread */
	struct aead_provider aead;
	pthread_t thread;
	struct ev_async wake;
	struct ev_periodic never;
	bool stop; /* written under the lock */
	atomic_bool asleep;
	atomic_bool called; /* worker_call_out waits for `awake` to be posted */
	sem_t awake;
};

/*
 * Prepares a worker that has no sockets yet and takes over the open `tun`, which `backend` reads. `loop` is control's;
 * NULL makes a threaded worker. Returns 0 or negative errno, and then `tun` is still the caller's.
 */
int worker_init(struct worker *worker, struct device *device, unsigned number, const struct tun *tun,
				enum backend_kind backend, struct ev_loop *loop);
/* Closes the sockets and frees everything. A thread has ended. Closes the TUN, too, unless `keep_tun`. */
void worker_destroy(struct worker *worker, bool keep_tun);

/* Starts the thread of a threaded worker. Returns 0 or negative errno. */
int worker_start_thread(struct worker *worker);
/* Ends the thread, without the lock. */
void worker_join_thread(struct worker *worker);

/* Takes over open sockets in place of the present ones. The worker is asleep and has been called out. */
void worker_bind(struct worker *worker, const struct udp *udp);
/* Closes the sockets and drops what has not been sent. Likewise. */
void worker_unbind(struct worker *worker);

/* Wakes the worker up. On control's loop it is awake already, and sends what is ready before the loop sleeps. */
void worker_wake(struct worker *worker);

/* Returns when the worker does not sleep any more. The caller holds the lock, so the worker waits for it. */
void worker_call_out(struct worker *worker);

#endif
