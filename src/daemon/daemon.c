/* SPDX-License-Identifier: MIT */
/* The part that both kinds of daemon share: start, signals, event loop and end. */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel/control.h"
#include "tunnel/loop.h"
#include "tunnel/peer.h"

/* Per log of the counters. */
enum { PEER_LINES_MAX = 32, COUNTER_LINE_BYTES = 900 };

/* Lists the counters that are not 0, in one line, or in several if they do not fit. */
static void log_device_counters(struct device *device)
{
	char line[COUNTER_LINE_BYTES], one[80];
	struct counters counters;
	size_t length = 0;

	device_counters(device, &counters);
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (!counters.value[i])
			continue;
		snprintf(one, sizeof one, "%s %llu", counter_name(i), (unsigned long long)counters.value[i]);
		if (length + strlen(one) + strlen(", ") >= sizeof line) {
			log_info(device->name, "counters: %s", line);
			length = 0;
		}
		length += (size_t)snprintf(line + length, sizeof line - length, "%s%s", length ? ", " : "", one);
	}
	if (length)
		log_info(device->name, "counters: %s", line);
}

/* The device first, then one line for each peer with traffic, up to PEER_LINES_MAX, then the totals. */
static void log_counters(struct device *device)
{
	unsigned long long rx = 0, tx = 0;
	size_t active = 0;

	log_device_counters(device);
	list_for_each (peer, &device->peers, const struct peer, node) {
		rx += peer->rx_bytes;
		tx += peer->tx_bytes;
		if (!peer->rx_bytes && !peer->tx_bytes)
			continue;
		if (active++ < PEER_LINES_MAX)
			log_info(peer_text(peer), "rx_bytes %llu tx_bytes %llu", (unsigned long long)peer->rx_bytes,
					 (unsigned long long)peer->tx_bytes);
	}
	log_info(device->name, "%zu peer%s, %zu with traffic%s: rx_bytes %llu tx_bytes %llu", device->peer_count,
			 device->peer_count == 1 ? "" : "s", active, active > PEER_LINES_MAX ? ", not all listed" : "", rx, tx);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	struct daemon *daemon = watcher->data;

	if (watcher->signum == SIGUSR1)
		log_counters(&daemon->device);
	else if (watcher->signum == SIGHUP && daemon->reload)
		daemon->reload(daemon->context);
	else if (watcher->signum != SIGHUP) {
		daemon->terminated = watcher->signum == SIGTERM;
		daemon_end(daemon, NULL);
	}
}

static void on_device_deleted(void *context)
{
	daemon_end(context, "the interface was deleted");
}

/*
 * libev calls this when it cannot work at all, and would abort the process if it returned. startup_check_descriptors
 * has excluded the known cause, a lack of descriptors.
 */
static void on_loop_failure(const char *message) /* the prototype is libev's */
{
	log_error(NULL, "%s: %s", message, strerror(errno));
	_exit(EXIT_FAILURE);
}

static void watch_signals(struct daemon *daemon)
{
	static const int numbers[DAEMON_SIGNALS] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < DAEMON_SIGNALS; i++) {
		ev_signal_init(&daemon->signals[i], on_signal, numbers[i]);
		daemon->signals[i].data = daemon;
		ev_signal_start(daemon->loop, &daemon->signals[i]);
	}
}

int daemon_init(struct daemon *daemon, const char *aead, enum backend_kind backend, struct tun *queues, unsigned count,
				struct reason *reason)
{
	int error;

#ifdef ADIT_NULL_CIPHER
	log_error(queues->name,
			  "THIS BUILD IS FOR BENCHMARKS ONLY: with `CryptoProvider = null` it encrypts nothing (ADIT_NULL_CIPHER)");
#endif
	ev_set_syserr_cb(on_loop_failure);
	*daemon = (struct daemon) { .loop = ev_default_loop(LOOP_FLAGS) };
	if (!daemon->loop) {
		error = reason_set_errno(reason, -ENOMEM, "event loop");
		goto close_tun;
	}
	daemon->paths.loop = daemon->loop;
	error = aead_init(&daemon->aead, aead);
	if (error) {
		reason_set_errno(reason, error, "crypto provider %s", aead);
		goto destroy_loop;
	}
	error = control_init(&daemon->device, queues->name, &daemon->aead, daemon->loop);
	if (error) {
		reason_set_errno(reason, error, "device");
		goto destroy_aead;
	}
	error = worker_pool_start(&daemon->workers, &daemon->device, daemon->loop, backend, queues, count,
							  on_device_deleted, daemon);
	if (error == -EAGAIN)
		reason_set(reason, error,
				   "workers: no more threads can be created; check TasksMax= of the unit, ulimit -u and ulimit -v");
	else if (error)
		reason_set_errno(reason, error, "workers");
	if (error)
		goto destroy_device;
	if (count > 1 && !queues->steered)
		log_info(queues->name, "flows cannot be steered to queues by bpf(2); forwarded packets may be reordered");
	if (backend == BACKEND_IO_URING && worker_pool_backend(&daemon->workers)->ring_error) {
		const char *failure = strerror(-worker_pool_backend(&daemon->workers)->ring_error);

		log_warning(queues->name, "io_uring is unavailable (%s); using system calls", failure);
		device_warn(&daemon->device, WARNING_IO_URING, UINT64_MAX, clock_boottime(),
					"io_uring is unavailable (%s); packets are read by system calls", failure);
	}
	watch_signals(daemon);
	loop_sleep_without_end(daemon->loop, &daemon->never);
	return 0;
destroy_device:
	control_destroy(&daemon->device, daemon->loop);
destroy_aead:
	aead_destroy(&daemon->aead);
destroy_loop:
	ev_loop_destroy(daemon->loop);
close_tun:
	while (count)
		tun_close(&queues[--count]);
	return error;
}

int daemon_watch_link(struct daemon *daemon, struct reason *reason)
{
	int error = link_watch_start(&daemon->link_watch, &daemon->device, worker_pool_tun(&daemon->workers), daemon->loop,
								 on_device_deleted, daemon);

	if (error == -ENOENT)
		return reason_set(reason, error, "state of the link: /proc is not mounted");
	if (error)
		return reason_set_errno(reason, error, "state of the link");
	error = local_address_start(&daemon->local_addresses, &daemon->device, daemon->loop);
	if (error) {
		link_watch_stop(&daemon->link_watch);
		return reason_set_errno(reason, error, "changes of routes");
	}
	return 0;
}

const char *daemon_run(struct daemon *daemon)
{
	do {
		daemon->ending = false;
		if (!daemon->ended)
			ev_run(daemon->loop, 0);
		daemon->must_end = false;
		daemon->ending = true;
	} while (daemon->before_end && !daemon->before_end(daemon->context));
	control_set_up(&daemon->device, false, clock_boottime());
	log_counters(&daemon->device);
	return daemon->lost;
}

void daemon_end(struct daemon *daemon, const char *lost)
{
	if (!daemon->lost)
		daemon->lost = lost;
	if (daemon->ending)
		daemon->must_end = true;
	if (daemon->ending && lost)
		return;
	daemon->ended = true;
	ev_break(daemon->loop, EVBREAK_ALL);
}

static void on_end(int events, void *context)
{
	daemon_end(context, NULL);
}

/* The reply is sent in the next iteration of the loop, after this timer expires but before the loop ends. */
void daemon_end_soon(struct daemon *daemon)
{
	ev_once(daemon->loop, -1, 0, 0, on_end, daemon);
}

void daemon_destroy(struct daemon *daemon)
{
	local_address_stop(&daemon->local_addresses);
	link_watch_stop(&daemon->link_watch);
	for (int i = 0; i < DAEMON_SIGNALS; i++)
		ev_signal_stop(daemon->loop, &daemon->signals[i]);
	ev_periodic_stop(daemon->loop, &daemon->never);
	worker_pool_stop(&daemon->workers);
	control_destroy(&daemon->device, daemon->loop);
	aead_destroy(&daemon->aead);
	ev_loop_destroy(daemon->loop);
}
