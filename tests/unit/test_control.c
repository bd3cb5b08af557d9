/* SPDX-License-Identifier: MIT */
/*
 * Control and the mailbox: in direct mode what workers post is handled at once, in queued mode by control's loop.
 * Control is this thread. The tests post as workers would; the last one has two threads that do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>

#include "base/clock.h"
#include "locked_calls.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum {
	PEERS = 4,
	PEERS_PER_WAKEUP = 256,
	MESSAGES_PER_WAKEUP = 64,
	PORT = 1000,
	LETTERS = MAILBOX_MESSAGES,
	THREADS = 2,
	ROUNDS = 3000,
};

static struct device device;
static struct peer *peers[PEERS];
static struct ev_loop *loop;
static struct {
	int gone, asked; /* calls of device.gone and device.local_usable */
	int again;       /* how many more times a handshake is requested while one is being sent */
	int letters;
	in_port_t to[LETTERS]; /* the destination port of each message, in the order sent */
} seen;

static int post(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class)
{
	assert_true(seen.letters < LETTERS);
	seen.to[seen.letters++] = ntohs(to->to.v4.sin_port);
	if (peer)
		peer->handshake_gate = 0; /* allow another initiation at once */
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

static bool local_usable(void *sources, struct endpoint *from)
{
	seen.asked++;
	return false;
}

static int bind_nothing(void *context, uint16_t *port, uint32_t mark)
{
	return 0;
}

static void unbind_nothing(void *context)
{
}

static const struct device_ops ops = {
	.send = post,
	.bind = bind_nothing,
	.unbind = unbind_nothing,
	.peer_gone = peer_gone,
};

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
	return mailbox_start(&device.mailbox, loop, true);
}

static int set_up_one_worker(void **state)
{
	return set_up(state) ? -1 : mailbox_start(&device.mailbox, loop, false);
}

static int tear_down(void **state)
{
	mailbox_stop(&device.mailbox);
	control_destroy(&device, NULL);
	ev_loop_destroy(loop);
	return 0;
}

static void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

/* Makes a next session under which a packet was opened. */
static struct session *next_session(struct peer *peer)
{
	struct noise_keys keys = { .suite = SUITE_CHACHA20POLY1305 };

	peer->sessions.next = session_create(device.aead, &keys, clock_boottime());
	assert_non_null(peer->sessions.next);
	atomic_store(&peer->sessions.next->confirmed, true);
	return peer->sessions.next;
}

/* --- each kind of event ----- */

struct before {
	struct session *session;
	in_port_t from;
};

/* Does what ingress does when an authentic packet comes from another endpoint. */
static void move_peer(struct peer *peer, const struct endpoint *from)
{
	if (!endpoint_equal(peer_last_from(peer), from) && peer_move(peer, from))
		peer_post(peer, PEER_EVENT_MOVED, NULL, clock_boottime());
}

/* Posts every event of the first peer, and one message. */
static struct before post_all(void)
{
	struct before before = { next_session(peers[0]), PORT + 100 };
	struct endpoint from = place(before.from);
	uint64_t now = clock_boottime();

	peers[0]->local_unverified = true;
	timers_data_sent(&device.timers, &peers[0]->timers, now); /* posts PEER_EVENT_TIMER */
	peer_post(peers[0], PEER_EVENT_CONFIRMED, NULL, now);
	peer_post(peers[0], PEER_EVENT_LOCAL_UNVERIFIED, NULL, now);
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, now);
	move_peer(peers[0], &from);
	assert_true(mailbox_post_message(&device.mailbox, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32, &from, now));
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

static void everything_was_done_once(const struct before *before, int asked)
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

static void in_direct_mode_everything_is_done_at_once(void **state)
{
	struct before before = post_all();

	everything_was_done_once(&before, 2); /* the local address was verified at both endpoints */
	assert_int_equal(peers[0]->mail.events, 0);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
}

static void in_queued_mode_control_does_everything_once(void **state)
{
	struct before before = post_all();

	nothing_was_done();
	assert_int_equal(mailbox_waiting(&device.mailbox), 1);
	spin(1);
	everything_was_done_once(&before, 1); /* by then the peer had moved */
	spin(3);
	everything_was_done_once(&before, 1);
	assert_int_equal(peers[0]->mail.events, 0);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
}

static void a_lost_local_address_is_cleared_in_both_endpoints(void **state)
{
	peer_post(peers[1], PEER_EVENT_LOCAL_LOST, NULL, 0);
	assert_true(endpoint_local_known(&peers[1]->endpoint));
	spin(1);
	assert_false(endpoint_local_known(&peers[1]->endpoint));
	assert_false(endpoint_local_known(&peers[1]->last_from));
	assert_true(endpoint_local_known(&peers[0]->endpoint));
}

/* The session was replaced before control handled the event: no packet was opened under the present next session. */
static void a_late_confirmation_confirms_nothing(void **state)
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

static void a_deleted_tun_is_reported_on_controls_loop(void **state)
{
	mailbox_post_gone(&device.mailbox);
	assert_int_equal(seen.gone, 0);
	spin(1);
	assert_int_equal(seen.gone, 1);
	spin(1);
	assert_int_equal(seen.gone, 1);
}

/* --- the list of peers ----- */

static void expect_sent(int count, const int order[])
{
	assert_int_equal(seen.letters, count);
	for (int i = 0; i < count; i++)
		assert_int_equal(seen.to[i], PORT + order[i]);
}

static void a_peer_is_in_the_list_once_and_in_order(void **state)
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

static void events_posted_while_control_handles_others_are_handled_too(void **state)
{
	seen.again = 3;
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	peer_post(peers[1], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	spin(5);
	assert_int_equal(seen.again, 0);
	assert_int_equal(seen.letters, 5);
	assert_int_equal(peers[0]->mail.events | peers[1]->mail.events, 0);
}

/* Workers that keep posting do not keep control from messages, nor from its other watchers. */
static void a_peer_with_endless_events_does_not_hold_up_the_rest(void **state)
{
	struct endpoint from = place(1);

	seen.again = 2 * PEERS_PER_WAKEUP;
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	assert_true(
		mailbox_post_message(&device.mailbox, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32, &from, clock_boottime()));
	spin(1);
	assert_int_equal(seen.letters, PEERS_PER_WAKEUP);
	assert_int_equal(device.counters.value[DROP_MALFORMED], 1);
	spin(3);
	assert_int_equal(seen.letters, 2 * PEERS_PER_WAKEUP + 1);
	assert_int_equal(peers[0]->mail.events, 0);
}

/* The removed peer is the first, a middle, the last and the only one. */
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

/* --- the ring of messages ----- */

static bool message_from(in_port_t port, enum admission tag, const void *message, size_t n)
{
	struct endpoint from = place(port);

	return mailbox_post_message(&device.mailbox, tag, message, n, &from, clock_boottime());
}

static void fill_ring(void)
{
	for (uint32_t i = 0; i < MAILBOX_MESSAGES; i++)
		assert_true(message_from(1, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32));
	assert_int_equal(mailbox_waiting(&device.mailbox), MAILBOX_MESSAGES);
}

static void a_full_ring_drops_messages_and_recovers(void **state)
{
	fill_ring();
	assert_false(message_from(1, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32));
	for (int turn = 1; turn <= MAILBOX_MESSAGES / MESSAGES_PER_WAKEUP; turn++) {
		spin(1);
		assert_int_equal(device.counters.value[DROP_MALFORMED], turn * MESSAGES_PER_WAKEUP);
	}
	spin(2);
	assert_int_equal(device.counters.value[DROP_MALFORMED], MAILBOX_MESSAGES);
	assert_true(message_from(1, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32));
	spin(1);
	assert_int_equal(device.counters.value[DROP_MALFORMED], MAILBOX_MESSAGES + 1);
}

static void a_message_that_is_too_long_is_dropped(void **state)
{
	static const uint8_t message[MAILBOX_MESSAGE + 1];

	assert_false(message_from(1, ADMISSION_FREE, message, MAILBOX_MESSAGE + 1));
	assert_true(message_from(1, ADMISSION_FREE, message, MAILBOX_MESSAGE));
	assert_int_equal(mailbox_waiting(&device.mailbox), 1);
}

static void a_full_ring_does_not_hold_up_a_move(void **state)
{
	struct endpoint to = place(77);

	fill_ring();
	move_peer(peers[0], &to);
	spin(1);
	assert_int_equal(port_of(peers[0]), 77);
}

/* Only one move waits at a time. The next packet reports the endpoint that the peer has by then. */
static void one_move_waits_together_with_other_events(void **state)
{
	struct endpoint first = place(77), second = place(78);

	move_peer(peers[0], &first);
	move_peer(peers[0], &second);
	peer_post(peers[0], PEER_EVENT_HANDSHAKE, NULL, clock_boottime());
	assert_int_equal(ntohs(peer_endpoint(peers[0])->to.v4.sin_port), 77); /* workers send there at once */
	assert_int_equal(port_of(peers[0]), PORT);
	spin(1);
	assert_int_equal(port_of(peers[0]), 77);
	assert_int_equal(seen.letters, 1);
	assert_int_equal(seen.to[0], 77); /* the initiation goes to the new endpoint */
	move_peer(peers[0], &second);
	spin(1);
	assert_int_equal(port_of(peers[0]), 78);
}

static void a_removed_peer_leaves_no_move(void **state)
{
	struct endpoint to = place(77);

	move_peer(peers[0], &to);
	move_peer(peers[1], &to);
	assert_true(message_from(1, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32));
	remove_peer(peers[0]);
	spin(1);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(port_of(peers[1]), 77);
	assert_int_equal(device.counters.value[DROP_MALFORMED], 1);
}

/* Makes an initiation of zeros with a valid mac1. */
static void stamped(uint8_t message[MAILBOX_MESSAGE])
{
	struct cookie_jar jar = { 0 };

	memset(message, 0, MAILBOX_MESSAGE);
	message[0] = MESSAGE_INITIATION;
	cookie_stamp(&jar, device.identity.public_key, message, MAILBOX_MESSAGE, clock_boottime());
}

/* Each is answered by a cookie reply to its sender. */
static void messages_keep_their_order(void **state)
{
	uint8_t message[MAILBOX_MESSAGE];

	stamped(message);
	for (int round = 0; round < 6; round++) { /* wraps around the ring */
		seen.letters = 0;
		for (int i = 0; i < 1000; i++)
			assert_true(message_from((in_port_t)(i + 1), ADMISSION_COOKIE, message, sizeof message));
		spin(1000 / MESSAGES_PER_WAKEUP + 1);
		assert_int_equal(seen.letters, 1000);
		for (int i = 0; i < 1000; i++)
			assert_int_equal(seen.to[i], i + 1);
	}
}

/* Does what ingress does with a message. */
static void receive(in_port_t port, const void *message, size_t n)
{
	struct endpoint from = place(port);

	admission_post(&device, &device.counters, message, n, &from, clock_boottime());
}

static void a_half_full_ring_is_load(void **state)
{
	uint8_t message[MAILBOX_MESSAGE];

	stamped(message);
	for (int more = 0; more < 2; more++) {
		mailbox_drop_messages(&device.mailbox);
		device.load_until = 0;
		for (int i = 0; i < MAILBOX_MESSAGES / 2 - 1 + more; i++)
			assert_true(message_from(1, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32));
		receive(1, message, sizeof message);
		assert_int_equal(device.load_until != 0, more);
	}
}

/* Junk of every type and length, with a wrong mac1, and for indices that are not ours or expect no such message. */
static void junk_takes_no_place_in_the_ring_and_is_no_load(void **state)
{
	uint8_t message[2000] = { 0 };
	uint64_t dropped = 0;

	for (unsigned type = 0; type < 256; type++) {
		for (size_t n = 0; n < 400; n++) {
			message[0] = (uint8_t)type;
			receive(1, message, n);
			message[2] = (uint8_t)type; /* in the reserved bytes */
			receive(1, message, n);
			message[2] = 0;
		}
	}
	message[0] = MESSAGE_INITIATION;
	receive(1, message, sizeof message);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(device.load.full_at, 0);
	assert_int_equal(device.load_until, 0);
	for (int i = 0; i < COUNTERS; i++)
		dropped += device.counters.value[i];
	assert_int_equal(dropped, 256 * 400 * 2 + 1);
	assert_int_equal(device.counters.value[DROP_MAC], 2);
	assert_int_equal(device.counters.value[DROP_HANDSHAKE], 1); /* a cookie reply */
	assert_int_equal(device.counters.value[DROP_HANDSHAKE_QUEUE], 0);
}

/* A live session is no handshake under way: a response to its index is dropped where it arrives. */
static void responses_and_cookies_need_a_handshake_under_way(void **state)
{
	struct message_response response = { .type = { MESSAGE_RESPONSE } };
	struct message_cookie cookie = { .type = { MESSAGE_COOKIE } };
	struct cookie_jar jar = { 0 };
	struct session *session;
	uint32_t index;

	device_lock(&device);
	peer_set_handshake_index(peers[0], peer_index_create(peers[0]));
	index = peers[0]->handshake_index->index;
	device_unlock(&device);
	memcpy(cookie.receiver, &index, sizeof index);
	memcpy(response.receiver, &index, sizeof index);
	cookie_stamp(&jar, device.identity.public_key, (uint8_t *)&response, sizeof response, clock_boottime());
	receive(1, &response, sizeof response);
	receive(1, &cookie, sizeof cookie);
	assert_int_equal(mailbox_drop_messages(&device.mailbox), 2);
	device_lock(&device);
	session = next_session(peers[0]);
	peers[0]->sessions.next = NULL;
	peer_install_session(peers[0], session); /* our response, which may be answered by a cookie */
	device_unlock(&device);
	receive(1, &response, sizeof response);
	receive(1, &cookie, sizeof cookie);
	assert_int_equal(mailbox_drop_messages(&device.mailbox), 1);
	device_lock(&device);
	peer_confirm_next(peers[0], clock_boottime());
	device_unlock(&device);
	receive(1, &response, sizeof response);
	receive(1, &cookie, sizeof cookie);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(device.counters.value[DROP_HANDSHAKE], 3);
}

static void link_down_and_a_new_key_drop_the_messages_that_wait(void **state)
{
	uint8_t message[MAILBOX_MESSAGE], key[NOISE_KEY] = { 7 };

	stamped(message);
	for (int i = 0; i < 100; i++)
		receive(1, message, sizeof message);
	assert_int_equal(mailbox_waiting(&device.mailbox), 100);
	control_set_up(&device, false, clock_boottime());
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(device.counters.value[DROP_HANDSHAKE_QUEUE], 100);
	control_set_up(&device, true, clock_boottime());
	receive(1, message, sizeof message);
	control_set_private_key(&device, key);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	receive(1, message, sizeof message);
	assert_int_equal(device.counters.value[DROP_MAC], 1); /* it is for the old key */
	spin(3);
	assert_int_equal(seen.letters, 0);
}

/* --- threads ----- */

struct player {
	pthread_t id;
	unsigned number;
	uint64_t taken; /* messages that the ring took */
};

static _Atomic int playing;

/* One wake-up of a worker that has traffic of a peer, with the lock held shared as in worker.c. */
static void wake_up(struct player *player, int round)
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
		move_peer(peer, &from);
	}
	player->taken += mailbox_post_message(&device.mailbox, ADMISSION_FREE, (const uint8_t[32]) { 9 }, 32, &from, now);
	pthread_rwlock_unlock(&device.lock);
}

static void *play(void *argument)
{
	for (int round = 0; round < ROUNDS; round++)
		wake_up(argument, round);
	atomic_fetch_sub(&playing, 1);
	return NULL;
}

static void no_deadline_was_lost(struct peer *peer)
{
	for (int kind = 0; kind < TIMERS; kind++) {
		const struct timer *timer = &peer->timers.timer[kind];
		if (timer->due)
			assert_uint_in_range(timer->queued, 1, timer->due);
	}
}

static void two_threads_post_while_control_handles_events_and_removes_peers(void **state)
{
	struct player players[THREADS] = { { .number = 1 }, { .number = 2 } };
	uint64_t taken = 0;

	atomic_store(&playing, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&players[i].id, NULL, play, &players[i]), 0);
	for (int turn = 0; atomic_load(&playing); turn++) {
		spin(1);
		timers_expire(&device.timers, clock_boottime(), UINT_MAX);
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
	spin(MAILBOX_MESSAGES * 2 / MESSAGES_PER_WAKEUP + 2);
	assert_int_equal(mailbox_waiting(&device.mailbox), 0);
	assert_int_equal(device.counters.value[DROP_MALFORMED], taken);
	list_for_each (peer, &device.peers, struct peer, node) {
		assert_int_equal(peer->mail.events, 0);
		no_deadline_was_lost(peer);
	}
}

#define ONE_WORKER(name) cmocka_unit_test_setup_teardown(name, set_up_one_worker, tear_down)
#define DIRECT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_list, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(in_direct_mode_everything_is_done_at_once),
		TEST(in_queued_mode_control_does_everything_once),
		TEST(a_lost_local_address_is_cleared_in_both_endpoints),
		TEST(a_late_confirmation_confirms_nothing),
		TEST(a_deleted_tun_is_reported_on_controls_loop),
		TEST(a_peer_is_in_the_list_once_and_in_order),
		TEST(events_posted_while_control_handles_others_are_handled_too),
		TEST(a_peer_with_endless_events_does_not_hold_up_the_rest),
		TEST(a_removed_peer_leaves_nothing_in_the_list),
		TEST(a_full_ring_drops_messages_and_recovers),
		TEST(a_message_that_is_too_long_is_dropped),
		TEST(a_full_ring_does_not_hold_up_a_move),
		TEST(one_move_waits_together_with_other_events),
		TEST(a_removed_peer_leaves_no_move),
		TEST(messages_keep_their_order),
		TEST(a_half_full_ring_is_load),
		TEST(junk_takes_no_place_in_the_ring_and_is_no_load),
		ONE_WORKER(junk_takes_no_place_in_the_ring_and_is_no_load),
		TEST(responses_and_cookies_need_a_handshake_under_way),
		ONE_WORKER(responses_and_cookies_need_a_handshake_under_way),
		TEST(link_down_and_a_new_key_drop_the_messages_that_wait),
		ONE_WORKER(link_down_and_a_new_key_drop_the_messages_that_wait),
		TEST(two_threads_post_while_control_handles_events_and_removes_peers),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
