/* SPDX-License-Identifier: MIT */
/* Tests of the replay window: cases at its edges, and a comparison with a model that stores every counter. */
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
		if (replay_accept(&window, steps[i].counter) != steps[i].accepted)
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

/* Mostly close to the highest counter, sometimes at the far edge of the window or anywhere in it, rarely a jump ahead.
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
			if (replay_accept(&window, counter) != fresh)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_in_order_are_accepted_once),  cmocka_unit_test(the_first_counter_may_have_any_value),
		cmocka_unit_test(the_window_has_exactly_8192_counters), cmocka_unit_test(a_jump_clears_the_skipped_words),
		cmocka_unit_test(the_limit_of_a_session_is_rejected),   cmocka_unit_test(a_model_agrees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
