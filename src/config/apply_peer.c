/* SPDX-License-Identifier: MIT */
#include "apply_peer.h"

#include <string.h>

#include "tunnel/allowedips.h"
#include "tunnel/device.h"
#include "tunnel/handshake.h"

/* Unknown when it is a name. */
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

/* The address that we speak from stays known when the peer is where it was. */
static void move_to(struct peer *peer, const struct endpoint *endpoint)
{
	peer->configured = *endpoint;
	if (endpoint_known(endpoint) && !same_destination(&peer->endpoint, endpoint))
		peer_set_endpoint(peer, endpoint);
}

static void set_keepalive(struct peer *peer, uint16_t seconds, uint64_t now)
{
	bool begins = seconds && !peer->keepalive && peer->device->up;

	if (seconds == peer->keepalive)
		return;
	device_lock(peer->device);
	peer->keepalive = seconds;
	device_unlock(peer->device);
	timers_keepalive_changed(peer, now);
	if (begins)
		handshake_keepalive(peer, now);
}

static void change_prefixes(struct peer *peer, const struct config_prefix *prefix)
{
	struct allowedips *table = &peer->device->allowed_ips;

	device_lock(peer->device);
	for (; prefix; prefix = prefix->next) {
		const struct ip_prefix *ip = &prefix->prefix;
		if (prefix->remove)
			allowedips_remove(table, ip->family, ip->address, ip->length, peer);
		else
			allowedips_insert(table, ip->family, ip->address, ip->length, peer);
	}
	device_unlock(peer->device);
}

/* What the peer shall not have any more stays marked, and is to be swept. */
static void renew_prefixes(struct peer *peer, const struct config_peer *config)
{
	if (apply_prefixes_same(peer, config))
		return;
	allowedips_mark(&peer->device->allowed_ips, peer);
	change_prefixes(peer, config->allowed_ips);
}

/* What waited for an endpoint or a route can go. */
static void send_staged(struct peer *peer, uint64_t now)
{
	if (peer->device->up && staged_waiting(&peer->staged))
		handshake_keepalive(peer, now);
}

bool apply_prefixes_same(const struct peer *peer, const struct config_peer *config)
{
	uint32_t entry = peer->allowed_ips.first;
	const struct config_prefix *prefix = config->allowed_ips;

	for (; entry && prefix; prefix = prefix->next) {
		struct ip_prefix there = { 0 }, wanted = prefix->prefix;
		int family;
		entry = allowedips_entry(&peer->device->allowed_ips, entry, &family, there.address, &there.length);
		there.family = (uint8_t)family;
		prefix_mask(&wanted);
		if (prefix->remove || memcmp(&there, &wanted, sizeof there))
			return false;
	}
	return !entry && !prefix;
}

void apply_sweep(struct peer *peer)
{
	device_lock(peer->device);
	allowedips_sweep(&peer->device->allowed_ips, peer);
	device_unlock(peer->device);
}

void apply_peer_set(struct peer *peer, const struct config_peer *config, uint64_t now)
{
	struct endpoint endpoint = numeric_endpoint(config);

	if (config->has_preshared_key)
		noise_remote_set_psk(&peer->remote, config->preshared_key);
	if (config->has_endpoint)
		move_to(peer, &endpoint);
	if (config->replace_allowed_ips) {
		renew_prefixes(peer, config);
		apply_sweep(peer);
	} else {
		change_prefixes(peer, config->allowed_ips);
	}
	if (config->has_keepalive)
		set_keepalive(peer, config->keepalive, now);
	send_staged(peer, now);
}

void apply_peer_whole(struct peer *peer, const struct config_peer *config, uint64_t now)
{
	struct endpoint endpoint = numeric_endpoint(config);

	if (peer->remote.suite != config->cipher) {
		noise_remote_set_suite(&peer->remote, config->cipher);
		peer_forget_keys(peer); /* no session goes on under the cipher that is no longer wanted */
	}
	noise_remote_set_psk(&peer->remote, config->preshared_key); /* zeros when none is said, which is none */
	if (!same_destination(&peer->configured, &endpoint))
		move_to(peer, &endpoint);
	renew_prefixes(peer, config);
	set_keepalive(peer, config->keepalive, now); /* likewise */
	send_staged(peer, now);
}
