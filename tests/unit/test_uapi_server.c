/* SPDX-License-Identifier: MIT */
/* The control socket with clients that are well-behaved, clumsy, slow and hostile. */
#include "control_serve.h"

#include <malloc.h>

static struct serve serve;

/* --- every freed block is looked at: no key may be left in it --- */

static const char *secret; /* hexadecimal; NULL: nobody looks */
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

/* --- descriptors that are scarce --- */

static bool no_descriptors, no_inotify;
static unsigned accepts;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	accepts++;
	if (no_descriptors)
		return errno = EMFILE, -1;
	return __real_accept4(fd, address, length, flags);
}

int __wrap_inotify_init1(int flags)
{
	if (no_inotify)
		return errno = EMFILE, -1;
	return __real_inotify_init1(flags);
}

/* --- the stage --- */

static int set_up(void **state)
{
	secret = NULL;
	serve_init(&serve, serve_directory, "test");
	serve_start(&serve);
	return 0;
}

static int tear_down(void **state)
{
	secret = NULL;
	serve_destroy(&serve);
	return 0;
}

#define EMPTY_GET "errno=0\n\n"

/* --- requests --- */

static void get_and_set(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	serve_expect(&serve, fd, "set=1\nlisten_port=9\n\n", "errno=0\n\n");
	serve_expect(&serve, fd, "get=1\n\n", "listen_port=9\nerrno=0\n\n");
	serve_expect(&serve, fd, "set=1\n\n", "errno=0\n\n");
	close(fd);
}

static void errors_are_negative_and_the_connection_goes_on(void **state)
{
	int fd = serve_connect(&serve);

	assert_int_equal(device_set_up(&serve.rig.device, true, 1), 0);
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

static void a_bad_line_at_the_end_undoes_the_whole_set(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "set=1\nlisten_port=9\nfwmark=x\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void requests_that_come_together_are_answered_in_order(void **state)
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

static void a_request_may_come_byte_by_byte(void **state)
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

static void half_closing_behind_a_request_is_well(void **state)
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
	assert_int_equal(serve.uapi.clients, 0);
	close(fd);
}

static void half_a_set_is_not_carried_out(void **state)
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

/* A set of one peer that fills `bytes` bytes, or a little more. */
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

static void a_set_of_a_mebibyte_and_its_get(void **state)
{
	char *set = large_set(1 << 20), *answer;
	int fd = serve_connect(&serve);
	size_t prefixes;

	serve_expect(&serve, fd, set, "errno=0\n\n");
	assert_int_equal(serve.uapi.held, 0); /* nothing of it is kept */
	prefixes = serve.rig.device.first->allowed_ips.count;
	assert_true(prefixes > 40000);
	serve_send(&serve, fd, "get=1\n\n", 7);
	answer = serve_receive(&serve, fd);
	for (const char *at = answer; (at = strstr(at, "allowed_ip=")); at++)
		prefixes--;
	assert_int_equal(prefixes, 0);
	free(answer);
	free(set);
	close(fd);
}

/* --- clients that do not behave --- */

static void what_is_too_large_is_refused(void **state)
{
	int fd = serve_connect(&serve);
	char *answer, line[1024];
	size_t most = 0;

	memset(line, 'x', sizeof line);
	for (size_t sent = 0; sent <= UAPI_REQUEST_MAX; sent += sizeof line) {
		send(fd, line, sizeof line, MSG_NOSIGNAL);
		serve_turn(&serve);
		most = serve.uapi.held > most ? serve.uapi.held : most;
	}
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "errno=-7\n\n");
	assert_int_equal(most, UAPI_REQUEST_MAX);
	free(answer);
	answer = serve_receive(&serve, fd);
	assert_string_equal(answer, "");
	assert_int_equal(serve.uapi.clients, 0);
	assert_int_equal(serve.uapi.held, 0);
	free(answer);
	close(fd);
}

static bool all_held(void *context)
{
	return serve.uapi.held == UAPI_REQUEST_MAX;
}

static void the_bound_is_for_all_together_and_a_get_always_fits(void **state)
{
	char *half = large_set(UAPI_REQUEST_MAX / 2 + 1000), *answer;
	int hog = serve_connect(&serve), second = serve_connect(&serve), third = serve_connect(&serve);

	serve_send(&serve, hog, half, strlen(half) - 1); /* its end never comes */
	serve_until(&serve, all_held, NULL);
	serve_send(&serve, second, half, 5000);
	answer = serve_receive(&serve, second);
	assert_string_equal(answer, "errno=-7\n\n");
	free(answer);
	serve_expect(&serve, third, "get=1\n\n", EMPTY_GET);
	assert_int_equal(serve.uapi.held, UAPI_REQUEST_MAX);
	close(hog);
	close(second);
	close(third);
	free(half);
}

static bool all_left(void *context)
{
	return !serve.uapi.clients;
}

static bool full(void *context)
{
	return serve.uapi.clients == UAPI_CLIENTS;
}

static void the_seventeenth_waits(void **state)
{
	int fds[UAPI_CLIENTS], waiting;

	for (int i = 0; i < UAPI_CLIENTS; i++)
		fds[i] = serve_connect(&serve);
	serve_until(&serve, full, NULL);
	waiting = serve_connect(&serve);
	send(waiting, "get=1\n\n", 7, MSG_NOSIGNAL);
	for (int i = 0; i < 100; i++)
		serve_turn(&serve);
	assert_int_equal(serve.uapi.clients, UAPI_CLIENTS);
	close(fds[3]);
	free(serve_receive(&serve, waiting));
	assert_int_equal(serve.uapi.clients, UAPI_CLIENTS);
	close(waiting);
	for (int i = 0; i < UAPI_CLIENTS; i++)
		if (i != 3)
			close(fds[i]);
	serve_until(&serve, all_left, NULL);
}

static void who_is_silent_is_shown_the_door(void **state)
{
	int fd, half;
	char *answer;

	uapi_stop(&serve.uapi);
	serve.options.idle_timeout = 0.05;
	serve_start(&serve);
	fd = serve_connect(&serve);
	half = serve_connect(&serve);
	serve_send(&serve, half, "set=1\nlis", 9);
	answer = serve_receive(&serve, fd); /* the end */
	assert_string_equal(answer, "");
	free(answer);
	answer = serve_receive(&serve, half);
	assert_string_equal(answer, "");
	free(answer);
	serve_until(&serve, all_left, NULL);
	close(fd);
	close(half);
}

static void count_turn(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	++*(unsigned *)watcher->data;
}

/* A get of megabytes that nobody reads: others are served, the loop turns, and little is held. */
static void who_does_not_read_holds_up_nobody(void **state)
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
	serve_until(&serve, all_left, NULL);
}

static void without_descriptors_the_loop_does_not_spin(void **state)
{
	int fd;

	no_descriptors = true;
	accepts = 0;
	fd = serve_connect(&serve);
	for (int i = 0; i < 1000; i++)
		serve_turn(&serve);
	assert_int_equal(accepts, 1);
	no_descriptors = false;
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET); /* a second later */
	close(fd);
}

static void without_inotify_it_serves_all_the_same(void **state)
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

static void a_client_may_leave_at_any_time(void **state)
{
	static const char *const lasts[] = { "", "get", "get=1\n", "get=1\n\n", "set=1\nlisten_port=9\n\nget=1\n\nge" };
	char *set = large_set(300000);
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, set, "errno=0\n\n");
	close(fd);
	for (size_t i = 0; i < sizeof lasts / sizeof *lasts; i++) {
		for (int turns = 0; turns < 4; turns++) {
			fd = serve_connect(&serve);
			serve_send(&serve, fd, lasts[i], strlen(lasts[i]));
			for (int turn = 0; turn < turns; turn++)
				serve_turn(&serve);
			close(fd);
			serve_until(&serve, all_left, NULL);
		}
	}
	assert_int_equal(serve.uapi.held, 0);
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

static void keys_are_wiped_from_what_is_freed(void **state)
{
	char lines[18000] = "";
	int fd = serve_connect(&serve);

	secrets_found = 0;
	secret = rig_hex(0x48);
	set_keys(fd, "allowed_ip=10.0.0.0/8\n", "errno=0\n\n");
	close(fd);
	for (int turns = 0; turns < 6; turns++) { /* the answer is under way, or has gone */
		fd = serve_connect(&serve);
		send(fd, "get=1\n\n", 7, MSG_NOSIGNAL);
		for (int turn = 0; turn < turns; turn++)
			serve_turn(&serve);
		close(fd);
		serve_until(&serve, all_left, NULL);
	}
	assert_int_equal(secrets_found, 0);

	/* A request that outgrows its room, and is refused at the end. */
	fd = serve_connect(&serve);
	while (strlen(lines) < sizeof lines - 100)
		strcat(lines, "allowed_ip=10.0.0.0/8\n");
	set_keys(fd, strcat(lines, "bad=1\n"), "errno=-22\n\n");
	close(fd);
	serve_until(&serve, all_left, NULL);
	assert_int_equal(secrets_found, 0);
}

#ifdef __SANITIZE_ADDRESS__
enum { SEEN_IN_HEAP = 0 }; /* its heap is elsewhere */
#else
enum { SEEN_IN_HEAP = 1 };
#endif

/* How often the secret stands in the heap, as text. */
static unsigned secrets_in_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned found = 0;
	char line[512], *begin, *end;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		if (!strstr(line, "[heap]") || sscanf(line, "%p-%p", (void **)&begin, (void **)&end) != 2)
			continue;
		for (; (begin = memmem(begin, (size_t)(end - begin), rig_hex(0x48), 64)); begin++)
			found++;
	}
	fclose(maps);
	return found;
}

static void no_key_stays_with_a_connection_that_goes_on(void **state)
{
	int fd = serve_connect(&serve);
	unsigned before = secrets_in_heap();
	char *witness = strdup(rig_hex(0x48));

	assert_int_equal(secrets_in_heap(), before + SEEN_IN_HEAP);
	sodium_memzero(witness, 64);
	free(witness);
	set_keys(fd, "", "errno=0\n\n");
	assert_int_equal(serve.uapi.clients, 1);
	assert_int_equal(secrets_in_heap(), before);
	close(fd);
}

/* --- verbs of our own --- */

static int say_hello(void *context, struct uapi_reply *reply)
{
	uapi_reply_line(reply, "message", "a: b\nc\td");
	uapi_reply_line(reply, "message", "");
	return 0;
}

static int say_too_much(void *context, struct uapi_reply *reply)
{
	char line[1000];

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	for (int i = 0; i < 100; i++)
		uapi_reply_line(reply, "message", line);
	return -ENOENT;
}

static void verbs_are_answered(void **state)
{
	static const struct uapi_verb verbs[] = { { "hello", say_hello }, { "toomuch", say_too_much }, { NULL, NULL } };
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
		TEST(get_and_set),
		TEST(errors_are_negative_and_the_connection_goes_on),
		TEST(a_bad_line_at_the_end_undoes_the_whole_set),
		TEST(requests_that_come_together_are_answered_in_order),
		TEST(a_request_may_come_byte_by_byte),
		TEST(half_closing_behind_a_request_is_well),
		TEST(half_a_set_is_not_carried_out),
		TEST(a_set_of_a_mebibyte_and_its_get),
		TEST(what_is_too_large_is_refused),
		TEST(the_bound_is_for_all_together_and_a_get_always_fits),
		TEST(the_seventeenth_waits),
		TEST(who_is_silent_is_shown_the_door),
		TEST(who_does_not_read_holds_up_nobody),
		TEST(without_descriptors_the_loop_does_not_spin),
		TEST(without_inotify_it_serves_all_the_same),
		TEST(a_client_may_leave_at_any_time),
		TEST(keys_are_wiped_from_what_is_freed),
		TEST(no_key_stays_with_a_connection_that_goes_on),
		TEST(verbs_are_answered),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
