/* SPDX-License-Identifier: MIT */
/* Endpoint names: the name table on the loop. */
#include "daemon/names.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/hosts_file.h"
#include "daemon/resolver.h"

#define IPV6_CHECK_INTERVAL 1.0 /* seconds */

static const char *const watched_files[PATH_WATCH_FILES] = { RESOLV_CONF, HOSTS_FILE };

/* --- services for the name table ----- */

static struct resolver_query *start_lookup(void *context, const char *host, int family, void *name)
{
	struct names *names = context;

	return resolver_lookup(names->resolver, host, family, name);
}

static void abandon_query(void *context, struct resolver_query *query)
{
	resolver_abandon(query);
}

static uint64_t hosts_version(void *context)
{
	struct names *names = context;
	struct stat now;

	if (stat(HOSTS_FILE, &now))
		now = (struct stat) { 0 };
	if (!names->hosts_version || file_differs(&now, &names->hosts))
		names->hosts_version++;
	names->hosts = now;
	return names->hosts_version;
}

static void read_hosts(void *context, void (*handle)(void *to, const char *host, const struct endpoint *address),
					   void *to)
{
	const struct names *names = context;
	int error = hosts_file_read(HOSTS_FILE, handle, to);

	if (error && error != -ENOENT)
		log_warning(names->device->name, "%s: %s", HOSTS_FILE, strerror(-error));
}

static bool has_route(void *context, const struct endpoint *to)
{
	struct names *names = context;
	bool v6 = to->to.any.sa_family == AF_INET6;
	struct ip_prefix prefix = { .family = (uint8_t)to->to.any.sa_family };
	uint32_t index;

	if (v6 && to->to.v6.sin6_scope_id)
		return true;
	memcpy(prefix.address, v6 ? (const void *)&to->to.v6.sin6_addr : &to->to.v4.sin_addr, v6 ? 16 : 4);
	if (netlink_route_interface(names->netlink, &prefix, names->device->mark, &index))
		return false;
	return index != names->own_index;
}

static bool has_ipv6(void *context)
{
	struct names *names = context;
	double now = clock_seconds();
	struct ifaddrs *addresses;
	bool found = false;

	if (names->ipv6_checked_at && now - names->ipv6_checked_at < IPV6_CHECK_INTERVAL)
		return names->has_ipv6;
	names->ipv6_checked_at = now;
	names->has_ipv6 = true; /* if it cannot be found out: a needless query costs little */
	if (getifaddrs(&addresses))
		return true;
	for (const struct ifaddrs *entry = addresses; entry && !found; entry = entry->ifa_next)
		found = entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET6 && !(entry->ifa_flags & IFF_LOOPBACK) &&
				if_nametoindex(entry->ifa_name) != names->own_index;
	freeifaddrs(addresses);
	names->has_ipv6 = found;
	return found;
}

static const struct name_table_ops table_ops = {
	.lookup = start_lookup,
	.abandon = abandon_query,
	.hosts_version = hosts_version,
	.read_hosts = read_hosts,
	.reachable = has_route,
	.has_ipv6 = has_ipv6,
};

/* --- events ----- */

/* Call it after every call that may change a deadline of the table. */
static void arm_names_timer(struct names *names, uint64_t now)
{
	uint64_t next = name_table_next(&names->table);

	ev_timer_stop(names->loop, &names->timer);
	if (!next)
		return;
	ev_timer_set(&names->timer, next > now ? (double)(next - now) / NS_PER_S : 0., 0.);
	ev_timer_start(names->loop, &names->timer);
}

static void on_names_timer(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct names *names = watcher->data;
	uint64_t now = clock_boottime();

	name_table_run(&names->table, now);
	arm_names_timer(names, now);
}

static void on_resolver_answer(void *context, void *name, const struct resolver_answer *answer)
{
	struct names *names = context;
	uint64_t now = clock_boottime();

	name_table_answer(&names->table, name, answer, now);
	arm_names_timer(names, now);
}

static void on_peer_silent(void *context, struct peer *peer)
{
	struct names *names = context;
	uint64_t now = clock_boottime();

	name_table_peer_silent(&names->table, peer, now);
	arm_names_timer(names, now);
}

static void on_endpoint_set(void *context, struct peer *peer)
{
	struct names *names = context;

	name_table_peer_set(&names->table, peer);
}

static bool describe_lookup(void *context, const struct peer *peer, char *text, size_t size)
{
	const struct names *names = context;

	return name_table_describe(&names->table, peer, text, size);
}

static void on_files_changed(struct path_watch *files)
{
	struct names *names = container_of(files, struct names, files);

	resolver_refresh(names->resolver);
	names_host_changed(names);
}

void names_host_changed(struct names *names)
{
	uint64_t now = clock_boottime();

	if (!names->resolver)
		return;
	names->ipv6_checked_at = 0;
	if (name_table_host_changed(&names->table, now) && name_table_has_slow(&names->table))
		resolver_restart(names->resolver);
	arm_names_timer(names, now);
}

/* --- life ----- */

static bool has_names(const struct config *config)
{
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		if (name_table_wants(peer))
			return true;
	return false;
}

static int open_names(struct names *names)
{
	struct device *device = names->device;
	const struct resolver_options options = {
		.path = RESOLV_CONF,
		.upstream = RESOLV_CONF_UPSTREAM,
		.log_name = device->name,
		.mark = &device->mark,
		.tunnel_servers = &names->tunnel_servers,
		.answered = on_resolver_answer,
		.context = names,
	};
	int error = name_table_init(&names->table, device, &table_ops, names);

	if (error)
		return error;
	names->netlink = netlink_open();
	error = names->netlink ? 0 : -errno;
	if (error)
		goto destroy_table;
	names->resolver = resolver_create(names->loop, &options);
	error = names->resolver ? 0 : -errno;
	if (error)
		goto close_netlink;
	ev_init(&names->timer, on_names_timer);
	names->timer.data = names;
	error = path_watch_files(&names->files);
	if (error)
		log_debug(device->name, "inotify: %s; changes of " RESOLV_CONF " take effect at the next lookup",
				  strerror(-error));
	device->unanswered = on_peer_silent;
	device->endpoint_set = on_endpoint_set;
	device->describe_lookup = describe_lookup;
	device->unanswered_context = names;
	return 0;
close_netlink:
	netlink_close(names->netlink);
	names->netlink = NULL;
destroy_table:
	name_table_destroy(&names->table);
	return error;
}

int names_reload(struct names *names, const struct config *config)
{
	uint64_t now = clock_boottime();
	int error = 0;

	if (!names->resolver) {
		if (!has_names(config))
			return 0;
		error = open_names(names);
	}
	if (!error)
		error = name_table_load(&names->table, config, now);
	if (error)
		return error;
	resolver_refresh(names->resolver); /* the mark may have changed */
	arm_names_timer(names, now);
	return 0;
}

int names_start(struct names *names, const struct config *config, struct device *device, struct ev_loop *loop,
				struct path_watches *paths)
{
	*names = (struct names) { .device = device, .loop = loop, .own_index = if_nametoindex(device->name) };
	names->files =
		(struct path_watch) { .watches = paths, .changed = on_files_changed, .files = watched_files, .folder = "/etc" };
	return names_reload(names, config);
}

void names_set_tunnel_servers(struct names *names, const struct config_line *servers)
{
	names->tunnel_servers = servers;
	if (names->resolver)
		resolver_refresh(names->resolver);
}

bool names_follows(const struct names *names, struct peer *peer)
{
	return names->resolver && name_table_follows(&names->table, peer);
}

static void on_wait_over(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
}

void names_wait(struct names *names, double seconds, const bool *ended)
{
	struct ev_timer limit;

	if (!names->resolver)
		return;
	ev_timer_init(&limit, on_wait_over, seconds, 0.);
	ev_now_update(names->loop);
	ev_timer_start(names->loop, &limit);
	while (!name_table_all_tried(&names->table) && ev_is_active(&limit) && !*ended)
		ev_run(names->loop, EVRUN_ONCE);
	ev_timer_stop(names->loop, &limit);
}

void names_stop(struct names *names)
{
	if (names->resolver) {
		names->device->unanswered = NULL;
		names->device->endpoint_set = NULL;
		names->device->describe_lookup = NULL;
		path_watch_stop(&names->files);
		ev_timer_stop(names->loop, &names->timer);
		name_table_destroy(&names->table);
		resolver_destroy(names->resolver);
		netlink_close(names->netlink);
	}
	*names = (struct names) { 0 };
}
