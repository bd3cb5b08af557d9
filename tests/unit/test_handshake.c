/* SPDX-License-Identifier: MIT */
/* Two devices that exchange messages through an array instead of a network, on a clock of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "locked_calls.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum {
	MAIL = 512,
	LOAD = 1024,  /* handshake messages at once that are not load */
	COOKIES = 64, /* cookie replies at once */
};

struct letter {
	uint8_t bytes[256];
	size_t n;
	uint8_t traffic_class;
	struct endpoint to;
};

/* One end: a device, its only peer, and the messages that it sent. */
struct end {
	struct device device;
	struct peer *peer;
	struct endpoint address;
	struct letter sent[MAIL];
	int count, read;
};

static struct end left, right;
static uint64_t now;
static int stamps;      /* timestamps made */
static int64_t stepped; /* by how much the wall clock was set forward */

static uint64_t realtime(void)
{
	stamps++;
	return 1700000000 * NS_PER_S + now + (uint64_t)stepped;
}

static uint64_t boottime(void)
{
	return now;
}

static int post(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class)
{
	struct end *end = context;
	struct letter *letter = &end->sent[end->count++];

	assert_true(end->count < MAIL && n <= sizeof letter->bytes);
	*letter = (struct letter) { .n = n, .traffic_class = traffic_class, .to = *to };
	memcpy(letter->bytes, message, n);
	return 0;
}

static void peer_gone(void *context, struct peer *peer)
{
}

static const struct device_ops ops = { .send = post, .peer_gone = peer_gone };

static struct endpoint address(uint8_t host, uint16_t port)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4.sin_family = AF_INET;
	endpoint.to.v4.sin_port = htons(port);
	endpoint.to.v4.sin_addr.s_addr = htonl(0xc0000200u + host);
	return endpoint;
}

static void end_init(struct end *end, const char *name, uint8_t host)
{
	uint8_t key[NOISE_KEY];

	memset(end, 0, sizeof *end);
	assert_int_equal(control_init(&end->device, name, &aead_libsodium, NULL), 0);
	end->device.realtime = realtime;
	end->device.boottime = boottime;
	end->device.ops = &ops;
	end->device.ops_context = end;
	end->device.up = true;
	end->address = address(host, 51820);
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
}

static void add_each_other(struct end *end, const struct end *other)
{
	end->peer = peer_add(&end->device, other->device.identity.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint = other->address;
}

static void confirm_next(struct peer *peer)
{
	device_lock(peer->device);
	peer_confirm_next(peer, now);
	device_unlock(peer->device);
}

static int set_up(void **state)
{
	now = 1000 * NS_PER_S;
	stepped = 0;
	end_init(&left, "left", 1);
	end_init(&right, "right", 2);
	add_each_other(&left, &right);
	add_each_other(&right, &left);
	return 0;
}

static int tear_down(void **state)
{
	control_destroy(&left.device, NULL);
	control_destroy(&right.device, NULL);
	return 0;
}

static const struct letter *last(const struct end *end)
{
	assert_true(end->count > 0);
	return &end->sent[end->count - 1];
}

static void hand_over(struct end *to, const struct letter *letter, const struct endpoint *from)
{
	uint8_t copy[sizeof letter->bytes];

	memcpy(copy, letter->bytes, sizeof copy);
	admission_post(&to->device, &to->device.counters, copy, letter->n, from, now);
}

/* Delivers handshake messages both ways until none is left. Data messages are not delivered. */
static void carry(void)
{
	for (bool busy = true; busy;) {
		struct end *const ends[] = { &left, &right };
		busy = false;
		for (int i = 0; i < 2; i++) {
			for (; ends[i]->read < ends[i]->count; ends[i]->read++, busy = true) {
				const struct letter *letter = &ends[i]->sent[ends[i]->read];
				if (get_le32(letter->bytes) != MESSAGE_DATA)
					hand_over(ends[!i], letter, &ends[i]->address);
			}
		}
	}
}

static uint64_t count(const struct end *end, enum counter counter)
{
	return end->device.counters.value[counter];
}

static void shake_hands(void)
{
	handshake_initiate(left.peer, now, false);
	carry();
}

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

static void no_initiation_within_5_s_of_a_response(void **state)
{
	shake_hands();
	handshake_initiate(right.peer, now + REKEY_TIMEOUT - 1, false);
	assert_int_equal(right.count, 1);
	handshake_initiate(right.peer, now + REKEY_TIMEOUT, false);
	assert_int_equal(right.count, 2);
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

static void an_initiation_moves_the_endpoint(void **state)
{
	struct endpoint elsewhere = address(77, 1000);

	handshake_initiate(left.peer, now, false);
	hand_over(&right, last(&left), &elsewhere);
	assert_true(endpoint_equal(&right.peer->endpoint, &elsewhere));
	assert_true(endpoint_equal(&last(&right)->to, &elsewhere));
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

/* --- clocks ------------------------------------------------------------------------- */

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

/* --- handshakes that cannot be created ---------------------------------------------- */

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
		timers_expire(&left.device.timers, now);
		if (now < begin + REKEY_ATTEMPT_TIME)
			assert_int_equal(peer->staged.segments, 2);
	}
	assert_int_equal(peer->staged.segments, 0);
	assert_int_equal(count(&left, DROP_STAGED_TIMEOUT), 2);
	assert_in_range(stamps - before, 16, 19);
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

static void a_device_whose_link_is_down_answers_nothing(void **state)
{
	handshake_initiate(left.peer, now, false);
	right.device.up = false;
	carry();
	assert_int_equal(right.count, 0);
	assert_null(right.peer->sessions.next);
	assert_int_equal(count(&right, DROP_HANDSHAKE), 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(no_initiation_within_5_s_of_a_response),
		TEST(the_gate_works_when_the_clock_starts_at_zero),
		TEST(without_an_endpoint_nothing_is_sent),
		TEST(an_initiation_moves_the_endpoint),
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
		TEST(under_load_a_cookie_is_required_and_then_accepted),
		TEST(a_cookie_reply_does_not_move_the_endpoint),
		TEST(the_round_trip_time_starts_with_the_initiation_that_was_answered),
		TEST(both_ends_measure_the_round_trip_time),
		TEST(counts_of_a_peer_survive_its_sessions),
		TEST(load_ends_a_second_after_the_flood),
		TEST(messages_without_mac1_are_no_load),
		TEST(a_device_whose_link_is_down_answers_nothing),
		TEST(a_removed_peer_leaves_no_index_behind),
		TEST(old_sessions_are_retired_in_the_order_of_the_paper),
		TEST(a_session_older_than_180_s_is_not_used),
		TEST(a_session_at_its_limit_is_not_used),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
