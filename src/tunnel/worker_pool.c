/* SPDX-License-Identifier: MIT */
/* The worker pool: the device operations, carried out on all workers. */
#include "tunnel/worker_pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "tunnel/transmit.h"

enum { CPUS_PER_WORKER = 2, AUTO_MAX = 8 };
#define ERRORS_TIME 12.    /* seconds without an unanswered initiation; longer than two attempts are apart */
enum { RELEASES_MAX = 3 }; /* systemd closes its duplicates in the background */

/* --- device operations ----- */

static int pool_send(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
					 uint8_t traffic_class)
{
	struct worker_pool *pool = context;

	return transmit(pool->device, &pool->udp, peer, to, message, n, traffic_class);
}

static void pool_unbind(void *context)
{
	struct worker_pool *pool = context;

	for (unsigned i = 0; i < pool->count; i++)
		worker_call_out(&pool->workers[i]);
	for (unsigned i = 0; i < pool->count; i++)
		worker_unbind(&pool->workers[i]);
	pool->udp = (struct udp) { .v4 = -1, .v6 = -1 };
	if (pool->owner.changed)
		pool->owner.changed(pool->owner.context);
}

/* The first pair finds out whether the port is free; the others share it. */
static int open_udp_pairs(struct udp *udp, unsigned count, uint16_t port, uint32_t mark)
{
	unsigned open;
	int error = udp_open(&udp[0], port, mark);

	if (error)
		return error;
	for (open = 1; open < count; open++) {
		error = udp_open_like(&udp[open], &udp[0], mark);
		if (error)
			goto close_all;
	}
	return 0;
close_all:
	while (open)
		udp_close(&udp[--open]);
	return error;
}

static void close_adopted(struct worker_pool *pool)
{
	for (unsigned i = 0; i < pool->count && pool->has_adopted; i++)
		udp_close(&pool->adopted[i]);
	pool->has_adopted = false;
}

/* Returns 1 if there are sockets of an earlier process for the port, 0 if not, or a negative errno. */
static int use_adopted(struct worker_pool *pool, struct udp *udp, uint16_t port, uint32_t mark)
{
	int error = 0;

	if (!pool->has_adopted)
		return 0;
	if (port && port != pool->adopted[0].port) {
		close_adopted(pool);
		return 0;
	}
	for (unsigned i = 0; i < pool->count && !error; i++)
		error = udp_set_mark(&pool->adopted[i], mark);
	if (error) {
		close_adopted(pool);
		return error;
	}
	for (unsigned i = 0; i < pool->count; i++)
		udp[i] = pool->adopted[i];
	pool->has_adopted = false;
	return 1;
}

static int open_or_adopt(struct worker_pool *pool, struct udp *udp, uint16_t port, uint32_t mark)
{
	int status = use_adopted(pool, udp, port, mark);

	if (status)
		return status < 0 ? status : 0;
	status = open_udp_pairs(udp, pool->count, port, mark);
	for (int attempt = 0; status == -EADDRINUSE && pool->owner.release && attempt < RELEASES_MAX; attempt++) {
		pool->owner.release(pool->owner.context);
		status = open_udp_pairs(udp, pool->count, port, mark);
	}
	return status;
}

/* The new sockets are opened before the old ones are closed, so that a port in use leaves everything as it was. */
static int pool_bind(void *context, uint16_t *port, uint32_t mark)
{
	struct worker_pool *pool = context;
	struct udp udp[WORKERS_MAX];
	int error = open_or_adopt(pool, udp, *port, mark);

	if (error)
		return error;
	for (unsigned i = 0; i < pool->count; i++)
		udp_limit(&udp[i], &pool->device->udp_options);
	for (unsigned i = 0; i < pool->count; i++)
		worker_call_out(&pool->workers[i]);
	for (unsigned i = 0; i < pool->count; i++)
		worker_bind(&pool->workers[i], &udp[i]);
	pool->udp = udp[0];
	*port = udp[0].port;
	if (pool->owner.changed)
		pool->owner.changed(pool->owner.context);
	return 0;
}

static int pool_set_mark(void *context, uint32_t mark)
{
	struct worker_pool *pool = context;
	int error = 0;

	for (unsigned i = 0; i < pool->count && !error; i++)
		error = udp_set_mark(&pool->workers[i].udp, mark);
	for (unsigned i = 0; i < pool->count && error; i++)
		udp_set_mark(&pool->workers[i].udp, pool->device->mark); /* the old one */
	return error;
}

static void on_errors_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct worker_pool *pool = timer->data;

	ev_timer_stop(loop, timer);
	for (unsigned i = 0; i < pool->count; i++)
		udp_watch_errors(&pool->workers[i].udp, false);
	atomic_store(&pool->udp.watches_errors, false);
}

/* The error about a datagram of one worker may arrive at the socket of another. */
static void pool_watch_errors(void *context)
{
	struct worker_pool *pool = context;

	ev_timer_again(pool->loop, &pool->errors_timer);
	if (pool->udp.watches_errors)
		return;
	atomic_store(&pool->udp.watches_errors, true);
	for (unsigned i = 0; i < pool->count; i++)
		udp_watch_errors(&pool->workers[i].udp, true);
}

static void pool_peer_gone(void *context, struct peer *peer)
{
	struct worker_pool *pool = context;

	for (unsigned i = 0; i < pool->count; i++)
		egress_forget(&pool->workers[i].egress, peer);
}

static void pool_wake(void *context, uint32_t workers)
{
	struct worker_pool *pool = context;

	for (unsigned i = 0; i < pool->count; i++)
		if (workers & UINT32_C(1) << i)
			worker_wake(&pool->workers[i]);
}

static void pool_add_counters(void *context, struct counters *sum)
{
	const struct worker_pool *pool = context;

	for (unsigned i = 0; i < pool->count; i++)
		counters_add(sum, &pool->workers[i].counters);
}

static const struct device_ops ops = {
	.send = pool_send,
	.bind = pool_bind,
	.unbind = pool_unbind,
	.set_mark = pool_set_mark,
	.watch_errors = pool_watch_errors,
	.peer_gone = pool_peer_gone,
	.wake = pool_wake,
	.add_counters = pool_add_counters,
};

/* --- start and stop ----- */

/* Signals are for control's thread. */
static int start_threads(struct worker_pool *pool)
{
	sigset_t all, old;
	unsigned started;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (started = 0; started < pool->count; started++) {
		error = worker_start_thread(&pool->workers[started]);
		if (error)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		while (started)
			worker_join_thread(&pool->workers[--started]);
	return error;
}

int worker_pool_start(struct worker_pool *pool, struct device *device, struct ev_loop *loop, enum backend_kind backend,
					  const struct tun *queues, unsigned count, void (*gone)(void *context), void *context)
{
	bool threaded = count > 1;
	unsigned made;
	int error;

	*pool = (struct worker_pool) { .device = device, .count = count, .udp = { .v4 = -1, .v6 = -1 }, .loop = loop };
	ev_init(&pool->errors_timer, on_errors_timer);
	pool->errors_timer.repeat = ERRORS_TIME;
	pool->errors_timer.data = pool;
	pool->workers = calloc(count, sizeof *pool->workers);
	if (!pool->workers)
		return -ENOMEM;
	device->gone = gone;
	device->gone_context = context;
	error = mailbox_start(&device->mailbox, loop, threaded);
	if (error)
		goto free_workers;
	for (made = 0; made < count; made++) {
		error = worker_init(&pool->workers[made], device, made, &queues[made], backend, threaded ? NULL : loop);
		if (error)
			goto destroy_workers;
	}
	device->ops = &ops;
	device->ops_context = pool;
	device->workers = count;
	device->backend = pool->workers[0].backend.ops->name;
	error = threaded ? start_threads(pool) : 0;
	if (!error)
		return 0;
	device->ops = NULL;
	device->backend = NULL;
destroy_workers:
	while (made)
		worker_destroy(&pool->workers[--made], true);
	mailbox_stop(&device->mailbox);
free_workers:
	free(pool->workers);
	pool->workers = NULL;
	return error;
}

void worker_pool_stop(struct worker_pool *pool)
{
	struct device *device = pool->device;

	if (!pool->workers)
		return;
	ev_timer_stop(pool->loop, &pool->errors_timer);
	if (pool->count > 1)
		for (unsigned i = 0; i < pool->count; i++)
			worker_join_thread(&pool->workers[i]);
	pool_add_counters(pool, &device->counters);
	device->ops = NULL;
	device->backend = NULL;
	close_adopted(pool);
	for (unsigned i = pool->count; i; i--)
		worker_destroy(&pool->workers[i - 1], false);
	mailbox_stop(&device->mailbox);
	free(pool->workers);
	pool->workers = NULL;
}

/* --- accessors ----- */

unsigned worker_pool_auto(void)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
	int count = cpus / CPUS_PER_WORKER;

	return count < 1 ? 1 : count > AUTO_MAX ? AUTO_MAX : (unsigned)count;
}

int worker_pool_tun(const struct worker_pool *pool)
{
	return pool->workers[0].tun.fd;
}

void worker_pool_adopt(struct worker_pool *pool, const struct udp *udp)
{
	close_adopted(pool);
	for (unsigned i = 0; i < pool->count; i++)
		pool->adopted[i] = udp[i];
	pool->has_adopted = true;
}

size_t worker_pool_sockets(const struct worker_pool *pool, int fds[WORKER_POOL_SOCKETS])
{
	size_t count = 0;

	for (unsigned i = 0; i < pool->count && pool->device->up; i++) {
		fds[count++] = pool->workers[i].udp.v4;
		if (pool->workers[i].udp.v6 >= 0)
			fds[count++] = pool->workers[i].udp.v6;
	}
	return count;
}

size_t worker_pool_queues(const struct worker_pool *pool, int fds[WORKERS_MAX])
{
	for (unsigned i = 0; i < pool->count; i++)
		fds[i] = pool->workers[i].tun.fd;
	return pool->count;
}

const struct backend *worker_pool_backend(const struct worker_pool *pool)
{
	return &pool->workers[0].backend;
}
