/* SPDX-License-Identifier: MIT */
/* The events of peers: two devices exchange messages through an array, on a clock of the test. */
#include "handshake_rig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { SEEN = 4096 };

static char seen[SEEN];
static struct event_consumer consumer;

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

static int set_up_events(void **state)
{
	set_up(state);
	seen[0] = '\0';
	left.peer->last_from = right.address;
	right.peer->last_from = left.address;
	consumer = (struct event_consumer) { .handle = note };
	event_subscribe(&left.device.events, &consumer);
	return 0;
}

static int tear_down_events(void **state)
{
	event_unsubscribe(&consumer);
	return tear_down(state);
}

static void drop(void)
{
	left.read = left.count;
	right.read = right.count;
}

#define UP "handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\npeer-up 192.0.2.2:51820\n"

static void come_up(void)
{
	now += 6 * NS_PER_S;
	shake_hands();
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
	come_up();
	now += 121 * NS_PER_S;
	shake_hands();
	expect("handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\n");
}

static void a_peer_that_does_not_answer_data_goes_down(void **state)
{
	come_up();
	timers_data_sent(&left.device.timers, &left.peer->timers, now);
	pass(14);
	expect("");
	pass(2);
	expect("handshake-begun 192.0.2.2:51820\npeer-down 192.0.2.2:51820 it does not answer\n");
	assert_int_equal(left.peer->problem.latest.kind, PROBLEM_SILENT); /* adit show has a reason at once */
	pass(100);                                                        /* it is given up */
	expect("");
	assert_int_equal(left.peer->state.condition, PEER_SILENT);
	come_up();
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
	come_up();
	pass(541);
	assert_null(left.peer->sessions.current);
	expect("");
	assert_int_equal(left.peer->state.condition, PEER_IDLE);
	assert_int_equal(left.peer->state.since, now - 361 * NS_PER_S);
	shake_hands();
	expect("handshake-begun 192.0.2.2:51820\nhandshake-completed initiator 192.0.2.2:51820\n");
}

static void the_link_takes_all_peers_down(void **state)
{
	come_up();
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	expect("link-down\npeer-down 192.0.2.2:51820 the link is down\n");
	assert_int_equal(left.peer->state.condition, PEER_UNREACHABLE);
	assert_int_equal(control_set_up(&left.device, true, now), 0);
	expect("link-up\n");
	assert_int_equal(left.peer->state.condition, PEER_IDLE);
	come_up();
}

static void a_restart_takes_no_peer_down(void **state)
{
	come_up();
	left.device.leaving = true;
	assert_int_equal(control_set_up(&left.device, false, now), 0);
	expect("");
	assert_true(left.peer->state.announced);
}

static void a_removed_peer_is_down(void **state)
{
	come_up();
	remove_peer(left.peer);
	expect("peer-down 192.0.2.2:51820 removed\n");
}

static void a_new_private_key_takes_all_peers_down(void **state)
{
	uint8_t key[NOISE_KEY] = { 1 };

	come_up();
	control_set_private_key(&left.device, key);
	expect("peer-down 192.0.2.2:51820 the private key was changed\n");
}

static void a_send_error_is_reported_once_and_so_is_its_end(void **state)
{
	come_up();
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

	come_up();
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
	come_up();
	atomic_store(&left.peer->state.send_error, EPERM);
	peer_post(left.peer, PEER_EVENT_SEND_RESULT | PEER_EVENT_UNGROUPED, NULL, now);
	expect("gso-refused 192.0.2.2:51820\npeer-down 192.0.2.2:51820 a firewall of this host rejects it\n");
}

static void a_move_has_both_places_and_its_origin(void **state)
{
	struct endpoint elsewhere = address(7, 51820), same = address(7, 51820);

	peer_set_endpoint(left.peer, &elsewhere, ORIGIN_SET);
	expect("endpoint-moved 192.0.2.2:51820 192.0.2.7:51820 set\n");
	/* A new local address is not a move, and does not change the origin. */
	same.local.v4.ipi_spec_dst.s_addr = htonl(0xc0000201);
	peer_set_endpoint(left.peer, &same, ORIGIN_ROAMED);
	expect("");
	assert_int_equal(left.peer->origin, ORIGIN_SET);
	elsewhere = address(8, 51820);
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

#define EVENTS(name) cmocka_unit_test_setup_teardown(name, set_up_events, tear_down_events)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENTS(a_renewal_is_a_handshake_but_the_peer_is_not_up_again),
		EVENTS(a_peer_that_does_not_answer_data_goes_down),
		EVENTS(a_first_handshake_without_an_answer_is_not_down),
		EVENTS(an_idle_peer_whose_keys_are_wiped_by_age_is_not_down),
		EVENTS(the_link_takes_all_peers_down),
		EVENTS(a_restart_takes_no_peer_down),
		EVENTS(a_removed_peer_is_down),
		EVENTS(a_new_private_key_takes_all_peers_down),
		EVENTS(a_send_error_is_reported_once_and_so_is_its_end),
		EVENTS(an_icmp_error_takes_a_peer_down_that_does_not_answer),
		EVENTS(errors_of_workers_count_too),
		EVENTS(a_move_has_both_places_and_its_origin),
		EVENTS(a_refused_handshake_has_a_reason_and_a_limit),
	};

	log_set_level(LOG_SILENT);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
