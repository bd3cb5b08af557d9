/* SPDX-License-Identifier: MIT */
#include "tunnel/peer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/keytext.h"
#include "tunnel/device.h"

/* As wg(8) users know it: the first and last four characters of the key. */
static void name_peer(struct peer *peer)
{
	char key[KEY_BASE64];

	key_to_base64(key, peer->remote.public_key);
	snprintf(peer->text, sizeof peer->text, "%s: peer %.4s…%.4s", peer->device->name, key, key + 39);
}

struct peer *peer_create(struct device *device, const uint8_t public_key[NOISE_KEY])
{
	struct peer *peer = device->spare;

	if (peer)
		device->spare = peer->next;
	else
		peer = malloc(sizeof *peer);
	if (!peer)
		return NULL;
	*peer = (struct peer) { .device = device };
	noise_remote_init(&peer->remote, public_key);
	timers_peer_init(peer);
	name_peer(peer);
	return peer;
}

void peer_destroy(struct peer *peer)
{
	timers_peer_stop(peer);
	peer_forget_keys(peer);
	staged_clear(&peer->device->staged, &peer->staged);
	noise_remote_destroy(&peer->remote);
	sodium_memzero(peer, sizeof *peer);
	free(peer);
}

struct session *peer_session(const struct peer *peer, uint64_t now)
{
	struct session *session = peer->sessions.current;

	if (!session || session_expired(session, now))
		return NULL;
	return atomic_load_explicit(&session->send_counter, memory_order_relaxed) < REJECT_AFTER_MESSAGES ? session : NULL;
}

static bool source_holds(const struct device *device, const struct endpoint *endpoint)
{
	return !device->local_usable || !endpoint_local_known(endpoint) || device->local_usable(device->sources, endpoint);
}

void peer_set_endpoint(struct peer *peer, const struct endpoint *from)
{
	if (endpoint_equal(&peer->last_from, from))
		return;
	device_lock(peer->device);
	peer->last_from = peer->endpoint = *from;
	peer->local_unverified = true;
	peer_verify_local(peer);
	peer->ungrouped_until = 0;
	device_unlock(peer->device);
	if (log_enabled(LOG_DEBUG)) {
		char text[ENDPOINT_TEXT];
		log_debug(peer->text, "endpoint is %s", endpoint_text(text, from));
	}
}

bool peer_move(struct peer *peer, const struct endpoint *from)
{
	unsigned stays = PEER_STAYS;

	if (!atomic_compare_exchange_strong(&peer->move, &stays, PEER_MOVES))
		return false;
	peer->moved_to = *from;
	atomic_store_explicit(&peer->move, PEER_MOVED, memory_order_release);
	return true;
}

void peer_settle_move(struct peer *peer)
{
	device_lock(peer->device);
	peer_set_endpoint(peer, &peer->moved_to);
	atomic_store_explicit(&peer->move, PEER_STAYS, memory_order_relaxed);
	device_unlock(peer->device);
}

void peer_clear_local(struct peer *peer)
{
	device_lock(peer->device);
	endpoint_clear_local(&peer->endpoint);
	endpoint_clear_local(&peer->last_from);
	device_unlock(peer->device);
}

void peer_recheck_local(struct peer *peer)
{
	device_lock(peer->device);
	endpoint_clear_local(&peer->last_from);
	peer->local_unverified = true;
	device_unlock(peer->device);
}

void peer_verify_local(struct peer *peer)
{
	bool holds;

	if (!peer->local_unverified)
		return;
	holds = source_holds(peer->device, &peer->endpoint);
	device_lock(peer->device);
	peer->local_unverified = false;
	if (!holds)
		endpoint_clear_local(&peer->endpoint);
	device_unlock(peer->device);
}

struct peer_index *peer_index_create(struct peer *peer)
{
	struct map *map = &peer->device->by_index;
	struct peer_index *index = calloc(1, sizeof *index);

	if (!index)
		return NULL;
	do {
		randombytes_buf(&index->index, sizeof index->index);
	} while (map_first(map, index->index)); /* the hash is the index itself, so a hit is the same one */
	index->peer = peer;
	device_lock(peer->device);
	map_insert(map, &index->node, index->index);
	device_unlock(peer->device);
	return index;
}

void peer_index_destroy(struct peer_index *index)
{
	struct device *device;

	if (!index)
		return;
	device = index->peer->device;
	device_lock(device);
	map_remove(&device->by_index, &index->node);
	device_unlock(device);
	free(index);
}

/* A session leaves: nothing finds it by its index any more, then it is wiped. */
static void retire(void *context, struct session *session)
{
	peer_index_destroy(session->owner);
	session_destroy(session);
}

int peer_begin_session(struct peer *peer, uint64_t now)
{
	struct noise_keys keys;
	struct session *session = NULL;
	int error = noise_derive(&peer->remote, &keys);

	if (!error) {
		session = session_create(peer->device->aead, &keys, now);
		error = session ? 0 : -ENOMEM;
	}
	sodium_memzero(&keys, sizeof keys);
	if (error)
		return error;
	device_lock(peer->device);
	session->owner = peer->handshake_index;
	peer->handshake_index->session = session;
	peer->handshake_index = NULL;
	session_install(&peer->sessions, session, retire, NULL);
	device_unlock(peer->device);
	timers_session_derived(peer, now);
	device_count(peer->device, COUNT_HANDSHAKE_DONE, 1);
	return 0;
}

void peer_handshake_completed(struct peer *peer)
{
	timers_handshake_completed(peer);
	peer->handshake_completed = peer->device->realtime();
}

void peer_confirm_next(struct peer *peer)
{
	struct session *next = peer->sessions.next;

	if (!next || !atomic_load(&next->confirmed))
		return;
	device_lock(peer->device);
	session_confirm(&peer->sessions, next, retire, NULL);
	if (staged_waiting(&peer->staged))
		device_peer_ready(peer->device, peer);
	device_unlock(peer->device);
	peer_handshake_completed(peer);
}

void peer_forget_keys(struct peer *peer)
{
	struct session_slots *slots = &peer->sessions;
	struct session **const each[] = { &slots->current, &slots->previous, &slots->next };

	device_lock(peer->device);
	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		if (*each[i])
			retire(NULL, *each[i]);
		*each[i] = NULL;
	}
	device_unlock(peer->device);
	noise_handshake_clear(&peer->remote);
	peer_index_destroy(peer->handshake_index);
	peer->handshake_index = NULL;
	peer->handshake_sent_known = false;
}

void peer_sent(struct peer *peer, size_t bytes, uint64_t now)
{
	peer->tx_bytes += bytes;
	timers_any_sent(peer, now);
}

void peer_received(struct peer *peer, size_t bytes, uint64_t now)
{
	peer->rx_bytes += bytes;
	timers_any_received(peer, now);
}
