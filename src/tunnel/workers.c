/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A thread shares the device's lock for as long as it is awake: libev calls back just before it sleeps and just after.
 * So whoever holds the lock alone finds all threads asleep, and may change what they read, and their loops too:
 * watchers, what is under way. A loop whose watchers were changed is woken up to see it.
 *
 * Sockets want more, for a thread asleep in poll(2) holds on to those that it was given: their port would stay in use,
 * and another socket could come to have their number. So before any is closed, all threads are called out of their
 * sleep. They do not get further than to the lock.
 */
#include "tunnel/workers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tunnel/egress.h"
#include "tunnel/loop.h"
#include "tunnel/transmit.h"

enum { CPUS_PER_WORKER = 2, AUTO_MAX = 8 };

struct worker_thread {
	struct worker worker;
	struct counters counters;
	struct aead_provider aead;
	struct ev_loop *loop;
	struct ev_async wake;
	struct ev_periodic never;
	bool stop; /* written under the lock */
	atomic_bool asleep;
	atomic_bool called; /* to post `out` of the workers once it is not */
	sem_t *out;
	pthread_t id;
};

/* --- a thread ------------------------------------------------------------------------------------------------------
 */

static void on_release(struct ev_loop *loop)
{
	struct worker_thread *thread = ev_userdata(loop);

	atomic_store(&thread->asleep, true);
	pthread_rwlock_unlock(&thread->worker.device->lock);
}

static void on_acquire(struct ev_loop *loop)
{
	struct worker_thread *thread = ev_userdata(loop);

	atomic_store(&thread->asleep, false);
	if (atomic_exchange(&thread->called, false))
		sem_post(thread->out);
	pthread_rwlock_rdlock(&thread->worker.device->lock);
}

/* To wake up is all there is to it: what became ready is sent when the loop is about to sleep again. */
static void on_wake(struct ev_loop *loop, struct ev_async *watcher, int events)
{
	const struct worker_thread *thread = watcher->data;

	if (thread->stop)
		ev_break(loop, EVBREAK_ALL);
}

static void *run(void *argument)
{
	struct worker_thread *thread = argument;
	char name[16];

	snprintf(name, sizeof name, "worker %u", thread->worker.number);
	pthread_setname_np(pthread_self(), name); /* for top(1) and ps(1) */
	on_acquire(thread->loop);
	ev_run(thread->loop, 0);
	on_release(thread->loop);
	return NULL;
}

static void on_gone(void *context)
{
	notice_gone(context);
}

static void destroy_loop(struct worker_thread *thread)
{
	ev_periodic_stop(thread->loop, &thread->never);
	ev_async_stop(thread->loop, &thread->wake);
	ev_loop_destroy(thread->loop);
}

static int make_loop(struct worker_thread *thread)
{
	thread->loop = ev_loop_new(LOOP_FLAGS);
	if (!thread->loop)
		return -ENOMEM;
	ev_set_userdata(thread->loop, thread);
	ev_set_loop_release_cb(thread->loop, on_release, on_acquire);
	loop_sleep_without_end(thread->loop, &thread->never);
	ev_async_init(&thread->wake, on_wake);
	thread->wake.data = thread;
	ev_async_start(thread->loop, &thread->wake);
	return 0;
}

/* A worker with a loop, a cipher and counters of its own, not yet running. */
static int make_thread(struct worker_thread *thread, struct device *device, const struct tun *queue,
					   enum backend_kind backend, unsigned number)
{
	int error = aead_init_like(&thread->aead, device->aead);

	if (error)
		return error;
	error = make_loop(thread);
	if (error) {
		aead_destroy(&thread->aead);
		return error;
	}
	error = worker_start(&thread->worker, device, thread->loop, queue, backend, on_gone, device->notices);
	if (error) {
		destroy_loop(thread);
		aead_destroy(&thread->aead);
		return error;
	}
	thread->worker.number = number;
	thread->worker.aead = &thread->aead;
	thread->worker.counters = &thread->counters;
	return 0;
}

static void unmake_thread(struct worker_thread *thread, bool keep_tun)
{
	if (keep_tun)
		thread->worker.tun = (struct tun) { .fd = -1 };
	worker_stop(&thread->worker);
	destroy_loop(thread);
	aead_destroy(&thread->aead);
}

/* --- the device's operations, on all of them ------------------------------------------------------------------------
 */

static void wake(void *context, uint32_t set)
{
	struct workers *workers = context;

	for (unsigned i = 0; i < workers->count; i++)
		if (set & UINT32_C(1) << i)
			ev_async_send(workers->threads[i].loop, &workers->threads[i].wake);
}

/* Returns when no thread sleeps. The caller holds the lock, so that none does again before it is given back. */
static void call_out(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		struct worker_thread *thread = &workers->threads[i];

		atomic_store(&thread->called, true);
		ev_async_send(thread->loop, &thread->wake);
		/* Either this sees that it is awake, or it sees that it was called, or both do and one takes that back. */
		if (atomic_load(&thread->asleep) || !atomic_exchange(&thread->called, false))
			while (sem_wait(&workers->out)) /* EINTR */
				;
	}
}

static int send_message(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
						uint8_t traffic_class)
{
	struct workers *workers = context;

	return transmit(workers->device, &workers->udp, clock_boottime(), peer, to, message, n, traffic_class);
}

static void unbind(void *context)
{
	struct workers *workers = context;

	call_out(workers);
	for (unsigned i = 0; i < workers->count; i++)
		worker_unbind(&workers->threads[i].worker);
	workers->udp = (struct udp) { .v4 = -1, .v6 = -1 };
}

/* The first pair finds out whether the port is free, the others share it. */
static int open_pairs(struct udp *udp, unsigned count, uint16_t port, uint32_t mark)
{
	int error = udp_open(&udp[0], port, mark);
	unsigned open = !error;

	for (; !error && open < count; open += !error)
		error = udp_open_like(&udp[open], &udp[0], mark);
	while (error && open)
		udp_close(&udp[--open]);
	return error;
}

static int bind_sockets(void *context, uint16_t *port, uint32_t mark)
{
	struct workers *workers = context;
	struct udp udp[WORKERS_MAX];
	int error = open_pairs(udp, workers->count, *port, mark);

	if (error)
		return error;
	call_out(workers);
	for (unsigned i = 0; i < workers->count; i++)
		worker_bind(&workers->threads[i].worker, &udp[i]);
	workers->udp = udp[0];
	*port = udp[0].port;
	return 0;
}

static int set_mark(void *context, uint32_t mark)
{
	struct workers *workers = context;
	int error = 0;

	for (unsigned i = 0; i < workers->count && !error; i++)
		error = udp_set_mark(&workers->threads[i].worker.udp, mark);
	return error;
}

static void peer_gone(void *context, struct peer *peer)
{
	struct workers *workers = context;

	for (unsigned i = 0; i < workers->count; i++)
		egress_forget(&workers->threads[i].worker.egress, peer);
}

static void add_counters(void *context, struct counters *sum)
{
	const struct workers *workers = context;

	for (unsigned i = 0; i < workers->count; i++)
		for (unsigned counter = 0; counter < COUNTERS; counter++)
			sum->value[counter] += workers->threads[i].counters.value[counter];
}

static const struct device_ops ops = {
	.send = send_message,
	.bind = bind_sockets,
	.unbind = unbind,
	.set_mark = set_mark,
	.peer_gone = peer_gone,
	.wake = wake,
	.add_counters = add_counters,
};

/* --- all together ---------------------------------------------------------------------------------------------------
 */

/* Ends the first `count` threads. */
static void join(struct workers *workers, unsigned count)
{
	device_lock(workers->device);
	for (unsigned i = 0; i < count; i++)
		workers->threads[i].stop = true;
	device_unlock(workers->device);
	for (unsigned i = 0; i < count; i++) {
		ev_async_send(workers->threads[i].loop, &workers->threads[i].wake);
		pthread_join(workers->threads[i].id, NULL);
	}
}

/* Signals are for control's thread. */
static int launch(struct workers *workers)
{
	sigset_t all, before;
	unsigned running = 0;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; running < workers->count && !error; running += !error)
		error = -pthread_create(&workers->threads[running].id, NULL, run, &workers->threads[running]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		join(workers, running);
	return error;
}

static void drop_threads(struct workers *workers, unsigned count, bool keep_tun)
{
	struct device *device = workers->device;

	while (count)
		unmake_thread(&workers->threads[--count], keep_tun);
	free(workers->threads);
	workers->threads = NULL;
	sem_destroy(&workers->out);
	notices_destroy(device->notices);
	device->notices = NULL;
	device->ops = NULL;
}

static int start_threads(struct workers *workers, enum backend_kind backend, const struct tun *queues)
{
	struct device *device = workers->device;
	unsigned made = 0;
	int error = 0;

	sem_init(&workers->out, 0, 0);
	workers->udp = (struct udp) { .v4 = -1, .v6 = -1 };
	workers->threads = calloc(workers->count, sizeof *workers->threads);
	device->notices = notices_create(device, workers->loop, workers->device_gone, workers->context);
	if (!workers->threads || !device->notices)
		error = -ENOMEM;
	for (; made < workers->count && !error; made += !error) {
		workers->threads[made].out = &workers->out;
		error = make_thread(&workers->threads[made], device, &queues[made], backend, made);
	}
	if (!error) {
		device->ops = &ops;
		device->context = workers;
		error = launch(workers);
	}
	if (error)
		drop_threads(workers, made, true);
	return error;
}

int workers_start(struct workers *workers, struct device *device, struct ev_loop *loop, enum backend_kind backend,
				  const struct tun *queues, unsigned count, void (*device_gone)(void *context), void *context)
{
	*workers = (struct workers) {
		.device = device, .loop = loop, .device_gone = device_gone, .context = context, .count = count
	};
	device->workers = count;
	if (count == 1)
		return worker_start(&workers->alone, device, loop, &queues[0], backend, device_gone, context);
	return start_threads(workers, backend, queues);
}

void workers_stop(struct workers *workers)
{
	if (workers->count == 1) {
		worker_stop(&workers->alone);
	} else if (workers->threads) {
		join(workers, workers->count);
		add_counters(workers, &workers->device->counters);
		drop_threads(workers, workers->count, false);
	}
}

unsigned workers_auto(void)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
	int count = cpus / CPUS_PER_WORKER;

	return count < 1 ? 1 : count > AUTO_MAX ? AUTO_MAX : (unsigned)count;
}

static const struct worker *first_worker(const struct workers *workers)
{
	return workers->count == 1 ? &workers->alone : &workers->threads[0].worker;
}

int workers_tun(const struct workers *workers)
{
	return first_worker(workers)->tun.fd;
}

const struct backend *workers_backend(const struct workers *workers)
{
	return &first_worker(workers)->backend;
}
