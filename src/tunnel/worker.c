/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Three descriptors drive a worker: the TUN (egress_drain) and two UDP sockets (ingress_drain). A wake-up reads the
 * clock once. What arrives may make packets sendable that waited for a handshake; they go at the end of the wake-up,
 * from a prepare watcher, which runs just before the loop sleeps again. A full socket stops the reading of the TUN and
 * nothing else.
 */
#include "tunnel/worker.h"

#include <errno.h>

#include "base/clock.h"
#include "tunnel/egress.h"
#include "tunnel/ingress.h"
#include "tunnel/transmit.h"

void worker_watch_writable(struct worker *worker)
{
	bool blocked = worker->egress.blocked;

	if (!blocked && backend_pending(&worker->backend)) /* the descriptor says nothing of these */
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

	worker->now = clock_boottime();
	if (egress_drain(worker) == -EBADFD) {
		ev_io_stop(loop, watcher);
		worker->device_gone(worker->context);
		return;
	}
	worker_watch_writable(worker);
}

static void on_datagrams(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	worker->now = clock_boottime();
	ingress_drain(worker, watcher->fd);
}

static void resume(struct worker *worker)
{
	worker->now = clock_boottime();
	egress_resume(worker);
	worker_watch_writable(worker);
}

static void on_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	/* The other family may be the one that blocks next. */
	ev_io_stop(loop, &worker->v4_write);
	ev_io_stop(loop, &worker->v6_write);
	ev_io_start(loop, &worker->tun_read);
	resume(worker);
}

static void on_prepare(struct ev_loop *loop, struct ev_prepare *watcher, int events)
{
	struct worker *worker = watcher->data;

	if (worker->device->ready && !worker->egress.blocked)
		resume(worker);
}

static int send_message(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
						uint8_t traffic_class)
{
	struct worker *worker = context;

	return transmit(worker->device, &worker->udp, worker->now, peer, to, message, n, traffic_class);
}

static void peer_gone(void *context, struct peer *peer)
{
	struct worker *worker = context;

	egress_forget(&worker->egress, peer);
}

static void watch(struct worker *worker, struct ev_io *watcher, void (*call)(struct ev_loop *, struct ev_io *, int),
				  int fd, int events)
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
	worker_watch_writable(worker);
}

void worker_bind(struct worker *worker, const struct udp *udp)
{
	worker_unbind(worker);
	worker->udp = *udp;
	worker->egress.batch.run_segments = udp->gso ? udp->run_segments : 1;
	watch(worker, &worker->v4_read, on_datagrams, udp->v4, EV_READ);
	watch(worker, &worker->v6_read, on_datagrams, udp->v6, EV_READ);
	watch(worker, &worker->v4_write, on_writable, udp->v4, EV_WRITE);
	watch(worker, &worker->v6_write, on_writable, udp->v6, EV_WRITE);
}

static void unbind(void *context)
{
	worker_unbind(context);
}

/* The new sockets are opened before the old ones go, so that a port in use leaves everything as it was. */
static int bind_sockets(void *context, uint16_t *port, uint32_t mark)
{
	struct worker *worker = context;
	struct udp udp;
	int error = udp_open(&udp, *port, mark);

	if (error)
		return error;
	worker_bind(worker, &udp);
	*port = udp.port;
	return 0;
}

static int set_mark(void *context, uint32_t mark)
{
	struct worker *worker = context;

	return udp_set_mark(&worker->udp, mark);
}

static const struct device_ops ops = {
	.send = send_message,
	.bind = bind_sockets,
	.unbind = unbind,
	.set_mark = set_mark,
	.peer_gone = peer_gone,
};

int worker_start(struct worker *worker, struct device *device, struct ev_loop *loop, const struct tun *tun,
				 enum backend_kind kind, void (*device_gone)(void *context), void *context)
{
	int error;

	*worker = (struct worker) { .device = device,
								.aead = device->aead,
								.counters = &device->counters,
								.loop = loop,
								.tun = *tun,
								.udp = { .v4 = -1, .v6 = -1 },
								.device_gone = device_gone,
								.context = context,
								.now = clock_boottime() };
	error = backend_open(&worker->backend, kind, &worker->tun);
	if (!error)
		error = egress_init(&worker->egress);
	if (!error)
		error = ingress_init(&worker->ingress, worker);
	if (error) {
		backend_close(&worker->backend);
		egress_destroy(&worker->egress);
		return error;
	}
	device->ops = &ops;
	device->context = worker;
	device->backend = worker->backend.ops->name;
	watch(worker, &worker->tun_read, on_tun, worker->tun.fd, EV_READ);
	ev_prepare_init(&worker->ready, on_prepare);
	worker->ready.data = worker;
	ev_prepare_start(loop, &worker->ready);
	return 0;
}

void worker_stop(struct worker *worker)
{
	worker_unbind(worker);
	ev_io_stop(worker->loop, &worker->tun_read);
	ev_prepare_stop(worker->loop, &worker->ready);
	egress_destroy(&worker->egress);
	ingress_destroy(&worker->ingress);
	backend_close(&worker->backend);
	tun_close(&worker->tun);
	worker->device->ops = NULL;
	worker->device->backend = NULL;
}
