/* SPDX-License-Identifier: MIT */
/* The replay window: which counters of a session have been received (RFC 6479, with a window of 8192 bits). */
#ifndef ADIT_CRYPTO_REPLAY_H
#define ADIT_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD = 64,                               /* bits */
	REPLAY_WINDOW = 8192,                           /* counters below the highest that can still be accepted */
	REPLAY_WORDS = REPLAY_WINDOW / REPLAY_WORD + 1, /* one more, because the newest word is only partly in use */
};

/* Zeroed memory is a window that has seen no counter. */
struct replay {
	uint64_t next; /* the highest counter seen, plus one */
	uint64_t words[REPLAY_WORDS];
};

/*
 * Marks `counter` as seen. Returns false if the counter was seen before, is below the window, or is at or past
 * REJECT_AFTER_MESSAGES.
 */
bool replay_accept(struct replay *window, uint64_t counter);

#endif
