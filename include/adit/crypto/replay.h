/* SPDX-License-Identifier: MIT */
/* The replay window (RFC 6479, with a window of 8192 bits): which counters of a session have been seen. */
#ifndef ADIT_CRYPTO_REPLAY_H
#define ADIT_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD = 64,
	REPLAY_WORDS = 8192 / REPLAY_WORD + 1, /* one word more than the window: it is being filled */
	REPLAY_WINDOW = 8192,                  /* counters behind the highest that are still told apart */
};

/* Zeroed memory is a window that has seen nothing. */
struct replay {
	uint64_t next; /* the highest counter seen, plus one */
	uint64_t words[REPLAY_WORDS];
};

/* Checks and marks `counter` in one step: false when it was seen, is too old, or is at the limit of a session. */
bool replay_accept(struct replay *window, uint64_t counter);

#endif
