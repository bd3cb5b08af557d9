/* SPDX-License-Identifier: MIT */
#include "config/apply.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "apply_peer.h"

/* What a commit may need, at most. */
struct need {
	size_t peers, prefixes;
};

static bool same_private_key(const struct device *device, const uint8_t private_key[KEY_BYTES])
{
	struct noise_identity local = { 0 };
	bool same;

	noise_identity_set(&local, private_key);
	same = device->identity.has_key && !sodium_memcmp(device->identity.private_key, local.private_key, KEY_BYTES);
	sodium_memzero(&local, sizeof local);
	return same;
}

/* Zeros: none. Setting a key ends all sessions, so one that is there already is not set again. */
static void set_private_key(struct device *device, const uint8_t private_key[KEY_BYTES])
{
	if (sodium_is_zero(private_key, KEY_BYTES)) {
		if (device->identity.has_key)
			device_set_private_key(device, NULL);
	} else if (!same_private_key(device, private_key)) {
		device_set_private_key(device, private_key);
	}
}

/* The mark goes first, for it can be undone: the port that was left may be another's by then. */
static int set_sockets(struct device *device, const struct config *config)
{
	uint32_t mark = device->mark;
	int error = config->has_fwmark ? device_set_mark(device, config->fwmark) : 0;

	if (error || !config->has_listen_port)
		return error;
	error = device_set_port(device, config->listen_port);
	if (error)
		device_set_mark(device, mark);
	return error;
}

static struct need need_of_set(const struct device *device, const struct config *config)
{
	struct need need = { 0 };
	bool removes = config->replace_peers;

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		removes |= peer->remove;
		if (peer->remove)
			continue;
		/* A peer that is there already may have been removed by a line before. */
		if (!peer->update_only && (removes || !device_find_peer(device, peer->public_key)))
			need.peers++;
		for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next)
			need.prefixes += !prefix->remove;
	}
	return need;
}

static struct need need_of_reload(const struct device *device, const struct config *config)
{
	struct need need = { 0 };

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		const struct peer *there = device_find_peer(device, peer->public_key);
		need.peers += !there;
		if (there && apply_prefixes_same(there, peer))
			continue;
		for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next)
			need.prefixes++;
	}
	return need;
}

static void commit_set_peer(struct device *device, const struct config_peer *config, uint64_t now)
{
	struct peer *peer = device_find_peer(device, config->public_key);

	if (config->remove) {
		if (peer)
			device_remove_peer(device, peer);
		return;
	}
	if (!peer && !config->update_only)
		peer = device_add_peer(device, config->public_key);
	if (peer) /* or it is our own key */
		apply_peer_set(peer, config, now);
}

static void commit_set(struct device *device, const struct config *config, uint64_t now)
{
	while (config->replace_peers && device->first)
		device_remove_peer(device, device->first);
	if (config->has_private_key)
		set_private_key(device, config->private_key);
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		commit_set_peer(device, peer, now);
}

/* Peers go, and lose allowed IPs, when all others have what they are to have: so one that moves always has a peer. */
static void commit_reload(struct device *device, const struct config *config, uint64_t now)
{
	for (struct peer *peer = device->first; peer; peer = peer->next)
		peer->marked = true;
	set_private_key(device, config->private_key);
	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		struct peer *peer = device_find_peer(device, wanted->public_key);
		if (!peer)
			peer = device_add_peer(device, wanted->public_key);
		if (!peer) /* our own key: reading the file has warned */
			continue;
		peer->marked = false;
		apply_peer_whole(peer, wanted, now);
	}
	for (struct peer *peer = device->first, *next; peer; peer = next) {
		next = peer->next;
		if (peer->marked)
			device_remove_peer(device, peer);
		else
			apply_sweep(peer);
	}
}

static int apply(struct device *device, const struct config *config, struct need need, uint64_t now,
				 void (*commit)(struct device *device, const struct config *config, uint64_t now))
{
	int error = device_reserve(device, need.peers, need.prefixes);

	if (error)
		return error;
	error = set_sockets(device, config);
	if (!error)
		commit(device, config, now);
	device_unreserve(device);
	return error;
}

int apply_set(struct device *device, const struct config *config, uint64_t now)
{
	return apply(device, config, need_of_set(device, config), now, commit_set);
}

int apply_reload(struct device *device, const struct config *config, uint64_t now)
{
	return apply(device, config, need_of_reload(device, config), now, commit_reload);
}

/* The link is down, so there is nobody to speak to, and the time does not matter. */
int apply_config(struct device *device, const struct config *config)
{
	return apply_reload(device, config, 0);
}
