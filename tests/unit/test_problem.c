/* SPDX-License-Identifier: MIT */
/* Tests of the problems of peers and the warnings of a device: which one counts, its text, its line in the log. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "device_rig.h"
#include "tunnel/handshake.h"

#define START (1000 * NS_PER_S)

static struct rig rig;
static struct peer *peer;
static int log_file, standard_error;

static struct endpoint endpoint_of(const char *host, uint16_t port)
{
	struct endpoint endpoint = { 0 };

	if (inet_pton(AF_INET, host, &endpoint.to.v4.sin_addr) == 1) {
		endpoint.to.v4.sin_family = AF_INET;
		endpoint.to.v4.sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &endpoint.to.v6.sin6_addr), 1);
		endpoint.to.v6.sin6_family = AF_INET6;
		endpoint.to.v6.sin6_port = htons(port);
	}
	return endpoint;
}

static struct peer *add_peer(uint8_t byte, const char *host, uint16_t port)
{
	struct peer *added = peer_add(&rig.device, rig_key(byte));

	assert_non_null(added);
	if (host)
		added->endpoint = endpoint_of(host, port);
	return added;
}

static int set_up(void **state)
{
	FILE *file = tmpfile();

	rig_init(&rig, "wg0");
	peer = add_peer(1, "192.0.2.1", 51820);
	assert_non_null(file);
	log_file = fileno(file);
	standard_error = dup(STDERR_FILENO);
	dup2(log_file, STDERR_FILENO);
	return 0;
}

static int tear_down(void **state)
{
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	close(log_file);
	rig_destroy(&rig);
	return 0;
}

/* Counts the lines in the log that contain `word`. */
static size_t logged(const char *word)
{
	static char text[1 << 16];
	ssize_t n = pread(log_file, text, sizeof text - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return rig_count(text, word);
}

static void report(enum problem_kind kind, uint64_t now)
{
	peer_report_problem(peer, &(struct problem) { .kind = kind, .endpoint = peer->endpoint }, now);
}

static void report_source(const char *address, uint64_t now)
{
	struct problem problem = { .kind = PROBLEM_INNER_SOURCE, .address_length = 4 };

	assert_int_equal(inet_pton(AF_INET, address, problem.address), 1);
	peer_report_problem(peer, &problem, now);
}

static void allow(struct peer *owner, const char *network, uint8_t length)
{
	uint8_t address[4];

	assert_int_equal(inet_pton(AF_INET, network, address), 1);
	assert_int_equal(allowedips_insert(&rig.device.allowed_ips, AF_INET, address, length, &owner->allowed_ips), 0);
}

static const char *reason(uint64_t now)
{
	static char text[PROBLEM_TEXT];

	return peer_problem_text(peer, text, now) ? text : "";
}

static void expect_reason(const char *word, uint64_t now)
{
	if (!strstr(reason(now), word))
		fail_msg("no \"%s\" in \"%s\"", word, reason(now));
}

static void a_peer_without_a_problem_has_no_reason(void **state)
{
	assert_string_equal(reason(START), "");
	assert_int_equal(logged(":"), 0);
}

static void a_certain_problem_stays_for_30_s(void **state)
{
	report(PROBLEM_SILENT, START);
	expect_reason("no answer from 192.0.2.1:51820: ", START);
	report(PROBLEM_PRESHARED_KEY, START);
	expect_reason("PresharedKey", START);
	report(PROBLEM_SILENT, START + 29 * NS_PER_S);
	expect_reason("PresharedKey", START + 29 * NS_PER_S);
	report(PROBLEM_SILENT, START + 31 * NS_PER_S);
	expect_reason("no answer", START + 31 * NS_PER_S);
}

static void each_kind_is_logged_once_in_ten_minutes(void **state)
{
	for (int second = 0; second < 595; second += 5) {
		report(PROBLEM_SILENT, START + (uint64_t)second * NS_PER_S);
		report(PROBLEM_UNCONFIRMED, START + (uint64_t)second * NS_PER_S);
	}
	assert_int_equal(logged("no answer"), 1);
	assert_int_equal(logged("PresharedKey"), 1);
	report(PROBLEM_UNCONFIRMED, START + 601 * NS_PER_S);
	assert_int_equal(logged("PresharedKey"), 2);
}

static void another_inner_source_is_logged_but_not_without_limit(void **state)
{
	char address[INET_ADDRSTRLEN];

	report_source("10.0.0.1", START);
	report_source("10.0.0.1", START);
	assert_int_equal(logged("packets from"), 1);
	for (int i = 2; i < 100; i++) {
		snprintf(address, sizeof address, "10.0.0.%d", i);
		report_source(address, START);
	}
	assert_int_equal(logged("packets from"), 5);
	expect_reason("packets from 10.0.0.99 are dropped", START);
	report_source("10.0.0.100", START + 61 * NS_PER_S);
	assert_int_equal(logged("packets from"), 6);
}

static void the_owner_of_an_inner_source_is_named(void **state)
{
	struct peer *owner = add_peer(2, NULL, 0);

	report_source("10.0.0.1", START);
	assert_null(strstr(reason(START), "belongs"));
	allow(owner, "10.0.0.0", 24);
	expect_reason(", but belongs to peer AgIC…CAgI", START);
	device_lock(&rig.device);
	peer_remove(owner);
	device_unlock(&rig.device);
	assert_null(strstr(reason(START), "belongs"));
}

/* Also by a change of another peer, whose prefix was more specific. */
static void a_change_of_allowed_ips_ends_the_problem_of_an_inner_source(void **state)
{
	struct peer *owner = add_peer(2, NULL, 0);

	allow(peer, "10.0.0.0", 24);
	allow(owner, "10.0.0.1", 32);
	report_source("10.0.0.1", START);
	expect_reason(", but belongs to peer AgIC…CAgI", START);
	device_lock(&rig.device);
	peer_remove(owner);
	device_unlock(&rig.device);
	assert_string_equal(reason(START), "");
}

static void a_peer_that_answered_before_is_not_suspected_of_mistakes_in_its_file(void **state)
{
	peer->handshake_wall = START;
	report(PROBLEM_SILENT, START);
	expect_reason("no answer from 192.0.2.1:51820 any more: the peer is off or has moved, ", START);
	assert_null(strstr(reason(START), "PersistentKeepalive"));
	peer->origin = ORIGIN_ROAMED;
	expect_reason(" (PersistentKeepalive at its end keeps a NAT open)", START);
}

static void a_session_ends_a_problem_but_not_that_of_an_inner_source(void **state)
{
	report(PROBLEM_PRESHARED_KEY, START);
	peer_is_up(peer);
	assert_string_equal(reason(START), "");
	report(PROBLEM_PRESHARED_KEY, START + NS_PER_S);
	assert_int_equal(logged("PresharedKey"), 2);
	peer_is_up(peer);
	report_source("10.0.0.1", START);
	peer_is_up(peer);
	expect_reason("packets from", START);
	report_source("10.0.0.1", START);
	assert_int_equal(logged("packets from"), 1);
	peer_clear_problem(peer);
	assert_string_equal(reason(START), "");
}

static bool describe_lookup(void *context, const struct peer *of, char *text, size_t size)
{
	snprintf(text, size, "looking up its endpoint");
	return of == peer;
}

static void an_endpoint_ends_the_lack_of_one(void **state)
{
	peer->endpoint = (struct endpoint) { 0 };
	report(PROBLEM_NO_ENDPOINT, START);
	expect_reason("no endpoint is set here", START);
	rig.device.describe_lookup = describe_lookup;
	expect_reason("looking up", START);
	rig.device.describe_lookup = NULL;
	peer->endpoint = endpoint_of("192.0.2.1", 1);
	assert_string_equal(reason(START), "");
}

static void workers_report_once_per_second_after_four_at_once(void **state)
{
	for (int i = 0; i < 5; i++)
		peer_post_problem(peer, &(struct problem) { .kind = i < 4 ? PROBLEM_INNER_SOURCE : PROBLEM_LOOP }, NULL, START);
	assert_int_equal(peer->problem.latest.kind, PROBLEM_INNER_SOURCE);
	peer_post_problem(peer, &(struct problem) { .kind = PROBLEM_LOOP }, NULL, START + 2 * NS_PER_S);
	assert_int_equal(peer->problem.latest.kind, PROBLEM_LOOP);
	assert_int_equal(peer->problem.post, POST_NONE);
}

static void one_late_message_is_no_problem_but_two_are(void **state)
{
	peer_answered(peer, START);
	assert_string_equal(reason(START), "");
	peer_answered(peer, START);
	expect_reason("not accepted", START);
	assert_int_equal(rig.device.counters.value[COUNT_UNCONFIRMED], 1);
	peer_clear_problem(peer);
	peer_sent_stale(peer, START);
	assert_string_equal(reason(START), "");
	peer_answered(peer, START); /* an accepted initiation in between */
	peer_sent_stale(peer, START);
	assert_string_equal(reason(START), "");
	peer->remote.seconds_late = 3600;
	peer_sent_stale(peer, START);
	expect_reason("1 h 0 min older", START);
}

static void move(const char *host, uint64_t now)
{
	struct endpoint former = peer->last_from;

	peer->last_from = peer->endpoint = endpoint_of(host, 1);
	peer_moved(peer, &former, now);
}

static void moving_back_and_forth_is_a_shared_key(void **state)
{
	for (int i = 0; i < 60; i++) /* two uplinks */
		move(i % 2 ? "192.0.2.1" : "192.0.2.2", START + (uint64_t)i * 15 * NS_PER_S);
	assert_string_equal(reason(START), "");
	for (int i = 1; i < 60; i++) { /* roaming */
		char host[INET_ADDRSTRLEN];

		snprintf(host, sizeof host, "198.51.100.%d", i);
		move(host, 2 * START);
	}
	assert_string_equal(reason(2 * START), "");
	for (int i = 0; i < 9; i++) /* each host sends every 25 s */
		move(i % 2 ? "192.0.2.1" : "192.0.2.2", 3 * START + (uint64_t)i * 25 * NS_PER_S / 2);
	/* The last move is that of a new count, and is not reported. */
	expect_reason("between 192.0.2.1:1 and 192.0.2.2:1: two hosts may use the same private key", 3 * START);
}

/* A stranger who forges the address of a peer must not give a reason to a peer that is up. */
static void an_unproven_problem_needs_a_peer_that_is_not_up(void **state)
{
	const struct noise_keys keys = { .local_index = 1 };
	struct udp_error error = { .to = peer->endpoint, .error = ECONNREFUSED };

	peer_report_unreachable(&rig.device, &error, START);
	expect_reason("this host reports that nothing listens at 192.0.2.1:51820", START);
	peer_clear_problem(peer);
	peer->sessions.current = session_create(rig.device.aead, &keys, START);
	peer_report_unreachable(&rig.device, &error, START);
	assert_string_equal(reason(START), "");
	report(PROBLEM_SILENT, START); /* the session exists, but the peer does not answer */
	peer_report_unreachable(&rig.device, &error, START);
	expect_reason("nothing listens", START);
	expect_reason("nothing listens", START + 181 * NS_PER_S); /* the session has ended */
	session_destroy(peer->sessions.current);
	peer->sessions.current = session_create(rig.device.aead, &keys, START + 100 * NS_PER_S);
	expect_reason("nothing listens", START + 179 * NS_PER_S);
	assert_string_equal(reason(START + 181 * NS_PER_S), "");
	session_destroy(peer->sessions.current);
	peer->sessions.current = NULL;
}

/* The state and the reason must not contradict each other. */
static void the_reason_fits_the_state(void **state)
{
	const struct noise_keys keys = { .local_index = 1 };

	rig.device.backend = "test";
	rig.device.identity.has_key = true;
	report(PROBLEM_PRESHARED_KEY, START);
	rig.device.up = false;
	assert_string_equal(reason(START), "the link is down");
	rig.device.up = true;
	expect_reason("PresharedKey", START);
	peer_clear_problem(peer);
	report(PROBLEM_SEND, START);
	expect_reason("cannot send", START);
	peer->sessions.current = session_create(rig.device.aead, &keys, START);
	assert_string_equal(reason(START), ""); /* the route is back, and the session still exists */
	peer_clear_problem(peer);
	report(PROBLEM_SILENT, START);
	assert_string_equal(reason(START), "");
	peer_state_silent(&peer->state, &(struct peer_facts) { .received = peer->rx_bytes });
	expect_reason("no answer", START);
	session_destroy(peer->sessions.current);
	peer->sessions.current = NULL;
	memset(&peer->endpoint, 0, sizeof peer->endpoint);
	peer_clear_problem(peer);
	rig.device.up = false;
	expect_reason("no endpoint", START);
}

static void the_peer_at_an_endpoint_is_that_with_the_port_or_the_only_one(void **state)
{
	struct endpoint at = endpoint_of("192.0.2.1", 51820), other_port = endpoint_of("192.0.2.1", 1);
	struct endpoint nowhere = endpoint_of("192.0.2.3", 51820), v6 = endpoint_of("2001:db8::1", 7);
	struct peer *second, *third;

	assert_ptr_equal(peer_find_at(&rig.device, &at), peer);
	assert_ptr_equal(peer_find_at(&rig.device, &other_port), peer);
	assert_null(peer_find_at(&rig.device, &nowhere));
	second = add_peer(2, "192.0.2.1", 9);
	third = add_peer(3, "2001:db8::1", 9);
	assert_ptr_equal(peer_find_at(&rig.device, &at), peer);
	assert_ptr_equal(peer_find_at(&rig.device, &second->endpoint), second);
	assert_null(peer_find_at(&rig.device, &other_port));
	assert_ptr_equal(peer_find_at(&rig.device, &v6), third);
}

/* The peer's own handshake has replaced ours, so the index of the message that came back is forgotten. */
static void a_late_handshake_of_this_host_is_recognized(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "2001:db8::9" };

	control_set_private_key(&rig.device, rig_key(9));
	rig.device.up = true;
	rig.device.listen_port = 51820;
	for (size_t i = 0; i < 2; i++) {
		struct endpoint from = endpoint_of(hosts[i], rig.device.listen_port);

		if (i)
			from.local.v6.ipi6_addr = from.to.v6.sin6_addr;
		else
			from.local.v4.ipi_spec_dst = from.to.v4.sin_addr;
		handshake_misdirected(&rig.device, 12345, &from, START);
		assert_int_equal(logged("handshake"), i);
		peer->endpoint = endpoint_of(hosts[i], rig.device.listen_port);
		handshake_misdirected(&rig.device, 12345, &from, START + i * 700 * NS_PER_S);
		expect_reason("is this host itself", START + i * 700 * NS_PER_S);
	}
}

static void each_kind_has_a_text_that_fits(void **state)
{
	struct problem problem = { .error = ECONNREFUSED, .address_length = 16, .seconds = UINT64_MAX };
	char *answer, *line;

	memset(problem.address, 0xab, sizeof problem.address);
	memset(&problem.endpoint.to.v6.sin6_addr, 0xab, 16);
	problem.endpoint.to.v6.sin6_family = AF_INET6;
	problem.endpoint.to.v6.sin6_port = htons(65535);
	peer->endpoint = problem.endpoint;
	for (problem.kind = PROBLEM_NONE + 1; problem.kind < PROBLEMS; problem.kind++) {
		peer_clear_problem(peer);
		peer->endpoint = problem.endpoint;
		if (problem.kind == PROBLEM_NO_ENDPOINT)
			peer->endpoint = (struct endpoint) { 0 };
		peer_report_problem(peer, &problem, START);
		assert_uint_in_range(strlen(reason(START)), 20, PROBLEM_TEXT - 2);
		answer = rig_get(&rig, UAPI_GET_ROOM);
		line = strstr(answer, "\nstate_reason=");
		assert_non_null(line);
		assert_non_null(strstr(line, "\nprotocol_version=1\n"));
		free(answer);
	}
}

/* --- warnings ----- */

static size_t warnings(const char *word)
{
	char *answer = rig_get(&rig, UAPI_GET_ROOM);
	size_t found = rig_count(answer, word);

	free(answer);
	return found;
}

static void a_warning_ends_by_itself_or_when_it_is_withdrawn(void **state)
{
	uint64_t now = clock_boottime();

	assert_true(device_warn(&rig.device, WARNING_NO_PEER, now + 3600 * NS_PER_S, now, "packets to %s", "10.0.0.1"));
	assert_int_equal(warnings("\nwarning=packets to 10.0.0.1\n") + warnings("warning=packets to 10.0.0.1\n"), 1);
	device_withdraw_warning(&rig.device, WARNING_NO_PEER);
	assert_int_equal(warnings("warning="), 0);
	device_warn(&rig.device, WARNING_NO_PEER, now, now, "packets to 10.0.0.2");
	assert_int_equal(warnings("warning="), 0);
}

static void a_notice_ends_when_its_cause_is_mended(void **state)
{
	const struct endpoint other = endpoint_of("192.0.2.9", 1);
	uint64_t now = clock_boottime();

	device_notice(&rig.device, WARNING_WRONG_RECIPIENT, &peer->endpoint, now, "from the peer");
	device_notice(&rig.device, WARNING_UNKNOWN_KEY, &other, now, "from a stranger");
	device_notice(&rig.device, WARNING_NO_PEER, NULL, now, "packets to nobody");
	device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, now, "the network");
	report(PROBLEM_CIPHER, now);
	assert_int_equal(warnings("warning="), 5);
	peer_is_up(peer); /* so its messages are right, and so is its cipher */
	assert_int_equal(warnings("warning=from a stranger"), 1);
	assert_int_equal(warnings("warning="), 3);
	assert_int_equal(rig_set(&rig, 0, "fwmark=0\n"), 0);
	assert_int_equal(warnings("warning=the network"), 1);
	assert_int_equal(warnings("warning="), 1);
	device_notice(&rig.device, WARNING_NO_PEER, NULL, now, "packets to nobody");
	assert_int_equal(warnings("warning=packets to nobody"), 1);
	assert_int_equal(logged("packets to nobody"), 1);
}

static void the_same_warning_is_logged_again_after_ten_minutes(void **state)
{
	assert_true(device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START, "one"));
	assert_false(device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START + 599 * NS_PER_S, "one"));
	assert_true(device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START + 601 * NS_PER_S, "one"));
	assert_true(device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START + 601 * NS_PER_S, "two"));
	for (int i = 0; i < 100; i++)
		device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START + 601 * NS_PER_S, "%d", i);
	assert_false(device_warn(&rig.device, WARNING_LEFT_OUT, UINT64_MAX, START + 601 * NS_PER_S, "three"));
	assert_true(device_warn(&rig.device, WARNING_NO_PEER, UINT64_MAX, START + 601 * NS_PER_S, "another kind"));
}

static uint64_t wall;

static uint64_t read_wall(void)
{
	return wall;
}

static void the_state_of_the_device_gives_warnings(void **state)
{
	uint64_t now = clock_boottime();

	rig.device.backend = "test";
	rig.device.up = true;
	rig.device.realtime = read_wall;
	wall = 1750000000 * NS_PER_S;
	assert_int_equal(warnings("warning=no private key is set"), 1);
	assert_int_equal(warnings("state_reason=the interface has no private key"), 1);
	control_set_private_key(&rig.device, rig_key(9));
	assert_int_equal(warnings("warning="), 0);
	rig.device.ungrouped_until = now + 3600 * NS_PER_S;
	assert_int_equal(warnings("warning=a path or network driver refuses UDP GSO"), 1);
	rig.device.unmerged_until = now + 3600 * NS_PER_S;
	assert_int_equal(warnings("warning=the TUN device refuses merged packets"), 1);
	rig.device.ungrouped_until = rig.device.unmerged_until = 1;
	device_stamp_time(&rig.device, clock_boottime());
	assert_int_equal(warnings("warning="), 0);
	wall -= 7200 * NS_PER_S;
	assert_int_equal(warnings("warning=the clock was set back by 2 h 0 min;") +
						 warnings("warning=the clock was set back by 1 h 59 min;"),
					 1);
	peer->state.since = clock_boottime() - 100 * NS_PER_S;
	assert_int_equal(warnings("\nstate_since_time_sec=17"), 1);
	wall = 5 * NS_PER_S;
	assert_int_equal(warnings("warning=the clock of this host is not set"), 1);
	assert_int_equal(warnings("state_since_time_sec="), 0); /* before 1970 */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_peer_without_a_problem_has_no_reason),
		TEST(a_certain_problem_stays_for_30_s),
		TEST(each_kind_is_logged_once_in_ten_minutes),
		TEST(another_inner_source_is_logged_but_not_without_limit),
		TEST(the_owner_of_an_inner_source_is_named),
		TEST(a_change_of_allowed_ips_ends_the_problem_of_an_inner_source),
		TEST(a_peer_that_answered_before_is_not_suspected_of_mistakes_in_its_file),
		TEST(a_session_ends_a_problem_but_not_that_of_an_inner_source),
		TEST(an_endpoint_ends_the_lack_of_one),
		TEST(workers_report_once_per_second_after_four_at_once),
		TEST(one_late_message_is_no_problem_but_two_are),
		TEST(moving_back_and_forth_is_a_shared_key),
		TEST(an_unproven_problem_needs_a_peer_that_is_not_up),
		TEST(the_reason_fits_the_state),
		TEST(the_peer_at_an_endpoint_is_that_with_the_port_or_the_only_one),
		TEST(a_late_handshake_of_this_host_is_recognized),
		TEST(each_kind_has_a_text_that_fits),
		TEST(a_warning_ends_by_itself_or_when_it_is_withdrawn),
		TEST(a_notice_ends_when_its_cause_is_mended),
		TEST(the_same_warning_is_logged_again_after_ten_minutes),
		TEST(the_state_of_the_device_gives_warnings),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
