/* SPDX-License-Identifier: MIT */
/*
 * Notices: acted upon at once without a list to wait in, else by control's loop. Control is this thread; workers are
 * played by hand, and at the end by two threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>

#include "base/clock.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum {
	PEERS = 4,
	MAX_PER_WAKEUP = 256, /* peers, and messages, that control acts upon before others have their turn */
	PORT = 1000,
	LETTERS = MAILBOX_MESSAGES,
	THREADS = 2,
	ROUNDS = 3000,
};

static struct device device;
static struct peer *peers[PEERS];
static struct ev_loop *loop;
static struct {
	int gone, asked; /* calls of gone and of local_usable */
	int again;       /* how many more handshakes are asked for while one is sent */
	int letters;
	in_port_t to[LETTERS]; /* of each message sent, in order */
} seen;

static int post(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class)
{
	assert_true(seen.letters < LETTERS);
	seen.to[seen.letters++] = ntohs(to->to.v4.sin_port);
	if (peer)
		peer->handshake_sent_known = false; /* or a second one would be too soon */
	if (peer && seen.again && seen.again--)
		peer_post(peer, PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	return 0;
}

static void peer_gone(void *context, struct peer *peer)
{
}

static void tun_gone(void *context)
{
	assert_ptr_equal(context, &device);
	seen.gone++;
}

static bool local_usable(void *sources, const struct endpoint *from)
{
	seen.asked++;
	return false;
}

static const struct device_ops ops = { .send = post, .peer_gone = peer_gone };

static struct endpoint place(in_port_t port)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) };
	endpoint.to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	endpoint.local.v4.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
	return endpoint;
}

static in_port_t port_of(const struct peer *peer)
{
	return ntohs(peer->endpoint.to.v4.sin_port);
}

static struct peer *add_peer(in_port_t port)
{
	uint8_t secret[NOISE_KEY], public[NOISE_KEY];
	struct peer *peer;

	randombytes_buf(secret, sizeof secret);
	crypto_scalarmult_base(public, secret);
	peer = peer_add(&device, public);
	assert_non_null(peer);
	peer->endpoint = peer->last_from = place(port);
	return peer;
}

static void remove_peer(struct peer *peer)
{
	device_lock(&device);
	peer_remove(peer);
	device_unlock(&device);
}

static int set_up(void **state)
{
	uint8_t key[NOISE_KEY];

	memset(&seen, 0, sizeof seen);
	loop = ev_loop_new(0);
	if (control_init(&device, "control", &aead_libsodium, NULL))
		return -1;
	device.ops = &ops;
	device.up = true;
	device.local_usable = local_usable;
	randombytes_buf(key, sizeof key);
	control_set_private_key(&device, key);
	for (int i = 0; i < PEERS; i++)
		peers[i] = add_peer((in_port_t)(PORT + i));
	return 0;
}

static int set_up_list(void **state)
{
	if (set_up(state))
		return -1;
	device.gone = tun_gone;
	device.gone_context = &device;
	return mailbox_start_queue(&device.mailbox, loop);
}

static int tear_down(void **state)
{
	mailbox_stop_queue(&device.mailbox);
	control_destroy(&device, NULL);
	ev_loop_destroy(loop);
	return 0;
}

static void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

/* A session that waits for its first packet, and has had it. */
static struct session *next_session(struct peer *peer)
{
	struct noise_keys keys = { .suite = SUITE_CHACHA20POLY1305 };

	peer->sessions.next = session_create(device.aead, &keys, clock_boottime());
	assert_non_null(peer->sessions.next);
	atomic_store(&peer->sessions.next->confirmed, true);
	return peer->sessions.next;
}

/* --- each kind ---------------------------------------------------------------------- */

struct before {
	struct session *session;
	in_port_t from;
};

/* What a worker does that hears a peer from another place. */
static void hear_from(struct peer *peer, const struct endpoint *from)
{
	if (!endpoint_equal(peer_last_from(peer), from) && peer_move(peer, from))
		peer_post(peer, PEER_EVENT_MOVED, NULL, clock_boottime());
}

/* All that can be noticed of the first peer, and one message. */
static struct before raise_all(void)
{
	struct before before = { next_session(peers[0]), PORT + 100 };
	struct endpoint from = place(before.from);
	uint64_t now = clock_boottime();

	peers[0]->local_unverified = true;
	timers_data_sent(&device.timers, &peers[0]->timers, now); /* raises PEER_EVENT_TIMER */
	peer_post(peers[0], PEER_EVENT_CONFIRMED, NULL, now);
	peer_post(peers[0], PEER_EVENT_LOCAL_UNVERIFIED, NULL, now);
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, now);
	hear_from(peers[0], &from);
	assert_true(mailbox_post_message(&device.mailbox, (const uint8_t[32]) { 9 }, 32, &from, now));
	return before;
}

static void nothing_was_done(void)
{
	assert_null(heap_top(&device.timers.heap));
	assert_null(peers[0]->sessions.current);
	assert_true(peers[0]->local_unverified);
	assert_int_equal(seen.asked + seen.letters, 0);
	assert_int_equal(port_of(peers[0]), PORT);
	assert_int_equal(device.counters.value[DROP_MALFORMED], 0);
}

static void all_was_done_once(const struct before *before, int asked)
{
	assert_int_not_equal(peers[0]->timers.timer[TIMER_NEW_HANDSHAKE].queued, 0);
	assert_ptr_equal(peers[0]->sessions.current, before->session);
	assert_null(peers[0]->sessions.next);
	assert_false(peers[0]->local_unverified);
	assert_int_equal(seen.asked, asked);
	assert_int_equal(seen.letters, 1);
	assert_int_equal(port_of(peers[0]), before->from);
	assert_false(endpoint_local_known(&peers[0]->endpoint));
	assert_int_equal(device.counters.value[DROP_MALFORMED], 1);
}

static void with_one_worker_all_is_done_at_once(void **state)
{
	struct before before = raise_all();

	all_was_done_once(&before, 2); /* of both places it was asked whether the source holds */
	assert_int_equal(peers[0]->mail.events, 0);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
}

static void with_several_control_does_it_and_once(void **state)
{
	struct before before = raise_all();

	nothing_was_done();
	assert_int_equal(mailbox_waiting(&device.mailbox), 1);
	spin(1);
	all_was_done_once(&before, 1); /* the peer had moved by then */
	spin(3);
	all_was_done_once(&before, 1);
	assert_int_equal(peers[0]->mail.events, 0);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
}

static void a_lost_source_is_forgotten_in_both_places(void **state)
{
	peer_post(peers[1], PEER_EVENT_LOCAL_LOST, NULL, 0);
	assert_true(endpoint_local_known(&peers[1]->endpoint));
	spin(1);
	assert_false(endpoint_local_known(&peers[1]->endpoint));
	assert_false(endpoint_local_known(&peers[1]->last_from));
	assert_true(endpoint_local_known(&peers[0]->endpoint));
}

/* The session was replaced before control got to it: the one that is next now was not heard. */
static void a_confirmation_that_comes_late_confirms_nothing(void **state)
{
	struct session *session = next_session(peers[0]);

	peer_post(peers[0], PEER_EVENT_CONFIRMED, NULL, 0);
	atomic_store(&session->confirmed, false);
	spin(1);
	assert_ptr_equal(peers[0]->sessions.next, session);
	assert_null(peers[0]->sessions.current);
	atomic_store(&session->confirmed, true);
	peer_post(peers[0], PEER_EVENT_CONFIRMED, NULL, 0);
	spin(1);
	assert_ptr_equal(peers[0]->sessions.current, session);
}

static void a_tun_that_went_is_told_on_controls_loop(void **state)
{
	mailbox_post_gone(&device.mailbox);
	assert_int_equal(seen.gone, 0);
	spin(1);
	assert_int_equal(seen.gone, 1);
	spin(1);
	assert_int_equal(seen.gone, 1);
}

/* --- the list of peers -------------------------------------------------------------- */

static void expect_sent(int count, const int order[])
{
	assert_int_equal(seen.letters, count);
	for (int i = 0; i < count; i++)
		assert_int_equal(seen.to[i], PORT + order[i]);
}

static void a_peer_stands_in_the_list_once_and_in_order(void **state)
{
	static const int raised[] = { 2, 0, 2, 1, 0, 0, 2, 3, 1 };

	for (size_t i = 0; i < sizeof raised / sizeof *raised; i++)
		peer_post(peers[raised[i]], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	spin(3);
	expect_sent(4, (const int[]) { 2, 0, 1, 3 });
	peer_post(peers[1], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	spin(1);
	expect_sent(5, (const int[]) { 2, 0, 1, 3, 1 });
}

static void what_comes_while_control_acts_is_acted_upon_too(void **state)
{
	seen.again = 3;
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	peer_post(peers[1], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	spin(5);
	assert_int_equal(seen.again, 0);
	assert_int_equal(seen.letters, 5);
	assert_int_equal(peers[0]->mail.events | peers[1]->mail.events, 0);
}

/* Workers that never cease do not keep control from the messages, nor from its other watchers. */
static void a_peer_noticed_without_end_does_not_hold_up_the_rest(void **state)
{
	struct endpoint from = place(1);

	seen.again = 2 * MAX_PER_WAKEUP;
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	assert_true(mailbox_post_message(&device.mailbox, (const uint8_t[32]) { 9 }, 32, &from, clock_boottime()));
	spin(1);
	assert_int_equal(seen.letters, MAX_PER_WAKEUP);
	assert_int_equal(device.counters.value[DROP_MALFORMED], 1);
	spin(3);
	assert_int_equal(seen.letters, 2 * MAX_PER_WAKEUP + 1);
	assert_int_equal(peers[0]->mail.events, 0);
}

/* First, between, last and alone. */
static void a_removed_peer_leaves_nothing_in_the_list(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 1, 2, 0 } };

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 3; k++)
			peer_post(peers[orders[i][k]], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
		remove_peer(peers[0]);
		peer_post(peers[3], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
		seen.letters = 0;
		spin(2);
		expect_sent(3, (const int[]) { 1, 2, 3 });
		peers[0] = add_peer(PORT);
	}
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	remove_peer(peers[0]);
	seen.letters = 0;
	spin(2);
	assert_int_equal(seen.letters, 0);
	peer_post(peers[1], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	spin(1);
	assert_int_equal(seen.letters, 1);
}

/* --- the ring of messages ----------------------------------------------------------- */

static bool message_from(in_port_t port, const void *message, size_t n)
{
	struct endpoint from = place(port);

	return mailbox_post_message(&device.mailbox, message, n, &from, clock_boottime());
}

static void fill_ring(void)
{
	for (uint32_t i = 0; i < MAILBOX_MESSAGES; i++)
		assert_true(message_from(1, (const uint8_t[32]) { 9 }, 32));
	assert_int_equal(mailbox_waiting(&device.mailbox), MAILBOX_MESSAGES);
}

static void a_full_ring_refuses_and_recovers(void **state)
{
	fill_ring();
	assert_false(message_from(1, (const uint8_t[32]) { 9 }, 32));
	for (int turn = 1; turn <= MAILBOX_MESSAGES / MAX_PER_WAKEUP; turn++) {
		spin(1);
		assert_int_equal(device.counters.value[DROP_MALFORMED], turn * MAX_PER_WAKEUP);
	}
	spin(2);
	assert_int_equal(device.counters.value[DROP_MALFORMED], MAILBOX_MESSAGES);
	assert_true(message_from(1, (const uint8_t[32]) { 9 }, 32));
	spin(1);
	assert_int_equal(device.counters.value[DROP_MALFORMED], MAILBOX_MESSAGES + 1);
}

static void a_message_longer_than_any_is_refused(void **state)
{
	static const uint8_t message[MAILBOX_MESSAGE + 1];

	assert_false(message_from(1, message, MAILBOX_MESSAGE + 1));
	assert_true(message_from(1, message, MAILBOX_MESSAGE));
	assert_int_equal(mailbox_waiting(&device.mailbox), 1);
}

static void a_full_ring_holds_up_no_move(void **state)
{
	struct endpoint to = place(77);

	fill_ring();
	hear_from(peers[0], &to);
	spin(1);
	assert_int_equal(port_of(peers[0]), 77);
}

/* One move waits at a time; where the peer went meanwhile its next packet tells. */
static void a_move_waits_once_and_beside_other_notices(void **state)
{
	struct endpoint first = place(77), second = place(78);

	hear_from(peers[0], &first);
	hear_from(peers[0], &second);
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	assert_int_equal(ntohs(peer_endpoint(peers[0])->to.v4.sin_port), 77); /* at once, for those who send */
	assert_int_equal(port_of(peers[0]), PORT);
	spin(1);
	assert_int_equal(port_of(peers[0]), 77);
	assert_int_equal(seen.letters, 1);
	assert_int_equal(seen.to[0], 77); /* what it is sent goes to its new place */
	hear_from(peers[0], &second);
	spin(1);
	assert_int_equal(port_of(peers[0]), 78);
}

static void a_removed_peer_leaves_no_move(void **state)
{
	struct endpoint to = place(77);

	hear_from(peers[0], &to);
	hear_from(peers[1], &to);
	assert_true(message_from(1, (const uint8_t[32]) { 9 }, 32));
	remove_peer(peers[0]);
	spin(1);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(port_of(peers[1]), 77);
	assert_int_equal(device.counters.value[DROP_MALFORMED], 1);
}

/* An initiation with a valid mac1 and nothing else. */
static void stamped(uint8_t message[MAILBOX_MESSAGE])
{
	struct cookie_jar jar = { 0 };

	memset(message, 0, MAILBOX_MESSAGE);
	message[0] = MESSAGE_INITIATION;
	cookie_stamp(&jar, device.identity.public_key, message, MAILBOX_MESSAGE, clock_boottime());
}

/* Under load each is answered by a cookie, to where it came from. */
static void messages_keep_their_order(void **state)
{
	uint8_t message[MAILBOX_MESSAGE];

	stamped(message);
	device.load_until = UINT64_MAX;
	for (int round = 0; round < 6; round++) { /* past the end of the ring */
		seen.letters = 0;
		for (int i = 0; i < 1000; i++)
			assert_true(message_from((in_port_t)(i + 1), message, sizeof message));
		spin(6);
		assert_int_equal(seen.letters, 1000);
		for (int i = 0; i < 1000; i++)
			assert_int_equal(seen.to[i], i + 1);
	}
}

static void control_is_under_load_from_an_eighth_of_the_ring_on(void **state)
{
	uint8_t message[MAILBOX_MESSAGE];

	stamped(message);
	for (int more = 0; more < 2; more++) {
		device.load_until = 0;
		device.load = (struct token_bucket) { 0 };
		device.counters.value[COUNT_UNDER_LOAD] = device.counters.value[DROP_HANDSHAKE] = 0;
		seen.letters = 0;
		assert_true(message_from(1, message, sizeof message));
		for (int i = 0; i < (MAILBOX_MESSAGES / 8) - 1 + more; i++) /* these wait behind the first */
			assert_true(message_from(1, (const uint8_t[32]) { 9 }, 32));
		spin(4);
		assert_int_equal(device.counters.value[COUNT_UNDER_LOAD], more);
		assert_int_equal(device.counters.value[DROP_HANDSHAKE], !more);
		assert_int_equal(seen.letters, more);
	}
}

/* --- threads ------------------------------------------------------------------------ */

struct player {
	pthread_t id;
	unsigned number;
	uint64_t taken; /* messages that found room */
};

static _Atomic int playing;

/* One wake-up of a worker that met the first peer: under the shared lock, as in workers.c. */
static void meet(struct player *player, int round)
{
	struct endpoint from = place((in_port_t)(PORT + 10 * player->number + (unsigned)round % 3));
	uint64_t now = clock_boottime();
	struct peer *peer;

	pthread_rwlock_rdlock(&device.lock);
	peer = peer_first(&device);
	for (int i = 0; peer && i < round % PEERS; i++)
		peer = peer_next(peer);
	if (peer) {
		timers_data_received(&device.timers, &peer->timers, now);
		timers_any_sent(&device.timers, &peer->timers, now);
		timers_data_sent(&device.timers, &peer->timers, now);
		peer_post(peer, PEER_EVENT_LOCAL_LOST, NULL, now);
		hear_from(peer, &from);
	}
	player->taken += mailbox_post_message(&device.mailbox, (const uint8_t[32]) { 9 }, 32, &from, now);
	pthread_rwlock_unlock(&device.lock);
}

static void *play(void *argument)
{
	for (int round = 0; round < ROUNDS; round++)
		meet(argument, round);
	atomic_fetch_sub(&playing, 1);
	return NULL;
}

static void no_deadline_was_lost(struct peer *peer)
{
	for (int kind = 0; kind < TIMERS; kind++) {
		const struct timer *timer = &peer->timers.timer[kind];
		if (timer->due)
			assert_in_range(timer->queued, 1, timer->due);
	}
}

static void two_threads_raise_while_control_acts_and_peers_go(void **state)
{
	struct player players[THREADS] = { { .number = 1 }, { .number = 2 } };
	uint64_t taken = 0;

	atomic_store(&playing, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&players[i].id, NULL, play, &players[i]), 0);
	for (int turn = 0; atomic_load(&playing); turn++) {
		spin(1);
		timers_expire(&device.timers, clock_boottime());
		if (turn % 8)
			continue;
		device_lock(&device);
		peer_remove(peer_first(&device));
		add_peer(PORT); /* the threads walk the list of peers, which workers do not */
		device_unlock(&device);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(players[i].id, NULL);
		taken += players[i].taken;
	}
	spin(MAILBOX_MESSAGES * 2 / MAX_PER_WAKEUP + 2);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(device.counters.value[DROP_MALFORMED], taken);
	list_for_each (peer, &device.peers, struct peer, node) {
		assert_int_equal(peer->mail.events, 0);
		no_deadline_was_lost(peer);
	}
}

#define DIRECT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_list, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(with_one_worker_all_is_done_at_once),
		TEST(with_several_control_does_it_and_once),
		TEST(a_lost_source_is_forgotten_in_both_places),
		TEST(a_confirmation_that_comes_late_confirms_nothing),
		TEST(a_tun_that_went_is_told_on_controls_loop),
		TEST(a_peer_stands_in_the_list_once_and_in_order),
		TEST(what_comes_while_control_acts_is_acted_upon_too),
		TEST(a_peer_noticed_without_end_does_not_hold_up_the_rest),
		TEST(a_removed_peer_leaves_nothing_in_the_list),
		TEST(a_full_ring_refuses_and_recovers),
		TEST(a_message_longer_than_any_is_refused),
		TEST(a_full_ring_holds_up_no_move),
		TEST(a_move_waits_once_and_beside_other_notices),
		TEST(a_removed_peer_leaves_no_move),
		TEST(messages_keep_their_order),
		TEST(control_is_under_load_from_an_eighth_of_the_ring_on),
		TEST(two_threads_raise_while_control_acts_and_peers_go),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
