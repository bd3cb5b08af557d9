#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "log.h"

#define FAR_FUTURE 1e10 /* seconds since the epoch */

static void log_counters(const struct device *device)
{
	for (unsigned i = 0; i < COUNTERS; i++)
		if (device->counters.value[i])
			log_info(device->name, "%s %llu", counter_name(i), (unsigned long long)device->counters.value[i]);
	for (const struct peer *peer = device->first; peer; peer = peer->next)
		log_info(peer->text, "rx_bytes %llu tx_bytes %llu", (unsigned long long)peer->rx_bytes,
				 (unsigned long long)peer->tx_bytes);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	struct daemon *daemon = watcher->data;

	if (watcher->signum == SIGUSR1)
		log_counters(&daemon->device);
	else if (watcher->signum == SIGHUP && daemon->reload)
		daemon->reload(daemon->context);
	else if (watcher->signum != SIGHUP)
		daemon_end(daemon);
}

static void on_gone(void *context)
{
	struct daemon *daemon = context;

	log_info(daemon->device.name, "the interface was deleted");
	daemon_end(daemon);
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

static void on_never(struct ev_loop *loop, struct ev_periodic *watcher, int events)
{
}

/*
 * libev wakes up each minute to see whether the clock was set, unless a periodic watcher makes it ask the kernel to be
 * told (a timerfd, from libev 4.33 on). An idle tunnel has nothing to wake up for.
 */
static void sleep_without_end(struct daemon *daemon)
{
	ev_periodic_init(&daemon->never, on_never, FAR_FUTURE, 0., NULL);
	ev_periodic_start(daemon->loop, &daemon->never);
}

/* No such build may ever be taken for one to use. */
static void warn_of_bench_build(const char *name)
{
#ifdef ADIT_NULL_CIPHER
	log_error(name, "THIS BUILD IS FOR BENCHMARKS ONLY: with `Aead = null` it encrypts nothing (ADIT_NULL_CIPHER)");
#endif
}

int daemon_init(struct daemon *daemon, const char *aead, struct tun *tun)
{
	int error = -ENOMEM;

	warn_of_bench_build(tun->name);
	*daemon = (struct daemon) { .loop = ev_default_loop(EVFLAG_AUTO) };
	if (!daemon->loop)
		goto close_tun;
	error = aead_init(&daemon->aead, aead);
	if (error)
		goto close_tun;
	error = device_init(&daemon->device, tun->name, &daemon->aead, daemon->loop);
	if (error)
		goto destroy_aead;
	error = worker_start(&daemon->worker, &daemon->device, daemon->loop, tun, on_gone, daemon);
	if (error)
		goto destroy_device;
	watch_signals(daemon);
	sleep_without_end(daemon);
	return 0;
destroy_device:
	device_destroy(&daemon->device, daemon->loop);
destroy_aead:
	aead_destroy(&daemon->aead);
close_tun:
	log_error(tun->name, "starting: %s", strerror(-error));
	tun_close(tun);
	return error;
}

int daemon_follow(struct daemon *daemon)
{
	int error = follow_start(&daemon->follow, &daemon->device, daemon->worker.tun.fd, daemon->loop, on_gone, daemon);

	if (!error)
		error = sources_start(&daemon->sources, &daemon->device, daemon->loop);
	if (error)
		log_error(daemon->device.name, "following link and routes: %s", strerror(-error));
	return error;
}

void daemon_run(struct daemon *daemon)
{
	ev_run(daemon->loop, 0);
	log_counters(&daemon->device);
}

void daemon_end(struct daemon *daemon)
{
	ev_break(daemon->loop, EVBREAK_ALL);
}

void daemon_destroy(struct daemon *daemon)
{
	sources_stop(&daemon->sources);
	follow_stop(&daemon->follow);
	for (int i = 0; i < DAEMON_SIGNALS; i++)
		ev_signal_stop(daemon->loop, &daemon->signals[i]);
	ev_periodic_stop(daemon->loop, &daemon->never);
	worker_stop(&daemon->worker);
	device_destroy(&daemon->device, daemon->loop);
	aead_destroy(&daemon->aead);
	ev_loop_destroy(daemon->loop);
}
