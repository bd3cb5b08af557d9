/* SPDX-License-Identifier: MIT */
/*
 * The mailbox: how workers report to control, which alone changes peers, keys and routes. A worker posts events of a
 * peer, messages of the handshake, or that the device is gone; the mailbox calls control back.
 *
 * With several workers, which are threads, events and messages wait until control's loop delivers them. With one
 * worker, which runs on control's own loop, events are delivered at once (direct mode). Messages still wait, because
 * they can be expensive and data goes first. Before the mailbox is started, messages are delivered at once, too.
 *
 * The mailbox knows neither peers nor handshakes: an event is a bit and the tag of a message a number, and the owner
 * defines their meaning.
 */
#ifndef ADIT_TUNNEL_MAILBOX_H
#define ADIT_TUNNEL_MAILBOX_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/endpoint.h"

enum {
	MAILBOX_MESSAGES = 4096, /* messages that may wait; more are dropped */
	MAILBOX_MESSAGE = 148,   /* bytes of the largest message */
};

/* The part of a peer that the mailbox needs; zeroed memory has no events. */
struct mailbox_peer {
	_Atomic unsigned events; /* posted and not yet delivered */
	struct list_node node;
};

/* The state of a place in which workers leave something for control, next to an event. */
enum post_state {
	POST_NONE,
	POST_WRITING, /* one worker writes it */
	POST_PENDING, /* it is valid; no worker writes it until control has taken it */
};

/* Control's side. `now` is the time of delivery. */
struct mailbox_ops {
	void (*peer)(void *context, struct mailbox_peer *peer, unsigned events, uint64_t now);
	/* Returns true if the message was expensive. Then the next one waits until the loop has run its other watchers. */
	bool (*message)(void *context, unsigned tag, const uint8_t *message, size_t n, const struct endpoint *from,
					uint64_t now);
	void (*gone)(void *context);
};

struct mailbox_ring;

struct mailbox {
	const struct mailbox_ops *ops;
	void *context;
	unsigned depth;            /* how many callbacks are running inside a call of a worker */
	bool threaded;             /* there are workers with threads of their own */
	struct mailbox_ring *ring; /* NULL: not started */
	struct ev_loop *loop;      /* control's */
	struct ev_async wake;
	pthread_mutex_t lock; /* protects `peers`, `gone` and the ring */
	struct list peers;    /* that have events */
	bool gone;
};

/* Prepares a mailbox that is not started. */
void mailbox_init(struct mailbox *mailbox, const struct mailbox_ops *ops, void *context);
/* Accepts a zeroed struct. */
void mailbox_destroy(struct mailbox *mailbox);

/*
 * From now on `loop` delivers messages and, if `threaded`, events. No worker may run. Returns 0 or -ENOMEM.
 */
int mailbox_start(struct mailbox *mailbox, struct ev_loop *loop, bool threaded);
/* Drops everything that waits. No worker may run. */
void mailbox_stop(struct mailbox *mailbox);

/* Returns true if there are workers with threads of their own. */
static inline bool mailbox_threaded(const struct mailbox *mailbox)
{
	return mailbox->threaded;
}

/* Posts events of a peer. They are delivered together with those that wait already. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_peer *peer, unsigned events, uint64_t now);
/* Posts a copy of the message. Returns false if it was dropped: too many messages wait, or it is too long. */
bool mailbox_post_message(struct mailbox *mailbox, unsigned tag, const uint8_t *message, size_t n,
						  const struct endpoint *from, uint64_t now);
/*
 * Posts a copy of a message that is no more than information, such as why a message was dropped. It takes no place
 * among the messages, and is dropped while another one waits.
 */
void mailbox_post_notice(struct mailbox *mailbox, unsigned tag, const uint8_t *message, size_t n,
						 const struct endpoint *from, uint64_t now);
/* Posts that the device is gone. */
void mailbox_post_gone(struct mailbox *mailbox);

/* Drops the events of a peer that is being removed. No worker may run. */
void mailbox_forget(struct mailbox *mailbox, struct mailbox_peer *peer);
/* Drops all messages, and a notice. Returns how many messages there were. No worker may run. */
uint32_t mailbox_drop_messages(struct mailbox *mailbox);
/* Returns how many messages wait. */
uint32_t mailbox_waiting(struct mailbox *mailbox);

#endif
