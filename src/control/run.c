#include "run.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "clock.h"
#include "daemon.h"
#include "endpoint_names.h"
#include "ini_config.h"
#include "log.h"
#include "network.h"
#include "notify.h"

struct service {
	struct config config;
	struct daemon daemon;
	struct network network;
	struct endpoint_names names;
};

static int fail(const struct service *service, const char *what, int error)
{
	log_error(service->config.interface, "%s: %s", what, strerror(-error));
	return error;
}

static int make_daemon(struct service *service)
{
	const struct config *config = &service->config;
	struct tun tun;
	int error = tun_open(&tun, config->interface);

	if (error == -EBUSY)
		return fail(service, "the interface exists already and is in use", error);
	if (error == -EPERM)
		return fail(service, "making the interface needs root or CAP_NET_ADMIN", error);
	if (error)
		return fail(service, "opening the TUN device (/dev/net/tun)", error);
	return daemon_init(&service->daemon, aead_find(config->aead[0] ? config->aead : "auto"), &tun);
}

static int open_sockets(struct service *service, uint32_t mark)
{
	struct device *device = &service->daemon.device;
	char what[64];
	int error;

	device->mark = mark;
	device->listen_port = service->config.has_listen_port ? service->config.listen_port : 0;
	error = device_set_up(device, true, clock_boottime());
	if (error) {
		snprintf(what, sizeof what, "UDP port %u", device->listen_port);
		return fail(service, what, error);
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

static int set_up_network(struct service *service, const struct network_plan *plan)
{
	const struct device *device = &service->daemon.device;
	struct network *network = &service->network;
	char why[NETWORK_WHY];
	size_t count;
	struct endpoint *endpoints = known_endpoints(device, &count);
	int error;

	memcpy(network->name, device->name, sizeof network->name);
	network->index = if_nametoindex(network->name);
	error = network_up(network, plan, &service->config, endpoints, count, why);
	free(endpoints);
	if (error)
		log_error(device->name, "%s", why);
	return error;
}

/* From the configuration to a device that works; what a failure leaves is undone by take_down. */
static int bring_up(struct service *service, const struct network_plan *plan)
{
	struct daemon *daemon = &service->daemon;
	int error = apply_config(&daemon->device, &service->config);

	if (error)
		return fail(service, "making the peers", error);
	error = open_sockets(service, plan->mark);
	if (!error)
		error = set_up_network(service, plan);
	if (!error)
		error = daemon_follow(daemon);
	if (error)
		return error;
	error = endpoint_names_start(&service->names, &service->config, &daemon->device, daemon->loop);
	return error ? fail(service, "resolving endpoints", error) : 0;
}

static void take_down(struct service *service)
{
	endpoint_names_stop(&service->names);
	follow_stop(&service->daemon.follow); /* the link goes down by our own hand now */
	network_down(&service->network);
	daemon_destroy(&service->daemon);
}

static void serve(struct service *service)
{
	const struct device *device = &service->daemon.device;

	log_info(device->name, "up: %zu peer%s, port %u, MTU %u, %s", device->peer_count,
			 device->peer_count == 1 ? "" : "s", device->listen_port, device->mtu, device->aead->name);
	notify_service("READY=1");
	daemon_run(&service->daemon);
	notify_service("STOPPING=1");
}

static int run(struct service *service)
{
	struct network_plan plan;
	char why[NETWORK_WHY];
	int error = network_plan(&plan, NULL, &service->config, why);

	if (error) {
		log_error(service->config.interface, "%s", why);
		return error;
	}
	error = make_daemon(service);
	if (error)
		return error;
	error = bring_up(service, &plan);
	if (!error)
		serve(service);
	take_down(service);
	return error;
}

static void print_finding(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

int command_run(int argc, char **argv)
{
	struct ini_report report = { .line = print_finding };
	struct service service = { 0 };
	int error;

	if (argc != 2) {
		fputs("usage: adit run FILE\n", stderr);
		return EXIT_FAILURE;
	}
	error = ini_load(&service.config, argv[1], &report);
	if (!error)
		error = run(&service);
	else if (!report.errors)
		fprintf(stderr, "%s: error: %s\n", argv[1], strerror(-error));
	config_destroy(&service.config);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
