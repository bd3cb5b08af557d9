/* SPDX-License-Identifier: MIT */
/* Unit tests of the state of a peer, which here is nothing but facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "crypto/message.h"
#include "tunnel/peer_state.h"

static struct peer_state peer;
static struct peer_facts facts;
static uint64_t now;

static int set_up(void **state)
{
	memset(&peer, 0, sizeof peer);
	facts = (struct peer_facts) { .link_up = true, .endpoint_known = true };
	now = 100 * NS_PER_S;
	return 0;
}

static void expect(enum peer_condition condition, enum peer_change change)
{
	assert_int_equal(peer_state_update(&peer, &facts, now), change);
	assert_string_equal(peer_condition_name(peer.condition), peer_condition_name(condition));
	assert_int_equal(peer_state_update(&peer, &facts, now), PEER_UNCHANGED);
}

static void begin(void)
{
	assert_true(peer_state_initiated(&peer, &facts, now));
	assert_false(peer_state_initiated(&peer, &facts, now));
	facts.handshake = true;
}

static void answer(void)
{
	facts.handshake = false;
	facts.session = true;
	facts.received += 92;
	peer_state_answered(&peer);
}

static void a_handshake_leads_from_idle_to_up(void **state)
{
	expect(PEER_IDLE, PEER_UNCHANGED);
	assert_int_equal(peer.since, 0);
	begin();
	expect(PEER_WAITING, PEER_UNCHANGED);
	assert_int_equal(peer.since, now);
	now += NS_PER_S;
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	assert_int_equal(peer.since, now);
}

static void a_renewal_is_no_change(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	now += 120 * NS_PER_S;
	begin();
	expect(PEER_UP, PEER_UNCHANGED);
	answer();
	expect(PEER_UP, PEER_UNCHANGED);
	assert_int_equal(peer.since, 100 * NS_PER_S);
}

static void idle_is_not_down_and_leaving_it_is_not_up(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	facts.session = false;
	expect(PEER_IDLE, PEER_UNCHANGED);
	now += 1000 * NS_PER_S;
	begin();
	expect(PEER_WAITING, PEER_UNCHANGED);
	answer();
	expect(PEER_UP, PEER_UNCHANGED);
}

static void an_unanswered_handshake_is_silent_after_15_s(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	facts.session = false;
	begin();
	for (int i = 1; i <= 2; i++) {
		now += 5 * NS_PER_S;
		peer_state_unanswered(&peer, &facts, now);
		expect(PEER_WAITING, PEER_UNCHANGED);
	}
	now += 5 * NS_PER_S;
	peer_state_unanswered(&peer, &facts, now);
	expect(PEER_SILENT, PEER_WENT_DOWN);
	peer_state_given_up(&peer);
	facts.handshake = false;
	expect(PEER_SILENT, PEER_UNCHANGED);
	begin();
	expect(PEER_SILENT, PEER_UNCHANGED);
	answer();
	expect(PEER_UP, PEER_WENT_UP);
}

static void unanswered_data_is_silent_until_something_comes(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	peer_state_silent(&peer, &facts);
	expect(PEER_SILENT, PEER_WENT_DOWN);
	begin();
	facts.received += 32;
	assert_int_equal(peer_state_condition(&peer, &facts), PEER_UP);
	now += 5 * NS_PER_S;
	peer_state_unanswered(&peer, &facts, now);
	expect(PEER_UP, PEER_WENT_UP);
}

/* The session still works, so the peer is up although it does not answer handshakes. */
static void a_peer_that_sends_is_not_silent(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	begin();
	for (int i = 1; i <= 10; i++) {
		now += 5 * NS_PER_S;
		facts.received += 32;
		peer_state_unanswered(&peer, &facts, now);
		expect(PEER_UP, PEER_UNCHANGED);
	}
	for (int i = 1; i <= 3; i++) {
		now += 5 * NS_PER_S;
		peer_state_unanswered(&peer, &facts, now);
	}
	expect(PEER_SILENT, PEER_WENT_DOWN);
}

static void a_refused_send_is_unreachable_unless_the_host_is_busy(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	atomic_store(&peer.send_error, ENOBUFS);
	expect(PEER_UP, PEER_UNCHANGED);
	atomic_store(&peer.send_error, ENETUNREACH);
	expect(PEER_UNREACHABLE, PEER_WENT_DOWN);
	atomic_store(&peer.send_error, 0);
	expect(PEER_UP, PEER_WENT_UP);
}

static void an_icmp_error_counts_while_handshakes_are_not_answered(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	facts.rejected = true;
	expect(PEER_UP, PEER_UNCHANGED);
	facts.session = false;
	facts.handshake = false;
	expect(PEER_IDLE, PEER_UNCHANGED);
	facts.handshake = true;
	expect(PEER_UNREACHABLE, PEER_WENT_DOWN);
	facts.rejected = false;
	expect(PEER_WAITING, PEER_UNCHANGED);
	peer_state_silent(&peer, &facts);
	expect(PEER_SILENT, PEER_UNCHANGED);
	facts.rejected = true;
	expect(PEER_UNREACHABLE, PEER_UNCHANGED);
	facts.received++;
	facts.handshake = false;
	expect(PEER_IDLE, PEER_UNCHANGED);
}

static void an_unknown_endpoint_and_a_link_that_is_down_come_first(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	facts.link_up = false;
	expect(PEER_UNREACHABLE, PEER_WENT_DOWN);
	facts.endpoint_known = false;
	expect(PEER_NO_ENDPOINT, PEER_UNCHANGED);
}

static void wiped_keys_are_down_once(void **state)
{
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
	facts.session = false;
	assert_int_equal(peer_state_wiped(&peer), PEER_WENT_DOWN);
	assert_int_equal(peer_state_wiped(&peer), PEER_UNCHANGED);
	expect(PEER_IDLE, PEER_UNCHANGED);
	begin();
	answer();
	expect(PEER_UP, PEER_WENT_UP);
}

static void the_time_of_silence_is_that_of_wireguard(void **state)
{
	assert_int_equal(PEER_SILENT_TIME, KEEPALIVE_TIMEOUT + REKEY_TIMEOUT);
}

static void names_are_those_of_the_control_socket(void **state)
{
	static const char *const conditions[] = { "idle", "up", "waiting", "silent", "no-endpoint", "unreachable" };
	static const char *const origins[] = { NULL, "configured", "resolved", "roamed", "set", "saved" };

	for (int i = 0; i < PEER_CONDITIONS; i++)
		assert_string_equal(peer_condition_name(i), conditions[i]);
	assert_null(endpoint_origin_name(ORIGIN_UNKNOWN));
	for (int i = 1; i < ORIGINS; i++)
		assert_string_equal(endpoint_origin_name(i), origins[i]);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handshake_leads_from_idle_to_up),
		TEST(a_renewal_is_no_change),
		TEST(idle_is_not_down_and_leaving_it_is_not_up),
		TEST(an_unanswered_handshake_is_silent_after_15_s),
		TEST(unanswered_data_is_silent_until_something_comes),
		TEST(a_peer_that_sends_is_not_silent),
		TEST(a_refused_send_is_unreachable_unless_the_host_is_busy),
		TEST(an_icmp_error_counts_while_handshakes_are_not_answered),
		TEST(an_unknown_endpoint_and_a_link_that_is_down_come_first),
		TEST(wiped_keys_are_down_once),
		TEST(the_time_of_silence_is_that_of_wireguard),
		TEST(names_are_those_of_the_control_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
