/* SPDX-License-Identifier: MIT */
#include "crypto/replay.h"

#include "crypto/message.h"

/*
 * The words are a ring: counter c has its bit in word c / 64, modulo their number. When the highest counter enters a
 * new word, the words between (at most all) still hold counters of one round ago and are cleared.
 */
static void advance(struct replay *window, uint64_t word)
{
	uint64_t highest = window->next ? (window->next - 1) / REPLAY_WORD : 0;
	uint64_t stale = word - highest;

	if (stale > REPLAY_WORDS)
		stale = REPLAY_WORDS;
	for (; stale; stale--, word--)
		window->words[word % REPLAY_WORDS] = 0;
}

bool replay_accept(struct replay *window, uint64_t counter)
{
	uint64_t word = counter / REPLAY_WORD, bit = UINT64_C(1) << counter % REPLAY_WORD;
	uint64_t *place = &window->words[word % REPLAY_WORDS];

	if (counter >= REJECT_AFTER_MESSAGES)
		return false;
	if (counter >= window->next) {
		advance(window, word);
		window->next = counter + 1;
	} else if (window->next - 1 - counter > REPLAY_WINDOW) {
		return false;
	}
	if (*place & bit)
		return false;
	*place |= bit;
	return true;
}
