/* SPDX-License-Identifier: MIT */
/*
 * The mailbox between workers and control.
 *
 * Theory of operation
 *
 * A peer is in the list at most once: the worker that makes its set of events non-empty appends it, and control empties
 * the set after it has taken the peer out. So the list needs no memory of its own and cannot overflow. Messages are
 * copied into a ring of fixed size. When the ring is full, a message is lost, as it would be on a full socket.
 *
 * The watcher has the lowest priority of its loop, so whatever else is ready in the same iteration runs first. With one
 * worker that includes data. An iteration ends after one expensive message, or MESSAGES_PER_WAKEUP cheap ones.
 */
#include "tunnel/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How many are delivered before other watchers of the loop run. */
enum { PEERS_PER_WAKEUP = 256, MESSAGES_PER_WAKEUP = 64 };

struct mailbox_message {
	struct endpoint from;
	unsigned tag;
	uint16_t length;
	uint8_t bytes[MAILBOX_MESSAGE];
};

struct mailbox_ring {
	uint32_t head, count;
	bool noticed;
	struct mailbox_message notice; /* if `noticed` */
	struct mailbox_message messages[MAILBOX_MESSAGES];
};

/* --- control's side ----- */

/* Stops after PEERS_PER_WAKEUP, because workers may post for a peer again as fast as it is taken out. */
static void deliver_peers(struct mailbox *mailbox, uint64_t now)
{
	for (int i = 0; i < PEERS_PER_WAKEUP; i++) {
		struct list_node *node;
		struct mailbox_peer *peer;

		pthread_mutex_lock(&mailbox->lock);
		node = list_take_first(&mailbox->peers);
		pthread_mutex_unlock(&mailbox->lock);
		if (!node)
			return;
		peer = container_of(node, struct mailbox_peer, node);
		mailbox->ops->peer(mailbox->context, peer, atomic_exchange(&peer->events, 0), now);
	}
	ev_async_send(mailbox->loop, &mailbox->wake);
}

static void deliver_messages(struct mailbox *mailbox, uint64_t now)
{
	struct mailbox_ring *ring = mailbox->ring;
	struct mailbox_message message;
	bool any, expensive = false;

	for (int i = 0; i < MESSAGES_PER_WAKEUP && !expensive; i++) {
		pthread_mutex_lock(&mailbox->lock);
		any = ring->count;
		if (any) {
			message = ring->messages[ring->head];
			/* An empty ring starts over, so that few messages touch little of its memory. */
			ring->head = --ring->count ? (ring->head + 1) % MAILBOX_MESSAGES : 0;
		}
		pthread_mutex_unlock(&mailbox->lock);
		if (!any)
			return;
		expensive =
			mailbox->ops->message(mailbox->context, message.tag, message.bytes, message.length, &message.from, now);
	}
	if (mailbox_waiting(mailbox))
		ev_async_send(mailbox->loop, &mailbox->wake);
}

static void deliver_notice(struct mailbox *mailbox, uint64_t now)
{
	struct mailbox_message notice = { 0 };
	bool noticed;

	pthread_mutex_lock(&mailbox->lock);
	noticed = mailbox->ring->noticed;
	if (noticed)
		notice = mailbox->ring->notice;
	mailbox->ring->noticed = false;
	pthread_mutex_unlock(&mailbox->lock);
	if (noticed)
		mailbox->ops->message(mailbox->context, notice.tag, notice.bytes, notice.length, &notice.from, now);
}

static void on_mail(struct ev_loop *loop, struct ev_async *watcher, int events)
{
	struct mailbox *mailbox = watcher->data;
	uint64_t now = clock_boottime();
	bool gone;

	deliver_peers(mailbox, now);
	deliver_messages(mailbox, now);
	deliver_notice(mailbox, now);
	pthread_mutex_lock(&mailbox->lock);
	gone = mailbox->gone;
	pthread_mutex_unlock(&mailbox->lock);
	if (gone)
		mailbox->ops->gone(mailbox->context);
}

void mailbox_forget(struct mailbox *mailbox, struct mailbox_peer *peer)
{
	pthread_mutex_lock(&mailbox->lock);
	list_remove(&peer->node);
	pthread_mutex_unlock(&mailbox->lock);
}

uint32_t mailbox_drop_messages(struct mailbox *mailbox)
{
	uint32_t count = mailbox_waiting(mailbox);

	if (count)
		mailbox->ring->head = mailbox->ring->count = 0;
	if (mailbox->ring)
		mailbox->ring->noticed = false;
	return count;
}

uint32_t mailbox_waiting(struct mailbox *mailbox)
{
	uint32_t count;

	if (!mailbox->ring)
		return 0;
	pthread_mutex_lock(&mailbox->lock);
	count = mailbox->ring->count;
	pthread_mutex_unlock(&mailbox->lock);
	return count;
}

/* --- the workers' side ----- */

void mailbox_post(struct mailbox *mailbox, struct mailbox_peer *peer, unsigned events, uint64_t now)
{
	if (!mailbox->threaded) {
		mailbox->depth++;
		mailbox->ops->peer(mailbox->context, peer, events, now);
		mailbox->depth--;
		return;
	}
	if (atomic_fetch_or(&peer->events, events))
		return; /* the peer is in the list, or control is about to take its events */
	pthread_mutex_lock(&mailbox->lock);
	list_append(&mailbox->peers, &peer->node);
	pthread_mutex_unlock(&mailbox->lock);
	ev_async_send(mailbox->loop, &mailbox->wake);
}

static void copy_message(struct mailbox_message *copy, unsigned tag, const uint8_t *message, size_t n,
						 const struct endpoint *from)
{
	copy->from = *from;
	copy->tag = tag;
	copy->length = (uint16_t)n;
	memcpy(copy->bytes, message, n);
}

/* Delivers a message at once, because nothing waits before the mailbox is started. */
static void deliver_directly(struct mailbox *mailbox, unsigned tag, const uint8_t *message, size_t n,
							 const struct endpoint *from, uint64_t now)
{
	mailbox->depth++;
	mailbox->ops->message(mailbox->context, tag, message, n, from, now);
	mailbox->depth--;
}

bool mailbox_post_message(struct mailbox *mailbox, unsigned tag, const uint8_t *message, size_t n,
						  const struct endpoint *from, uint64_t now)
{
	struct mailbox_ring *ring = mailbox->ring;
	bool room;

	if (!ring) {
		deliver_directly(mailbox, tag, message, n, from, now);
		return true;
	}
	if (n > MAILBOX_MESSAGE)
		return false;
	pthread_mutex_lock(&mailbox->lock);
	room = ring->count < MAILBOX_MESSAGES;
	if (room)
		copy_message(&ring->messages[(ring->head + ring->count++) % MAILBOX_MESSAGES], tag, message, n, from);
	pthread_mutex_unlock(&mailbox->lock);
	if (room)
		ev_async_send(mailbox->loop, &mailbox->wake);
	return room;
}

void mailbox_post_notice(struct mailbox *mailbox, unsigned tag, const uint8_t *message, size_t n,
						 const struct endpoint *from, uint64_t now)
{
	struct mailbox_ring *ring = mailbox->ring;

	if (!ring) {
		deliver_directly(mailbox, tag, message, n, from, now);
		return;
	}
	if (n > MAILBOX_MESSAGE)
		return;
	pthread_mutex_lock(&mailbox->lock);
	if (!ring->noticed)
		copy_message(&ring->notice, tag, message, n, from);
	ring->noticed = true;
	pthread_mutex_unlock(&mailbox->lock);
	ev_async_send(mailbox->loop, &mailbox->wake);
}

/* A worker posts this when it has nothing in use any more, so `depth` is not counted. */
void mailbox_post_gone(struct mailbox *mailbox)
{
	if (!mailbox->threaded) {
		mailbox->ops->gone(mailbox->context);
		return;
	}
	pthread_mutex_lock(&mailbox->lock);
	mailbox->gone = true;
	pthread_mutex_unlock(&mailbox->lock);
	ev_async_send(mailbox->loop, &mailbox->wake);
}

/* --- set-up ----- */

void mailbox_init(struct mailbox *mailbox, const struct mailbox_ops *ops, void *context)
{
	*mailbox = (struct mailbox) { .ops = ops, .context = context };
	pthread_mutex_init(&mailbox->lock, NULL);
}

void mailbox_destroy(struct mailbox *mailbox)
{
	mailbox_stop(mailbox);
	pthread_mutex_destroy(&mailbox->lock);
	*mailbox = (struct mailbox) { 0 };
}

int mailbox_start(struct mailbox *mailbox, struct ev_loop *loop, bool threaded)
{
	mailbox->ring = calloc(1, sizeof *mailbox->ring);
	if (!mailbox->ring)
		return -ENOMEM;
	mailbox->loop = loop;
	mailbox->threaded = threaded;
	mailbox->gone = false;
	ev_async_init(&mailbox->wake, on_mail);
	ev_set_priority(&mailbox->wake, EV_MINPRI);
	mailbox->wake.data = mailbox;
	ev_async_start(loop, &mailbox->wake);
	return 0;
}

void mailbox_stop(struct mailbox *mailbox)
{
	if (!mailbox->ring)
		return;
	ev_async_stop(mailbox->loop, &mailbox->wake);
	for (struct list_node *node = list_take_first(&mailbox->peers); node; node = list_take_first(&mailbox->peers))
		atomic_store(&container_of(node, struct mailbox_peer, node)->events, 0);
	free(mailbox->ring);
	mailbox->ring = NULL;
	mailbox->threaded = false;
}
