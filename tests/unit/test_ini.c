/* SPDX-License-Identifier: MIT */
/*
 * Tests of the INI parser. corpus/NAME.conf is a configuration file, and corpus/NAME.expected lists its findings. Input
 * that does not fit in a text file (NUL bytes, lines of 16 MiB, directories) is generated here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ini_run.h"

enum { CORPUS_MIN = 60 };

static void each_corpus_file_has_the_expected_findings(void **state)
{
	glob_t inputs, outputs;

	assert_int_equal(glob(CORPUS "*.conf", 0, NULL, &inputs), 0);
	assert_int_equal(glob(CORPUS "*.expected", 0, NULL, &outputs), 0);
	assert_true(inputs.gl_pathc >= CORPUS_MIN);
	assert_int_equal(inputs.gl_pathc, outputs.gl_pathc);
	for (size_t i = 0; i < inputs.gl_pathc; i++)
		run_corpus_file(*state, inputs.gl_pathv[i]);
	globfree(&inputs);
	globfree(&outputs);
}

static void the_keys_of_interface_are_read(void **state)
{
	struct run *run = *state;
	const struct config *config = &run->config;

	run_corpus_file(run, CORPUS "good.conf");
	assert_true(config->has_private_key);
	assert_key(config->private_key, PRIVATE_KEY);
	assert_true(config->has_listen_port);
	assert_int_equal(config->listen_port, 51820);
	assert_prefix(config->addresses, "10.0.0.1/24", 5);
	assert_prefix(config->addresses->next, "fd00::1/64", 5);
	assert_prefix(config->addresses->next->next, "10.0.1.1/32", 6);
	assert_null(config->addresses->next->next->next);
	assert_int_equal(config->mtu, 1420);
	assert_int_equal(config->table, TABLE_AUTO);
	assert_true(config->has_fwmark);
	assert_int_equal(config->fwmark, 0xca6c);
	assert_string_equal(config->crypto_provider, "auto");
	assert_int_equal(config->peer_count, 2);
}

static void offloads_can_be_turned_off(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE PEER), 0);
	assert_false(run->config.udp_options.no_gso || run->config.udp_options.no_gro || run->config.no_tun_offload);
	assert_int_equal(run_text(run, INTERFACE "UdpGso = off\nudpgro = OFF\nTunOffload = off\n" PEER), 0);
	assert_true(run->config.udp_options.no_gso && run->config.udp_options.no_gro && run->config.no_tun_offload);
	assert_int_equal(run_text(run, INTERFACE "UdpGso = auto\nUdpGro = auto\nTunOffload = auto\n" PEER), 0);
	assert_false(run->config.udp_options.no_gso || run->config.udp_options.no_gro || run->config.no_tun_offload);
	assert_int_equal(run_text(run, INTERFACE "UdpGso = on\n" PEER), -EINVAL);
	assert_string_equal(run->findings, "x:3: error: UdpGso: \"on\" is not auto or off\n");
}

static void the_tun_backend_is_read(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE "TunBackend = syscalls\n" PEER), 0);
	assert_int_equal(run->config.tun_backend, BACKEND_SYSCALLS);
	assert_int_equal(run_text(run, INTERFACE "TunBackend = auto\n" PEER), 0);
	assert_int_equal(run->config.tun_backend, BACKEND_AUTO);
	assert_int_equal(run_text(run, INTERFACE "TunBackend = io_uring\n" PEER),
					 backend_built_in(BACKEND_IO_URING) ? 0 : -EINVAL);
	assert_string_equal(run->config.crypto_provider, "");
}

static void old_key_names_work_and_cause_a_warning(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE "Aead = libsodium\nbackend = syscalls\n" PEER), 0);
	assert_string_equal(run->findings, "x:3: warning: Aead is now called CryptoProvider\n"
									   "x:4: warning: Backend is now called TunBackend\n");
	assert_string_equal(run->config.crypto_provider, "libsodium");
	assert_int_equal(run->config.tun_backend, BACKEND_SYSCALLS);
	assert_int_equal(run_text(run, PEER INTERFACE PEER "Aead = libsodium\n"), -EINVAL);
	assert_non_null(strstr(run->findings, "x:7: error: CryptoProvider: the key belongs in [Interface]\n"));
}

static void an_old_and_a_new_key_name_are_the_same_key(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE "Aead = libsodium\nCryptoProvider = auto\n"), 0);
	assert_string_equal(run->findings, "x:3: warning: Aead is now called CryptoProvider\n"
									   "x:4: warning: CryptoProvider: already set on line 3; this line overrides it\n");
	assert_string_equal(run->config.crypto_provider, "auto");
	assert_int_equal(run_text(run, INTERFACE "TunBackend = auto\nBackend = syscalls\n"), 0);
	assert_string_equal(run->findings, "x:4: warning: Backend is now called TunBackend\n"
									   "x:4: warning: TunBackend: already set on line 3; this line overrides it\n");
	assert_int_equal(run->config.tun_backend, BACKEND_SYSCALLS);
}

static void the_keys_of_peer_are_read(void **state)
{
	struct run *run = *state;
	const struct config_peer *peer;

	run_corpus_file(run, CORPUS "good.conf");
	peer = run->config.peers;
	assert_int_equal(peer->line, 12);
	assert_true(peer->has_public_key);
	assert_key(peer->public_key, PUBLIC_KEY);
	assert_true(peer->has_preshared_key);
	assert_key(peer->preshared_key, PRESHARED_KEY);
	assert_prefix(peer->allowed_ips, "10.0.0.2/32", 15);
	assert_prefix(peer->allowed_ips->next, "fd00::2/128", 15);
	assert_prefix(peer->allowed_ips->next->next, "192.168.0.0/16", 16);
	assert_null(peer->allowed_ips->next->next->next);
	assert_true(peer->has_endpoint);
	assert_string_equal(peer->endpoint_host, "192.0.2.1");
	assert_string_equal(peer->endpoint_port, "51820");
	assert_true(peer->has_keepalive);
	assert_int_equal(peer->keepalive, 25);

	peer = peer->next;
	assert_int_equal(peer->line, 20);
	assert_false(peer->has_preshared_key);
	assert_string_equal(peer->endpoint_host, "vpn.example.net");
	assert_true(peer->has_keepalive);
	assert_int_equal(peer->keepalive, 0);
	assert_null(peer->next);
}

static void keys_that_are_not_given_are_unset(void **state)
{
	struct run *run = *state;
	const struct config *config = &run->config;

	assert_int_equal(run_text(run, INTERFACE PEER), 0);
	assert_false(config->has_listen_port);
	assert_false(config->has_fwmark);
	assert_int_equal(config->mtu, 0);
	assert_int_equal(config->table, TABLE_AUTO);
	assert_string_equal(config->crypto_provider, "");
	assert_int_equal(config->tun_backend, BACKEND_AUTO);
	assert_null(config->addresses);
	assert_false(config->peers->has_endpoint);
	assert_false(config->peers->has_keepalive);
	assert_false(config->peers->has_preshared_key);
	assert_null(config->peers->allowed_ips);
}

static void unusual_layouts_are_read(void **state)
{
	static const char *const layouts[] = { "leading-blanks", "hash-after-value", "letter-case", "crlf",
										   "dns-and-save" };
	struct run *run = *state;

	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
		char path[512];
		snprintf(path, sizeof path, CORPUS "%s.conf", layouts[i]);
		run_corpus_file(run, path);
		assert_key(run->config.private_key, PRIVATE_KEY);
		if (strcmp(layouts[i], "dns-and-save") == 0)
			continue;
		assert_int_equal(run->config.listen_port, 51820);
		assert_int_equal(run->config.peer_count, 1);
		assert_key(run->config.peers->public_key, PUBLIC_KEY);
	}
	run_corpus_file(run, CORPUS "address-blanks.conf");
	assert_prefix(run->config.addresses, "10.0.0.1/24", 3);
	assert_prefix(run->config.addresses->next, "10.0.0.2/24", 3);
	assert_prefix(run->config.addresses->next->next, "fd00::1/64", 3);
	run_corpus_file(run, CORPUS "ipv6-endpoints.conf");
	assert_string_equal(run->config.peers->endpoint_host, "2001:db8::1");
	assert_string_equal(run->config.peers->next->endpoint_host, "fe80::1%eth0");
}

static void the_last_of_two_values_counts(void **state)
{
	struct run *run = *state;

	run_corpus_file(run, CORPUS "twice.conf");
	assert_int_equal(run->report.errors, 0);
	assert_int_equal(run->config.listen_port, 2);
	assert_string_equal(run->config.peers->endpoint_port, "2");
	assert_string_equal(run->config.peers->next->endpoint_port, "1");
	run_corpus_file(run, CORPUS "interface-twice.conf");
	assert_int_equal(run->config.listen_port, 51820);
	assert_prefix(run->config.addresses, "10.0.0.1/24", 7);
}

static void tables_and_marks_are_numbers_or_off(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE "Table = 51820\nFwMark = 4294967295\n"), 0);
	assert_int_equal(run->config.table, TABLE_NUMBER);
	assert_int_equal(run->config.table_number, 51820);
	assert_int_equal(run->config.fwmark, UINT32_MAX);
	assert_int_equal(run_text(run, INTERFACE "Table = oFF\nFwMark = off\n"), 0);
	assert_int_equal(run->config.table, TABLE_OFF);
	assert_true(run->config.has_fwmark);
	assert_int_equal(run->config.fwmark, 0);
	assert_int_equal(run_text(run, INTERFACE "Table = 0XFF\nFwMark = 0XCA6c\n"), 0);
	assert_int_equal(run->config.table_number, 255);
	assert_int_equal(run->config.fwmark, 0xca6c);
	assert_int_equal(run_text(run, INTERFACE "Table = main\n"), 0);
	assert_int_equal(run->config.table, TABLE_NUMBER);
	assert_int_equal(run->config.table_number, 254);
	assert_int_equal(run_text(run, INTERFACE "Table = 0\n"), 0);
	assert_int_equal(run->config.table, TABLE_NUMBER);
	assert_int_equal(run->config.table_number, 254);
	assert_int_equal(run_text(run, INTERFACE "FailClosed = TRUE\n"), 0);
	assert_true(run->config.fail_closed);
	assert_int_equal(run_text(run, INTERFACE "FailClosed = yes\n"), -EINVAL);
}

static void allowed_ips_are_masked(void **state)
{
	struct run *run = *state;
	const struct config_prefix *entry;

	assert_int_equal(run_text(run,
							  INTERFACE "Address = 10.1.2.3/9\n" PEER "AllowedIPs = 10.255.2.3/9, 255.255.255.255/0\n"
										"AllowedIPs = fd00:ffff::1/17, 10.0.0.1\n"),
					 0);
	assert_prefix(run->config.addresses, "10.1.2.3/9", 3);
	entry = run->config.peers->allowed_ips;
	assert_prefix(entry, "10.128.0.0/9", 6);
	assert_prefix(entry->next, "0.0.0.0/0", 6);
	assert_prefix(entry->next->next, "fd00:8000::/17", 7);
	assert_prefix(entry->next->next->next, "10.0.0.1/32", 7);
}

static void the_last_claim_on_a_prefix_wins(void **state)
{
	struct run *run = *state;
	const struct config_peer *peer;

	run_corpus_file(run, CORPUS "overlap.conf");
	assert_int_equal(run->report.errors, 0);
	peer = run->config.peers;
	assert_prefix(peer->allowed_ips, "10.0.1.0/24", 5);
	assert_null(peer->allowed_ips->next);
	peer = peer->next;
	assert_prefix(peer->allowed_ips, "10.0.0.0/25", 9);
	assert_null(peer->allowed_ips->next);
	peer = peer->next;
	assert_prefix(peer->allowed_ips, "10.2.0.0/16", 12);
	assert_prefix(peer->allowed_ips->next, "fd00::/64", 13);
	assert_prefix(peer->allowed_ips->next->next, "10.0.0.0/24", 13);
	assert_null(peer->allowed_ips->next->next->next);
}

static void a_prefix_is_masked_at_every_length(void **state)
{
	for (int length = 0; length <= 128; length++) {
		struct ip_prefix prefix = { .family = AF_INET6, .length = (uint8_t)length };
		memset(prefix.address, 0xff, sizeof prefix.address);
		prefix_mask(&prefix);
		for (int bit = 0; bit < 128; bit++)
			assert_int_equal(prefix.address[bit / 8] >> (7 - bit % 8) & 1, bit < length);
	}
}

/* Writes a list of `count` hosts in one line. Returns the length of the text. */
static size_t long_line(char *text, int count)
{
	size_t length = (size_t)sprintf(text, INTERFACE PEER "AllowedIPs = ");

	for (int i = 0; i < count; i++)
		length += (size_t)sprintf(text + length, "%s10.%d.%d.1/32", i ? ", " : "", i >> 8, i & 255);
	return length + (size_t)sprintf(text + length, "\nPersistentKeepalive = 7\n");
}

static void a_line_of_5000_bytes_is_read(void **state)
{
	struct run *run = *state;
	static char text[TEXT_ROOM];
	size_t length = long_line(text, 400), count = 0;

	assert_true(length > 5000);
	assert_int_equal(run_bytes(run, text, length), 0);
	for (const struct config_prefix *entry = run->config.peers->allowed_ips; entry; entry = entry->next)
		count++;
	assert_int_equal(count, 400);
	assert_int_equal(run->config.peers->keepalive, 7);
}

/* The file is one line of 16 MiB but for its sections: 950,000 prefixes. */
static void a_line_may_be_as_long_as_a_file(void **state)
{
	enum { ROOM = 16 << 20, PREFIXES = 950000 };
	struct run *run = *state;
	char *text = malloc(ROOM);
	size_t length, count = 0;

	assert_non_null(text);
	length = (size_t)sprintf(text, INTERFACE PEER "AllowedIPs = ");
	for (int i = 0; i < PREFIXES; i++)
		length += (size_t)sprintf(text + length, "%s%d.%d.%d.%d", i ? ", " : "", 10 + (i >> 24), i >> 16 & 255,
								  i >> 8 & 255, i & 255);
	memset(text + length, ' ', ROOM - length);
	memcpy(text + ROOM - 25, "\nPersistentKeepalive = 7 ", 25);
	assert_int_equal(run_bytes(run, text, ROOM), 0);
	free(text);
	assert_int_equal(run->lines, 0);
	for (const struct config_prefix *entry = run->config.peers->allowed_ips; entry; entry = entry->next)
		count++;
	assert_int_equal(count, PREFIXES);
	assert_int_equal(run->config.peers->keepalive, 7);
}

/* The lengths around those at which buffers used to end. Comments and surrounding blanks do not count. */
static void a_line_may_have_any_length(void **state)
{
	static const size_t lengths[] = { 199, 200, 255, 256, 257, 4095, 4096, 65534, 65535, 65536, 1000000 };
	struct run *run = *state;
	static char text[TEXT_ROOM];
	size_t head = strlen(INTERFACE);

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		memset(text, 'x', sizeof text);
		memcpy(text, INTERFACE "PostUp = ", strlen(INTERFACE "PostUp = "));
		assert_int_equal(run_bytes(run, text, head + lengths[i]), 0);
		memcpy(text + head + lengths[i], "\nMTU = 99\n", 10);
		assert_int_equal(run_bytes(run, text, head + lengths[i] + 10), 0);
		assert_int_equal(run->config.mtu, 99);
	}
	memset(text, 'x', sizeof text);
	memcpy(text, INTERFACE "MTU = 99 #", strlen(INTERFACE "MTU = 99 #"));
	assert_int_equal(run_bytes(run, text, 200000), 0);
	assert_int_equal(run->config.mtu, 99);
	memset(text, ' ', sizeof text);
	memcpy(text, INTERFACE, strlen(INTERFACE));
	memcpy(text + 200000, "MTU = 100", strlen("MTU = 100"));
	assert_int_equal(run_bytes(run, text, sizeof text), 0);
	assert_int_equal(run->config.mtu, 100);
}

static void nul_bytes_are_rejected(void **state)
{
	static const char finding[] =
		"x:3: error: the line contains a NUL byte; the file must be plain text (ASCII or UTF-8)\n";
	static const char value[] = INTERFACE "MTU = 14\00020\nListenPort = 5\n";
	static const char comment[] = INTERFACE "# \0\nListenPort = 5\n";
	static const char section[] = INTERFACE "\0[Peer]\nListenPort = 5\n";
	static const char alone[] = INTERFACE "\0";
	static const char several[] = INTERFACE "\0\n\0MTU = 1420\nListenPort = 5\n\0\n";
	struct run *run = *state;

	assert_int_equal(run_bytes(run, value, sizeof value - 1), -EINVAL);
	assert_string_equal(run->findings, finding);
	assert_int_equal(run->config.mtu, 0);
	assert_int_equal(run->config.listen_port, 5);
	assert_int_equal(run_bytes(run, comment, sizeof comment - 1), -EINVAL);
	assert_string_equal(run->findings, finding);
	assert_int_equal(run->config.listen_port, 5);
	assert_int_equal(run_bytes(run, section, sizeof section - 1), -EINVAL);
	assert_string_equal(run->findings, finding);
	assert_int_equal(run_bytes(run, alone, sizeof alone - 1), -EINVAL);
	assert_string_equal(run->findings, finding);
	assert_int_equal(run_bytes(run, several, sizeof several - 1), -EINVAL);
	assert_string_equal(run->findings, finding);
	assert_int_equal(run->config.listen_port, 5);
}

static void an_empty_text_is_rejected(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_bytes(run, "", 0), -EINVAL);
	assert_string_equal(run->findings, "x: error: [Interface]: the section is missing; it is required\n");
	assert_int_equal(run_text(run, "\xef\xbb\xbf"), -EINVAL);
	assert_int_equal(run_text(run, "\xef\xbb"), -EINVAL);
	assert_string_equal(run->findings, "x:1: error: the line is not \"Key = value\", \"[Section]\" or \"# comment\"\n"
									   "x: error: [Interface]: the section is missing; it is required\n");
}

static void at_most_100_findings_are_shown(void **state)
{
	struct run *run = *state;
	static char text[TEXT_ROOM] = INTERFACE;

	for (int i = 0; i < 500; i++)
		strcat(text, "Nonsense = 1\n");
	assert_int_equal(run_text(run, text), -EINVAL);
	assert_int_equal(run->report.errors, 500);
	assert_int_equal(run->lines, 101);
	assert_non_null(strstr(run->findings, "x:102: error: "));
	assert_null(strstr(run->findings, "x:103:"));
	assert_non_null(strstr(run->findings, "x: too many findings; only the first 100 are shown\n"));
}

static void ten_thousand_peers_are_read(void **state)
{
	struct run *run = *state;
	static char text[4 << 20] = INTERFACE;
	size_t length = strlen(text);
	char key[KEY_BASE64];
	uint8_t bytes[KEY_BYTES];

	for (int i = 0; i < 10000; i++) {
		randombytes_buf(bytes, sizeof bytes);
		key_to_base64(key, bytes);
		length += (size_t)sprintf(text + length, "[Peer]\nPublicKey = %s\nAllowedIPs = 10.%d.%d.0/24\n", key, i >> 8,
								  i & 255);
	}
	assert_int_equal(run_bytes(run, text, length), 0);
	assert_int_equal(run->lines, 0);
	assert_int_equal(run->config.peer_count, 10000);
}

static void destroy_leaves_a_zeroed_struct(void **state)
{
	struct run *run = *state;
	struct config zeros = { 0 };

	run_corpus_file(run, CORPUS "good.conf");
	config_destroy(&run->config);
	assert_memory_equal(&run->config, &zeros, sizeof zeros);
	config_destroy(&run->config);
}

/* --- files ----- */

static char *in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *make_file(const char *name, const char *text, mode_t mode)
{
	char *path = in_folder(name);
	FILE *file;

	unlink(path); /* it may be there with a mode that forbids writing */
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void assert_finding(const struct run *run, const char *path, const char *finding)
{
	char expected[1024];

	snprintf(expected, sizeof expected, "%s: %s\n", path, finding);
	assert_string_equal(run->findings, expected);
}

static void a_file_is_read(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_file(run, make_file("wg0.conf", INTERFACE PEER, 0600)), 0);
	assert_string_equal(run->findings, "");
	assert_string_equal(run->config.interface, "wg0");
	assert_int_equal(run->config.peer_count, 1);
}

static void the_interface_is_named_after_the_file(void **state)
{
	static const char *const good[] = { "a", "0", "wg_0", "a=b+c.d-e", "fifteen-letters", "a.conf", "..." };
	static const char *const bad[] = { "sixteen-letters-", ".", "..", "a b", "a%d", "", "-a", "\xc3\xa4" };
	struct run *run = *state;
	char name[64];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(name, sizeof name, "%s.conf", good[i]);
		assert_int_equal(run_file(run, make_file(name, INTERFACE, 0600)), 0);
		assert_string_equal(run->config.interface, good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(name, sizeof name, "%s.conf", bad[i]);
		assert_int_equal(run_file(run, make_file(name, INTERFACE, 0600)), -EINVAL);
		assert_finding(run, in_folder(name),
					   "error: the file name is not NAME.conf, where NAME, the name of the interface, is 1 to 15 "
					   "characters of a-z A-Z 0-9 _ = + . -, not starting with -");
	}
	assert_int_equal(run_file(run, make_file("wg0.ini", INTERFACE, 0600)), -EINVAL);
	assert_int_equal(run_file(run, make_file("wg0", INTERFACE "MTU = 1\n", 0600)), -EINVAL);
	assert_int_equal(run->report.errors, 2);
}

static void a_file_with_keys_should_be_private(void **state)
{
	static const mode_t open_modes[] = { 0644, 0640, 0604, 0620, 0602, 0777 };
	struct run *run = *state;
	char finding[256];

	for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
		assert_int_equal(run_file(run, make_file("mode.conf", INTERFACE, open_modes[i])), 0);
		snprintf(finding, sizeof finding,
				 "warning: the file contains keys, and its mode %04o lets others access it; set the mode to 0600",
				 open_modes[i]);
		assert_finding(run, in_folder("mode.conf"), finding);
	}
	assert_int_equal(run_file(run, make_file("mode.conf", INTERFACE, 0400)), 0);
	assert_int_equal(run->lines, 0);
	/* A file without keys may be public. */
	assert_int_equal(run_file(run, make_file("mode.conf", PEER, 0644)), -EINVAL);
	assert_int_equal(run->report.warnings, 0);
	assert_int_equal(run_file(run, make_file("mode.conf", PEER "PresharedKey = " PRESHARED_KEY "\n", 0644)), -EINVAL);
	assert_int_equal(run->report.warnings, 1);
}

static void paths_that_are_not_regular_files_are_rejected(void **state)
{
	struct run *run = *state;
	char *path = in_folder("none.conf");

	assert_int_equal(run_file(run, path), -ENOENT);
	assert_finding(run, path, "error: No such file or directory");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(run_file(run, path), -EISDIR);
	assert_finding(run, path, "error: Is a directory");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(run_file(run, path), -EINVAL);
	assert_finding(run, path, "error: not a regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(run_file(run, path), -ELOOP);
	assert_finding(run, path, "error: Too many levels of symbolic links");
}

static void empty_and_huge_files_are_rejected(void **state)
{
	struct run *run = *state;
	const char *path = make_file("size.conf", "", 0600);

	assert_int_equal(run_file(run, path), -EINVAL);
	assert_finding(run, path, "error: the file is empty; it needs an [Interface] section");
	assert_int_equal(truncate(path, (16 << 20) + 1), 0);
	assert_int_equal(run_file(run, path), -EFBIG);
	assert_finding(run, path, "error: the file is larger than 16 MiB");
	assert_int_equal(truncate(path, 16 << 20), 0);
	assert_int_equal(run_file(run, path), -EINVAL);
	assert_non_null(strstr(run->findings, ":1: error: the line contains a NUL byte"));
}

/* A file name without ".conf" is a name in /etc/adit, which need not exist here. */
static void a_bare_name_is_a_file_in_etc(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_file(run, "no-such-tunnel"), -ENOENT);
	assert_string_equal(run->findings, "/etc/adit/no-such-tunnel.conf: error: No such file or directory\n");
	assert_int_equal(run_file(run, "./no-such-tunnel"), -ENOENT);
	assert_string_equal(run->findings, "./no-such-tunnel: error: No such file or directory\n");
	assert_int_equal(run_file(run, "no-such.conf"), -ENOENT);
	assert_string_equal(run->findings, "no-such.conf: error: No such file or directory\n");
	assert_int_equal(run_file(run, "sixteen-letters-"), -ENOENT);
	assert_string_equal(run->findings, "sixteen-letters-: error: No such file or directory\n");
	assert_int_equal(run_file(run, ".."), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_corpus_file_has_the_expected_findings),
		cmocka_unit_test(the_keys_of_interface_are_read),
		cmocka_unit_test(the_keys_of_peer_are_read),
		cmocka_unit_test(offloads_can_be_turned_off),
		cmocka_unit_test(the_tun_backend_is_read),
		cmocka_unit_test(old_key_names_work_and_cause_a_warning),
		cmocka_unit_test(an_old_and_a_new_key_name_are_the_same_key),
		cmocka_unit_test(keys_that_are_not_given_are_unset),
		cmocka_unit_test(unusual_layouts_are_read),
		cmocka_unit_test(the_last_of_two_values_counts),
		cmocka_unit_test(tables_and_marks_are_numbers_or_off),
		cmocka_unit_test(allowed_ips_are_masked),
		cmocka_unit_test(the_last_claim_on_a_prefix_wins),
		cmocka_unit_test(a_prefix_is_masked_at_every_length),
		cmocka_unit_test(a_line_of_5000_bytes_is_read),
		cmocka_unit_test(a_line_may_be_as_long_as_a_file),
		cmocka_unit_test(a_line_may_have_any_length),
		cmocka_unit_test(nul_bytes_are_rejected),
		cmocka_unit_test(an_empty_text_is_rejected),
		cmocka_unit_test(at_most_100_findings_are_shown),
		cmocka_unit_test(ten_thousand_peers_are_read),
		cmocka_unit_test(destroy_leaves_a_zeroed_struct),
		cmocka_unit_test(a_file_is_read),
		cmocka_unit_test(the_interface_is_named_after_the_file),
		cmocka_unit_test(a_file_with_keys_should_be_private),
		cmocka_unit_test(paths_that_are_not_regular_files_are_rejected),
		cmocka_unit_test(empty_and_huge_files_are_rejected),
		cmocka_unit_test(a_bare_name_is_a_file_in_etc),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
