/* SPDX-License-Identifier: MIT */
/* Unit tests of the control socket's server with slow and hostile clients, and without descriptors. */
#include "uapi_server_rig.h"
#include "wall_clock.h"

#include <malloc.h>
#include <poll.h>

/* --- running out of descriptors ----- */

static bool no_descriptors, no_inotify;
static unsigned accepts;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	accepts++;
	if (no_descriptors) {
		errno = EMFILE;
		return -1;
	}
	return __real_accept4(fd, address, length, flags);
}

int __wrap_inotify_init1(int flags)
{
	if (no_inotify) {
		errno = EMFILE;
		return -1;
	}
	return __real_inotify_init1(flags);
}

/* --- clients ----- */

static bool nothing_is_buffered(void *context)
{
	return serve.uapi.request_bytes == 0;
}

/* A client such as wg(8) writes all of its request before it reads the answer. */
static void a_request_that_is_too_large_is_read_to_its_end_and_rejected(void **state)
{
	int fd = serve_connect(&serve);
	char *answer, line[1024];
	size_t max = 0, sent = 0;

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	while (sent < (size_t)UAPI_REQUEST_MAX * 2) {
		ssize_t n = send(fd, line, sizeof line, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		serve_turn(&serve);
		max = serve.uapi.request_bytes > max ? serve.uapi.request_bytes : max;
	}
	assert_int_equal(max, UAPI_REQUEST_MAX);
	serve_until(&serve, nothing_is_buffered, NULL);
	assert_int_equal(recv(fd, line, 1, MSG_PEEK), -1);
	serve_send(&serve, fd, "\n\n", 2);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-7\n\n");
	free(answer);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static bool limit_reached(void *context)
{
	return serve.uapi.request_bytes == UAPI_REQUEST_MAX;
}

static void the_limit_covers_all_clients_and_a_get_always_fits(void **state)
{
	char *half = serve_large_set(UAPI_REQUEST_MAX / 2 + 1000), *answer;
	int hog = serve_connect(&serve), second = serve_connect(&serve), third = serve_connect(&serve);

	serve_send(&serve, hog, half, strlen(half) - 1); /* never completed */
	serve_until(&serve, limit_reached, NULL);
	serve_send(&serve, second, half, strlen(half));
	answer = serve_receive(&serve, second);
	assert_string_equal(answer, "errno=-7\n\n");
	free(answer);
	serve_expect(&serve, third, "get=1\n\n", EMPTY_GET);
	assert_int_equal(serve.uapi.request_bytes, UAPI_REQUEST_MAX);
	close(hog);
	close(second);
	close(third);
	free(half);
}

static bool full(void *context)
{
	return serve.uapi.connection_count == UAPI_CONNECTIONS_MAX;
}

static void the_seventeenth_client_waits(void **state)
{
	int fds[UAPI_CONNECTIONS_MAX], waiting;

	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		fds[i] = serve_connect(&serve);
	serve_until(&serve, full, NULL);
	waiting = serve_connect(&serve);
	send(waiting, "get=1\n\n", 7, MSG_NOSIGNAL);
	for (int i = 0; i < 100; i++)
		serve_turn(&serve);
	assert_int_equal(serve.uapi.connection_count, UAPI_CONNECTIONS_MAX);
	close(fds[3]);
	free(serve_receive(&serve, waiting));
	assert_int_equal(serve.uapi.connection_count, UAPI_CONNECTIONS_MAX);
	close(waiting);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		if (i != 3)
			close(fds[i]);
	serve_until(&serve, serve_all_closed, NULL);
}

/* Runs the loop for a while. */
static void turn_for(double seconds)
{
	for (double end = serve_time() + seconds; serve_time() < end; usleep(1000))
		serve_turn(&serve);
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void close_all(int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
	serve_until(&serve, serve_all_closed, NULL);
}

static void the_longest_idle_client_makes_room(void **state)
{
	int fds[UAPI_CONNECTIONS_MAX + 1];

	uapi_stop(&serve.uapi);
	serve.options.idle_timeout = 10 * SERVE_SECONDS; /* closes none of them */
	serve_start(&serve);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		fds[i] = serve_connect(&serve);
	serve_until(&serve, full, NULL);
	turn_for(0.3);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		if (i != 5)
			serve_expect(&serve, fds[i], "get=1\n\n", EMPTY_GET);
	fds[UAPI_CONNECTIONS_MAX] = serve_connect(&serve);
	serve_expect(&serve, fds[UAPI_CONNECTIONS_MAX], "get=1\n\n", EMPTY_GET);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		assert_int_equal(is_closed(fds[i]), i == 5);
	close_all(fds, UAPI_CONNECTIONS_MAX + 1);
}

/* Clients that never pause, but never end a request either. */
static void the_slowest_client_makes_room(void **state)
{
	int fds[UAPI_CONNECTIONS_MAX], late, closed = 0;
	double limit = serve_time() + SERVE_SECONDS;
	char *answer = NULL;

	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		fds[i] = serve_connect(&serve);
	serve_until(&serve, full, NULL);
	late = serve_connect(&serve);
	assert_int_equal(send(late, "get=1\n\n", 7, MSG_NOSIGNAL), 7);
	while (!answer) {
		struct pollfd ready = { late, POLLIN, 0 };

		for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
			send(fds[i], "x", 1, MSG_NOSIGNAL);
		turn_for(0.2);
		wall_clock_step = -3600; /* somebody sets the clock back, when the requests have begun */
		assert_true(serve_time() < limit);
		if (poll(&ready, 1, 0) == 1)
			answer = serve_receive(&serve, late);
	}
	wall_clock_step = 0;
	assert_string_equal(answer, EMPTY_GET);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		closed += is_closed(fds[i]);
	assert_int_equal(closed, 1);
	free(answer);
	close(late);
	close_all(fds, UAPI_CONNECTIONS_MAX);
}

static void a_request_has_a_limited_time(void **state)
{
	int slow, reader, quick;

	uapi_stop(&serve.uapi);
	serve.options.request_timeout = 0.5;
	serve_start(&serve);
	slow = serve_connect(&serve);
	quick = serve_connect(&serve);
	for (int i = 0; i < 8; i++) {
		send(slow, "x", 1, MSG_NOSIGNAL);
		serve_expect(&serve, quick, "get=1\n\n", EMPTY_GET); /* each is a request of its own */
		turn_for(0.1);
	}
	assert_true(is_closed(slow));
	reader = serve_connect(&serve);
	serve_expect(&serve, quick, "get=1\n\n", EMPTY_GET);
	turn_for(1); /* no request, no limit */
	assert_false(is_closed(reader));
	close(slow);
	close(quick);
	close(reader);
	serve_until(&serve, serve_all_closed, NULL);
}

static void an_idle_connection_is_closed(void **state)
{
	int fd, half;
	char *answer;

	uapi_stop(&serve.uapi);
	serve.options.idle_timeout = 0.05;
	serve_start(&serve);
	fd = serve_connect(&serve);
	half = serve_connect(&serve);
	serve_send(&serve, half, "set=1\nlis", 9);
	answer = serve_receive(&serve, fd); /* end of file */
	assert_string_equal(answer, "");
	free(answer);
	answer = serve_receive(&serve, half);
	assert_string_equal(answer, "");
	free(answer);
	serve_until(&serve, serve_all_closed, NULL);
	close(fd);
	close(half);
}

static int on_slow_request(void *context, struct uapi_reply *reply)
{
	usleep(200000);
	return 0;
}

/* A reload can take that long. */
static void time_in_which_the_daemon_is_held_up_does_not_count(void **state)
{
	static const struct uapi_verb verbs[] = { { "slow", on_slow_request }, { NULL, NULL } };
	static const char *const requests[] = { "get=1\n\n", "slow=1\n\n", "get=1\n\n" };
	int fds[3];

	uapi_stop(&serve.uapi);
	serve.options.idle_timeout = serve.options.request_timeout = 0.1;
	serve.options.verbs = verbs;
	serve_start(&serve);
	for (int i = 0; i < 3; i++) {
		fds[i] = serve_connect(&serve);
		assert_int_equal(send(fds[i], requests[i], strlen(requests[i]), MSG_NOSIGNAL), strlen(requests[i]));
	}
	for (int i = 0; i < 3; i++) {
		char *answer = serve_receive(&serve, fds[i]);

		assert_string_equal(answer, EMPTY_GET);
		free(answer);
	}
	close_all(fds, 3);
}

static void count_turn(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	++*(unsigned *)watcher->data;
}

/* The answer has megabytes. The loop runs, other clients are served, and little memory is used. */
static void a_client_that_does_not_read_blocks_no_other(void **state)
{
	char *set = serve_large_set(3 << 20);
	int fd = serve_connect(&serve), other = serve_connect(&serve);
	struct ev_timer timer;
	struct mallinfo2 before, after;
	unsigned turns = 0;

	serve_expect(&serve, fd, set, "errno=0\n\n");
	free(set);
	before = mallinfo2();
	for (int i = 0; i < 10; i++)
		send(fd, "get=1\n\n", 7, MSG_NOSIGNAL);
	ev_timer_init(&timer, count_turn, 0., 1e-4);
	timer.data = &turns;
	ev_timer_start(serve.loop, &timer);
	for (int i = 0; i < 1000; i++)
		serve_turn(&serve);
	ev_timer_stop(serve.loop, &timer);
	assert_true(turns > 2);
	after = mallinfo2();
	assert_true(after.uordblks < before.uordblks + (64 << 10));
	serve_expect(&serve, other, "set=1\nreplace_peers=true\n\n", "errno=0\n\n");
	serve_expect(&serve, other, "get=1\n\n", EMPTY_GET);
	close(fd);
	close(other);
	serve_until(&serve, serve_all_closed, NULL);
}

static void without_descriptors_accept_does_not_spin(void **state)
{
	int fd;

	no_descriptors = true;
	accepts = 0;
	fd = serve_connect(&serve);
	for (int i = 0; i < 1000; i++)
		serve_turn(&serve);
	assert_int_equal(accepts, 1);
	no_descriptors = false;
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET); /* after ACCEPT_RETRY */
	close(fd);
}

static void without_inotify_the_server_works(void **state)
{
	int fd;

	uapi_stop(&serve.uapi);
	no_inotify = true;
	serve_start(&serve);
	no_inotify = false;
	fd = serve_connect(&serve);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void a_client_may_disconnect_at_any_time(void **state)
{
	static const char *const requests[] = { "", "get", "get=1\n", "get=1\n\n", "set=1\nlisten_port=9\n\nget=1\n\nge" };
	char *set = serve_large_set(300000);
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, set, "errno=0\n\n");
	close(fd);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		for (int turns = 0; turns < 4; turns++) {
			fd = serve_connect(&serve);
			serve_send(&serve, fd, requests[i], strlen(requests[i]));
			for (int turn = 0; turn < turns; turn++)
				serve_turn(&serve);
			close(fd);
			serve_until(&serve, serve_all_closed, NULL);
		}
	}
	assert_int_equal(serve.uapi.request_bytes, 0);
	free(set);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_that_is_too_large_is_read_to_its_end_and_rejected),
		TEST(the_limit_covers_all_clients_and_a_get_always_fits),
		TEST(the_seventeenth_client_waits),
		TEST(the_longest_idle_client_makes_room),
		TEST(the_slowest_client_makes_room),
		TEST(a_request_has_a_limited_time),
		TEST(an_idle_connection_is_closed),
		TEST(time_in_which_the_daemon_is_held_up_does_not_count),
		TEST(a_client_that_does_not_read_blocks_no_other),
		TEST(without_descriptors_accept_does_not_spin),
		TEST(without_inotify_the_server_works),
		TEST(a_client_may_disconnect_at_any_time),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
