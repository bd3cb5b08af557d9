/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A peer stands in the list at most once: whoever makes its set of notices non-empty puts it there, and control empties
 * the set when it takes the peer out. So the list needs no memory of its own and cannot overflow. Messages and moves
 * are copied into a ring, which can: a message is then lost as on a full socket, and a move is told again by the peer's
 * next packet. A peer that is removed is taken out of both.
 */
#include "tunnel/notice.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tunnel/handshake.h"
#include "tunnel/peer.h"

enum { MAX_PER_WAKEUP = 256 }; /* peers, and messages, that are acted upon before others have their turn */

struct notice_message {
	struct endpoint from;
	uint16_t length;
	uint8_t message[NOTICE_MESSAGE];
};

struct notices {
	struct device *device;
	struct ev_loop *loop;
	struct ev_async wake;
	void (*gone)(void *context);
	void *context;

	pthread_mutex_t lock; /* of all below */
	bool deleted;
	struct peer *first, *last;
	uint32_t head, count;
	struct notice_message ring[NOTICE_MESSAGES];
};

/* --- what control does ---------------------------------------------------------------------------------------------
 */

static void act(struct peer *peer, unsigned what, uint64_t now)
{
	if (what & NOTICE_TIMER)
		timers_queue(peer);
	if (what & NOTICE_CONFIRMED)
		peer_confirm_next(peer);
	if (what & NOTICE_MOVED)
		peer_settle_move(peer);
	if (what & NOTICE_SOURCE_LOST)
		peer_clear_local(peer);
	if (what & NOTICE_SOURCE)
		peer_verify_local(peer);
	if (what & NOTICE_HANDSHAKE)
		handshake_initiate(peer, now, false);
}

static struct peer *next_peer(struct notices *notices)
{
	struct peer *peer;

	pthread_mutex_lock(&notices->lock);
	peer = notices->first;
	if (peer) {
		notices->first = peer->next_noticed;
		if (!notices->first)
			notices->last = NULL;
	}
	pthread_mutex_unlock(&notices->lock);
	return peer;
}

static bool next_message(struct notices *notices, struct notice_message *message)
{
	bool any;

	pthread_mutex_lock(&notices->lock);
	any = notices->count;
	if (any) {
		*message = notices->ring[notices->head];
		notices->head = (notices->head + 1) % NOTICE_MESSAGES;
		notices->count--;
	}
	pthread_mutex_unlock(&notices->lock);
	return any;
}

/* Workers may notice a peer again as fast as it is taken out, while packets to it wait for a handshake. */
static void act_on_peers(struct notices *notices, uint64_t now)
{
	for (int i = 0; i < MAX_PER_WAKEUP; i++) {
		struct peer *peer = next_peer(notices);
		if (!peer)
			return;
		act(peer, atomic_exchange(&peer->noticed, 0), now);
	}
	ev_async_send(notices->loop, &notices->wake);
}

static void act_on_messages(struct notices *notices, uint64_t now)
{
	struct notice_message message;

	for (int i = 0; i < MAX_PER_WAKEUP; i++) {
		if (!next_message(notices, &message))
			return;
		handshake_receive(notices->device, message.message, message.length, &message.from, now);
	}
	ev_async_send(notices->loop, &notices->wake);
}

static void on_wake(struct ev_loop *loop, struct ev_async *watcher, int events)
{
	struct notices *notices = watcher->data;
	uint64_t now = clock_boottime();
	bool deleted;

	act_on_peers(notices, now);
	act_on_messages(notices, now);
	pthread_mutex_lock(&notices->lock);
	deleted = notices->deleted;
	pthread_mutex_unlock(&notices->lock);
	if (deleted)
		notices->gone(notices->context);
}

/* --- what workers do ------------------------------------------------------------------------------------------------
 */

static void append(struct notices *notices, struct peer *peer)
{
	pthread_mutex_lock(&notices->lock);
	peer->next_noticed = NULL;
	if (notices->last)
		notices->last->next_noticed = peer;
	else
		notices->first = peer;
	notices->last = peer;
	pthread_mutex_unlock(&notices->lock);
	ev_async_send(notices->loop, &notices->wake);
}

void notice_peer(struct peer *peer, unsigned what, uint64_t now)
{
	struct notices *notices = peer->device->notices;

	if (!notices)
		act(peer, what, now);
	else if (!atomic_fetch_or(&peer->noticed, what))
		append(notices, peer);
}

static bool queue(struct notices *notices, const struct notice_message *message)
{
	bool room;

	pthread_mutex_lock(&notices->lock);
	room = notices->count < NOTICE_MESSAGES;
	if (room)
		notices->ring[(notices->head + notices->count++) % NOTICE_MESSAGES] = *message;
	pthread_mutex_unlock(&notices->lock);
	if (room)
		ev_async_send(notices->loop, &notices->wake);
	return room;
}

bool notice_message(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from, uint64_t now)
{
	struct notice_message copy = { .from = *from, .length = (uint16_t)n };

	if (!device->notices) {
		handshake_receive(device, message, n, from, now);
		return true;
	}
	if (n > sizeof copy.message)
		return false;
	memcpy(copy.message, message, n);
	return queue(device->notices, &copy);
}

void notice_gone(struct notices *notices)
{
	pthread_mutex_lock(&notices->lock);
	notices->deleted = true;
	pthread_mutex_unlock(&notices->lock);
	ev_async_send(notices->loop, &notices->wake);
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

struct notices *notices_create(struct device *device, struct ev_loop *loop, void (*gone)(void *context), void *context)
{
	struct notices *notices = calloc(1, sizeof *notices);

	if (!notices)
		return NULL;
	notices->device = device;
	notices->loop = loop;
	notices->gone = gone;
	notices->context = context;
	pthread_mutex_init(&notices->lock, NULL);
	ev_async_init(&notices->wake, on_wake);
	notices->wake.data = notices;
	ev_async_start(loop, &notices->wake);
	return notices;
}

void notices_destroy(struct notices *notices)
{
	if (!notices)
		return;
	ev_async_stop(notices->loop, &notices->wake);
	pthread_mutex_destroy(&notices->lock);
	free(notices);
}

void notices_forget(struct notices *notices, struct peer *peer)
{
	struct peer **place, *before = NULL;

	if (!notices)
		return;
	pthread_mutex_lock(&notices->lock);
	for (place = &notices->first; *place && *place != peer; place = &(*place)->next_noticed)
		before = *place;
	if (*place) {
		*place = peer->next_noticed;
		if (notices->last == peer)
			notices->last = before;
	}
	pthread_mutex_unlock(&notices->lock);
}

uint32_t notices_waiting(struct notices *notices)
{
	uint32_t count;

	if (!notices)
		return 0;
	pthread_mutex_lock(&notices->lock);
	count = notices->count;
	pthread_mutex_unlock(&notices->lock);
	return count;
}
