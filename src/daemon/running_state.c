/* SPDX-License-Identifier: MIT */
/* The running state: collects it from the device, the names and the kernel. */
#include "daemon/running_state.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/log.h"
#include "config/apply.h"
#include "config/save.h"
#include "tunnel/peer.h"

/*
 * Appends the addresses that somebody else added to the interface, which may have been renamed. On an error there are
 * none.
 */
static void collect_addresses(struct config *running, const struct config *config, uint32_t index)
{
	struct config_prefix **tail = &running->addresses;
	struct ifaddrs *addresses;
	struct ip_prefix prefix;

	if (getifaddrs(&addresses))
		return;
	for (const struct ifaddrs *entry = addresses; entry; entry = entry->ifa_next) {
		/* The name of an IPv4 address can be a label, such as site:1. */
		if (if_nametoindex(entry->ifa_name) != index || !prefix_from_ifaddrs(&prefix, entry) ||
			config_has_prefix(config->addresses, &prefix))
			continue;
		*tail = calloc(1, sizeof **tail);
		if (!*tail)
			break;
		(*tail)->prefix = prefix;
		tail = &(*tail)->next;
	}
	freeifaddrs(addresses);
}

/* Replaces the configured endpoints by those in use. A peer that follows a name has none, so that the name stays. */
static void collect_peer_endpoints(struct config *running, const struct device *device, const struct names *names)
{
	for (struct config_peer *peer = running->peers; peer; peer = peer->next) {
		struct peer *current = peer_lookup(device, peer->public_key);

		peer->has_endpoint = current && endpoint_known(&current->endpoint) && !names_follows(names, current);
		if (!peer->has_endpoint)
			continue;
		peer->endpoint = current->endpoint;
		endpoint_clear_local(&peer->endpoint);
	}
}

int running_state_save(const struct device *device, const struct names *names, const struct config *config,
					   const char *path, struct reason *warning, struct reason *reason)
{
	struct config running = { 0 };
	int result = apply_capture(device, &running);

	if (result)
		return reason_set_errno(reason, result, "SaveConfig");
	running.has_private_key = device->identity.has_key;
	running.has_listen_port = !device->random_port && device->listen_port != config->listen_port;
	running.has_fwmark = device->mark != config->fwmark;
	running.mtu = config->mtu ? device->mtu : 0;
	collect_addresses(&running, config, names->own_index);
	collect_peer_endpoints(&running, device, names);
	result = save_file(path, &running, warning, reason);
	if (result > 0)
		log_info(device->name, "SaveConfig: running state saved in %s", path);
	config_destroy(&running);
	return result < 0 ? result : 0;
}
