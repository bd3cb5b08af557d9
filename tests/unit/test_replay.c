/* SPDX-License-Identifier: MIT */
/*
 * Tests of the replay window and its counts: cases at the edges, and comparisons with models that store every counter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/message.h"
#include "crypto/replay.h"

#define LAST (REJECT_AFTER_MESSAGES - 1)

struct step {
	uint64_t counter;
	bool accepted;
};

static void run_steps(const struct step *steps, size_t count)
{
	struct replay window = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (replay_accept(&window, steps[i].counter, 0) != steps[i].accepted)
			fail_msg("step %zu: counter %llu", i, (unsigned long long)steps[i].counter);
	}
}

#define RUN(...)                                                                                                       \
	do {                                                                                                               \
		const struct step steps[] = { __VA_ARGS__ };                                                                   \
		run_steps(steps, sizeof steps / sizeof *steps);                                                                \
	} while (0)

enum { W = REPLAY_WINDOW };

static void counters_in_order_are_accepted_once(void **state)
{
	RUN({ 0, true }, { 0, false }, { 1, true }, { 1, false }, { 0, false }, { 2, true }, { 63, true }, { 64, true },
		{ 63, false }, { 64, false }, { 3, true }, { 3, false });
}

static void the_first_counter_may_have_any_value(void **state)
{
	RUN({ 5, true }, { 0, true }, { 0, false }, { 5, false });
	RUN({ W, true }, { 0, true }, { W, false }, { 0, false });
	RUN({ W + 1, true }, { 0, false }, { 1, true });
	RUN({ LAST, true }, { 0, false }, { LAST - W, true }, { LAST - W - 1, false }, { LAST, false });
}

static void the_window_has_exactly_8192_counters(void **state)
{
	/* For every position of the highest counter in its word: W below is still in the window, W + 1 is too old. */
	for (uint64_t highest = 2 * W; highest < 2 * W + 2 * REPLAY_WORD; highest++) {
		RUN({ highest - W - 1, true }, { highest, true }, { highest - W, true }, { highest - W, false },
			{ highest - W - 1, false }, { highest - 1, true }, { highest - 1, false }, { highest, false });
	}
}

static void a_jump_clears_the_skipped_words(void **state)
{
	/* The same bits of the ring, one round and many rounds later. */
	const uint64_t ring = REPLAY_WORDS * REPLAY_WORD;

	RUN({ 7, true }, { 7 + ring, true }, { 7, false }, { 7 + ring, false }, { 6 + ring, true });
	RUN({ 7, true }, { 100, true }, { 100 + 9 * ring, true }, { 7 + 9 * ring, true }, { 7 + 9 * ring, false });
	RUN({ 0, true }, { ring, true }, { ring - 1, true }, { 64, true }, { ring - W, false }, { ring - W + 1, true });
	RUN({ 1, true }, { UINT64_C(1) << 63, true }, { (UINT64_C(1) << 63) - 1, true }, { 1, false });
}

static void the_limit_of_a_session_is_rejected(void **state)
{
	RUN({ LAST, true }, { LAST + 1, false }, { UINT64_MAX, false }, { LAST, false }, { LAST - 1, true });
	RUN({ UINT64_MAX, false }, { REJECT_AFTER_MESSAGES, false },
		{ 0, true }); /* a rejected counter does not move the window */
}

/* The model: a flag for every counter below MODEL_MAX. */
enum { MODEL_MAX = 1 << 20 };

struct model {
	uint64_t next;
	bool seen[MODEL_MAX];
};

static bool model_accept(struct model *model, uint64_t counter)
{
	if (model->seen[counter] || counter + W + 1 < model->next)
		return false;
	model->seen[counter] = true;
	if (counter >= model->next)
		model->next = counter + 1;
	return true;
}

/*
 * Mostly close to the highest counter, sometimes at the far edge of the window or anywhere in it, rarely a jump ahead.
 */
static uint64_t next_counter(uint64_t highest)
{
	uint64_t ahead, below, any = (uint64_t)random();

	switch (random() % 8) {
	case 0:
		ahead = 0, below = W - 100 + any % 200;
		break;
	case 1:
		ahead = any % 256 ? 1 : any % (2 * W), below = 0;
		break;
	case 2:
	case 3:
		ahead = any % 4, below = 0;
		break;
	case 4:
		ahead = 0, below = any % (W + 100);
		break;
	default:
		ahead = 0, below = any % 64;
	}
	return highest + ahead - (below > highest ? highest : below);
}

static void a_model_agrees(void **state)
{
	struct model *model = malloc(sizeof *model);

	assert_non_null(model);
	for (unsigned seed = 0; seed < 8; seed++) {
		struct replay window = { 0 };
		size_t accepted = 0, rejected = 0;

		srandom(seed);
		memset(model, 0, sizeof *model);
		for (uint64_t counter = 0; counter < MODEL_MAX && accepted + rejected < 200000;) {
			bool fresh = model_accept(model, counter);
			if (replay_accept(&window, counter, 0) != fresh)
				fail_msg("seed %u: counter %llu, next %llu", seed, (unsigned long long)counter,
						 (unsigned long long)model->next);
			accepted += fresh;
			rejected += !fresh;
			counter = next_counter(model->next - 1);
		}
		assert_true(accepted > 1000 && rejected > 1000);
	}
	free(model);
}

/* --- counts ----- */

#define ALL UINT64_MAX
#define SECOND NS_PER_S

static struct replay_counts count_window(struct replay *window, uint64_t now)
{
	struct replay_counts counts = { 0 };

	replay_count(window, now, &counts);
	return counts;
}

static void expect(struct replay *window, uint64_t now, struct replay_counts wanted)
{
	struct replay_counts found = count_window(window, now);

	assert_int_equal(found.accepted, wanted.accepted);
	assert_int_equal(found.lost, wanted.lost);
	assert_int_equal(found.late, wanted.late);
	assert_int_equal(found.duplicate, wanted.duplicate);
	assert_memory_equal(found.gaps, wanted.gaps, sizeof wanted.gaps);
}

/* Accepts the counters from `from` to `to`. */
static void accept_run(struct replay *window, uint64_t from, uint64_t to, uint64_t now)
{
	for (uint64_t counter = from; counter <= to; counter++)
		assert_true(replay_accept(window, counter, now));
}

static void counters_in_order_are_only_accepted(void **state)
{
	struct replay window = { 0 };

	expect(&window, ALL, (struct replay_counts) { 0 });
	for (uint64_t i = 0; i < 3 * W; i++) {
		assert_true(replay_accept(&window, i, 0));
		if (i % 1000 < 70)
			expect(&window, i % 2 ? ALL : 0, (struct replay_counts) { .accepted = i + 1 });
	}
	expect(&window, ALL, (struct replay_counts) { .accepted = 3 * W });
}

static void each_length_of_gap_is_counted_in_its_class(void **state)
{
	static const struct {
		uint64_t length;
		int class;
	} cases[] = {
		{ 1, 0 },
		{ 2, 1 },
		{ 3, 1 },
		{ 4, 2 },
		{ 7, 2 },
		{ 8, 3 },
		{ 15, 3 },
		{ 16, 4 },
		{ 31, 4 },
		{ 32, 5 },
		{ 63, 5 },
		{ 64, 6 },
		{ 127, 6 },
		{ 128, 7 },
		{ 129, 7 },
		{ 8191, 7 },
		{ W, 7 },
		{ W + 1, 7 },
		{ 8256, 7 },
		{ 8257, 7 },
		{ 1 << 20, 7 },
		{ 0, -1 },
		{ REPLAY_GAP_MAX, 7 },
		{ REPLAY_GAP_MAX + 1, -1 },
	};

	/*
	 * At every position in a word, before anything else arrived and in the middle, and seen inside and outside the
	 * ring.
	 */
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (uint64_t first = 0; first < 130; first++) {
			for (uint64_t after = 1; after <= 2 * W; after *= 2) {
				struct replay window = { 0 };
				struct replay_counts wanted = { .accepted = first + after };
				uint64_t end = first + cases[i].length;

				if (first)
					accept_run(&window, 0, first - 1, 0);
				accept_run(&window, end, end + after - 1, 0);
				if (cases[i].class >= 0) {
					wanted.lost = cases[i].length;
					wanted.gaps[cases[i].class] = 1;
				}
				expect(&window, ALL, wanted);
			}
		}
	}
}

static void counters_below_the_first_one_are_lost(void **state)
{
	struct replay window = { 0 };

	assert_true(replay_accept(&window, 5, 0));
	expect(&window, ALL, (struct replay_counts) { .accepted = 1, .lost = 5, .gaps = { 0, 0, 1 } });
}

static void a_jump_of_the_sender_is_not_lost(void **state)
{
	struct replay window = { 0 };

	accept_run(&window, 0, 9, 0);
	accept_run(&window, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 9, 0);
	assert_true(replay_accept(&window, LAST, 0));
	expect(&window, ALL, (struct replay_counts) { .accepted = 21 });
}

static void what_follows_the_last_counter_is_unknown(void **state)
{
	struct replay window = { 0 };

	accept_run(&window, 0, 99, 0);
	assert_false(replay_accept(&window, REJECT_AFTER_MESSAGES, 0));
	expect(&window, ALL, (struct replay_counts) { .accepted = 100 });
}

static void overtaken_counters_are_late_and_not_lost(void **state)
{
	struct replay window = { 0 };

	accept_run(&window, 0, 99, 0);
	accept_run(&window, 103, 110, 0);
	accept_run(&window, 100, 102, 0);
	expect(&window, ALL, (struct replay_counts) { .accepted = 111, .late = 3 });
}

static void a_late_counter_splits_a_gap(void **state)
{
	struct replay window = { 0 };

	assert_true(replay_accept(&window, 100, 0));
	assert_true(replay_accept(&window, 1, 0));
	assert_true(replay_accept(&window, 33, 0));
	expect(&window, ALL,
		   (struct replay_counts) { .accepted = 3, .lost = 98, .late = 2, .gaps = { 1, 0, 0, 0, 1, 0, 1 } });
}

static void rejected_counters_are_duplicates(void **state)
{
	struct replay window = { 0 };

	accept_run(&window, 0, 2 * W, 0);
	assert_false(replay_accept(&window, 2 * W, 0));
	assert_false(replay_accept(&window, W, 0));
	assert_false(replay_accept(&window, 0, 0)); /* below the window */
	expect(&window, ALL, (struct replay_counts) { .accepted = 2 * W + 1, .duplicate = 3 });
}

static void a_young_gap_is_not_lost_yet(void **state)
{
	struct replay window = { 0 };
	const uint64_t now = 1000 * SECOND;

	accept_run(&window, 0, 9, now);
	assert_true(replay_accept(&window, 12, now));
	expect(&window, now, (struct replay_counts) { .accepted = 11 });
	expect(&window, now + REPLAY_HOLD - 1, (struct replay_counts) { .accepted = 11 });
	assert_true(replay_accept(&window, 11, now + REPLAY_HOLD - 1));
	expect(&window, now + REPLAY_HOLD, (struct replay_counts) { .accepted = 12, .lost = 1, .late = 1, .gaps = { 1 } });
}

static void a_new_gap_does_not_hide_an_old_one(void **state)
{
	struct replay window = { 0 };

	assert_true(replay_accept(&window, 1, 1000 * SECOND));
	assert_true(replay_accept(&window, 3, 1000 * SECOND + REPLAY_HOLD));
	expect(&window, 1000 * SECOND + REPLAY_HOLD, (struct replay_counts) { .accepted = 2, .lost = 1, .gaps = { 1 } });
}

static void a_counter_that_was_counted_as_lost_stays_lost(void **state)
{
	struct replay window = { 0 };

	assert_true(replay_accept(&window, 2, 0));
	expect(&window, ALL, (struct replay_counts) { .accepted = 1, .lost = 2, .gaps = { 0, 1 } });
	assert_true(replay_accept(&window, 0, 0));
	assert_false(replay_accept(&window, 0, 0));
	expect(&window, ALL,
		   (struct replay_counts) { .accepted = 2, .lost = 2, .late = 1, .duplicate = 1, .gaps = { 0, 1 } });
	accept_run(&window, 3, 3 * W, 0);
	expect(&window, ALL,
		   (struct replay_counts) { .accepted = 3 * W, .lost = 2, .late = 1, .duplicate = 1, .gaps = { 0, 1 } });
}

static void old_gaps_are_lost_while_young_ones_keep_coming(void **state)
{
	struct replay window = { 0 };
	uint64_t now = 1000 * SECOND, lost = 0;

	/* Every second counter is lost, 1000 per second. */
	for (uint64_t i = 0; i < 10000; i++, now += NS_PER_MS) {
		assert_true(replay_accept(&window, 2 * i + 1, now));
		lost = count_window(&window, now).lost;
		assert_true(lost <= (i < 1000 ? 0 : i - 999)); /* those that are old enough */
		assert_true(i < 3000 || lost >= i - 3000);
	}
	assert_true(lost > 6000);
}

static void sums_stay_at_their_maximum(void **state)
{
	struct replay window = { 0 };
	struct replay_counts sum = { .accepted = UINT64_MAX - 1, .lost = UINT64_MAX, .gaps = { UINT64_MAX - 1 } };

	assert_true(replay_accept(&window, 1, 0));
	replay_count(&window, ALL, &sum);
	replay_count(&window, ALL, &sum);
	assert_true(sum.accepted == UINT64_MAX && sum.lost == UINT64_MAX && sum.gaps[0] == UINT64_MAX);
}

/* --- counts against a model ----- */

enum { SENT = 60000 };

/*
 * Each counter that was sent. `counted`: the counts were read while the counter was missing and at least REPLAY_HOLD
 * old.
 */
struct history {
	struct {
		bool seen, counted;
		uint64_t skipped; /* when; 0: not */
	} of[SENT];
	uint64_t next, accepted, late, duplicate;
};

static void receive(struct replay *window, struct history *history, uint64_t counter, uint64_t now)
{
	bool fresh = !history->of[counter].seen && counter + W + 1 >= history->next;

	assert_int_equal(replay_accept(window, counter, now), fresh);
	history->duplicate += !fresh;
	if (!fresh)
		return;
	history->accepted++;
	history->late += counter < history->next;
	history->of[counter].seen = true;
	for (; history->next <= counter; history->next++)
		history->of[history->next].skipped = now;
}

/* Compares with the history. `lost` has bounds, because a gap of up to 4 REPLAY_HOLD may not be counted yet. */
static void read_counts(struct replay *window, struct history *history, struct replay_counts *last, uint64_t now)
{
	struct replay_counts found = count_window(window, now);
	uint64_t lost_min = 0, lost_max = 0, lengths = 0;

	for (uint64_t i = 0; i < history->next; i++) {
		bool missing = !history->of[i].seen, gone = i + W + 1 < history->next;

		if (missing && now != ALL && history->of[i].skipped + 4 * REPLAY_HOLD <= now)
			lost_min++;
		if (missing && (gone || history->of[i].skipped + REPLAY_HOLD <= now))
			history->of[i].counted = true;
		lost_max += history->of[i].counted;
		lost_min += missing && now == ALL;
	}
	assert_int_equal(found.accepted, history->accepted);
	assert_int_equal(found.late, history->late);
	assert_int_equal(found.duplicate, history->duplicate);
	assert_uint_in_range(found.lost, lost_min, lost_max);
	assert_true(found.lost >= last->lost);
	for (int i = 0; i < REPLAY_GAPS; i++) {
		assert_true(found.gaps[i] >= last->gaps[i]);
		lengths += found.gaps[i] << i;
	}
	assert_true(lengths <= found.lost); /* each gap is at least as long as its class begins */
	*last = found;
}

/* Counts the runs of missing counters one by one. Valid if the counts have not been read before. */
static void expect_gaps(const struct history *history, const struct replay_counts *found)
{
	struct replay_counts wanted = { 0 };
	uint64_t gap = 0;

	for (uint64_t i = 0; i < history->next; i++) {
		if (!history->of[i].seen) {
			gap++;
			continue;
		}
		for (int class = 0; gap; class ++) {
			if (class == REPLAY_GAPS - 1 || gap < UINT64_C(2) << class) {
				wanted.gaps[class]++;
				wanted.lost += gap;
				gap = 0;
			}
		}
	}
	assert_int_equal(found->lost, wanted.lost);
	assert_memory_equal(found->gaps, wanted.gaps, sizeof wanted.gaps);
}

/*
 * A sender on a bad link: losses one by one and in runs, datagrams that are overtaken by up to 20,000 others,
 * duplicates old and new. The counts are read never, sometimes or often.
 */
static void run_history(unsigned seed, struct history *history)
{
	struct replay window = { 0 };
	struct replay_counts last = { 0 };
	uint64_t now = 1000 * SECOND, held[64];
	long loss = 1 << seed % 8, step = seed % 3 ? (long)(10 * NS_PER_MS) : 1000,
		 reads = seed % 4 ? SENT >> (seed % 4 * 2) : 0;
	bool was_read = false;

	srandom(seed);
	memset(history, 0, sizeof *history);
	for (int i = 0; i < 64; i++)
		held[i] = ALL;
	for (uint64_t sent = seed % 5 * 1000; sent < SENT; sent++, now += (uint64_t)(random() % step)) {
		long dice = random() % 1000;
		uint64_t *place = &held[random() % 64];

		if (dice == 0)
			sent += (uint64_t)(random() % (2 << seed % 14)); /* a run is lost */
		else if (dice < 100 && *place == ALL)
			*place = sent;
		else if (dice > loss && sent < SENT)
			receive(&window, history, sent, now);
		if (random() % (1 << seed % 9) == 0 && *place != ALL) {
			receive(&window, history, *place, now);
			*place = ALL;
		}
		if (dice > 990 && history->next)
			receive(&window, history, history->next - 1 - (uint64_t)random() % (history->next), now);
		if (reads && random() % reads == 0) {
			read_counts(&window, history, &last, now);
			was_read = true;
		}
	}
	read_counts(&window, history, &last, ALL);
	if (!was_read)
		expect_gaps(history, &last);
	assert_true(last.accepted > 1000 && last.lost && last.late && last.duplicate);
}

static void counts_agree_with_a_history_of_every_counter(void **state)
{
	struct history *history = malloc(sizeof *history);

	assert_non_null(history);
	for (unsigned seed = 0; seed < 60; seed++)
		run_history(seed, history);
	free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_in_order_are_accepted_once),
		cmocka_unit_test(the_first_counter_may_have_any_value),
		cmocka_unit_test(the_window_has_exactly_8192_counters),
		cmocka_unit_test(a_jump_clears_the_skipped_words),
		cmocka_unit_test(the_limit_of_a_session_is_rejected),
		cmocka_unit_test(a_model_agrees),
		cmocka_unit_test(counters_in_order_are_only_accepted),
		cmocka_unit_test(each_length_of_gap_is_counted_in_its_class),
		cmocka_unit_test(counters_below_the_first_one_are_lost),
		cmocka_unit_test(a_jump_of_the_sender_is_not_lost),
		cmocka_unit_test(what_follows_the_last_counter_is_unknown),
		cmocka_unit_test(overtaken_counters_are_late_and_not_lost),
		cmocka_unit_test(a_late_counter_splits_a_gap),
		cmocka_unit_test(rejected_counters_are_duplicates),
		cmocka_unit_test(a_young_gap_is_not_lost_yet),
		cmocka_unit_test(a_new_gap_does_not_hide_an_old_one),
		cmocka_unit_test(a_counter_that_was_counted_as_lost_stays_lost),
		cmocka_unit_test(old_gaps_are_lost_while_young_ones_keep_coming),
		cmocka_unit_test(sums_stay_at_their_maximum),
		cmocka_unit_test(counts_agree_with_a_history_of_every_counter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
