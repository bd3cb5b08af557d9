/* SPDX-License-Identifier: MIT */
/* Tests of sending and receiving by the UDP sockets, on lo in a network namespace. */
#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "sandbox.h"

#include <cmocka.h>

enum { MARK = 7, TIMEOUT_MS = 60000 };

/* Simulated: a host without IPv6, and flags of received messages. */
static bool no_v6;
static int flags_of[UDP_BATCH], gro_size; /* not 0: the segment size that recvmmsg reports */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	if (!no_v6 || family != AF_INET6)
		return __real_socket(family, type, protocol);
	errno = EAFNOSUPPORT;
	return -1;
}

int __real_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);

static void set_gro_size(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(CMSG_DATA(c), &gro_size, sizeof gro_size);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	int received = __real_recvmmsg(fd, messages, count, flags, timeout);

	for (int i = 0; i < received; i++) {
		messages[i].msg_hdr.msg_flags |= flags_of[i];
		if (gro_size)
			set_gro_size(&messages[i].msg_hdr);
	}
	return received;
}

/* --- two ends on lo ----- */

static struct pair {
	struct udp a, b;
	struct udp_batch *batch;
	uint8_t data[256 << 10];
} pair;

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof pair.data; i++)
		pair.data[i] = (uint8_t)(i * 31 + i / 251);
	pair.batch = udp_batch_create();
	if (!pair.batch || udp_open(&pair.a, 0, 0) || udp_open(&pair.b, 0, 0))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	no_v6 = false;
	memset(flags_of, 0, sizeof flags_of);
	gro_size = 0;
	udp_close(&pair.a);
	udp_close(&pair.b);
	udp_batch_destroy(pair.batch);
	return 0;
}

static struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint e = { 0 };

	if (strchr(address, ':')) {
		e.to.v6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(port) };
		assert_int_equal(inet_pton(AF_INET6, address, &e.to.v6.sin6_addr), 1);
	} else {
		e.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) };
		assert_int_equal(inet_pton(AF_INET, address, &e.to.v4.sin_addr), 1);
	}
	return e;
}

static struct udp_run run_of(const struct endpoint *to, uint32_t from, uint32_t bytes, uint16_t size)
{
	return (struct udp_run) { .to = to, .data = pair.data + from, .bytes = bytes, .size = size };
}

/* Waits for the next messages to b. */
static int receive(int fd, struct udp_message messages[UDP_BATCH])
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct udp_dropped dropped = { 0 };
	int count;

	assert_int_equal(poll(&wait, 1, TIMEOUT_MS), 1);
	count = udp_receive(fd, pair.batch, messages, &dropped);
	assert_true(count > 0);
	assert_int_equal(dropped.truncated + dropped.segments, 0);
	return count;
}

/* Receives `bytes` at b and compares them with pair.data from offset `from`, in datagrams of `size`. */
static int receive_all(int fd, uint32_t from, uint32_t bytes, uint16_t size)
{
	struct udp_message messages[UDP_BATCH];
	uint32_t done = 0;
	int taken = 0;

	while (done < bytes) {
		int count = receive(fd, messages);

		taken += count;
		for (int i = 0; i < count; i++) {
			assert_memory_equal(messages[i].data, pair.data + from + done, messages[i].length);
			assert_int_equal(messages[i].size, messages[i].length < size ? messages[i].length : size);
			done += messages[i].length;
		}
	}
	assert_int_equal(done, bytes);
	return taken;
}

static void expect_silence(int fd)
{
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };

	assert_int_equal(udp_receive(fd, pair.batch, messages, &dropped), 0);
	assert_int_equal(dropped.truncated + dropped.segments, 0);
}

static void a_host_without_ipv6_has_one_socket(void **state)
{
	struct endpoint v4 = at("127.0.0.1", pair.b.port), v6 = at("::1", pair.b.port);
	struct udp_run runs[] = { run_of(&v6, 0, 10, 10), run_of(&v4, 0, 10, 10) };
	struct udp udp;

	no_v6 = true;
	assert_int_equal(udp_open(&udp, 0, MARK), 0);
	assert_int_equal(udp.v6, -1);
	assert_int_equal(udp_set_mark(&udp, 0), 0);
	assert_true(udp.gro == pair.a.gro && udp.gso == pair.a.gso);
	assert_int_equal(udp_send(&udp, runs, 2), 2);
	assert_int_equal(runs[0].error, EAFNOSUPPORT);
	receive_all(pair.b.v4, 0, 10, 10);
	udp_close(&udp);
}

/* The kernel accepts the probed number of full segments in both families, for the smallest data messages too. */
static void the_probed_segments_are_accepted(void **state)
{
	struct endpoint to[] = { at("127.0.0.1", pair.b.port), at("::1", pair.b.port) };

	assert_uint_in_range(pair.a.run_segments, UDP_RUN_SEGMENTS - 1, UDP_RUN_SEGMENTS);
	for (int i = 0; i < 2; i++) {
		uint32_t bytes = 48u * pair.a.run_segments;
		struct udp_run run = run_of(&to[i], 0, bytes, 48);

		assert_int_equal(udp_send(&pair.a, &run, 1), 1);
		assert_int_equal(run.sent, bytes);
		assert_false(run.gso_refused);
		receive_all(i ? pair.b.v6 : pair.b.v4, 0, bytes, 48);
	}
}

/* --- sending and receiving ----- */

/* Runs of all shapes arrive the same with and without GSO and GRO. */
static void runs_arrive_the_same_with_and_without_offloads(void **state)
{
	static const uint32_t shapes[][2] = { { 1, 1 },        { 1452, 1452 }, { 1452 * 40 + 7, 1452 },
										  { 48 * 60, 48 }, { 3000, 1000 }, { UDP_RUN_BYTES, 1200 } };
	struct endpoint to[] = { at("127.0.0.1", pair.b.port), at("::1", pair.b.port) };

	for (int round = 0; round < 8 * 6; round++) {
		uint32_t bytes = shapes[round / 8][0];
		uint16_t size = (uint16_t)shapes[round / 8][1];
		struct udp_run run = run_of(&to[round & 1], (uint32_t)round, bytes, size);
		int fd = round & 1 ? pair.b.v6 : pair.b.v4, gro = round >> 2 & 1, taken;

		pair.a.gso = round & 2;
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &gro, sizeof gro);
		assert_int_equal(udp_send(&pair.a, &run, 1), 1);
		assert_int_equal(run.sent, bytes);
		assert_int_equal(run.error, 0);
		taken = receive_all(fd, (uint32_t)round, bytes, size);
		assert_int_equal(taken, pair.a.gso && gro ? 1 : (bytes + size - 1) / size);
	}
}

/* udp_receive must reset the sizes in the batch, because a message may be longer than the previous one. */
static void sizes_are_reset_for_each_batch(void **state)
{
	struct endpoint to[] = { at("::1", pair.b.port), at("127.0.0.1", pair.b.port) };

	for (int round = 0; round < 4; round++) {
		struct udp_run small = run_of(&to[round & 1], 0, 100, 100), group = run_of(&to[!(round & 1)], 0, 5000, 1000);

		assert_int_equal(udp_send(&pair.a, &small, 1), 1);
		receive_all(round & 1 ? pair.b.v4 : pair.b.v6, 0, 100, 100);
		assert_int_equal(udp_send(&pair.a, &group, 1), 1);
		receive_all(round & 1 ? pair.b.v6 : pair.b.v4, 0, 5000, 1000);
	}
}

static void a_batch_receives_several_messages(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_run run = run_of(&to, 0, 1000, 100);

	run.no_gso = true;
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_false(run.gso_refused);
	assert_int_equal(receive(pair.b.v4, messages), UDP_BATCH);
	for (int i = 0; i < UDP_BATCH; i++)
		assert_memory_equal(messages[i].data, pair.data + 100 * i, 100);
	assert_int_equal(receive(pair.b.v4, messages), 2);
	expect_silence(pair.b.v4);
}

/* The headroom and tailroom of a message do not overlap other messages. */
static void messages_have_headroom_and_tailroom(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_run run = run_of(&to, 0, UDP_BATCH * 100, 100);

	run.no_gso = true;
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_int_equal(receive(pair.b.v4, messages), UDP_BATCH);
	for (int i = 0; i < UDP_BATCH; i++) {
		for (int before = 1; before <= UDP_HEADROOM; before++)
			assert_int_equal(messages[i].data[-before], 0);
		for (int after = 0; after < UDP_TAILROOM; after++)
			assert_int_equal(messages[i].data[UDP_MESSAGE + after], 0);
	}
}

static void an_empty_datagram_arrives(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_message messages[UDP_BATCH];

	assert_int_equal(sendto(pair.a.v4, "", 0, 0, &to.to.any, sizeof to.to.v4), 0);
	assert_int_equal(receive(pair.b.v4, messages), 1);
	assert_int_equal(messages[0].length, 0);
	assert_int_equal(messages[0].size, 1);
}

static void truncated_messages_are_counted(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_run run = run_of(&to, 0, 400, 100);
	struct udp_dropped dropped = { .truncated = 5 };

	run.no_gso = true;
	flags_of[0] = MSG_TRUNC;
	flags_of[2] = MSG_CTRUNC;
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_int_equal(udp_receive(pair.b.v4, pair.batch, messages, &dropped), 2);
	assert_int_equal(dropped.truncated, 7);
	assert_memory_equal(messages[0].data, pair.data + 100, 100);
	assert_memory_equal(messages[1].data, pair.data + 300, 100);
}

/* The kernel groups at most 128 datagrams; a message that claims more is not split. */
static void a_message_of_too_many_datagrams_is_dropped(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };
	struct udp_run run = run_of(&to, 0, 12800, 1280);

	if (!pair.a.gso || !pair.b.gro)
		skip();
	for (gro_size = 1; gro_size < 100; gro_size += 14) {
		run.sent = 0;
		assert_int_equal(udp_send(&pair.a, &run, 1), 1);
		assert_int_equal(udp_receive(pair.b.v4, pair.batch, messages, &dropped), 0);
	}
	assert_int_equal(dropped.segments, 8);
	gro_size = 100;
	run.sent = 0;
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_int_equal(udp_receive(pair.b.v4, pair.batch, messages, &dropped), 1);
	assert_int_equal(messages[0].size, 100);
	assert_int_equal(dropped.segments, 8);
}

static void receive_errors_are_returned(void **state)
{
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };

	expect_silence(pair.b.v4);
	assert_int_equal(udp_receive(-1, pair.batch, messages, &dropped), -EBADF);
}

/* --- addresses ----- */

/* Waits for the local route of an IPv6 address, which the kernel adds with a delay. Nothing arrives before. */
static void add_address(const char *address)
{
	sandbox_run("ip addr add %s dev lo nodad", address);
	sandbox_run("timeout 5 sh -c 'until ip route get %s | grep -q ^local; do sleep 0.01; done'", address);
}

/* a sends to `address` of b. b must reply from that address with the given traffic class. */
static void round_trip(const char *address, const char *source, int fd_a, int fd_b, uint8_t traffic_class)
{
	struct endpoint to = at(address, pair.b.port), expected = at(address, pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_run run = run_of(&to, 0, 3000, 1000), answer;
	struct endpoint peer;

	run.traffic_class = traffic_class;
	to.local = at(source, 0).local;
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_int_equal(run.error, 0);
	receive(fd_b, messages);
	assert_int_equal(messages[0].traffic_class, traffic_class);
	assert_true(endpoint_local_known(&messages[0].from));
	peer = messages[0].from;
	answer = run_of(&peer, 0, 3000, 1000);
	assert_int_equal(udp_send(&pair.b, &answer, 1), 1);
	assert_int_equal(answer.error, 0);
	assert_false(answer.local_gone);
	receive(fd_a, messages);
	endpoint_clear_local(&messages[0].from);
	assert_true(endpoint_equal(&messages[0].from, &expected));
	assert_int_equal(messages[0].traffic_class, 0);
}

static void replies_come_from_the_address_used(void **state)
{
	add_address("192.0.2.1");
	add_address("192.0.2.2");
	add_address("2001:db8::1");
	add_address("2001:db8::2");
	round_trip("192.0.2.2", "0.0.0.0", pair.a.v4, pair.b.v4, 0x88 | 1);
	round_trip("192.0.2.1", "0.0.0.0", pair.a.v4, pair.b.v4, 3);
	round_trip("2001:db8::2", "::", pair.a.v6, pair.b.v6, 0x88 | 2);
	round_trip("2001:db8::1", "::", pair.a.v6, pair.b.v6, 0);
	sandbox_run("ip addr flush dev lo to 192.0.2.0/24 && ip addr flush dev lo to 2001:db8::/64");
}

static void a_link_local_endpoint_keeps_its_scope(void **state)
{
	struct endpoint to = at("fe80::1", pair.b.port);
	struct udp_message messages[UDP_BATCH];
	struct udp_run run = run_of(&to, 0, 10, 10), answer;
	struct endpoint peer;

	add_address("fe80::1");
	to.to.v6.sin6_scope_id = if_nametoindex("lo");
	assert_int_equal(udp_send(&pair.a, &run, 1), 1);
	assert_int_equal(run.error, 0);
	receive(pair.b.v6, messages);
	peer = messages[0].from;
	assert_int_equal(peer.to.v6.sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(peer.local.v6.ipi6_ifindex, if_nametoindex("lo"));
	answer = run_of(&peer, 0, 10, 10);
	assert_int_equal(udp_send(&pair.b, &answer, 1), 1);
	assert_int_equal(answer.error, 0);
	assert_false(answer.local_gone);
	receive(pair.a.v6, messages);
	sandbox_run("ip addr del fe80::1 dev lo");
}

/* Sends a run whose local address is gone. It must be sent with GSO and report local_gone. */
static void check_local_gone(struct endpoint *to, const struct endpoint *gone, int fd)
{
	for (int groups = 0; groups < 2; groups++) {
		struct udp_run run = run_of(to, 0, 3000, 1000);

		to->local = gone->local;
		run.no_gso = !groups;
		assert_int_equal(udp_send(&pair.a, &run, 1), 1);
		assert_int_equal(run.error, 0);
		assert_int_equal(run.sent, 3000);
		assert_true(run.local_gone);
		assert_false(run.gso_refused);
		receive_all(fd, 0, 3000, 1000);
		endpoint_clear_local(to);
		run = run_of(to, 0, 3000, 1000);
		assert_int_equal(udp_send(&pair.a, &run, 1), 1);
		assert_false(run.local_gone);
		receive_all(fd, 0, 3000, 1000);
	}
}

static void a_run_is_sent_without_a_local_address_that_is_gone(void **state)
{
	struct endpoint v4 = at("127.0.0.1", pair.b.port), v6 = at("::1", pair.b.port), gone = { 0 };

	gone.local.v4 = (struct in_pktinfo) { .ipi_spec_dst = at("203.0.113.9", 1).to.v4.sin_addr };
	check_local_gone(&v4, &gone, pair.b.v4);
	gone.local.v6 = (struct in6_pktinfo) { .ipi6_addr = at("2001:db8:9::9", 1).to.v6.sin6_addr };
	check_local_gone(&v6, &gone, pair.b.v6);
	/* A link-local address of an interface that is gone. */
	gone.local.v6 = (struct in6_pktinfo) { at("fe80::9", 1).to.v6.sin6_addr, 12345 };
	check_local_gone(&v6, &gone, pair.b.v6);
}

/* --- errors of paths ----- */

/* No route, a firewall, port 0, an interface that is gone: only the run in question fails. */
static void a_bad_destination_fails_only_its_run(void **state)
{
	uint16_t port = pair.b.port;
	struct endpoint good = at("127.0.0.1", port), good6 = at("::1", port), gone = at("fe80::2", port);
	struct endpoint unreachable = at("198.51.100.1", port), filtered = at("127.0.0.9", port), zero = at("127.0.0.1", 0);
	struct endpoint noroute = at("198.51.100.2", port), mapped = at("::ffff:127.0.0.1", port);
	struct udp_run runs[] = {
		run_of(&unreachable, 0, 3000, 1000), run_of(&good, 0, 3000, 1000),    run_of(&filtered, 0, 3000, 1000),
		run_of(&zero, 0, 3000, 1000),        run_of(&good6, 0, 3000, 1000),   run_of(&gone, 0, 3000, 1000),
		run_of(&noroute, 0, 3000, 1000),     run_of(&good, 3000, 2000, 1000), run_of(&mapped, 0, 100, 100),
	};
	static const int errors[] = { EHOSTUNREACH, 0, EPERM, EINVAL, 0, ENETUNREACH, ENETUNREACH, 0, ENETUNREACH };

	gone.to.v6.sin6_scope_id = 12345;
	sandbox_run("ip route add unreachable 198.51.100.1");
	sandbox_run("nft 'table ip t { chain o { type filter hook output priority 0; ip daddr 127.0.0.9 drop; }; }'");
	assert_int_equal(udp_send(&pair.a, runs, 9), 9);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(runs[i].error, errors[i]);
		assert_int_equal(runs[i].failed, !errors[i] ? 0 : i == 8 ? 1 : 3);
		assert_int_equal(runs[i].sent, errors[i] ? 0 : runs[i].bytes);
	}
	receive_all(pair.b.v4, 0, 5000, 1000);
	receive_all(pair.b.v6, 0, 3000, 1000);
	sandbox_run("nft delete table ip t && ip route del unreachable 198.51.100.1");
}

/*
 * If segments exceed the MTU of the route, they are sent one by one. The kernel fragments them, because DF is not set.
 */
static void segments_above_the_route_mtu_are_sent_singly(void **state)
{
	struct endpoint to[] = { at("127.0.0.1", pair.b.port), at("::1", pair.b.port) };

	sandbox_run("ip link set lo mtu 1280");
	for (int i = 0; i < 4; i++) {
		struct udp_run runs[] = { run_of(&to[i & 1], 0, 10000, 1400), run_of(&to[i & 1], 10000, 4800, 1200) };
		int fd = i & 1 ? pair.b.v6 : pair.b.v4;

		runs[0].no_gso = i & 2;
		assert_int_equal(udp_send(&pair.a, runs, 2), 2);
		assert_int_equal(runs[0].gso_refused, !(i & 2));
		assert_false(runs[1].gso_refused);
		assert_int_equal(runs[0].failed, 0);
		receive_all(fd, 0, 10000, 1400);
		receive_all(fd, 10000, 4800, 1200);
	}
	sandbox_run("ip link set lo mtu 65536");
}

/* With a slow device and a small buffer the socket is often full. Every datagram must arrive once and in order. */
static void a_full_socket_loses_nothing(void **state)
{
	struct endpoint to = at("127.0.0.1", pair.b.port);
	struct udp_run runs[64];
	int small = 8000, blocked = 0;

	sandbox_run("tc qdisc add dev lo root tbf rate 100mbit burst 16k latency 10s");
	setsockopt(pair.a.v4, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	for (int i = 0; i < 64; i++) {
		runs[i] = run_of(&to, 4000u * (uint32_t)i, 4000, 1000);
		runs[i].no_gso = i % 2;
	}
	for (int done = 0; done < 64;) {
		struct pollfd wait = { .fd = pair.a.v4, .events = POLLOUT };

		done += udp_send(&pair.a, runs + done, 64 - done);
		assert_int_equal(pair.a.v4_blocked, done < 64);
		blocked += pair.a.v4_blocked;
		assert_int_equal(poll(&wait, 1, TIMEOUT_MS), 1);
	}
	assert_true(blocked > 0);
	receive_all(pair.b.v4, 0, 4000 * 64, 1000);
	expect_silence(pair.b.v4);
	sandbox_run("tc qdisc del dev lo root");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_without_ipv6_has_one_socket),
		TEST(the_probed_segments_are_accepted),
		TEST(runs_arrive_the_same_with_and_without_offloads),
		TEST(sizes_are_reset_for_each_batch),
		TEST(a_batch_receives_several_messages),
		TEST(messages_have_headroom_and_tailroom),
		TEST(an_empty_datagram_arrives),
		TEST(truncated_messages_are_counted),
		TEST(a_message_of_too_many_datagrams_is_dropped),
		TEST(receive_errors_are_returned),
		TEST(replies_come_from_the_address_used),
		TEST(a_link_local_endpoint_keeps_its_scope),
		TEST(a_run_is_sent_without_a_local_address_that_is_gone),
		TEST(a_bad_destination_fails_only_its_run),
		TEST(segments_above_the_route_mtu_are_sent_singly),
		TEST(a_full_socket_loses_nothing),
	};
	cpu_set_t cpu = { 0 };

	sandbox_enter();
	sandbox_run("ip link set lo up");
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof cpu, &cpu); /* with several processors, lo may reorder datagrams */
	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
