/* SPDX-License-Identifier: MIT */
/*
 * All workers of a device. One runs on the loop of control, and no thread exists. Several have a thread and a loop
 * each, a queue of the TUN each, and sockets that share the device's port; device.h says who then may touch what.
 */
#ifndef ADIT_TUNNEL_WORKERS_H
#define ADIT_TUNNEL_WORKERS_H

#include <semaphore.h>

#include "tunnel/worker.h"

enum { WORKERS_MAX = STAGED_WORKERS };

struct worker_thread;

struct workers {
	struct device *device;
	struct ev_loop *loop; /* of control */
	void (*device_gone)(void *context);
	void *context;
	unsigned count;
	struct worker alone;           /* if count is 1 */
	struct worker_thread *threads; /* else */
	sem_t out;                     /* posted by a thread that was called out of its sleep */
	struct udp udp;                /* of the first thread: what control sends goes by these */
};

/*
 * Begins to move packets for `device`, with one worker for each of the `count` queues of its TUN, 1 to WORKERS_MAX,
 * which are taken over. `loop` is control's. `device_gone` is called on it when the TUN was deleted. 0 or negative
 * errno, and then the queues are still the caller's.
 */
int workers_start(struct workers *workers, struct device *device, struct ev_loop *loop, enum backend_kind backend,
				  const struct tun *queues, unsigned count, void (*device_gone)(void *context), void *context);
/* Ends all threads, closes sockets and TUN. The device's lock must be free. */
void workers_stop(struct workers *workers);

/* How many workers suit this machine: one for every two of the processors that this process may run on, 8 at most. */
unsigned workers_auto(void);

/* The descriptor of a queue, for asking the TUN about itself. */
int workers_tun(const struct workers *workers);
/* How the first reads its queue; the others do alike. */
const struct backend *workers_backend(const struct workers *workers);

#endif
