/* SPDX-License-Identifier: MIT */
/* Apply, for one peer: keys, cipher, endpoint, allowed IPs and keepalive. */
#include "apply_peer.h"

#include <sodium.h>
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

/* Setting the current destination again keeps the local address that belongs to it. Returns whether it is another. */
static bool apply_endpoint(struct peer *peer, const struct endpoint *endpoint, enum endpoint_origin origin)
{
	peer->configured = *endpoint;
	if (!endpoint_known(endpoint) || endpoint_same_remote(&peer->endpoint, endpoint))
		return false;
	peer_set_endpoint(peer, endpoint, origin);
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

size_t apply_peer_set_prefixes(struct peer *peer, const struct config_prefix **prefix, size_t quota)
{
	struct allowedips *table = &peer->device->allowed_ips;
	size_t count = 0;

	device_lock(peer->device);
	for (; *prefix && count < quota; *prefix = (*prefix)->next, count++) {
		const struct ip_prefix *ip = &(*prefix)->prefix;
		if ((*prefix)->remove)
			allowedips_remove(table, ip->family, ip->address, ip->length, &peer->allowed_ips);
		else
			allowedips_insert(table, ip->family, ip->address, ip->length, &peer->allowed_ips);
	}
	device_unlock(peer->device);
	return count;
}

/*
 * Inserting a prefix clears its mark. The prefixes that are still marked afterwards are left to allowedips_sweep.
 * Returns the prefixes to insert: none if the peer has exactly these.
 */
static const struct config_prefix *mark_prefixes(struct peer *peer, const struct config_peer *config)
{
	if (apply_prefixes_same(peer, config))
		return NULL;
	allowedips_mark(&peer->device->allowed_ips, &peer->allowed_ips);
	return config->allowed_ips;
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

const struct config_prefix *apply_peer_set_begin(struct peer *peer, const struct config_peer *config, bool *moved)
{
	struct endpoint endpoint = numeric_endpoint(config);

	*moved = false;
	peer_clear_problem(peer);
	if (config->has_preshared_key)
		noise_remote_set_psk(&peer->remote, config->preshared_key);
	if (config->has_endpoint) {
		*moved = apply_endpoint(peer, &endpoint, ORIGIN_SET);
		if (peer->device->endpoint_set)
			peer->device->endpoint_set(peer->device->unanswered_context, peer);
	}
	return config->replace_allowed_ips ? mark_prefixes(peer, config) : config->allowed_ips;
}

void apply_peer_set_end(struct peer *peer, const struct config_peer *config, bool moved, uint64_t now)
{
	if (config->replace_allowed_ips) {
		device_lock(peer->device);
		allowedips_sweep(&peer->device->allowed_ips, &peer->allowed_ips);
		device_unlock(peer->device);
	}
	if (config->has_keepalive)
		apply_keepalive(peer, config->keepalive, now);
	if (moved || staged_waiting(&peer->staged))
		handshake_resume(peer, now);
}

static const char *label_text(const struct peer_label *label, bool description)
{
	return !label ? "" : description ? label->description : label->name;
}

/* Returns the settings that differ. */
static uint32_t compare_settings(const struct peer *peer, const struct config_peer *config,
								 const struct endpoint *endpoint)
{
	const struct peer_label *now = peer->label, *then = config->label;
	uint32_t changed = 0;

	if (strcmp(label_text(now, false), label_text(then, false)) != 0)
		changed |= PEER_SETTING_NAME;
	if (strcmp(label_text(now, true), label_text(then, true)) != 0)
		changed |= PEER_SETTING_DESCRIPTION;
	if (!endpoint_same_remote(&peer->configured, endpoint))
		changed |= PEER_SETTING_ENDPOINT;
	if (!apply_prefixes_same(peer, config))
		changed |= PEER_SETTING_ALLOWED_IPS;
	if (peer->timers.keepalive != config->keepalive)
		changed |= PEER_SETTING_KEEPALIVE;
	if (sodium_memcmp(peer->remote.preshared_key, config->preshared_key, sizeof config->preshared_key) != 0)
		changed |= PEER_SETTING_PRESHARED_KEY;
	if (peer->remote.suite != config->cipher)
		changed |= PEER_SETTING_CIPHER;
	return changed;
}

/* A setting that is not given is zero here, and zero is its default. */
void apply_peer_reload(struct peer *peer, const struct config_peer *config, uint64_t now)
{
	struct endpoint endpoint = numeric_endpoint(config);
	const struct config_prefix *prefix;
	bool moved = false;

	peer->changed = compare_settings(peer, config, &endpoint);
	if (peer->changed)
		peer_clear_problem(peer);
	if (peer->remote.suite != config->cipher) {
		noise_remote_set_suite(&peer->remote, config->cipher);
		device_lock(peer->device);
		peer_forget_keys(peer); /* a session must not continue under the old cipher */
		device_unlock(peer->device);
		peer_report_wiped(peer, "its cipher was changed", now);
	}
	noise_remote_set_psk(&peer->remote, config->preshared_key);
	peer_set_label(peer, config->label);
	if (!endpoint_same_remote(&peer->configured, &endpoint))
		moved = apply_endpoint(peer, &endpoint, ORIGIN_CONFIGURED);
	prefix = mark_prefixes(peer, config);
	apply_peer_set_prefixes(peer, &prefix, SIZE_MAX);
	apply_keepalive(peer, config->keepalive, now);
	if (moved || staged_waiting(&peer->staged))
		handshake_resume(peer, now);
}
