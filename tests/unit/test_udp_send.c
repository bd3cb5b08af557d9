/* SPDX-License-Identifier: MIT */
/*
 * Tests of udp_send with a simulated kernel. Its sendmmsg accepts a random number of messages, rejects groups, local
 * addresses and destinations as configured, and logs every datagram. No datagram may be lost without being counted,
 * sent twice or sent out of order.
 */
#include "io/udp.h"

#include <errno.h>
#include <limits.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { V4 = 1004, V6 = 1006, DESTINATIONS = 16, RUNS = 300, ROOM = 1 << 22 };

/* The behaviour of a destination, selected by its port. Errors are 0 or positive. */
struct destination {
	int group_error; /* for a message of several datagrams */
	int local_error; /* for a message with PKTINFO */
	int error;       /* for all messages */
	uint64_t datagrams, messages;
};

static struct kernel {
	struct destination destinations[DESTINATIONS];
	int full;    /* the error after `left` messages */
	int left;    /* messages accepted before the error; INT_MAX: all */
	bool random; /* choose a new `left` at each call */
	uint64_t calls;
	uint8_t log[ROOM]; /* the payloads of all datagrams, concatenated */
	size_t logged;
} kernel;

static const void *control(struct msghdr *message, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static void deliver(struct destination *to, const struct iovec *part, uint16_t size)
{
	const uint8_t *data = part->iov_base;

	for (size_t at = 0; at < part->iov_len; at += size) {
		size_t length = part->iov_len - at < size ? part->iov_len - at : size;

		assert_true(kernel.logged + length <= sizeof kernel.log);
		memcpy(kernel.log + kernel.logged, data + at, length);
		kernel.logged += length;
		to->datagrams++;
	}
}

/* Accepts one message. Returns 0 or a positive errno. */
static int take(int fd, struct msghdr *message)
{
	const struct sockaddr_in *name = message->msg_name; /* the port has the same offset in both families */
	struct destination *to = &kernel.destinations[ntohs(name->sin_port) % DESTINATIONS];
	bool source = control(message, IPPROTO_IP, IP_PKTINFO) || control(message, IPPROTO_IPV6, IPV6_PKTINFO);
	const void *segment = control(message, IPPROTO_UDP, UDP_SEGMENT);
	uint16_t size = (uint16_t)message->msg_iov->iov_len;

	assert_true(segment || message->msg_iovlen == 1);
	assert_int_equal(fd, name->sin_family == AF_INET ? V4 : V6);
	if (segment)
		memcpy(&size, segment, sizeof size);
	if (segment && to->group_error)
		return to->group_error;
	if (source && to->local_error)
		return to->local_error;
	if (to->error)
		return to->error;
	to->messages++;
	for (size_t part = 0; part < message->msg_iovlen; part++)
		deliver(to, &message->msg_iov[part], size);
	return 0;
}

/* Like sendmmsg(2), reports only an error of the first message. */
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	unsigned done = 0;
	int error = 0;

	kernel.calls++;
	assert_true(count >= 1 && count <= 128);
	if (kernel.random)
		kernel.left = rand() % 8;
	while (done < count && !error) {
		error = kernel.left > 0 ? take(fd, &messages[done].msg_hdr) : kernel.full;
		if (kernel.left != INT_MAX)
			kernel.left--;
		done += !error;
	}
	if (done)
		return (int)done;
	errno = error;
	return -1;
}

static struct udp udp;
static struct endpoint endpoints[DESTINATIONS];
static struct udp_run runs[RUNS];
static uint8_t data[ROOM];
static struct iovec pieces[RUNS][8];

/* Sockets of both families. Destinations alternate between the families and have a local address. */
static int reset(void **state)
{
	memset(&kernel, 0, sizeof kernel);
	memset(runs, 0, sizeof runs);
	kernel.left = INT_MAX;
	kernel.full = EAGAIN;
	udp = (struct udp) { .v4 = V4, .v6 = V6, .port = 1, .gso = true, .run_segments = UDP_RUN_SEGMENTS };
	for (int i = 0; i < DESTINATIONS; i++) {
		endpoints[i] = (struct endpoint) { 0 };
		if (i % 2) {
			endpoints[i].to.v6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)i) };
			endpoints[i].local.v6.ipi6_addr = in6addr_loopback;
		} else {
			endpoints[i].to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons((uint16_t)i) };
			endpoints[i].local.v4.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
		}
	}
	for (size_t i = 0; i < sizeof data; i += sizeof(uint32_t))
		memcpy(data + i, &(uint32_t) { (uint32_t)i }, sizeof(uint32_t));
	return 0;
}

static uint32_t count_datagrams(const struct udp_run *run)
{
	return (run->bytes + run->size - 1) / run->size;
}

/* Splits a run into parts of whole datagrams, the last with the rest. */
static void split(struct udp_run *run, struct iovec parts[8])
{
	uint32_t at = 0;

	for (run->part_count = 0; at < run->bytes; run->part_count++) {
		uint32_t left = run->bytes - at, length = run->size * (1u + (uint32_t)rand() % 3);
		if (length > left || run->part_count == 7)
			length = left;
		parts[run->part_count] = (struct iovec) { (uint8_t *)run->data + at, length };
		at += length;
	}
	run->parts = parts;
}

/* Makes `count` runs, contiguous in `data`. Some of them use parts. */
static size_t make_runs(int count, int destinations, uint16_t max)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		runs[i] = (struct udp_run) {
			.to = &endpoints[rand() % destinations],
			.data = data + at,
			.size = (uint16_t)(32 + rand() % 200),
			.no_gso = rand() % 8 == 0,
		};
		runs[i].bytes = (uint32_t)runs[i].size * (uint32_t)(rand() % max) + 1u + (uint32_t)rand() % runs[i].size;
		at += runs[i].bytes;
		if (rand() % 2)
			split(&runs[i], pieces[i]);
	}
	return at;
}

/* Calls udp_send until all runs are done, like an event loop. Returns the number of calls. */
static int send_all(int count)
{
	int calls = 0;

	for (int done = 0; done < count; calls++) {
		int n = udp_send(&udp, runs + done, count - done);

		assert_uint_in_range(n, 0, count - done);
		done += n;
		if (done < count)
			assert_true(runs[done].to->to.any.sa_family == AF_INET ? udp.v4_blocked : udp.v6_blocked);
		assert_true(calls < 100000);
	}
	return calls;
}

/* The log must contain all runs except those to destinations that reject everything. */
static void check(int count)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		const struct udp_run *run = &runs[i];
		const struct destination *to = &kernel.destinations[run->to - endpoints];

		if (to->error) {
			assert_int_equal(run->failed, count_datagrams(run));
			assert_int_equal(run->error, to->error);
			assert_int_equal(run->sent, 0);
			continue;
		}
		assert_int_equal(run->sent, run->bytes);
		assert_int_equal(run->failed, 0);
		assert_int_equal(run->error, 0);
		assert_int_equal(run->local_gone, to->local_error != 0);
		if (run->no_gso || count_datagrams(run) == 1)
			assert_false(run->gso_refused);
		else
			assert_int_equal(run->gso_refused, to->group_error != 0);
		assert_memory_equal(kernel.log + at, run->data, run->bytes);
		at += run->bytes;
	}
	assert_int_equal(kernel.logged, at);
}

static void many_runs_need_few_calls(void **state)
{
	srand(1);
	make_runs(100, 1, 8);
	assert_int_equal(send_all(100), 1);
	check(100);
	assert_true(kernel.calls <= 3); /* 100 groups, some sent singly, 128 messages per call */
}

static void random_schedules_lose_nothing(void **state)
{
	static const int group_errors[] = { 0, 0, EIO, EMSGSIZE, EINVAL };
	static const int local_errors[] = { 0, 0, EINVAL, ENETUNREACH, ENODEV };
	static const int errors[] = {
		0, 0, 0, EPERM, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, EINVAL, ENODEV, EMSGSIZE, EIO
	};

	for (unsigned seed = 0; seed < 400; seed++) {
		reset(state);
		srand(seed);
		for (int i = 0; i < DESTINATIONS; i++) {
			kernel.destinations[i].group_error = group_errors[rand() % 5];
			kernel.destinations[i].local_error = local_errors[rand() % 5];
			kernel.destinations[i].error = errors[rand() % 11];
		}
		kernel.random = rand() % 4;
		kernel.full = rand() % 3 ? EAGAIN : EINTR;
		udp.gso = rand() % 8;
		make_runs(RUNS / 2, DESTINATIONS, seed % 2 ? 4 : 64);
		for (int i = 0; i < RUNS / 2 && !udp.gso; i++)
			runs[i].no_gso = true;
		send_all(RUNS / 2);
		check(RUNS / 2);
	}
}

/* The socket is full after each possible number of messages, with and without GSO. */
static void a_run_resumes_after_any_message(void **state)
{
	for (int stop = 0; stop < 60; stop++) {
		int first;

		reset(state);
		srand(7);
		make_runs(10, 2, 10);
		kernel.left = stop;
		first = udp_send(&udp, runs, 10);
		if (first < 10)
			assert_true(runs[first].to->to.any.sa_family == AF_INET ? udp.v4_blocked : udp.v6_blocked);
		kernel.left = INT_MAX;
		assert_int_equal(udp_send(&udp, runs + first, 10 - first), 10 - first);
		assert_false(udp.v4_blocked || udp.v6_blocked);
		check(10);
	}
}

static void single(int destination, uint32_t datagrams)
{
	runs[0] =
		(struct udp_run) { .to = &endpoints[destination], .data = data, .size = 100, .bytes = 100 * datagrams - 50 };
}

static void only_the_socket_that_stopped_the_last_send_is_flagged(void **state)
{
	single(0, 2);
	kernel.left = 0;
	assert_int_equal(udp_send(&udp, runs, 1), 0);
	assert_true(udp.v4_blocked && !udp.v6_blocked);
	single(1, 2);
	assert_int_equal(udp_send(&udp, runs, 1), 0);
	assert_true(!udp.v4_blocked && udp.v6_blocked);
	single(0, 2); /* the runs for the full IPv6 socket were dropped */
	assert_int_equal(udp_send(&udp, runs, 1), 0);
	assert_true(udp.v4_blocked && !udp.v6_blocked);
	kernel.left = INT_MAX;
	single(1, 2);
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	assert_false(udp.v4_blocked || udp.v6_blocked);
	assert_int_equal(kernel.destinations[0].datagrams, 0);
	assert_int_equal(kernel.destinations[1].datagrams, 2);
}

static void without_gso_datagrams_are_sent_singly(void **state)
{
	udp.gso = false;
	single(0, 5);
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	assert_int_equal(kernel.destinations[0].messages, 5);
	assert_int_equal(kernel.destinations[0].datagrams, 5);
	assert_false(runs[0].gso_refused);
}

/* After each of the three errors this run, and no other, is sent one by one in the same call. */
static void a_rejected_group_is_sent_singly(void **state)
{
	static const int errors[] = { EIO, EMSGSIZE, EINVAL };

	for (int i = 0; i < 3; i++) {
		reset(state);
		kernel.destinations[0].group_error = errors[i];
		single(0, 5);
		runs[1] = runs[0], runs[1].to = &endpoints[2], runs[1].data += runs[0].bytes;
		assert_int_equal(udp_send(&udp, runs, 2), 2);
		check(2);
		assert_true(runs[0].gso_refused && !runs[1].gso_refused);
		assert_int_equal(kernel.destinations[0].messages, 5);
		assert_int_equal(kernel.destinations[2].messages, 1);
	}
}

/* EINVAL is the error for a gone IPv6 local address as well as for a rejected group. The group must not be blamed. */
static void a_gone_local_address_keeps_the_group(void **state)
{
	kernel.destinations[1].local_error = EINVAL;
	single(1, 5);
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	assert_true(runs[0].local_gone);
	assert_false(runs[0].gso_refused);
	assert_int_equal(kernel.destinations[1].messages, 1);
	assert_int_equal(kernel.destinations[1].datagrams, 5);
}

static void the_local_address_may_disappear_midway(void **state)
{
	single(0, 6);
	runs[0].no_gso = true;
	kernel.left = 3;
	assert_int_equal(udp_send(&udp, runs, 1), 0);
	assert_int_equal(runs[0].sent, 300);
	kernel.left = INT_MAX;
	kernel.destinations[0].local_error = ENETUNREACH;
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	check(1);
}

static void without_ipv6_its_runs_fail(void **state)
{
	udp.v6 = -1;
	single(1, 3);
	runs[1] = runs[0], runs[1].no_gso = true;
	runs[2] = runs[0], runs[2].to = &endpoints[0];
	runs[3] = runs[0], runs[3].to = &(struct endpoint) { 0 };
	assert_int_equal(udp_send(&udp, runs, 4), 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(runs[i].error, i == 2 ? 0 : EAFNOSUPPORT);
		assert_int_equal(runs[i].failed, i == 2 ? 0 : 3);
	}
	assert_int_equal(kernel.destinations[0].datagrams, 3);
	assert_false(udp.v4_blocked || udp.v6_blocked);
}

/* Without memory udp_send returns a few times without progress, and then fails the first run only. */
static void lasting_lack_of_memory_fails_a_run(void **state)
{
	int calls = 0;

	single(0, 3);
	runs[1] = runs[2] = runs[0];
	runs[2].to = &endpoints[2];
	kernel.destinations[0].error = ENOBUFS;
	for (int done = 0; done < 3; calls++) {
		done += udp_send(&udp, runs + done, 3 - done);
		assert_int_equal(udp.v4_blocked, done < 3);
		assert_true(calls < 20);
	}
	assert_true(calls >= 14); /* each of the two runs was retried */
	assert_int_equal(udp.starved, 0);
	check(3);
}

/* With IP_RECVERR the kernel reports what a queueing discipline drops, which is not to be sent again. */
static void while_errors_are_watched_a_drop_of_the_kernel_counts_as_sent(void **state)
{
	single(0, 3);
	kernel.destinations[0].error = ENOBUFS;
	udp.watches_errors = true;
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	udp.watches_errors = false;
	assert_false(udp.v4_blocked);
	assert_int_equal(runs[0].failed, 0);
	assert_int_equal(runs[0].sent, runs[0].bytes);
	assert_int_equal(kernel.calls, 1);
}

/* When memory is available again, nothing is lost, and the number of retries starts over. */
static void a_brief_lack_of_memory_loses_nothing(void **state)
{
	single(0, 3);
	for (int round = 0; round < 20; round++) {
		runs[0].sent = 0;
		kernel.destinations[0].error = ENOMEM;
		for (int i = 0; i < 3; i++)
			assert_int_equal(udp_send(&udp, runs, 1), 0);
		kernel.destinations[0].error = 0;
		assert_int_equal(udp_send(&udp, runs, 1), 1);
		assert_int_equal(runs[0].failed, 0);
	}
	assert_int_equal(kernel.destinations[0].datagrams, 60);
}

/* udp_send handles every errno within a few system calls. */
static void every_error_ends_in_few_calls(void **state)
{
	for (int error = 1; error < 134; error++) {
		if (error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR)
			continue;
		reset(state);
		srand((unsigned)error);
		for (int i = 0; i < DESTINATIONS; i++)
			kernel.destinations[i].error = error;
		make_runs(10, DESTINATIONS, 64);
		assert_int_equal(udp_send(&udp, runs, 10), 10);
		check(10);
		assert_true(kernel.calls <= 10 * 6);
	}
}

static void no_runs_need_no_calls(void **state)
{
	single(0, 1);
	runs[0].bytes = 0;
	assert_int_equal(udp_send(&udp, runs, 0), 0);
	assert_int_equal(udp_send(&udp, runs, 1), 1);
	assert_int_equal(kernel.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(many_runs_need_few_calls, reset),
		cmocka_unit_test_setup(random_schedules_lose_nothing, reset),
		cmocka_unit_test_setup(a_run_resumes_after_any_message, reset),
		cmocka_unit_test_setup(only_the_socket_that_stopped_the_last_send_is_flagged, reset),
		cmocka_unit_test_setup(without_gso_datagrams_are_sent_singly, reset),
		cmocka_unit_test_setup(a_rejected_group_is_sent_singly, reset),
		cmocka_unit_test_setup(a_gone_local_address_keeps_the_group, reset),
		cmocka_unit_test_setup(the_local_address_may_disappear_midway, reset),
		cmocka_unit_test_setup(without_ipv6_its_runs_fail, reset),
		cmocka_unit_test_setup(lasting_lack_of_memory_fails_a_run, reset),
		cmocka_unit_test_setup(while_errors_are_watched_a_drop_of_the_kernel_counts_as_sent, reset),
		cmocka_unit_test_setup(a_brief_lack_of_memory_loses_nothing, reset),
		cmocka_unit_test_setup(every_error_ends_in_few_calls, reset),
		cmocka_unit_test_setup(no_runs_need_no_calls, reset),
	};

	return cmocka_run_group_tests_name("udp_send", tests, NULL, NULL);
}
