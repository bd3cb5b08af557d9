/* SPDX-License-Identifier: MIT */
/*
 * The worker pool: all workers of a device. A single worker runs on control's loop and no thread exists. Several have
 * one thread, one loop and one TUN queue each, and sockets that share the device's port; device.h has the rules for
 * what they share.
 */
#ifndef ADIT_TUNNEL_WORKER_POOL_H
#define ADIT_TUNNEL_WORKER_POOL_H

#include <ev.h>

#include "tunnel/device.h"
#include "tunnel/worker.h"

enum { WORKERS_MAX = STAGED_WORKERS };

/* The owner of duplicates of the sockets, which keep a port in use after the workers have closed theirs. */
struct socket_owner {
	/* The workers have other sockets, or none. Called with the lock held; the owner acts later. NULL: no owner. */
	void (*changed)(void *context);
	/*
	 * A port is in use, perhaps because of old duplicates. Closes those and waits a moment. Called with the lock held.
	 */
	void (*release)(void *context);
	void *context;
};

struct worker_pool {
	struct device *device;
	unsigned count;
	struct worker *workers;
	struct udp udp; /* the sockets of the first worker, with a state of their own, for what control sends */
	struct udp adopted[WORKERS_MAX]; /* see worker_pool_adopt */
	bool has_adopted;
	struct socket_owner owner;
	struct ev_loop *loop;         /* control's */
	struct ev_timer errors_timer; /* when it expires, ICMP errors are not watched any more */
};

/*
 * Starts to move packets for `device`, with one worker per queue of its TUN: `count` queues, 1 to WORKERS_MAX, which
 * are taken over. `loop` is control's; it calls `gone` when the TUN was deleted. Returns 0 or negative errno, and then
 * the queues are still the caller's.
 */
int worker_pool_start(struct worker_pool *pool, struct device *device, struct ev_loop *loop, enum backend_kind backend,
					  const struct tun *queues, unsigned count, void (*gone)(void *context), void *context);
/* Ends all threads and closes sockets and TUN, without the lock. Accepts a stopped pool. */
void worker_pool_stop(struct worker_pool *pool);

/*
 * Takes over open sockets of an earlier process, one pair per worker, all on one port. The device uses them when it
 * next opens sockets, if it then has no port or this one; otherwise they are closed.
 */
void worker_pool_adopt(struct worker_pool *pool, const struct udp *udp);
enum { WORKER_POOL_SOCKETS = 2 * WORKERS_MAX };
/* Copies the descriptors of the open sockets of all workers. Returns their number; 0 while the link is down. */
size_t worker_pool_sockets(const struct worker_pool *pool, int fds[WORKER_POOL_SOCKETS]);
/* Copies the descriptors of the queues, one per worker. Returns their number. */
size_t worker_pool_queues(const struct worker_pool *pool, int fds[WORKERS_MAX]);

/* Returns how many workers suit this machine: one per two processors that this process may run on, at most 8. */
unsigned worker_pool_auto(void);

/* Returns the descriptor of one queue, to ask the kernel about the TUN. */
int worker_pool_tun(const struct worker_pool *pool);
/* Returns the backend of the first worker; the others have the same kind. */
const struct backend *worker_pool_backend(const struct worker_pool *pool);

#endif
