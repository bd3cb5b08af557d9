/* SPDX-License-Identifier: MIT */
/* Control changes the device while several workers have traffic (worker_pool_rig.h). */
#include "worker_pool_rig.h"

/* --- changes under traffic ----- */

static void a_peer_may_be_removed_under_traffic(void **state)
{
	connect_ends();
	full_by_half = true; /* so that packets and runs wait in the workers */
	for (int i = 0; i < 100; i++) {
		route_in_all(&left, &right, 5);
		if (i % 10 == 9) {
			remove_peer(left.peer);
			route_in_all(&left, &right, 2);
			turn();
			add_peer_of(&left, &right);
		}
		turn();
		take_out(&right);
	}
	full_by_half = false;
	remove_peer(left.peer);
	WAIT_FOR(count(&left, COUNT_TUN_READ) == 100 * 5 * 4 + 10 * 2 * 4);
	let_gate_pass();
	add_peer_of(&left, &right);
	connect_ends();
	let_pass(&left, &right);
	route_in_all(&left, &right, 50);
	expect_out(&right, 50 * 4);
}

/* Returns whether sockets without SO_REUSEPORT can be bound to the port. */
static bool is_free(uint16_t port)
{
	struct udp udp;
	int error = udp_open(&udp, port, 0);

	if (!error)
		udp_close(&udp);
	return !error;
}

static void down_closes_the_sockets_and_up_opens_them_on_the_same_port(void **state)
{
	int fds[FDS];
	uint16_t port = left.device.listen_port;

	connect_ends();
	for (int i = 0; i < 3; i++) {
		uint64_t dropped = count(&left, DROP_NO_ENDPOINT);

		packets_cross();
		assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
		assert_int_equal(bound_to(port, fds), 0);
		assert_true(is_free(port)); /* at once, although the threads slept in poll(2) on them */
		route_in_all(&left, &right, 3);
		WAIT_FOR(count(&left, DROP_NO_ENDPOINT) == dropped + 3 * 4);
		assert_int_equal(control_set_up(&left.device, true, clock_boottime()), 0);
		assert_int_equal(bound_to(port, fds), 2 * 4);
		let_gate_pass();
		connect_ends();
	}
}

static void the_port_changes_under_traffic(void **state)
{
	int fds[FDS];

	connect_ends();
	for (int i = 0; i < 5; i++) {
		uint16_t port = left.device.listen_port;
		uint64_t keepalives = count(&right, COUNT_OPENED) - count(&left, COUNT_SENT);

		route_in_all(&left, &right, 5);
		assert_int_equal(control_set_port(&left.device, 0), 0);
		assert_int_not_equal(left.device.listen_port, port);
		assert_int_equal(bound_to(port, fds), 0);
		assert_int_equal(bound_to(left.device.listen_port, fds), 2 * 4);
		WAIT_FOR(count(&left, COUNT_TUN_READ) == left.routed[0] * 4u);
		/* A packet from the old port that is received late would move the endpoint back. */
		WAIT_FOR(count(&right, COUNT_OPENED) - keepalives >= count(&left, COUNT_SENT));
		handshake_keepalive(left.peer, clock_boottime());
		WAIT_FOR(ntohs(right.peer->endpoint.to.v4.sin_port) == left.device.listen_port);
		let_pass(&left, &right); /* packets from another port may be received by another worker of the right end */
		packets_cross();
	}
}

/* --- sockets of an earlier process and their owner ----- */

static int changes, releases;

static void note_change(void *context)
{
	assert_ptr_equal(context, &left);
	changes++;
}

static int duplicate; /* a descriptor that keeps the port in use */

static void release_duplicate(void *context)
{
	releases++;
	close(duplicate);
	duplicate = -1;
}

/* Opens sockets for all workers, as an earlier process has done. Returns their port. */
static uint16_t open_pairs(struct udp udp[WORKERS])
{
	assert_int_equal(udp_open(&udp[0], 0, 0), 0);
	for (unsigned i = 1; i < left.pool.count; i++)
		assert_int_equal(udp_open_like(&udp[i], &udp[0], 0), 0);
	return udp[0].port;
}

static void sockets_of_an_earlier_process_are_used(void **state)
{
	struct udp udp[WORKERS];
	int fds[WORKER_POOL_SOCKETS], before = descriptors();
	uint16_t port;

	assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
	left.device.listen_port = 0;
	port = open_pairs(udp);
	worker_pool_adopt(&left.pool, udp);
	assert_int_equal(worker_pool_sockets(&left.pool, fds), 0);
	assert_int_equal(control_set_up(&left.device, true, clock_boottime()), 0);
	assert_int_equal(left.device.listen_port, port);
	assert_int_equal(worker_pool_sockets(&left.pool, fds), 2 * 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(fds[2 * i] == udp[i].v4 && fds[2 * i + 1] == udp[i].v6);
	assert_int_equal(descriptors(), before);
	assert_int_equal(worker_pool_queues(&left.pool, fds), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(fds[i], left.queues[i].fd);
	let_gate_pass();
	connect_ends();
	packets_cross();
}

static void sockets_on_another_port_are_closed(void **state)
{
	struct udp udp[WORKERS];
	uint16_t old = left.device.listen_port, port;
	int fds[FDS], before = descriptors();

	assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
	port = open_pairs(udp);
	worker_pool_adopt(&left.pool, udp);
	assert_int_equal(control_set_up(&left.device, true, clock_boottime()), 0);
	assert_int_equal(left.device.listen_port, old);
	assert_int_equal(bound_to(port, fds), 0);
	assert_int_equal(descriptors(), before);
	open_pairs(udp); /* never used */
	worker_pool_adopt(&left.pool, udp);
}

static void the_owner_learns_of_changes_and_releases_duplicates(void **state)
{
	uint16_t port = left.device.listen_port;
	int fds[FDS];

	changes = releases = 0;
	duplicate = -1;
	left.pool.owner = (struct socket_owner) { note_change, release_duplicate, &left };
	assert_int_equal(control_set_port(&left.device, 0), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(control_set_up(&left.device, true, clock_boottime()), 0);
	assert_int_equal(changes, 3);
	assert_int_equal(releases, 0);
	/* The service manager still has a duplicate of a socket on the port. */
	duplicate = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(duplicate,
						  (struct sockaddr *)&(struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) },
						  sizeof(struct sockaddr_in)),
					 0);
	assert_int_equal(control_set_port(&left.device, port), 0);
	assert_int_equal(releases, 1);
	assert_int_equal(changes, 4);
	assert_int_equal(bound_to(port, fds), 2 * 4);
	left.pool.owner = (struct socket_owner) { 0 };
}

static int mark_of(int fd)
{
	int mark = 0;
	socklen_t size = sizeof mark;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size), 0);
	return mark;
}

static void the_mark_is_set_on_all_sockets(void **state)
{
	int fds[FDS], sockets, error = control_set_mark(&left.device, 7);

	if (error == -EPERM && geteuid())
		skip();
	assert_int_equal(error, 0);
	sockets = bound_to(left.device.listen_port, fds);
	assert_int_equal(sockets, 2 * 4);
	for (int i = 0; i < sockets; i++)
		assert_int_equal(mark_of(fds[i]), 7);
}

static void a_mark_that_one_socket_refuses_is_set_on_none(void **state)
{
	struct udp *last = &left.pool.workers[3].udp;
	int fds[FDS], sockets, v4 = last->v4, error = control_set_mark(&left.device, 7);

	if (error == -EPERM && geteuid())
		skip();
	assert_int_equal(error, 0);
	last->v4 = -1;
	assert_int_equal(control_set_mark(&left.device, 8), -EBADF);
	last->v4 = v4;
	assert_int_equal(left.device.mark, 7);
	sockets = bound_to(left.device.listen_port, fds);
	for (int i = 0; i < sockets; i++)
		assert_int_equal(mark_of(fds[i]), 7);
}

static void a_deleted_tun_is_reported_to_control(void **state)
{
	deleted_tun = left.queues[2].fd;
	route_in(&left, &right, 2, 1);
	WAIT_FOR(tuns_gone);
	connect_ends(); /* the other workers continue */
	route_in(&left, &right, 1, 1);
	expect_out(&right, 1);
}

/* Every change that control makes, while packets of all queues go both ways. */
static void control_may_do_anything_under_traffic(void **state)
{
	const uint8_t elsewhere[4] = { 192, 0, 2, 0 };

	connect_ends();
	for (uint8_t i = 0; i < 60; i++) {
		route_in_all(&left, &right, 10);
		route_in_all(&right, &left, 10);
		device_lock(&right.device);
		allowedips_insert(&right.device.allowed_ips, AF_INET, elsewhere, i % 32, &right.peer->allowed_ips);
		timers_set_keepalive(&right.device.timers, &right.peer->timers, i % 3, clock_boottime());
		if (i % 4 == 0)
			peer_clear_local(right.peer);
		device_unlock(&right.device);
		control_recheck_locals(&left.device);
		if (i % 10 == 5) {
			forget_keys(left.peer);
			let_gate_pass();
		}
		turn();
		take_out(&left);
		take_out(&right);
	}
	WAIT_FOR(count(&left, COUNT_TUN_READ) == 60 * 10 * 4 && count(&right, COUNT_TUN_READ) == 60 * 10 * 4);
	forget_keys(left.peer);
	let_gate_pass();
	connect_ends();
	assert_int_equal(left.disorder + right.disorder, 0);
	let_pass(&left, &right);
	let_pass(&right, &left);
	packets_cross();
}

enum { MANY = 10000 };

/* A hub with many peers: the change of a route takes the device lock once, not once per peer. */
static void a_route_event_takes_the_lock_once(void **state)
{
	for (uint32_t i = 1; i < MANY; i++) {
		uint8_t key[NOISE_KEY] = { 1 };

		put_be32(key + 4, i);
		assert_non_null(peer_add(&left.device, key));
	}
	assert_int_equal(left.device.peer_count, MANY);
	assert_int_equal(left.pool.count, 4);
	locked_by_control = 0;
	control_recheck_locals(&left.device);
	assert_int_equal(locked_by_control, 1);
	list_for_each (peer, &left.device.peers, struct peer, node)
		assert_true(peer->local_unverified);
	assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
	assert_int_equal(locked_by_control, 2);
	assert_int_equal(control_set_mark(&left.device, left.device.mark + 1), 0);
	assert_int_equal(locked_by_control, 3);
}

/* --- floods of handshake messages ----- */

enum { JUNK = 1000, FLOOD_PER_TURN = 40, FLOOD_TURNS = 100, FLOOD = FLOOD_PER_TURN * FLOOD_TURNS };

/* Returns a socket that is connected to the right end. */
static int flooder(void)
{
	struct endpoint to = loopback(right.device.listen_port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(connect(fd, &to.to.any, sizeof to.to.v4), 0);
	return fd;
}

/* Sends initiations with a valid mac1 that nobody can open, and as many junk datagrams longer than any handshake. */
static void flood(int fd)
{
	struct message_initiation initiation = { .type = { MESSAGE_INITIATION } };
	struct cookie_jar jar = { 0 };
	uint8_t junk[JUNK] = { 9 };

	randombytes_buf(initiation.ephemeral, sizeof initiation.ephemeral);
	cookie_stamp(&jar, right.device.identity.public_key, (uint8_t *)&initiation, sizeof initiation, 0);
	for (int i = 0; i < FLOOD_PER_TURN; i++) {
		send(fd, &initiation, sizeof initiation, 0);
		send(fd, junk, sizeof junk, 0);
	}
}

/* With any number of workers, the same messages are counted by the same causes, and data passes. */
static void a_flood_of_handshake_messages_leaves_the_data_alone(void **state)
{
	uint32_t came = 0;
	int fd = flooder();

	connect_ends();
	for (int i = 0; i < FLOOD_TURNS; i++) {
		flood(fd);
		route_in_all(&left, &right, 1);
		/* Without privileges, the receive buffer holds little more than one turn. */
		WAIT_FOR(count(&right, DROP_MALFORMED) == (uint64_t)FLOOD_PER_TURN * (i + 1));
		came += take_out(&right);
	}
	expect_out(&right, FLOOD_TURNS * left.pool.count - came);
	WAIT_FOR(count(&right, COUNT_UNDER_LOAD) + count(&right, DROP_HANDSHAKE) == FLOOD);
	assert_uint_in_range(count(&right, DROP_HANDSHAKE), 1000, 3000);
	assert_int_equal(count(&right, DROP_HANDSHAKE_QUEUE), 0);
	packets_cross();
	close(fd);
}

static void control_changes_key_and_link_in_a_flood(void **state)
{
	int fd = flooder();

	connect_ends();
	for (int i = 0; i < FLOOD_TURNS; i++) {
		uint8_t key[NOISE_KEY];

		flood(fd);
		route_in_all(&left, &right, 1);
		turn();
		if (i % 10 == 9) {
			assert_int_equal(control_set_up(&right.device, false, clock_boottime()), 0);
			assert_int_equal(mailbox_waiting(&right.device.mailbox), 0);
			assert_int_equal(control_set_up(&right.device, true, clock_boottime()), 0);
		}
		if (i % 10 == 4) {
			memcpy(key, right.device.identity.private_key, sizeof key);
			control_set_private_key(&right.device, key);
		}
	}
	close(fd);
	let_pass(&left, &right);
	forget_keys(left.peer);
	right.device.load_until = 0;
	let_gate_pass();
	connect_ends();
}

#define WITH(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)
#define TEST(name) WITH(name, set_up_four)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_peer_may_be_removed_under_traffic),
		TEST(down_closes_the_sockets_and_up_opens_them_on_the_same_port),
		TEST(the_port_changes_under_traffic),
		TEST(sockets_of_an_earlier_process_are_used),
		TEST(sockets_on_another_port_are_closed),
		TEST(the_owner_learns_of_changes_and_releases_duplicates),
		TEST(the_mark_is_set_on_all_sockets),
		TEST(a_mark_that_one_socket_refuses_is_set_on_none),
		TEST(a_deleted_tun_is_reported_to_control),
		TEST(control_may_do_anything_under_traffic),
		TEST(a_route_event_takes_the_lock_once),
		WITH(a_flood_of_handshake_messages_leaves_the_data_alone, set_up_one),
		WITH(a_flood_of_handshake_messages_leaves_the_data_alone, set_up_two),
		TEST(a_flood_of_handshake_messages_leaves_the_data_alone),
		WITH(control_changes_key_and_link_in_a_flood, set_up_one),
		TEST(control_changes_key_and_link_in_a_flood),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("worker_pool_control", tests, NULL, NULL);
}
