/* SPDX-License-Identifier: MIT */
/*
 * The replay window: which counters of a session have been received (RFC 6479, with a window of 8192 bits), and which
 * of them were lost on the way.
 */
#ifndef ADIT_CRYPTO_REPLAY_H
#define ADIT_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum {
	REPLAY_WORD = 64,                               /* bits */
	REPLAY_WINDOW = 8192,                           /* counters below the highest that can still be accepted */
	REPLAY_WORDS = REPLAY_WINDOW / REPLAY_WORD + 1, /* one more, because the newest word is only partly in use */
	REPLAY_GAPS = 8,                                /* classes of gaps: 1, 2 to 3, 4 to 7, ..., 128 and more */
};

/* A gap younger than this may still be filled by datagrams that were overtaken, so replay_count does not count it. */
#define REPLAY_HOLD NS_PER_S
/* A longer gap is a jump of the sender: no link carries so many datagrams in the lifetime of a session. */
#define REPLAY_GAP_MAX (UINT64_C(1) << 32)

/* Zeroed memory is a window that has seen no counter. */
struct replay {
	uint64_t next; /* the highest counter seen, plus one */
	uint64_t words[REPLAY_WORDS];
	uint64_t settled; /* each missing counter below is either counted as lost or part of `gap` */
	uint64_t gap;     /* how many counters directly below `settled` are missing, if they are not counted yet */
	uint64_t missing; /* counters below `settled` that have not been accepted */
	uint64_t lost, late, duplicate; /* see struct replay_counts, as for `gaps` */
	uint32_t gaps[REPLAY_GAPS];     /* cannot overflow in the lifetime of a session */
	uint64_t gap_seen;              /* when `next` skipped a counter for the last time, ns */
	uint64_t young_since;           /* gaps at and above `young` were seen since then */
	uint64_t young, old;            /* gaps below `old` were seen at least REPLAY_HOLD before `young_since` */
};

/* Sums over windows. Each only grows, and stays at its maximum. */
struct replay_counts {
	uint64_t accepted;
	uint64_t lost;              /* missing below a counter that was accepted, see replay_count */
	uint64_t late;              /* accepted after a higher counter */
	uint64_t duplicate;         /* rejected: received before, or below the window */
	uint64_t gaps[REPLAY_GAPS]; /* runs of lost counters, by their length */
};

/*
 * Marks `counter` as seen at `now`, in ns. Returns false if the counter was seen before, is below the window, or is at
 * or past REJECT_AFTER_MESSAGES.
 */
bool replay_accept(struct replay *window, uint64_t counter, uint64_t now);

/*
 * Adds the counts of the window to *sum. A missing counter is lost once it has left the window, or once this function
 * finds that it was skipped REPLAY_HOLD or longer before `now`. A lost counter stays lost, even if it arrives later. So
 * the counts of a window never fall. With UINT64_MAX for `now`, all missing counters are lost.
 */
void replay_count(struct replay *window, uint64_t now, struct replay_counts *sum);

/*
 * Returns whether counter 0 was the first one to arrive. May return false if more than the first counters have arrived.
 */
bool replay_began_in_order(const struct replay *window);

#endif
