/* SPDX-License-Identifier: MIT */
/*
 * A worker: its watchers and its thread.
 *
 * Theory of operation
 *
 * Three descriptors drive a worker: the TUN (egress_drain) and two UDP sockets (ingress_drain). Each callback reads the
 * clock once. What arrives may make staged packets ready; they are sent by a prepare watcher, which runs just before
 * the loop sleeps. A full socket only stops the reading of the TUN.
 *
 * A thread holds the device lock shared while it is awake: libev calls on_release just before the loop sleeps and
 * on_acquire just after. So while control holds the lock exclusively, all threads are asleep, and control may change
 * what they read, their watchers and what they have not sent. Afterwards it wakes the loops whose watchers it changed.
 *
 * Closing a socket needs more than the lock, because a thread asleep in poll(2) keeps references to its descriptors:
 * the port would stay in use, and another socket could get the same number. So worker_call_out makes the thread leave
 * poll(2) first. The thread then waits for the lock.
 */
#include "tunnel/worker.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "tunnel/loop.h"

/* --- watchers ----- */

/* Stops or resumes reading the TUN, depending on whether the socket is full. */
static void watch_writable(struct worker *worker)
{
	bool blocked = worker->egress.blocked;

	if (!blocked && backend_pending(&worker->backend)) /* packets that were read ahead make no descriptor readable */
		ev_feed_event(worker->loop, &worker->tun_read, EV_READ);
	if (blocked == !ev_is_active(&worker->tun_read))
		return;
	if (!blocked) {
		ev_io_start(worker->loop, &worker->tun_read);
		ev_io_stop(worker->loop, &worker->v4_write);
		ev_io_stop(worker->loop, &worker->v6_write);
		return;
	}
	ev_io_stop(worker->loop, &worker->tun_read);
	ev_io_start(worker->loop, worker->udp.v6_blocked ? &worker->v6_write : &worker->v4_write);
}

static void on_tun(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	if (egress_drain(&worker->egress, clock_boottime()) == -EBADFD) {
		ev_io_stop(loop, watcher);
		mailbox_post_gone(&worker->device->mailbox);
		return;
	}
	watch_writable(worker);
}

static void on_datagrams(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	ingress_drain(&worker->ingress, watcher->fd, clock_boottime());
}

static void on_socket_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	/* The other family may be the next to block. */
	ev_io_stop(loop, &worker->v4_write);
	ev_io_stop(loop, &worker->v6_write);
	ev_io_start(loop, &worker->tun_read);
	egress_resume(&worker->egress, clock_boottime());
	watch_writable(worker);
}

static void on_before_sleep(struct ev_loop *loop, struct ev_prepare *watcher, int events)
{
	struct worker *worker = watcher->data;

	if (!staged_any_ready(&worker->device->staged) || worker->egress.blocked)
		return;
	egress_resume(&worker->egress, clock_boottime());
	watch_writable(worker);
}

static void init_watcher(struct worker *worker, struct ev_io *watcher,
						 void (*call)(struct ev_loop *, struct ev_io *, int), int fd, int events)
{
	ev_io_init(watcher, call, fd, events);
	watcher->data = worker;
	if (events == EV_READ && fd >= 0)
		ev_io_start(worker->loop, watcher);
}

void worker_unbind(struct worker *worker)
{
	struct ev_io *const watchers[] = { &worker->v4_read, &worker->v6_read, &worker->v4_write, &worker->v6_write };

	for (size_t i = 0; i < sizeof watchers / sizeof *watchers; i++)
		ev_io_stop(worker->loop, watchers[i]);
	udp_close(&worker->udp);
	egress_drop(&worker->egress);
	watch_writable(worker);
}

void worker_bind(struct worker *worker, const struct udp *udp)
{
	worker_unbind(worker);
	worker->udp = *udp;
	worker->egress.batch.run_segments = udp->gso ? udp->run_segments : 1;
	init_watcher(worker, &worker->v4_read, on_datagrams, udp->v4, EV_READ);
	init_watcher(worker, &worker->v6_read, on_datagrams, udp->v6, EV_READ);
	init_watcher(worker, &worker->v4_write, on_socket_writable, udp->v4, EV_WRITE);
	init_watcher(worker, &worker->v6_write, on_socket_writable, udp->v6, EV_WRITE);
}

/* --- thread ----- */

static void on_release(struct ev_loop *loop)
{
	struct worker *worker = ev_userdata(loop);

	atomic_store(&worker->asleep, true);
	pthread_rwlock_unlock(&worker->device->lock);
}

static void on_acquire(struct ev_loop *loop)
{
	struct worker *worker = ev_userdata(loop);

	atomic_store(&worker->asleep, false);
	if (atomic_exchange(&worker->called, false))
		sem_post(&worker->awake);
	pthread_rwlock_rdlock(&worker->device->lock);
}

/* Staged packets need nothing here: waking up is enough, because on_before_sleep sends them. */
static void on_wake(struct ev_loop *loop, struct ev_async *watcher, int events)
{
	const struct worker *worker = watcher->data;

	if (worker->stop)
		ev_break(loop, EVBREAK_ALL);
}

static void *run_thread(void *argument)
{
	struct worker *worker = argument;
	char name[16];

	snprintf(name, sizeof name, "worker %u", worker->number);
	pthread_setname_np(pthread_self(), name); /* for top(1) and ps(1) */
	on_acquire(worker->loop);
	ev_run(worker->loop, 0);
	on_release(worker->loop);
	return NULL;
}

int worker_start_thread(struct worker *worker)
{
	return -pthread_create(&worker->thread, NULL, run_thread, worker);
}

void worker_join_thread(struct worker *worker)
{
	device_lock(worker->device);
	worker->stop = true;
	device_unlock(worker->device);
	ev_async_send(worker->loop, &worker->wake);
	pthread_join(worker->thread, NULL);
}

void worker_wake(struct worker *worker)
{
	if (worker->threaded)
		ev_async_send(worker->loop, &worker->wake);
}

void worker_call_out(struct worker *worker)
{
	if (!worker->threaded)
		return;
	atomic_store(&worker->called, true);
	ev_async_send(worker->loop, &worker->wake);
	/*
	 * If the thread was awake and has not seen the call, take the call back. Otherwise the thread has posted `awake`,
	 * or will when it wakes up.
	 */
	if (!atomic_load(&worker->asleep) && atomic_exchange(&worker->called, false))
		return;
	while (sem_wait(&worker->awake)) /* EINTR */
		;
}

/* --- set-up ----- */

/* Makes what a threaded worker has of its own: an AEAD provider, because each belongs to one thread, and a loop. */
static int init_thread(struct worker *worker)
{
	int error = aead_init_like(&worker->aead, worker->device->aead);

	if (error)
		return error;
	worker->loop = ev_loop_new(LOOP_FLAGS);
	if (!worker->loop) {
		aead_destroy(&worker->aead);
		return -ENOMEM;
	}
	ev_set_userdata(worker->loop, worker);
	ev_set_loop_release_cb(worker->loop, on_release, on_acquire);
	loop_sleep_without_end(worker->loop, &worker->never);
	ev_async_init(&worker->wake, on_wake);
	worker->wake.data = worker;
	ev_async_start(worker->loop, &worker->wake);
	sem_init(&worker->awake, 0, 0);
	return 0;
}

static void destroy_thread(struct worker *worker)
{
	sem_destroy(&worker->awake);
	ev_periodic_stop(worker->loop, &worker->never);
	ev_async_stop(worker->loop, &worker->wake);
	ev_loop_destroy(worker->loop);
	aead_destroy(&worker->aead);
}

int worker_init(struct worker *worker, struct device *device, unsigned number, const struct tun *tun,
				enum backend_kind backend, struct ev_loop *loop)
{
	const struct aead_provider *aead;
	int error;

	*worker = (struct worker) { .device = device, .number = number, .loop = loop, .threaded = !loop, .tun = *tun };
	worker->udp = (struct udp) { .v4 = -1, .v6 = -1 };
	aead = worker->threaded ? &worker->aead : device->aead;
	worker->egress = (struct egress) {
		.device = device,
		.tun = &worker->tun,
		.backend = &worker->backend,
		.udp = &worker->udp,
		.aead = aead,
		.counters = &worker->counters,
		.worker = number,
	};
	worker->ingress = (struct ingress) {
		.device = device, .tun = &worker->tun, .udp = &worker->udp, .aead = aead, .counters = &worker->counters
	};
	error = worker->threaded ? init_thread(worker) : 0;
	if (error)
		return error;
	error = backend_open(&worker->backend, backend, &worker->tun);
	if (error)
		goto destroy_thread;
	error = egress_init(&worker->egress);
	if (error)
		goto close_backend;
	error = ingress_init(&worker->ingress);
	if (error)
		goto destroy_egress;
	init_watcher(worker, &worker->tun_read, on_tun, worker->tun.fd, EV_READ);
	ev_prepare_init(&worker->before_sleep, on_before_sleep);
	worker->before_sleep.data = worker;
	ev_prepare_start(worker->loop, &worker->before_sleep);
	return 0;
destroy_egress:
	egress_destroy(&worker->egress);
close_backend:
	backend_close(&worker->backend);
destroy_thread:
	if (worker->threaded)
		destroy_thread(worker);
	return error;
}

void worker_destroy(struct worker *worker, bool keep_tun)
{
	worker_unbind(worker);
	ev_prepare_stop(worker->loop, &worker->before_sleep);
	ev_io_stop(worker->loop, &worker->tun_read);
	ingress_destroy(&worker->ingress);
	egress_destroy(&worker->egress);
	backend_close(&worker->backend);
	if (!keep_tun)
		tun_close(&worker->tun);
	if (worker->threaded)
		destroy_thread(worker);
}
