/* SPDX-License-Identifier: MIT */
/* Peers: adding, finding and removing them, and their sessions. Endpoints are in peer_endpoint.c. */
#include "tunnel/peer.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define STEP ((int64_t)NS_PER_S) /* smaller differences between the clocks are not taken for a step */

/* --- the peers of a device ----- */

struct peer *peer_lookup(const struct device *device, const uint8_t public_key[NOISE_KEY])
{
	struct map_node *node = map_first(&device->by_key, device_key_hash(device, public_key));

	for (; node; node = map_next(node)) {
		struct peer *peer = container_of(node, struct peer, by_key);

		if (!memcmp(peer->remote.public_key, public_key, NOISE_KEY))
			return peer;
	}
	return NULL;
}

struct peer *peer_add(struct device *device, const uint8_t public_key[NOISE_KEY])
{
	const struct noise_identity *identity = &device->identity;
	struct list_node *spare;
	struct peer *peer;

	if (identity->has_key && !memcmp(identity->public_key, public_key, NOISE_KEY)) {
		errno = EADDRINUSE;
		return NULL;
	}
	if (peer_lookup(device, public_key)) {
		errno = EEXIST;
		return NULL;
	}
	if (timers_reserve(&device->timers, device->peer_count + 1)) {
		errno = ENOMEM;
		return NULL;
	}
	spare = list_take_first(&device->spare);
	peer = spare ? container_of(spare, struct peer, node) : malloc(sizeof *peer);
	if (!peer) {
		errno = ENOMEM;
		return NULL;
	}
	*peer = (struct peer) { .device = device, .serial = ++device->serial };
	noise_remote_init(&peer->remote, public_key);
	timers_peer_init(&peer->timers);
	peer_label_subject(peer->text, sizeof peer->text, device->name, public_key, "");
	map_insert(&device->by_key, &peer->by_key, device_key_hash(device, public_key));
	list_append(&device->peers, &peer->node);
	device->peer_count++;
	return peer;
}

int peer_reserve(struct device *device, size_t peers, size_t prefixes)
{
	if (timers_reserve(&device->timers, device->peer_count + peers))
		return -ENOMEM;
	for (; peers; peers--) {
		struct peer *peer = malloc(sizeof *peer);

		if (!peer)
			goto unreserve;
		peer->node = (struct list_node) { 0 };
		list_append(&device->spare, &peer->node);
	}
	device_lock(device);
	if (allowedips_reserve(&device->allowed_ips, prefixes)) { /* it may move the table */
		device_unlock(device);
		goto unreserve;
	}
	device_unlock(device);
	return 0;
unreserve:
	peer_unreserve(device);
	return -ENOMEM;
}

void peer_unreserve(struct device *device)
{
	for (struct list_node *node = list_take_first(&device->spare); node; node = list_take_first(&device->spare))
		free(container_of(node, struct peer, node));
}

void peer_remove(struct peer *peer)
{
	struct device *device = peer->device;

	assert(device->locked);
	/* In direct mode a mailbox callback runs inside egress or ingress, which use the peer afterwards. */
	assert(!device->mailbox.depth);
	/* First make the peer unreachable: no route, key, timer, mailbox or list refers to it. */
	allowedips_remove_all(&device->allowed_ips, &peer->allowed_ips);
	map_remove(&device->by_key, &peer->by_key);
	list_remove(&peer->node);
	device->peer_count--;
	staged_clear_ready(&device->staged, &peer->staged);
	timers_peer_stop(&device->timers, &peer->timers);
	mailbox_forget(&device->mailbox, &peer->mail);
	if (device->ops)
		device->ops->peer_gone(device->ops_context, peer);
	/* Then free it. No worker is awake, so peer_gone has removed the last pointers to it. */
	peer_forget_keys(peer);
	if (peer->state.announced)
		peer_emit(peer, &(struct event) { .kind = EVENT_PEER_DOWN, .reason = "removed" });
	staged_clear(&device->staged, &peer->staged);
	noise_remote_destroy(&peer->remote);
	peer_label_release(peer->label);
	sodium_memzero(peer, sizeof *peer);
	free(peer);
}

/* A reload sets the labels of all peers, and few of them change. */
void peer_set_label(struct peer *peer, struct peer_label *label)
{
	struct peer_label *old = peer->label;

	if (peer_label_equal(old, label))
		return;
	device_lock(peer->device); /* workers log the text */
	peer->label = peer_label_take(label);
	device_unlock(peer->device);
	peer_label_release(old);
}

/* --- events ----- */

void peer_post(struct peer *peer, unsigned events, const struct session *in_use, uint64_t now)
{
	struct device *device = peer->device;
	const struct session *outer;

	if (mailbox_threaded(&device->mailbox)) { /* only one worker may use `session_in_use` */
		mailbox_post(&device->mailbox, &peer->mail, events, now);
		return;
	}
	outer = device->session_in_use;
	if (in_use) /* a handler that sets a timer calls this function again, without a session */
		device->session_in_use = in_use;
	mailbox_post(&device->mailbox, &peer->mail, events, now);
	device->session_in_use = outer;
}

/* --- sessions ----- */

struct session *peer_session(const struct peer *peer, uint64_t now)
{
	struct session *session = peer->sessions.current, *next = peer->sessions.next;

	/*
	 * With several workers, a packet that was opened under the next session can be answered before control has made
	 * that session the current one, and the peer may have lost the current one by a restart. Staged packets are older
	 * than the answer, so while there are any, the answer has to wait with them until control has made them ready.
	 */
	if (next && atomic_load(&next->confirmed) && !staged_waiting(&peer->staged))
		session = next;
	if (!session || session_expired(session, now))
		return NULL;
	return atomic_load_explicit(&session->send_counter, memory_order_relaxed) < REJECT_AFTER_MESSAGES ? session : NULL;
}

struct peer_index *peer_index_find(const struct device *device, uint32_t index)
{
	struct map_node *node = map_first(&device->by_index, index);

	return node ? container_of(node, struct peer_index, node) : NULL;
}

struct peer_index *peer_index_create(struct peer *peer)
{
	struct peer_index *index = calloc(1, sizeof *index);

	if (!index)
		return NULL;
	index->peer = peer;
	do {
		randombytes_buf(&index->index, sizeof index->index);
	} while (peer_index_find(peer->device, index->index));
	return index;
}

static void peer_index_destroy(struct peer_index *index)
{
	if (!index)
		return;
	map_remove(&index->peer->device->by_index, &index->node);
	free(index);
}

void peer_set_handshake_index(struct peer *peer, struct peer_index *index)
{
	assert(peer->device->locked);
	peer_index_destroy(peer->handshake_index);
	peer->handshake_index = index;
	map_insert(&peer->device->by_index, &index->node, index->index); /* a random number is a good hash of itself */
}

/* Makes the session unreachable by its index, then wipes it. */
static void retire_session(void *context, struct session *session)
{
	struct peer *peer = context;

	assert(session != peer->device->session_in_use);
	quality_session_ends(&peer->quality, session);
	peer_index_destroy(session->owner);
	session_destroy(session);
}

int peer_derive_session(struct peer *peer, uint64_t now, struct session **session)
{
	struct noise_keys keys;
	int error = noise_derive(&peer->remote, &keys);

	if (error)
		return error;
	*session = session_create(peer->device->aead, &keys, now);
	sodium_memzero(&keys, sizeof keys);
	if (!*session)
		return -ENOMEM;
	timers_session_derived(&peer->device->timers, &peer->timers, now);
	device_count(peer->device, COUNT_HANDSHAKE_DONE, 1);
	return 0;
}

void peer_install_session(struct peer *peer, struct session *session)
{
	assert(peer->device->locked);
	session->owner = peer->handshake_index;
	peer->handshake_index->session = session;
	peer->handshake_index = NULL;
	session_install(&peer->sessions, session, retire_session, peer);
}

void peer_handshake_completed(struct peer *peer, uint64_t now)
{
	const struct device *device = peer->device;
	bool initiator = peer->sessions.current && peer->sessions.current->initiator;

	timers_handshake_completed(&peer->timers);
	peer_is_up(peer);
	peer->handshake_completed = now;
	peer->handshake_wall = device->realtime();
	if (log_debug_allowed(&peer->log, now))
		log_debug(peer_text(peer), "handshake completed");
	peer_state_answered(&peer->state);
	if (device->handshake_completed)
		device->handshake_completed(device->handshake_completed_context, peer);
	peer_emit(peer,
			  &(struct event) { .kind = EVENT_HANDSHAKE_COMPLETED, .role = initiator ? "initiator" : "responder" });
	peer_update_state(peer, now);
}

/* Without a step, returns the time that was read then: two queries give the same result to the nanosecond. */
uint64_t peer_last_handshake(const struct peer *peer, uint64_t now)
{
	uint64_t age = now - peer->handshake_completed, wall = peer->device->realtime();
	int64_t stepped = (int64_t)(wall - age - peer->handshake_wall);

	if (!peer->handshake_wall || (stepped > -STEP && stepped < STEP))
		return peer->handshake_wall;
	return wall > age ? wall - age : 1; /* the clock was set to less than `age` after the epoch */
}

void peer_confirm_next(struct peer *peer, uint64_t now)
{
	struct session *next = peer->sessions.next;

	assert(peer->device->locked);
	if (!next || !atomic_load(&next->confirmed))
		return;
	quality_confirmed(&peer->quality, next, peer->device->boottime());
	session_confirm(&peer->sessions, next, retire_session, peer);
	peer_send_staged(peer);
	peer_handshake_completed(peer, now);
}

void peer_forget_keys(struct peer *peer)
{
	struct session_slots slots = peer->sessions;
	struct session *const each[] = { slots.current, slots.previous, slots.next };

	assert(peer->device->locked);
	peer->sessions = (struct session_slots) { 0 };
	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		if (each[i])
			retire_session(peer, each[i]);
	noise_handshake_clear(&peer->remote);
	peer->quality.initiation_sent = peer->quality.response_sent = 0; /* nothing is awaited */
	peer_index_destroy(peer->handshake_index);
	peer->handshake_index = NULL;
	peer->handshake_gate = 0;
}

/* --- traffic ----- */

bool peer_send_staged(struct peer *peer)
{
	struct device *device = peer->device;
	uint32_t workers = staged_waiting(&peer->staged);

	if (!workers)
		return false;
	staged_set_ready(&device->staged, &peer->staged);
	if (device->ops && device->ops->wake)
		device->ops->wake(device->ops_context, workers);
	return true;
}

void peer_received(struct peer *peer, size_t bytes, uint64_t now)
{
	peer->rx_bytes += bytes;
	timers_any_received(&peer->device->timers, &peer->timers, now);
}
