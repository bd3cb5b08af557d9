/* SPDX-License-Identifier: MIT */
/* Tests of the control socket with wg(8) as the client. */
#include "sandbox.h"
#include "uapi_server_rig.h"

#define OUTPUT "/var/run/output"
#define FILE_NAME "/var/run/wg.conf"

static void exec_shell(const void *command)
{
	execl("/bin/sh", "sh", "-c", (const char *)command, NULL);
}

/* Runs a shell command. Returns its output and "exit N" if N is not 0, in a buffer that the next call reuses. */
static const char *__attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	static char text[65536];
	char *command, *output;
	va_list arguments;
	int code;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) > 0);
	va_end(arguments);
	code = serve_child(&serve, OUTPUT, exec_shell, command);
	output = serve_read_file(OUTPUT);
	snprintf(text, sizeof text, "%s", output);
	if (code)
		snprintf(text + strlen(text), 32, "exit %d", code);
	free(output);
	free(command);
	return text;
}

static void write_file(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void write_file(const char *format, ...)
{
	FILE *file = fopen(FILE_NAME, "w");
	va_list arguments;

	assert_non_null(file);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fclose(file);
}

#define succeeds(...) assert_string_equal(run(__VA_ARGS__), "")

static void show_interfaces_lists_the_device(void **state)
{
	assert_string_equal(run("wg show interfaces"), "wgtest\n");
	assert_int_equal(access(UAPI_DIRECTORY "/wgtest.sock", F_OK), 0);
}

static void show_reports_what_set_changed(void **state)
{
	write_file("%s\n", rig_base64(0x48));
	succeeds("wg set wgtest private-key " FILE_NAME " listen-port 7 fwmark 0x10");
	assert_string_equal(run("wg show wgtest listen-port"), "7\n");
	assert_string_equal(run("wg show wgtest fwmark"), "0x10\n");
	write_file("%s\n", rig_base64(9));
	succeeds("wg set wgtest peer %s preshared-key " FILE_NAME
			 " endpoint 192.0.2.1:1000 persistent-keepalive 25 allowed-ips 10.0.0.0/24,fd00::/64",
			 rig_base64(2));
	succeeds("wg set wgtest peer %s endpoint [2001:db8::1]:51820", rig_base64(3));
	assert_string_equal(run("wg show wgtest preshared-keys | cut -f2"),
						"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n(none)\n");
	assert_string_equal(run("wg show wgtest endpoints | cut -f2"), "192.0.2.1:1000\n[2001:db8::1]:51820\n");
	assert_string_equal(run("wg show wgtest allowed-ips | cut -f2"), "10.0.0.0/24 fd00::/64\n(none)\n");
	assert_string_equal(run("wg show wgtest persistent-keepalive | cut -f2"), "25\noff\n");
	succeeds("wg set wgtest peer %s persistent-keepalive off preshared-key /dev/null allowed-ips ''", rig_base64(2));
	assert_string_equal(run("wg show wgtest allowed-ips | cut -f2"), "(none)\n(none)\n");
	assert_string_equal(run("wg show wgtest persistent-keepalive | cut -f2"), "off\noff\n");
	succeeds("wg set wgtest peer %s remove", rig_base64(2));
	assert_string_equal(run("wg show wgtest peers"), "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n");
}

static void show_dump_has_every_column(void **state)
{
	struct peer *peer;

	assert_int_equal(rig_set(&serve.rig, 0,
							 "private_key=%s\nlisten_port=7\nfwmark=16\npublic_key=%s\npreshared_key=%s\n"
							 "endpoint=[fe80::1%%lo]:9\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/24\n"
							 "allowed_ip=::/0\npublic_key=%s\n",
							 rig_hex(0x48), rig_hex(2), rig_hex(9), rig_hex(3)),
					 0);
	peer = peer_first(&serve.rig.device);
	peer->handshake_wall = 1700000000 * NS_PER_S + 5;
	peer->handshake_completed = clock_boottime();
	peer->rx_bytes = UINT64_C(1) << 40;
	peer->tx_bytes = 12345;
	assert_string_equal(run("wg show wgtest dump | cut -f1,3-"),
						"SEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEg=\t7\t0x10\n"
						"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\t[fe80::1%lo]:9\t10.0.0.0/24,::/"
						"0\t1700000000\t1099511627776\t12345\t25\n"
						"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\t(none)\t(none)\t0\t0\t0\toff\n");
}

static void showconf_reports_what_setconf_and_addconf_changed(void **state)
{
	static const char config[] = "[Interface]\nListenPort = 7\nFwMark = 0x10\nPrivateKey = %s\n\n"
								 "[Peer]\nPublicKey = %s\nPresharedKey = %s\nAllowedIPs = 10.0.0.0/24, fd00::/64\n"
								 "Endpoint = 192.0.2.1:1000\nPersistentKeepalive = 25\n\n";
	char expected[1024];

	snprintf(expected, sizeof expected, config, rig_base64(0x48), rig_base64(2), rig_base64(9));
	assert_int_equal(rig_set(&serve.rig, 0, "public_key=%s\n", rig_hex(5)), 0);
	write_file("%s", expected);
	succeeds("wg setconf wgtest " FILE_NAME);
	expected[strlen(expected) - 1] = '\0'; /* showconf writes no blank line after the last section */
	assert_string_equal(run("wg showconf wgtest"), expected);
	write_file("[Peer]\nPublicKey = %s\nAllowedIPs = fd00::/64\n", rig_base64(3));
	succeeds("wg addconf wgtest " FILE_NAME);
	assert_string_equal(run("wg show wgtest allowed-ips | cut -f2"), "10.0.0.0/24\nfd00::/64\n");
}

static void syncconf_keeps_unchanged_peers(void **state)
{
	struct peer *kept;

	assert_int_equal(rig_set(&serve.rig, 0,
							 "private_key=%s\npublic_key=%s\nallowed_ip=10.0.0.0/24\npublic_key=%s\npublic_key=%s\n",
							 rig_hex(0x48), rig_hex(2), rig_hex(3), rig_hex(4)),
					 0);
	kept = rig_peer(&serve.rig, 2);
	kept->rx_bytes = 99;
	write_file("[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.0.0/24\n"
			   "[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.1.0/24\n[Peer]\nPublicKey = %s\n",
			   rig_base64(0x48), rig_base64(2), rig_base64(3), rig_base64(5));
	succeeds("wg syncconf wgtest " FILE_NAME);
	assert_ptr_equal(rig_peer(&serve.rig, 2), kept);
	assert_int_equal(kept->rx_bytes, 99);
	assert_int_equal(rig_peer(&serve.rig, 3)->allowed_ips.count, 1);
	assert_null(rig_peer(&serve.rig, 4));
	assert_non_null(rig_peer(&serve.rig, 5));
}

static void errors_reach_the_user(void **state)
{
	assert_int_equal(control_set_up(&serve.rig.device, true, 1), 0);
	serve.rig.port_taken = 53;
	assert_string_equal(run("wg set wgtest listen-port 53"),
						"Unable to modify interface: Address already in use\nexit 1");
	assert_string_equal(run("wg show wgtest listen-port"), "40000\n");
}

static void a_thousand_peers_survive_a_round_trip(void **state)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	for (unsigned i = 1; i <= 1000; i++) {
		uint8_t key[KEY_BYTES] = { (uint8_t)i, (uint8_t)(i >> 8), 1 };
		char text[KEY_BASE64];

		key_to_base64(text, key);
		fprintf(file, "[Peer]\nPublicKey = %s\n", text);
		for (unsigned p = 0; p < 10; p++)
			fprintf(file, "AllowedIPs = 10.%u.%u.%u/32\n", i >> 8, i & 255, p);
	}
	fclose(file);
	succeeds("wg setconf wgtest " FILE_NAME);
	assert_string_equal(run("wg show wgtest peers | wc -l"), "1000\n");
	succeeds("wg showconf wgtest | grep -v Interface > /var/run/again");
	assert_string_equal(run("grep -c Peer /var/run/again; tr , '\\n' < /var/run/again | grep -c /32"), "1000\n10000\n");
	succeeds("wg syncconf wgtest /var/run/again");
	assert_int_equal(serve.rig.device.peer_count, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve_set_up_system, serve_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(show_interfaces_lists_the_device),
		TEST(show_reports_what_set_changed),
		TEST(show_dump_has_every_column),
		TEST(showconf_reports_what_setconf_and_addconf_changed),
		TEST(syncconf_keeps_unchanged_peers),
		TEST(errors_reach_the_user),
		TEST(a_thousand_peers_survive_a_round_trip),
	};

	if (sodium_init() < 0)
		return 1;
	sandbox_enter_with_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
