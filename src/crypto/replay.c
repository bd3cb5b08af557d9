/* SPDX-License-Identifier: MIT */
/* The replay window. */
#include "crypto/replay.h"

#include "crypto/message.h"

/* The words form a ring: the bit of counter c is in word c / 64 modulo REPLAY_WORDS. */
bool replay_accept(struct replay *window, uint64_t counter)
{
	uint64_t word = counter / REPLAY_WORD, bit = UINT64_C(1) << counter % REPLAY_WORD;
	uint64_t *place = &window->words[word % REPLAY_WORDS];

	if (counter >= REJECT_AFTER_MESSAGES)
		return false;
	if (counter >= window->next) {
		uint64_t stale = word - (window->next ? (window->next - 1) / REPLAY_WORD : 0);

		/* When the highest counter enters a new word, that word and those it skipped hold counters of the last round.
		 */
		if (stale > REPLAY_WORDS)
			stale = REPLAY_WORDS;
		for (; stale; stale--, word--)
			window->words[word % REPLAY_WORDS] = 0;
		window->next = counter + 1;
	} else if (window->next - 1 - counter > REPLAY_WINDOW) {
		return false;
	}
	if (*place & bit)
		return false;
	*place |= bit;
	return true;
}
