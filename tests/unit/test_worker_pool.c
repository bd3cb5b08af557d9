/* SPDX-License-Identifier: MIT */
/* The worker pool: traffic, start and stop, and failures (worker_pool_rig.h). */
#include "worker_pool_rig.h"

/* --- traffic ----- */

static void packets_cross_in_order_and_the_counters_add_up(void **state)
{
	unsigned workers = left.pool.count;
	uint64_t before;

	connect_ends();
	before = count(&right, COUNT_OPENED);
	packets_cross();
	assert_int_equal(count(&left, COUNT_TUN_READ), 50 * workers);
	assert_int_equal(count(&left, COUNT_SEALED), 50 * workers);
	assert_int_equal(count(&left, COUNT_SENT), 50 * workers);
	assert_int_equal(count(&right, COUNT_OPENED) - before, 50 * workers);
	assert_int_equal(count(&right, COUNT_TUN_WRITTEN), 50 * workers);
	assert_int_equal(count(&left, COUNT_TUN_WRITTEN), 30 * workers);
	assert_int_equal(left.peer->rx_bytes, right.peer->tx_bytes);
	assert_int_equal(right.peer->rx_bytes, left.peer->tx_bytes);
}

static void one_worker_runs_without_a_thread(void **state)
{
	int before = threads();

	connect_ends();
	packets_cross();
	assert_int_equal(before, threads());
	assert_false(mailbox_threaded(&left.device.mailbox));
	assert_int_equal(worker_pool_tun(&left.pool), left.queues[0].fd);
}

static void each_worker_has_a_thread_and_a_pair_of_sockets(void **state)
{
	int fds[FDS], before = threads();

	assert_int_equal(bound_to(left.device.listen_port, fds), 2 * 4);
	assert_int_equal(bound_to(right.device.listen_port, fds), 2 * 4);
	assert_int_equal(worker_pool_tun(&left.pool), left.queues[0].fd);
	worker_pool_stop(&left.pool);
	assert_int_equal(threads(), before - 4);
	left.pool = (struct worker_pool) { .count = 4 }; /* it is stopped */
}

/* No thread, loop, socket or TUN is left; the counters are kept. */
static void stopping_ends_everything_and_keeps_the_counters(void **state)
{
	int fds[FDS], before = threads();
	struct counters counted, kept;
	uint16_t port = left.device.listen_port;

	connect_ends();
	packets_cross();
	route_in_all(&left, &right, 20); /* in flight */
	WAIT_FOR(count(&left, COUNT_SENT) == 70 * 2);
	device_counters(&left.device, &counted);
	worker_pool_stop(&left.pool);
	left.pool = (struct worker_pool) { .count = 2 };
	device_counters(&left.device, &kept);
	assert_int_equal(kept.value[COUNT_SENT], 70 * 2);
	assert_memory_equal(kept.value, counted.value, sizeof counted.value);
	assert_int_equal(threads(), before - 2);
	assert_int_equal(bound_to(port, fds), 0);
	assert_null(left.device.ops);
	assert_false(mailbox_threaded(&left.device.mailbox));
	for (int i = 0; i < 2; i++)
		assert_int_equal(fcntl(left.queues[i].fd, F_GETFD), -1);
}

static void a_rejected_packet_is_counted_by_the_worker_that_read_it(void **state)
{
	uint8_t packet[VIRTIO_HEADER + 40] = { 0 };

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 25; k++)
			assert_int_equal(write(left.kernel[i], packet, sizeof packet), sizeof packet);
	WAIT_FOR(count(&left, COUNT_TUN_READ) == 100);
	assert_int_equal(count(&left, DROP_REFUSED + SEGMENT_NOT_IP), 100);
	assert_int_equal(left.device.counters.value[DROP_REFUSED + SEGMENT_NOT_IP], 0); /* the counters of control */
}

/* Worker i has i + 1 staged packets. */
static void a_staged_packet_is_sent_by_the_worker_that_staged_it(void **state)
{
	int fds[FDS], workers;
	uint32_t by[WORKERS + 1] = { 0 };

	full = true; /* the first initiation is lost */
	for (unsigned i = 0; i < 4; i++)
		route_in(&left, &right, i, (int)i + 1);
	WAIT_FOR(waiting(&left) == 10 && left.peer->handshake_gate);
	assert_int_equal(staged_waiting(&left.peer->staged), 15);
	full = false;
	left.peer->handshake_gate = 0;
	connect_ends();
	route_in_all(&left, &right, 5);
	expect_out(&right, 10 + 4 * 5);
	assert_int_equal(count(&left, DROP_STAGED), 0);
	assert_int_equal(staged_waiting(&left.peer->staged), 0);
	workers = bound_to(left.device.listen_port, fds);
	for (int i = 0; i < workers; i++) {
		uint32_t sent = sealed_by[fds[i]];
		assert_true(!sent || (sent >= 6 && sent <= 9));
		by[sent ? sent - 5 : 0]++;
	}
	for (int i = 1; i <= WORKERS; i++)
		assert_int_equal(by[i], 1);
}

static void stage_for(struct peer *peer, unsigned worker)
{
	assert_int_equal(staged_push(&peer->device->staged, &peer->staged, worker, (const uint8_t *)"x", 1, 1), 0);
}

static void unstage(struct peer *peer, unsigned worker)
{
	uint8_t packet[1];

	assert_int_equal(staged_pop(&peer->device->staged, &peer->staged, worker, packet), 1);
}

static struct peer *next_ready(struct device *device, unsigned worker)
{
	struct staged_queue *queue = staged_next_ready(&device->staged, worker);

	return queue ? container_of(queue, struct peer, staged) : NULL;
}

static void set_ready(struct device *device, struct peer *peer)
{
	staged_set_ready(&device->staged, &peer->staged);
}

static void clear_ready(struct device *device, struct peer *peer)
{
	staged_clear_ready(&device->staged, &peer->staged);
}

/* A peer without packets leaves the list at the next search. */
static void each_worker_sees_the_ready_peers_for_which_it_has_packets(void **state)
{
	struct device device;
	struct peer *first, *second;

	assert_int_equal(control_init(&device, "ready", &aead_libsodium, NULL), 0);
	first = peer_add(&device, (const uint8_t[NOISE_KEY]) { 1 });
	second = peer_add(&device, (const uint8_t[NOISE_KEY]) { 2 });
	stage_for(first, 0);
	stage_for(first, 1);
	stage_for(second, 1);
	assert_null(next_ready(&device, 1)); /* nothing is ready */
	set_ready(&device, first);
	set_ready(&device, first);
	assert_ptr_equal(next_ready(&device, 0), first);
	assert_ptr_equal(next_ready(&device, 0), first); /* until its packets are sent */
	assert_ptr_equal(next_ready(&device, 1), first);
	assert_null(next_ready(&device, 2));
	set_ready(&device, second);
	assert_ptr_equal(next_ready(&device, 0), first);
	unstage(first, 0);
	assert_null(next_ready(&device, 0));
	assert_true(list_linked(&first->staged.ready));
	unstage(first, 1);
	assert_ptr_equal(next_ready(&device, 1), second);
	assert_null(next_ready(&device, 0));
	assert_false(list_linked(&first->staged.ready));
	clear_ready(&device, second);
	clear_ready(&device, second);
	assert_null(next_ready(&device, 1));
	assert_false(staged_any_ready(&device.staged));
	stage_for(first, 3);
	set_ready(&device, second);
	set_ready(&device, first);
	remove_peer(second); /* not the first in the list */
	assert_ptr_equal(next_ready(&device, 3), first);
	remove_peer(first);
	assert_false(staged_any_ready(&device.staged));
	control_destroy(&device, NULL);
}

/* The responder keeps its staged packets until the first packet under the new key. */
static void the_responder_sends_staged_packets_once_the_key_is_confirmed(void **state)
{
	full = true;
	route_in_all(&right, &left, 3);
	WAIT_FOR(waiting(&right) == 12 && right.peer->handshake_gate); /* the initiation of the right end is lost */
	full = false;
	connect_ends();
	expect_out(&left, 12);
}

/* Waits without control, whose loop does not run. */
#define WAIT_WITHOUT_CONTROL(condition)                                                                                \
	do {                                                                                                               \
		int turns = 0;                                                                                                 \
		for (; !(condition) && turns < TURNS_MAX; turns++)                                                             \
			usleep(TURN_US);                                                                                           \
		assert_true(turns < TURNS_MAX);                                                                                \
	} while (0)

/* The initiator has lost its old session. The responder answers before control has handled the confirmation. */
static void an_answer_after_a_restart_is_sealed_under_the_new_session(void **state)
{
	uint32_t came = 0;

	for (int i = 0; i < 5; i++) {
		connect_ends();
		let_gate_pass();
		forget_keys(left.peer);
		handshake_initiate(left.peer, clock_boottime(), false);
		WAIT_FOR(left.peer->sessions.current); /* the keepalive that confirms the key is on its way */
		WAIT_WITHOUT_CONTROL(atomic_load(&right.peer->sessions.next->confirmed));
		route_in(&right, &left, 0, 1);
		WAIT_WITHOUT_CONTROL(came += take_out(&left));
		came = 0;
		let_gate_pass();
		forget_keys(left.peer);
	}
	assert_int_equal(count(&left, DROP_INDEX), 0);
	assert_int_equal(left.disorder, 0);
}

static void a_full_socket_loses_no_packet_and_repeats_none(void **state)
{
	connect_ends();
	full_by_half = true;
	for (int i = 0; i < 10; i++)
		route_in_all(&left, &right, 40);
	expect_out(&right, 10 * 40 * 4);
	assert_int_equal(count(&left, COUNT_SENT), 10 * 40 * 4);
	assert_int_equal(count(&right, DROP_REPLAY), 0);
}

static void a_peer_that_moved_is_followed(void **state)
{
	static uint8_t memory[64 + 4096];
	uint8_t *datagram = memory + 64;
	struct endpoint to = loopback(right.device.listen_port);
	struct sockaddr_in at;
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t counter;

	connect_ends();
	assert_int_equal(session_reserve(left.peer->sessions.current, 1, &counter), 1);
	session_seal(left.peer->sessions.current, counter, datagram, 0);
	assert_int_equal(connect(fd, &to.to.any, sizeof to.to.v4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(send(fd, datagram, DATA_OVERHEAD, 0), DATA_OVERHEAD);
	WAIT_FOR(right.peer->endpoint.to.v4.sin_port == at.sin_port);
	close(fd);
	route_in(&left, &right, 1, 1);
	expect_out(&right, 1);
	WAIT_FOR(ntohs(right.peer->endpoint.to.v4.sin_port) == left.device.listen_port);
}

/* --- failures ----- */

static void a_failed_start_leaves_the_queues_open(void **state)
{
	int threads_before, descriptors_before;
	struct device device;
	struct end end = { 0 };

	reset();
	loop = ev_loop_new(LOOP_FLAGS);
	assert_int_equal(control_init(&device, "fails", &aead_libsodium, loop), 0);
	end_queues(&end, 4);
	assert_int_equal(mailbox_start(&device.mailbox, loop, true), 0); /* the loop keeps the descriptor that wakes it */
	mailbox_stop(&device.mailbox);
	threads_before = threads();
	descriptors_before = descriptors();
	for (int can = 0; can < 4; can++) {
		threads_left = can;
		assert_int_equal(worker_pool_start(&end.pool, &device, loop, BACKEND_SYSCALLS, end.queues, 4, gone, &end),
						 -EAGAIN);
		assert_int_equal(threads(), threads_before);
		assert_int_equal(descriptors(), descriptors_before);
		assert_null(device.ops);
		assert_false(mailbox_threaded(&device.mailbox));
		for (int i = 0; i < 4; i++)
			assert_true(fcntl(end.queues[i].fd, F_GETFD) >= 0);
	}
	threads_left = -1;
	assert_int_equal(worker_pool_start(&end.pool, &device, loop, BACKEND_SYSCALLS, end.queues, 4, gone, &end), 0);
	assert_int_equal(threads(), threads_before + 4);
	worker_pool_stop(&end.pool);
	assert_int_equal(threads(), threads_before);
	assert_int_equal(descriptors(), descriptors_before - 4);
	control_destroy(&device, loop);
	for (int i = 0; i < 4; i++)
		close(end.kernel[i]);
	ev_loop_destroy(loop);
}

/* Opening the first pair of sockets fails, or a later pair, or the second socket of a pair: the old ones stay. */
static void a_failed_bind_keeps_the_old_sockets(void **state)
{
	int fds[FDS];
	uint16_t port = left.device.listen_port;

	connect_ends();
	for (int can = 0; can < 2 * 4; can++) {
		int before = descriptors();

		sockets_left = can;
		assert_int_equal(control_set_port(&left.device, 0), -EMFILE);
		sockets_left = -1;
		assert_int_equal(left.device.listen_port, port);
		assert_int_equal(descriptors(), before);
		assert_int_equal(bound_to(port, fds), 2 * 4);
	}
	packets_cross();
}

static void a_port_in_use_is_reported(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), before;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	before = descriptors();
	assert_int_equal(control_set_port(&left.device, ntohs(at.sin_port)), -EADDRINUSE);
	assert_int_equal(control_set_port(&left.device, right.device.listen_port),
					 -EADDRINUSE); /* the other device shares it among its own workers only */
	assert_int_equal(descriptors(), before);
	close(fd);
	connect_ends();
	packets_cross();
}

/* --- number of workers ----- */

static void there_is_one_worker_per_two_processors(void **state)
{
	static const int cases[][2] = {
		{ 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 2 }, { 15, 7 }, { 16, 8 }, { 300, 8 }
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cpus = cases[i][0];
		assert_int_equal(worker_pool_auto(), cases[i][1]);
	}
}

#define WITH(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)
#define TEST(name) WITH(name, set_up_four)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(one_worker_runs_without_a_thread, set_up_one),
		WITH(packets_cross_in_order_and_the_counters_add_up, set_up_two),
		TEST(packets_cross_in_order_and_the_counters_add_up),
		TEST(each_worker_has_a_thread_and_a_pair_of_sockets),
		WITH(stopping_ends_everything_and_keeps_the_counters, set_up_two),
		TEST(a_rejected_packet_is_counted_by_the_worker_that_read_it),
		TEST(a_staged_packet_is_sent_by_the_worker_that_staged_it),
		TEST(the_responder_sends_staged_packets_once_the_key_is_confirmed),
		WITH(an_answer_after_a_restart_is_sealed_under_the_new_session, set_up_two),
		TEST(an_answer_after_a_restart_is_sealed_under_the_new_session),
		TEST(a_full_socket_loses_no_packet_and_repeats_none),
		TEST(a_peer_that_moved_is_followed),
		cmocka_unit_test(a_failed_start_leaves_the_queues_open),
		TEST(a_failed_bind_keeps_the_old_sockets),
		TEST(a_port_in_use_is_reported),
		cmocka_unit_test(each_worker_sees_the_ready_peers_for_which_it_has_packets),
		cmocka_unit_test(there_is_one_worker_per_two_processors),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("worker_pool", tests, NULL, NULL);
}
