/* SPDX-License-Identifier: MIT */
/*
 * Apply: brings a device in line with a set request or with a file.
 *
 * Both follow the same three steps. First reserve the memory that the change can need at most; then change the sockets,
 * which can fail but can be undone; then change keys and peers, which can no longer fail.
 */
#include "config/apply.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "apply_peer.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

/* Upper bounds of the peers and prefixes that a change adds. */
struct apply_need {
	size_t peers, prefixes;
};

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

static struct apply_need need_of_set(const struct device *device, const struct config *config)
{
	struct apply_need need = { 0 };
	bool removes = config->replace_peers;

	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (peer->remove) {
			removes = true;
			continue;
		}
		/* Once a line has removed a peer, an existing peer may have to be created again. */
		if (!peer->update_only && (removes || !peer_lookup(device, peer->public_key)))
			need.peers++;
		for (const struct config_prefix *prefix = peer->allowed_ips; prefix; prefix = prefix->next) {
			if (!prefix->remove)
				need.prefixes++;
		}
	}
	return need;
}

static struct apply_need need_of_reload(const struct device *device, const struct config *config)
{
	struct apply_need need = { 0 };

	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		const struct peer *peer = peer_lookup(device, wanted->public_key);
		if (!peer)
			need.peers++;
		else if (apply_prefixes_same(peer, wanted))
			continue;
		for (const struct config_prefix *prefix = wanted->allowed_ips; prefix; prefix = prefix->next)
			need.prefixes++;
	}
	return need;
}

static void commit_set_peer(struct device *device, const struct config_peer *config, uint64_t now)
{
	struct peer *peer = peer_lookup(device, config->public_key);

	if (config->remove) {
		if (peer) {
			device_lock(device);
			peer_remove(peer);
			device_unlock(device);
		}
		return;
	}
	if (!peer && !config->update_only)
		peer = peer_add(device, config->public_key);
	if (peer) /* NULL if it has our own public key */
		apply_peer_set(peer, config, now);
}

static void commit_set(struct device *device, const struct config *config, uint64_t now)
{
	bool new_key = false;

	if (config->replace_peers) {
		device_lock(device);
		while (peer_first(device))
			peer_remove(peer_first(device));
		device_unlock(device);
	}
	if (config->has_private_key)
		new_key = apply_private_key(device, config->private_key);
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		commit_set_peer(device, peer, now);
	if (new_key)
		apply_new_key(device, now);
}

/*
 * Removes peers and allowed IPs last, once every other peer has its new ones. An allowed IP that moves to another peer
 * therefore always belongs to a peer, and no packet to it is dropped.
 */
static void commit_reload(struct device *device, const struct config *config, uint64_t now)
{
	bool new_key = false;

	list_for_each (peer, &device->peers, struct peer, node)
		peer->marked = true;
	if (config->has_private_key)
		new_key = apply_private_key(device, config->private_key);
	for (const struct config_peer *wanted = config->peers; wanted; wanted = wanted->next) {
		struct peer *peer = peer_lookup(device, wanted->public_key);
		if (!peer)
			peer = peer_add(device, wanted->public_key);
		if (!peer) /* our own public key: the parser has warned */
			continue;
		peer->marked = false;
		apply_peer_reload(peer, wanted, now);
	}
	device_lock(device);
	for (struct peer *peer = peer_first(device), *next; peer; peer = next) {
		next = peer_next(peer);
		if (peer->marked)
			peer_remove(peer);
		else
			apply_peer_sweep(peer);
	}
	device_unlock(device);
	if (new_key)
		apply_new_key(device, now);
}

static int apply_change(struct device *device, const struct config *config, struct apply_need need, uint64_t now,
						void (*commit)(struct device *device, const struct config *config, uint64_t now))
{
	int error = peer_reserve(device, need.peers, need.prefixes);

	if (error)
		return error;
	error = apply_sockets(device, config);
	if (!error)
		commit(device, config, now);
	peer_unreserve(device);
	return error;
}

int apply_set(struct device *device, const struct config *config, uint64_t now)
{
	return apply_change(device, config, need_of_set(device, config), now, commit_set);
}

int apply_reload(struct device *device, const struct config *config, uint64_t now)
{
	return apply_change(device, config, need_of_reload(device, config), now, commit_reload);
}

/* The link is down, so nothing is sent and the time does not matter. */
int apply_config(struct device *device, const struct config *config)
{
	return apply_reload(device, config, 0);
}
