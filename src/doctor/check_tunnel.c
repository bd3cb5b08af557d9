/* SPDX-License-Identifier: MIT */
/* What the file asks of the host, as far as checks depend on it. */
#include <stdio.h>
#include <string.h>

#include "checks.h"

/* Returns whether the prefix is a network behind a peer: no default route, no single host, and not the tunnel's own. */
static bool is_remote_network(const struct config *config, const struct ip_prefix *prefix)
{
	if (prefix->length == 0)
		return false;
	for (const struct config_prefix *address = config->addresses; address; address = address->next)
		if (prefix_contains(&address->prefix, prefix))
			return false;
	return prefix->length < (prefix->family == AF_INET6 ? 128 : 32);
}

void collect_tunnel(struct tunnel_facts *facts, const struct config *config, const char *path)
{
	*facts = (struct tunnel_facts) { .given = true };
	snprintf(facts->interface, sizeof facts->interface, "%s", config->interface);
	snprintf(facts->path, sizeof facts->path, "%s", path);
	for (const struct config_prefix *address = config->addresses; address; address = address->next) {
		facts->uses_v6 |= address->prefix.family == AF_INET6;
		facts->uses_v4 |= address->prefix.family == AF_INET;
	}
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		for (const struct config_prefix *ip = peer->allowed_ips; ip; ip = ip->next) {
			int v6 = ip->prefix.family == AF_INET6;

			facts->uses_v6 |= v6;
			facts->uses_v4 |= !v6;
			facts->full_tunnel[v6] |= ip->prefix.length == 0 && config->table == TABLE_AUTO;
			facts->routes_networks[v6] |= is_remote_network(config, &ip->prefix);
		}
		facts->peers_without_endpoint += !peer->has_endpoint;
	}
	facts->relays = facts->peers_without_endpoint > 1;
	facts->listen_port = config->listen_port;
	facts->mtu = config->mtu;
	facts->tun_backend = config->tun_backend;
	facts->gso_off = config->udp_options.no_gso;
	facts->tun_offload_off = config->no_tun_offload;
}
