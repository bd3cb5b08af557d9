/* SPDX-License-Identifier: MIT */
/* The timers of one peer on a clock of the test: each line of the table at the top of timers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/timers.h"

enum { ATTEMPTS = 18, THREADS = 2, ROUNDS = 20000 };

struct seen {
	int initiated, retried, keepalives, given_up, zeroed;
};

static struct seen seen;
static struct timers timers;
static struct peer_timers peer;
static uint64_t now;

static void initiate(struct peer_timers *p, uint64_t at, bool retry)
{
	seen.initiated++;
	seen.retried += retry;
	if (!retry)
		p->attempts = 0;
	timers_any_sent(&timers, p, at);
	timers_handshake_initiated(&timers, p, at);
}

static void keepalive(struct peer_timers *p, uint64_t at)
{
	seen.keepalives++;
	timers_any_sent(&timers, p, at);
}

static void give_up(struct peer_timers *p)
{
	seen.given_up++;
}

static void zero_keys(struct peer_timers *p)
{
	seen.zeroed++;
}

static bool several_threads;         /* control queues timers later, not at once */
static _Atomic bool queueing_needed; /* and has been asked to */

static void needs_queueing(struct peer_timers *p)
{
	if (several_threads)
		atomic_store(&queueing_needed, true);
	else
		timers_queue(&timers, p);
}

static const struct timer_ops ops = { initiate, keepalive, give_up, zero_keys, needs_queueing };

static int set_up(void **state)
{
	memset(&seen, 0, sizeof seen);
	now = 0; /* CLOCK_BOOTTIME starts near 0 */
	if (timers_init(&timers, &ops, NULL) || timers_reserve(&timers, 1))
		return -1;
	timers_peer_init(&peer);
	return 0;
}

static int tear_down(void **state)
{
	timers_peer_stop(&timers, &peer);
	timers_destroy(&timers, NULL);
	return 0;
}

/* Advances the clock by `ms`, a millisecond at a time. */
static void pass(uint64_t ms)
{
	while (ms--) {
		now += NS_PER_MS;
		timers_expire(&timers, now, UINT_MAX);
	}
}

static void an_unanswered_initiation_is_repeated_for_90_s_then_given_up(void **state)
{
	initiate(&peer, now, false);
	pass(4999);
	assert_int_equal(seen.retried, 0);
	pass(335);
	assert_int_equal(seen.retried, 1);
	pass(90 * 1000);
	assert_uint_in_range(seen.retried, ATTEMPTS - 1, ATTEMPTS);
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
		timers_handshake_initiated(&timers, &peer, now);
		peer.attempts = 0;
		while (seen.retried == before)
			pass(1);
		assert_uint_in_range(now - begin, REKEY_TIMEOUT, REKEY_TIMEOUT + REKEY_TIMEOUT_JITTER + NS_PER_MS);
		different += now - begin != last;
		last = now - begin;
	}
	assert_true(different > 3);
}

/* Sets a timer ten times: each deadline is `least` from now and up to the jitter more, and not all are equal. */
static void assert_jittered(enum timer_kind kind, void (*set)(void), uint64_t least)
{
	uint64_t last = 0;
	int different = 0;

	for (int i = 0; i < 10; i++) {
		uint64_t due;

		timers_peer_stop(&timers, &peer);
		set();
		due = peer.timer[kind].due - now;
		assert_uint_in_range(due, least, least + REKEY_TIMEOUT_JITTER);
		different += due != last;
		last = due;
	}
	assert_true(different > 3);
}

static void initiated_now(void)
{
	timers_handshake_initiated(&timers, &peer, now);
}

static void data_sent_now(void)
{
	timers_data_sent(&timers, &peer, now);
}

/* Otherwise two ends that lose their session at the same time keep in step. */
static void handshakes_are_jittered(void **state)
{
	assert_jittered(TIMER_RETRANSMIT_HANDSHAKE, initiated_now, REKEY_TIMEOUT);
	assert_jittered(TIMER_NEW_HANDSHAKE, data_sent_now, KEEPALIVE_TIMEOUT + REKEY_TIMEOUT);
}

static void a_session_ends_the_repeats(void **state)
{
	initiate(&peer, now, false);
	pass(100);
	timers_handshake_completed(&peer);
	timers_session_derived(&timers, &peer, now);
	pass(30 * 1000);
	assert_int_equal(seen.initiated, 1);
	pass(509 * 1000);
	assert_int_equal(seen.zeroed, 0);
	pass(2 * 1000);
	assert_int_equal(seen.zeroed, 1);
}

static void unanswered_data_brings_a_handshake_after_15_s(void **state)
{
	timers_data_sent(&timers, &peer, now);
	pass(14 * 1000);
	timers_data_sent(&timers, &peer, now); /* only the first unanswered packet counts */
	assert_int_equal(seen.initiated, 0);
	pass(1400);
	assert_int_equal(seen.initiated, 1);
	assert_int_equal(seen.retried, 0);
}

static void anything_received_cancels_that_handshake(void **state)
{
	timers_data_sent(&timers, &peer, now);
	pass(14 * 1000);
	timers_any_received(&timers, &peer, now);
	pass(60 * 1000);
	assert_int_equal(seen.initiated, 0);
	timers_data_sent(&timers, &peer, now);
	pass(15 * 1000 + 400);
	assert_int_equal(seen.initiated, 1);
}

static void data_received_is_answered_within_10_s(void **state)
{
	timers_data_received(&timers, &peer, now);
	pass(9999);
	assert_int_equal(seen.keepalives, 0);
	pass(2);
	assert_int_equal(seen.keepalives, 1);
	pass(60 * 1000);
	assert_int_equal(seen.keepalives, 1);
}

static void anything_sent_cancels_the_keepalive(void **state)
{
	timers_data_received(&timers, &peer, now);
	timers_data_received(&timers, &peer, now);
	pass(9000);
	timers_any_sent(&timers, &peer, now);
	pass(60 * 1000);
	assert_int_equal(seen.keepalives, 0);
}

static void data_that_keeps_coming_keeps_being_answered(void **state)
{
	for (int i = 0; i < 60; i++) {
		timers_data_received(&timers, &peer, now);
		pass(1000);
	}
	assert_uint_in_range(seen.keepalives, 5, 6);
	pass(11 * 1000);
	assert_uint_in_range(seen.keepalives, 6, 7);
	pass(60 * 1000);
	assert_uint_in_range(seen.keepalives, 6, 7);
}

static void data_received_before_the_keepalive_is_answered_again(void **state)
{
	timers_data_received(&timers, &peer, now);
	pass(9000);
	timers_data_received(&timers, &peer, now);
	pass(1001);
	assert_int_equal(seen.keepalives, 1);
	pass(9998);
	assert_int_equal(seen.keepalives, 1);
	pass(2);
	assert_int_equal(seen.keepalives, 2);
	pass(60 * 1000);
	assert_int_equal(seen.keepalives, 2);
}

static void persistent_keepalive_counts_from_the_last_traffic_either_way(void **state)
{
	timers_set_keepalive(&timers, &peer, 25, now);
	pass(24 * 1000);
	timers_any_received(&timers, &peer, now);
	pass(24 * 1000);
	timers_any_sent(&timers, &peer, now);
	pass(24 * 1000);
	assert_int_equal(seen.keepalives, 0);
	pass(1001);
	assert_int_equal(seen.keepalives, 1);
	pass(100 * 1000);
	assert_int_equal(seen.keepalives, 5); /* each keepalive is traffic itself */
	timers_set_keepalive(&timers, &peer, 0, now);
	pass(100 * 1000);
	assert_int_equal(seen.keepalives, 5);
}

static void a_shorter_interval_takes_effect_at_once(void **state)
{
	timers_set_keepalive(&timers, &peer, 3600, now);
	timers_set_keepalive(&timers, &peer, 1, now);
	pass(1001);
	assert_int_equal(seen.keepalives, 1);
}

static void a_stopped_peer_is_silent_and_out_of_the_heap(void **state)
{
	timers_data_sent(&timers, &peer, now);
	timers_data_received(&timers, &peer, now);
	initiate(&peer, now, false);
	assert_non_null(heap_top(&timers.heap));
	timers_peer_stop(&timers, &peer);
	assert_null(heap_top(&timers.heap));
	pass(200 * 1000);
	assert_int_equal(seen.initiated, 1);
}

static void a_long_sleep_is_one_wake_up(void **state)
{
	initiate(&peer, now, false);
	timers_data_received(&timers, &peer, now);
	now += 10000 * NS_PER_S; /* suspended */
	timers_expire(&timers, now, UINT_MAX);
	assert_int_equal(seen.retried, 1);
	assert_uint_in_range(seen.keepalives, 0, 1);
}

/* Enters a time namespace in which the host was suspended for a day since it started. Returns false if it may not. */
static bool enter_suspended_time(void)
{
	static const char offset[] = "boottime 86400 0";
	int fd;

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWTIME : CLONE_NEWTIME))
		return false;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, offset, sizeof offset - 1) == sizeof offset - 1;
}

/*
 * Returns the exit code: 0 if a deadline that has passed by CLOCK_BOOTTIME expires. By CLOCK_MONOTONIC it is far off.
 */
static int expire_after_suspend(void)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct pollfd alarm = { .events = POLLIN };
	struct timespec monotonic;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	now = clock_boottime();
	if (now < ((uint64_t)monotonic.tv_sec + 86000) * NS_PER_S || timers_init(&timers, &ops, loop) ||
		timers_reserve(&timers, 1))
		return 1;
	timers_peer_init(&peer);
	timers_set_keepalive(&timers, &peer, 1, now - NS_PER_S);
	alarm.fd = timers.fd;
	if (poll(&alarm, 1, 10000) != 1)
		return 2;
	ev_run(loop, EVRUN_NOWAIT);
	return seen.keepalives == 1 ? 0 : 3;
}

/* After a suspend, the timers that expired during it fire at once. */
static void the_time_of_a_suspend_counts(void **state)
{
	enum { NOT_PERMITTED = 77 };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		if (!enter_suspended_time())
			_exit(NOT_PERMITTED);
		child = fork(); /* only a child is in the namespace */
		if (!child)
			_exit(expire_after_suspend());
		_exit(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_PERMITTED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * --- several threads -----
 *
 * The actions play a worker that reports events while a timer expires, and control queues timers late.
 */

static struct timer *new_handshake;
static uint64_t restarts; /* how often the action sets its own timer again */

static int set_up_threads(void **state)
{
	if (set_up(state))
		return -1;
	restarts = 0;
	new_handshake = &peer.timer[TIMER_NEW_HANDSHAKE];
	several_threads = true;
	queueing_needed = false;
	return 0;
}

static int tear_down_threads(void **state)
{
	several_threads = false;
	return tear_down(state);
}

static void control_looks(void)
{
	if (atomic_exchange(&queueing_needed, false))
		timers_queue(&timers, &peer);
}

static void a_timer_that_a_worker_sets_is_queued_by_control(void **state)
{
	timers_data_sent(&timers, &peer, now);
	assert_true(queueing_needed);
	assert_null(heap_top(&timers.heap));
	assert_int_equal(new_handshake->queued, 0);
	control_looks();
	assert_ptr_equal(heap_top(&timers.heap), &new_handshake->node);
	assert_int_equal(new_handshake->queued, new_handshake->due);
	assert_int_equal(new_handshake->node.key, new_handshake->due);
}

/* Traffic that cancels a timer or sets it to a later deadline needs nothing from control. */
static void only_an_earlier_deadline_needs_queueing(void **state)
{
	uint64_t first;

	timers_data_sent(&timers, &peer, now);
	control_looks();
	first = new_handshake->queued;
	timers_any_received(&timers, &peer, now);
	assert_int_equal(new_handshake->due, 0);
	timers_data_sent(&timers, &peer, now + NS_PER_S); /* a second is more than the jitter */
	assert_false(queueing_needed);
	assert_int_equal(new_handshake->queued, first);
	timers_any_received(&timers, &peer, now);
	new_handshake->queued = 0;
	timers_data_sent(&timers, &peer, now);
	assert_true(queueing_needed);
	control_looks();
	peer.keepalive = 100;
	timers_any_sent(&timers, &peer, now);
	assert_true(queueing_needed);
	control_looks();
	timers_any_sent(&timers, &peer, now + NS_PER_S);
	assert_false(queueing_needed);
	peer.keepalive = 1;
	timers_any_sent(&timers, &peer, now);
	assert_true(queueing_needed);
}

static void a_timer_cancelled_before_it_is_queued_never_enters_the_heap(void **state)
{
	timers_data_sent(&timers, &peer, now);
	timers_any_received(&timers, &peer, now);
	control_looks();
	assert_null(heap_top(&timers.heap));
	assert_int_equal(new_handshake->queued, 0);
	timers_data_sent(&timers, &peer, now);
	assert_true(queueing_needed);
}

static void a_timer_cancelled_in_the_heap_leaves_it_at_the_old_deadline(void **state)
{
	timers_data_sent(&timers, &peer, now);
	control_looks();
	timers_any_received(&timers, &peer, now);
	pass(16 * 1000);
	assert_int_equal(seen.initiated, 0);
	assert_null(heap_top(&timers.heap));
	assert_int_equal(new_handshake->queued, 0);
}

static void a_timer_set_to_later_is_queued_again_at_the_old_deadline(void **state)
{
	uint64_t due;

	timers_data_sent(&timers, &peer, now);
	control_looks();
	pass(10 * 1000);
	timers_any_received(&timers, &peer, now);
	timers_data_sent(&timers, &peer, now);
	due = new_handshake->due;
	pass(6 * 1000);
	assert_int_equal(seen.initiated, 0);
	assert_int_equal(new_handshake->queued, due);
	pass(10 * 1000);
	assert_int_equal(seen.initiated, 1);
}

/* While control runs the action of a timer, a worker sets it again. The heap does not hold it, so it needs queueing. */
static void start_again(struct peer_timers *p, uint64_t at, bool retry)
{
	seen.initiated++;
	assert_int_equal(new_handshake->queued, 0);
	if (restarts && restarts--)
		timers_data_sent(&timers, p, at);
}

static void a_timer_set_during_its_expiry_is_not_lost(void **state)
{
	const struct timer_ops again = { start_again, keepalive, give_up, zero_keys, needs_queueing };

	timers.ops = &again;
	restarts = 3;
	timers_data_sent(&timers, &peer, now);
	for (int i = 1; i <= 4; i++) {
		control_looks();
		assert_int_equal(new_handshake->queued, new_handshake->due);
		pass(15 * 1000 + 400);
		assert_int_equal(seen.initiated, i);
	}
	assert_false(queueing_needed);
	assert_null(heap_top(&timers.heap));
}

/* The deadline has passed by the time control queues the timer. */
static void a_deadline_that_is_queued_too_late_expires_at_once(void **state)
{
	timers_data_sent(&timers, &peer, now);
	pass(20 * 1000);
	assert_int_equal(seen.initiated, 0);
	control_looks();
	pass(1);
	assert_int_equal(seen.initiated, 1);
}

static void a_stopped_peer_is_not_queued_by_an_earlier_event(void **state)
{
	timers_data_sent(&timers, &peer, now);
	timers_peer_stop(&timers, &peer);
	control_looks();
	assert_null(heap_top(&timers.heap));
}

static _Atomic int playing;
static _Atomic uint64_t time_now;

/* The traffic of one peer, on a clock that all threads advance. */
static void *play(void *argument)
{
	unsigned random = *(const unsigned *)argument;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t at = atomic_fetch_add(&time_now, NS_PER_MS * 5);

		random = random * 1103515245 + 12345;
		switch (random >> 16 & 3) {
		case 0:
			timers_data_sent(&timers, &peer, at);
			break;
		case 1:
			timers_any_received(&timers, &peer, at);
			timers_data_received(&timers, &peer, at);
			break;
		case 2:
			timers_any_sent(&timers, &peer, at);
			break;
		case 3:
			atomic_fetch_add(&time_now, 20 * NS_PER_S);
			break;
		}
	}
	atomic_fetch_sub(&playing, 1);
	return NULL;
}

static void only_count(struct peer_timers *p, uint64_t at, bool retry)
{
	seen.initiated++;
}

/* At the end each pending timer is in the heap, at its deadline or earlier, so it will expire. */
static void no_deadline_is_lost_between_threads(void **state)
{
	const struct timer_ops counting = { only_count, keepalive, give_up, zero_keys, needs_queueing };
	unsigned seeds[THREADS] = { 1, 2 };
	pthread_t ids[THREADS];

	timers.ops = &counting;
	peer.keepalive = 25;
	atomic_store(&time_now, 1);
	atomic_store(&playing, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, play, &seeds[i]), 0);
	while (atomic_load(&playing)) {
		control_looks();
		timers_expire(&timers, atomic_load(&time_now), UINT_MAX);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	control_looks();
	for (int kind = 0; kind < TIMERS; kind++) {
		const struct timer *timer = &peer.timer[kind];
		if (timer->due)
			assert_uint_in_range(timer->queued, 1, timer->due);
		if (timer->queued)
			assert_int_equal(timer->node.key, timer->queued);
	}
	now = atomic_load(&time_now);
	pass(16 * 1000); /* the rest expires, and everything still works */
	assert_int_equal(new_handshake->due, 0);
	seen.initiated = 0;
	timers_data_sent(&timers, &peer, now);
	control_looks();
	pass(16 * 1000);
	assert_int_equal(seen.initiated, 1);
}

#define WITH_THREADS(name) cmocka_unit_test_setup_teardown(name, set_up_threads, tear_down_threads)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { MANY = 100, PER_WAKEUP = 8 };

static int turns;

static void on_data(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	turns++;
}

/* A host that resumes has the timers of all its peers due at once, and packets as well. */
static void many_timers_that_are_due_do_not_hold_up_the_data(void **state)
{
	static struct peer_timers many[MANY];
	struct ev_loop *loop = ev_loop_new(0);
	struct ev_io data;
	int ends[2];

	tear_down(state);
	memset(&seen, 0, sizeof seen);
	assert_int_equal(timers_init(&timers, &ops, loop), 0);
	assert_int_equal(timers_reserve(&timers, MANY), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	ev_io_init(&data, on_data, ends[0], EV_READ);
	ev_io_start(loop, &data);
	for (int i = 0; i < MANY; i++) {
		timers_peer_init(&many[i]);
		timers_data_sent(&timers, &many[i], 0); /* was due 15 s after boot */
	}
	for (turns = 0; seen.initiated < MANY && turns < 1000;) {
		ev_run(loop, EVRUN_ONCE);
		assert_true(seen.initiated <= turns * PER_WAKEUP);
	}
	assert_int_equal(seen.initiated, MANY);
	assert_uint_in_range(turns, MANY / PER_WAKEUP, MANY / PER_WAKEUP + 20);
	for (int i = 0; i < MANY; i++)
		timers_peer_stop(&timers, &many[i]);
	timers_destroy(&timers, loop);
	ev_io_stop(loop, &data);
	ev_loop_destroy(loop);
	close(ends[0]);
	close(ends[1]);
	set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unanswered_initiation_is_repeated_for_90_s_then_given_up),
		TEST(many_timers_that_are_due_do_not_hold_up_the_data),
		TEST(repeats_are_jittered),
		TEST(handshakes_are_jittered),
		TEST(a_session_ends_the_repeats),
		TEST(unanswered_data_brings_a_handshake_after_15_s),
		TEST(anything_received_cancels_that_handshake),
		TEST(data_received_is_answered_within_10_s),
		TEST(anything_sent_cancels_the_keepalive),
		TEST(data_that_keeps_coming_keeps_being_answered),
		TEST(data_received_before_the_keepalive_is_answered_again),
		TEST(persistent_keepalive_counts_from_the_last_traffic_either_way),
		TEST(a_shorter_interval_takes_effect_at_once),
		TEST(a_stopped_peer_is_silent_and_out_of_the_heap),
		TEST(a_long_sleep_is_one_wake_up),
		TEST(the_time_of_a_suspend_counts),
		WITH_THREADS(a_timer_that_a_worker_sets_is_queued_by_control),
		WITH_THREADS(only_an_earlier_deadline_needs_queueing),
		WITH_THREADS(a_timer_cancelled_before_it_is_queued_never_enters_the_heap),
		WITH_THREADS(a_timer_cancelled_in_the_heap_leaves_it_at_the_old_deadline),
		WITH_THREADS(a_timer_set_to_later_is_queued_again_at_the_old_deadline),
		WITH_THREADS(a_timer_set_during_its_expiry_is_not_lost),
		WITH_THREADS(a_deadline_that_is_queued_too_late_expires_at_once),
		WITH_THREADS(a_stopped_peer_is_not_queued_by_an_earlier_event),
		WITH_THREADS(no_deadline_is_lost_between_threads),
	};
	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
