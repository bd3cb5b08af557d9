/* SPDX-License-Identifier: MIT */
/* Tests of the handshake between two devices: keys, gates, endpoints, clocks and sessions. */
#include "handshake_rig.h"

#include <limits.h>
#include <stdlib.h>

static void both_ends_agree_on_keys(void **state)
{
	struct session *from, *to;
	uint8_t memory[64 + 16 + 600] = { 0 }, opened[64 + 600], in[64 + 64 + 600] = { 0 }, *slot = memory + 64;

	shake_hands();
	from = left.peer->sessions.current;
	to = right.peer->sessions.next; /* not confirmed yet */
	assert_non_null(from);
	assert_non_null(to);
	assert_null(right.peer->sessions.current);
	assert_int_equal(from->remote_index, to->local_index);
	memcpy(slot + DATA_HEADER, "sixteen bytes...", 16);
	session_seal(from, 7, slot, 16);
	memcpy(in + 64, slot, 48);
	assert_int_equal(session_open(to, opened + 64, in + 64, 48, now), 0);
	assert_memory_equal(opened + 64, "sixteen bytes...", 16);
}

static void messages_have_the_lengths_of_the_paper(void **state)
{
	shake_hands();
	assert_int_equal(left.sent[0].n, 148);
	assert_int_equal(left.sent[0].traffic_class, 0x88);
	assert_int_equal(right.sent[0].n, 92);
	assert_int_equal(right.sent[0].traffic_class, 0x88);
	assert_int_equal(left.sent[1].n, 32); /* the initiator sends the first packet, which is empty */
	assert_int_equal(left.sent[1].traffic_class, 0);
	assert_int_equal(right.count, 1);
}

/* The responder opens the first packet under its next session. */
static void confirm(void)
{
	right.peer->sessions.next->confirmed = true;
	confirm_next(right.peer);
	assert_null(right.peer->sessions.next);
}

static void byte_counters_count_whole_payloads(void **state)
{
	shake_hands();
	assert_int_equal(left.peer->tx_bytes, 148 + 32);
	assert_int_equal(left.peer->rx_bytes, 92);
	assert_int_equal(right.peer->tx_bytes, 92);
	assert_int_equal(right.peer->rx_bytes, 148);
}

static void a_responder_does_not_send_before_the_key_is_confirmed(void **state)
{
	shake_hands();
	assert_null(peer_session(right.peer, now));
	confirm_next(right.peer); /* no packet was opened under the session */
	assert_null(peer_session(right.peer, now));
	confirm();
	assert_non_null(peer_session(right.peer, now));
}

static void no_initiation_within_5_s_of_the_last(void **state)
{
	handshake_initiate(left.peer, now, false);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT - 1, false);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT - 1, true);
	assert_int_equal(left.count, 1);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT, false);
	assert_int_equal(left.count, 2);
}

static unsigned silences;

static void count_silence(void *context, struct peer *peer)
{
	assert_ptr_equal(context, left.peer);
	assert_ptr_equal(peer, left.peer);
	silences++;
}

/* Packets that wait for a session bring the next initiation before the timer does. */
static void an_unanswered_initiation_is_reported_without_the_timer(void **state)
{
	silences = 0;
	left.device.unanswered = count_silence;
	left.device.unanswered_context = left.peer;
	handshake_initiate(left.peer, now, false);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT - 1, false);
	assert_int_equal(silences, 0);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT, false);
	assert_int_equal(silences, 1);
	handshake_initiate(left.peer, now + 2 * REKEY_TIMEOUT, true); /* the timer has reported it */
	assert_int_equal(silences, 1);
	assert_int_equal(left.count, 3);
}

static void an_answered_initiation_is_not_reported(void **state)
{
	silences = 0;
	left.device.unanswered = count_silence;
	left.device.unanswered_context = left.peer;
	shake_hands();
	handshake_initiate(left.peer, now + 2 * REKEY_TIMEOUT, false);
	assert_int_equal(silences, 0);
}

static enum problem_kind left_problem(void)
{
	return left.peer->problem.latest.kind;
}

static void an_initiation_that_is_lost_is_no_problem_while_the_session_works(void **state)
{
	shake_hands();
	handshake_initiate(left.peer, now + 2 * REKEY_TIMEOUT, false);
	handshake_initiate(left.peer, now + 3 * REKEY_TIMEOUT, false);
	assert_int_equal(count(&left, COUNT_UNANSWERED), 1);
	assert_int_equal(left_problem(), PROBLEM_NONE);
	handshake_initiate(left.peer, now + REJECT_AFTER_TIME + REKEY_TIMEOUT, false);
	assert_int_equal(left_problem(), PROBLEM_SILENT);
}

/* The file is mended while an initiation with the old preshared key waits for its response. */
static void a_peer_whose_answer_cannot_be_decrypted_is_not_silent(void **state)
{
	uint8_t psk[NOISE_KEY] = { 9 };

	noise_remote_set_psk(&left.peer->remote, psk);
	shake_hands();
	assert_int_equal(left_problem(), PROBLEM_PRESHARED_KEY);
	peer_clear_problem(left.peer);
	handshake_initiate(left.peer, now + REKEY_TIMEOUT, false);
	assert_int_equal(count(&left, COUNT_UNANSWERED), 1);
	assert_int_equal(left_problem(), PROBLEM_NONE);
	handshake_initiate(left.peer, now + 2 * REKEY_TIMEOUT, false);
	assert_int_equal(left_problem(), PROBLEM_SILENT);
}

static void no_initiation_within_5_s_of_a_response(void **state)
{
	shake_hands();
	handshake_initiate(right.peer, now + REKEY_TIMEOUT - 1, false);
	assert_int_equal(right.count, 1);
	handshake_initiate(right.peer, now + REKEY_TIMEOUT + 4 * REKEY_TIMEOUT_JITTER, false);
	assert_int_equal(right.count, 2);
}

/* A path with a delay: carries the messages that have arrived, then runs the timers. `read` is the next message. */
static void pass_time(uint64_t delay)
{
	struct end *const ends[] = { &left, &right };

	now += NS_PER_MS;
	for (int i = 0; i < 2; i++) {
		for (; ends[i]->read < ends[i]->count && ends[i]->sent[ends[i]->read].at + delay <= now; ends[i]->read++) {
			const struct letter *letter = &ends[i]->sent[ends[i]->read];
			if (get_le32(letter->bytes) != MESSAGE_DATA)
				hand_over(ends[!i], letter, &ends[i]->address);
		}
		timers_expire(&ends[i]->device.timers, now, UINT_MAX);
	}
}

/*
 * Both ends initiate at the same time, and again with every packet. An initiation that arrives voids the one that is on
 * its way, so the response to that one is dropped. Returns whether the ends have a session after three minutes.
 */
static bool cross(uint64_t delay, bool packets)
{
	left.device.timers.random = UINT64_C(0x9e3779b97f4a7c15); /* the same jitter in each run */
	right.device.timers.random = UINT64_C(0xc2b2ae3d27d4eb4f);
	for (int ms = 0; ms < 180000 && !left.peer->sessions.current && !right.peer->sessions.current; ms++) {
		if (packets || !ms) {
			handshake_initiate(left.peer, now, false);
			handshake_initiate(right.peer, now, false);
		}
		pass_time(delay);
	}
	return left.peer->sessions.current || right.peer->sessions.current;
}

static void initiations_that_cross_do_not_cross_for_ever(void **state)
{
	static const uint64_t delays[] = { NS_PER_MS, 30 * NS_PER_MS, 300 * NS_PER_MS, 700 * NS_PER_MS };

	for (size_t i = 0; i < 2 * sizeof delays / sizeof *delays; i++) {
		assert_true(cross(delays[i / 2], i % 2));
		tear_down(state);
		set_up(state);
	}
}

/* The peer initiates and is never heard of again. */
static void a_handshake_that_waits_after_a_response_is_not_forgotten(void **state)
{
	for (int keepalive = 0; keepalive < 2; keepalive++) {
		timers_set_keepalive(&left.device.timers, &left.peer->timers, (uint16_t)keepalive, now);
		handshake_initiate(right.peer, now, false);
		hand_over(&left, last(&right), &right.address);
		if (!keepalive) /* a packet */
			handshake_initiate(left.peer, now + 1, false);
		assert_int_equal(left.count, 1);
		for (int ms = 0; ms < 10000; ms++) {
			now += NS_PER_MS;
			timers_expire(&left.device.timers, now, UINT_MAX);
		}
		assert_int_equal(left.count, 2);
		assert_int_equal(get_le32(last(&left)->bytes), MESSAGE_INITIATION);
		assert_int_equal(count(&left, COUNT_UNANSWERED), 0); /* it was the first one */
		assert_int_equal(left_problem(), PROBLEM_NONE);
		tear_down(state);
		set_up(state);
	}
}

static void the_gate_works_when_the_clock_starts_at_zero(void **state)
{
	now = 0;
	handshake_initiate(left.peer, 0, false);
	assert_int_equal(left.count, 1);
}

static void without_an_endpoint_nothing_is_sent(void **state)
{
	left.peer->endpoint = (struct endpoint) { 0 };
	handshake_initiate(left.peer, now, false);
	assert_int_equal(left.count, 0);
	assert_null(heap_top(&left.device.timers.heap));
}

/* Sets 198.51.100.9 as the local address of the left end. */
static void set_local(void)
{
	left.peer->endpoint.local.v4 = (struct in_pktinfo) { .ipi_ifindex = 3, .ipi_spec_dst.s_addr = htonl(0xc6336409) };
	left.peer->last_from = left.peer->endpoint;
}

static void expect_no_local(void)
{
	assert_false(endpoint_local_known(&left.peer->endpoint));
	assert_false(endpoint_local_known(&left.peer->last_from));
	assert_true(endpoint_same_remote(&left.peer->endpoint, &right.address));
}

/* The routes choose another one, which may work. */
static void a_local_address_is_forgotten_when_it_may_be_wrong(void **state)
{
	set_local();
	handshake_initiate(left.peer, now, false);
	assert_true(endpoint_local_known(&left.peer->endpoint));
	handshake_initiate(left.peer, now + REKEY_TIMEOUT, false); /* a packet waits, and there was no answer */
	expect_no_local();
	assert_false(endpoint_local_known(&last(&left)->to));
	set_local();
	timers_expire(&left.device.timers, now + 3 * REKEY_TIMEOUT, UINT_MAX);
	expect_no_local();
	assert_false(endpoint_local_known(&last(&left)->to));
	assert_int_equal(left.count, 3);
	set_local();
	left.device.up = false; /* no socket is opened */
	assert_int_equal(control_set_port(&left.device, 1234), 0);
	expect_no_local();
	set_local();
	assert_int_equal(control_set_mark(&left.device, 1234), 0);
	expect_no_local();
	left.device.up = true;
}

static void an_initiation_moves_the_endpoint(void **state)
{
	struct endpoint elsewhere = address(77, 1000);

	handshake_initiate(left.peer, now, false);
	hand_over(&right, last(&left), &elsewhere);
	assert_true(endpoint_equal(&right.peer->endpoint, &elsewhere));
	assert_true(endpoint_equal(&last(&right)->to, &elsewhere));
}

static void a_response_moves_the_endpoint(void **state)
{
	struct endpoint elsewhere = address(77, 1000);

	handshake_initiate(left.peer, now, false);
	hand_over(&right, last(&left), &left.address);
	hand_over(&left, last(&right), &elsewhere);
	assert_non_null(left.peer->sessions.current);
	assert_true(endpoint_equal(&left.peer->endpoint, &elsewhere));
	assert_true(endpoint_equal(&last(&left)->to, &elsewhere)); /* the keepalive that confirms */
}

/* Nobody can guess the index of another session. */
static void indices_are_random(void **state)
{
	uint32_t ones = 0, zeros = 0;

	for (int i = 0; i < 100; i++) {
		struct peer_index *index = peer_index_create(left.peer);

		assert_non_null(index);
		ones |= index->index;
		zeros |= ~index->index;
		free(index);
	}
	assert_int_equal(ones, UINT32_MAX);
	assert_int_equal(zeros, UINT32_MAX);
}

static void a_replayed_initiation_changes_nothing(void **state)
{
	struct endpoint elsewhere = address(77, 1000);

	handshake_initiate(left.peer, now, false);
	hand_over(&right, last(&left), &left.address);
	now += NS_PER_S;
	hand_over(&right, last(&left), &elsewhere);
	assert_int_equal(right.count, 1);
	assert_true(endpoint_equal(&right.peer->endpoint, &left.address));
	assert_int_equal(count(&right, DROP_HANDSHAKE), 1);
}

static void forgetting_keys_keeps_the_timestamp_and_opens_the_gate(void **state)
{
	handshake_initiate(left.peer, now, false);
	hand_over(&right, last(&left), &left.address);
	forget_keys(right.peer);
	assert_null(right.peer->sessions.next);
	now += NS_PER_S;
	hand_over(&right, last(&left), &left.address); /* the timestamp is not newer */
	assert_int_equal(right.count, 1);
	handshake_initiate(right.peer, now, false); /* within 5 s of the forgotten response */
	assert_int_equal(right.count, 2);
}

static void a_wrong_mac1_costs_no_curve_work(void **state)
{
	struct letter letter;

	handshake_initiate(left.peer, now, false);
	letter = *last(&left);
	letter.bytes[116] ^= 1;
	hand_over(&right, &letter, &left.address);
	assert_int_equal(right.count, 0);
	assert_int_equal(count(&right, DROP_MAC), 1);
	assert_false(right.peer->remote.static_known); /* no DH was computed */
}

static void wrong_lengths_and_types_are_malformed(void **state)
{
	struct letter letter;

	handshake_initiate(left.peer, now, false);
	letter = *last(&left);
	letter.n--;
	hand_over(&right, &letter, &left.address);
	letter.n += 2;
	hand_over(&right, &letter, &left.address);
	letter.n--;
	letter.bytes[1] = 1; /* the reserved bytes belong to the type */
	hand_over(&right, &letter, &left.address);
	assert_int_equal(count(&right, DROP_MALFORMED), 3);
	assert_int_equal(right.count, 0);
}

static void an_unknown_peer_is_rejected(void **state)
{
	remove_peer(right.peer);
	handshake_initiate(left.peer, now, false);
	carry();
	assert_int_equal(right.count, 0);
	assert_int_equal(count(&right, DROP_UNKNOWN_KEY), 1);
}

static void a_new_psk_takes_effect_at_the_next_handshake(void **state)
{
	uint8_t psk[NOISE_KEY] = { 9 };

	shake_hands();
	noise_remote_set_psk(&left.peer->remote, psk);
	assert_non_null(peer_session(left.peer, now));
	now += 6 * NS_PER_S;
	shake_hands(); /* only one end has the new key */
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
	noise_remote_set_psk(&right.peer->remote, psk);
	now += 6 * NS_PER_S;
	shake_hands();
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 2);
}

static void a_new_private_key_ends_sessions_and_removes_our_own_peer(void **state)
{
	uint8_t key[NOISE_KEY], public_key[NOISE_KEY];

	randombytes_buf(key, sizeof key);
	crypto_scalarmult_curve25519_base(public_key, key);
	shake_hands();
	assert_non_null(peer_add(&left.device, public_key));
	control_set_private_key(&left.device, key);
	assert_null(peer_lookup(&left.device, public_key));
	assert_null(left.peer->sessions.current);
	assert_null(peer_add(&left.device, public_key));
	now += 6 * NS_PER_S;
	shake_hands(); /* the other end does not have the new key */
	assert_null(left.peer->sessions.current);
	remove_peer(right.peer);
	add_each_other(&right, &left);
	now += 6 * NS_PER_S;
	shake_hands();
	assert_non_null(left.peer->sessions.current);
}

/* --- clocks ----- */

static void a_clock_that_steps_back_stops_no_handshake(void **state)
{
	static const int64_t steps[] = { -1, -3600, -1600000000, 7200, -7200 }; /* in seconds, one after the other */
	uint64_t made = 1;

	shake_hands();
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		stepped += steps[i] * (int64_t)NS_PER_S;
		for (int k = 0; k < 2; k++) { /* also the second one after the step */
			now += 6 * NS_PER_S;
			shake_hands();
			assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), ++made);
		}
	}
}

static void timestamps_of_all_peers_follow_one_clock(void **state)
{
	uint64_t before = device_stamp_time(&left.device, now), after;

	stepped -= 100 * (int64_t)NS_PER_S;
	for (int i = 0; i < 100000; i++) /* many peers at once do not move the clock ahead */
		after = device_stamp_time(&left.device, now);
	assert_true(after == before);
	now += 10 * NS_PER_S;
	assert_true(device_stamp_time(&left.device, now) == before + 10 * NS_PER_S);
	stepped += 105 * (int64_t)NS_PER_S;
	assert_true(device_stamp_time(&left.device, now) == realtime());
}

static void the_age_of_the_last_handshake_survives_a_step(void **state)
{
	static const int64_t steps[] = { 0, 3600, -3600, 2000000000, -1699990000 };

	assert_int_equal(peer_last_handshake(left.peer, now), 0);
	shake_hands();
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		stepped = steps[i] * (int64_t)NS_PER_S;
		now += 10 * NS_PER_S;
		assert_true(peer_last_handshake(left.peer, now) == realtime() - (i + 1) * 10 * NS_PER_S);
	}
	stepped = -(int64_t)(1700000000 * NS_PER_S + now - 20 * NS_PER_S); /* the clock of a machine without a battery */
	assert_true(peer_last_handshake(left.peer, now) == 1);
	stepped = 500 * (int64_t)NS_PER_MS; /* no step */
	assert_true(peer_last_handshake(left.peer, now) == 1700000000 * NS_PER_S + 1000 * NS_PER_S);
}

/* --- handshakes that cannot be created ----- */

/* Stages a packet for the peer and does what egress does. */
static void stage_packet(struct peer *peer)
{
	const uint8_t packet[60] = { 0x45 };

	assert_int_equal(staged_push(&left.device.staged, &peer->staged, 0, packet, sizeof packet, 1), 0);
	peer_post(peer, PEER_EVENT_HANDSHAKE, NULL, now);
}

/* Stages two packets. One attempt is made every 5 s; the packets are dropped after 90 s, and then nothing is due. */
static void expect_staged_packets_to_be_dropped_after_90_s(struct peer *peer)
{
	uint64_t begin = now, end = now + REKEY_ATTEMPT_TIME + 3 * REKEY_TIMEOUT;
	int before = stamps;

	stage_packet(peer);
	stage_packet(peer);
	assert_int_equal(stamps - before, 1);
	for (; now < end; now += 100 * NS_PER_MS) {
		timers_expire(&left.device.timers, now, UINT_MAX);
		if (now < begin + REKEY_ATTEMPT_TIME)
			assert_int_equal(peer->staged.segments, 2);
	}
	assert_int_equal(peer->staged.segments, 0);
	assert_int_equal(count(&left, DROP_STAGED_TIMEOUT), 2);
	assert_uint_in_range(stamps - before, 16, 19);
	assert_int_equal(peer->timers.timer[TIMER_RETRANSMIT_HANDSHAKE].due, 0);
	assert_int_equal(left.count, 0);
}

static void a_low_order_peer_is_sent_nothing_and_its_packets_are_dropped_in_time(void **state)
{
	const uint8_t zero[NOISE_KEY] = { 0 };
	struct peer *peer = peer_add(&left.device, zero);

	assert_non_null(peer);
	peer->endpoint = right.address;
	expect_staged_packets_to_be_dropped_after_90_s(peer);
}

static void without_a_private_key_packets_are_dropped_in_time(void **state)
{
	uint8_t key[NOISE_KEY];

	control_set_private_key(&left.device, NULL);
	expect_staged_packets_to_be_dropped_after_90_s(left.peer);
	randombytes_buf(key, sizeof key);
	stage_packet(left.peer);
	control_set_private_key(&left.device, key);
	handshake_initiate(left.peer, now, false); /* within 5 s of the attempt that had no key */
	assert_int_equal(left.count, 1);
}

static void a_device_whose_link_is_down_answers_nothing(void **state)
{
	handshake_initiate(left.peer, now, false);
	right.device.up = false;
	carry();
	assert_int_equal(right.count, 0);
	assert_null(right.peer->sessions.next);
	assert_int_equal(count(&right, DROP_HANDSHAKE), 1);
}

static void a_link_that_goes_down_ends_sessions_and_timers(void **state)
{
	timers_set_keepalive(&left.device.timers, &left.peer->timers, 25, now);
	shake_hands();
	timers_data_sent(&left.device.timers, &left.peer->timers, now);
	left.count = left.read = 0;
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	assert_null(left.peer->sessions.current);
	assert_null(heap_top(&left.device.timers.heap));
	timers_expire(&left.device.timers, now + 1000 * NS_PER_S, UINT_MAX);
	handshake_initiate(left.peer, now + 1000 * NS_PER_S, false);
	assert_int_equal(left.count, 0);
	assert_int_equal(control_set_up(&left.device, true, now + 1), 0); /* less than 5 s after the last handshake */
	assert_int_equal(left.count, 1);
	assert_int_equal(left.sent[0].n, sizeof(struct message_initiation));
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	timers_set_keepalive(&left.device.timers, &left.peer->timers, 0, now);
	assert_int_equal(control_set_up(&left.device, true, now), 0);
	assert_int_equal(left.count, 1);
}

static void a_removed_peer_leaves_no_index_behind(void **state)
{
	shake_hands();
	now += 6 * NS_PER_S;
	handshake_initiate(left.peer, now, false);
	assert_int_equal(left.device.by_index.count, 2); /* the session and the handshake under way */
	remove_peer(left.peer);
	assert_int_equal(left.device.by_index.count, 0);
	assert_null(heap_top(&left.device.timers.heap));
	carry(); /* the response finds no peer */
	assert_int_equal(count(&left, COUNT_HANDSHAKE_DONE), 1);
}

static void old_sessions_are_retired_in_the_order_of_the_paper(void **state)
{
	for (int i = 0; i < 5; i++) {
		shake_hands();
		confirm();
		now += 6 * NS_PER_S;
	}
	assert_non_null(left.peer->sessions.previous);
	assert_non_null(right.peer->sessions.previous);
	assert_int_equal(left.device.by_index.count, 2);
	assert_int_equal(right.device.by_index.count, 2);
}

static void a_session_older_than_180_s_is_not_used(void **state)
{
	shake_hands();
	assert_non_null(peer_session(left.peer, now + REJECT_AFTER_TIME - 1));
	assert_null(peer_session(left.peer, now + REJECT_AFTER_TIME));
}

static void a_session_at_its_limit_is_not_used(void **state)
{
	shake_hands();
	left.peer->sessions.current->send_counter = REJECT_AFTER_MESSAGES;
	assert_null(peer_session(left.peer, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_agree_on_keys),
		TEST(messages_have_the_lengths_of_the_paper),
		TEST(byte_counters_count_whole_payloads),
		TEST(a_responder_does_not_send_before_the_key_is_confirmed),
		TEST(no_initiation_within_5_s_of_the_last),
		TEST(an_unanswered_initiation_is_reported_without_the_timer),
		TEST(an_answered_initiation_is_not_reported),
		TEST(an_initiation_that_is_lost_is_no_problem_while_the_session_works),
		TEST(a_peer_whose_answer_cannot_be_decrypted_is_not_silent),
		TEST(no_initiation_within_5_s_of_a_response),
		TEST(initiations_that_cross_do_not_cross_for_ever),
		TEST(a_handshake_that_waits_after_a_response_is_not_forgotten),
		TEST(the_gate_works_when_the_clock_starts_at_zero),
		TEST(without_an_endpoint_nothing_is_sent),
		TEST(a_local_address_is_forgotten_when_it_may_be_wrong),
		TEST(an_initiation_moves_the_endpoint),
		TEST(a_response_moves_the_endpoint),
		TEST(indices_are_random),
		TEST(a_replayed_initiation_changes_nothing),
		TEST(forgetting_keys_keeps_the_timestamp_and_opens_the_gate),
		TEST(a_wrong_mac1_costs_no_curve_work),
		TEST(wrong_lengths_and_types_are_malformed),
		TEST(an_unknown_peer_is_rejected),
		TEST(a_new_psk_takes_effect_at_the_next_handshake),
		TEST(a_new_private_key_ends_sessions_and_removes_our_own_peer),
		TEST(a_low_order_peer_is_sent_nothing_and_its_packets_are_dropped_in_time),
		TEST(without_a_private_key_packets_are_dropped_in_time),
		TEST(a_clock_that_steps_back_stops_no_handshake),
		TEST(timestamps_of_all_peers_follow_one_clock),
		TEST(the_age_of_the_last_handshake_survives_a_step),
		TEST(a_device_whose_link_is_down_answers_nothing),
		TEST(a_link_that_goes_down_ends_sessions_and_timers),
		TEST(a_removed_peer_leaves_no_index_behind),
		TEST(old_sessions_are_retired_in_the_order_of_the_paper),
		TEST(a_session_older_than_180_s_is_not_used),
		TEST(a_session_at_its_limit_is_not_used),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
