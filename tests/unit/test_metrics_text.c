/* SPDX-License-Identifier: MIT */
/* Tests of metrics: the exposition in both formats, and the counters that the control socket reports. */
#include "uapi_server_rig.h"

#include "cli/show.h"
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
	metrics_text(file, options, interfaces, count);
	fclose(file);
	return text;
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
	assert_non_null(strstr(text, "\n# HELP adit_peer_info Endpoint of the peer, if it is known.\n"
								 "# TYPE adit_peer_info gauge\nadit_peer_info{"));
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "# EOF"));
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

static void each_family_is_contiguous(void **state)
{
	struct metrics_counter counters[] = { { "sealed", 3 }, { "drop_no_peer", 4 }, { "other", 5 }, { "drop_mac", 6 } };
	const struct metrics_interface interfaces[] = {
		{ .up = true, .state = { .name = "a", .peers = peers }, .counters = counters, .counter_count = 4 },
		{ .up = true, .state = { .name = "b", .peers = peers }, .counters = counters, .counter_count = 4 },
	};
	char *copy = strdup(text_of(&prometheus, interfaces, 2)), *rest = copy, *line, seen[100][64], current[64] = "";
	unsigned count = 0;

	assert_non_null(strstr(copy, "\nadit_dropped_packets_total{interface=\"a\",cause=\"no_peer\"} 4\n"
								 "adit_dropped_packets_total{interface=\"a\",cause=\"mac\"} 6\n"
								 "adit_dropped_packets_total{interface=\"b\",cause=\"no_peer\"} 4\n"));
	assert_non_null(strstr(copy, "\nadit_sealed_datagrams_total{interface=\"a\"} 3\n"));
	assert_null(strstr(copy, "other"));
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64];

		assert_int_equal(sscanf(line, *line == '#' ? "# %*s %63[a-z_]" : "%63[a-z_]", name), 1);
		if (!strcmp(name, current))
			continue;
		assert_int_equal(*line, '#'); /* metadata first */
		for (unsigned i = 0; i < count; i++)
			assert_string_not_equal(name, seen[i]);
		strcpy(seen[count++], name);
		strcpy(current, name);
	}
	free(copy);
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

/* --- the command --- */

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

static void an_interface_that_does_not_answer_is_down(void **state)
{
	int first = uapi_listen(UAPI_DIRECTORY, "hung1"), second = uapi_listen(UAPI_DIRECTORY, "hung2");
	double begin = serve_time();
	char *text = metrics(0, NULL, NULL);

	assert_true(serve_time() - begin < 3.5); /* both at once */
	assert_non_null(strstr(text, "\nadit_up{interface=\"hung1\"} 0\nadit_up{interface=\"hung2\"} 0\n"
								 "adit_up{interface=\"wgtest\"} 1\n"));
	free(text);
	close(first);
	close(second);
	assert_int_equal(unlink(UAPI_DIRECTORY "/hung1.sock"), 0);
	assert_int_equal(unlink(UAPI_DIRECTORY "/hung2.sock"), 0);
}

static void wrong_arguments_get_one_line(void **state)
{
	static const char *const cases[][2] = {
		{ "--nosuch", "adit metrics: unknown option \"--nosuch\"; usage: adit metrics [IFNAME]...\n" },
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
		cmocka_unit_test(peers_can_be_left_out),
		cmocka_unit_test(an_interface_that_is_down_has_only_up),
		cmocka_unit_test(each_family_is_contiguous),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(each_counter_of_the_device_has_a_family),
		TEST(the_command_prints_state_and_counters),
		TEST(an_interface_without_a_daemon_is_down),
		TEST(an_interface_that_does_not_answer_is_down),
		TEST(wrong_arguments_get_one_line),
	};

	if (sodium_init() < 0)
		return 1;
	sandbox_enter_with_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
