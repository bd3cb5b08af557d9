/* SPDX-License-Identifier: MIT */
/* The mailbox alone: what is delivered, in which order and how often, in direct and in queued mode. */
#include "tunnel/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PEERS = 3, LOG = 4 * MAILBOX_MESSAGES, PER_WAKEUP = 64, TAG = 9 };

static struct mailbox mailbox;
static struct mailbox_peer peers[PEERS];
static struct ev_loop *loop;
static bool costly; /* each message costs much */
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

static bool on_message(void *context, unsigned tag, const uint8_t *message, size_t n, const struct endpoint *from,
					   uint64_t now)
{
	assert_true(endpoint_known(from));
	assert_int_equal(tag, TAG);
	seen.first[seen.messages++] = message[0];
	seen.depth = mailbox.depth;
	return costly;
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
	costly = false;
	loop = ev_loop_new(0);
	mailbox_init(&mailbox, &ops, &seen);
	return 0;
}

static int set_up_queue(void **state)
{
	set_up(state);
	return mailbox_start(&mailbox, loop, true);
}

/* With one worker. */
static int set_up_unthreaded(void **state)
{
	set_up(state);
	return mailbox_start(&mailbox, loop, false);
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

	return mailbox_post_message(&mailbox, TAG, message, n, &from, 1);
}

static void before_the_start_everything_is_delivered_at_once(void **state)
{
	mailbox_post(&mailbox, &peers[1], 5, 1);
	assert_int_equal(seen.peers, 1);
	assert_int_equal(seen.peer[0], 1);
	assert_int_equal(seen.events[0], 5);
	assert_int_equal(seen.depth, 1); /* inside the callback, depth shows that a worker is running */
	assert_int_equal(mailbox.depth, 0);
	assert_true(post_message(7, 32));
	assert_int_equal(seen.first[0], 7);
	assert_int_equal(seen.depth, 1);
	mailbox_post_gone(&mailbox);
	assert_int_equal(seen.gone, 1);
	assert_int_equal(mailbox_waiting(&mailbox), 0);
}

static void with_one_worker_only_messages_wait(void **state)
{
	mailbox_post(&mailbox, &peers[1], 5, 1);
	assert_int_equal(seen.events[0], 5);
	assert_int_equal(seen.depth, 1);
	assert_true(post_message(7, 32));
	assert_int_equal(seen.messages, 0);
	assert_int_equal(mailbox_waiting(&mailbox), 1);
	spin(1);
	assert_int_equal(seen.first[0], 7);
	assert_int_equal(seen.depth, 0);
	mailbox_post_gone(&mailbox);
	assert_int_equal(seen.gone, 1);
}

static int data_in[2], data_read; /* a socket with data, and how often it was read */

static void on_data(struct ev_loop *running, struct ev_io *watcher, int events)
{
	assert_int_equal(seen.messages, data_read); /* one message after each turn of the data */
	data_read++;
}

/* A flood of messages that each cost a handshake, while a socket is always readable. */
static void data_goes_before_messages_and_between_two_that_cost_much(void **state)
{
	struct ev_io data;

	assert_int_equal(pipe(data_in), 0);
	assert_int_equal(write(data_in[1], "x", 1), 1);
	ev_io_init(&data, on_data, data_in[0], EV_READ);
	costly = true;
	for (int i = 0; i < 1000; i++)
		assert_true(post_message((uint8_t)i, 148));
	ev_io_start(loop, &data);
	data_read = 0;
	spin(100);
	assert_int_equal(data_read, 100);
	assert_int_equal(seen.messages, 100);
	ev_io_stop(loop, &data);
	close(data_in[0]);
	close(data_in[1]);
	spin(900);
	assert_int_equal(seen.messages, 1000);
}

static void dropped_messages_are_counted_and_not_delivered(void **state)
{
	assert_int_equal(mailbox_drop_messages(&mailbox), 0);
	for (int i = 0; i < 100; i++)
		post_message(1, 32);
	spin(1);
	assert_int_equal(mailbox_drop_messages(&mailbox), 100 - PER_WAKEUP);
	spin(2);
	assert_int_equal(seen.messages, PER_WAKEUP);
	post_message(2, 32);
	spin(1);
	assert_int_equal(seen.first[PER_WAKEUP], 2);
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

static void stopping_the_queue_drops_waiting_mail(void **state)
{
	mailbox_post(&mailbox, &peers[0], 1, 1);
	post_message(1, 1);
	mailbox_stop(&mailbox);
	spin(2);
	assert_int_equal(seen.peers + seen.messages, 0);
	assert_int_equal(peers[0].events, 0);
	assert_int_equal(mailbox_start(&mailbox, loop, true), 0);
	mailbox_post(&mailbox, &peers[0], 2, 1);
	spin(1);
	assert_int_equal(seen.events[0], 2);
}

#define DIRECT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define UNTHREADED(name) cmocka_unit_test_setup_teardown(name, set_up_unthreaded, tear_down)
#define QUEUED(name) cmocka_unit_test_setup_teardown(name, set_up_queue, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(before_the_start_everything_is_delivered_at_once),
		QUEUED(queued_events_are_delivered_together_and_in_order),
		QUEUED(a_forgotten_peer_is_not_delivered),
		QUEUED(a_full_ring_drops_and_the_rest_keeps_its_order),
		QUEUED(a_message_that_is_too_long_is_dropped),
		QUEUED(stopping_the_queue_drops_waiting_mail),
		UNTHREADED(with_one_worker_only_messages_wait),
		UNTHREADED(data_goes_before_messages_and_between_two_that_cost_much),
		QUEUED(data_goes_before_messages_and_between_two_that_cost_much),
		QUEUED(dropped_messages_are_counted_and_not_delivered),
	};
	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
