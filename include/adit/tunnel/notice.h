/* SPDX-License-Identifier: MIT */
/*
 * Notices: what a worker tells control, which alone changes peers, keys and routes. With one worker, on control's own
 * loop, each is acted upon at once. With several they wait in a list of peers and a queue of messages until control's
 * loop gets to them.
 */
#ifndef ADIT_TUNNEL_NOTICE_H
#define ADIT_TUNNEL_NOTICE_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "io/endpoint.h"

struct device;
struct peer;

enum notice {
	NOTICE_TIMER = 1,        /* a timer was set that the heap does not know, or has too late */
	NOTICE_HANDSHAKE = 2,    /* there is something to send, and no session for it or an ageing one */
	NOTICE_CONFIRMED = 4,    /* a packet came under the session that waits for its first (session.confirmed) */
	NOTICE_SOURCE = 8,       /* the peer is spoken to, and its source in doubt */
	NOTICE_SOURCE_LOST = 16, /* the host has its source no more */
	NOTICE_MOVED = 32,       /* it was heard from another place (peer_move) */
};

enum {
	NOTICE_MESSAGES = 4096,            /* that wait at most; more are dropped */
	NOTICE_BUSY = NOTICE_MESSAGES / 8, /* control is under load from here on */
	NOTICE_MESSAGE = 148,              /* bytes of the largest message that is no data */
};

/* Where they wait. A device without one has its only worker on control's loop. */
struct notices;

/* Makes and destroys it; control's loop acts upon what comes. NULL and errno. Takes NULL. */
struct notices *notices_create(struct device *device, struct ev_loop *loop, void (*gone)(void *context), void *context);
void notices_destroy(struct notices *notices);

/* Any of enum notice, together. */
void notice_peer(struct peer *peer, unsigned what, uint64_t now);
/* A message came that is no data. False when it was dropped: too many wait, or it is longer than any there is. */
bool notice_message(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from, uint64_t now);
/* The TUN was deleted. */
void notice_gone(struct notices *notices);

/* A peer is being removed: nothing waits for it any more. */
void notices_forget(struct notices *notices, struct peer *peer);
/* Messages that wait. */
uint32_t notices_waiting(struct notices *notices);

#endif
