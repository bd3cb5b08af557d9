/* SPDX-License-Identifier: MIT */
#include "daemon/run.h"

#include <errno.h>
#include <malloc.h>
#include <net/if.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/apply.h"
#include "config/ini.h"
#include "daemon/daemon.h"
#include "daemon/endpoint_names.h"
#include "daemon/notify.h"
#include "network/network.h"
#include "uapi/uapi.h"

struct service {
	const char *path;
	struct config config; /* of the interface; what it said of the peers is the device's, and kept only there */
	struct daemon daemon;
	struct network network;
	struct endpoint_names names;
	struct uapi uapi;
};

static int fail(const struct service *service, const char *what, int error)
{
	log_error(service->config.interface, "%s: %s", what, strerror(-error));
	return error;
}

/*
 * Opens as many queues as there are to be workers, and tells how many. A device that is there already may have one
 * only: then auto is one.
 */
static int open_tun(struct tun *queues, unsigned *count, const struct config *config)
{
	int error;

	*count = config->workers ? config->workers : workers_auto();
	error = tun_open_queues(queues, *count, config->interface);
	if (error != -EINVAL || *count == 1 || config->workers)
		return error;
	*count = 1;
	return tun_open(queues, config->interface);
}

/* They lie below what was made of them, so freeing alone gives none of their memory back. */
static void forget_peers(struct config *config)
{
	config_forget_peers(config);
	malloc_trim(0);
}

static int make_daemon(struct service *service)
{
	const struct config *config = &service->config;
	struct tun queues[WORKERS_MAX];
	unsigned count;
	int error = open_tun(queues, &count, config);

	if (error == -EBUSY || (error == -EINVAL && if_nametoindex(config->interface)))
		return fail(service, "an interface of this name exists already", -EEXIST);
	if (error == -EPERM)
		return fail(service, "making the interface needs root or CAP_NET_ADMIN", error);
	if (error)
		return fail(service, "opening the TUN device (/dev/net/tun)", error);
	return daemon_init(&service->daemon, config->crypto_provider[0] ? config->crypto_provider : "auto",
					   config->tun_backend, queues, count);
}

static int open_sockets(struct service *service)
{
	struct device *device = &service->daemon.device;
	char what[64];
	int error = device_set_up(device, true, clock_boottime());

	if (!error)
		return 0;
	snprintf(what, sizeof what, "UDP port %u", device->listen_port);
	return fail(service, what, error);
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

/* Addresses, MTU, routes and rules as `config` wants them. The plan's mark is the device's already. */
static int set_up_network(struct service *service, const struct config *config, const struct network_plan *plan,
						  char why[NETWORK_WHY])
{
	size_t count;
	struct endpoint *endpoints = known_endpoints(&service->daemon.device, &count);
	int error = network_up(&service->network, plan, config, endpoints, count, why);

	free(endpoints);
	return error;
}

static int start_network(struct service *service, const struct network_plan *plan)
{
	const struct device *device = &service->daemon.device;
	char why[NETWORK_WHY];
	int error;

	memcpy(service->network.name, device->name, sizeof service->network.name);
	service->network.index = if_nametoindex(device->name);
	error = set_up_network(service, &service->config, plan, why);
	if (error)
		log_error(device->name, "%s", why);
	return error;
}

/* --- reload ---------------------------------------------------------------------------------------------------------
 */

/* Who wants to hear of a reload: the log, and the client that asked for it. */
struct audience {
	const char *subject;
	struct uapi_reply *reply; /* NULL: SIGHUP asked */
};

static void tell(void *context, const char *text)
{
	const struct audience *audience = context;

	log_warning(audience->subject, "reload: %s", text);
	if (audience->reply)
		uapi_reply_line(audience->reply, "message", text);
}

static int tell_failure(struct audience *audience, const char *what, int error)
{
	char text[NETWORK_WHY + 64];

	snprintf(text, sizeof text, "%s: %s", what, strerror(-error));
	tell(audience, text);
	return error;
}

/* What a running daemon cannot change. */
static void tell_of_next_start(const struct config *now, const struct config *wanted, struct audience *audience)
{
	if (strcmp(now->crypto_provider[0] ? now->crypto_provider : "auto",
			   wanted->crypto_provider[0] ? wanted->crypto_provider : "auto") != 0)
		tell(audience, "CryptoProvider counts from the next start on");
	if (now->tun_backend != wanted->tun_backend)
		tell(audience, "TunBackend counts from the next start on");
	if (now->workers != wanted->workers)
		tell(audience, "Workers counts from the next start on");
}

/* Makes device and network be what `config` says. What it did until a failure is not undone here. */
static int adopt(struct service *service, struct config *config, struct audience *audience)
{
	struct network_plan plan;
	char why[NETWORK_WHY];
	int error = network_plan(&plan, &service->network, config, why);

	if (error) {
		tell(audience, why);
		return error;
	}
	config->fwmark = plan.mark;
	config->has_fwmark = true;
	error = apply_reload(&service->daemon.device, config, clock_boottime());
	if (error)
		return tell_failure(audience, "applying", error);
	error = set_up_network(service, config, &plan, why);
	if (error)
		tell(audience, why);
	return error;
}

/* The same, names too; or after an error all is as it was, also what was set since the file was read last. */
static int adopt_or_return(struct service *service, struct config *config, struct audience *audience)
{
	struct config before = service->config;
	int error = apply_capture(&service->daemon.device, &before);

	if (error)
		return tell_failure(audience, "remembering what is", error);
	error = adopt(service, config, audience);
	if (!error) {
		error = endpoint_names_reload(&service->names, config);
		if (error)
			tell_failure(audience, "resolving endpoints", error);
	}
	if (error)
		adopt(service, &before, audience);
	config_forget_peers(&before);
	sodium_memzero(&before, sizeof before);
	return error;
}

/* Reads the file again and applies the difference. After an error all is as it was. */
static int reload(struct service *service, struct audience *audience)
{
	struct ini_report report = { .line = tell, .context = audience };
	struct config config = { 0 };
	int error = ini_load(&config, service->path, &report);

	if (error && !report.errors)
		tell_failure(audience, service->path, error);
	else if (!error)
		error = adopt_or_return(service, &config, audience);
	if (!error)
		tell_of_next_start(&service->config, &config, audience);
	if (error) {
		config_destroy(&config);
		log_error(audience->subject, "reload: nothing was changed");
		return error;
	}
	config_destroy(&service->config);
	service->config = config;
	forget_peers(&service->config);
	log_info(audience->subject, "reloaded: %zu peers", service->daemon.device.peer_count);
	return 0;
}

static void on_hangup(void *context)
{
	struct service *service = context;
	struct audience audience = { service->daemon.device.name, NULL };

	notify_service("RELOADING=1");
	reload(service, &audience);
	notify_service("READY=1");
}

static int on_reload_request(void *context, struct uapi_reply *reply)
{
	struct service *service = context;
	struct audience audience = { service->daemon.device.name, reply };

	return reload(service, &audience);
}

static void on_socket_gone(void *context)
{
	struct service *service = context;

	log_info(service->daemon.device.name, "the control socket was removed");
	daemon_end(&service->daemon);
}

/*
 * A tunnel without its control socket is still a tunnel: another network namespace may have an interface of this name,
 * or the folder may not be ours to write.
 */
static void open_control(struct service *service)
{
	static const struct uapi_verb verbs[] = { { "reload", on_reload_request }, { NULL, NULL } };
	const struct uapi_options options = { .verbs = verbs, .socket_removed = on_socket_gone, .context = service };
	int error = uapi_start(&service->uapi, &service->daemon.device, service->daemon.loop, &options);

	if (error)
		log_warning(service->config.interface, "no control socket " UAPI_DIRECTORY "/%s.sock for wg(8): %s",
					service->config.interface, error == -EADDRINUSE ? "another daemon has it" : strerror(-error));
	service->daemon.reload = on_hangup;
	service->daemon.context = service;
}

/* --- start and stop
 * --------------------------------------------------------------------------------------------------- */

/* From the configuration to a device that works; what a failure leaves is undone by take_down. */
static int bring_up(struct service *service, const struct network_plan *plan)
{
	struct daemon *daemon = &service->daemon;
	int error;

	service->config.fwmark = plan->mark;
	service->config.has_fwmark = true;
	error = apply_config(&daemon->device, &service->config);
	if (error)
		return fail(service, "making the peers", error);
	error = open_sockets(service);
	if (!error)
		error = start_network(service, plan);
	if (!error)
		error = daemon_follow(daemon);
	if (error)
		return error;
	open_control(service);
	error = endpoint_names_start(&service->names, &service->config, &daemon->device, daemon->loop);
	forget_peers(&service->config);
	return error ? fail(service, "resolving endpoints", error) : 0;
}

static void take_down(struct service *service)
{
	uapi_stop(&service->uapi);
	endpoint_names_stop(&service->names);
	follow_stop(&service->daemon.follow); /* the link goes down by our own hand now */
	network_down(&service->network);
	daemon_destroy(&service->daemon);
}

static void serve(struct service *service)
{
	const struct device *device = &service->daemon.device;

	log_info(device->name, "up: %zu peer%s, port %u, MTU %u, %s, %s, %u worker%s", device->peer_count,
			 device->peer_count == 1 ? "" : "s", device->listen_port, device->mtu, device->aead->name, device->backend,
			 service->daemon.workers.count, service->daemon.workers.count == 1 ? "" : "s");
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
	service.path = argv[1];
	error = ini_load(&service.config, argv[1], &report);
	if (!error)
		error = run(&service);
	else if (!report.errors)
		fprintf(stderr, "%s: error: %s\n", argv[1], strerror(-error));
	config_destroy(&service.config);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
