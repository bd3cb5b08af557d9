/* SPDX-License-Identifier: MIT */
/* Tests of the INI parser: files as wg(8) and wg-quick(8) accept them, names of the host, and advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ini_parser.h"
#include "ini_run.h"

#define MANUAL TEST_DATA "/../../man/adit.conf.5"
enum { MANUAL_ROOM = 1 << 20 };

static void blanks_have_no_meaning(void **state)
{
	struct run *run = *state;
	const struct config *config = &run->config;

	run_corpus_file(run, CORPUS "blanks-anywhere.conf");
	assert_key(config->private_key, PRIVATE_KEY);
	assert_int_equal(config->listen_port, 51820);
	assert_int_equal(config->mtu, 1420);
	assert_list(config->addresses, "10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24");
	assert_key(config->peers->public_key, PUBLIC_KEY);
	assert_list(config->peers->allowed_ips, "10.0.0.0/24", "10.1.0.0/16", "fd00::/64");
	assert_string_equal(config->peers->endpoint_host, "192.0.2.1");
	assert_string_equal(config->peers->endpoint_port, "51820");
	assert_int_equal(config->peers->keepalive, 25);
	assert_string_equal(config->peers->next->endpoint_host, "2001:db8::1");
	assert_int_equal(run_text(run, "[IN TER FACE]\fprivatekey\v=\r" PRIVATE_KEY), -EINVAL); /* blanks end no line */
	assert_int_equal(run_text(run, "\f[INTER\vFACE]\r\n\tprivatekey\v=\r" PRIVATE_KEY), 0);
}

static void lists_accept_superfluous_commas_and_netmasks(void **state)
{
	struct run *run = *state;

	run_corpus_file(run, CORPUS "commas.conf");
	assert_list(run->config.addresses, "10.0.0.1/24", "10.0.1.1/24", "fd00::1/64");
	assert_list(run->config.peers->allowed_ips, "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24");
	run_corpus_file(run, CORPUS "netmasks.conf");
	assert_list(run->config.addresses, "10.0.0.1/24", "10.0.0.2/32", "10.0.0.3/0", "10.0.0.4/24");
	assert_list(run->config.peers->allowed_ips, "10.0.0.0/16", "fd00::/48");
	run_corpus_file(run, CORPUS "empty-values.conf");
	assert_null(run->config.addresses);
	assert_int_equal(run->config.mtu, 0);
	assert_int_equal(run_text(run, INTERFACE "MTU = 1400\nTable = off\nMTU =\nTable =\n"), 0);
	assert_int_equal(run->config.mtu, 0);
	assert_int_equal(run->config.table, TABLE_AUTO);
	run_corpus_file(run, CORPUS "hex-mtu.conf");
	assert_int_equal(run->config.mtu, 1420);
}

static void each_netmask_has_its_length(void **state)
{
	struct run *run = *state;
	char text[512], expected[32];

	for (int length = 0; length <= 32; length++) {
		struct in_addr mask = { htonl(length ? UINT32_MAX << (32 - length) : 0) };

		snprintf(text, sizeof text, INTERFACE "Address = 10.1.2.3/%s\n", inet_ntoa(mask));
		assert_int_equal(run_text(run, text), 0);
		snprintf(expected, sizeof expected, "10.1.2.3/%d", length);
		assert_list(run->config.addresses, expected);
	}
}

static void services_are_ports(void **state)
{
	struct run *run = *state;
	const struct config_peer *peer;

	run_corpus_file(run, CORPUS "services.conf");
	assert_int_equal(run->config.listen_port, 53);
	peer = run->config.peers;
	assert_string_equal(peer->endpoint_host, "192.0.2.1");
	assert_string_equal(peer->endpoint_port, "1194");
	assert_string_equal(peer->next->endpoint_host, "2001:db8::1");
	assert_string_equal(peer->next->endpoint_port, "53");
	assert_false(peer->next->next->has_endpoint);
}

static void sections_of_the_same_peer_are_merged(void **state)
{
	struct run *run = *state;
	const struct config_peer *peer;

	run_corpus_file(run, CORPUS "same-peer-twice.conf");
	assert_int_equal(run->report.errors, 0);
	assert_int_equal(run->config.peer_count, 2);
	assert_list(run->config.peers->allowed_ips, "10.0.0.1/32");
	assert_null(run->config.peers->next->allowed_ips);
	assert_null(run->config.peers->next->next);

	assert_int_equal(run_text(run, INTERFACE PEER "Endpoint = 192.0.2.1:1\nPersistentKeepalive = 5\n" PEER
												  "Endpoint = 192.0.2.2:2\nCipher = chacha20poly1305\n" PEER
												  "PresharedKey = " PRESHARED_KEY "\n"),
					 0);
	peer = run->config.peers;
	assert_null(peer->next);
	assert_int_equal(run->config.peer_count, 1);
	assert_string_equal(peer->endpoint_host, "192.0.2.2");
	assert_string_equal(peer->endpoint_port, "2");
	assert_int_equal(peer->keepalive, 5);
	assert_true(peer->has_cipher);
	assert_key(peer->preshared_key, PRESHARED_KEY);
}

/* The claim that is further down in the file counts, wherever its peer has its first section. */
static void merged_peers_claim_prefixes_in_the_order_of_the_file(void **state)
{
	struct run *run = *state;

	run_corpus_file(run, CORPUS "same-peer-claims.conf");
	assert_int_equal(run->config.peer_count, 2);
	assert_list(run->config.peers->allowed_ips, "10.2.0.0/24", "10.1.0.0/24");
	assert_list(run->config.peers->next->allowed_ips, "10.0.0.0/24");
}

static void the_private_key_may_be_set_later(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, "[Interface]\n" PEER), 0);
	assert_false(run->config.has_private_key);
	assert_string_equal(
		run->findings,
		"x:1: warning: [Interface]: PrivateKey is missing; the tunnel is unusable until wg(8) sets one\n");
}

/* Advice is for `check`: a daemon that reads the same file gives none. */
static void advice_is_given_only_on_request(void **state)
{
	static const char text[] = INTERFACE "MTU = 1200\nAddress = fd00::1/64\n" PEER
										 "AllowedIPs = 0.0.0.1/1\nEndpoint = 1.2.3.4:5\nEndpoint = 1.2.3.4.5:5\n"
										 "Endpoint = 1.2.3.4:5\n";
	struct run *run = *state;

	assert_int_equal(run_text(run, text), 0);
	assert_int_equal(run->report.warnings, 2); /* Endpoint is set three times */
	run_clear(run);
	run->report.advice = true;
	assert_int_equal(ini_parse_config(&run->config, "x", text, strlen(text), &run->report), 0);
	assert_int_equal(run->report.warnings, 6);
}

static struct ini_network network(const char *interface, const char *prefix)
{
	struct ini_network made = { 0 };

	assert_true(prefix_from_text(&made.prefix, prefix));
	snprintf(made.interface, sizeof made.interface, "%s", interface);
	return made;
}

static const char *advice_on(struct run *run, const char *text, const struct ini_network *networks, size_t count)
{
	run_clear(run);
	run->report.advice = true;
	run->report.networks = networks;
	run->report.network_count = count;
	snprintf(run->config.interface, sizeof run->config.interface, "site");
	assert_int_equal(ini_parse_config(&run->config, "x", text, strlen(text), &run->report), 0);
	return run->findings;
}

static void networks_of_the_host_are_compared(void **state)
{
	const struct ini_network networks[] = {
		network("lo", "127.0.0.0/8"), network("eth0", "192.168.1.0/24"), network("eth0", "fd07::/64"),
		network("eth0", "fe80::/64"), network("site", "10.0.0.0/24"),    network("dummy0", "10.9.9.9/32"),
	};
	enum { COUNT = sizeof networks / sizeof *networks };
	struct run *run = *state;

	assert_string_equal(advice_on(run,
								  INTERFACE PEER "AllowedIPs = 192.168.1.0/24, 192.168.0.0/16, 192.168.1.0/25\n"
												 "AllowedIPs = fd07::/64, 10.9.9.9\n",
								  networks, COUNT),
						"x:5: warning: AllowedIPs: 192.168.1.0/24 is also a network of this host, on eth0\n"
						"x:6: warning: AllowedIPs: fd07::/64 is also a network of this host, on eth0\n"
						"x:6: warning: AllowedIPs: 10.9.9.9/32 is also a network of this host, on dummy0\n");
	assert_string_equal(advice_on(run,
								  INTERFACE "Address = 192.168.1.77/24, 10.0.0.1/24, fe80::1/64\n" PEER
											"AllowedIPs = 10.0.0.0/24, fe80::/64\n",
								  networks, COUNT),
						"x:3: warning: Address: 192.168.1.0/24 is also a network of this host, on eth0\n");
	/* Routes in another table do not compete, but addresses do. */
	assert_string_equal(
		advice_on(run, INTERFACE "Table = off\nAddress = 192.168.1.77/24\n" PEER "AllowedIPs = 192.168.1.0/24\n",
				  networks, COUNT),
		"x:4: warning: Address: 192.168.1.0/24 is also a network of this host, on eth0\n");
}

static void addresses_of_the_host_are_compared(void **state)
{
	struct ini_network networks[] = { network("eth0", "192.168.1.0/24"), network("site", "10.0.0.0/24") };
	struct run *run = *state;

	assert_true(prefix_from_text(&networks[0].address, "192.168.1.7/24"));
	assert_true(prefix_from_text(&networks[1].address, "10.0.0.1/24"));
	assert_string_equal(
		advice_on(run, INTERFACE "Address = 192.168.1.7/32, 192.168.1.8/32, 10.0.0.1/24\n" PEER, networks, 2),
		"x:3: warning: Address: 192.168.1.7 is also an address of this host, on eth0\n");
}

static void an_endpoint_on_a_network_of_the_host_is_reachable(void **state)
{
	const struct ini_network networks[] = { network("eth0", "192.168.1.0/24"), network("site", "10.0.0.0/24") };
	struct run *run = *state;

	assert_string_equal(
		advice_on(run, INTERFACE PEER "AllowedIPs = 128.0.0.0/1\nEndpoint = 192.168.1.5:5\n", networks, 2), "");
	assert_non_null(
		strstr(advice_on(run, INTERFACE PEER "AllowedIPs = 192.168.1.5\nEndpoint = 192.168.1.5:5\n", networks, 2),
			   "x:5: warning: AllowedIPs: 192.168.1.5/32 contains the endpoint 192.168.1.5, "));
	/* Our own interface is no way around itself. */
	assert_non_null(
		strstr(advice_on(run, INTERFACE PEER "AllowedIPs = 10.0.0.0/8\nEndpoint = 10.0.0.2:5\n", networks, 2),
			   "x:5: warning: AllowedIPs: 10.0.0.0/8 contains the endpoint 10.0.0.2, "));
}

static void make_table_file(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(full, sizeof full, "%s/%.*s", folder, (int)(slash - path), path);
		mkdir(full, 0700);
	}
	snprintf(full, sizeof full, "%s/%s", folder, path);
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void table_names_are_found(void **state)
{
	static const struct {
		const char *name;
		uint32_t number;
	} found[] = {
		{ "uplink", 100 },
		{ "hex", 0x1f },
		{ "no-newline", 300 },
		{ "commented", 7 },
		{ "dropped-in", 4000000000 },
		{ "usr-only", 9 },
		{ "usr-lib-only", 10 },
		{ "twice", 1 },
		{ "main", 254 },
		{ "local", 255 },
		{ "default", 253 },
		{ "unspec", 0 },
	};
	static const char *const missing[] = { "", "Uplink", "up", "uplink ", "hidden", "other", "100", "gone", "too-big" };
	char folders[512];
	uint32_t number;

	make_table_file("tables/etc/iproute2/rt_tables", "# 5 gone\n0\tunspec\n  100 uplink\n0x1f hex\n7 commented # x\n"
													 "1 twice\nnonsense\n4294967296 too-big\n300 no-newline");
	make_table_file("tables/etc/iproute2/rt_tables.d/a.conf", "4000000000 dropped-in\n");
	make_table_file("tables/etc/iproute2/rt_tables.d/.hidden.conf", "5 hidden\n");
	make_table_file("tables/etc/iproute2/rt_tables.d/other", "5 other\n");
	make_table_file("tables/usr/share/iproute2/rt_tables", "9 usr-only\n2 twice\n");
	make_table_file("tables/usr/lib/iproute2/rt_tables", "10 usr-lib-only\n");
	snprintf(folders, sizeof folders, "%s/tables", folder);
	for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
		number = 1234;
		if (!ini_table_by_name(folders, found[i].name, &number) || number != found[i].number)
			fail_msg("%s: %u", found[i].name, number);
	}
	for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
		if (ini_table_by_name(folders, missing[i], &number))
			fail_msg("%s: %u", missing[i], number);
	assert_true(ini_table_by_name("/no-such-folder", "main", &number));
}

static void settings_without_effect_are_found(void **state)
{
	struct run *run = *state;

	assert_string_equal(advice_on(run, INTERFACE "FailClosed = true\n" PEER "AllowedIPs = 0.0.0.0/1\n", NULL, 0),
						"x:3: warning: FailClosed has no effect without a default route; add 0.0.0.0/0 or ::/0 to "
						"AllowedIPs\n");
	assert_string_equal(
		advice_on(run, INTERFACE "FailClosed = true\nTable = 500\n" PEER "AllowedIPs = ::/0\n", NULL, 0),
		"x:3: warning: FailClosed has no effect with this Table; use Table = auto\n");
	assert_string_equal(advice_on(run, INTERFACE "FailClosed = true\n" PEER "AllowedIPs = ::/0\n", NULL, 0), "");
	assert_string_equal(
		advice_on(run, INTERFACE "Address = 0.0.0.0/0, 10.9.0.0/24, 10.8.0.0/31\n", NULL, 0),
		"x:3: warning: Address: 0.0.0.0/0 is not the address of a host, so the interface does not get it\n"
		"x:3: warning: Address: 10.9.0.0/24 is the network itself, not the address of a host in it\n");
	assert_string_equal(advice_on(run, INTERFACE "Address = 239.1.2.3/24, ::1/128\n", NULL, 0),
						"x:3: warning: Address: 239.1.2.3/24 is a multicast address, not that of a host\n"
						"x:3: warning: Address: ::1/128 is a loopback address, not that of a host\n");
}

/* --- the manual ----- */

/* Reports whether an item of the manual has the key in its title: ".It Li PreUp , PostUp". */
static bool manual_has(const char *manual, const char *key)
{
	for (const char *item = strstr(manual, "\n.It Li "); item; item = strstr(item + 1, "\n.It Li ")) {
		const char *title = item + strlen("\n.It Li "), *found = strstr(title, key);
		size_t length = strcspn(title, "\n");

		if (found && found + strlen(key) <= title + length && found[-1] == ' ' && strchr(" \n", found[strlen(key)]))
			return true;
	}
	return false;
}

static void the_manual_describes_each_key(void **state)
{
	FILE *file = fopen(MANUAL, "r");
	char *manual = calloc(1, MANUAL_ROOM);

	assert_non_null(file);
	assert_non_null(manual);
	assert_uint_in_range(fread(manual, 1, MANUAL_ROOM - 1, file), 1000, MANUAL_ROOM - 2);
	fclose(file);
	for (enum ini_key key = 0; key < KEY_COUNT; key++) {
		if (!manual_has(manual, ini_key_name(key)))
			fail_msg("adit.conf.5 does not describe %s", ini_key_name(key));
	}
	assert_false(manual_has(manual, "Private"));
	free(manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_have_no_meaning),
		cmocka_unit_test(lists_accept_superfluous_commas_and_netmasks),
		cmocka_unit_test(each_netmask_has_its_length),
		cmocka_unit_test(services_are_ports),
		cmocka_unit_test(sections_of_the_same_peer_are_merged),
		cmocka_unit_test(merged_peers_claim_prefixes_in_the_order_of_the_file),
		cmocka_unit_test(the_private_key_may_be_set_later),
		cmocka_unit_test(advice_is_given_only_on_request),
		cmocka_unit_test(networks_of_the_host_are_compared),
		cmocka_unit_test(addresses_of_the_host_are_compared),
		cmocka_unit_test(an_endpoint_on_a_network_of_the_host_is_reachable),
		cmocka_unit_test(settings_without_effect_are_found),
		cmocka_unit_test(table_names_are_found),
		cmocka_unit_test(the_manual_describes_each_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
