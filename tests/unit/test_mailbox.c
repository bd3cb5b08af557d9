/* SPDX-License-Identifier: MIT */
/* The mailbox alone: what is delivered, in which order and how often, in direct and in queued mode. */
#include "tunnel/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PEERS = 3, LOG = 4 * MAILBOX_MESSAGES, PER_WAKEUP = 256 };

static struct mailbox mailbox;
static struct mailbox_peer peers[PEERS];
static struct ev_loop *loop;
static struct {
	int peers, messages, gone;
	int peer[LOG];
	unsigned events[LOG], depth;
	uint8_t first[LOG]; /* byte of each message */
} seen;

static void on_peer(void *context, struct mailbox_peer *peer, unsigned events, uint64_t now)
{
	assert_ptr_equal(context, &seen);
	seen.peer[seen.peers] = (int)(peer - peers);
	seen.events[seen.peers++] = events;
	seen.depth = mailbox.depth;
}

static void on_message(void *context, const uint8_t *message, size_t n, const struct endpoint *from, uint64_t now)
{
	assert_true(endpoint_known(from));
	seen.first[seen.messages++] = message[0];
	seen.depth = mailbox.depth;
}

static void on_gone(void *context)
{
	seen.gone++;
}

static const struct mailbox_ops ops = { on_peer, on_message, on_gone };

static int set_up(void **state)
{
	memset(&seen, 0, sizeof seen);
	memset(peers, 0, sizeof peers);
	loop = ev_loop_new(0);
	mailbox_init(&mailbox, &ops, &seen);
	return 0;
}

static int set_up_queue(void **state)
{
	set_up(state);
	return mailbox_start_queue(&mailbox, loop);
}

static int tear_down(void **state)
{
	mailbox_destroy(&mailbox);
	ev_loop_destroy(loop);
	return 0;
}

static void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

static bool post_message(uint8_t first, size_t n)
{
	const struct endpoint from = { .to.v4.sin_family = AF_INET };
	uint8_t message[MAILBOX_MESSAGE + 1] = { first };

	return mailbox_post_message(&mailbox, message, n, &from, 1);
}

static void direct_mode_delivers_at_once(void **state)
{
	mailbox_post(&mailbox, &peers[1], 5, 1);
	assert_int_equal(seen.peers, 1);
	assert_int_equal(seen.peer[0], 1);
	assert_int_equal(seen.events[0], 5);
	assert_int_equal(seen.depth, 1); /* the callback can tell that it runs inside a worker */
	assert_int_equal(mailbox.depth, 0);
	assert_true(post_message(7, 32));
	assert_int_equal(seen.first[0], 7);
	assert_int_equal(seen.depth, 1);
	mailbox_post_gone(&mailbox);
	assert_int_equal(seen.gone, 1);
	assert_int_equal(mailbox_waiting(&mailbox), 0);
}

static void queued_events_are_delivered_together_and_in_order(void **state)
{
	mailbox_post(&mailbox, &peers[2], 1, 1);
	mailbox_post(&mailbox, &peers[0], 2, 1);
	mailbox_post(&mailbox, &peers[2], 4, 1);
	assert_int_equal(seen.peers, 0);
	spin(1);
	assert_int_equal(seen.peers, 2);
	assert_int_equal(seen.peer[0], 2);
	assert_int_equal(seen.events[0], 5);
	assert_int_equal(seen.peer[1], 0);
	assert_int_equal(seen.events[1], 2);
	assert_int_equal(seen.depth, 0);
	spin(2);
	assert_int_equal(seen.peers, 2);
	mailbox_post(&mailbox, &peers[2], 8, 1);
	spin(1);
	assert_int_equal(seen.events[2], 8);
}

static void a_forgotten_peer_is_not_delivered(void **state)
{
	for (int i = 0; i < PEERS; i++)
		mailbox_post(&mailbox, &peers[i], 1, 1);
	mailbox_forget(&mailbox, &peers[1]);
	mailbox_forget(&mailbox, &peers[1]);
	spin(1);
	assert_int_equal(seen.peers, 2);
	assert_int_equal(seen.peer[0], 0);
	assert_int_equal(seen.peer[1], 2);
}

static void a_full_ring_drops_and_the_rest_keeps_its_order(void **state)
{
	for (int i = 0; i < MAILBOX_MESSAGES; i++)
		assert_true(post_message((uint8_t)i, 1));
	assert_false(post_message(0, 1));
	assert_int_equal(mailbox_waiting(&mailbox), MAILBOX_MESSAGES);
	spin(1);
	assert_int_equal(seen.messages, PER_WAKEUP);
	assert_true(post_message(0, 1));
	spin(MAILBOX_MESSAGES / PER_WAKEUP + 1);
	assert_int_equal(seen.messages, MAILBOX_MESSAGES + 1);
	for (int i = 0; i < MAILBOX_MESSAGES; i++)
		assert_int_equal(seen.first[i], (uint8_t)i);
}

static void a_message_that_is_too_long_is_dropped(void **state)
{
	assert_false(post_message(1, MAILBOX_MESSAGE + 1));
	assert_true(post_message(1, MAILBOX_MESSAGE));
}

static void stopping_the_queue_drops_what_waits(void **state)
{
	mailbox_post(&mailbox, &peers[0], 1, 1);
	post_message(1, 1);
	mailbox_stop_queue(&mailbox);
	spin(2);
	assert_int_equal(seen.peers + seen.messages, 0);
	assert_int_equal(peers[0].events, 0);
	assert_int_equal(mailbox_start_queue(&mailbox, loop), 0);
	mailbox_post(&mailbox, &peers[0], 2, 1);
	spin(1);
	assert_int_equal(seen.events[0], 2);
}

#define DIRECT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define QUEUED(name) cmocka_unit_test_setup_teardown(name, set_up_queue, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(direct_mode_delivers_at_once),          QUEUED(queued_events_are_delivered_together_and_in_order),
		QUEUED(a_forgotten_peer_is_not_delivered),     QUEUED(a_full_ring_drops_and_the_rest_keeps_its_order),
		QUEUED(a_message_that_is_too_long_is_dropped), QUEUED(stopping_the_queue_drops_what_waits),
	};
	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
