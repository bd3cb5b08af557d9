/* SPDX-License-Identifier: MIT */
/* Tests of several pairs of sockets on one port, on lo in a network namespace. */
#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "sandbox.h"

#include <cmocka.h>

enum { PAIRS = 4, SENDERS = 64, EACH = 5, MARK = 7, TIMEOUT_MS = 60000 };

static bool no_v6;
static int sockets_left; /* sockets that can still be opened; negative: no limit */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	errno = EMFILE;
	if (!sockets_left)
		return -1;
	sockets_left -= sockets_left > 0;
	errno = EAFNOSUPPORT;
	return no_v6 && family == AF_INET6 ? -1 : __real_socket(family, type, protocol);
}

static struct udp pairs[PAIRS];

static int set_up(void **state)
{
	no_v6 = false;
	sockets_left = -1;
	memset(pairs, 0, sizeof pairs);
	return udp_open(&pairs[0], 0, 0);
}

static int tear_down(void **state)
{
	for (int i = 0; i < PAIRS; i++)
		udp_close(&pairs[i]);
	return 0;
}

static void open_like(void)
{
	for (int i = 1; i < PAIRS; i++)
		assert_int_equal(udp_open_like(&pairs[i], &pairs[0], 0), 0);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
	return value;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t length = sizeof name;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	return ntohs(name.sin6_port);
}

/* Another program binds the port. Returns its errno or 0. */
static int bind_by_other_program(int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = __real_socket(family, SOCK_DGRAM, 0), error, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	error =
		family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4) : bind(fd, (struct sockaddr *)&v6, sizeof v6);
	error = error ? errno : 0;
	close(fd);
	return error;
}

static void pairs_share_port_and_options(void **state)
{
	open_like();
	for (int i = 0; i < PAIRS; i++) {
		const struct udp *udp = &pairs[i];

		assert_true(udp->port == pairs[0].port && port_of(udp->v4) == udp->port && port_of(udp->v6) == udp->port);
		assert_int_equal(option(udp->v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		assert_int_equal(option(udp->v4, SOL_SOCKET, SO_REUSEPORT), 1);
		assert_int_equal(option(udp->v6, SOL_SOCKET, SO_REUSEPORT), 1);
		assert_int_equal(option(udp->v4, SOL_SOCKET, SO_RCVBUF), option(pairs[0].v4, SOL_SOCKET, SO_RCVBUF));
		assert_true(fcntl(udp->v4, F_GETFL) & fcntl(udp->v6, F_GETFL) & O_NONBLOCK);
		assert_int_equal(udp->gso, pairs[0].gso);
		assert_int_equal(udp->gro, pairs[0].gro);
		assert_int_equal(udp->run_segments, pairs[0].run_segments);
		for (int k = 0; k < i; k++)
			assert_true(udp->v4 != pairs[k].v4 && udp->v6 != pairs[k].v6);
	}
}

static void each_pair_is_marked(void **state)
{
	assert_int_equal(udp_open_like(&pairs[1], &pairs[0], MARK), 0);
	assert_int_equal(option(pairs[1].v4, SOL_SOCKET, SO_MARK), MARK);
	assert_int_equal(option(pairs[1].v6, SOL_SOCKET, SO_MARK), MARK);
	assert_int_equal(option(pairs[0].v4, SOL_SOCKET, SO_MARK), 0);
}

static void other_programs_cannot_bind_the_port(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct udp other;

	for (int i = 0; i < 2; i++)
		assert_int_equal(bind_by_other_program(families[i], pairs[0].port), EADDRINUSE);
	assert_int_equal(udp_open(&other, pairs[0].port, 0), -EADDRINUSE);
	open_like();
	for (int i = 0; i < 2; i++)
		assert_int_equal(bind_by_other_program(families[i], pairs[0].port), EADDRINUSE);
	assert_int_equal(udp_open(&other, pairs[0].port, 0), -EADDRINUSE);
	assert_int_equal(other.v4, -1);
}

/*
 * Even a program that sets SO_REUSEPORT is rejected, because the first pair sets it only when a second one is opened.
 */
static void the_first_pair_shares_only_with_a_second(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(pairs[0].port) };
	int fd = __real_socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof v4), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
}

static void the_port_is_free_after_all_are_closed(void **state)
{
	uint16_t port = pairs[0].port;

	open_like();
	for (int i = 0; i < PAIRS; i++) {
		assert_int_equal(bind_by_other_program(AF_INET, port), EADDRINUSE);
		udp_close(&pairs[i]);
	}
	assert_int_equal(bind_by_other_program(AF_INET, port), 0);
	assert_int_equal(bind_by_other_program(AF_INET6, port), 0);
}

static void a_failing_socket_closes_all(void **state)
{
	for (int can = 0; can < 2; can++) {
		int free_before = dup(0);

		close(free_before);
		sockets_left = can;
		assert_int_equal(udp_open_like(&pairs[1], &pairs[0], 0), -EMFILE);
		sockets_left = -1;
		assert_int_equal(pairs[1].v4, -1);
		assert_int_equal(pairs[1].v6, -1);
		assert_int_equal(dup(0), free_before);
		close(free_before);
	}
}

static void without_ipv6_pairs_have_one_socket(void **state)
{
	udp_close(&pairs[0]);
	no_v6 = true;
	assert_int_equal(udp_open(&pairs[0], 0, 0), 0);
	open_like();
	for (int i = 0; i < PAIRS; i++) {
		assert_int_equal(pairs[i].v6, -1);
		assert_int_equal(port_of(pairs[i].v4), pairs[0].port);
		assert_int_equal(pairs[i].gso, pairs[0].gso);
	}
	assert_int_equal(bind_by_other_program(AF_INET, pairs[0].port), EADDRINUSE);
}

/* --- taking over sockets ----- */

static void pairs_are_taken_over(void **state)
{
	open_like();
	for (int i = 0; i < PAIRS; i++) {
		struct udp adopted;

		assert_int_equal(udp_adopt(&adopted, pairs[i].v4, pairs[i].v6, true), 0);
		assert_true(adopted.v4 == pairs[i].v4 && adopted.v6 == pairs[i].v6 && adopted.port == pairs[0].port);
		assert_int_equal(adopted.gso, pairs[i].gso);
		assert_int_equal(adopted.gro, pairs[i].gro);
		assert_int_equal(adopted.run_segments, pairs[i].run_segments);
	}
}

/* The file may turn the offloads on again. */
static void options_are_set_again(void **state)
{
	const struct udp_options none = { .no_gso = true, .no_gro = true };
	struct udp adopted;
	bool gro = pairs[0].gro;
	int off = 0;

	udp_limit(&pairs[0], &none);
	assert_int_equal(setsockopt(pairs[0].v4, IPPROTO_IP, IP_PKTINFO, &off, sizeof off), 0);
	assert_int_equal(fcntl(pairs[0].v4, F_SETFL, 0), 0);
	assert_int_equal(fcntl(pairs[0].v4, F_SETFD, 0), 0);
	assert_int_equal(udp_adopt(&adopted, pairs[0].v4, pairs[0].v6, false), 0);
	assert_int_equal(adopted.gro, gro);
	assert_int_equal(option(adopted.v4, IPPROTO_IP, IP_PKTINFO), 1);
	assert_true(fcntl(adopted.v4, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(adopted.v4, F_GETFD), FD_CLOEXEC);
}

static void assert_refused(int v4, int v6, bool shared)
{
	struct udp adopted;

	assert_int_equal(udp_adopt(&adopted, v4, v6, shared), -EINVAL);
	assert_true(adopted.v4 == -1 && adopted.v6 == -1);
}

static void other_sockets_are_refused(void **state)
{
	struct sockaddr_in lo = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9) };
	int v4 = pairs[0].v4, v6 = pairs[0].v6, others[5];
	struct udp second;

	assert_int_equal(udp_open(&second, 0, 0), 0);
	assert_refused(v6, v4, false);
	assert_refused(v4, v4, false);
	assert_refused(v4, v6, true);         /* other pairs would need SO_REUSEPORT */
	assert_refused(v4, second.v6, false); /* another port */
	assert_refused(v4, -1, false);        /* this host has IPv6 */
	others[0] = open("/dev/null", O_RDWR);
	others[1] = __real_socket(AF_INET, SOCK_STREAM, 0);
	others[2] = __real_socket(AF_INET, SOCK_DGRAM, 0); /* not bound */
	others[3] = __real_socket(AF_UNIX, SOCK_DGRAM, 0);
	others[4] = __real_socket(AF_INET, SOCK_DGRAM, 0);
	lo.sin_port = 0;
	assert_int_equal(bind(others[4], (struct sockaddr *)&lo, sizeof lo), 0); /* to one address */
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_refused(others[i], v6, false);
		close(others[i]);
	}
	lo.sin_port = htons(9);
	assert_int_equal(connect(second.v4, (struct sockaddr *)&lo, sizeof lo), 0);
	assert_refused(second.v4, second.v6, false);
	udp_close(&second);
}

static void a_socket_of_another_namespace_is_refused(void **state)
{
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (geteuid())
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_refused(pairs[0].v4, pairs[0].v6, false);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
}

static void without_ipv6_a_single_socket_is_taken_over(void **state)
{
	struct udp adopted;

	no_v6 = true;
	assert_int_equal(udp_adopt(&adopted, pairs[0].v4, -1, false), 0);
	assert_true(adopted.v6 == -1 && adopted.port == pairs[0].port);
}

/* --- distribution ----- */

static int sender_to(int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = __real_socket(family, SOCK_DGRAM, 0);

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (family == AF_INET)
		assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof v4), 0);
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof v6), 0);
	return fd;
}

static int end_of(const struct udp *udp, int family)
{
	return family == AF_INET ? udp->v4 : udp->v6;
}

/* Returns the pair at which the datagram arrived. It must not arrive at another one. */
static int arrived_at(int family, uint8_t content)
{
	struct pollfd wait[PAIRS];
	uint8_t data[2];
	int at = 0;

	for (int i = 0; i < PAIRS; i++)
		wait[i] = (struct pollfd) { .fd = end_of(&pairs[i], family), .events = POLLIN };
	assert_int_equal(poll(wait, PAIRS, TIMEOUT_MS), 1);
	while (!wait[at].revents)
		at++;
	assert_int_equal(recv(wait[at].fd, data, sizeof data, 0), 1);
	assert_int_equal(data[0], content);
	return at;
}

static void a_sender_stays_on_one_pair(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	open_like();
	for (int f = 0; f < 2; f++) {
		int senders[SENDERS], at[SENDERS], used[PAIRS] = { 0 };

		for (int i = 0; i < SENDERS; i++)
			senders[i] = sender_to(families[f], pairs[0].port);
		for (uint8_t round = 0; round < EACH; round++) {
			for (int i = 0; i < SENDERS; i++) {
				int pair;

				assert_int_equal(send(senders[i], &round, 1, 0), 1);
				pair = arrived_at(families[f], round);
				if (!round)
					used[at[i] = pair]++;
				assert_int_equal(pair, at[i]);
			}
		}
		for (int i = 0; i < PAIRS; i++)
			assert_true(used[i] > 0);
		for (int i = 0; i < SENDERS; i++)
			close(senders[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pairs_share_port_and_options),
		TEST(each_pair_is_marked),
		TEST(other_programs_cannot_bind_the_port),
		TEST(the_first_pair_shares_only_with_a_second),
		TEST(the_port_is_free_after_all_are_closed),
		TEST(a_failing_socket_closes_all),
		TEST(without_ipv6_pairs_have_one_socket),
		TEST(pairs_are_taken_over),
		TEST(options_are_set_again),
		TEST(other_sockets_are_refused),
		TEST(a_socket_of_another_namespace_is_refused),
		TEST(without_ipv6_a_single_socket_is_taken_over),
		TEST(a_sender_stays_on_one_pair),
	};

	sandbox_enter();
	sandbox_run("ip link set lo up");
	return cmocka_run_group_tests_name("udp_shared", tests, NULL, NULL);
}
