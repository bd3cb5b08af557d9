/* The timers of one peer on a clock of our own: each line of the list at the top of timers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "device.h"
#include "message.h"

enum { ATTEMPTS = 18 };

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
	};
	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
