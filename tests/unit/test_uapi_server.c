/* SPDX-License-Identifier: MIT */
/* Unit tests of the control socket's server with correct, malformed, slow and hostile clients. */
#include "uapi_server_rig.h"

#include <malloc.h>
#include <poll.h>

/* --- free(3) searches each block for a secret key --- */

static const char *secret; /* in hexadecimal; NULL: do not search */
static unsigned secrets_found;

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	uint8_t key[KEY_BYTES];
	size_t size = memory ? malloc_usable_size(memory) : 0;

	if (memory && secret) {
		sodium_hex2bin(key, sizeof key, secret, 64, NULL, NULL, NULL);
		secrets_found += memmem(memory, size, secret, 64) || memmem(memory, size, key, sizeof key);
	}
	__real_free(memory);
}

/* --- running out of descriptors --- */

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

/* --- set-up --- */

static int set_up(void **state)
{
	secret = NULL;
	return serve_set_up(state);
}

static int tear_down(void **state)
{
	secret = NULL;
	return serve_tear_down(state);
}

#define EMPTY_SET "set=1\n\n"

/* --- requests --- */

static void a_get_reports_what_a_set_changed(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	serve_expect(&serve, fd, "set=1\nlisten_port=9\n\n", "errno=0\n\n");
	serve_expect(&serve, fd, "get=1\n\n", "listen_port=9\nerrno=0\n\n");
	serve_expect(&serve, fd, "set=1\n\n", "errno=0\n\n");
	close(fd);
}

static void a_failed_request_does_not_close_the_connection(void **state)
{
	int fd = serve_connect(&serve);

	assert_int_equal(control_set_up(&serve.rig.device, true, 1), 0);
	serve.rig.port_taken = 53;
	serve_expect(&serve, fd, "set=1\nlisten_port=53\n\n", "errno=-98\n\n");
	serve_expect(&serve, fd, "set=1\nlisten_port\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "set=1\nlisten_port=no\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\nand=more\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=2\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "set=\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "frobnicate=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "get\nx=1\n\n", "errno=-71\n\n");
	serve_expect(&serve, fd, "get=1\r\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", "listen_port=40000\nerrno=0\n\n");
	close(fd);
}

static void a_bad_last_line_rejects_the_whole_set(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "set=1\nlisten_port=9\nfwmark=x\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char requests[] = "get=1\n\nset=1\nlisten_port=1\n\nget=1\n\n\n\nset=1\nbad=1\n\nget=1\n\n";
	static const char *const answers[] = { EMPTY_GET, "errno=0\n\n", "listen_port=1\nerrno=0\n\n", "errno=-22\n\n",
										   "listen_port=1\nerrno=0\n\n" };
	int fd = serve_connect(&serve);

	serve_send(&serve, fd, requests, strlen(requests));
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		char *answer = serve_receive(&serve, fd);
		assert_string_equal(answer, answers[i]);
		free(answer);
	}
	close(fd);
}

static void a_request_may_arrive_byte_by_byte(void **state)
{
	static const char request[] = "set=1\nlisten_port=77\n\n";
	int fd = serve_connect(&serve);
	char *answer;

	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(serve.rig.device.listen_port, 0);
		serve_send(&serve, fd, request + i, 1);
		serve_turn(&serve);
	}
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=0\n\n");
	assert_int_equal(serve.rig.device.listen_port, 77);
	free(answer);
	close(fd);
}

static void a_client_may_shut_down_its_side_after_a_request(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve_send(&serve, fd, "get=1\n\n", 7);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, EMPTY_GET);
	free(answer);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "");
	free(answer);
	assert_int_equal(serve.uapi.connection_count, 0);
	close(fd);
}

static void an_incomplete_set_is_not_applied(void **state)
{
	int fd = serve_connect(&serve);
	char *answer;

	serve_send(&serve, fd, "set=1\nlisten_port=1\n", 20);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-5\n\n");
	assert_int_equal(serve.rig.device.listen_port, 0);
	free(answer);
	close(fd);
}

/* Returns a set of one peer with slightly more than `bytes` bytes. The caller frees it. */
static char *large_set(size_t bytes)
{
	char *text = malloc(bytes + 200), *end = text;

	assert_non_null(text);
	end += sprintf(end, "set=1\npublic_key=%s\n", rig_hex(2));
	for (unsigned i = 0; end < text + bytes; i++)
		end += sprintf(end, "allowed_ip=%u.%u.%u.0/24\n", i >> 16 & 255, i >> 8 & 255, i & 255);
	strcpy(end, "\n");
	return text;
}

static void a_set_of_one_mebibyte_and_its_get(void **state)
{
	char *set = large_set(1 << 20), *answer;
	int fd = serve_connect(&serve);
	size_t prefixes;

	serve_expect(&serve, fd, set, "errno=0\n\n");
	assert_int_equal(serve.uapi.request_bytes, 0); /* the large buffer was freed */
	prefixes = peer_first(&serve.rig.device)->allowed_ips.count;
	assert_true(prefixes > 40000);
	serve_send(&serve, fd, "get=1\n\n", 7);
	answer = serve_receive(&serve, fd);
	for (const char *at = strstr(answer, "allowed_ip="); at; at = strstr(at + 1, "allowed_ip="))
		prefixes--;
	assert_int_equal(prefixes, 0);
	free(answer);
	free(set);
	close(fd);
}

static bool all_closed(void *context)
{
	return !serve.uapi.connection_count;
}

/* --- large sets --- */

enum { MANY = 10000 };

/* A set of MANY peers, all of them with `line`. */
static char *set_of_many_peers(const char *head, const char *line)
{
	char *text = malloc((size_t)MANY * 200), *end = text;

	assert_non_null(text);
	end += sprintf(end, "set=1\n%s", head);
	for (unsigned i = 1; i <= MANY; i++)
		end += sprintf(end, "public_key=%08x%056x\n%sallowed_ip=10.%u.%u.0/24\n", i, 1, line, i >> 8, i & 255);
	strcpy(end, "\n");
	return text;
}

static bool answered(void *context)
{
	struct pollfd ready = { *(int *)context, POLLIN, 0 };

	return poll(&ready, 1, 0) == 1;
}

/* Sends the set until the server has all of it. */
static void send_set(int fd, const char *set)
{
	serve_send(&serve, fd, set, strlen(set));
	for (int i = 0; i < 100 && !serve.uapi.setting; i++)
		serve_turn(&serve);
	assert_non_null(serve.uapi.setting);
}

static void packets_flow_between_the_parts_of_a_set(void **state)
{
	static const struct {
		const char *head, *line;
		size_t peers;
	} steps[] = { { "", "", MANY }, { "replace_peers=true\n", "", MANY }, { "", "remove=true\n", 0 } };
	int fd = serve_connect(&serve);

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char *set = set_of_many_peers(steps[i].head, steps[i].line), *answer;
		unsigned turns = 0;

		send_set(fd, set);
		for (; !answered(&fd); turns++)
			serve_turn(&serve);
		assert_true(turns > 25);
		answer = serve_receive(&serve, fd);
		assert_string_equal(answer, "errno=0\n\n");
		assert_int_equal(serve.rig.device.peer_count, steps[i].peers);
		free(answer);
		free(set);
	}
	close(fd);
}

static void a_peer_with_many_prefixes_is_set_in_parts(void **state)
{
	char *set = large_set(1 << 20), *answer;
	int fd = serve_connect(&serve);
	unsigned growths = 0;
	size_t last = 0;

	send_set(fd, set);
	while (!answered(&fd)) {
		size_t count;

		serve_turn(&serve);
		if (!serve.rig.device.peer_count)
			continue;
		count = peer_first(&serve.rig.device)->allowed_ips.count;
		growths += count > last;
		last = count;
	}
	assert_true(last > 40000 && growths > 50);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	free(set);
	close(fd);
}

static void a_bad_last_line_of_a_large_set_changes_nothing(void **state)
{
	char *set = set_of_many_peers("", ""), *answer;
	int fd = serve_connect(&serve);
	char *broken = malloc(strlen(set) + 100);

	sprintf(broken, "set=1\nlisten_port=77\n%s", strstr(set, "public_key="));
	strcpy(broken + strlen(broken) - 1, "allowed_ip=10.0.0.0/33\n\n");
	send_set(fd, broken);
	serve_until(&serve, answered, &fd);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-22\n\n");
	assert_int_equal(serve.rig.device.peer_count, 0);
	assert_int_equal(serve.rig.device.listen_port, 0);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	free(answer);
	free(broken);
	free(set);
	close(fd);
}

static unsigned long peers_at_verb;

static int verb_peers(void *context, struct uapi_reply *reply)
{
	peers_at_verb = serve.rig.device.peer_count;
	return 0;
}

static void other_changes_wait_for_a_large_set(void **state)
{
	static const struct uapi_verb verbs[] = { { "peers", verb_peers }, { NULL, NULL } };
	char *set = set_of_many_peers("", ""), *answer;
	int large, small, verb, get, mib;
	char *other = large_set(1 << 20);

	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	large = serve_connect(&serve);
	small = serve_connect(&serve);
	verb = serve_connect(&serve);
	get = serve_connect(&serve);
	send_set(large, set);
	assert_int_equal(send(small, "set=1\nreplace_peers=true\n\n", 26, 0), 26);
	for (int i = 0; i < 20; i++)
		serve_turn(&serve);
	assert_false(answered(&small));
	serve_expect(&serve, get, "get=1\nx=1\n\n", "errno=-22\n\n"); /* changes nothing, so it does not wait */
	assert_false(answered(&small));
	serve_until(&serve, answered, &small);
	assert_true(answered(&large));
	assert_int_equal(serve.rig.device.peer_count, 0);
	answer = serve_receive(&serve, large);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	answer = serve_receive(&serve, small);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	mib = serve_connect(&serve);
	send_set(large, set);
	serve_send(&serve, mib, other, strlen(other));
	assert_int_equal(send(verb, "peers=1\n\n", 9, 0), 9);
	serve_until(&serve, answered, &verb);
	assert_true(peers_at_verb == MANY || peers_at_verb == MANY + 1);
	serve_until(&serve, answered, &mib);
	assert_int_equal(serve.rig.device.peer_count, MANY + 1);
	send_set(large, set);
	uapi_finish_sets(&serve.uapi); /* before a reload */
	assert_null(serve.uapi.setting);
	free(set);
	free(other);
	close(large);
	close(small);
	close(verb);
	close(get);
	close(mib);
	serve_until(&serve, all_closed, NULL);
}

static void the_server_may_stop_during_a_set(void **state)
{
	char *set = set_of_many_peers("", "");

	for (int turns = 0; turns < 160; turns += 31) {
		int fd = serve_connect(&serve);

		send_set(fd, set);
		for (int i = 0; i < turns && serve.uapi.setting; i++)
			serve_turn(&serve);
		uapi_stop(&serve.uapi);
		close(fd);
		serve_start(&serve);
	}
	free(set);
}

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long total, resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void memory_is_returned_after_peers_were_removed(void **state)
{
	char *set = set_of_many_peers("", "");
	int fd = serve_connect(&serve);
	size_t before, with_peers;

	serve_expect(&serve, fd, EMPTY_SET, "errno=0\n\n");
	malloc_trim(0);
	before = resident_bytes();
	serve_expect(&serve, fd, set, "errno=0\n\n");
	with_peers = resident_bytes();
	serve_expect(&serve, fd, "set=1\nreplace_peers=true\n\n", "errno=0\n\n");
	assert_int_equal(serve.rig.device.peer_count, 0);
	assert_true(with_peers > before + (5 << 20));
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory in a quarantine */
	assert_true(resident_bytes() < before + (with_peers - before) / 4);
#endif
	free(set);
	close(fd);
}

/* --- hostile clients --- */

static void a_request_that_is_too_large_is_rejected(void **state)
{
	int fd = serve_connect(&serve);
	char *answer, line[1024];
	size_t max = 0;

	memset(line, 'x', sizeof line);
	for (size_t sent = 0; sent <= UAPI_REQUEST_MAX; sent += sizeof line) {
		send(fd, line, sizeof line, MSG_NOSIGNAL);
		serve_turn(&serve);
		max = serve.uapi.request_bytes > max ? serve.uapi.request_bytes : max;
	}
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-7\n\n");
	assert_int_equal(max, UAPI_REQUEST_MAX);
	free(answer);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "");
	assert_int_equal(serve.uapi.connection_count, 0);
	assert_int_equal(serve.uapi.request_bytes, 0);
	free(answer);
	close(fd);
}

static bool limit_reached(void *context)
{
	return serve.uapi.request_bytes == UAPI_REQUEST_MAX;
}

static void the_limit_covers_all_clients_and_a_get_always_fits(void **state)
{
	char *half = large_set(UAPI_REQUEST_MAX / 2 + 1000), *answer;
	int hog = serve_connect(&serve), second = serve_connect(&serve), third = serve_connect(&serve);

	serve_send(&serve, hog, half, strlen(half) - 1); /* never completed */
	serve_until(&serve, limit_reached, NULL);
	serve_send(&serve, second, half, 5000);
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
	serve_until(&serve, all_closed, NULL);
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
	serve_until(&serve, all_closed, NULL);
}

static void the_longest_idle_client_makes_room(void **state)
{
	int fds[UAPI_CONNECTIONS_MAX + 1];
	double begun;

	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		fds[i] = serve_connect(&serve);
	serve_until(&serve, full, NULL);
	turn_for(0.3);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		if (i != 5)
			serve_expect(&serve, fds[i], "get=1\n\n", EMPTY_GET);
	begun = serve_time();
	fds[UAPI_CONNECTIONS_MAX] = serve_connect(&serve);
	serve_expect(&serve, fds[UAPI_CONNECTIONS_MAX], "get=1\n\n", EMPTY_GET);
	assert_true(serve_time() - begun < 3);
	for (int i = 0; i < UAPI_CONNECTIONS_MAX; i++)
		assert_int_equal(is_closed(fds[i]), i == 5);
	close_all(fds, UAPI_CONNECTIONS_MAX + 1);
}

/* Clients that never pause, but never end a request either. */
static void the_slowest_client_makes_room(void **state)
{
	int fds[UAPI_CONNECTIONS_MAX], late, closed = 0;
	double limit = serve_time() + 15;
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
		assert_true(serve_time() < limit);
		if (poll(&ready, 1, 0) == 1)
			answer = serve_receive(&serve, late);
	}
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
	serve_until(&serve, all_closed, NULL);
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
	serve_until(&serve, all_closed, NULL);
	close(fd);
	close(half);
}

static void count_turn(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	++*(unsigned *)watcher->data;
}

/* The answer has megabytes. The loop runs, other clients are served, and little memory is used. */
static void a_client_that_does_not_read_blocks_no_other(void **state)
{
	char *set = large_set(3 << 20);
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
	serve_until(&serve, all_closed, NULL);
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
	char *set = large_set(300000);
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
			serve_until(&serve, all_closed, NULL);
		}
	}
	assert_int_equal(serve.uapi.request_bytes, 0);
	free(set);
}

static void set_keys(int fd, const char *more, const char *answer)
{
	char request[20000];

	snprintf(request, sizeof request, "set=1\nprivate_key=%s\npublic_key=%s\npreshared_key=%s\n%s\n", rig_hex(0x48),
			 rig_hex(2), rig_hex(0x48), more);
	serve_expect(&serve, fd, request, answer);
	sodium_memzero(request, sizeof request);
}

static void freed_memory_contains_no_key(void **state)
{
	char lines[18000] = "";
	int fd = serve_connect(&serve);

	secrets_found = 0;
	secret = rig_hex(0x48);
	set_keys(fd, "allowed_ip=10.0.0.0/8\n", "errno=0\n\n");
	close(fd);
	for (int turns = 0; turns < 6; turns++) { /* disconnect while or after the answer is sent */
		fd = serve_connect(&serve);
		send(fd, "get=1\n\n", 7, MSG_NOSIGNAL);
		for (int turn = 0; turn < turns; turn++)
			serve_turn(&serve);
		close(fd);
		serve_until(&serve, all_closed, NULL);
	}
	assert_int_equal(secrets_found, 0);

	/* A request that grows its buffer and fails at its last line. */
	fd = serve_connect(&serve);
	while (strlen(lines) < sizeof lines - 100)
		strcat(lines, "allowed_ip=10.0.0.0/8\n");
	set_keys(fd, strcat(lines, "bad=1\n"), "errno=-22\n\n");
	close(fd);
	serve_until(&serve, all_closed, NULL);
	assert_int_equal(secrets_found, 0);
}

#ifdef __SANITIZE_ADDRESS__
enum { SEEN_IN_HEAP = 0 }; /* the sanitizer does not allocate in [heap] */
#else
enum { SEEN_IN_HEAP = 1 };
#endif

/* Counts the copies of the secret in the heap, as text. */
static unsigned secrets_in_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned found = 0;
	char line[512], *begin, *end;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		if (!strstr(line, "[heap]") || sscanf(line, "%p-%p", (void **)&begin, (void **)&end) != 2)
			continue;
		begin = memmem(begin, (size_t)(end - begin), rig_hex(0x48), 64);
		while (begin) {
			found++;
			begin++;
			begin = memmem(begin, (size_t)(end - begin), rig_hex(0x48), 64);
		}
	}
	fclose(maps);
	return found;
}

static void an_open_connection_keeps_no_key_in_memory(void **state)
{
	int fd = serve_connect(&serve);
	unsigned before = secrets_in_heap();
	char *witness = strdup(rig_hex(0x48));

	assert_int_equal(secrets_in_heap(), before + SEEN_IN_HEAP);
	sodium_memzero(witness, 64);
	free(witness);
	set_keys(fd, "", "errno=0\n\n");
	assert_int_equal(serve.uapi.connection_count, 1);
	assert_int_equal(secrets_in_heap(), before);
	close(fd);
}

/* --- verbs of our own --- */

static int reply_hello(void *context, struct uapi_reply *reply)
{
	uapi_reply_line(reply, "message", "a: b\nc\td");
	uapi_reply_line(reply, "message", "");
	return 0;
}

static int reply_too_much(void *context, struct uapi_reply *reply)
{
	char line[1000];

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	for (int i = 0; i < 100; i++)
		uapi_reply_line(reply, "message", line);
	return -ENOENT;
}

static void verbs_are_called_and_answered(void **state)
{
	static const struct uapi_verb verbs[] = { { "hello", reply_hello }, { "toomuch", reply_too_much }, { NULL, NULL } };
	char *answer;
	int fd;

	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	fd = serve_connect(&serve);
	serve_expect(&serve, fd, "hello=1\n\n", "message=a: b c d\nmessage=\nerrno=0\n\n");
	serve_expect(&serve, fd, "hell=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "hello=0\n\n", "errno=-22\n\n");
	serve_send(&serve, fd, "toomuch=1\n\n", 11);
	answer = serve_receive(&serve, fd);
	assert_true(strlen(answer) <= UAPI_REPLY_MAX + 32);
	assert_int_equal((strlen(answer) - strlen("errno=-2\n\n")) % (999 + strlen("message=\n")), 0); /* whole lines */
	assert_string_equal(answer + strlen(answer) - 11, "\nerrno=-2\n\n");
	free(answer);
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_get_reports_what_a_set_changed),
		TEST(a_failed_request_does_not_close_the_connection),
		TEST(a_bad_last_line_rejects_the_whole_set),
		TEST(pipelined_requests_are_answered_in_order),
		TEST(a_request_may_arrive_byte_by_byte),
		TEST(a_client_may_shut_down_its_side_after_a_request),
		TEST(an_incomplete_set_is_not_applied),
		TEST(a_set_of_one_mebibyte_and_its_get),
		TEST(packets_flow_between_the_parts_of_a_set),
		TEST(a_peer_with_many_prefixes_is_set_in_parts),
		TEST(a_bad_last_line_of_a_large_set_changes_nothing),
		TEST(other_changes_wait_for_a_large_set),
		TEST(the_server_may_stop_during_a_set),
		TEST(memory_is_returned_after_peers_were_removed),
		TEST(a_request_that_is_too_large_is_rejected),
		TEST(the_limit_covers_all_clients_and_a_get_always_fits),
		TEST(the_seventeenth_client_waits),
		TEST(the_longest_idle_client_makes_room),
		TEST(the_slowest_client_makes_room),
		TEST(a_request_has_a_limited_time),
		TEST(an_idle_connection_is_closed),
		TEST(a_client_that_does_not_read_blocks_no_other),
		TEST(without_descriptors_accept_does_not_spin),
		TEST(without_inotify_the_server_works),
		TEST(a_client_may_disconnect_at_any_time),
		TEST(freed_memory_contains_no_key),
		TEST(an_open_connection_keeps_no_key_in_memory),
		TEST(verbs_are_called_and_answered),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
