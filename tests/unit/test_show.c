/* SPDX-License-Identifier: MIT */
/* Tests of show and reload: each runs in a child process against a control socket that the test serves. */
#include "uapi_server_rig.h"

#include "cli/show.h"
#include "sandbox.h"
#include "show_output.h"

#define OUTPUT "/var/run/output"

struct call {
	int (*command)(int argc, char **argv);
	const char *arguments[4];
};

static void make_call(const void *context)
{
	const struct call *call = context;
	char *argv[5] = { 0 }, name[] = "command";
	int argc = 1, code;

	argv[0] = name;
	for (; argc < 5 && call->arguments[argc - 1]; argc++)
		argv[argc] = strdup(call->arguments[argc - 1]);
	code = call->command(argc, argv);
	fflush(NULL);
	_exit(code);
}

/* Returns the output of the command, both streams together, in a buffer that the next call overwrites. */
static const char *run(int code, const struct call *call)
{
	static char text[65536];
	char *output;

	assert_int_equal(serve_child(&serve, OUTPUT, make_call, call), code);
	output = serve_read_file(OUTPUT);
	snprintf(text, sizeof text, "%s", output);
	free(output);
	return text;
}

#define show(code, ...) run(code, &(struct call) { command_show, { __VA_ARGS__ } })

static void populate(struct rig *rig)
{
	struct peer_label *label;
	struct peer *peer;

	assert_int_equal(rig_set(rig, 0,
							 "private_key=%s\nlisten_port=51820\nfwmark=51820\npublic_key=%s\npreshared_key=%s\n"
							 "endpoint=[fe80::1%%lo]:9\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/24\n"
							 "allowed_ip=fd00::/64\npublic_key=%s\n",
							 rig_hex(0x48), rig_hex(2), rig_hex(9), rig_hex(3)),
					 0);
	peer = peer_first(&rig->device);
	label = peer_label_create("wgtest", rig_key(2), "Jürgen \"J\"", "the left end");
	peer_set_label(peer, label);
	peer_label_release(label);
	peer->handshake_wall = 1700000000 * NS_PER_S;
	peer->handshake_completed = clock_boottime();
	peer->rx_bytes = 5 << 20;
	peer->tx_bytes = 1023;
}

static void show_prints_text(void **state)
{
	const char *text;

	populate(&serve.rig);
	text = show(0, "wgtest");
	assert_memory_equal(text, "interface wgtest\n  public key   ", 32);
	assert_null(strstr(text, rig_base64(0x48)));
	assert_null(strstr(text, rig_base64(9)));
	assert_non_null(strstr(text, "\n  listen port  51820\n  fwmark       0xca6c\n  peers        2 (1 silent, 1 no "
								 "endpoint)\n\n  peer Jürgen \"J\"\n"));
	assert_non_null(strstr(text, "    state             silent\n    public key        AgIC"));
	assert_non_null(strstr(text, "    description       the left end\n"
								 "    endpoint          [fe80::1%lo]:9\n"
								 "    allowed IPs       10.0.0.0/24, fd00::/64\n"
								 "    latest handshake  "));
	assert_non_null(strstr(text, " ago\n    transfer          5.00 MiB received, 1023 B sent\n"
								 "    keepalive         every 25 s\n    preshared key     set\n\n  peer AwMD"));
	assert_non_null(strstr(text, "    endpoint          unknown\n    allowed IPs       none\n"
								 "    latest handshake  never\n"
								 "    transfer          0 B received, 0 B sent\n"));
}

#define STATE_DERIVED(word) "\"state\": \"" word "\", \"state_since\": null, \"state_reason\": null, "
#define QUALITY_UNKNOWN                                                                                                \
	"\"rtt_ns\": null, \"rtt_min_ns\": null, \"jitter_ns\": null, \"rx_datagrams\": null, \"rx_lost\": null, "         \
	"\"rx_late\": null, \"rx_duplicate\": null, \"rx_gaps\": null"

static void show_prints_json(void **state)
{
	uint8_t public_key[KEY_BYTES];
	char text[KEY_BASE64], expected[2048];

	populate(&serve.rig);
	crypto_scalarmult_base(public_key, rig_key(0x48));
	key_to_base64(text, public_key);
	snprintf(
		expected, sizeof expected,
		"{\"version\": 1, \"interfaces\": [\n  {\"name\": \"wgtest\", \"up\": true, \"public_key\": \"%s\", "
		"\"listen_port\": 51820, "
		"\"fwmark\": 51820, \"crypto_provider\": null, \"tun_backend\": null, \"workers\": null, "
		"\"log_level\": null, \"warnings\": [],\n    \"peers\": [\n"
		"      {\"public_key\": \"%s\", \"name\": \"Jürgen \\\"J\\\"\", \"description\": \"the left end\", "
		"\"preshared_key\": true, " STATE_DERIVED(
			"silent") "\"endpoint\": \"[fe80::1%%lo]:9\", \"endpoint_origin\": null, "
					  "\"allowed_ips\": [\"10.0.0.0/24\", \"fd00::/64\"], \"latest_handshake\": 1700000000, "
					  "\"transfer_rx\": 5242880, \"transfer_tx\": 1023, \"persistent_keepalive\": 25, " QUALITY_UNKNOWN
					  "},\n"
					  "      {\"public_key\": \"%s\", \"name\": null, \"description\": null, \"preshared_key\": "
					  "false, " STATE_DERIVED("no-endpoint") "\"endpoint\": null, \"endpoint_origin\": null, "
															 "\"allowed_ips\": [], \"latest_handshake\": null, "
															 "\"transfer_rx\": 0, \"transfer_tx\": 0, "
															 "\"persistent_keepalive\": null, " QUALITY_UNKNOWN
															 "}\n    ]}\n]}\n",
		text, rig_base64(2), rig_base64(3));
	assert_string_equal(show(0, "wgtest", "--json"), expected);
	assert_string_equal(show(0, "--json", "wgtest"), expected);
	assert_string_equal(show(0, "--json"), expected);
}

static void show_prints_an_unconfigured_interface(void **state)
{
	assert_string_equal(show(0, "wgtest"), "interface wgtest\n  public key   none\n");
	assert_string_equal(
		show(0, "--json"),
		"{\"version\": 1, \"interfaces\": [\n  {\"name\": \"wgtest\", \"up\": true, \"public_key\": null, "
		"\"listen_port\": null, \"fwmark\": null, \"crypto_provider\": null, \"tun_backend\": "
		"null, \"workers\": null, \"log_level\": null, \"warnings\": [],\n    \"peers\": [\n    ]}\n]}\n");
}

/* Only a device with a worker has a backend. */
static void show_prints_provider_backend_and_workers(void **state)
{
	serve.rig.device.backend = "test";
	serve.rig.device.workers = 3;
	assert_string_equal(show(0, "wgtest"), "interface wgtest\n  public key   none\n"
										   "  crypto       libsodium\n  TUN backend  test\n  workers      3\n"
										   "  log level    info\n");
	assert_non_null(
		strstr(show(0, "--json"),
			   "\"fwmark\": null, \"crypto_provider\": \"libsodium\", \"tun_backend\": \"test\", \"workers\": 3, "));
}

static void show_without_any_interface_succeeds(void **state)
{
	uapi_stop(&serve.uapi);
	assert_string_equal(show(0, NULL), "");
	assert_string_equal(show(0, "--json"), "{\"version\": 1, \"interfaces\": [\n]}\n");
	assert_int_equal(rmdir(UAPI_DIRECTORY), 0);
	assert_string_equal(show(0, NULL), "");
	assert_string_equal(show(1, "wgtest"), "adit show: wgtest: no daemon serves this interface\n");
}

static void show_has_a_line_for_a_dead_daemon(void **state)
{
	static const char line[] =
		"interface dead: the daemon has died; start it again, or clean up with \"adit stop\"\n\n";
	const char *text;
	int fd = uapi_listen(UAPI_DIRECTORY, "dead");

	close(fd);
	text = show(0, NULL);
	assert_memory_equal(text, line, sizeof line - 1);
	assert_string_equal(text + sizeof line - 1, "interface wgtest\n  public key   none\n");
	assert_memory_equal(show(0, "--brief"), line, sizeof line - 1);
	assert_memory_equal(show(0, "--counters"), line, sizeof line - 1);
	text = show(0, "--json");
	assert_non_null(strstr(text, "{\"name\": \"dead\", \"up\": false, \"public_key\": null, "));
	assert_non_null(strstr(text, "\"warnings\": [\"the daemon has died; start it again, or clean up with "
								 "\\\"adit stop\\\"\"],\n"));
	assert_non_null(strstr(text, "{\"name\": \"wgtest\", \"up\": true, "));
	assert_string_equal(show(1, "dead"),
						"adit show: dead: the daemon has died; start it again, or clean up with \"adit stop\"\n");
	assert_int_equal(unlink(UAPI_DIRECTORY "/dead.sock"), 0);
}

static void show_rejects_wrong_arguments(void **state)
{
	assert_string_equal(show(1, "a", "b", "c"),
						"adit show: unexpected argument \"c\"; usage: adit show [IFNAME [PEER]]\n");
	assert_string_equal(show(1, "--jsn"), "adit show: unknown option \"--jsn\"; see \"adit show --help\"\n");
	assert_string_equal(show(1, ""), "adit show: \"\" is not the name of an interface\n");
	assert_string_equal(show(1, "../wgtest"), "adit show: \"../wgtest\" is not the name of an interface\n");
	assert_string_equal(show(1, "a-name-of-sixteen"),
						"adit show: \"a-name-of-sixteen\" is not the name of an interface\n");
}

/* --- replies of other daemons ----- */

/* Sends the same reply to each client and closes the connection. */
static void serve_answer(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	const char *answer = watcher->data;
	int fd = accept(watcher->fd, NULL, NULL);
	char request[64];

	assert_true(fd >= 0);
	assert_int_equal(recv(fd, request, sizeof request, MSG_WAITALL | MSG_DONTWAIT) >= -1, 1);
	assert_int_equal(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
	shutdown(fd, SHUT_WR);
	while (recv(fd, request, sizeof request, 0) > 0)
		;
	close(fd);
}

static const char *show_answer(int code, const char *name, const char *answer)
{
	int fd = uapi_listen(UAPI_DIRECTORY, name);
	struct ev_io watcher;
	char path[UAPI_PATH];
	const char *text;

	assert_true(fd >= 0);
	ev_io_init(&watcher, serve_answer, fd, EV_READ);
	watcher.data = (void *)answer;
	ev_io_start(serve.loop, &watcher);
	text = run(code, &(struct call) { command_show, { name, "--json" } });
	ev_io_stop(serve.loop, &watcher);
	close(fd);
	assert_int_equal(uapi_path(path, UAPI_DIRECTORY, name), 0);
	assert_int_equal(unlink(path), 0);
	return text;
}

static void show_reports_an_invalid_reply(void **state)
{
	static const char *const answers[] = {
		"", "errno=0\n", "garbage\n", "\n", "listen_port=x\nerrno=0\n\n", "private_key=1\nerrno=0\n\n", "listen_port=1",
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		assert_string_equal(show_answer(1, "odd", answers[i]), "adit show: odd: the daemon sent an invalid reply\n");
	assert_string_equal(show_answer(1, "odd", "errno=-1\n\n"), "adit show: odd: Operation not permitted\n");
}

static void show_skips_unknown_keys(void **state)
{
	assert_non_null(strstr(show_answer(0, "new",
									   "colour=red\nlisten_port=5\npublic_key=0202020202020202020202020202020202"
									   "020202020202020202020202020202\nmood=good\nerrno=0\n\n"),
						   "\"listen_port\": 5"));
}

static void show_reads_the_old_names_of_provider_and_backend(void **state)
{
	static const char expected[] = "\"crypto_provider\": \"ipsec-mb\", \"tun_backend\": \"syscalls\", \"workers\": 2,";

	assert_non_null(strstr(show_answer(0, "old", "aead=ipsec-mb\nbackend=syscalls\nworkers=2\nerrno=0\n\n"), expected));
	assert_non_null(strstr(
		show_answer(0, "new", "crypto_provider=ipsec-mb\ntun_backend=syscalls\nworkers=2\nerrno=0\n\n"), expected));
}

/* Names and endpoints come from other programs. */
static void json_strings_are_escaped(void **state)
{
	assert_non_null(
		strstr(show_answer(0, "q\"b\\c\x01\x7f", "errno=0\n\n"), "\"name\": \"q\\\"b\\\\c\\u0001\\u007f\""));
	assert_non_null(
		strstr(show_answer(0, "\xc3\xa9\xff\xe2\x82", "errno=0\n\n"), "\"name\": \"\xc3\xa9\\ufffd\\ufffd\\ufffd\""));
	/* CSI as one character, and a line separator */
	assert_non_null(strstr(show_answer(0, "\xc2\x9b\xe2\x80\xa8", "errno=0\n\n"), "\"name\": \"\\u009b\\u2028\""));
}

static char *json_of(const char *name)
{
	struct show_interface interface = { 0 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	snprintf(interface.name, sizeof interface.name, "%s", name);
	show_json(file, &interface);
	fclose(file);
	return text;
}

static void json_contains_only_valid_utf8(void **state)
{
	static const struct {
		const char *name, *json;
	} cases[] = {
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
		{ "\xc0\x80", "\"\\ufffd\\ufffd\"" },                       /* overlong */
		{ "\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"" },            /* overlong */
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },            /* a surrogate */
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, /* beyond U+10FFFF */
		{ "\xed\x9f\xbf", "\"\xed\x9f\xbf\"" },
		{ "\x80", "\"\\ufffd\"" },
		{ "a\xc3", "\"a\\ufffd\"" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = json_of(cases[i].name), expected[80];
		snprintf(expected, sizeof expected, "\"name\": %s, ", cases[i].json);
		assert_non_null(strstr(text, expected));
		free(text);
	}
}

static const char *handshake_text(uint64_t ago)
{
	static char text[1000];
	struct show_peer peer = { .handshake = 1000000 - ago };
	struct show_interface interface = { .name = "x", .peers = &peer };
	FILE *file = fmemopen(text, sizeof text, "w");
	struct show_view view = { .terminal = { .to = file }, .now = 1000000 };
	char *line;

	assert_non_null(file);
	show_text(&view, &interface, false);
	fclose(file);
	line = strstr(text, "latest handshake  ");
	assert_non_null(line);
	line += strlen("latest handshake  ");
	*strchr(line, '\n') = '\0';
	return line;
}

static void handshake_ages_have_two_units(void **state)
{
	assert_string_equal(handshake_text(0), "0 s ago");
	assert_string_equal(handshake_text(59), "59 s ago");
	assert_string_equal(handshake_text(60), "1 min 0 s ago");
	assert_string_equal(handshake_text(3599), "59 min 59 s ago");
	assert_string_equal(handshake_text(3661), "1 h 1 min ago");
	assert_string_equal(handshake_text(86400 * 2 + 7200), "2 d 2 h ago");
	assert_string_equal(handshake_text((uint64_t)-5), "0 s ago"); /* the clock was set back */
	assert_string_equal(handshake_text(1000000), "never");
}

/* --- reload ----- */

static int reload_result;

static int on_reload(void *context, struct uapi_reply *reply)
{
	if (reload_result == -EINVAL)
		uapi_reply_line(reply, "message", "wgtest.conf:3: error: this is wrong");
	if (!reload_result)
		uapi_reply_line(reply, "changes", "1 peer added");
	return reload_result;
}

#define reload(code, ...) run(code, &(struct call) { command_reload, { __VA_ARGS__ } })

static void reload_prints_the_messages_of_the_daemon(void **state)
{
	static const struct uapi_verb verbs[] = { { "reload", on_reload }, { NULL, NULL } };

	assert_string_equal(reload(1, "wgtest"),
						"adit reload: wgtest: this daemon cannot reload: it was not started from a file\n");
	uapi_stop(&serve.uapi);
	serve.options.verbs = verbs;
	serve_start(&serve);
	reload_result = 0;
	assert_string_equal(reload(0, "wgtest"), "wgtest: 1 peer added\n");
	reload_result = -EINVAL;
	assert_string_equal(reload(1, "wgtest"),
						"wgtest.conf:3: error: this is wrong\nadit reload: wgtest: not reloaded\n");
	reload_result = -EADDRINUSE;
	assert_string_equal(reload(1, "wgtest"), "adit reload: wgtest: Address already in use\n");
	assert_string_equal(reload(1, "nosuch"), "adit reload: nosuch: no daemon serves this interface\n");
	assert_string_equal(reload(1, NULL), "adit reload: an argument is missing; usage: adit reload IFNAME\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up_system, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(show_prints_text),
		TEST(show_prints_json),
		TEST(show_prints_an_unconfigured_interface),
		TEST(show_prints_provider_backend_and_workers),
		TEST(show_without_any_interface_succeeds),
		TEST(show_has_a_line_for_a_dead_daemon),
		TEST(show_rejects_wrong_arguments),
		TEST(show_reports_an_invalid_reply),
		TEST(show_skips_unknown_keys),
		TEST(show_reads_the_old_names_of_provider_and_backend),
		TEST(json_strings_are_escaped),
		TEST(json_contains_only_valid_utf8),
		TEST(handshake_ages_have_two_units),
		TEST(reload_prints_the_messages_of_the_daemon),
	};

	if (sodium_init() < 0)
		return 1;
	sandbox_enter_with_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
