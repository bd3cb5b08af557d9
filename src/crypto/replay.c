/* SPDX-License-Identifier: MIT */
/*
 * The replay window.
 *
 * Theory of operation
 *
 * The words form a ring: the bit of counter c is in word c / 64 modulo REPLAY_WORDS. A sender numbers its datagrams
 * from 0 without gaps, so each counter below `next` whose bit is not set is a datagram that was lost or is late. The
 * window does not count what arrives, because the bits contain it. They are evaluated when they leave the ring, once
 * per 64 datagrams, and when the counts are read. A datagram in order therefore costs nothing beyond the replay window
 * itself.
 *
 * Evaluated counters are final, so that published counts never fall. A reader must therefore not evaluate a gap that
 * overtaken datagrams may still fill. Two marks, `young` and `old`, separate the gaps by age. They move when a gap is
 * seen, but at most once per REPLAY_HOLD while gaps keep coming.
 */
#include "crypto/replay.h"

#include "crypto/message.h"

static uint64_t *replay_word(struct replay *window, uint64_t counter)
{
	return &window->words[counter / REPLAY_WORD % REPLAY_WORDS];
}

/* --- evaluation ----- */

static void count_missing(struct replay *window, uint64_t count)
{
	window->gap += count;
	window->missing += count;
	window->settled += count;
}

/*
 * Evaluates the counters below `end`, which are in the ring as far as they are not settled. Either `end` begins a word,
 * or the counter below it was accepted, so no gap extends past `end`.
 */
static void settle(struct replay *window, uint64_t end)
{
	while (window->settled < end) {
		uint64_t at = window->settled % REPLAY_WORD;
		uint64_t seen = *replay_word(window, window->settled) >> at, count = REPLAY_WORD - at;
		uint64_t unlike = seen & 1 ? ~seen : seen;

		/* `count` is the length of the run of equal bits that begins here, up to the end of the word. */
		if (unlike && (uint64_t)__builtin_ctzll(unlike) < count)
			count = (uint64_t)__builtin_ctzll(unlike);
		if (!(seen & 1)) {
			count_missing(window, count);
			continue;
		}
		if (window->gap && window->gap <= REPLAY_GAP_MAX) { /* which ends here */
			int class = 63 - __builtin_clzll(window->gap);

			window->gaps[class < REPLAY_GAPS ? class : REPLAY_GAPS - 1]++;
			window->lost += window->gap;
		}
		window->gap = 0;
		window->settled += count;
	}
}

/*
 * Evaluates the counters that leave the ring when `counter` enters it, and clears the words up to that of `counter`.
 * Not inlined, as accept_overtaken: replay_accept would save registers for it at each call.
 */
static __attribute__((noinline)) void enter_words(struct replay *window, uint64_t counter)
{
	uint64_t word = counter / REPLAY_WORD;
	uint64_t entered = (window->next + REPLAY_WORD - 1) / REPLAY_WORD; /* the first word that was not in the ring */
	uint64_t end = word < REPLAY_WORDS ? 0 : (word - REPLAY_WORDS + 1) * REPLAY_WORD;

	settle(window, end < window->next ? end : window->next);
	if (end > window->settled)
		count_missing(window, end - window->settled); /* skipped, and never in the ring */
	if (word - entered >= REPLAY_WORDS)
		entered = word - REPLAY_WORDS + 1;
	for (; entered <= word; entered++)
		window->words[entered % REPLAY_WORDS] = 0;
}

/* Called before `next` skips a counter. */
static void see_gap(struct replay *window, uint64_t now)
{
	bool quiet = now >= window->gap_seen + REPLAY_HOLD; /* then all earlier gaps are old */

	window->gap_seen = now;
	if (!quiet && now < window->young_since + REPLAY_HOLD)
		return;
	window->old = quiet ? window->next : window->young;
	window->young = window->next;
	window->young_since = now;
}

/* --- receiving ----- */

static __attribute__((noinline)) bool accept_overtaken(struct replay *window, uint64_t counter)
{
	uint64_t *word = replay_word(window, counter), bit = UINT64_C(1) << counter % REPLAY_WORD;

	if (window->next - 1 - counter > REPLAY_WINDOW || *word & bit) {
		window->duplicate++;
		return false;
	}
	*word |= bit;
	window->late++;
	if (counter < window->settled)
		window->missing--;
	return true;
}

bool replay_accept(struct replay *window, uint64_t counter, uint64_t now)
{
	if (counter >= REJECT_AFTER_MESSAGES)
		return false;
	if (counter < window->next)
		return accept_overtaken(window, counter);
	if (counter > window->next)
		see_gap(window, now);
	if (counter - counter % REPLAY_WORD >= window->next)
		enter_words(window, counter);
	*replay_word(window, counter) |= UINT64_C(1) << counter % REPLAY_WORD;
	window->next = counter + 1;
	return true;
}

bool replay_began_in_order(const struct replay *window)
{
	return window->next && window->next <= REPLAY_WINDOW && !window->late && window->words[0] & 1;
}

/* --- counting ----- */

/* The counts of one window fit, but the sum of many sessions with a sender that jumps might not. */
static void add_count(uint64_t *sum, uint64_t count)
{
	*sum = *sum + count < count ? UINT64_MAX : *sum + count;
}

void replay_count(struct replay *window, uint64_t now, struct replay_counts *sum)
{
	uint64_t accepted;

	/* If the last gap is old, all gaps are. */
	settle(window, now >= window->gap_seen + REPLAY_HOLD ? window->next : window->old);
	accepted = window->settled - window->missing;
	for (uint64_t at = window->settled; at < window->next; at += REPLAY_WORD - at % REPLAY_WORD)
		accepted += (uint64_t)__builtin_popcountll(*replay_word(window, at) >> at % REPLAY_WORD);
	add_count(&sum->accepted, accepted);
	add_count(&sum->lost, window->lost);
	add_count(&sum->late, window->late);
	add_count(&sum->duplicate, window->duplicate);
	for (int i = 0; i < REPLAY_GAPS; i++)
		add_count(&sum->gaps[i], window->gaps[i]);
}
