/* SPDX-License-Identifier: MIT */
/* Tests of metrics: the exposition in both formats, and the counters that the control socket reports. */
#include "uapi_server_rig.h"

#include "cli/show.h"
#include "metrics_counters.h"
#include "metrics_text.h"
#include "sandbox.h"

#define OUTPUT "/var/run/output"

/* Returns the text, in a buffer that the next call overwrites. */
static const char *text_of(const struct metrics_options *options, const struct metrics_interface *interfaces,
						   size_t count)
{
	static char text[65536];
	FILE *file = fmemopen(text, sizeof text, "w");

	assert_non_null(file);
	assert_int_equal(metrics_text(file, options, interfaces, count), 0);
	fclose(file);
	return text;
}

/* A counter as show_read_counters reads it. `lines` are "NAME=VALUE[,VALUE]..."; NULL ends them. */
static struct show_counter *make_counters(const char *const *lines)
{
	struct show_counter *first = NULL, **tail = &first;

	for (; *lines; lines++) {
		const char *value = strchr(*lines, '=');
		size_t length = (size_t)(value - *lines);
		struct show_counter *counter = calloc(1, sizeof *counter + length + 1);

		assert_non_null(counter);
		memcpy(counter->name, *lines, length);
		for (; value; value = strchr(value + 1, ','))
			counter->values[counter->count++] = strtoull(value + 1, NULL, 10);
		*tail = counter;
		tail = &counter->next;
	}
	return first;
}

static void free_counters(struct show_counter *counters)
{
	struct show_interface interface = { .counters = counters };

	show_free(&interface);
}

static const struct metrics_options openmetrics = { .format = METRICS_OPENMETRICS, .version = "1.2" };
static const struct metrics_options prometheus = { .format = METRICS_PROMETHEUS, .version = "1.2" };

static void an_exposition_without_interfaces_is_valid(void **state)
{
	assert_string_equal(text_of(&openmetrics, NULL, 0),
						"# HELP adit_build Version of the program that wrote this text.\n# TYPE adit_build info\n"
						"adit_build_info{version=\"1.2\"} 1\n# EOF\n");
	assert_string_equal(text_of(&prometheus, NULL, 0),
						"# HELP adit_build_info Version of the program that wrote this text.\n"
						"# TYPE adit_build_info gauge\nadit_build_info{version=\"1.2\"} 1\n");
}

static struct show_peer peers[2] = {
	{ .next = &peers[1], .public_key = "AAA=", .endpoint = "[fe80::1%lo]:9", .handshake = 1700000000, .rx_bytes = 5 },
	{ .public_key = "BBB=", .rx_bytes = UINT64_MAX, .tx_bytes = 7 },
};

static void the_formats_differ_in_metadata_only(void **state)
{
	const struct metrics_interface interface = { .up = true, .state = { .name = "wg0", .peers = peers } };
	const char *text = text_of(&openmetrics, &interface, 1);

	assert_non_null(strstr(text, "\n# HELP adit_peer_receive_bytes Bytes of UDP payload received from the peer, "
								 "handshakes included.\n# TYPE adit_peer_receive_bytes counter\n"
								 "# UNIT adit_peer_receive_bytes bytes\n"
								 "adit_peer_receive_bytes_total{interface=\"wg0\",public_key=\"AAA=\"} 5\n"
								 "adit_peer_receive_bytes_total{interface=\"wg0\",public_key=\"BBB=\"} "
								 "18446744073709551615\n# HELP "));
	assert_non_null(strstr(text, "\n# TYPE adit_peer info\nadit_peer_info{interface=\"wg0\",public_key=\"AAA=\","
								 "endpoint=\"[fe80::1%lo]:9\"} 1\nadit_peer_info{interface=\"wg0\",public_key="
								 "\"BBB=\"} 1\n# HELP "));
	assert_non_null(strstr(text, "\n# UNIT adit_peer_latest_handshake_timestamp_seconds seconds\n"
								 "adit_peer_latest_handshake_timestamp_seconds{interface=\"wg0\",public_key=\"AAA=\"} "
								 "1700000000\nadit_peer_latest_handshake_timestamp_seconds{interface=\"wg0\","
								 "public_key=\"BBB=\"} 0\n# EOF\n"));
	text = text_of(&prometheus, &interface, 1);
	assert_non_null(strstr(text, "handshakes included.\n# TYPE adit_peer_receive_bytes_total counter\n"
								 "adit_peer_receive_bytes_total{interface=\"wg0\",public_key=\"AAA=\"} 5\n"));
	assert_non_null(strstr(text,
						   "\n# HELP adit_peer_info Endpoint of the peer and how it was learned, if it is known.\n"
						   "# TYPE adit_peer_info gauge\nadit_peer_info{"));
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "# EOF"));
}

/* Fails unless the text has each of the lines, up to a NULL. */
static void assert_lines(const char *text, const char *const lines[])
{
	for (; *lines; lines++) {
		char line[256];

		snprintf(line, sizeof line, "\n%s\n", *lines);
		if (!strstr(text, line))
			fail_msg("the line is missing: %s", *lines);
	}
}

static struct show_peer good_peer = {
	.public_key = "AAA=",
	.name = (char[]) { "a" },
	.endpoint = "192.0.2.1:9",
	.endpoint_origin = SHOW_ROAMED,
	.state = SHOW_UP,
	.quality = { .has_datagrams = true,
				 .datagrams = 1000,
				 .lost = 20,
				 .late = 3,
				 .duplicate = 4,
				 .rtt_ns = 12034567,
				 .rtt_min_ns = 1,
				 .jitter_ns = 2000000000 },
};

static void state_and_quality_of_a_peer_are_written(void **state)
{
	static const char *const lines[] = {
		"adit_peer_info{interface=\"wg0\",public_key=\"AAA=\",name=\"a\",endpoint=\"192.0.2.1:9\","
		"endpoint_origin=\"roamed\"} 1",
		"adit_peer_up{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 1",
		"adit_peer_state{interface=\"wg0\",public_key=\"AAA=\",name=\"a\",state=\"up\"} 1",
		"# TYPE adit_peer_receive_lost_datagrams counter",
		"adit_peer_receive_datagrams_total{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 1000",
		"adit_peer_receive_lost_datagrams_total{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 20",
		"adit_peer_receive_late_datagrams_total{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 3",
		"adit_peer_receive_duplicate_datagrams_total{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 4",
		"# UNIT adit_peer_rtt_seconds seconds",
		"adit_peer_rtt_seconds{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 0.012034567",
		"adit_peer_rtt_min_seconds{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 0.000000001",
		"adit_peer_jitter_seconds{interface=\"wg0\",public_key=\"AAA=\",name=\"a\"} 2.000000000",
		NULL,
	};
	const struct metrics_interface interface = { .up = true, .state = { .name = "wg0", .peers = &good_peer } };

	assert_lines(text_of(&openmetrics, &interface, 1), lines);
}

static void the_jitter_is_unknown_after_a_single_handshake(void **state)
{
	struct show_peer peer = { .public_key = "AAA=", .quality = { .rtt_ns = 5, .rtt_min_ns = 5 } };
	const struct metrics_interface interface = { .up = true, .state = { .name = "x", .peers = &peer } };
	const char *text = text_of(&openmetrics, &interface, 1);

	assert_non_null(strstr(text, "adit_peer_rtt_min_seconds{"));
	assert_null(strstr(text, "jitter"));
}

static void each_state_is_the_value_of_a_label(void **state)
{
	static const struct {
		enum show_peer_state state;
		const char *up, *line;
	} cases[] = {
		{ SHOW_UP, "} 1\n", "state=\"up\"} 1\n" },
		{ SHOW_IDLE, "} 0\n", "state=\"idle\"} 1\n" },
		{ SHOW_WAITING, "} 0\n", "state=\"waiting\"} 1\n" },
		{ SHOW_SILENT, "} 0\n", "state=\"silent\"} 1\n" },
		{ SHOW_NO_ENDPOINT, "} 0\n", "state=\"no-endpoint\"} 1\n" },
		{ SHOW_UNREACHABLE, "} 0\n", "state=\"unreachable\"} 1\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct show_peer peer = { .public_key = "AAA=", .state = cases[i].state };
		const struct metrics_interface interface = { .up = true, .state = { .name = "x", .peers = &peer } };
		const char *text = text_of(&openmetrics, &interface, 1), *up = strstr(text, "\nadit_peer_up{");

		assert_non_null(up);
		assert_true(strstr(up, "} ") == strstr(up, cases[i].up));
		assert_non_null(strstr(text, cases[i].line));
	}
}

static void values_that_are_unknown_are_left_out(void **state)
{
	const struct metrics_interface interface = { .up = true, .state = { .name = "wg0", .peers = peers } };
	const char *text = text_of(&openmetrics, &interface, 1);

	assert_null(strstr(text, "adit_peer_up"));
	assert_null(strstr(text, "adit_peer_state"));
	assert_null(strstr(text, "datagrams"));
	assert_null(strstr(text, "rtt"));
	assert_null(strstr(text, "jitter"));
	assert_null(strstr(text, "start_time"));
	assert_null(strstr(text, "endpoint_origin"));
	assert_null(strstr(text, "histogram"));
	assert_null(strstr(text, "adit_handshakes"));
}

static void histograms_are_cumulative(void **state)
{
	static const char *const lines[] = {
		"# TYPE adit_udp_send_batch_datagrams histogram",
		"adit_udp_send_batch_datagrams_bucket{interface=\"wg0\",le=\"1.0\"} 1",
		"adit_udp_send_batch_datagrams_bucket{interface=\"wg0\",le=\"3.0\"} 3",
		"adit_udp_send_batch_datagrams_bucket{interface=\"wg0\",le=\"127.0\"} 28",
		"adit_udp_send_batch_datagrams_bucket{interface=\"wg0\",le=\"+Inf\"} 36",
		"adit_udp_send_batch_datagrams_count{interface=\"wg0\"} 36",
		"adit_udp_send_batch_datagrams_sum{interface=\"wg0\"} 4711",
		NULL,
	};
	const char *const counters[] = { "batch_udp_send=1,2,3,4,5,6,7,8", "batch_udp_send_sum=4711", NULL };
	const struct metrics_interface interface = { .up = true,
												 .state = { .name = "wg0", .counters = make_counters(counters) } };

	assert_lines(text_of(&openmetrics, &interface, 1), lines);
	assert_lines(text_of(&prometheus, &interface, 1), lines);
	assert_null(strstr(text_of(&prometheus, &interface, 1), "adit_tun_read_batch_packets"));
	free_counters(interface.state.counters);
}

static void handshakes_have_an_outcome(void **state)
{
	static const char *const lines[] = {
		"adit_handshakes_total{interface=\"wg0\",outcome=\"completed\"} 1",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"unanswered\"} 2",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"rejected\"} 3",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"wrong_mac\"} 4",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"unknown_peer\"} 7",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"rate_limited\"} 5",
		"adit_handshakes_total{interface=\"wg0\",outcome=\"queue_full\"} 6",
		NULL,
	};
	const char *const counters[] = { "handshake_done=1", "handshake_unanswered=2", "drop_handshake=3",   "drop_mac=4",
									 "drop_rate=5",      "drop_handshake_queue=6", "drop_unknown_key=7", NULL };
	const struct metrics_interface interface = { .up = true,
												 .state = { .name = "wg0", .counters = make_counters(counters) } };

	assert_lines(text_of(&openmetrics, &interface, 1), lines);
	free_counters(interface.state.counters);
}

static void peers_can_be_left_out(void **state)
{
	const struct metrics_interface interface = { .up = true, .state = { .name = "wg0", .peers = peers } };
	const struct metrics_options options = { .no_peers = true, .version = "1.2" };
	const char *text = text_of(&options, &interface, 1);

	assert_null(strstr(text, "adit_peer"));
	assert_non_null(strstr(text, "adit_interface_peers{interface=\"wg0\"} 2\n"));
}

static void an_interface_that_is_down_has_only_up(void **state)
{
	const struct metrics_interface interfaces[] = { { .state = { .name = "wg0" } },
													{ .up = true, .state = { .name = "wg1", .port = 5 } } };
	const char *text = text_of(&openmetrics, interfaces, 2);

	assert_non_null(strstr(text, "adit_up{interface=\"wg0\"} 0\nadit_up{interface=\"wg1\"} 1\n"));
	assert_non_null(strstr(text, "adit_interface_listen_port{interface=\"wg1\"} 5\n"));
	text = strstr(text, "interface=\"wg0\"") + 1;
	assert_null(strstr(text, "interface=\"wg0\""));
}

/* True if the name is that of the family with the suffix of a sample of a histogram. */
static bool is_histogram_part(const char *name, const char *family)
{
	size_t length = strlen(family);

	if (!length || strncmp(name, family, length) != 0)
		return false;
	name += length;
	return !strcmp(name, "_bucket") || !strcmp(name, "_count") || !strcmp(name, "_sum");
}

static void each_family_is_contiguous(void **state)
{
	const char *const lines[] = { "sealed=3",
								  "drop_no_peer=4",
								  "nosuch=5",
								  "drop_mac=6",
								  "start_time_sec=1",
								  "batch_udp_send=0,0,0,0,0,0,0,0",
								  "batch_udp_send_sum=0",
								  "batch_udp_receive=0,0,0,0,0,0,0,0",
								  "batch_udp_receive_sum=0",
								  "batch_tun_read=0,0,0,0,0,0,0,0",
								  "batch_tun_read_sum=0",
								  "batch_tun_write=0,0,0,0,0,0,0,0",
								  "batch_tun_write_sum=0",
								  NULL };
	struct show_counter *counters = make_counters(lines);
	const struct metrics_interface interfaces[] = {
		{ .up = true, .state = { .name = "a", .peers = peers, .counters = counters } },
		{ .up = true, .state = { .name = "b", .peers = &good_peer, .counters = counters } },
	};
	char *copy, *rest, *line, seen[100][64], current[64] = "";
	unsigned count = 0;

	copy = rest = strdup(text_of(&prometheus, interfaces, 2));
	assert_non_null(strstr(copy, "\nadit_dropped_packets_total{interface=\"a\",cause=\"no_peer\"} 4\n"
								 "adit_dropped_packets_total{interface=\"a\",cause=\"mac\"} 6\n"
								 "adit_dropped_packets_total{interface=\"b\",cause=\"no_peer\"} 4\n"));
	assert_non_null(strstr(copy, "\nadit_sealed_datagrams_total{interface=\"a\"} 3\n"));
	assert_null(strstr(copy, "nosuch"));
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64];

		assert_int_equal(sscanf(line, *line == '#' ? "# %*s %63[a-z_]" : "%63[a-z_]", name), 1);
		if (!strcmp(name, current) || (*line != '#' && is_histogram_part(name, current)))
			continue;
		assert_int_equal(*line, '#'); /* metadata first */
		for (unsigned i = 0; i < count; i++)
			assert_string_not_equal(name, seen[i]);
		strcpy(seen[count++], name);
		strcpy(current, name);
	}
	free(copy);
	free_counters(counters);
}

static void label_values_are_escaped(void **state)
{
	static const struct {
		const char *name, *label;
	} cases[] = {
		{ "plain", "plain" },
		{ "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
		{ "J\xc3\xbcrgen", "J\xc3\xbcrgen" },
		{ "\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "tab\tdel\x7f", "tab\tdel\x7f" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char expected[128];
		struct show_peer peer = { .public_key = "AAA=", .name = (char *)cases[i].name };
		const struct metrics_interface interface = { .up = true, .state = { .name = "x", .peers = &peer } };

		snprintf(expected, sizeof expected, "{interface=\"x\",public_key=\"AAA=\",name=\"%s\"} 1\n", cases[i].label);
		assert_non_null(strstr(text_of(&openmetrics, &interface, 1), expected));
	}
}

static void each_counter_of_the_device_has_a_family(void **state)
{
	for (unsigned i = 0; i < DROP_REFUSED; i++)
		if (!metrics_has_counter(counter_name(i)))
			fail_msg("the counter %s has no family", counter_name(i));
}

/* --- the command ----- */

struct call {
	int argc;
	char *argv[4];
};

static void make_call(const void *context)
{
	struct call call = *(const struct call *)context;
	int code = command_metrics(call.argc, call.argv);

	fflush(NULL);
	_exit(code);
}

/* Returns the output of `adit metrics`, both streams together. The caller frees it. */
static char *metrics(int code, char *first, char *second)
{
	const struct call call = { 1 + !!first + !!second, { (char[]) { "metrics" }, first, second, NULL } };

	assert_int_equal(serve_child(&serve, OUTPUT, make_call, &call), code);
	return serve_read_file(OUTPUT);
}

static void the_command_prints_state_and_counters(void **state)
{
	char *text;

	serve.rig.device.backend = "test";
	serve.rig.device.counters.value[DROP_REPLAY] = 9;
	serve.rig.device.counters.value[DROP_REFUSED + SEGMENT_NOT_IP] = 8;
	assert_int_equal(
		rig_set(&serve.rig, 0, "private_key=%s\nlisten_port=51820\npublic_key=%s\n", rig_hex(0x48), rig_hex(2)), 0);
	text = metrics(0, NULL, NULL);
	assert_non_null(strstr(text, "\nadit_up{interface=\"wgtest\"} 1\n"));
	assert_non_null(strstr(text, "\nadit_interface_listen_port{interface=\"wgtest\"} 51820\n"));
	assert_non_null(strstr(text, "{interface=\"wgtest\",cause=\"replay\"} 9\n"));
	assert_non_null(strstr(text, "{interface=\"wgtest\",cause=\"refused_not_ip\"} 8\n"));
	assert_non_null(strstr(text, "{interface=\"wgtest\",cause=\"too_long\"} 0\n"));
	assert_null(strstr(text, rig_base64(0x48)));
	free(text);
}

/* Answers two requests, each on a connection of its own. */
static void answer_two(int listener, const char *const answers[2])
{
	char request[64];

	if (fcntl(listener, F_SETFL, 0)) /* block until a client connects */
		_exit(1);
	for (int i = 0; i < 2; i++) {
		int fd = accept(listener, NULL, NULL);

		if (recv(fd, request, sizeof request, 0) <= 0 || send(fd, answers[i], strlen(answers[i]), MSG_NOSIGNAL) < 0)
			_exit(1);
		close(fd);
	}
	_exit(0);
}

/* Returns what the command prints for a daemon with these answers to get and to counters. The caller frees it. */
static char *metrics_of_answers(const char *get, const char *counters)
{
	const char *const answers[2] = { get, counters };
	int listener = uapi_listen(UAPI_DIRECTORY, "fake"), status;
	pid_t child = fork();
	char *text;

	assert_true(listener >= 0 && child >= 0);
	if (!child)
		answer_two(listener, answers);
	close(listener);
	text = metrics(0, "fake", NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(UAPI_DIRECTORY "/fake.sock"), 0);
	return text;
}

#define FAKE_GET                                                                                                       \
	"listen_port=7\ncrypto_provider=libsodium\nwarning=a\nwarning=b\n"                                                 \
	"public_key=0202020202020202020202020202020202020202020202020202020202020202\nstate=silent\n"                      \
	"rx_datagrams=9\nrx_lost=8\nrx_late=7\nrx_duplicate=6\nrx_gaps=1,0,0,0,0,0,0,0\nrtt_ns=5\nrtt_min_ns=4\n"          \
	"jitter_ns=3\nerrno=0\n\n"

static void the_command_prints_all_that_a_daemon_reports(void **state)
{
	static const char *const lines[] = {
		"adit_interface_warnings{interface=\"fake\"} 2",
		"adit_interface_start_time_seconds{interface=\"fake\"} 1700000000",
		"adit_sealed_datagrams_total{interface=\"fake\"} 5",
		"adit_tun_write_batch_packets_bucket{interface=\"fake\",le=\"+Inf\"} 1",
		"adit_tun_write_batch_packets_sum{interface=\"fake\"} 200",
		NULL,
	};
	char *text = metrics_of_answers(
		FAKE_GET, "sealed=5\nlater=x\nbatch_tun_write=0,0,0,0,0,0,0,1\nbatch_tun_write_sum=200\nbatch_later=1,2\n"
				  "start_time_sec=1700000000\nerrno=0\n\n");

	assert_lines(text, lines);
	assert_non_null(strstr(text, ",state=\"silent\"} 1\n"));
	assert_non_null(strstr(text, "\nadit_peer_receive_lost_datagrams_total{"));
	assert_non_null(strstr(text, "} 0.000000005\n"));
	assert_null(strstr(text, "adit_udp_send_batch"));
	free(text);
}

static void an_earlier_version_has_no_counters(void **state)
{
	char *text = metrics_of_answers(FAKE_GET, "errno=-22\n\n");

	assert_non_null(strstr(text, "\nadit_up{interface=\"fake\"} 1\n"));
	assert_non_null(strstr(text, "\nadit_interface_listen_port{interface=\"fake\"} 7\n"));
	assert_null(strstr(text, "adit_sealed"));
	assert_null(strstr(text, "batch"));
	free(text);
}

static void a_malformed_histogram_is_not_printed(void **state)
{
	static const char *const answers[] = {
		"sealed=5\nbatch_tun_write=1,2,3,4,5,6,7\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=1,2,3,4,5,6,7,8,9\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=1,2,3,4,5,6,7,\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=1,2,3,4,5,6,7,8x\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=1,2,3,-4,5,6,7,8\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=1,2,3,4,5,6,7,8\nbatch_tun_write_sum=1,2\nerrno=0\n\n",
		"sealed=5\nbatch_tun_write=\nerrno=0\n\n",
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		char *text = metrics_of_answers(FAKE_GET, answers[i]);

		assert_non_null(strstr(text, "\nadit_up{interface=\"fake\"} 1\n"));
		assert_null(strstr(text, "batch"));
		free(text);
	}
}

static void an_interface_without_a_daemon_is_down(void **state)
{
	int fd = uapi_listen(UAPI_DIRECTORY, "dead");
	char *text;

	close(fd);
	text = metrics(0, NULL, NULL);
	assert_non_null(strstr(text, "\nadit_up{interface=\"dead\"} 0\nadit_up{interface=\"wgtest\"} 1\n"));
	free(text);
	assert_int_equal(unlink(UAPI_DIRECTORY "/dead.sock"), 0);
	text = metrics(0, "nosuch", "nosuch");
	assert_non_null(strstr(text, "# TYPE adit_up gauge\nadit_up{interface=\"nosuch\"} 0\n# EOF\n"));
	free(text);
}

static void interfaces_that_do_not_answer_are_down(void **state)
{
	enum { HUNG = 15 };
	char name[IFNAMSIZ], line[64], path[128], *text;
	int fds[HUNG];
	double begin;

	for (int i = 0; i < HUNG; i++) {
		snprintf(name, sizeof name, "hung%d", i);
		fds[i] = uapi_listen(UAPI_DIRECTORY, name);
		assert_true(fds[i] >= 0);
	}
	begin = serve_time();
	text = metrics(0, NULL, NULL);
	assert_true(serve_time() - begin < 2 * HUNG); /* all at once; each is waited for 2 s */
	for (int i = 0; i < HUNG; i++) {
		snprintf(line, sizeof line, "\nadit_up{interface=\"hung%d\"} 0\n", i);
		assert_non_null(strstr(text, line));
		close(fds[i]);
		snprintf(path, sizeof path, UAPI_DIRECTORY "/hung%d.sock", i);
		assert_int_equal(unlink(path), 0);
	}
	assert_non_null(strstr(text, "\nadit_up{interface=\"wgtest\"} 1\n"));
	free(text);
}

static void wrong_arguments_get_one_line(void **state)
{
	static const char *const cases[][2] = {
		{ "--nosuch", "adit metrics: unknown option \"--nosuch\"; see \"adit metrics --help\"\n" },
		{ "a/b", "adit metrics: \"a/b\" is not the name of an interface\n" },
		{ "", "adit metrics: \"\" is not the name of an interface\n" },
		{ "a-name-of-sixteen", "adit metrics: \"a-name-of-sixteen\" is not the name of an interface\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = metrics(1, (char *)cases[i][0], NULL);
		assert_string_equal(text, cases[i][1]);
		free(text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up_system, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exposition_without_interfaces_is_valid),
		cmocka_unit_test(the_formats_differ_in_metadata_only),
		cmocka_unit_test(state_and_quality_of_a_peer_are_written),
		cmocka_unit_test(the_jitter_is_unknown_after_a_single_handshake),
		cmocka_unit_test(each_state_is_the_value_of_a_label),
		cmocka_unit_test(values_that_are_unknown_are_left_out),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(handshakes_have_an_outcome),
		cmocka_unit_test(peers_can_be_left_out),
		cmocka_unit_test(an_interface_that_is_down_has_only_up),
		cmocka_unit_test(each_family_is_contiguous),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(each_counter_of_the_device_has_a_family),
		TEST(the_command_prints_state_and_counters),
		TEST(the_command_prints_all_that_a_daemon_reports),
		TEST(an_earlier_version_has_no_counters),
		TEST(a_malformed_histogram_is_not_printed),
		TEST(an_interface_without_a_daemon_is_down),
		TEST(interfaces_that_do_not_answer_are_down),
		TEST(wrong_arguments_get_one_line),
	};

	if (sodium_init() < 0)
		return 1;
	sandbox_enter_with_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
