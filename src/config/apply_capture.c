/* SPDX-License-Identifier: MIT */
#include "config/apply.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct endpoint where(const struct peer *peer)
{
	struct endpoint endpoint = endpoint_known(&peer->configured) ? peer->configured : peer->endpoint;

	endpoint_clear_local(&endpoint);
	return endpoint;
}

/* The allowed IPs in the order of the peer's list. False without memory, and then the list has those before. */
static bool capture_prefixes(const struct peer *peer, struct config_prefix **place)
{
	uint32_t entry = peer->allowed_ips.first;

	while (entry) {
		struct config_prefix *prefix = calloc(1, sizeof *prefix);
		int family;
		if (!prefix)
			return false;
		entry = allowedips_entry(&peer->device->allowed_ips, entry, &family, prefix->prefix.address,
								 &prefix->prefix.length);
		prefix->prefix.family = (uint8_t)family;
		*place = prefix;
		place = &prefix->next;
	}
	return true;
}

static bool capture_peer(const struct peer *peer, struct config_peer *config)
{
	memcpy(config->public_key, peer->remote.public_key, sizeof config->public_key);
	config->has_public_key = true;
	memcpy(config->preshared_key, peer->remote.preshared_key, sizeof config->preshared_key);
	config->has_preshared_key = true;
	config->endpoint = where(peer);
	config->has_endpoint = endpoint_known(&config->endpoint);
	config->keepalive = peer->keepalive;
	config->has_keepalive = true;
	config->cipher = peer->remote.suite;
	config->has_cipher = true;
	return capture_prefixes(peer, &config->allowed_ips);
}

int apply_capture(const struct device *device, struct config *config)
{
	struct config_peer **place = &config->peers;

	for (const struct peer *peer = device->first; peer; peer = peer->next) {
		struct config_peer *captured = calloc(1, sizeof *captured);
		if (captured) {
			*place = captured;
			place = &captured->next;
			config->peer_count++;
		}
		if (!captured || !capture_peer(peer, captured)) {
			config_forget_peers(config);
			return -ENOMEM;
		}
	}
	memcpy(config->private_key, device->identity.private_key, sizeof config->private_key);
	config->has_private_key = device->identity.has_key;
	config->listen_port = device->listen_port;
	config->has_listen_port = true;
	config->fwmark = device->mark;
	config->has_fwmark = true;
	return 0;
}
