/* SPDX-License-Identifier: MIT */
/*
 * Apply: brings a device in line with a set request or with a file.
 *
 * Both follow the same three steps. First reserve the memory that the change can need at most; then change the sockets,
 * which can fail but can be undone; then change keys and peers, which can no longer fail.
 */
#include "config/apply.h"

#include <sodium.h>
#include <string.h>

#include "apply_peer.h"
#include "tunnel/allowedips.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

/*
 * Setting a key ends all sessions, so the key that is already set is not set again. All zeros means no key. Returns
 * whether there is a new key, after which apply_new_key must follow when the peers are complete.
 */
static bool apply_private_key(struct device *device, const uint8_t private_key[KEY_BYTES])
{
	struct noise_identity identity = { 0 };
	bool same;

	if (sodium_is_zero(private_key, KEY_BYTES)) {
		if (device->identity.has_key)
			control_set_private_key(device, NULL);
		return false;
	}
	noise_identity_set(&identity, private_key); /* clamps the key */
	same = device->identity.has_key && !sodium_memcmp(device->identity.private_key, identity.private_key, KEY_BYTES);
	sodium_memzero(&identity, sizeof identity);
	if (!same)
		control_set_private_key(device, private_key);
	return !same;
}

static void apply_new_key(struct device *device, uint64_t now)
{
	list_for_each (peer, &device->peers, struct peer, node)
		handshake_resume(peer, now);
}

/* The mark goes first because it can always be restored. The old port might be taken once we give it up. */
static int apply_sockets(struct device *device, const struct config *config)
{
	uint32_t old_mark = device->mark;
	int error = config->has_fwmark ? control_set_mark(device, config->fwmark) : 0;

	if (error || !config->has_listen_port)
		return error;
	error = control_set_port(device, config->listen_port);
	if (error)
		control_set_mark(device, old_mark);
	return error;
}

/* The kernel's WireGuard ignores such a peer, too. */
static void warn_of_own_key(struct device *device, uint64_t now)
{
	device_warn(
		device, WARNING_OWN_KEY, UINT64_MAX, now,
		"a peer has the public key of this interface itself and is ignored; PublicKey is that of the other end");
}

/*
 * Removes peers and allowed IPs last, once every other peer has its new ones. An allowed IP that moves to another peer
 * therefore always belongs to a peer, and no packet to it is dropped.
 */
static void commit_reload(struct device *device, const struct config *config, uint64_t now)
{
	bool new_key = false;

	device_withdraw_warning(device, WARNING_OWN_KEY);
	device_withdraw_notices(device, NULL);
	list_for_each (peer, &device->peers, struct peer, node) {
		peer->marked = true;
		peer->changed = 0;
	}
	if (config->has_private_key)
		new_key = apply_private_key(device, config->private_key);
	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		struct peer *peer = peer_lookup(device, wanted->public_key);
		if (!peer)
			peer = peer_add(device, wanted->public_key);
		if (!peer) { /* our own public key: the parser has warned */
			warn_of_own_key(device, now);
			continue;
		}
		peer->marked = false;
		apply_peer_reload(peer, wanted, now);
	}
	device_lock(device);
	for (struct peer *peer = peer_first(device), *next; peer; peer = next) {
		next = peer_next(peer);
		if (peer->marked)
			peer_remove(peer);
		else
			allowedips_sweep(&device->allowed_ips, &peer->allowed_ips);
	}
	device_unlock(device);
	if (new_key)
		apply_new_key(device, now);
}

/* --- a set request in parts ----- */

void apply_set_start(struct apply_progress *progress, struct device *device, const struct config *config)
{
	*progress = (struct apply_progress) {
		.device = device, .config = config, .next = config->peers, .removes = config->replace_peers
	};
}

/* Counts what the next peer needs at most. Returns the cost against the quota. */
static size_t count_next(struct apply_progress *progress)
{
	const struct config_peer *peer = progress->next;
	size_t prefixes = 0;

	progress->next = peer->next;
	if (peer->remove) {
		progress->removes = true;
		return 1;
	}
	/* Once a line has removed a peer, an existing peer may have to be created again. */
	if (!peer->update_only && (progress->removes || !peer_lookup(progress->device, peer->public_key)))
		progress->peers++;
	for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next)
		prefixes += !prefix->remove;
	progress->prefixes += prefixes;
	return 1 + prefixes;
}

/* The prefixes come first: their memory is one block. */
static int reserve_part(struct apply_progress *progress, size_t quota)
{
	size_t peers = progress->peers < quota ? progress->peers : quota;
	int error = timers_reserve(&progress->device->timers, progress->device->peer_count + progress->peers);

	if (error)
		peer_unreserve(progress->device);
	else
		error = peer_reserve(progress->device, peers, progress->prefixes);
	progress->prefixes = 0;
	progress->peers -= peers;
	return error;
}

/* Moves to `stage` once there is no peer left for the current one. */
static void next_stage(struct apply_progress *progress, enum apply_stage stage)
{
	progress->stage = stage;
	progress->next = progress->config->peers;
}

/* Applies the next peer, or a part of it if it has many allowed IPs. Returns the cost against the quota. */
static size_t commit_next(struct apply_progress *progress, size_t quota, uint64_t now)
{
	const struct config_peer *config = progress->next;
	struct device *device = progress->device;
	struct peer *peer = peer_lookup(device, config->public_key);
	size_t cost;

	if (!peer && !config->remove && !config->update_only)
		peer = peer_add(device, config->public_key);
	if (!peer) { /* it need not exist, or it has our own public key */
		if (!config->remove && !config->update_only)
			warn_of_own_key(device, now);
		progress->next = config->next;
		return 1;
	}
	if (config->remove) {
		device_lock(device);
		peer_remove(peer);
		device_unlock(device);
		progress->next = config->next;
		return 1;
	}
	if (!progress->prefix)
		progress->prefix = apply_peer_set_begin(peer, config, &progress->moved);
	cost = apply_peer_set_prefixes(peer, &progress->prefix, quota);
	if (progress->prefix)
		return cost;
	apply_peer_set_end(peer, config, progress->moved, now);
	progress->next = config->next;
	return 1 + cost;
}

int apply_set_part(struct apply_progress *progress, size_t quota, uint64_t now)
{
	const struct config *config = progress->config;
	struct device *device = progress->device;
	int error = 0;

	switch (progress->stage) {
	case APPLY_COUNT:
		for (size_t cost = 0; progress->next && cost < quota;)
			cost += count_next(progress);
		if (!progress->next)
			next_stage(progress, APPLY_RESERVE);
		return 1;
	case APPLY_RESERVE:
		error = reserve_part(progress, quota);
		if (!error && !progress->peers)
			next_stage(progress, APPLY_SOCKETS);
		return error ? error : 1;
	case APPLY_SOCKETS:
		error = apply_sockets(device, config);
		if (error)
			peer_unreserve(device);
		next_stage(progress, APPLY_REMOVE);
		return error ? error : 1;
	case APPLY_REMOVE:
		device_withdraw_notices(device, NULL);
		if (config->replace_peers) {
			device_withdraw_warning(device, WARNING_OWN_KEY);
			device_lock(device);
			for (; quota && peer_first(device); quota--)
				peer_remove(peer_first(device));
			device_unlock(device);
			if (peer_first(device))
				return 1;
		}
		if (config->has_private_key)
			progress->new_key = apply_private_key(device, config->private_key);
		next_stage(progress, APPLY_PEERS);
		return 1;
	case APPLY_PEERS:
		for (size_t cost = 0; progress->next && cost < quota;)
			cost += commit_next(progress, quota - cost, now);
		if (progress->next)
			return 1;
		if (progress->new_key)
			apply_new_key(device, now);
		peer_unreserve(device);
		return 0;
	}
	return 0;
}

void apply_set_cancel(struct apply_progress *progress)
{
	peer_unreserve(progress->device);
}

/* --- a file ----- */

int apply_reload(struct device *device, const struct config *config, uint64_t now)
{
	size_t peers = 0, prefixes = 0; /* upper bounds of what is added */
	int error;

	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		const struct peer *peer = peer_lookup(device, wanted->public_key);
		if (!peer)
			peers++;
		else if (apply_prefixes_same(peer, wanted))
			continue;
		for (const struct config_prefix *prefix = wanted->allowed_ips; prefix; prefix = prefix->next)
			prefixes++;
	}
	error = peer_reserve(device, peers, prefixes);
	if (error)
		return error;
	error = apply_sockets(device, config);
	if (!error)
		commit_reload(device, config, now);
	peer_unreserve(device);
	return error;
}
