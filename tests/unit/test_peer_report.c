/* SPDX-License-Identifier: MIT */
/* The events of peers: two devices exchange messages through an array, on a clock of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "locked_calls.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"

enum { MESSAGES = 64, SEEN = 4096 };

struct letter {
	uint8_t bytes[256];
	size_t n;
};

struct end {
	struct device device;
	struct peer *peer;
	struct endpoint address;
	struct letter sent[MESSAGES];
	int count, read, send_error;
};

static struct end left, right;
static uint64_t now;
static char seen[SEEN];
static struct event_consumer consumer;

static uint64_t realtime(void)
{
	return 1700000000 * NS_PER_S + now;
}

static int post(void *context, struct peer *peer, const struct endpoint *to, const void *message, size_t n,
				uint8_t traffic_class)
{
	struct end *end = context;

	if (end->send_error)
		return end->send_error;
	assert_true(end->count < MESSAGES && n <= sizeof end->sent->bytes);
	end->sent[end->count].n = n;
	memcpy(end->sent[end->count++].bytes, message, n);
	return 0;
}

static void peer_gone(void *context, struct peer *peer)
{
}

static int bind_nothing(void *context, uint16_t *port, uint32_t mark)
{
	return 0;
}

static void unbind_nothing(void *context)
{
}

static const struct device_ops ops = {
	.send = post, .bind = bind_nothing, .unbind = unbind_nothing, .peer_gone = peer_gone
};

static struct endpoint address(uint8_t host)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4.sin_family = AF_INET;
	endpoint.to.v4.sin_port = htons(51820);
	endpoint.to.v4.sin_addr.s_addr = htonl(0xc0000200u + host);
	return endpoint;
}

/* Writes the event and its fields as a line of `seen`. */
static void note(void *context, const struct event *event)
{
	const char *const fields[] = { event->from, event->to, event->origin, event->role, event->endpoint, event->reason };
	size_t length = strlen(seen);

	assert_string_equal(event->interface, "left");
	length += (size_t)snprintf(seen + length, SEEN - length, "%s", event_name(event->kind));
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i])
			length += (size_t)snprintf(seen + length, SEEN - length, " %s", fields[i]);
	snprintf(seen + length, SEEN - length, "\n");
	if (event->public_key)
		assert_memory_equal(event->public_key, left.peer->remote.public_key, NOISE_KEY);
}

static void expect(const char *events)
{
	assert_string_equal(seen, events);
	seen[0] = '\0';
}

static void end_init(struct end *end, const char *name, uint8_t host)
{
	uint8_t key[NOISE_KEY];

	memset(end, 0, sizeof *end);
	assert_int_equal(control_init(&end->device, name, &aead_libsodium, NULL), 0);
	end->device.realtime = realtime;
	end->device.ops = &ops;
	end->device.ops_context = end;
	end->device.up = true;
	end->address = address(host);
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
}

static void add_peer(struct end *end, const struct end *other)
{
	end->peer = peer_add(&end->device, other->device.identity.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint = end->peer->last_from = other->address;
}

static int set_up(void **state)
{
	now = 1000 * NS_PER_S;
	seen[0] = '\0';
	end_init(&left, "left", 1);
	end_init(&right, "right", 2);
	add_peer(&left, &right);
	add_peer(&right, &left);
	consumer = (struct event_consumer) { .handle = note };
	event_subscribe(&left.device.events, &consumer);
	return 0;
}

static int tear_down(void **state)
{
	event_unsubscribe(&consumer);
	control_destroy(&left.device, NULL);
	control_destroy(&right.device, NULL);
	return 0;
}

static void hand_over(struct end *to, const struct letter *letter, const struct endpoint *from)
{
	uint8_t copy[sizeof letter->bytes];

	memcpy(copy, letter->bytes, sizeof copy);
	admission_post(&to->device, &to->device.counters, copy, letter->n, from, now);
}

/* Delivers the handshake messages of both ends. */
static void carry(void)
{
	struct end *const ends[] = { &left, &right, &left };

	for (int i = 0; i < 3; i++)
		for (; ends[i]->read < ends[i]->count; ends[i]->read++)
			if (get_le32(ends[i]->sent[ends[i]->read].bytes) != MESSAGE_DATA)
				hand_over(ends[(i + 1) % 2], &ends[i]->sent[ends[i]->read], &ends[i]->address);
}

static void drop(void)
{
	left.read = left.count;
	right.read = right.count;
}

#define UP "handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\npeer-up 192.0.2.2:51820\n"

static void shake_hands(void)
{
	now += 6 * NS_PER_S;
	handshake_initiate(left.peer, now, false);
	carry();
	expect(UP);
}

/* Lets the time pass in small steps. Nobody answers. */
static void pass(unsigned seconds)
{
	for (unsigned steps = 10 * seconds; steps; steps--) {
		now += NS_PER_S / 10;
		timers_expire(&left.device.timers, now, UINT_MAX);
		drop();
	}
}

static void a_renewal_is_a_handshake_but_the_peer_is_not_up_again(void **state)
{
	shake_hands();
	now += 121 * NS_PER_S;
	handshake_initiate(left.peer, now, false);
	carry();
	expect("handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\n");
}

static void a_peer_that_does_not_answer_data_goes_down(void **state)
{
	shake_hands();
	timers_data_sent(&left.device.timers, &left.peer->timers, now);
	pass(14);
	expect("");
	pass(2);
	expect("handshake-begun 192.0.2.2:51820\npeer-down 192.0.2.2:51820 it does not answer\n");
	pass(100); /* it is given up */
	expect("");
	assert_int_equal(left.peer->state.condition, PEER_SILENT);
	shake_hands();
}

static void a_first_handshake_without_an_answer_is_not_down(void **state)
{
	handshake_initiate(left.peer, now, false);
	expect("handshake-begun 192.0.2.2:51820\n");
	pass(10);
	assert_int_equal(left.peer->state.condition, PEER_WAITING);
	pass(7);
	assert_int_equal(left.peer->state.condition, PEER_SILENT);
	expect("");
}

static void an_idle_peer_whose_keys_are_wiped_by_age_is_not_down(void **state)
{
	shake_hands();
	pass(541);
	assert_null(left.peer->sessions.current);
	expect("");
	assert_int_equal(left.peer->state.condition, PEER_IDLE);
	assert_int_equal(left.peer->state.since, now - 361 * NS_PER_S);
	handshake_initiate(left.peer, now, false);
	carry();
	expect("handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\n");
}

static void the_link_takes_all_peers_down(void **state)
{
	shake_hands();
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	expect("link-down\npeer-down 192.0.2.2:51820 the link is down\n");
	assert_int_equal(left.peer->state.condition, PEER_UNREACHABLE);
	assert_int_equal(control_set_up(&left.device, true, now), 0);
	expect("link-up\n");
	assert_int_equal(left.peer->state.condition, PEER_IDLE);
	shake_hands();
}

static void a_restart_takes_no_peer_down(void **state)
{
	shake_hands();
	left.device.leaving = true;
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	expect("");
	assert_true(left.peer->state.announced);
}

static void a_removed_peer_is_down(void **state)
{
	shake_hands();
	remove_peer(left.peer);
	expect("peer-down 192.0.2.2:51820 removed\n");
}

static void a_new_private_key_takes_all_peers_down(void **state)
{
	uint8_t key[NOISE_KEY] = { 1 };

	shake_hands();
	control_set_private_key(&left.device, key);
	expect("peer-down 192.0.2.2:51820 the private key was changed\n");
}

static void a_send_error_is_reported_once_and_so_is_its_end(void **state)
{
	shake_hands();
	left.send_error = -ENETUNREACH;
	handshake_keepalive(left.peer, now);
	handshake_keepalive(left.peer, now);
	expect("peer-down 192.0.2.2:51820 this host has no route there\n");
	left.send_error = 0;
	handshake_keepalive(left.peer, now);
	expect("peer-up 192.0.2.2:51820\n");
}

/* The session has expired, so that the error is not overruled by one. */
static void an_icmp_error_takes_a_peer_down_that_does_not_answer(void **state)
{
	struct udp_error error = { .error = ECONNREFUSED, .reporter = { 192, 0, 2, 9 }, .reporter_length = 4 };

	shake_hands();
	error.to = left.peer->endpoint;
	peer_report_unreachable(&left.device, &error, now);
	assert_int_equal(left.peer->state.condition, PEER_UP);
	expect("");
	pass(541);
	handshake_initiate(left.peer, now, false);
	peer_report_unreachable(&left.device, &error, now);
	assert_int_equal(left.peer->state.condition, PEER_UNREACHABLE);
	expect("handshake-begun 192.0.2.2:51820\n"
		   "peer-down 192.0.2.2:51820 192.0.2.9 reports that nothing listens at 192.0.2.2:51820: the port is wrong, or "
		   "no tunnel runs there\n");
	carry();
	expect("handshake-completed initiator 192.0.2.2:51820\npeer-up 192.0.2.2:51820\n");
}

/* As a worker reports them. */
static void errors_of_workers_count_too(void **state)
{
	shake_hands();
	atomic_store(&left.peer->state.send_error, EPERM);
	peer_post(left.peer, PEER_EVENT_SEND_RESULT | PEER_EVENT_UNGROUPED, NULL, now);
	expect("gso-refused 192.0.2.2:51820\npeer-down 192.0.2.2:51820 a firewall of this host rejects it\n");
}

static void a_move_has_both_places_and_its_origin(void **state)
{
	struct endpoint elsewhere = address(7), same = address(7);

	peer_set_endpoint(left.peer, &elsewhere, ORIGIN_SET);
	expect("endpoint-moved 192.0.2.2:51820 192.0.2.7:51820 set\n");
	/* A new local address is not a move, and does not change the origin. */
	same.local.v4.ipi_spec_dst.s_addr = htonl(0xc0000201);
	peer_set_endpoint(left.peer, &same, ORIGIN_ROAMED);
	expect("");
	assert_int_equal(left.peer->origin, ORIGIN_SET);
	elsewhere = address(8);
	assert_true(peer_move(left.peer, &elsewhere));
	peer_commit_move(left.peer);
	expect("endpoint-moved 192.0.2.7:51820 192.0.2.8:51820 roamed\n");
	left.peer->endpoint = left.peer->last_from = (struct endpoint) { 0 };
	peer_set_endpoint(left.peer, &elsewhere, ORIGIN_RESOLVED);
	expect("endpoint-moved 192.0.2.8:51820 resolved\n");
}

static void a_refused_handshake_has_a_reason_and_a_limit(void **state)
{
	const char *line =
		"handshake-refused 192.0.2.2:51820 it is from an unknown peer, or answers nothing that we sent\n";
	unsigned lines = 0;

	remove_peer(left.peer);
	for (int i = 0; i < 60; i++) {
		right.peer->handshake_gate = 0;
		handshake_initiate(right.peer, now, false);
		hand_over(&left, &right.sent[right.count - 1], &right.address);
		right.count = 0;
		now += 60 * NS_PER_MS; /* the limit of the sender permits 20 in a second */
	}
	for (const char *at = seen; (at = strstr(at, line)); at++)
		lines++;
	assert_uint_in_range(lines, 20, 20 + 60 * 60 / 200 + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_renewal_is_a_handshake_but_the_peer_is_not_up_again),
		TEST(a_peer_that_does_not_answer_data_goes_down),
		TEST(a_first_handshake_without_an_answer_is_not_down),
		TEST(an_idle_peer_whose_keys_are_wiped_by_age_is_not_down),
		TEST(the_link_takes_all_peers_down),
		TEST(a_restart_takes_no_peer_down),
		TEST(a_removed_peer_is_down),
		TEST(a_new_private_key_takes_all_peers_down),
		TEST(a_send_error_is_reported_once_and_so_is_its_end),
		TEST(an_icmp_error_takes_a_peer_down_that_does_not_answer),
		TEST(errors_of_workers_count_too),
		TEST(a_move_has_both_places_and_its_origin),
		TEST(a_refused_handshake_has_a_reason_and_a_limit),
	};

	log_set_level(LOG_SILENT);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
