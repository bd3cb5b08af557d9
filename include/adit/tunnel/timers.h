/* SPDX-License-Identifier: MIT */
/*
 * Timers of the peers (WireGuard paper, section 6), named after the events that set and cancel them. One heap holds the
 * deadlines of all peers; one timerfd on CLOCK_BOOTTIME waits for the earliest.
 *
 * The events (timers_data_sent and so on) may be reported by any thread. All other functions are for control.
 */
#ifndef ADIT_TUNNEL_TIMERS_H
#define ADIT_TUNNEL_TIMERS_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

/* The table at the top of timers.c lists what sets, cancels and expires each timer. */
enum timer_kind {
	TIMER_RETRANSMIT_HANDSHAKE,
	TIMER_SEND_KEEPALIVE,
	TIMER_NEW_HANDSHAKE,
	TIMER_ZERO_KEYS,
	TIMER_PERSISTENT_KEEPALIVE,
	TIMERS
};

/* A timer. Setting it to a later deadline or cancelling it writes `due` only, so any thread can do it cheaply. */
struct timer {
	struct heap_node node;
	_Atomic uint64_t due;    /* ns of CLOCK_BOOTTIME; 0: not pending */
	_Atomic uint64_t queued; /* the deadline in the heap; 0: not in the heap. Written by control only */
	uint8_t kind;
};

/* The timers of one peer. */
struct peer_timers {
	struct timer timer[TIMERS];
	uint16_t keepalive;                  /* the interval of the persistent keepalive in seconds; 0: off */
	unsigned attempts;                   /* initiations since the last session */
	_Atomic bool need_another_keepalive; /* data was received while a keepalive was pending */
	_Atomic bool late_rekey_sent;        /* the late rekey of the current session was already requested */
};

/* The owner of the timers, called with the timers of a peer. */
struct timer_ops {
	/* The peer did not answer: sends an initiation. `retry`: another attempt for the same session. */
	void (*initiate)(struct peer_timers *peer, uint64_t now, bool retry);
	void (*keepalive)(struct peer_timers *peer, uint64_t now);
	/* No response came in REKEY_ATTEMPT_TIME. */
	void (*give_up)(struct peer_timers *peer);
	/* The last session is too old to be used: wipe what is left of it. */
	void (*zero_keys)(struct peer_timers *peer);
	/*
	 * A timer was set that is not in the heap, or too late in it: control must call timers_queue. Unlike the others,
	 * this is called by the thread that reported the event.
	 */
	void (*needs_queueing)(struct peer_timers *peer);
};

struct timers {
	struct heap heap;
	const struct timer_ops *ops;
	_Atomic uint64_t random; /* state of the jitter; not secret */
	uint64_t alarm;          /* what the timerfd is set to; 0: not set */
	int fd;                  /* -1: there is none; the caller calls timers_expire */
	struct ev_io watcher;
};

/* With a loop, opens the timerfd and watches it. Returns 0 or negative errno. */
int timers_init(struct timers *timers, const struct timer_ops *ops, struct ev_loop *loop);
/* Accepts a zeroed struct. */
void timers_destroy(struct timers *timers, struct ev_loop *loop);

/* Allocates memory for the timers of `peers` peers, so that queueing never fails. Returns 0 or -ENOMEM. */
int timers_reserve(struct timers *timers, size_t peers);

/*
 * Runs at most `max` of the timers that are due at `now`. If more are due, the alarm is set to a time that has passed
 * and goes off at once.
 */
void timers_expire(struct timers *timers, uint64_t now, unsigned max);

void timers_peer_init(struct peer_timers *peer);
/* Cancels all timers of the peer and removes them from the heap. No worker may run. */
void timers_peer_stop(struct timers *timers, struct peer_timers *peer);

/* Moves the timers of the peer to their deadlines in the heap, if those are earlier than what the heap has. */
void timers_queue(struct timers *timers, struct peer_timers *peer);

/*
 * Sets the interval of the persistent keepalive in seconds (0: off), which starts now. No worker may run.
 */
void timers_set_keepalive(struct timers *timers, struct peer_timers *peer, uint16_t seconds, uint64_t now);

/* Returns a random time of up to REKEY_TIMEOUT_JITTER, so that two ends do not keep in step. */
uint64_t timers_jitter(struct timers *timers);

/* Returns whether an initiation was sent that is neither answered nor given up, or one waits for its time. */
bool timers_handshake_pending(const struct peer_timers *peer);

/* Events. "Any" includes keepalives and handshake messages; "data" is a packet that is not empty. */
void timers_data_sent(struct timers *timers, struct peer_timers *peer, uint64_t now);
void timers_data_received(struct timers *timers, struct peer_timers *peer, uint64_t now);
void timers_any_sent(struct timers *timers, struct peer_timers *peer, uint64_t now);
void timers_any_received(struct timers *timers, struct peer_timers *peer, uint64_t now);
void timers_handshake_initiated(struct timers *timers, struct peer_timers *peer, uint64_t now);
void timers_handshake_completed(struct peer_timers *peer);
void timers_session_derived(struct timers *timers, struct peer_timers *peer, uint64_t now);

#endif
