/* SPDX-License-Identifier: MIT */
/* Tests of the list of hosts of adit mesh: what it accepts, and its findings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/host_list.h"

/* One run of the parser. */
struct run {
	struct host_list list;
	struct ini_report report;
	char findings[16 << 10];
};

static void append_finding(void *context, const char *text)
{
	struct run *run = context;
	size_t length = strlen(run->findings);

	snprintf(run->findings + length, sizeof run->findings - length, "%s\n", text);
}

static void run_list(struct run *run, const char *text)
{
	int status;

	host_list_destroy(&run->list);
	*run = (struct run) { .report = { .line = append_finding, .context = run } };
	status = host_list_parse(&run->list, "x", text, strlen(text), &run->report);
	assert_int_equal(status, run->report.errors ? -EINVAL : 0);
}

static void assert_findings(struct run *run, const char *text, const char *expected)
{
	run_list(run, text);
	assert_string_equal(run->findings, expected);
}

static void assert_address(const struct ip_prefix *prefix, const char *expected)
{
	char text[PREFIX_TEXT];

	prefix_to_text(text, prefix);
	assert_string_equal(text, expected);
}

static void a_list_is_read_completely(void **state)
{
	struct run *run = *state;
	const struct mesh_host *hosts;

	assert_findings(run,
					"\xef\xbb\xbf# a comment\n"
					"topology = two-hubs\r\n"
					"\thub=a , b # both\n"
					"network = 10.9.0.0/24, fd09::/64\n"
					"port = 4000\n"
					"interface = lab\n"
					"keepalive = 15\n"
					"MTU = 1380\n"
					"\n"
					"a a.example.org\n"
					"b\t198.51.100.2:51821\tauto 192.168.2.0/24 , 192.168.3.0/24  web,db  # comment\n"
					"c [2001:db8::3] 10.9.0.7,fd09::7 - * ssh=root@c\n"
					"d - hub=b ssh=-\n"
					"e [2001:db8::5]:99 auto - db",
					"");
	assert_int_equal(run->list.topology, TOPOLOGY_TWO_HUBS);
	assert_int_equal(run->list.hub_count, 2);
	assert_int_equal(run->list.hubs[0], 0);
	assert_int_equal(run->list.hubs[1], 1);
	assert_int_equal(run->list.port, 4000);
	assert_int_equal(run->list.keepalive, 15);
	assert_int_equal(run->list.mtu, 1380);
	assert_string_equal(run->list.interface, "lab");
	assert_address(&run->list.network[MESH_IPV4], "10.9.0.0/24");
	assert_address(&run->list.network[MESH_IPV6], "fd09::/64");
	assert_int_equal(run->list.count, 5);
	hosts = run->list.hosts;
	assert_string_equal(hosts[0].name, "a");
	assert_string_equal(hosts[0].endpoint_host, "a.example.org");
	assert_string_equal(hosts[0].endpoint_port, "4000");
	assert_true(hosts[0].automatic_address);
	assert_null(hosts[0].networks);
	assert_string_equal(hosts[1].endpoint_port, "51821");
	assert_address(&hosts[1].networks->prefix, "192.168.2.0/24");
	assert_address(&hosts[1].networks->next->prefix, "192.168.3.0/24");
	assert_null(hosts[1].networks->next->next);
	assert_int_equal(hosts[1].groups, 3);
	assert_string_equal(hosts[2].endpoint_host, "2001:db8::3");
	assert_string_equal(hosts[2].endpoint_port, "4000");
	assert_address(&hosts[2].address[MESH_IPV4], "10.9.0.7/32");
	assert_address(&hosts[2].address[MESH_IPV6], "fd09::7/128");
	assert_true(hosts[2].in_all_groups);
	assert_string_equal(hosts[2].ssh, "root@c");
	assert_false(hosts[3].has_endpoint);
	assert_int_equal(hosts[3].hub, 1);
	assert_string_equal(hosts[3].ssh, "-");
	assert_string_equal(hosts[4].endpoint_port, "99");
	assert_int_equal(hosts[4].groups, 2);
}

static void defaults_apply_without_options(void **state)
{
	struct run *run = *state;

	assert_findings(run, "a a.example.org 10.9.0.1\nb - fd09::2\n", "");
	assert_int_equal(run->list.topology, TOPOLOGY_FULL);
	assert_int_equal(run->list.keepalive, 25);
	assert_int_equal(run->list.mtu, 0);
	assert_string_equal(run->list.interface, "mesh");
	assert_string_equal(run->list.hosts[0].endpoint_port, "51820");
	assert_int_equal(run->list.hosts[1].address[MESH_IPV4].family, AF_UNSPEC);
}

static void bad_options_are_reported(void **state)
{
	struct run *run = *state;

	assert_findings(
		run,
		"topology = star\nhub = a/b\nnetwork = 10.9.0.1/24, 10.8.0.0/24, x, 10.7.0.0, 0.0.0.0/0\n"
		"port = 0\ninterface = ../x\nkeepalive = soon\nmtu = 67\nmtu = 1400\ncolour = red\nnetwrok = x\n"
		"a a.example.org\nport = 1\n",
		"x:1: error: topology: \"star\" is not full, hub or two-hubs\n"
		"x:2: error: hub: \"a/b\" is not the name of a host\n"
		"x:3: error: network: \"10.9.0.1/24\" has bits set beyond its length; it means 10.9.0.0/24\n"
		"x:3: error: network: 10.8.0.0/24 is a second network of the same family; one is allowed\n"
		"x:3: error: network: \"x\" is not a network such as 10.9.0.0/24 or fd09::/64, with a length of 8 or "
		"more\n"
		"x:3: error: network: \"10.7.0.0\" is not a network such as 10.9.0.0/24 or fd09::/64, with a length of "
		"8 or more\n"
		"x:3: error: network: \"0.0.0.0/0\" is not a network such as 10.9.0.0/24 or fd09::/64, with a length "
		"of 8 or more\n"
		"x:4: error: port: \"0\" is not a port from 1 to 65535\n"
		"x:5: error: interface: \"../x\" is not the name of an interface: 1 to 15 characters of a-z A-Z 0-9 _ "
		". -, starting with neither . nor -\n"
		"x:6: error: keepalive: \"soon\" is not off or a number of seconds up to 65535\n"
		"x:7: error: mtu: \"67\" is not a number from 68 to 65475\n"
		"x:8: error: mtu: already set on line 7\n"
		"x:9: error: unknown option \"colour\"; the options are topology, hub, network, port, interface, "
		"keepalive and mtu\n"
		"x:10: error: unknown option \"netwrok\"; did you mean network?\n"
		"x:12: error: option \"port\" is below the first host; options come first\n");
	assert_findings(run, "mtu =\na a.example.org 10.0.0.1\n", "x:1: error: mtu: the value is missing\n");
	assert_findings(run, "network = 10.9.0.1/32\na a.example.org 10.9.0.1\n",
					"x:1: error: network: the network has room for one host only\n");
}

static void a_small_mtu_is_reported_with_ipv6(void **state)
{
	static const char finding[] =
		"x:1: error: mtu: 1200 is less than 1280, so the kernels of the hosts disable IPv6 on the interface\n";

	assert_findings(*state, "mtu = 1200\na a.example.org 10.0.0.1\n", "");
	assert_findings(*state, "mtu = 1200\na a.example.org fd00::1\n", finding);
	assert_findings(*state, "mtu = 1200\na a.example.org 10.0.0.1 fd00::/64\n", finding);
	assert_findings(*state, "mtu = 1200\nnetwork = fd00::/64\na a.example.org\n", finding);
}

/* The name becomes the name of a folder. */
static void names_that_are_no_file_names_are_rejected(void **state)
{
	static const char *const names[] = { "..", ".",   "../a",    "a/b",      "/a",       "-a",       ".a",
										 "_a", "a b", "a\"",     "a$b",      "a;b",      "\xc3\xa4", "a*",
										 "%s", "a:b", "removed", "mesh.txt", "mesh.svg", "mesh.dot" };
	static const char *const good[] = { "a", "0", "A-b_c.d", "a..b", "site-1.example.org" };
	struct run *run = *state;
	char text[256];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(text, sizeof text, "%s a.example.org 10.0.0.1\n", names[i]);
		run_list(run, text);
		if (strncmp(run->findings, "x:1: error: ", 12) != 0)
			fail_msg("\"%s\": %s", names[i], run->findings);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(text, sizeof text, "%s a.example.org 10.0.0.1\n", good[i]);
		assert_findings(run, text, "");
	}
	snprintf(text, sizeof text, "%064d a.example.org 10.0.0.1\n", 1);
	run_list(run, text);
	assert_int_equal(run->report.errors, 1);
	assert_findings(run, text + 1, "");
	assert_findings(run, "../etc a.example.org 10.0.0.1\n",
					"x:1: error: name: \"../etc\" is not 1 to 63 characters of a-z A-Z 0-9 . _ -, starting with a "
					"letter or a digit\n");
	assert_findings(run, "removed a.example.org 10.0.0.1\n",
					"x:1: error: name: \"removed\" is reserved for a file of adit mesh\n");
}

static void bad_endpoints_are_reported(void **state)
{
	static const char *const bad[] = {
		"a:b:c",        "a:0",       "a:65536",  "a:",         ":51820",        "2001:db8::1",
		"[2001:db8::1", "[a]:51820", "[x%eth0]", "[fe80::1%]", "[fe80::1%a/b]", "300.1.1.1",
		"-a",           "a:x",       "a/b",      "[]",         "10.0.0."
	};
	static const char *const good[] = { "a", "a:1", "a.b.c:65535", "10.1.1.1", "[2001:db8::1]", "[fe80::1%eth9]:3" };
	struct run *run = *state;
	char text[128];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "a %s 10.0.0.1\n", bad[i]);
		run_list(run, text);
		if (run->report.errors != 1 || strncmp(run->findings, "x:1: error: endpoint: \"", 23) != 0)
			fail_msg("%s: %s", bad[i], run->findings);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(text, sizeof text, "a %s 10.0.0.1\n", good[i]);
		assert_findings(run, text, "");
	}
	assert_findings(run, "a\n",
					"x:1: error: endpoint: the column is missing; it is HOST, HOST:PORT, or - behind a NAT\n"
					"x:1: error: address: auto needs the option \"network = 10.9.0.0/24\" or another network\n");
}

static void bad_columns_are_reported(void **state)
{
	assert_findings(
		*state,
		"a a.example.org 10.0.0.1/24\n"
		"b b.example.org 10.0.0.2,10.0.0.3\n"
		"c c.example.org 10.0.0.4 192.168.1.5/24\n"
		"d d.example.org 10.0.0.5 192.168.7.0 a/b\n"
		"e e.example.org 10.0.0.6 - - - -\n"
		"f f.example.org 10.0.0.7 colour=red\n"
		"g g.example.org 10.0.0.8 ssh=-oProxyCommand=x\n"
		"h h.example.org 10.0.0.9 hub=a\n",
		"x:1: error: address: \"10.0.0.1/24\" is not auto or an address such as 10.9.0.1 or fd09::1\n"
		"x:2: error: address: 10.0.0.3 is a second address of the same family; one is allowed\n"
		"x:3: error: networks: \"192.168.1.5/24\" has bits set beyond its length; it means 192.168.1.0/24\n"
		"x:4: error: networks: \"192.168.7.0\" is not a network such as 192.168.1.0/24 or fd00::/64, or - for "
		"none\n"
		"x:4: error: groups: \"a/b\" is not 1 to 63 characters of a-z A-Z 0-9 . _ -, starting with a letter or a "
		"digit, * for all groups, or - for none\n"
		"x:5: error: too many columns; they are name, endpoint, address, networks and groups, and lists are "
		"separated by commas\n"
		"x:6: error: host: \"colour=red\" is not a column or one of ssh=DESTINATION and hub=NAME\n"
		"x:7: error: ssh: \"-oProxyCommand=x\" is not a destination for ssh(1) such as root@host, or - for "
		"none\n"
		"x:8: error: hub: only a spoke of \"topology = two-hubs\" has a choice\n");
}

static void a_key_in_the_wrong_place_is_not_shown(void **state)
{
	assert_findings(*state,
					"topology = UFSxDWZ6*t0uxHYN3e5GjPWnyRwkjLdXeWNWRKeq4ko=\n"
					"a - 10.0.0.1 UFSxDWZ6ct0uxHYN3e5GjPWnyRwkjLdXeWNWRKeq4ko=\n",
					"x:1: error: topology: the text (not shown, because it may be a key) is not full, hub or two-hubs\n"
					"x:2: error: host: the text (not shown, because it may be a key) is not a column or one of "
					"ssh=DESTINATION and hub=NAME\n");
}

static void duplicates_are_reported(void **state)
{
	assert_findings(*state,
					"a a.example.org 10.0.0.1\nb b.example.org 10.0.0.2,fd00::2\na c.example.org 10.0.0.3\n"
					"d A.EXAMPLE.org 10.0.0.4\ne b.example.org:51821 10.0.0.5,fd00::2\nf - 10.0.0.2\n",
					"x:3: error: name: \"a\" is also the host on line 1\n"
					"x:4: error: endpoint: A.EXAMPLE.org port 51820 is also the endpoint of host a on line 1\n"
					"x:5: error: address: fd00::2 is also the address of host b on line 2\n"
					"x:6: error: address: 10.0.0.2 is also the address of host b on line 2\n");
}

static void special_addresses_are_rejected(void **state)
{
	assert_findings(
		*state,
		"a a.example.org 224.0.0.1\nb b.example.org 127.0.0.2\nc c.example.org 0.0.0.0\n"
		"d d.example.org 255.255.255.255\ne e.example.org ff02::1\nf f.example.org ::1\ng g.example.org ::\n",
		"x:1: error: address: 224.0.0.1 is a multicast address, not that of a host\n"
		"x:2: error: address: 127.0.0.2 is a loopback address, not that of a host\n"
		"x:3: error: address: 0.0.0.0 is the unspecified address, not that of a host\n"
		"x:4: error: address: 255.255.255.255 is the broadcast address, not that of a host\n"
		"x:5: error: address: ff02::1 is a multicast address, not that of a host\n"
		"x:6: error: address: ::1 is a loopback address, not that of a host\n"
		"x:7: error: address: :: is the unspecified address, not that of a host\n");
	assert_findings(
		*state, "network = 224.0.0.0/24, ff00::/64\na a.example.org\n",
		"x:1: error: network: 224.0.0.0/24 begins with a multicast address, so hosts cannot have its "
		"addresses\n"
		"x:1: error: network: ff00::/64 begins with a multicast address, so hosts cannot have its addresses\n");
}

static void addresses_must_be_in_the_network(void **state)
{
	assert_findings(*state,
					"network = 10.9.0.0/30, fd09::/64\na a.example.org 10.8.0.1\nb b.example.org 10.9.0.0\n"
					"c c.example.org 10.9.0.3\nd d.example.org fd09::\ne e.example.org fd08::1\n"
					"f f.example.org fd09::ffff:ffff:ffff:ffff\ng 10.9.0.2 auto\n",
					"x:2: error: address: 10.8.0.1 is not in the network 10.9.0.0/30\n"
					"x:3: error: address: 10.9.0.0 is no address for a host in the network 10.9.0.0/30\n"
					"x:4: error: address: 10.9.0.3 is no address for a host in the network 10.9.0.0/30\n"
					"x:5: error: address: fd09:: is no address for a host in the network fd09::/64\n"
					"x:6: error: address: fd08::1 is not in the network fd09::/64\n"
					"x:8: error: endpoint: 10.9.0.2 is in the network 10.9.0.0/30 of the tunnel; it must be an address "
					"that works without the tunnel\n");
	assert_findings(*state, "network = 10.9.0.0/31\na a.example.org 10.9.0.0\nb b.example.org 10.9.0.1\n", "");
}

static void overlapping_networks_are_reported(void **state)
{
	assert_findings(
		*state,
		"network = 10.9.0.0/24\n"
		"a a.example.org auto 192.168.1.0/24\n"
		"b b.example.org auto 192.168.0.0/16\n"
		"c 203.0.113.3 auto 192.168.1.0/24, 10.9.0.128/25\n"
		"d d.example.org auto 10.0.0.0/8, 203.0.113.0/24, 203.0.113.0/24\n"
		"e e.example.org auto 0.0.0.0/0\n",
		"x:3: warning: networks: 192.168.1.0/24 is part of 192.168.0.0/16 of line 3; its packets go to line "
		"2\n"
		"x:5: warning: networks: 203.0.113.0/24 contains the endpoint 203.0.113.3 of host c; the other hosts "
		"need a more specific route to it\n"
		"x:5: warning: networks: 203.0.113.0/24 contains the endpoint 203.0.113.3 of host c; the other hosts "
		"need a more specific route to it\n"
		"x:4: error: networks: 10.9.0.128/25 is part of the network 10.9.0.0/24 of the tunnel\n"
		"x:4: error: networks: 192.168.1.0/24 is also behind host a on line 2\n"
		"x:4: warning: networks: 192.168.1.0/24 is part of 192.168.0.0/16 of line 3; its packets go to line "
		"4\n"
		"x:5: error: networks: 10.0.0.0/8 contains the network 10.9.0.0/24 of the tunnel\n"
		"x:5: error: networks: 203.0.113.0/24 is also behind host d on line 5\n"
		"x:5: warning: networks: 10.9.0.128/25 is part of 10.0.0.0/8 of line 5; its packets go to line 4\n");
}

static void hubs_must_exist_and_have_endpoints(void **state)
{
	struct run *run = *state;

	assert_findings(run, "topology = hub\na a.example.org 10.0.0.1\n",
					"x:1: error: topology: the option \"hub = NAME\" is missing\n");
	assert_findings(run, "topology = hub\nhub = b\na a.example.org 10.0.0.1\n",
					"x:2: error: hub: there is no host \"b\"\n");
	assert_findings(run, "topology = hub\nhub = a\na - 10.0.0.1\n",
					"x:2: error: hub: host \"a\" has no endpoint, so the others cannot reach it\n");
	assert_findings(run, "topology = two-hubs\nhub = a\na a.example.org 10.0.0.1\n",
					"x:1: error: topology: the option \"hub = NAME, NAME\" is missing\n");
	assert_findings(run, "topology = two-hubs\nhub = a, a\na a.example.org 10.0.0.1\n",
					"x:2: error: hub: \"a\" is named twice\n");
	assert_findings(run, "topology = two-hubs\nhub = a, b, c\na a.example.org 10.0.0.1\nb b.example.org 10.0.0.2\n",
					"x:2: error: hub: more than 2 hubs\n");
	assert_findings(run, "hub = a, b\na a.example.org 10.0.0.1\nb b.example.org 10.0.0.2\n",
					"x:1: error: hub: two hubs need \"topology = two-hubs\"\n");
	assert_findings(run,
					"topology = two-hubs\nhub = a, b\na a.example.org 10.0.0.1\nb b.example.org 10.0.0.2\n"
					"c - 10.0.0.3 hub=d\n",
					"x:5: error: hub: \"d\" is not one of the hubs\n");
	assert_findings(run, "topology = two-hubs\nhub = b, a\na a.example.org 10.0.0.1\nb b.example.org 10.0.0.2\n", "");
	assert_int_equal(run->list.hubs[0], 1);
}

static void lists_without_hosts_and_with_one_host(void **state)
{
	struct run *run = *state;

	assert_findings(run, "", "x: error: the list has no hosts; a line such as \"a a.example.org\" adds one\n");
	assert_findings(run, "# nothing\n\n",
					"x: error: the list has no hosts; a line such as \"a a.example.org\" adds one\n");
	assert_findings(run, "a - 10.0.0.1", "");
}

static void strange_bytes_are_reported(void **state)
{
	struct run *run = *state;
	static char text[20000];

	memset(text, 'a', sizeof text - 1);
	run_list(run, text);
	assert_string_equal(run->findings,
						"x:1: error: the line is too long\n"
						"x: error: the list has no hosts; a line such as \"a a.example.org\" adds one\n");
	host_list_destroy(&run->list);
	*run = (struct run) { .report = { .line = append_finding, .context = run } };
	assert_int_equal(host_list_parse(&run->list, "x", "a\0b c\n", 6, &run->report), -EINVAL);
	assert_findings(run, "a\x1b[31m a.example.org 10.0.0.1\n",
					"x:1: error: name: \"a?[31m\" is not 1 to 63 characters of a-z A-Z 0-9 . _ -, starting with a "
					"letter or a digit\n");
}

static void limits_are_reported(void **state)
{
	struct run *run = *state;
	size_t room = 1 << 20, length = 0;
	char *text = malloc(room);

	assert_non_null(text);
	length += (size_t)sprintf(text, "network = 10.0.0.0/8\n");
	for (int i = 0; i < MESH_HOSTS_MAX + 1; i++)
		length += (size_t)sprintf(text + length, "h%d h%d\n", i, i);
	run_list(run, text);
	assert_string_equal(run->findings, "x:2002: error: more than 2000 hosts\n");
	length = (size_t)sprintf(text, "network = 10.0.0.0/8\n");
	for (int i = 0; i < MESH_GROUPS_MAX + 1; i++)
		length += (size_t)sprintf(text + length, "h%d h%d auto - g%d\n", i, i, i);
	run_list(run, text);
	assert_string_equal(run->findings, "x:66: error: groups: \"g64\" is one group too many; the limit is 64\n");
	length = (size_t)sprintf(text, "network = 10.0.0.0/8\n");
	for (int i = 0; i < 300; i++)
		length += (size_t)sprintf(text + length, "/ h%d\n", i);
	run_list(run, text);
	assert_int_equal(run->report.errors, 300);
	assert_non_null(strstr(run->findings, "x: too many findings; only the first 100 are shown\n"));
	free(text);
}

static void a_missing_file_is_reported(void **state)
{
	struct run *run = *state;

	run_list(run, "a - 10.0.0.1");
	host_list_destroy(&run->list);
	assert_int_equal(host_list_load(&run->list, "/nonexistent/list", &run->report), -ENOENT);
	assert_string_equal(run->findings, "/nonexistent/list: error: No such file or directory\n");
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct run));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct run *run = *state;

	host_list_destroy(&run->list);
	free(run);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read_completely),
		cmocka_unit_test(defaults_apply_without_options),
		cmocka_unit_test(bad_options_are_reported),
		cmocka_unit_test(a_small_mtu_is_reported_with_ipv6),
		cmocka_unit_test(names_that_are_no_file_names_are_rejected),
		cmocka_unit_test(bad_endpoints_are_reported),
		cmocka_unit_test(bad_columns_are_reported),
		cmocka_unit_test(a_key_in_the_wrong_place_is_not_shown),
		cmocka_unit_test(duplicates_are_reported),
		cmocka_unit_test(special_addresses_are_rejected),
		cmocka_unit_test(addresses_must_be_in_the_network),
		cmocka_unit_test(overlapping_networks_are_reported),
		cmocka_unit_test(hubs_must_exist_and_have_endpoints),
		cmocka_unit_test(lists_without_hosts_and_with_one_host),
		cmocka_unit_test(strange_bytes_are_reported),
		cmocka_unit_test(limits_are_reported),
		cmocka_unit_test(a_missing_file_is_reported),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
