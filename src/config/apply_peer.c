/* SPDX-License-Identifier: MIT */
/* Apply, for one peer: keys, cipher, endpoint, allowed IPs and keepalive. */
#include "apply_peer.h"

#include <string.h>

#include "tunnel/allowedips.h"
#include "tunnel/device.h"
#include "tunnel/handshake.h"

/* The endpoint that is configured as an address; unknown if none is configured, or a host name is. */
static struct endpoint numeric_endpoint(const struct config_peer *config)
{
	struct endpoint endpoint = config->endpoint;

	if (config->has_endpoint && !endpoint_known(&endpoint))
		endpoint_numeric(config->endpoint_host, config->endpoint_port, &endpoint);
	return endpoint;
}

static bool same_destination(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint bare_a = *a, bare_b = *b;

	endpoint_clear_local(&bare_a);
	endpoint_clear_local(&bare_b);
	return endpoint_equal(&bare_a, &bare_b);
}

/* Setting the current destination again keeps the local address that belongs to it. Returns whether it is another. */
static bool apply_endpoint(struct peer *peer, const struct endpoint *endpoint)
{
	peer->configured = *endpoint;
	if (!endpoint_known(endpoint) || same_destination(&peer->endpoint, endpoint))
		return false;
	peer_set_endpoint(peer, endpoint);
	return true;
}

static void apply_keepalive(struct peer *peer, uint16_t seconds, uint64_t now)
{
	bool turned_on = seconds && !peer->timers.keepalive;

	if (seconds == peer->timers.keepalive)
		return;
	device_lock(peer->device);
	timers_set_keepalive(&peer->device->timers, &peer->timers, seconds, now);
	device_unlock(peer->device);
	if (turned_on && peer->device->up)
		handshake_keepalive(peer, now);
}

static void add_or_remove_prefixes(struct peer *peer, const struct config_prefix *prefix)
{
	struct allowedips *table = &peer->device->allowed_ips;

	device_lock(peer->device);
	for (; prefix; prefix = prefix->next) {
		const struct ip_prefix *ip = &prefix->prefix;
		if (prefix->remove)
			allowedips_remove(table, ip->family, ip->address, ip->length, &peer->allowed_ips);
		else
			allowedips_insert(table, ip->family, ip->address, ip->length, &peer->allowed_ips);
	}
	device_unlock(peer->device);
}

/* Inserting a prefix clears its mark. The prefixes that are still marked afterwards are left to apply_peer_sweep. */
static void replace_prefixes(struct peer *peer, const struct config_peer *config)
{
	if (apply_prefixes_same(peer, config))
		return;
	allowedips_mark(&peer->device->allowed_ips, &peer->allowed_ips);
	add_or_remove_prefixes(peer, config->allowed_ips);
}

bool apply_prefixes_same(const struct peer *peer, const struct config_peer *config)
{
	uint32_t entry = peer->allowed_ips.first;
	const struct config_prefix *prefix = config->allowed_ips;

	for (; entry && prefix; prefix = prefix->next) {
		struct ip_prefix current = { 0 }, wanted = prefix->prefix;
		int family;
		entry = allowedips_entry(&peer->device->allowed_ips, entry, &family, current.address, &current.length);
		current.family = (uint8_t)family;
		prefix_mask(&wanted);
		if (prefix->remove || memcmp(&current, &wanted, sizeof current))
			return false;
	}
	return !entry && !prefix;
}

void apply_peer_sweep(struct peer *peer)
{
	allowedips_sweep(&peer->device->allowed_ips, &peer->allowed_ips);
}

void apply_peer_set(struct peer *peer, const struct config_peer *config, uint64_t now)
{
	struct endpoint endpoint = numeric_endpoint(config);
	bool moved = false;

	if (config->has_preshared_key)
		noise_remote_set_psk(&peer->remote, config->preshared_key);
	if (config->has_endpoint) {
		moved = apply_endpoint(peer, &endpoint);
		if (peer->device->endpoint_set)
			peer->device->endpoint_set(peer->device->unanswered_context, peer);
	}
	if (config->replace_allowed_ips) {
		replace_prefixes(peer, config);
		device_lock(peer->device);
		apply_peer_sweep(peer);
		device_unlock(peer->device);
	} else {
		add_or_remove_prefixes(peer, config->allowed_ips);
	}
	if (config->has_keepalive)
		apply_keepalive(peer, config->keepalive, now);
	if (moved || staged_waiting(&peer->staged))
		handshake_resume(peer, now);
}

/* A setting that is not given is zero here, and zero is its default. */
void apply_peer_reload(struct peer *peer, const struct config_peer *config, uint64_t now)
{
	struct endpoint endpoint = numeric_endpoint(config);
	bool moved = false;

	if (peer->remote.suite != config->cipher) {
		noise_remote_set_suite(&peer->remote, config->cipher);
		device_lock(peer->device);
		peer_forget_keys(peer); /* a session must not continue under the old cipher */
		device_unlock(peer->device);
	}
	noise_remote_set_psk(&peer->remote, config->preshared_key);
	if (!same_destination(&peer->configured, &endpoint))
		moved = apply_endpoint(peer, &endpoint);
	replace_prefixes(peer, config);
	apply_keepalive(peer, config->keepalive, now);
	if (moved || staged_waiting(&peer->staged))
		handshake_resume(peer, now);
}
