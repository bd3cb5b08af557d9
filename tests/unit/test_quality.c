/* SPDX-License-Identifier: MIT */
/* Tests of the quality of a link: counts over several sessions, and the samples of the round-trip time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/clock.h"
#include "tunnel/quality.h"

#define NOW (1000 * NS_PER_S)

static struct session *make_session(void)
{
	struct noise_keys keys = { .suite = SUITE_CHACHA20POLY1305 };
	struct session *session = session_create(&aead_libsodium, &keys, NOW);

	assert_non_null(session);
	return session;
}

/* The session receives `count` counters beginning with `first`. */
static void receive(struct session *session, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		assert_true(replay_accept(&session->replay, first + i, NOW));
}

static struct replay_counts counts(const struct quality *quality, const struct session_slots *slots, uint64_t now)
{
	struct replay_counts sum;

	quality_counts(quality, slots, now, &sum);
	return sum;
}

/* --- counts ----- */

static void all_sessions_of_a_peer_are_added(void **state)
{
	struct quality quality = { 0 };
	struct session_slots slots = { make_session(), make_session(), make_session() };
	struct replay_counts sum;

	receive(slots.current, 1, 10);
	receive(slots.previous, 20, 20);
	receive(slots.next, 300, 30);
	assert_false(replay_accept(&slots.next->replay, 300, NOW));
	receive(slots.current, 0, 1);
	sum = counts(&quality, &slots, UINT64_MAX);
	assert_int_equal(sum.accepted, 61);
	assert_int_equal(sum.lost, 320);
	assert_int_equal(sum.late, 1);
	assert_int_equal(sum.duplicate, 1);
	assert_int_equal(sum.gaps[4], 1);
	assert_int_equal(sum.gaps[7], 1);
	session_destroy(slots.current);
	session_destroy(slots.previous);
	session_destroy(slots.next);
}

static void counts_survive_the_end_of_a_session(void **state)
{
	struct quality quality = { 0 };
	struct session_slots slots = { .current = make_session() }, none = { 0 };
	struct replay_counts before, after;

	receive(slots.current, 0, 10);
	receive(slots.current, 12, 10);
	before = counts(&quality, &slots, NOW); /* the gap is young */
	assert_int_equal(before.lost, 0);
	quality_session_ends(&quality, slots.current);
	session_destroy(slots.current);
	after = counts(&quality, &none, NOW);
	assert_int_equal(after.accepted, before.accepted);
	assert_int_equal(after.lost, 2); /* they can no longer arrive */
	assert_int_equal(after.gaps[1], 1);
}

static void counts_never_fall_over_many_sessions(void **state)
{
	struct quality quality = { 0 };
	struct session_slots slots = { .current = make_session() };
	struct replay_counts last = { 0 }, found;
	uint64_t received = 0, now = NOW;

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		struct session *session = random() % 3 && slots.previous ? slots.previous : slots.current;
		uint64_t next = session->replay.next;

		now += (uint64_t)random() % (100 * NS_PER_MS);
		received += replay_accept(&session->replay, next + (uint64_t)random() % 3, now);
		received += next > 70 && replay_accept(&session->replay, next - (uint64_t)random() % 70, now);
		if (round % 100 == 99) { /* a new session, as by a rekey */
			if (slots.previous) {
				quality_session_ends(&quality, slots.previous);
				session_destroy(slots.previous);
			}
			slots.previous = slots.current;
			slots.current = make_session();
		}
		found = counts(&quality, &slots, now);
		assert_int_equal(found.accepted, received);
		assert_true(found.lost >= last.lost && found.late >= last.late && found.duplicate >= last.duplicate);
		for (int i = 0; i < REPLAY_GAPS; i++)
			assert_true(found.gaps[i] >= last.gaps[i]);
		last = found;
	}
	assert_true(last.lost > 1000 && last.late > 1000 && last.duplicate > 1000);
	session_destroy(slots.previous);
	session_destroy(slots.current);
}

/* --- round-trip times ----- */

static void sample(struct quality *quality, uint64_t rtt)
{
	quality->initiation_sent = NOW;
	quality_response_received(quality, NOW + rtt);
}

static void a_response_gives_a_sample(void **state)
{
	struct quality quality = { 0 };

	sample(&quality, 30000);
	assert_int_equal(quality.rtt, 30000);
	assert_int_equal(quality.rtt_min, 30000);
	assert_int_equal(quality.samples, 1);
	sample(&quality, 40000);
	assert_int_equal(quality.rtt, 40000);
	assert_int_equal(quality.rtt_min, 30000);
	sample(&quality, 20000);
	assert_int_equal(quality.rtt_min, 20000);
	assert_int_equal(quality.samples, 3);
}

static void the_jitter_follows_the_differences(void **state)
{
	struct quality quality = { 0 };

	sample(&quality, 100000);
	assert_int_equal(quality.jitter, 0);
	sample(&quality, 132000);
	assert_int_equal(quality.jitter, 32000);
	sample(&quality, 116000); /* 15/16 of the old jitter and 1/16 of the difference */
	assert_int_equal(quality.jitter, 31000);
	sample(&quality, 116000);
	assert_int_equal(quality.jitter, 31000 - 31000 / 16);
}

static void the_time_runs_from_the_last_initiation(void **state)
{
	struct quality quality = { 0 };

	quality.initiation_sent = NOW;
	quality.initiation_sent = NOW + 5 * NS_PER_S; /* lost, or answered by a cookie reply */
	quality_response_received(&quality, NOW + 5 * NS_PER_S + 777);
	assert_int_equal(quality.rtt, 777);
}

static void a_message_gives_one_sample(void **state)
{
	struct quality quality = { 0 };

	quality_response_received(&quality, NOW); /* nothing was sent */
	assert_int_equal(quality.samples, 0);
	sample(&quality, 1000);
	quality_response_received(&quality, NOW + 2000);
	assert_int_equal(quality.samples, 1);
	quality.initiation_sent = NOW;
	quality.initiation_sent = quality.response_sent = 0;
	quality_response_received(&quality, NOW + 2000);
	assert_int_equal(quality.samples, 1);
	assert_int_equal(quality.rtt, 1000);
}

static void times_that_cannot_be_are_no_samples(void **state)
{
	struct quality quality = { 0 };

	sample(&quality, REKEY_TIMEOUT + 1); /* another initiation would have been sent */
	sample(&quality, 0);
	sample(&quality, (uint64_t)-1);
	assert_int_equal(quality.samples, 0);
	sample(&quality, REKEY_TIMEOUT);
	assert_int_equal(quality.samples, 1);
}

static void a_responder_takes_a_sample_from_the_first_packet(void **state)
{
	struct quality quality = { 0 };
	struct session *session = make_session();

	quality.response_sent = NOW;
	quality.initiation_sent = NOW + 100; /* does not interfere */
	receive(session, 0, 1);
	quality_confirmed(&quality, session, NOW + 500);
	assert_int_equal(quality.rtt, 500);
	assert_int_equal(quality.samples, 1);
	quality_confirmed(&quality, session, NOW + 600);
	assert_int_equal(quality.samples, 1);
	session_destroy(session);
}

/* The first packet was lost or overtaken, so the send time of the one that arrived is unknown. */
static void a_responder_takes_no_sample_from_a_later_packet(void **state)
{
	struct quality quality = { 0 };
	struct session *lost = make_session(), *overtaken = make_session(), *silent = make_session();

	receive(lost, 1, 1);
	receive(overtaken, 1, 1);
	receive(overtaken, 0, 1);
	quality.response_sent = NOW;
	quality_confirmed(&quality, lost, NOW + 500);
	quality_confirmed(&quality, overtaken, NOW + 500);
	quality_confirmed(&quality, silent, NOW + 500);
	assert_int_equal(quality.samples, 0);
	session_destroy(lost);
	session_destroy(overtaken);
	session_destroy(silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sessions_of_a_peer_are_added),
		cmocka_unit_test(counts_survive_the_end_of_a_session),
		cmocka_unit_test(counts_never_fall_over_many_sessions),
		cmocka_unit_test(a_response_gives_a_sample),
		cmocka_unit_test(the_jitter_follows_the_differences),
		cmocka_unit_test(the_time_runs_from_the_last_initiation),
		cmocka_unit_test(a_message_gives_one_sample),
		cmocka_unit_test(times_that_cannot_be_are_no_samples),
		cmocka_unit_test(a_responder_takes_a_sample_from_the_first_packet),
		cmocka_unit_test(a_responder_takes_no_sample_from_a_later_packet),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
