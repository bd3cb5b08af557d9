/* SPDX-License-Identifier: MIT */
/* Tests of ICMP errors on loopback: a datagram to a closed port, between datagrams to an open one. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/udp.h"

static struct udp udp;
static int receiver;                      /* the open port */
static struct endpoint open_port, closed; /* on loopback */

static struct endpoint loopback(int fd)
{
	struct endpoint endpoint = { 0 };
	socklen_t length = sizeof endpoint.to.v4;

	assert_int_equal(getsockname(fd, &endpoint.to.any, &length), 0);
	return endpoint;
}

static int open_loopback(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static int set_up(void **state)
{
	int fd = open_loopback();

	closed = loopback(fd);
	receiver = open_loopback();
	open_port = loopback(receiver);
	close(fd);
	return udp_open(&udp, 0, 0);
}

static int tear_down(void **state)
{
	close(receiver);
	udp_close(&udp);
	return 0;
}

static void send_to(const struct endpoint *to)
{
	struct udp_run run = { .to = to, .data = (const uint8_t *)"12345678", .bytes = 8, .size = 4 };

	assert_int_equal(udp_send(&udp, &run, 1), 1);
	assert_int_equal(run.error, 0);
	assert_int_equal(run.sent, 8);
}

static int count_received(void)
{
	uint8_t bytes[16];
	int count = 0;

	while (recv(receiver, bytes, sizeof bytes, 0) == 4)
		count++;
	return count;
}

static short events_of_socket(void)
{
	struct pollfd poll_v4 = { .fd = udp.v4, .events = POLLIN };

	poll(&poll_v4, 1, 0);
	return poll_v4.revents;
}

static void errors_of_one_destination_lose_nothing_of_another(void **state)
{
	udp_watch_errors(&udp, true);
	for (int i = 0; i < 50; i++) {
		send_to(&closed);
		send_to(&open_port);
	}
	assert_int_equal(count_received(), 100);
	assert_true(udp.error_count > 0);
	assert_int_equal(udp.error.error, ECONNREFUSED);
	assert_true(endpoint_same_remote(&udp.error.to, &closed));
	assert_int_equal(udp.error.reporter_length, 4);
	assert_int_equal(udp.error.reporter[0], 127);
}

static void the_receiver_takes_errors_and_the_socket_is_quiet_afterwards(void **state)
{
	struct udp_batch *batch = udp_batch_create();
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };

	assert_non_null(batch);
	udp_watch_errors(&udp, true);
	send_to(&closed);
	assert_true(events_of_socket() & POLLERR);
	assert_true(udp_receive(udp.v4, batch, messages, &dropped) <= 0);
	assert_true(udp_take_errors(&udp, udp.v4) > 0);
	assert_int_equal(udp.error_count, udp_take_errors(&udp, udp.v4) + udp.error_count);
	assert_int_equal(events_of_socket(), 0);
	udp_batch_destroy(batch);
}

static void without_watching_there_are_no_errors(void **state)
{
	send_to(&closed);
	assert_int_equal(events_of_socket(), 0);
	assert_int_equal(udp_take_errors(&udp, udp.v4), 0);
	send_to(&open_port);
	assert_int_equal(count_received(), 2);
}

static void errors_that_wait_do_not_outlast_watching(void **state)
{
	udp_watch_errors(&udp, true);
	send_to(&closed);
	udp_watch_errors(&udp, false);
	assert_int_equal(events_of_socket(), 0);
	send_to(&open_port);
	assert_int_equal(count_received(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(errors_of_one_destination_lose_nothing_of_another),
		TEST(the_receiver_takes_errors_and_the_socket_is_quiet_afterwards),
		TEST(without_watching_there_are_no_errors),
		TEST(errors_that_wait_do_not_outlast_watching),
	};

	return cmocka_run_group_tests_name("udp_errors", tests, NULL, NULL);
}
