/* SPDX-License-Identifier: MIT */
/* Tests of opening the UDP sockets, in a network namespace. Wrapped system calls simulate other kernels. */
#include "io/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "sandbox.h"

#include <cmocka.h>

enum { MARK = 7 };

/* Simulated: a kernel without some feature. */
static bool no_gro_answer, no_segment, short_groups, no_force;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	if (!no_gro_answer || level != IPPROTO_UDP || name != UDP_GRO)
		return __real_getsockopt(fd, level, name, value, length);
	errno = ENOPROTOOPT;
	return -1;
}

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (no_force && level == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE)) {
		errno = EPERM;
		return -1;
	}
	if (!no_segment || level != IPPROTO_UDP || name != UDP_SEGMENT)
		return __real_setsockopt(fd, level, name, value, length);
	errno = ENOPROTOOPT;
	return -1;
}

ssize_t __real_send(int fd, const void *data, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags)
{
	if (!short_groups)
		return __real_send(fd, data, bytes, flags);
	errno = EINVAL;
	return -1;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	assert_int_equal(__real_getsockopt(fd, level, name, &value, &length), 0);
	return value;
}

static struct udp opened;

static int setup(void **state)
{
	return udp_open(&opened, 0, 0);
}

static int teardown(void **state)
{
	no_gro_answer = no_segment = short_groups = no_force = false;
	udp_close(&opened);
	return 0;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t length = sizeof name;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	return ntohs(name.sin6_port);
}

static void both_sockets_have_their_options(void **state)
{
	const struct udp *udp = &opened;

	assert_true(udp->port && port_of(udp->v4) == udp->port && port_of(udp->v6) == udp->port);
	assert_int_equal(option(udp->v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(option(udp->v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
	assert_int_equal(option(udp->v6, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
	assert_int_equal(option(udp->v4, SOL_SOCKET, SO_REUSEPORT), 0);
	for (int i = 0; i < 2; i++) {
		int fd = i ? udp->v6 : udp->v4;

		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(option(fd, SOL_SOCKET, SO_MARK), 0);
		assert_int_equal(option(fd, IPPROTO_UDP, UDP_GRO), udp->gro);
	}
}

/* The kernel doubles the size. Without CAP_NET_ADMIN the host limits it, as it does for this test's own socket. */
static void buffers_are_as_large_as_permitted(void **state)
{
	static const int names[][2] = { { SO_RCVBUF, SO_RCVBUFFORCE }, { SO_SNDBUF, SO_SNDBUFFORCE } };
	int room = 7 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 2; i++) {
		int expected = 2 * room;

		if (__real_setsockopt(fd, SOL_SOCKET, names[i][1], &room, sizeof room)) {
			__real_setsockopt(fd, SOL_SOCKET, names[i][0], &room, sizeof room);
			expected = option(fd, SOL_SOCKET, names[i][0]);
		}
		assert_int_equal(option(opened.v4, SOL_SOCKET, names[i][0]), expected);
		assert_int_equal(option(opened.v6, SOL_SOCKET, names[i][0]), expected);
	}
	close(fd);
}

/* Without CAP_NET_ADMIN the sysctls limit the size, but their limit may be more than the default. */
static void without_privileges_buffers_are_as_large_as_the_sysctls_permit(void **state)
{
	static const int names[] = { SO_RCVBUF, SO_SNDBUF };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 7 << 20;
	struct udp udp;

	for (int i = 0; i < 2; i++)
		assert_int_equal(__real_setsockopt(fd, SOL_SOCKET, names[i], &room, sizeof room), 0);
	no_force = true;
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(option(udp.v4, SOL_SOCKET, names[i]), option(fd, SOL_SOCKET, names[i]));
		assert_int_equal(option(udp.v6, SOL_SOCKET, names[i]), option(fd, SOL_SOCKET, names[i]));
	}
	udp_close(&udp);
	close(fd);
}

static void sockets_are_marked(void **state)
{
	struct udp udp;

	assert_int_equal(udp_open(&udp, 0, MARK), 0);
	assert_int_equal(option(udp.v4, SOL_SOCKET, SO_MARK), MARK);
	assert_int_equal(option(udp.v6, SOL_SOCKET, SO_MARK), MARK);
	assert_int_equal(udp_set_mark(&udp, MARK + 1), 0);
	assert_int_equal(option(udp.v4, SOL_SOCKET, SO_MARK), MARK + 1);
	assert_int_equal(option(udp.v6, SOL_SOCKET, SO_MARK), MARK + 1);
	udp_close(&udp);
}

static void a_port_in_use_is_an_error(void **state)
{
	struct udp udp;
	int before = dup(0);

	close(before);
	assert_int_equal(udp_open(&udp, opened.port, 0), -EADDRINUSE);
	close(opened.v4);
	assert_int_equal(udp_open(&udp, opened.port, 0), -EADDRINUSE);
	assert_true(udp.v4 == -1 && udp.v6 == -1);
	opened.v4 = dup(0); /* the lowest free descriptor shows that none leaked */
	assert_true(opened.v4 <= before);
	close(opened.v6);
	opened.v6 = -1;
	assert_int_equal(udp_open(&udp, opened.port, 0), 0);
	udp_close(&udp);
	udp_close(&udp);
}

/*
 * Of four ports one is in use for IPv6. The kernel chooses it sometimes for IPv4, and udp_open must try another. If it
 * is the only port, udp_open fails.
 */
static void a_random_port_is_free_for_both_families(void **state)
{
	struct sockaddr_in6 taken = { .sin6_family = AF_INET6, .sin6_port = htons(40000) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
	struct udp udp;

	__real_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	assert_int_equal(bind(fd, (struct sockaddr *)&taken, sizeof taken), 0);
	sandbox_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(udp_open(&udp, 0, 0), 0);
		assert_uint_in_range(udp.port, 40001, 40003);
		udp_close(&udp);
	}
	sandbox_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000");
	assert_int_equal(udp_open(&udp, 0, 0), -EADDRINUSE);
	sandbox_write("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999");
	close(fd);
}

/* When the link goes down and up, the daemon opens the same port again. */
static void the_port_is_kept_across_close(void **state)
{
	uint16_t port = opened.port;

	udp_close(&opened);
	assert_true(opened.v4 == -1 && opened.v6 == -1);
	assert_int_equal(udp_open(&opened, opened.port, 0), 0);
	assert_int_equal(opened.port, port);
}

static void a_zeroed_udp_can_be_closed(void **state)
{
	struct udp udp = { 0 };

	assert_true(fcntl(0, F_GETFD) >= 0);
	udp_close(&udp);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void offloads_are_turned_off(void **state)
{
	const struct udp_options no_gso = { .no_gso = true }, no_gro = { .no_gro = true };
	struct udp_options none = { 0 };
	struct udp udp;

	assert_int_equal(udp_open(&udp, 0, 0), 0);
	udp_limit(&udp, &none);
	assert_true(udp.gso == opened.gso && udp.gro == opened.gro);
	udp_limit(&udp, &no_gso);
	assert_true(!udp.gso && udp.run_segments == 1 && udp.gro == opened.gro);
	udp_limit(&udp, &no_gro);
	assert_false(udp.gro);
	assert_int_equal(option(udp.v4, IPPROTO_UDP, UDP_GRO), 0);
	assert_int_equal(option(udp.v6, IPPROTO_UDP, UDP_GRO), 0);
	udp_close(&udp);
}

static void old_kernels_have_no_offloads(void **state)
{
	struct udp udp;

	no_gro_answer = true;
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	assert_false(udp.gro);
	no_gro_answer = false;
	assert_int_equal(option(udp.v4, IPPROTO_UDP, UDP_GRO), 0);
	assert_int_equal(option(udp.v6, IPPROTO_UDP, UDP_GRO), 0);
	udp_close(&udp);

	short_groups = true;
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	assert_true(udp.gso);
	assert_int_equal(udp.run_segments, 63);
	udp_close(&udp);

	no_segment = true;
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	assert_false(udp.gso);
	udp_close(&udp);
}

/*
 * In a new namespace, where lo is down, the number of segments cannot be probed. udp_open then uses the number that
 * every kernel accepts. This test is the last one, because it cannot return to the old namespace.
 */
static void without_lo_the_probe_assumes_fewer_segments(void **state)
{
	struct udp udp;

	sandbox_enter();
	assert_int_equal(udp_open(&udp, 0, 0), 0);
	assert_true(udp.gso);
	assert_int_equal(udp.run_segments, UDP_RUN_SEGMENTS - 1);
	udp_close(&udp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_sockets_have_their_options),
		TEST(buffers_are_as_large_as_permitted),
		TEST(without_privileges_buffers_are_as_large_as_the_sysctls_permit),
		TEST(sockets_are_marked),
		TEST(a_port_in_use_is_an_error),
		TEST(a_random_port_is_free_for_both_families),
		TEST(the_port_is_kept_across_close),
		TEST(a_zeroed_udp_can_be_closed),
		TEST(offloads_are_turned_off),
		TEST(old_kernels_have_no_offloads),
		TEST(without_lo_the_probe_assumes_fewer_segments),
	};

	sandbox_enter();
	sandbox_run("ip link set lo up");
	return cmocka_run_group_tests_name("udp_open", tests, NULL, NULL);
}
