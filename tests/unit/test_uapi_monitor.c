/* SPDX-License-Identifier: MIT */
/* Unit tests of `monitor=1`, also with clients that read slowly or never. */
#include "uapi_server_rig.h"

#include "monitor.h"

enum { FLOOD = 20000 };

static void emit(uint32_t number)
{
	struct event event = { .kind = EVENT_RELOAD_APPLIED, .interface = "test", .peers = number };

	event_emit(&serve.rig.device.events, &event);
}

static int open_monitor(void)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "monitor=1\n\n", "errno=0\n\n");
	return fd;
}

/* Receives an event, and compares it without its time. */
static void expect_event(int fd, const char *name, const char *rest)
{
	char *text = serve_receive(&serve, fd), head[64], *time = strchr(text, '\n');

	snprintf(head, sizeof head, "event=%s\ntime_sec=", name);
	assert_non_null(time);
	assert_memory_equal(text, head, strlen(head));
	time = strstr(time, "\ntime_nsec=");
	assert_non_null(time);
	assert_string_equal(strchr(time + 1, '\n') + 1, rest);
	free(text);
}

/* Returns the value of a line in a block of lines, or -1. */
static long value_of(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtol(found + strlen(key), NULL, 10) : -1;
}

static bool no_monitors(void *context)
{
	return !serve.uapi.monitor_count;
}

static void an_event_is_a_block_of_lines(void **state)
{
	static const uint8_t public_key[KEY_BYTES] = { 0xab };
	struct event event = { .kind = EVENT_PEER_DOWN,
						   .public_key = public_key,
						   .name = "a\nb",
						   .endpoint = "192.0.2.1:1",
						   .from = "f",
						   .to = "t",
						   .origin = "roamed",
						   .role = "initiator",
						   .reason = "removed" };
	int fd = open_monitor();

	event_emit(&serve.rig.device.events, &event);
	expect_event(fd, "peer-down",
				 "public_key=ab00000000000000000000000000000000000000000000000000000000000000\nname=a b\n"
				 "endpoint=192.0.2.1:1\nfrom=f\nto=t\norigin=roamed\nrole=initiator\nreason=removed\n\n");
	event_emit(&serve.rig.device.events, &(struct event) { .kind = EVENT_NETWORK_REPAIRED, .repairs = 3 });
	expect_event(fd, "network-repaired", "repairs=3\n\n");
	emit(0);
	expect_event(fd, "reload-applied", "peers=0\n\n");
	close(fd);
	serve_until(&serve, no_monitors, NULL);
	assert_false(event_wanted(&serve.rig.device.events));
}

static void the_longest_event_fits_its_room(void **state)
{
	char text[UAPI_EVENT_ROOM], name[65], endpoint[ENDPOINT_TEXT], reason[256];
	static const uint8_t public_key[KEY_BYTES] = { 1 };
	struct event event = { .kind = EVENT_HANDSHAKE_COMPLETED, .time = UINT64_MAX, .public_key = public_key };
	size_t length;

	memset(name, 'n', sizeof name);
	memset(endpoint, 'e', sizeof endpoint);
	memset(reason, 'r', sizeof reason);
	name[sizeof name - 1] = endpoint[sizeof endpoint - 1] = reason[sizeof reason - 1] = '\0';
	event.name = name;
	event.endpoint = event.from = event.to = endpoint;
	event.reason = reason;
	event.origin = "configured";
	event.role = "responder";
	length = uapi_event_text(text, &event);
	assert_uint_in_range(length, 700, sizeof text);
	assert_memory_equal(text + length - 2, "\n\n", 2);
	text[length - 1] = '\0';
	assert_non_null(strstr(text, reason));
}

static void other_requests_with_lines_are_rejected(void **state)
{
	int fd = serve_connect(&serve);

	serve_expect(&serve, fd, "monitor=1\nx=1\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "monitor=2\n\n", "errno=-22\n\n");
	serve_expect(&serve, fd, "get=1\n\n", EMPTY_GET);
	close(fd);
}

static void a_client_that_never_reads_loses_events_and_learns_how_many(void **state)
{
	int slow = open_monitor(), fast = open_monitor();
	long events = 0, lost = 0, next = 0;

	for (uint32_t i = 0; i < FLOOD; i++) {
		char *text;

		emit(i);
		text = serve_receive(&serve, fast);
		assert_int_equal(value_of(text, "peers="), i);
		free(text);
	}
	while (events + lost < FLOOD) {
		char *text = serve_receive(&serve, slow);

		assert_true(*text);
		if (value_of(text, "lost=") > 0) {
			lost += value_of(text, "lost=");
			assert_memory_equal(text, "event=lost\n", 11);
			next += value_of(text, "lost=");
		} else {
			assert_int_equal(value_of(text, "peers="), next);
			events++;
			next++;
		}
		free(text);
	}
	assert_true(lost > 0);
	assert_true(events > 0);
	emit(FLOOD);
	expect_event(slow, "reload-applied", "peers=20000\n\n");
	close(slow);
	close(fast);
	serve_until(&serve, no_monitors, NULL);
}

static void monitors_do_not_take_the_places_of_other_clients(void **state)
{
	int fds[UAPI_MONITORS_MAX], other;

	for (int i = 0; i < UAPI_MONITORS_MAX; i++)
		fds[i] = open_monitor();
	assert_int_equal(serve.uapi.connection_count, 0);
	other = serve_connect(&serve);
	serve_expect(&serve, other, "get=1\n\n", EMPTY_GET);
	serve_expect(&serve, other, "monitor=1\n\n", "errno=-16\n\n");
	close(fds[3]);
	while (serve.uapi.monitor_count == UAPI_MONITORS_MAX)
		serve_turn(&serve);
	serve_expect(&serve, other, "monitor=1\n\n", "errno=0\n\n");
	emit(1);
	expect_event(other, "reload-applied", "peers=1\n\n");
	fds[3] = other;
	for (int i = 0; i < UAPI_MONITORS_MAX; i++)
		close(fds[i]);
	serve_until(&serve, no_monitors, NULL);
}

static void a_monitor_that_does_not_read_makes_room(void **state)
{
	int fds[UAPI_MONITORS_MAX], other = serve_connect(&serve);
	double limit = serve_time() + SERVE_SECONDS;
	char *answer = NULL;

	for (int i = 0; i < UAPI_MONITORS_MAX; i++)
		fds[i] = open_monitor();
	for (int i = 0; i < FLOOD / 4; i++) {
		emit(1);
		if (i % 64)
			continue;
		for (int reader = 1; reader < UAPI_MONITORS_MAX; reader++) { /* all but the first */
			char bytes[4096];

			while (recv(fds[reader], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
				;
		}
		serve_turn(&serve);
	}
	do {
		assert_true(serve_time() < limit);
		free(answer);
		serve_send(&serve, other, "monitor=1\n\n", 11);
		answer = serve_receive(&serve, other);
		usleep(10000);
	} while (strcmp(answer, "errno=-16\n\n") == 0);
	assert_string_equal(answer, "errno=0\n\n");
	free(answer);
	while (*(answer = serve_receive(&serve, fds[0]))) /* the first one: its socket still has events */
		free(answer);
	free(answer);
	close(other);
	for (int i = 0; i < UAPI_MONITORS_MAX; i++)
		close(fds[i]);
	serve_until(&serve, no_monitors, NULL);
}

static void a_monitor_has_no_time_limit(void **state)
{
	int monitor, idle;
	char *rest;

	uapi_stop(&serve.uapi);
	serve.options.idle_timeout = serve.options.request_timeout = 0.05;
	serve_start(&serve);
	monitor = open_monitor();
	idle = serve_connect(&serve);
	rest = serve_receive(&serve, idle);
	assert_string_equal(rest, ""); /* closed */
	free(rest);
	for (double end = serve_time() + 0.2; serve_time() < end; usleep(1000))
		serve_turn(&serve);
	emit(5);
	expect_event(monitor, "reload-applied", "peers=5\n\n");
	close(monitor);
	close(idle);
}

static void a_client_may_close_its_sending_side_but_not_send(void **state)
{
	int half = open_monitor(), sender = open_monitor();
	char *rest;

	assert_int_equal(shutdown(half, SHUT_WR), 0);
	for (int i = 0; i < 100; i++)
		serve_turn(&serve);
	emit(1);
	expect_event(half, "reload-applied", "peers=1\n\n");
	expect_event(sender, "reload-applied", "peers=1\n\n");
	serve_send(&serve, sender, "get=1\n\n", 7);
	rest = serve_receive(&serve, sender);
	assert_string_equal(rest, "");
	free(rest);
	assert_int_equal(serve.uapi.monitor_count, 1);
	close(half);
	close(sender);
}

static void the_end_is_reported(void **state)
{
	int fd = open_monitor(), restarted;

	uapi_stop(&serve.uapi);
	expect_event(fd, "end", "reason=the daemon ends\n\n");
	close(fd);
	serve_start(&serve);
	restarted = open_monitor();
	serve.rig.device.leaving = true;
	uapi_stop(&serve.uapi);
	expect_event(restarted, "end", "reason=the service restarts\n\n");
	close(restarted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_is_a_block_of_lines),
		TEST(the_longest_event_fits_its_room),
		TEST(other_requests_with_lines_are_rejected),
		TEST(a_client_that_never_reads_loses_events_and_learns_how_many),
		TEST(monitors_do_not_take_the_places_of_other_clients),
		TEST(a_monitor_that_does_not_read_makes_room),
		TEST(a_monitor_has_no_time_limit),
		TEST(a_client_may_close_its_sending_side_but_not_send),
		TEST(the_end_is_reported),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
