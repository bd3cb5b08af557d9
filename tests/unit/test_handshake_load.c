/* SPDX-License-Identifier: MIT */
/* Tests of the handshake under load, and of what it measures about the link. */
#include "handshake_rig.h"

enum {
	LOAD = 1024,  /* handshake messages at once that are not load */
	COOKIES = 64, /* cookie replies at once */
};

static void flood(int messages)
{
	struct letter letter;

	handshake_initiate(left.peer, now, false);
	letter = *last(&left);
	for (int i = 0; i < messages; i++)
		hand_over(&right, &letter, &left.address); /* valid mac1, an old timestamp after the first */
}

static void under_load_a_cookie_is_required_and_then_accepted(void **state)
{
	flood(LOAD + 276);
	assert_int_equal(count(&right, COUNT_UNDER_LOAD), 276);
	assert_int_equal(count(&right, COUNT_COOKIE_SENT), COOKIES);
	assert_int_equal(last(&right)->n, 64);
	assert_int_equal(last(&right)->traffic_class, HANDSHAKE_TRAFFIC_CLASS);
	assert_int_equal(count(&right, COUNT_HANDSHAKE_DONE), 1);
	left.read = left.count;
	right.read = right.count - 1;
	carry(); /* the last cookie reply reaches the left end, which does not answer it at once */
	assert_true(left.peer->cookies.cookie_known);
	assert_int_equal(left.count, 1);
	now += 5 * NS_PER_S;
	right.device.load_until = now + NS_PER_S;
	flood(200); /* these carry mac2: no cookie reply is sent, and the rate limit of the sender applies */
	assert_int_equal(count(&right, COUNT_COOKIE_SENT), COOKIES);
	assert_int_equal(count(&right, COUNT_HANDSHAKE_DONE), 2);
	assert_int_equal(count(&right, DROP_RATE), 200 - 5);
}

static void a_cookie_reply_does_not_move_the_endpoint(void **state)
{
	struct endpoint elsewhere = address(77, 1000);

	flood(LOAD + 1);
	hand_over(&left, last(&right), &elsewhere);
	assert_true(left.peer->cookies.cookie_known);
	assert_true(endpoint_equal(&left.peer->endpoint, &right.address));
	assert_int_equal(left.peer->rx_bytes, sizeof(struct message_cookie));
}

/* The first initiation is answered by a cookie reply, the second one by a response. */
static void the_round_trip_time_starts_with_the_initiation_that_was_answered(void **state)
{
	flood(1);
	left.read = left.count;
	right.read = right.count;
	now += 5 * NS_PER_S;
	right.device.load_until = now + 100 * NS_PER_S;
	handshake_initiate(left.peer, now, true);
	carry();
	assert_true(left.peer->cookies.cookie_known);
	assert_int_equal(left.peer->quality.samples, 0);
	now += 5 * NS_PER_S;
	handshake_initiate(left.peer, now, true);
	assert_null(left.peer->sessions.current);
	now += 12 * NS_PER_MS;
	carry();
	assert_non_null(left.peer->sessions.current);
	assert_int_equal(left.peer->quality.samples, 1);
	assert_int_equal(left.peer->quality.rtt, 12 * NS_PER_MS);
}

/* Both ends measure, the responder with the first packet. */
static void both_ends_measure_the_round_trip_time(void **state)
{
	uint8_t opened[64 + 16];
	struct session *next;

	handshake_initiate(left.peer, now, false);
	now += 10 * NS_PER_MS;
	hand_over(&right, last(&left), &left.address);
	now += 15 * NS_PER_MS;
	hand_over(&left, last(&right), &right.address);
	assert_int_equal(left.peer->quality.rtt, 25 * NS_PER_MS);
	now += 11 * NS_PER_MS;
	next = right.peer->sessions.next;
	assert_int_equal(session_open(next, opened + 64, last(&left)->bytes, last(&left)->n, now), 0);
	next->confirmed = true;
	assert_int_equal(right.peer->quality.samples, 0);
	confirm_next(right.peer);
	assert_int_equal(right.peer->quality.rtt, 26 * NS_PER_MS);
	hand_over(&left, &right.sent[0], &right.address); /* the response again */
	assert_int_equal(left.peer->quality.samples, 1);
}

static void counts_of_a_peer_survive_its_sessions(void **state)
{
	struct replay_counts counts;

	for (int round = 1; round <= 5; round++) {
		shake_hands();
		for (uint64_t counter = 1; counter <= 10; counter++)
			assert_true(replay_accept(&left.peer->sessions.current->replay, counter, now));
		quality_counts(&left.peer->quality, &left.peer->sessions, now + REPLAY_HOLD, &counts);
		assert_int_equal(counts.accepted, 10 * round);
		assert_int_equal(counts.lost, round);
		now += REKEY_AFTER_TIME;
	}
	forget_keys(left.peer);
	quality_counts(&left.peer->quality, &left.peer->sessions, now, &counts);
	assert_int_equal(counts.accepted, 50);
	assert_int_equal(counts.lost, 5);
}

static void load_ends_a_second_after_the_flood(void **state)
{
	flood(LOAD + 100);
	now += NS_PER_S - NS_PER_MS;
	flood(1);
	assert_int_equal(count(&right, COUNT_UNDER_LOAD), 101);
	now += 2 * NS_PER_MS;
	flood(1);
	assert_int_equal(count(&right, COUNT_UNDER_LOAD), 101);
}

/* Forged datagrams, as many as one likes, do not make an honest sender wait for a cookie. */
static void messages_without_mac1_are_no_load(void **state)
{
	struct letter letter;

	handshake_initiate(left.peer, now, false);
	for (int i = 0; i < 5 * LOAD; i++) {
		letter = *last(&left);
		letter.bytes[8 + i % 100] ^= 1;
		if (i % 2)
			letter.bytes[0] = MESSAGE_RESPONSE;
		if (i % 2)
			letter.n = sizeof(struct message_response);
		hand_over(&right, &letter, &left.address);
	}
	assert_int_equal(count(&right, DROP_MAC), 5 * LOAD);
	carry();
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
	assert_int_equal(count(&right, COUNT_UNDER_LOAD), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(under_load_a_cookie_is_required_and_then_accepted),
		TEST(a_cookie_reply_does_not_move_the_endpoint),
		TEST(the_round_trip_time_starts_with_the_initiation_that_was_answered),
		TEST(both_ends_measure_the_round_trip_time),
		TEST(counts_of_a_peer_survive_its_sessions),
		TEST(load_ends_a_second_after_the_flood),
		TEST(messages_without_mac1_are_no_load),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("handshake_load", tests, NULL, NULL);
}
