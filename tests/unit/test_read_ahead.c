/* SPDX-License-Identifier: MIT */
/*
 * Packets that the backend has read ahead. The descriptor of the TUN does not become readable for them, and yet none
 * may be left. The TUN is one end of a socket pair: what the test writes to `kernel` is routed into the tunnel. The
 * other end of the tunnel is a worker too, because a session needs two ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "locked_calls.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"
#include "tunnel/loop.h"
#include "tunnel/worker_pool.h"

enum {
	SMALL = 60,
	LARGE = 60000, /* the segment buffer holds fewer than four of these */
	ALWAYS = 1 << 30,
	ROOM = 4 << 20,
	GATE_US = 40000, /* the time between two initiations that a responder accepts */
};

struct end {
	struct device device;
	struct worker_pool pool;
	struct worker *worker;
	struct peer *peer;
	int kernel;
};

static struct end left, right;
static struct ev_loop *loop;
static int refuse_sends; /* how many of the next calls of sendmmsg find the socket full */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	if (refuse_sends <= 0)
		return __real_sendmmsg(fd, messages, count, flags);
	refuse_sends--;
	errno = EAGAIN;
	return -1;
}

/* --- set-up ----- */

static void gone(void *context)
{
	fail_msg("a TUN went away");
}

static void end_start(struct end *end, const char *name, enum backend_kind kind)
{
	struct tun tun = { .virtio = true };
	uint8_t key[NOISE_KEY];
	int pair[2], room = ROOM;

	memset(end, 0, sizeof *end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room)) /* only root may */
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	tun.fd = pair[0];
	end->kernel = pair[1];
	assert_int_equal(control_init(&end->device, name, &aead_libsodium, loop), 0);
	assert_int_equal(worker_pool_start(&end->pool, &end->device, loop, kind, &tun, 1, gone, NULL), 0);
	end->worker = end->pool.workers;
	assert_int_equal(control_set_up(&end->device, true, clock_boottime()), 0);
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
}

static void add_peer_of(struct end *end, const struct end *other)
{
	static const uint8_t all[4];

	end->peer = peer_add(&end->device, other->device.identity.public_key);
	assert_non_null(end->peer);
	end->peer->endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
													   .sin_port = htons(other->worker->udp.port),
													   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(allowedips_insert(&end->device.allowed_ips, AF_INET, all, 0, &end->peer->allowed_ips), 0);
}

static void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

static uint64_t count(unsigned counter)
{
	return counter_sum(&left.device, counter);
}

static void route_in(size_t length)
{
	static uint8_t packet[TUN_VIRTIO + LARGE];
	uint8_t *ip = packet + TUN_VIRTIO;

	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)length);
	ip[9] = IPPROTO_ICMP;
	assert_int_equal(write(left.kernel, packet, TUN_VIRTIO + length), TUN_VIRTIO + length);
}

/* Two ends with a session; the backend of the left one has learned that many small packets arrive at a time. */
static int set_up(void **state)
{
	enum backend_kind *kind = *state;

	refuse_sends = 0;
	loop = ev_loop_new(LOOP_FLAGS);
	end_start(&left, "left", *kind);
	end_start(&right, "right", *kind);
	add_peer_of(&left, &right);
	add_peer_of(&right, &left);
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(20);
	assert_non_null(left.peer->sessions.current);
	for (int i = 0; i < EGRESS_READS; i++)
		route_in(SMALL);
	spin(3);
	assert_int_equal(count(COUNT_TUN_READ), EGRESS_READS);
	memset(&left.device.counters, 0, sizeof left.device.counters);
	memset(&left.worker->counters, 0, sizeof left.worker->counters);
	return 0;
}

static int tear_down(void **state)
{
	struct end *const ends[] = { &left, &right };

	for (int i = 0; i < 2; i++) {
		worker_pool_stop(&ends[i]->pool);
		control_destroy(&ends[i]->device, loop);
		close(ends[i]->kernel);
	}
	ev_loop_destroy(loop);
	return 0;
}

/*
 * Routes in ten packets, five of them large: more than a drain without reading ahead, and more than the segment buffer
 * holds.
 */
static void route_in_a_mix(void)
{
	for (int i = 0; i < 10; i++)
		route_in(i % 2 ? LARGE : SMALL);
}

static bool reads_ahead(void **state)
{
	return *(enum backend_kind *)*state == BACKEND_IO_URING && backend_built_in(BACKEND_IO_URING);
}

/* --- tests ----- */

static void packets_read_ahead_are_sent_in_the_drain(void **state)
{
	route_in_a_mix();
	assert_int_equal(egress_drain(&left.worker->egress, clock_boottime()), 0);
	assert_int_equal(count(COUNT_TUN_READ), 10);
	assert_false(backend_pending(&left.worker->backend));
	assert_int_equal(count(COUNT_SENT), count(COUNT_SEALED));
}

static void packets_read_ahead_survive_a_full_socket(void **state)
{
	route_in_a_mix();
	refuse_sends = ALWAYS;
	spin(5);
	assert_true(left.worker->egress.blocked);
	assert_int_equal(count(COUNT_TUN_READ), 8);
	assert_int_equal(backend_pending(&left.worker->backend), reads_ahead(state));
	refuse_sends = 0;
	spin(10);
	assert_int_equal(count(COUNT_TUN_READ), 10);
	assert_int_equal(count(COUNT_SENT), 10);
	assert_false(backend_pending(&left.worker->backend));
}

/* The link goes down: the packets are dropped and counted. */
static void packets_read_ahead_are_dropped_with_the_sockets(void **state)
{
	route_in_a_mix();
	refuse_sends = ALWAYS;
	spin(5);
	assert_true(left.worker->egress.blocked);
	assert_int_equal(control_set_up(&left.device, false, clock_boottime()), 0);
	spin(5);
	assert_int_equal(count(COUNT_TUN_READ), 10);
	assert_int_equal(count(DROP_NO_ENDPOINT), 2);
	assert_false(backend_pending(&left.worker->backend));
}

/* Staged packets are cut from another buffer. */
static void staged_packets_do_not_overwrite_packets_read_ahead(void **state)
{
	route_in_a_mix();
	refuse_sends = ALWAYS;
	spin(5);
	forget_keys(left.peer);
	usleep(GATE_US);
	refuse_sends = 0;
	spin(10); /* now the rest is staged */
	assert_int_equal(count(COUNT_TUN_READ), 10);
	spin(30); /* and sent after the handshake */
	assert_non_null(left.peer->sessions.current);
	assert_int_equal(count(COUNT_SENT), 10);
	assert_int_equal(left.peer->staged.segments, 0);
}

static enum backend_kind kinds[] = { BACKEND_SYSCALLS, BACKEND_IO_URING };

#define WITH(kind, test)                                                                                               \
	{                                                                                                                  \
#test, test, set_up, tear_down, &kinds[kind]                                                                   \
	}
#define EACH(test) WITH(0, test), WITH(1, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(packets_read_ahead_are_sent_in_the_drain),
		EACH(packets_read_ahead_survive_a_full_socket),
		EACH(packets_read_ahead_are_dropped_with_the_sockets),
		EACH(staged_packets_do_not_overwrite_packets_read_ahead),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("read_ahead", tests, NULL, NULL);
}
