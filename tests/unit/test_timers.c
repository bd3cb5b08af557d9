/* SPDX-License-Identifier: MIT */
/* The timers of one peer on a clock of our own: each line of the list at the top of timers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/device.h"

enum { ATTEMPTS = 18, THREADS = 2, ROUNDS = 20000 };

struct seen {
	int initiated, retried, keepalives, given_up, zeroed, unanswered;
};

static struct seen seen;
static struct device device;
static struct peer peer;
static uint64_t now;

static void initiate(struct peer *p, uint64_t at, bool retry)
{
	seen.initiated++;
	seen.retried += retry;
	if (!retry)
		p->timers.attempts = 0;
	timers_any_sent(p, at);
	timers_handshake_initiated(p, at);
}

static void keepalive(struct peer *p, uint64_t at)
{
	seen.keepalives++;
	timers_any_sent(p, at);
}

static void give_up(struct peer *p)
{
	seen.given_up++;
}

static void zero_keys(struct peer *p)
{
	seen.zeroed++;
}

static void unanswered(struct peer *p)
{
	seen.unanswered++;
}

static const struct timer_actions actions = { initiate, keepalive, give_up, zero_keys, unanswered };

static int set_up(void **state)
{
	memset(&device, 0, sizeof device);
	memset(&peer, 0, sizeof peer);
	memset(&seen, 0, sizeof seen);
	peer.device = &device;
	now = 0; /* CLOCK_BOOTTIME starts near 0 */
	if (timers_init(&device.timers, &actions, NULL) || timers_reserve(&device.timers, 1))
		return -1;
	timers_peer_init(&peer);
	return 0;
}

static int tear_down(void **state)
{
	timers_peer_stop(&peer);
	timers_destroy(&device.timers, NULL);
	return 0;
}

/* Lets `ms` pass, a millisecond at a time. */
static void pass(uint64_t ms)
{
	while (ms--) {
		now += NS_PER_MS;
		timers_expire(&device.timers, now);
	}
}

static void an_unanswered_initiation_is_repeated_for_90_s_then_given_up(void **state)
{
	initiate(&peer, now, false);
	pass(4999);
	assert_int_equal(seen.retried, 0);
	pass(335);
	assert_int_equal(seen.retried, 1);
	assert_int_equal(seen.unanswered, 1);
	pass(90 * 1000);
	assert_in_range(seen.retried, ATTEMPTS - 1, ATTEMPTS);
	assert_int_equal(seen.given_up, 0);
	pass(7 * 1000);
	assert_int_equal(seen.given_up, 1);
	assert_int_equal(seen.retried, ATTEMPTS);
	pass(100 * 1000);
	assert_int_equal(seen.retried, ATTEMPTS);
	assert_int_equal(seen.zeroed, 0);
	pass(441 * 1000);
	assert_int_equal(seen.zeroed, 1); /* 540 s after giving up */
}

static void repeats_are_jittered(void **state)
{
	uint64_t last = 0;
	int different = 0;

	for (int i = 0; i < 10; i++) {
		uint64_t begin = now;
		int before = seen.retried;
		timers_handshake_initiated(&peer, now);
		peer.timers.attempts = 0;
		while (seen.retried == before)
			pass(1);
		assert_in_range(now - begin, REKEY_TIMEOUT, REKEY_TIMEOUT + REKEY_TIMEOUT_JITTER + NS_PER_MS);
		different += now - begin != last;
		last = now - begin;
	}
	assert_true(different > 3);
}

static void a_session_ends_the_repeats(void **state)
{
	initiate(&peer, now, false);
	pass(100);
	timers_handshake_completed(&peer);
	timers_session_derived(&peer, now);
	pass(30 * 1000);
	assert_int_equal(seen.initiated, 1);
	pass(509 * 1000);
	assert_int_equal(seen.zeroed, 0);
	pass(2 * 1000);
	assert_int_equal(seen.zeroed, 1);
}

static void unanswered_data_brings_a_handshake_after_15_s(void **state)
{
	timers_data_sent(&peer, now);
	pass(14 * 1000);
	timers_data_sent(&peer, now); /* the first unanswered one counts */
	assert_int_equal(seen.initiated, 0);
	pass(1400);
	assert_int_equal(seen.initiated, 1);
	assert_int_equal(seen.retried, 0);
	assert_int_equal(seen.unanswered, 1);
}

static void anything_received_cancels_that_handshake(void **state)
{
	timers_data_sent(&peer, now);
	pass(14 * 1000);
	timers_any_received(&peer, now);
	pass(60 * 1000);
	assert_int_equal(seen.initiated, 0);
	timers_data_sent(&peer, now);
	pass(15 * 1000 + 400);
	assert_int_equal(seen.initiated, 1);
}

static void data_received_is_answered_within_10_s(void **state)
{
	timers_data_received(&peer, now);
	pass(9999);
	assert_int_equal(seen.keepalives, 0);
	pass(2);
	assert_int_equal(seen.keepalives, 1);
	pass(60 * 1000);
	assert_int_equal(seen.keepalives, 1);
}

static void anything_sent_cancels_the_keepalive(void **state)
{
	timers_data_received(&peer, now);
	timers_data_received(&peer, now);
	pass(9000);
	timers_any_sent(&peer, now);
	pass(60 * 1000);
	assert_int_equal(seen.keepalives, 0);
}

static void data_that_keeps_coming_keeps_being_answered(void **state)
{
	for (int i = 0; i < 60; i++) {
		timers_data_received(&peer, now);
		pass(1000);
	}
	assert_in_range(seen.keepalives, 5, 6);
	pass(11 * 1000);
	assert_in_range(seen.keepalives, 6, 7);
	pass(60 * 1000);
	assert_in_range(seen.keepalives, 6, 7);
}

static void persistent_keepalive_counts_from_the_last_traffic_either_way(void **state)
{
	peer.keepalive = 25;
	timers_keepalive_changed(&peer, now);
	pass(24 * 1000);
	timers_any_received(&peer, now);
	pass(24 * 1000);
	timers_any_sent(&peer, now);
	pass(24 * 1000);
	assert_int_equal(seen.keepalives, 0);
	pass(1001);
	assert_int_equal(seen.keepalives, 1);
	pass(100 * 1000);
	assert_int_equal(seen.keepalives, 5); /* each keepalive is traffic itself */
	peer.keepalive = 0;
	timers_keepalive_changed(&peer, now);
	pass(100 * 1000);
	assert_int_equal(seen.keepalives, 5);
}

static void a_shorter_interval_takes_effect_at_once(void **state)
{
	peer.keepalive = 3600;
	timers_keepalive_changed(&peer, now);
	peer.keepalive = 1;
	timers_keepalive_changed(&peer, now);
	pass(1001);
	assert_int_equal(seen.keepalives, 1);
}

static void a_stopped_peer_is_silent_and_out_of_the_heap(void **state)
{
	timers_data_sent(&peer, now);
	timers_data_received(&peer, now);
	initiate(&peer, now, false);
	assert_non_null(heap_top(&device.timers.heap));
	timers_peer_stop(&peer);
	assert_null(heap_top(&device.timers.heap));
	pass(200 * 1000);
	assert_int_equal(seen.initiated, 1);
}

static void a_long_sleep_is_one_wake_up(void **state)
{
	initiate(&peer, now, false);
	timers_data_received(&peer, now);
	now += 10000 * NS_PER_S; /* suspended */
	timers_expire(&device.timers, now);
	assert_int_equal(seen.retried, 1);
	assert_in_range(seen.keepalives, 0, 1);
}

/* --- a worker and control
 * ------------------------------------------------------------------------------------------------
 *
 * What a worker does between two steps of control is played by actions, which run in the midst of an expiry, and by
 * notices that control has not got to.
 */

static struct ev_loop *loop;
static struct timer *new_handshake;
static uint64_t restarts; /* how often the action starts its own timer again */

static void never(void *context)
{
	fail();
}

static int set_up_notices(void **state)
{
	if (set_up(state))
		return -1;
	restarts = 0;
	new_handshake = &peer.timers.timer[TIMER_NEW_HANDSHAKE];
	pthread_rwlock_init(&device.lock, NULL);
	loop = ev_loop_new(0);
	device.notices = notices_create(&device, loop, never, NULL);
	return device.notices ? 0 : -1;
}

static int tear_down_notices(void **state)
{
	notices_destroy(device.notices);
	device.notices = NULL;
	ev_loop_destroy(loop);
	pthread_rwlock_destroy(&device.lock);
	return tear_down(state);
}

static void control_looks(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static bool told(void)
{
	return peer.noticed & NOTICE_TIMER;
}

static void what_a_worker_sets_stands_in_the_heap_when_control_has_looked(void **state)
{
	timers_data_sent(&peer, now);
	assert_true(told());
	assert_null(heap_top(&device.timers.heap));
	assert_int_equal(new_handshake->queued, 0);
	control_looks();
	assert_ptr_equal(heap_top(&device.timers.heap), &new_handshake->node);
	assert_int_equal(new_handshake->queued, new_handshake->due);
	assert_int_equal(new_handshake->node.key, new_handshake->due);
}

/* The edge: traffic that moves a timer to later, or cancels it, has nothing to tell. */
static void a_worker_tells_of_an_earlier_deadline_alone(void **state)
{
	uint64_t first;

	timers_data_sent(&peer, now);
	control_looks();
	first = new_handshake->queued;
	timers_any_received(&peer, now);
	assert_int_equal(new_handshake->due, 0);
	timers_data_sent(&peer, now + NS_PER_S); /* a second is more than the jitter */
	assert_false(told());
	assert_int_equal(new_handshake->queued, first);
	timers_any_received(&peer, now);
	new_handshake->queued = 0;
	timers_data_sent(&peer, now);
	assert_true(told());
	control_looks();
	peer.keepalive = 100;
	timers_any_sent(&peer, now);
	assert_true(told());
	control_looks();
	timers_any_sent(&peer, now + NS_PER_S);
	assert_false(told());
	peer.keepalive = 1;
	timers_any_sent(&peer, now);
	assert_true(told());
}

static void cancelled_before_control_looks_it_never_enters_the_heap(void **state)
{
	timers_data_sent(&peer, now);
	timers_any_received(&peer, now);
	control_looks();
	assert_null(heap_top(&device.timers.heap));
	assert_int_equal(new_handshake->queued, 0);
	timers_data_sent(&peer, now);
	assert_true(told());
}

static void cancelled_in_the_heap_it_goes_when_the_old_deadline_passes(void **state)
{
	timers_data_sent(&peer, now);
	control_looks();
	timers_any_received(&peer, now);
	pass(16 * 1000);
	assert_int_equal(seen.initiated, 0);
	assert_null(heap_top(&device.timers.heap));
	assert_int_equal(new_handshake->queued, 0);
}

static void moved_to_later_it_is_put_back_by_the_old_deadline(void **state)
{
	uint64_t due;

	timers_data_sent(&peer, now);
	control_looks();
	pass(10 * 1000);
	timers_any_received(&peer, now);
	timers_data_sent(&peer, now);
	due = new_handshake->due;
	pass(6 * 1000);
	assert_int_equal(seen.initiated, 0);
	assert_int_equal(new_handshake->queued, due);
	pass(10 * 1000);
	assert_int_equal(seen.initiated, 1);
}

/* While control is in the action of a timer, a worker starts the same one: the heap has it no more, so it is told. */
static void start_again(struct peer *p, uint64_t at, bool retry)
{
	seen.initiated++;
	assert_int_equal(new_handshake->queued, 0);
	if (restarts && restarts--)
		timers_data_sent(p, at);
}

static void started_again_in_the_midst_of_its_expiry_it_is_not_lost(void **state)
{
	const struct timer_actions again = { start_again, keepalive, give_up, zero_keys, unanswered };

	device.timers.actions = &again;
	restarts = 3;
	timers_data_sent(&peer, now);
	for (int i = 1; i <= 4; i++) {
		control_looks();
		assert_int_equal(new_handshake->queued, new_handshake->due);
		pass(15 * 1000 + 400);
		assert_int_equal(seen.initiated, i);
	}
	assert_false(told());
	assert_null(heap_top(&device.timers.heap));
}

/* Told late: the deadline has passed when control comes to look, and goes off then. */
static void a_deadline_that_control_hears_of_too_late_goes_off_at_once(void **state)
{
	timers_data_sent(&peer, now);
	pass(20 * 1000);
	assert_int_equal(seen.initiated, 0);
	control_looks();
	pass(1);
	assert_int_equal(seen.initiated, 1);
}

static void a_stopped_peer_is_not_woken_by_what_was_told_before(void **state)
{
	timers_data_sent(&peer, now);
	timers_peer_stop(&peer);
	control_looks();
	assert_null(heap_top(&device.timers.heap));
}

static _Atomic int playing;
static _Atomic uint64_t time_now;

/* One peer's traffic, on a clock that all move on. */
static void *play(void *argument)
{
	unsigned random = *(const unsigned *)argument;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t at = atomic_fetch_add(&time_now, NS_PER_MS * 5);

		random = random * 1103515245 + 12345;
		pthread_rwlock_rdlock(&device.lock);
		switch (random >> 16 & 3) {
		case 0:
			timers_data_sent(&peer, at);
			break;
		case 1:
			timers_any_received(&peer, at);
			timers_data_received(&peer, at);
			break;
		case 2:
			timers_any_sent(&peer, at);
			break;
		case 3:
			atomic_fetch_add(&time_now, 20 * NS_PER_S);
			break;
		}
		pthread_rwlock_unlock(&device.lock);
	}
	atomic_fetch_sub(&playing, 1);
	return NULL;
}

static void only_count(struct peer *p, uint64_t at, bool retry)
{
	seen.initiated++;
}

/* Whatever is pending at the end stands in the heap, at its deadline or before: so it will go off. */
static void no_deadline_is_lost_between_threads(void **state)
{
	const struct timer_actions counting = { only_count, keepalive, give_up, zero_keys, unanswered };
	unsigned seeds[THREADS] = { 1, 2 };
	pthread_t ids[THREADS];

	device.timers.actions = &counting;
	peer.keepalive = 25;
	atomic_store(&time_now, 1);
	atomic_store(&playing, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, play, &seeds[i]), 0);
	while (atomic_load(&playing)) {
		control_looks();
		timers_expire(&device.timers, atomic_load(&time_now));
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	control_looks();
	for (int kind = 0; kind < TIMERS; kind++) {
		const struct timer *timer = &peer.timers.timer[kind];
		if (timer->due)
			assert_in_range(timer->queued, 1, timer->due);
		if (timer->queued)
			assert_int_equal(timer->node.key, timer->queued);
	}
	now = atomic_load(&time_now);
	pass(16 * 1000); /* what is left goes off, and all of it works as before */
	assert_int_equal(new_handshake->due, 0);
	seen.initiated = 0;
	timers_data_sent(&peer, now);
	control_looks();
	pass(16 * 1000);
	assert_int_equal(seen.initiated, 1);
}

#define WITH_NOTICES(name) cmocka_unit_test_setup_teardown(name, set_up_notices, tear_down_notices)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unanswered_initiation_is_repeated_for_90_s_then_given_up),
		TEST(repeats_are_jittered),
		TEST(a_session_ends_the_repeats),
		TEST(unanswered_data_brings_a_handshake_after_15_s),
		TEST(anything_received_cancels_that_handshake),
		TEST(data_received_is_answered_within_10_s),
		TEST(anything_sent_cancels_the_keepalive),
		TEST(data_that_keeps_coming_keeps_being_answered),
		TEST(persistent_keepalive_counts_from_the_last_traffic_either_way),
		TEST(a_shorter_interval_takes_effect_at_once),
		TEST(a_stopped_peer_is_silent_and_out_of_the_heap),
		TEST(a_long_sleep_is_one_wake_up),
		WITH_NOTICES(what_a_worker_sets_stands_in_the_heap_when_control_has_looked),
		WITH_NOTICES(a_worker_tells_of_an_earlier_deadline_alone),
		WITH_NOTICES(cancelled_before_control_looks_it_never_enters_the_heap),
		WITH_NOTICES(cancelled_in_the_heap_it_goes_when_the_old_deadline_passes),
		WITH_NOTICES(moved_to_later_it_is_put_back_by_the_old_deadline),
		WITH_NOTICES(started_again_in_the_midst_of_its_expiry_it_is_not_lost),
		WITH_NOTICES(a_deadline_that_control_hears_of_too_late_goes_off_at_once),
		WITH_NOTICES(a_stopped_peer_is_not_woken_by_what_was_told_before),
		WITH_NOTICES(no_deadline_is_lost_between_threads),
	};
	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
