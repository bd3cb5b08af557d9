/* SPDX-License-Identifier: MIT */
/*
 * Many senders and one hub, on a clock of the test: who gets a session and when, and what a flood costs the hub. The
 * senders retry as WireGuard does. Messages take no time, and each is handled when it arrives.
 */
#include "tunnel/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum { SENDERS_MAX = 3000, PORT = 1024, COOKIES_PER_SECOND = 10000 };

struct sender {
	struct noise_identity identity;
	struct noise_remote hub;
	struct cookie_jar jar;
	uint64_t next; /* attempt; 0: it has a session */
};

static struct device hub;
static struct sender senders[SENDERS_MAX];
static uint32_t address; /* of all senders: they are behind one NAT */
static uint64_t now, last_session;

static uint64_t realtime(void)
{
	return 1700000000 * NS_PER_S + now;
}

/* The hub's answer reaches the sender whose port it is. */
static int deliver(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				   uint8_t traffic_class)
{
	struct sender *sender = &senders[ntohs(to->to.v4.sin_port) - PORT];

	if (ntohl(to->to.v4.sin_addr.s_addr) != address)
		return 0;
	if (n == sizeof(struct message_cookie)) {
		cookie_consume(&sender->jar, hub.identity.public_key, message, now);
	} else if (n == sizeof(struct message_response) &&
			   !noise_consume_response(&sender->identity, &sender->hub, message)) {
		sender->next = 0;
		last_session = now;
	}
	return 0;
}

static void peer_gone(void *context, struct peer *peer)
{
}

static const struct device_ops ops = { .send = deliver, .peer_gone = peer_gone };

static int set_up(void **state)
{
	uint8_t key[NOISE_KEY];

	now = last_session = 1000 * NS_PER_S;
	address = 0xc0000201;
	assert_int_equal(control_init(&hub, "hub", &aead_libsodium, NULL), 0);
	hub.realtime = realtime;
	hub.ops = &ops;
	hub.up = true;
	randombytes_buf(key, sizeof key);
	control_set_private_key(&hub, key);
	return 0;
}

static int tear_down(void **state)
{
	control_destroy(&hub, NULL);
	return 0;
}

static void add_senders(int count)
{
	uint8_t key[NOISE_KEY];

	memset(senders, 0, sizeof senders);
	for (int i = 0; i < count; i++) {
		randombytes_buf(key, sizeof key);
		noise_identity_set(&senders[i].identity, key);
		noise_remote_init(&senders[i].hub, hub.identity.public_key);
		assert_non_null(peer_add(&hub, senders[i].identity.public_key));
		senders[i].next = now;
	}
}

static void post(const void *message, size_t n, uint32_t from, uint16_t port)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4 =
		(struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(from) };
	admission_post(&hub, &hub.counters, message, n, &endpoint, now);
}

static void initiate(struct sender *sender)
{
	uint16_t number = (uint16_t)(sender - senders);
	struct message_initiation message;
	uint8_t stamp[NOISE_TIMESTAMP];

	noise_timestamp(stamp, realtime());
	assert_int_equal(noise_create_initiation(&sender->identity, &sender->hub, number + 1, stamp, &message), 0);
	cookie_stamp(&sender->jar, hub.identity.public_key, (uint8_t *)&message, sizeof message, now);
	sender->next = now + REKEY_TIMEOUT + randombytes_uniform(REKEY_TIMEOUT_JITTER);
	post(&message, sizeof message, address, (uint16_t)(PORT + number));
}

/* Makes an initiation or a response with a valid mac1 that nobody sent. */
static void flood_message(uint8_t *message, size_t n, uint8_t type)
{
	struct cookie_jar jar = { 0 };

	randombytes_buf(message, n);
	put_le32(message, type);
	cookie_stamp(&jar, hub.identity.public_key, message, n, now);
}

/* Returns the seconds until the last of `count` senders, which all start at once, has a session. */
static double seconds_until_all_have_sessions(int count)
{
	uint64_t begin = now;
	int left = count;

	add_senders(count);
	for (; left && now < begin + REKEY_ATTEMPT_TIME; now += NS_PER_MS) {
		left = 0;
		for (int i = 0; i < count; i++) {
			if (senders[i].next && senders[i].next <= now)
				initiate(&senders[i]);
			left += senders[i].next != 0;
		}
	}
	return (double)(last_session - begin) / NS_PER_S + (left ? 1000 : 0);
}

static void a_thousand_peers_behind_one_address_have_sessions_at_once(void **state)
{
	assert_true(seconds_until_all_have_sessions(1000) < 1);
	assert_int_equal(hub.counters.value[COUNT_UNDER_LOAD], 0);
}

static void more_peers_behind_one_address_need_another_attempt(void **state)
{
	assert_true(seconds_until_all_have_sessions(2000) < 6);
	tear_down(state);
	set_up(state);
	assert_true(seconds_until_all_have_sessions(3000) < 11);
}

/* The limits that stay: of one address under load, and of all addresses together. */
static void one_address_gets_20_handshakes_a_second_under_load(void **state)
{
	uint64_t begin = now;

	add_senders(1);
	hub.load_until = UINT64_MAX;
	initiate(senders); /* is answered by a cookie */
	for (; now < begin + 10 * NS_PER_S; now += NS_PER_MS)
		initiate(senders);
	assert_uint_in_range(hub.counters.value[COUNT_HANDSHAKE_DONE], 10 * 20, 10 * 20 + 5);
	assert_int_equal(hub.counters.value[COUNT_COOKIE_SENT], 1);
}

/* Floods the hub for a second from an address that changes each time. */
static void flood_a_second(const void *message, size_t n, uint32_t rate)
{
	for (uint32_t i = 0; i < rate; i++, now += NS_PER_S / rate)
		post(message, n, 0x0a000000 + i, PORT);
}

static void a_flood_gets_a_bounded_number_of_cookies_and_handshakes(void **state)
{
	static const struct {
		size_t n;
		uint8_t type;
	} floods[] = { { sizeof(struct message_initiation), MESSAGE_INITIATION },
				   { sizeof(struct message_response), MESSAGE_RESPONSE } };
	uint8_t message[sizeof(struct message_initiation)];

	for (size_t i = 0; i < 2; i++) {
		struct peer_index *index;
		struct peer *peer;

		set_up(state);
		add_senders(1);
		peer = peer_first(&hub);
		index = peer_index_create(peer); /* an initiation of ours is under way */
		device_lock(&hub);
		peer_set_handshake_index(peer, index);
		device_unlock(&hub);
		flood_message(message, floods[i].n, floods[i].type);
		if (floods[i].type == MESSAGE_RESPONSE) {
			struct cookie_jar jar = { 0 };

			put_le32(message + offsetof(struct message_response, receiver), index->index);
			cookie_stamp(&jar, hub.identity.public_key, message, floods[i].n, now);
		}
		flood_a_second(message, floods[i].n, 100000);
		assert_uint_in_range(hub.counters.value[COUNT_COOKIE_SENT], COOKIES_PER_SECOND - 100, COOKIES_PER_SECOND + 100);
		assert_uint_in_range(hub.counters.value[DROP_HANDSHAKE], 1024, 1024 + 20); /* these cost curve operations */
		assert_int_equal(hub.counters.value[COUNT_UNDER_LOAD] + hub.counters.value[DROP_HANDSHAKE], 100000);
		tear_down(state);
	}
}

/* Messages that were admitted before a flood are handled, however long they have waited. */
static void load_does_not_refuse_those_that_came_before_it(void **state)
{
	uint8_t message[sizeof(struct message_initiation)];
	struct ev_loop *loop = ev_loop_new(0);

	assert_int_equal(mailbox_start(&hub.mailbox, loop, true), 0);
	add_senders(500);
	for (int i = 0; i < 500; i++)
		initiate(&senders[i]);
	flood_message(message, sizeof message, MESSAGE_INITIATION);
	flood_a_second(message, sizeof message, 10000);
	assert_true(hub.load_until > now);
	for (int i = 0; i < 600; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(hub.counters.value[COUNT_HANDSHAKE_DONE], 500);
	mailbox_stop(&hub.mailbox);
	ev_loop_destroy(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thousand_peers_behind_one_address_have_sessions_at_once),
		TEST(more_peers_behind_one_address_need_another_attempt),
		TEST(one_address_gets_20_handshakes_a_second_under_load),
		cmocka_unit_test(a_flood_gets_a_bounded_number_of_cookies_and_handshakes),
		TEST(load_does_not_refuse_those_that_came_before_it),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
