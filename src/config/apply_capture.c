/* SPDX-License-Identifier: MIT */
/* Capture: saves the state of a device as a configuration, so that a failed reload can restore it. */
#include "config/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/peer.h"

/* Keeps the order of the prefixes. Returns false without memory; `config` then holds the prefixes copied so far. */
static bool capture_peer(const struct peer *peer, struct config_peer *config)
{
	struct config_prefix **tail = &config->allowed_ips;
	uint32_t entry = peer->allowed_ips.first;

	memcpy(config->public_key, peer->remote.public_key, sizeof config->public_key);
	config->has_public_key = true;
	memcpy(config->preshared_key, peer->remote.preshared_key, sizeof config->preshared_key);
	config->has_preshared_key = true;
	config->endpoint = endpoint_known(&peer->configured) ? peer->configured : peer->endpoint;
	endpoint_clear_local(&config->endpoint);
	config->has_endpoint = endpoint_known(&config->endpoint);
	config->keepalive = peer->timers.keepalive;
	config->has_keepalive = true;
	config->cipher = peer->remote.suite;
	config->has_cipher = true;
	config->label = peer_label_take(peer->label);
	while (entry) {
		struct config_prefix *captured = calloc(1, sizeof *captured);
		int family;
		if (!captured)
			return false;
		entry = allowedips_entry(&peer->device->allowed_ips, entry, &family, captured->prefix.address,
								 &captured->prefix.length);
		captured->prefix.family = (uint8_t)family;
		*tail = captured;
		tail = &captured->next;
	}
	return true;
}

int apply_capture(const struct device *device, struct config *config)
{
	struct config_peer **tail = &config->peers;

	list_for_each (peer, &device->peers, const struct peer, node) {
		struct config_peer *captured = calloc(1, sizeof *captured);
		if (!captured)
			goto out_of_memory;
		*tail = captured;
		tail = &captured->next;
		config->peer_count++;
		if (!capture_peer(peer, captured))
			goto out_of_memory;
	}
	memcpy(config->private_key, device->identity.private_key, sizeof config->private_key);
	config->has_private_key = true; /* all zeros: none */
	config->listen_port = device->listen_port;
	config->has_listen_port = true;
	config->fwmark = device->mark;
	config->has_fwmark = true;
	return 0;

out_of_memory:
	config_forget_peers(config);
	return -ENOMEM;
}
