/* SPDX-License-Identifier: MIT */
/*
 * Two devices with several workers each, connected by UDP on the loopback. This thread is control of both. Each TUN
 * queue is one end of a SOCK_SEQPACKET pair, and the test has the other end, as the kernel would:
 *
 *   left.kernel[i] = left's worker i = 127.0.0.1 = right's workers = right.kernel[any]
 *
 * All workers of the left end send from one address and port, so one worker of the right end receives all of it.
 */
#ifndef ADIT_TEST_WORKER_POOL_RIG_H
#define ADIT_TEST_WORKER_POOL_RIG_H

#include "tunnel/worker_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "locked_calls.h"
#include "packet/checksum.h"
#include "packet/ip.h"
#include "tunnel/control.h"
#include "tunnel/handshake.h"
#include "tunnel/loop.h"

enum {
	MTU = 1420,
	WORKERS = 4, /* per end */
	ROOM = 4 << 20,
	FDS = 1024,
	TURN_US = 200,
	TURNS_MAX = 300000, /* of control's loop, a minute or more, before a test fails */
	GATE_US = 40000,    /* the time between two initiations that a responder accepts */
	LENGTH = 92,        /* bytes of a numbered packet */
	DATAGRAM = 96 + DATA_OVERHEAD,
};

struct end {
	struct device device;
	struct worker_pool pool;
	struct tun queues[WORKERS];
	struct peer *peer;
	int kernel[WORKERS];
	uint8_t inner[4]; /* its inner address */
	uint32_t routed[WORKERS], arrived[WORKERS], disorder;
	uint32_t past[WORKERS]; /* packets up to these numbers are ignored */
};

static struct end left, right;
static struct ev_loop *loop;
static pthread_t control;
static int tuns_gone;

/* --- wrapped calls ----- */

static _Atomic int sends;               /* calls of sendmmsg */
static _Atomic bool full, full_by_half; /* every call finds the socket full; every other call does */
static _Atomic uint32_t sealed_by[FDS]; /* numbered packets sent, by socket */
static _Atomic int deleted_tun;         /* the descriptor whose TUN is deleted; 0: none */
static int threads_left, sockets_left;  /* how many more can be made; negative: any number */
static int cpus;                        /* 0: the call fails */

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	int sent;

	if (full || (full_by_half && ++sends % 2)) {
		errno = EAGAIN;
		return -1;
	}
	sent = __real_sendmmsg(fd, messages, count, flags);
	for (int i = 0; i < sent; i++)
		if (messages[i].msg_len % DATAGRAM == 0)
			sealed_by[fd] += messages[i].msg_len / DATAGRAM;
	return sent;
}

ssize_t __real_read(int fd, void *buffer, size_t bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t bytes)
{
	if (!deleted_tun || fd != deleted_tun)
		return __real_read(fd, buffer, bytes);
	errno = EBADFD;
	return -1;
}

/* With _FORTIFY_SOURCE, the compiler may call __read_chk instead of read. */
ssize_t __wrap___read_chk(int fd, void *buffer, size_t bytes, size_t size);
ssize_t __wrap___read_chk(int fd, void *buffer, size_t bytes, size_t size)
{
	return __wrap_read(fd, buffer, bytes);
}

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	if (!threads_left)
		return EAGAIN;
	threads_left -= threads_left > 0;
	return __real_pthread_create(id, attributes, run, argument);
}

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	if (!sockets_left) {
		errno = EMFILE;
		return -1;
	}
	sockets_left -= sockets_left > 0;
	return __real_socket(family, type, protocol);
}

int __wrap_sched_getaffinity(pid_t process, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
	CPU_ZERO_S(size, set);
	for (int i = 0; i < cpus; i++)
		CPU_SET_S(2 * (size_t)i, size, set); /* not the first ones */
	errno = EINVAL;
	return cpus ? 0 : -1;
}

static int locked_by_control; /* how often the device lock was taken exclusively; only control does */

int __real_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	locked_by_control++;
	return __real_pthread_rwlock_wrlock(lock);
}

/* --- set-up ----- */

static inline int entries(const char *directory)
{
	DIR *stream = opendir(directory);
	int count = 0;

	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

static inline int threads(void)
{
	return entries("/proc/self/task");
}

static inline int descriptors(void)
{
	return entries("/proc/self/fd");
}

static inline void gone(void *context)
{
	assert_true(pthread_equal(pthread_self(), control));
	assert_ptr_equal(context, &left);
	tuns_gone++;
}

static inline void end_queues(struct end *end, unsigned count)
{
	int pair[2], room = ROOM;

	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		for (int k = 0; k < 2; k++)
			if (setsockopt(pair[k], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room)) /* only root may */
				setsockopt(pair[k], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
		end->queues[i] = (struct tun) { .fd = pair[0], .name = "queue", .virtio = true, .read_tso = true };
		end->kernel[i] = pair[1];
	}
}

static inline void end_start(struct end *end, const char *name, uint8_t host, unsigned count)
{
	uint8_t key[NOISE_KEY];

	memset(end, 0, sizeof *end);
	end_queues(end, count);
	assert_int_equal(control_init(&end->device, name, &aead_libsodium, loop), 0);
	end->device.mtu = MTU;
	assert_int_equal(worker_pool_start(&end->pool, &end->device, loop, BACKEND_SYSCALLS, end->queues, count, gone, end),
					 0);
	assert_int_equal(control_set_up(&end->device, true, clock_boottime()), 0);
	randombytes_buf(key, sizeof key);
	control_set_private_key(&end->device, key);
	memcpy(end->inner, (uint8_t[]) { 10, 0, 0, host }, 4);
}

static inline struct endpoint loopback(uint16_t port)
{
	struct endpoint endpoint = { 0 };

	endpoint.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET,
											.sin_port = htons(port),
											.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return endpoint;
}

static inline void add_peer_of(struct end *end, const struct end *other)
{
	struct endpoint endpoint = loopback(other->device.listen_port);

	end->peer = peer_add(&end->device, other->device.identity.public_key);
	assert_non_null(end->peer);
	peer_set_endpoint(end->peer, &endpoint, ORIGIN_ROAMED);
	device_lock(&end->device);
	assert_int_equal(allowedips_insert(&end->device.allowed_ips, AF_INET, other->inner, 32, &end->peer->allowed_ips),
					 0);
	device_unlock(&end->device);
}

static inline void reset(void)
{
	control = pthread_self();
	full = full_by_half = false;
	deleted_tun = tuns_gone = 0;
	threads_left = sockets_left = -1;
	memset(sealed_by, 0, sizeof sealed_by);
}

static inline int set_up(unsigned count)
{
	reset();
	loop = ev_loop_new(LOOP_FLAGS);
	end_start(&left, "left", 1, count);
	end_start(&right, "right", 2, count);
	add_peer_of(&left, &right);
	add_peer_of(&right, &left);
	return 0;
}

static inline int set_up_two(void **state)
{
	return set_up(2);
}

static inline int set_up_four(void **state)
{
	return set_up(4);
}

static inline int set_up_one(void **state)
{
	return set_up(1);
}

static inline void end_stop(struct end *end)
{
	unsigned count = end->pool.count;

	worker_pool_stop(&end->pool);
	control_destroy(&end->device, loop);
	for (unsigned i = 0; i < count; i++)
		close(end->kernel[i]);
}

static inline int tear_down(void **state)
{
	reset();
	end_stop(&left);
	end_stop(&right);
	ev_loop_destroy(loop);
	return 0;
}

/* Runs control's loop once. */
static inline void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
	usleep(TURN_US);
}

#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                               \
		int turns = 0;                                                                                                 \
		for (; !(condition) && turns < TURNS_MAX; turns++)                                                             \
			turn();                                                                                                    \
		assert_true(turns < TURNS_MAX);                                                                                \
	} while (0)

static inline uint64_t count(struct end *end, unsigned counter)
{
	return counter_sum(&end->device, counter);
}

/* Returns how many segments are staged. */
static inline uint32_t waiting(struct end *end)
{
	uint32_t segments;

	device_lock(&end->device);
	segments = end->peer->staged.segments;
	device_unlock(&end->device);
	return segments;
}

/* Finds the sockets of this process that are bound to a port. */
static inline int bound_to(uint16_t port, int fds[FDS])
{
	int found = 0;

	for (int fd = 0; fd < FDS; fd++) {
		struct sockaddr_in6 name = { 0 };
		socklen_t size = sizeof name;

		if (!getsockname(fd, (struct sockaddr *)&name, &size) && name.sin6_family != AF_UNIX &&
			ntohs(name.sin6_port) == port)
			fds[found++] = fd;
	}
	return found;
}

/* --- packets ----- */

/* Makes a UDP packet that contains a number; its source port is the flow. */
static inline size_t numbered(uint8_t *packet, const struct end *from, const struct end *to, unsigned flow,
							  uint32_t number)
{
	uint8_t *ip = packet + VIRTIO_HEADER;

	memset(packet, 0, VIRTIO_HEADER + LENGTH);
	ip[0] = 0x45;
	put_be16(ip + 2, LENGTH);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, from->inner, 4);
	memcpy(ip + 16, to->inner, 4);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
	put_be16(ip + 20, (uint16_t)flow);
	put_be16(ip + 24, LENGTH - IPV4_HEADER);
	put_be32(ip + 28, number);
	return VIRTIO_HEADER + LENGTH;
}

static inline void route_in(struct end *from, const struct end *to, unsigned queue, int packets)
{
	uint8_t packet[VIRTIO_HEADER + LENGTH];

	while (packets--) {
		size_t n = numbered(packet, from, to, queue, ++from->routed[queue]);
		assert_int_equal(write(from->kernel[queue], packet, n), n);
	}
}

static inline void route_in_all(struct end *from, const struct end *to, int packets)
{
	for (unsigned i = 0; i < from->pool.count; i++)
		route_in(from, to, i, packets);
}

/* Reads the packets that this end wrote to its TUN, and checks the order of each flow. Returns how many. */
static inline uint32_t take_out(struct end *end)
{
	static uint8_t packet[VIRTIO_HEADER + 65535];
	uint32_t total = 0;

	for (unsigned i = 0; i < end->pool.count; i++) {
		while (__real_read(end->kernel[i], packet, sizeof packet) == VIRTIO_HEADER + LENGTH) {
			unsigned flow = get_be16(packet + VIRTIO_HEADER + 20);
			uint32_t number = get_be32(packet + VIRTIO_HEADER + 28);

			assert_true(flow < WORKERS);
			if (number <= end->past[flow])
				continue;
			end->disorder += number <= end->arrived[flow];
			end->arrived[flow] = number;
			total++;
		}
	}
	return total;
}

/* Ignores the packets that are in flight or lost. */
static inline void let_pass(const struct end *from, struct end *to)
{
	memcpy(to->past, from->routed, sizeof to->past);
}

/* Waits until so many packets were written to the TUN, each flow in order. */
static inline void expect_out(struct end *end, uint32_t packets)
{
	uint32_t came = 0;

	WAIT_FOR((came += take_out(end)) >= packets);
	assert_int_equal(came, packets);
	assert_int_equal(end->disorder, 0);
}

/* Waits until the responder accepts another initiation. */
static inline void let_gate_pass(void)
{
	for (int us = 0; us < GATE_US; us += TURN_US)
		turn();
}

/*
 * Waits for the confirmation, because until then the responder sends under its old key, which the initiator may have
 * forgotten.
 */
static inline void connect_ends(void)
{
	handshake_initiate(left.peer, clock_boottime(), false);
	WAIT_FOR(left.peer->sessions.current && right.peer->sessions.current && !right.peer->sessions.next);
}

static inline void packets_cross(void)
{
	unsigned workers = left.pool.count;

	route_in_all(&left, &right, 50);
	expect_out(&right, 50 * workers);
	route_in_all(&right, &left, 30);
	expect_out(&left, 30 * workers);
}

#endif
