/* SPDX-License-Identifier: MIT */
/* Two ends, left and right (../ends.h), with a wrapped sendmmsg, and packets between them. */
#ifndef ADIT_TEST_WORKER_RIG_H
#define ADIT_TEST_WORKER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "../ends.h"
#include "locked_calls.h"
#include "tunnel/loop.h"

enum { GATE_US = 40000 }; /* the time between two initiations that a responder accepts */

static struct end left, right;
static struct ev_loop *loop;
static enum backend_kind backend; /* of both ends */
static int refuse_sends; /* how many of the next calls of sendmmsg find the socket full; negative: every other call */

static void (*after_send)(void); /* called before sendmmsg returns; NULL: nothing happens meanwhile */
static int sends, runs_sent; /* calls of sendmmsg, and the messages of these calls */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	static int calls;
	int sent;

	sends++;
	runs_sent = (sends > 1 ? runs_sent : 0) + (int)count;
	if (refuse_sends > 0 || (refuse_sends < 0 && ++calls % 2)) {
		refuse_sends -= refuse_sends > 0;
		errno = EAGAIN;
		return -1;
	}
	if (refuse_sends < 0 && count > 1)
		count = 1 + count / 3; /* takes a part of the messages only */
	sent = __real_sendmmsg(fd, messages, count, flags);
	if (after_send)
		after_send();
	return sent;
}

/* --- set-up ----- */

static inline void gone(void *context)
{
	fail_msg("a TUN went away");
}

static inline int set_up(void **state)
{
	refuse_sends = 0;
	after_send = NULL;
	loop = ev_loop_new(LOOP_FLAGS);
	memset(&left, 0, sizeof left);
	memset(&right, 0, sizeof right);
	assert_true(end_open(&left, loop, "left", 1, &aead_libsodium, backend, gone));
	assert_true(end_open(&right, loop, "right", 2, &aead_libsodium, backend, gone));
	assert_true(end_add_peer(&left, &right));
	assert_true(end_add_peer(&right, &left));
	return 0;
}

static inline int tear_down(void **state)
{
	end_close(&left, loop);
	end_close(&right, loop);
	ev_loop_destroy(loop);
	return 0;
}

static inline void spin(int turns)
{
	while (turns--)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline uint64_t count(struct end *end, unsigned counter)
{
	return counter_sum(&end->device, counter);
}

static inline void connect_ends(void)
{
	handshake_initiate(left.peer, clock_boottime(), false);
	spin(20);
	assert_non_null(left.peer->sessions.current);
	assert_non_null(right.peer->sessions.current);
}

/* --- packets ----- */

static uint8_t packet[VIRTIO_HEADER + 65535], received[VIRTIO_HEADER + 65535];

/* Makes a UDP packet of `length` bytes without a checksum. Returns its length with the virtio header. */
static inline size_t udp_packet(const struct end *from, const struct end *to, size_t length, uint8_t fill)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	memset(packet, 0, VIRTIO_HEADER);
	put_ipv4(ip, from, to, IPPROTO_UDP, length);
	memset(ip + IPV4_HEADER, fill, length - IPV4_HEADER);
	put_be16(ip + 24, (uint16_t)(length - IPV4_HEADER));
	put_be16(ip + 26, 0);
	return VIRTIO_HEADER + length;
}

static inline size_t tcp_packet(const struct end *from, const struct end *to, size_t payload, uint16_t size)
{
	return put_tcp(packet, from, to, payload, size);
}

static inline void route_in(const struct end *end, size_t n)
{
	assert_int_equal(write(end->kernel, packet, n), n);
}

/* Reads TCP payloads from the tunnel until `payload` bytes have arrived, each exactly once and in order. */
static inline void expect_tcp(const struct end *end, size_t payload)
{
	uint64_t limit = clock_boottime() + 60 * NS_PER_S;
	size_t at = 0;

	while (at < payload) {
		ssize_t n = read(end->kernel, received, sizeof received);
		const uint8_t *tcp = received + VIRTIO_HEADER + IPV4_HEADER;
		assert_true(clock_boottime() < limit);
		if (n < 0) {
			spin(1);
			continue;
		}
		assert_true(n > VIRTIO_HEADER + 40);
		assert_int_equal(get_be32(tcp + 4), 1 + at);
		for (size_t i = 0; i < (size_t)n - VIRTIO_HEADER - 40; i++, at++)
			if (tcp[TCP_HEADER + i] != (uint8_t)(at * 7 + at / 256))
				fail_msg("byte %zu is wrong", at);
	}
	spin(3);
	assert_int_equal(read(end->kernel, received, sizeof received), -1);
	assert_int_equal(at, payload);
}

#endif
