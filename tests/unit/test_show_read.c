/* SPDX-License-Identifier: MIT */
/* Tests of reading the state of an interface. A child process serves the control socket with one answer. */
#include "uapi_server_rig.h"

#include "show_state.h"

#define KEY_LINE "public_key=0202020202020202020202020202020202020202020202020202020202020202\n"

static void answer_once(int listener, const char *answer)
{
	char request[64];
	int fd;

	if (fcntl(listener, F_SETFL, 0)) /* block until the client connects */
		_exit(1);
	fd = accept(listener, NULL, NULL);
	if (recv(fd, request, sizeof request, 0) <= 0 || send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
		_exit(1);
	shutdown(fd, SHUT_WR);
	while (recv(fd, request, sizeof request, 0) > 0)
		;
	_exit(0);
}

/* Sends a byte now and then, and never a whole line. */
static void answer_in_drops(int listener, const char *byte)
{
	const struct timespec pause = { .tv_nsec = 200 * 1000000L };
	char request[64];
	int fd;

	if (fcntl(listener, F_SETFL, 0))
		_exit(1);
	fd = accept(listener, NULL, NULL);
	if (recv(fd, request, sizeof request, 0) <= 0)
		_exit(1);
	for (int i = 0; i < 50 && send(fd, byte, 1, MSG_NOSIGNAL) == 1; i++)
		nanosleep(&pause, NULL);
	_exit(0);
}

/* The caller frees the interface, whatever the result. */
static int read_answer_of(struct show_interface *interface, void (*answer_with)(int listener, const char *answer),
						  const char *answer, int timeout)
{
	int listener = uapi_listen(serve_directory, "test"), error, status;
	char path[UAPI_PATH];
	pid_t child;

	assert_true(listener >= 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		answer_with(listener, answer);
	close(listener);
	*interface = (struct show_interface) { .name = "test" };
	error = show_read(interface, serve_directory, timeout);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(uapi_path(path, serve_directory, "test"), 0);
	assert_int_equal(unlink(path), 0);
	return error;
}

static int read_answer(struct show_interface *interface, const char *answer)
{
	return read_answer_of(interface, answer_once, answer, SERVE_SECONDS);
}

static void the_timeout_is_that_of_the_whole_reply(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer_of(&interface, answer_in_drops, "x", 1), -EAGAIN);
	show_free(&interface);
}

static void text_and_origin_that_are_empty_are_unknown(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer(&interface, KEY_LINE "name=\nstate_reason=because\nstate_reason=\n"
													  "endpoint_origin=roamed\nerrno=0\n\n"),
					 0);
	assert_null(interface.peers->name);
	assert_null(interface.peers->state_reason);
	assert_int_equal(interface.peers->endpoint_origin, SHOW_ORIGIN_UNKNOWN);
	show_free(&interface);
}

static void the_state_of_a_peer_is_read(void **state)
{
	struct show_interface interface;
	const struct show_peer *peer;

	assert_int_equal(read_answer(&interface,
								 KEY_LINE "endpoint=192.0.2.1:5\npersistent_keepalive_interval=25\nstate="
										  "unreachable\nstate_since_time_sec=1700000000\n"
										  "endpoint_origin=roamed\nstate_reason=the host has no route to 192.0.2.1\n"
										  "rx_datagrams=1000\nrx_lost=20\nrx_late=3\nrx_duplicate=4\n"
										  "rx_gaps=1,2,3,4,5,6,7,18446744073709551615\n"
										  "rtt_ns=12000000\nrtt_min_ns=11000000\njitter_ns=500000\n"
										  "name=alice\nallowed_ip=10.0.0.1/32\nallowed_ip=10.0.1.0/24\nerrno=0\n\n"),
					 0);
	peer = interface.peers;
	assert_non_null(peer);
	assert_int_equal(peer->state, SHOW_UNREACHABLE);
	assert_int_equal(peer->state_since, 1700000000);
	assert_int_equal(peer->endpoint_origin, SHOW_ROAMED);
	assert_string_equal(peer->state_reason, "the host has no route to 192.0.2.1");
	assert_true(peer->quality.has_datagrams);
	assert_int_equal(peer->quality.datagrams, 1000);
	assert_int_equal(peer->quality.lost, 20);
	assert_int_equal(peer->quality.late, 3);
	assert_int_equal(peer->quality.duplicate, 4);
	for (unsigned i = 0; i + 1 < SHOW_GAPS; i++)
		assert_int_equal(peer->quality.gaps[i], i + 1);
	assert_true(peer->quality.gaps[SHOW_GAPS - 1] == UINT64_MAX);
	assert_int_equal(peer->quality.rtt_ns, 12000000);
	assert_int_equal(peer->quality.rtt_min_ns, 11000000);
	assert_int_equal(peer->quality.jitter_ns, 500000);
	assert_string_equal(peer->name, "alice");
	assert_non_null(peer->allowed_ips);
	assert_non_null(peer->allowed_ips->next);
	assert_null(peer->allowed_ips->next->next);
	show_free(&interface);
}

static void values_that_a_daemon_does_not_report_are_unknown(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer(&interface, KEY_LINE "protocol_version=1\nerrno=0\n\n"), 0);
	assert_int_equal(interface.peers->endpoint_origin, SHOW_ORIGIN_UNKNOWN);
	assert_null(show_origin_word(interface.peers->endpoint_origin));
	assert_null(interface.peers->state_reason);
	assert_false(interface.peers->quality.has_datagrams);
	assert_int_equal(interface.peers->quality.rtt_ns, 0);
	assert_null(interface.warnings);
	assert_string_equal(interface.log_level, "");
	show_free(&interface);
}

/* The words themselves are tested with wg_state_word. */
static void a_state_that_is_not_reported_is_derived(void **state)
{
	static const char *const more[SHOW_STATES] = {
		[SHOW_NO_ENDPOINT] = "",
		[SHOW_IDLE] = "endpoint=192.0.2.1:1\n",
		[SHOW_SILENT] = "endpoint=192.0.2.1:1\ntx_bytes=148\n",
		[SHOW_UP] = "last_handshake_time_sec=9999999999\n",
	};
	struct show_interface interface;
	char answer[256];

	for (unsigned word = 1; word < SHOW_STATES; word++) {
		if (!more[word])
			continue;
		snprintf(answer, sizeof answer, KEY_LINE "%serrno=0\n\n", more[word]);
		assert_int_equal(read_answer(&interface, answer), 0);
		assert_int_equal(interface.peers->state, word);
		show_free(&interface);
	}
	assert_int_equal(read_answer(&interface, KEY_LINE "endpoint=192.0.2.1:1\nlast_handshake_time_sec=5\n"
													  "persistent_keepalive_interval=25\nerrno=0\n\n"),
					 0);
	assert_int_equal(interface.peers->state, SHOW_SILENT);
	show_free(&interface);
}

static void words_of_later_versions_are_unknown(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer(&interface, KEY_LINE "state=happy\nendpoint_origin=guessed\nerrno=0\n\n"), 0);
	assert_int_equal(interface.peers->state, SHOW_NO_ENDPOINT);
	assert_int_equal(interface.peers->endpoint_origin, SHOW_ORIGIN_UNKNOWN);
	show_free(&interface);
}

static void every_word_is_read(void **state)
{
	struct show_interface interface;
	char answer[256];

	for (unsigned word = 1; word < SHOW_STATES; word++) {
		snprintf(answer, sizeof answer, KEY_LINE "state=%s\nerrno=0\n\n", show_state_word(word));
		assert_int_equal(read_answer(&interface, answer), 0);
		assert_int_equal(interface.peers->state, word);
		show_free(&interface);
	}
	for (unsigned word = 1; word < SHOW_ORIGINS; word++) {
		snprintf(answer, sizeof answer, KEY_LINE "endpoint=192.0.2.1:1\nendpoint_origin=%s\nerrno=0\n\n",
				 show_origin_word(word));
		assert_int_equal(read_answer(&interface, answer), 0);
		assert_int_equal(interface.peers->endpoint_origin, word);
		show_free(&interface);
	}
}

static void warnings_keep_their_order(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer(&interface, "listen_port=1\nwarning=one\nwarning=two\nlog_level=debug\n"
											 "warning=three\n" KEY_LINE "warning=of a peer\nerrno=0\n\n"),
					 0);
	assert_string_equal(interface.warnings->text, "one");
	assert_string_equal(interface.warnings->next->text, "two");
	assert_string_equal(interface.warnings->next->next->text, "three");
	assert_null(interface.warnings->next->next->next);
	assert_string_equal(interface.log_level, "debug");
	show_free(&interface);
}

/* The order of the keys is no part of the protocol. */
static void keys_are_read_in_any_order(void **state)
{
	struct show_interface interface;

	assert_int_equal(read_answer(&interface, KEY_LINE "jitter_ns=3\nallowed_ip=10.0.0.1/32\nrx_bytes=1\n"
													  "allowed_ip=10.0.0.2/32\nname=n\ntx_bytes=2\nerrno=0\n\n"),
					 0);
	assert_int_equal(interface.peers->quality.jitter_ns, 3);
	assert_int_equal(interface.peers->rx_bytes, 1);
	assert_int_equal(interface.peers->tx_bytes, 2);
	assert_string_equal(interface.peers->name, "n");
	assert_non_null(interface.peers->allowed_ips->next);
	show_free(&interface);
}

static void invalid_values_are_an_error(void **state)
{
	static const char *const lines[] = {
		"rx_gaps=1,2,3",
		"rx_gaps=1,2,3,4,5,6,7,8,9",
		"rx_gaps=1,2,3,4,5,6,7,x",
		"rx_gaps=1,2,3,4,5,6,7,-8",
		"rx_gaps=",
		"rx_gaps=1,,2,3,4,5,6,7",
		"rtt_ns=-1",
		"rtt_ns=1.5",
		"rx_datagrams=x",
		"state_since_time_sec=",
		"rx_lost=18446744073709551616",
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct show_interface interface;
		char answer[256];

		snprintf(answer, sizeof answer, KEY_LINE "%s\nerrno=0\n\n", lines[i]);
		assert_int_equal(read_answer(&interface, answer), -EPROTO);
		show_free(&interface);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_state_of_a_peer_is_read),
		cmocka_unit_test(the_timeout_is_that_of_the_whole_reply),
		cmocka_unit_test(text_and_origin_that_are_empty_are_unknown),
		cmocka_unit_test(values_that_a_daemon_does_not_report_are_unknown),
		cmocka_unit_test(a_state_that_is_not_reported_is_derived),
		cmocka_unit_test(words_of_later_versions_are_unknown),
		cmocka_unit_test(every_word_is_read),
		cmocka_unit_test(warnings_keep_their_order),
		cmocka_unit_test(keys_are_read_in_any_order),
		cmocka_unit_test(invalid_values_are_an_error),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, serve_make_home, serve_remove_home);
}
