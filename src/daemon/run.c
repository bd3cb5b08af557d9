/* SPDX-License-Identifier: MIT */
/* The command `adit run FILE`: start, reload and end of the daemon with a configuration file. */
#include "daemon/run.h"

#include <errno.h>
#include <malloc.h>
#include <net/if.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reason.h"
#include "base/usage.h"
#include "config/apply.h"
#include "config/ini.h"
#include "daemon/child.h"
#include "daemon/daemon.h"
#include "daemon/dns.h"
#include "daemon/handover.h"
#include "daemon/hooks.h"
#include "daemon/host_network.h"
#include "daemon/interface.h"
#include "daemon/names.h"
#include "daemon/notify.h"
#include "daemon/peer_hooks.h"
#include "daemon/reload_report.h"
#include "daemon/reload_summary.h"
#include "daemon/running_state.h"
#include "daemon/service_job.h"
#include "daemon/startup.h"
#include "daemon/status.h"
#include "daemon/waiting_client.h"
#include "daemon/watchdog.h"
#include "network/network.h"
#include "network/resolvconf.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"
#include "uapi/interface_lock.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"

#define NAMES_WAIT 5.0 /* seconds */

enum { EXIT_END_FAILED = 2 }; /* see command_run */

struct service {
	const char *path;
	bool strict;          /* reject files with keys that others can read */
	struct config config; /* of the interface; its peers are freed after they have been applied to the device */
	struct start_settings running;
	bool complete; /* PostUp has run, and the end has not begun */
	bool keep;     /* the service restarts: leave the interface and DNS to the next process, and run no hook */
	bool failed;   /* a hook or SaveConfig has failed while the daemon ended */
	struct daemon daemon;
	struct children children;
	struct hooks hooks;
	struct peer_hooks peer_hooks;
	struct dns dns;
	struct waiting_client down, reloader; /* the latter waits for the name servers of a reload */
	struct network *network;
	struct names names;
	struct uapi uapi;
	struct handover handover;
	struct interface_lock lock;
	struct status status;
	struct watchdog watchdog;
};

static enum log_level log_level_of(const struct config *config)
{
	return config->log_level ? config->log_level : LOG_INFO;
}

/* free(3) alone returns no memory to the kernel here, because the device's own peers are above it in the heap. */
static void free_config_peers(struct config *config)
{
	config_forget_peers(config);
	malloc_trim(0);
}

/* --- reload ----- */

/*
 * Applies `config` to everything, or to nothing. The network comes first, because it can be refused and reverted
 * without an effect on a session. A port of 0 keeps the port that is in use.
 */
static int apply_to_all(struct service *service, struct config *config, struct reload_summary *summary,
						struct reason *reason)
{
	struct device *device = &service->daemon.device;
	struct config previous;
	struct table_claim claim = { 0 };
	struct network_plan plan;
	int error = network_plan(&plan, network_claim(service->network), &claim, config, reason);

	if (error)
		return error;
	config->fwmark = plan.mark;
	config->has_fwmark = true;
	config->has_listen_port = config->listen_port != 0;
	error = host_network_prepare(service->network, device, config, &plan, &claim, reason);
	if (error)
		return error;
	summary_add_network(summary, service->network);
	previous = service->config;
	error = apply_capture(device, &previous);
	if (error) {
		reason_set_errno(reason, error, "current state of the device");
		goto forget_previous;
	}
	error = apply_reload(device, config, clock_boottime());
	if (error) {
		if (error == -EADDRINUSE)
			reason_set_errno(reason, error, "UDP port %u", config->listen_port);
		else
			reason_set_errno(reason, error, "port, mark and peers");
		goto forget_previous;
	}
	error = names_reload(&service->names, config);
	if (error) {
		reason_set_errno(reason, error, "resolver for endpoints");
		if (apply_reload(device, &previous, clock_boottime()))
			log_error(device->name, "reload: cannot restore the previous peers");
	}
forget_previous:
	config_forget_peers(&previous);
	sodium_memzero(&previous, sizeof previous);
	if (error)
		network_revert(service->network);
	else
		network_commit(service->network);
	return error;
}

/* The client of the reload gets the result, unless another reload follows first. */
static void on_name_servers(void *context, const char *failure)
{
	struct service *service = context;

	if (failure)
		waiting_client_message(&service->reloader, failure);
	waiting_client_line(&service->reloader, "applied", "1");
	waiting_client_finish(&service->reloader, failure ? -EIO : 0);
}

/*
 * Begins to set the name servers. The line `pending` announces a second answer, which on_name_servers sends. The lines
 * of the first one precede it in any case, because they are sent at once.
 */
static void reload_name_servers(struct service *service, const struct config *config, struct uapi_reply *reply)
{
	if (service->reloader.waits)
		on_name_servers(service, "DNS: another reload has followed before the name servers were set");
	if (reply && waiting_client_accept(&service->reloader, reply))
		log_debug(service->config.interface, "the reload does not report whether the name servers are set");
	dns_reload(&service->dns, config);
	if (!service->dns.awaited)
		waiting_client_drop(&service->reloader);
	if (!service->reloader.waits)
		return;
	uapi_reply_line(reply, "pending", "1");
	uapi_reply_flush(reply);
}

/* Reads the file again and applies the difference, or nothing. 0 or negative errno, reported to `reply` and the log. */
static int service_reload(struct service *service, struct uapi_reply *reply)
{
	struct reload_report report = { .interface = service->daemon.device.name, .reply = reply };
	struct ini_report findings = { .line = reload_report_message, .context = &report, .strict = service->strict };
	struct reload_summary summary;
	struct reason reason = { 0 };
	struct config config = { 0 };
	int error;

	if (!service->complete) {
		const char *refusal = service->daemon.ending ? "the tunnel is ending" : "the tunnel is still starting";

		reload_report_message(&report, refusal);
		reload_report_result(&service->daemon.device, refusal);
		return -EBUSY;
	}
	summary_start(&summary, &service->daemon.device);
	error = ini_load(&config, service->path, &findings);
	if (!error)
		error = apply_to_all(service, &config, &summary, &reason);
	else if (!findings.errors)
		reason_set_errno(&reason, error, "%s", service->path);
	if (error) {
		if (reason.text[0])
			reload_report_message(&report, reason.text);
		reload_report_result(&service->daemon.device, reason.text[0] ? reason.text : report.error);
		log_error(report.interface, "reload failed: the previous configuration remains in effect");
		config_destroy(&config);
		sodium_memzero(&summary, sizeof summary);
		return error;
	}
	startup_set_log_level(log_level_of(&config), &reason);
	peer_hooks_mark_changes(&service->peer_hooks, &config);
	summary_finish(&summary, &service->daemon.device, &service->config, &config);
	reload_report_deferred(&report, &service->running, &config);
	names_set_tunnel_servers(&service->names, config.dns_servers);
	if (reply)
		uapi_reply_line(reply, "changes", summary.text);
	reload_name_servers(service, &config, reply);
	config_destroy(&service->config);
	service->config = config;
	handover_reloaded(&service->handover, &service->config, network_claim(service->network));
	peer_hooks_reload(&service->peer_hooks, &service->config);
	free_config_peers(&service->config);
	log_info(report.interface, "reloaded: %s", summary.text);
	reload_report_result(&service->daemon.device, NULL);
	return 0;
}

static void on_hangup(void *context)
{
	struct service *service = context;

	uapi_finish_sets(&service->uapi);
	if (!service->complete) { /* refuses it; READY=1 would announce a tunnel that is starting or ending */
		service_reload(service, NULL);
		return;
	}
	notify_reloading();
	service_reload(service, NULL);
	status_send(&service->daemon.device, "READY=1\n");
}

/* A second request while PreDown runs does not interrupt it, but `adit stop` ends `adit down` in any case. */
static int on_stop_request(void *context, struct uapi_reply *reply)
{
	struct service *service = context;

	if (service->daemon.ending && !service->down.waits)
		return 0;
	log_info(service->daemon.device.name, "stopped over the control socket");
	daemon_end_soon(&service->daemon);
	return 0;
}

/*
 * The client waits for the result; see service_may_end. If the loop ends after this iteration, the first answer would
 * not be sent, and the client would take the result for it.
 */
static int on_down_request(void *context, struct uapi_reply *reply)
{
	struct service *service = context;
	const struct daemon *daemon = &service->daemon;
	int error = daemon->ending || daemon->ended ? -EBUSY : waiting_client_accept(&service->down, reply);

	if (error)
		return error;
	log_info(service->daemon.device.name, "taken down over the control socket");
	daemon_end_soon(&service->daemon);
	return 0;
}

static int on_reload_request(void *context, struct uapi_reply *reply)
{
	return service_reload(context, reply);
}

/* --- start and stop ----- */

static void service_socket_removed(void *context)
{
	struct service *service = context;

	daemon_end(&service->daemon, "the control socket was removed");
}

/*
 * Opens the control socket. Nobody could watch, reload or end a tunnel without it, so a failure ends the start, as with
 * other implementations. The exception is a socket that another daemon uses: another network namespace has an interface
 * of this name, and the lock, which is one per namespace, suffices for `adit down`.
 */
static int start_control(struct service *service, struct reason *reason)
{
	static const struct uapi_verb verbs[] = {
		{ "reload", on_reload_request }, { "stop", on_stop_request }, { "down", on_down_request }, { NULL, NULL }
	};
	const struct uapi_options options = {
		.verbs = verbs, .paths = &service->daemon.paths, .socket_removed = service_socket_removed, .context = service
	};
	const char *interface = service->config.interface;
	int error = uapi_start(&service->uapi, &service->daemon.device, service->daemon.loop, &options);

	if (error && error != -EADDRINUSE)
		return reason_set(reason, error, "control socket " UAPI_DIRECTORY "/%s.sock: %s", interface, strerror(-error));
	if (error)
		log_warning(interface,
					"no control socket (" UAPI_DIRECTORY
					"/%s.sock): another daemon uses it; adit show, adit reload and wg(8) cannot reach this tunnel",
					interface);
	service->daemon.reload = on_hangup;
	service->daemon.context = service;
	return 0;
}

static void on_routes_changed(void *context)
{
	struct service *service = context;

	names_host_changed(&service->names);
}

/*
 * Applies the configuration to the new device: peers, sockets, names, network, control socket. If most traffic will go
 * to the tunnel, it waits for the names first, because the routes also affect the queries of a DNS server on this host.
 * Without a default route they affect our own queries too, which then have no mark.
 */
static int service_start(struct service *service, const struct network_plan *plan, struct table_claim *claim,
						 struct reason *reason)
{
	struct daemon *daemon = &service->daemon;
	struct device *device = &daemon->device;
	int error;

	service->config.fwmark = plan->mark;
	service->config.has_fwmark = true;
	device->udp_options = service->config.udp_options;
	error = apply_reload(device, &service->config, 0); /* the link is down */
	if (error)
		return reason_set_errno(reason, error, "peers");
	handover_take_endpoints(&service->handover, &service->config);
	error = control_set_up(device, true, clock_boottime());
	if (error)
		return reason_set_errno(reason, error, "UDP port %u", device->listen_port);
	error = names_start(&service->names, &service->config, device, daemon->loop, &daemon->paths);
	if (error)
		return reason_set_errno(reason, error, "resolver for endpoints");
	if (host_network_takes_most(&service->config) && !service->handover.adopted)
		names_wait(&service->names, NAMES_WAIT, &daemon->ended);
	error = host_network_open(&service->network, device, service->handover.adopted, reason);
	if (error)
		goto stop_names;
	error = host_network_prepare(service->network, device, &service->config, plan, claim, reason);
	if (error)
		goto remove_network;
	network_commit(service->network);
	service->lock.left = false; /* what a killed daemon has left is removed or in use */
	error = daemon_watch_link(daemon, reason);
	if (error)
		goto remove_network;
	error = network_watch(service->network, daemon->loop, &daemon->paths);
	if (error) {
		reason_set_errno(reason, error, "rtnetlink");
		goto remove_network;
	}
	error = start_control(service, reason);
	if (error)
		goto remove_network;
	daemon->local_addresses.changed = on_routes_changed;
	daemon->local_addresses.context = service;
	return 0;
remove_network:
	if (service->handover.adopted)
		network_leave(service->network); /* until the next attempt, traffic must not leave in the clear */
	else
		network_close(service->network);
stop_names:
	names_stop(&service->names);
	return error;
}

/* Undoes service_start and service_complete; with `keep`, leaves everything to the next process. */
static void service_stop(struct service *service, bool keep)
{
	interface_lock_enter(&service->lock, INTERFACE_ENDING);
	service->complete = false; /* what follows may run the loop, but no reload may undo it */
	watchdog_stop(&service->watchdog);
	status_stop(&service->status);
	dns_stop(&service->dns, keep);
	if (!keep)
		peer_hooks_finish(&service->peer_hooks, &service->daemon.ended);
	peer_hooks_stop(&service->peer_hooks);
	children_stop(&service->children);
	uapi_stop(&service->uapi);
	names_stop(&service->names);
	link_watch_stop(&service->daemon.link_watch); /* before network_close takes the link down */
	if (keep) {
		log_info(service->daemon.device.name, "the service restarts: leaving the interface to the next process");
		handover_leave(&service->handover);
		network_leave(service->network);
		return;
	}
	network_close(service->network);
	handover_stop(&service->handover);
}

/*
 * Runs PreDown and writes the file, while packets still flow. A failure keeps the tunnel up if `adit down` ends it, as
 * wg-quick(8) does. A signal, `adit stop` or the loss of the interface ends it in any case, also during `adit down`:
 * then all commands run, and the file is written. Only a second signal kills the command that runs.
 */
static bool service_may_end(void *context)
{
	struct service *service = context;
	struct daemon *daemon = &service->daemon;
	bool may_stay = service->down.waits && !daemon->lost;
	const bool always = true, never = false;
	struct reason reason = { 0 };
	int error = 0;

	daemon->ended = false;
	service->keep = !daemon->lost && !may_stay && daemon->terminated && service_is_restarting();
	daemon->device.leaving = service->keep;
	if (!service->keep)
		error = hooks_run(&service->hooks, &service->children, HOOK_PRE_DOWN, &service->config,
						  may_stay ? &daemon->must_end : &always, may_stay ? &never : &daemon->ended, &reason);
	may_stay = may_stay && !daemon->must_end;
	if (service->config.save_config && !daemon->lost && (!error || !may_stay)) {
		struct reason warning = { 0 };
		int save_error =
			running_state_save(&daemon->device, &service->names, &service->config, service->path, &warning, &reason);

		if (warning.text[0]) {
			log_warning(daemon->device.name, "%s", warning.text);
			waiting_client_message(&service->down, warning.text);
		}
		if (save_error && may_stay)
			waiting_client_message(&service->down, "the tunnel stays up; \"adit stop\" ends it without its file");
		if (!error)
			error = save_error;
	}
	if (!error || error == -ECANCELED)
		return true;
	waiting_client_message(&service->down, reason.text);
	if (may_stay) {
		log_error(daemon->device.name, "%s; the tunnel stays up", reason.text);
		waiting_client_finish(&service->down, -EIO);
		return false;
	}
	log_error(daemon->device.name, "%s", reason.text);
	service->failed = true;
	return true;
}

/*
 * Sets the name servers and runs PostUp. The tunnel works already, so PostUp may use it. An interface that was taken
 * over has had its hooks.
 */
static int service_complete(struct service *service, struct reason *reason)
{
	struct daemon *daemon = &service->daemon;
	const bool keep_going = false;
	int error;

	daemon->before_end = service_may_end;
	error = children_start(&service->children, daemon->loop);
	if (error)
		return reason_set_errno(reason, error, "environment of hooks");
	names_set_tunnel_servers(&service->names, service->config.dns_servers);
	error = dns_start(&service->dns, daemon->device.name, &service->config, &service->children, &daemon->paths,
					  &service->hooks, &daemon->ended, reason);
	if (error)
		return error;
	if (service->handover.adopted && service->handover.name_servers && !service->config.dns_servers)
		dns_remove_left(&service->dns, &daemon->ended);
	service->dns.attempted = on_name_servers;
	service->dns.context = service;
	if (!service->handover.adopted)
		error = hooks_run(&service->hooks, &service->children, HOOK_POST_UP, &service->config, &keep_going,
						  &daemon->ended, reason);
	if (error)
		return error;
	error = peer_hooks_start(&service->peer_hooks, &daemon->device, &service->children, &service->config);
	if (error)
		return reason_set_errno(reason, error, "PeerUp and PeerDown");
	/* Only now: after a crash during PostUp, the next process must begin from the start. */
	handover_start(&service->handover, &service->config, network_claim(service->network));
	free_config_peers(&service->config);
	service->complete = true;
	return 0;
}

/* Runs PreUp, unless another program has this interface already: `adit IFNAME`, or another implementation. */
static int service_prepare(struct service *service, struct reason *reason)
{
	const struct config *config = &service->config;
	int fd = -1;

	if (config->hooks[HOOK_PRE_UP] && if_nametoindex(config->interface))
		fd = uapi_connect(UAPI_DIRECTORY, config->interface, 1);
	if (fd >= 0) {
		close(fd);
		return reason_set(reason, -EBUSY, "an interface of this name exists already, and another process uses it");
	}
	return hooks_run_alone(&service->hooks, HOOK_PRE_UP, config, false, reason);
}

/* Announces that the tunnel is up, and runs it until its end. */
static int service_serve(struct service *service, void (*ready)(void *context), void *context, struct reason *reason)
{
	struct device *device = &service->daemon.device;
	unsigned workers = service->daemon.workers.count;
	const char *lost;

	log_info(device->name, "up: %zu peer%s, port %u, MTU %u, %s, %s, %u worker%s%s", device->peer_count,
			 device->peer_count == 1 ? "" : "s", device->listen_port, device->mtu, device->aead->name, device->backend,
			 workers, workers == 1 ? "" : "s", service->handover.adopted ? ", interface taken over" : "");
	interface_lock_enter(&service->lock, INTERFACE_UP);
	status_send(&service->daemon.device, "READY=1\n");
	status_start(&service->status, device, service->daemon.loop);
	watchdog_start(&service->watchdog, device, service->daemon.loop);
	if (ready)
		ready(context);
	lost = daemon_run(&service->daemon);
	notify_service("STOPPING=1");
	/* The loss is a failure, so that the service manager starts the tunnel again. */
	return lost ? reason_set(reason, -ENODEV, "%s", lost) : 0;
}

static int service_run(struct service *service, void (*ready)(void *context), void *context, struct reason *reason)
{
	const struct config *config = &service->config;
	struct table_claim claim = { 0 };
	struct network_plan plan;
	struct tun queues[WORKERS_MAX];
	unsigned count;
	bool has_been_up = false;
	int error;

	service->running = reload_report_settings(config);
	count = service->running.workers;
	error = startup_check_descriptors(count, reason);
	if (error)
		return error;
	error = interface_lock_name(&service->lock, config->interface, reason);
	if (error)
		return error;
	error = host_network_plan(&service->handover, config, &plan, &claim, reason);
	if (error)
		goto release_lock;
	if (!handover_take_tun(&service->handover, queues, &count, config)) {
		if ((service->lock.left || service->handover.name_servers) && !config->dns_servers)
			resolvconf_remove(config->interface); /* before PreUp, which may set other servers */
		error = service_prepare(service, reason);
		if (!error)
			error = interface_open(queues, &count, config->interface, config->workers, reason);
	}
	if (error)
		goto release_claim;
	for (unsigned i = 0; i < count && config->no_tun_offload; i++)
		tun_disable_offloads(&queues[i]);
	error = daemon_init(&service->daemon, config_crypto_provider(config), config->tun_backend, queues, count, reason);
	if (error)
		goto release_claim;
	handover_take_sockets(&service->handover, &service->daemon.workers, config, service->daemon.loop);
	error = service_start(service, &plan, &claim, reason);
	if (error)
		goto destroy_daemon;
	error = service_complete(service, reason);
	if (error) /* as in service_start: the service manager tries again */
		service->keep = service->handover.adopted;
	if (error && service->daemon.lost)
		error = reason_set(reason, -ENODEV, "%s", service->daemon.lost);
	if (error)
		goto stop_service;
	error = service_serve(service, ready, context, reason);
	has_been_up = true;
stop_service:
	service_stop(service, service->keep);
destroy_daemon:
	handover_leave(&service->handover);
	daemon_destroy(&service->daemon);
release_claim:
	table_claim_release(&claim);
	if (has_been_up && !service->keep &&
		hooks_run_alone(&service->hooks, HOOK_POST_DOWN, config, !service->down.waits, reason) && !error) {
		service->failed = true;
		error = -EIO;
	}
release_lock:
	interface_lock_release(&service->lock);
	return error;
}

/* The output of a command, or the command itself, which only the end of the tunnel shows. */
static void service_progress(void *context, const char *text)
{
	struct service *service = context;

	waiting_client_message(&service->down, text);
	if (strncmp(text, "[#]", 3) != 0)
		waiting_client_message(&service->reloader, text);
}

/* Runs the tunnel until its end. `service` is zeroed except for the handover and the options. Returns as run_tunnel. */
static int service_live(struct service *service, const char *path, struct config *config, void (*ready)(void *context),
						void *context)
{
	struct reason reason = { 0 };
	int error;

	service->path = path;
	service->config = *config;
	*config = (struct config) { 0 };
	service->hooks =
		(struct hooks) { .interface = service->config.interface, .progress = service_progress, .context = service };
	error = service_run(service, ready, context, &reason);
	if (error == -ECANCELED)
		log_info(service->config.interface, "stopped before it was up");
	else if (error)
		log_error(service->config.interface, "%s", reason.text);
	if (error && *reason.text)
		waiting_client_message(&service->down, reason.text);
	if (error == -ECANCELED || (!error && service->failed))
		error = service->failed ? -EIO : 0;
	waiting_client_finish(&service->down, error ? -EIO : 0);
	config_destroy(&service->config);
	return error;
}

/* Takes over what the environment sets. Returns 0, or -EINVAL if it is wrong, which has been logged. */
static int apply_environment(const struct config *config)
{
	struct reason reason = { 0 };
	int error = startup_set_log_level(log_level_of(config), &reason);

	if (!error)
		error = hooks_check_timeout(&reason);
	if (error)
		log_error(config->interface, "%s", reason.text);
	return error;
}

int run_tunnel(const char *path, struct config *config, bool strict, void (*ready)(void *context), void *context)
{
	struct service service = { .strict = strict };
	int error = apply_environment(config);

	if (error) {
		config_destroy(config);
		return error;
	}
	handover_receive(&service.handover);
	return service_live(&service, path, config, ready, context);
}

int command_run(int argc, char **argv)
{
	struct ini_report findings = { .line = ini_print_line };
	struct service service = { .strict = usage_take_flag(&argc, argv, "--strict") };
	struct config config = { 0 };
	const char *path;
	int error;

	if (!usage_check("run", argc, argv, "[--strict] FILE", 1, 1))
		return EXIT_FAILURE;
	path = argv[1];
	findings.strict = service.strict;
	handover_receive(&service.handover);
	startup_close_inherited_after(service.handover.store.last);
	error = ini_load(&config, path, &findings);
	if (error && !findings.errors)
		fprintf(stderr, "%s: error: %s\n", path, strerror(-error));
	if (!error)
		error = apply_environment(&config);
	if (error) {
		if (error != -ENOMEM)
			handover_sweep(&service.handover);
		config_destroy(&config);
		return error == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
	}
	error = service_live(&service, path, &config, NULL, NULL);
	if (error == -EIO && service.failed)
		return EXIT_END_FAILED;
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
