/* SPDX-License-Identifier: MIT */
/*
 * The timers of the peers (WireGuard paper, section 6), named after the events that move them. All deadlines stand in
 * one heap behind one timerfd of CLOCK_BOOTTIME.
 */
#ifndef ADIT_TUNNEL_TIMERS_H
#define ADIT_TUNNEL_TIMERS_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

struct device;
struct peer;

enum timer_kind {
	TIMER_RETRANSMIT_HANDSHAKE, /* an initiation was not answered in 5 s: send another, for 90 s */
	TIMER_SEND_KEEPALIVE,       /* 10 s after data came and nothing went back: say that we are there */
	TIMER_NEW_HANDSHAKE,        /* 15 s after data went and nothing came back: the session may be dead */
	TIMER_ZERO_KEYS,            /* 540 s after the last session was made: wipe what is left of it */
	TIMER_PERSISTENT_KEEPALIVE, /* as configured, to keep a NAT mapping alive */
	TIMERS
};

/*
 * A deadline that is cheap to move, by any worker: it is set later or cancelled by `due` alone, and the heap learns of
 * it when the old deadline passes. So a timer that traffic moves all the time costs the heap nothing.
 */
struct timer {
	struct heap_node node;
	_Atomic uint64_t due;    /* ns of CLOCK_BOOTTIME; 0: not pending */
	_Atomic uint64_t queued; /* its deadline in the heap; 0: not in it. Written by control alone */
	uint8_t kind;
};

/* What the timers of one peer remember beside their deadlines. */
struct peer_timers {
	struct timer timer[TIMERS];
	unsigned attempts;                   /* initiations since the last session */
	_Atomic bool need_another_keepalive; /* data came while a keepalive was pending */
	_Atomic bool late_rekey_sent;        /* the one rekey on receive of this session was asked for */
};

/* What an expired timer does. A table, so that a test can watch. */
struct timer_actions {
	void (*initiate)(struct peer *peer, uint64_t now, bool retry);
	void (*keepalive)(struct peer *peer, uint64_t now);
	void (*give_up)(struct peer *peer);   /* drop what is staged */
	void (*zero_keys)(struct peer *peer); /* wipe sessions and handshake */
	void (*unanswered)(
		struct peer *peer); /* before another try: where it is, or from where we speak, may have changed */
};

struct timers {
	struct heap heap;
	const struct timer_actions *actions;
	_Atomic uint64_t random; /* state of the jitter, no secret */
	uint64_t alarm;          /* when the timerfd goes off; 0: not set */
	int fd;                  /* -1: nobody waits, timers_expire is called by hand */
	struct ev_io watcher;
};

/* Opens the timerfd and, with a loop, watches it. 0 or negative errno. */
int timers_init(struct timers *timers, const struct timer_actions *actions, struct ev_loop *loop);
void timers_destroy(struct timers *timers, struct ev_loop *loop);

/* Makes room for the timers of `peers` peers, so that arming one never fails. 0 or -ENOMEM. */
int timers_reserve(struct timers *timers, size_t peers);

/* All but the events below is for control alone. Runs every timer that is due at `now`. */
void timers_expire(struct timers *timers, uint64_t now);

void timers_peer_init(struct peer *peer);
/* Cancels all of the peer's timers and takes them out of the heap. */
void timers_peer_stop(struct peer *peer);

/* Puts what was set and the heap does not know, or has too late, into the heap. */
void timers_queue(struct peer *peer);

/* Events. "Any" includes keepalives and handshake messages, "data" is a packet that is not empty. */
void timers_data_sent(struct peer *peer, uint64_t now);
void timers_data_received(struct peer *peer, uint64_t now);
void timers_any_sent(struct peer *peer, uint64_t now);
void timers_any_received(struct peer *peer, uint64_t now);
void timers_handshake_initiated(struct peer *peer, uint64_t now);
void timers_handshake_completed(struct peer *peer);
void timers_session_derived(struct peer *peer, uint64_t now);
void timers_keepalive_changed(struct peer *peer, uint64_t now);

#endif
