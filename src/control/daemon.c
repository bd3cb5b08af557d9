#include "daemon.h"

#include <errno.h>
#include <ev.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "clock.h"
#include "endpoint_names.h"
#include "handshake.h"
#include "ini_config.h"
#include "log.h"
#include "netlink.h"
#include "network.h"
#include "notify.h"
#include "worker.h"

enum { SIGNALS = 3 };

struct daemon {
	struct config config;
	struct ev_loop *loop;
	struct device device;
	struct worker worker;
	struct network network;
	struct endpoint_names names;
	struct ev_signal signals[SIGNALS];
	struct ev_io link; /* link events */
};

/* --- while it runs --------------------------------------------------------------------------------------------------
 */

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
	else
		ev_break(loop, EVBREAK_ALL);
}

static void on_device_gone(void *context)
{
	struct daemon *daemon = context;

	log_info(daemon->device.name, "the interface was deleted");
	ev_break(daemon->loop, EVBREAK_ALL);
}

static void on_link_event(void *context, const struct netlink_event *event)
{
	struct daemon *daemon = context;

	if (!event->gone && event->mtu)
		daemon->device.mtu = event->mtu;
}

/* Lost events are asked for by the next change: only the MTU is followed here. */
static void on_link(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct daemon *daemon = watcher->data;

	netlink_watch_read(watcher->fd, daemon->network.index, on_link_event, daemon);
}

/* --- start and stop
 * --------------------------------------------------------------------------------------------------- */

static int fail(const struct daemon *daemon, const char *what, int error)
{
	log_error(daemon->config.interface, "%s: %s", what, strerror(-error));
	return error;
}

static int open_tun(struct daemon *daemon, struct tun *tun)
{
	int error = tun_open(tun, daemon->config.interface);

	if (error == -EBUSY)
		return fail(daemon, "the interface exists already and is in use", error);
	if (error == -EPERM)
		return fail(daemon, "making the interface needs root or CAP_NET_ADMIN", error);
	if (error)
		return fail(daemon, "opening the TUN device (/dev/net/tun)", error);
	return 0;
}

static int start_moving(struct daemon *daemon)
{
	struct tun tun;
	int error = open_tun(daemon, &tun);

	if (error)
		return error;
	error = worker_start(&daemon->worker, &daemon->device, daemon->loop, &tun, on_device_gone, daemon);
	if (error) {
		tun_close(&tun);
		return fail(daemon, "starting the worker", error);
	}
	return 0;
}

static int open_sockets(struct daemon *daemon, const struct network_plan *plan)
{
	struct device *device = &daemon->device;
	char what[64];
	int error;

	device->mark = plan->mark;
	device->listen_port = daemon->config.has_listen_port ? daemon->config.listen_port : 0;
	error = device_set_up(device, true, clock_boottime());
	if (error) {
		snprintf(what, sizeof what, "UDP port %u", device->listen_port);
		return fail(daemon, what, error);
	}
	return 0;
}

/* The addresses of the peers as far as they are known; the caller frees them. */
static struct endpoint *known_endpoints(const struct device *device, size_t *count)
{
	struct endpoint *endpoints = calloc(device->peer_count + 1, sizeof *endpoints);

	*count = 0;
	for (const struct peer *peer = device->first; endpoints && peer; peer = peer->next)
		if (endpoint_known(&peer->endpoint))
			endpoints[(*count)++] = peer->endpoint;
	return endpoints;
}

static void follow_link(struct daemon *daemon)
{
	struct netlink *netlink = netlink_open();
	int fd = netlink_watch_open();

	if (netlink)
		netlink_link_mtu(netlink, daemon->network.index, &daemon->device.mtu);
	netlink_close(netlink);
	ev_io_init(&daemon->link, on_link, fd, EV_READ);
	daemon->link.data = daemon;
	if (fd >= 0)
		ev_io_start(daemon->loop, &daemon->link);
}

static int set_up_network(struct daemon *daemon, const struct network_plan *plan)
{
	char why[NETWORK_WHY];
	size_t count;
	struct endpoint *endpoints = known_endpoints(&daemon->device, &count);
	int error;

	snprintf(daemon->network.name, sizeof daemon->network.name, "%s", daemon->worker.tun.name);
	daemon->network.index = if_nametoindex(daemon->network.name);
	error = network_up(&daemon->network, plan, &daemon->config, endpoints, count, why);
	free(endpoints);
	if (error)
		log_error(daemon->device.name, "%s", why);
	else
		follow_link(daemon);
	return error;
}

static void watch_signals(struct daemon *daemon)
{
	static const int numbers[SIGNALS] = { SIGTERM, SIGINT, SIGUSR1 };

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < SIGNALS; i++) {
		ev_signal_init(&daemon->signals[i], on_signal, numbers[i]);
		daemon->signals[i].data = daemon;
		ev_signal_start(daemon->loop, &daemon->signals[i]);
	}
}

/* Each step undoes itself when it fails; what came before it is undone here, in reverse order. */
static int serve(struct daemon *daemon)
{
	struct network_plan plan;
	char why[NETWORK_WHY];
	int error = network_plan(&plan, &daemon->network, &daemon->config, why);

	if (error) {
		log_error(daemon->config.interface, "%s", why);
		return error;
	}
	error = apply_config(&daemon->device, &daemon->config);
	if (error)
		return fail(daemon, "the peers", error);
	error = start_moving(daemon);
	if (error)
		return error;
	error = open_sockets(daemon, &plan);
	if (!error)
		error = set_up_network(daemon, &plan);
	if (error)
		goto stop_network;
	error = endpoint_names_start(&daemon->names, &daemon->config, &daemon->device, daemon->loop);
	if (error) {
		fail(daemon, "resolving endpoints", error);
		goto stop_network;
	}
	watch_signals(daemon);
	log_info(daemon->device.name, "up: %zu peer%s, port %u, MTU %u, %s", daemon->device.peer_count,
			 daemon->device.peer_count == 1 ? "" : "s", daemon->device.listen_port, daemon->device.mtu,
			 daemon->device.aead->name);
	notify_service("READY=1");
	ev_run(daemon->loop, 0);
	notify_service("STOPPING=1");
	log_counters(&daemon->device);
	endpoint_names_stop(&daemon->names);
stop_network:
	if (ev_is_active(&daemon->link)) {
		ev_io_stop(daemon->loop, &daemon->link);
		close(daemon->link.fd);
	}
	network_down(&daemon->network);
	worker_stop(&daemon->worker);
	return error;
}

static int run(struct daemon *daemon)
{
	const struct aead_provider *aead = aead_find(daemon->config.aead[0] ? daemon->config.aead : "auto");
	int error;

	daemon->loop = ev_default_loop(EVFLAG_AUTO);
	if (!daemon->loop)
		return fail(daemon, "making the event loop", -ENOMEM);
	error = device_init(&daemon->device, daemon->config.interface, aead, daemon->loop);
	if (error)
		return fail(daemon, "making the device", error);
	error = serve(daemon);
	device_destroy(&daemon->device, daemon->loop);
	return error;
}

static void print_finding(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

int command_run(int argc, char **argv)
{
	struct daemon daemon = { 0 };
	struct ini_report report = { .line = print_finding };
	int error;

	if (argc != 2) {
		fputs("usage: adit run FILE\n", stderr);
		return EXIT_FAILURE;
	}
	error = ini_load(&daemon.config, argv[1], &report);
	if (!error)
		error = run(&daemon);
	else if (!report.errors)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-error));
	config_destroy(&daemon.config);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
