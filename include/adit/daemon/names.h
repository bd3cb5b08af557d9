/* SPDX-License-Identifier: MIT */
/*
 * Endpoint names: keeps the peers of `adit run` whose endpoint is a host name at an address of that name.
 *
 * This module connects the name table to the loop, the resolver, the hosts file and the routes of the host. Without
 * names in the configuration it opens no descriptors.
 */
#ifndef ADIT_DAEMON_NAMES_H
#define ADIT_DAEMON_NAMES_H

#include <ev.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "config/config.h"
#include "daemon/name_table.h"
#include "io/netlink.h"
#include "io/path_watch.h"
#include "tunnel/device.h"

struct names {
	struct name_table table;
	struct device *device;
	struct ev_loop *loop;
	struct resolver *resolver; /* NULL: no configuration has contained a name so far */
	struct netlink *netlink;
	struct path_watch files;
	struct ev_timer timer;
	uint32_t own_index;                       /* of the tunnel's interface */
	const struct config_line *tunnel_servers; /* see resolver_options */
	struct stat hosts;                        /* of the hosts file at the last check */
	uint64_t hosts_version;
	bool has_ipv6;
	double ipv6_checked_at; /* by clock_seconds; 0: not yet */
};

/* Looks up the names of `config` and gives the addresses to the peers of the device. Returns 0 or a negative errno. */
int names_start(struct names *names, const struct config *config, struct device *device, struct ev_loop *loop,
				struct path_watches *paths);
/*
 * Runs the loop until each name has had an answer or a failure, for at most `seconds` or until *ended. Call it before
 * the policy rules are set if the rules will route the queries of a local resolver, such as systemd-resolved, into the
 * tunnel.
 */
void names_wait(struct names *names, double seconds, const bool *ended);
/* Applies a new configuration. Returns 0, or a negative errno and changes nothing. */
int names_reload(struct names *names, const struct config *config);
/* Call it when addresses or routes of the host have changed. */
void names_host_changed(struct names *names);
/* The tunnel has set these DNS servers, or none, which stay valid until the next call. */
void names_set_tunnel_servers(struct names *names, const struct config_line *servers);
/* Reports whether a name still determines the endpoint of the peer; see name_table_follows. */
bool names_follows(const struct names *names, struct peer *peer);
/* Accepts a zeroed struct. */
void names_stop(struct names *names);

#endif
