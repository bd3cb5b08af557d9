/* SPDX-License-Identifier: MIT */
/*
 * Tests of the network of a tunnel in a network namespace:
 *
 *     v1 --- v0 (192.0.2.1/24, MTU 1452, default route via 192.0.2.2)      tun0
 *
 * The expected rules, routes and firewall are those of wg-quick(8) of wireguard-tools 1.0.20210914 for the same
 * configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "network/network.h"
#include "sandbox.h"

static const char rules_v4[] = "0: from all lookup local\n"
							   "32764: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
							   "32765: not from all fwmark 0xca6c lookup 51820 proto 173\n"
							   "32766: from all lookup main\n"
							   "32767: from all lookup default\n";
static const char rules_v6[] = "0: from all lookup local\n"
							   "32764: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
							   "32765: not from all fwmark 0xca6c lookup 51820 proto 173\n"
							   "32766: from all lookup main\n";
static const char no_rules_v4[] = "0: from all lookup local\n"
								  "32766: from all lookup main\n"
								  "32767: from all lookup default\n";
static const char no_rules_v6[] = "0: from all lookup local\n"
								  "32766: from all lookup main\n";
static const char table_v4[] = "table ip adit-tun0 {\n"
							   "chain preraw {\n"
							   "type filter hook prerouting priority raw; policy accept;\n"
							   "iif != \"tun0\" ip daddr 10.8.0.1 fib saddr type != local drop\n"
							   "iif != \"tun0\" ip daddr 10.7.0.1 fib saddr type != local drop\n"
							   "}\n\n"
							   "chain premangle {\n"
							   "type filter hook prerouting priority mangle; policy accept;\n"
							   "meta l4proto { tcp, udp } ct mark 0x0000ca6c meta mark set ct mark\n"
							   "}\n\n"
							   "chain postmangle {\n"
							   "type filter hook postrouting priority mangle; policy accept;\n"
							   "meta l4proto { tcp, udp } meta mark 0x0000ca6c ct mark set meta mark\n"
							   "}\n"
							   "}\n";
static const char table_v6[] = "table ip6 adit-tun0 {\n"
							   "chain preraw {\n"
							   "type filter hook prerouting priority raw; policy accept;\n"
							   "iif != \"tun0\" ip6 daddr fd07::1 fib saddr type != local drop\n"
							   "}\n\n"
							   "chain premangle {\n"
							   "type filter hook prerouting priority mangle; policy accept;\n"
							   "meta l4proto { tcp, udp } ct mark 0x0000ca6c meta mark set ct mark\n"
							   "}\n\n"
							   "chain postmangle {\n"
							   "type filter hook postrouting priority mangle; policy accept;\n"
							   "meta l4proto { tcp, udp } meta mark 0x0000ca6c ct mark set meta mark\n"
							   "}\n"
							   "}\n";

static const char show_mtu[] = "ip link show tun0 | grep -o 'mtu [0-9]*'";
static char path[4096]; /* the original PATH */

/* A configuration with one peer, and the network that it results in. */
struct scene {
	struct config config;
	struct config_peer peer;
	struct network *network;
	struct network_plan plan;
	int tun;
	struct reason reason;
};

static const struct table_claim no_claim;

static void add_prefix(struct config_prefix **list, const char *text)
{
	struct config_prefix *prefix = calloc(1, sizeof *prefix);

	assert_non_null(prefix);
	assert_true(prefix_from_text(&prefix->prefix, text));
	while (*list)
		list = &(*list)->next;
	*list = prefix;
}

static void free_prefixes(struct config_prefix **list)
{
	while (*list) {
		struct config_prefix *prefix = *list;

		*list = prefix->next;
		free(prefix);
	}
}

/* Replaces the list with the prefixes in `text`, which are separated by spaces. */
static void set_prefixes(struct config_prefix **list, const char *text)
{
	char copy[256], *rest = copy;

	free_prefixes(list);
	strcpy(copy, text);
	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
		if (*word)
			add_prefix(list, word);
}

static void down(struct scene *scene)
{
	network_close(scene->network);
	scene->network = NULL;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	scene->config.peers = &scene->peer;
	scene->config.peer_count = 1;
	scene->tun = sandbox_tun("tun0");
	sandbox_output("ip link add v0 type veth peer name v1; ip link set v0 mtu 1452 up; ip link set v1 up;"
				   "ip address add 192.0.2.1/24 dev v0; ip route add default via 192.0.2.2");
	*state = scene;
	return scene->tun >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	down(scene);
	close(scene->tun);
	free_prefixes(&scene->config.addresses);
	free_prefixes(&scene->peer.allowed_ips);
	free(scene);
	sandbox_output("ip link del v0; nft flush ruleset");
	return 0;
}

static void configure(struct scene *scene, const char *addresses, const char *allowed_ips)
{
	set_prefixes(&scene->config.addresses, addresses);
	set_prefixes(&scene->peer.allowed_ips, allowed_ips);
}

static int plan(struct scene *scene, struct network_plan *plan, struct table_claim *claim)
{
	const struct table_claim *current = scene->network ? network_claim(scene->network) : &no_claim;

	return network_plan(plan, current, claim, &scene->config, &scene->reason);
}

static int try_up_with(struct scene *scene, const char *interface, const struct endpoint *endpoints, size_t count)
{
	struct table_claim claim = { 0 };
	int status = plan(scene, &scene->plan, &claim);

	if (status < 0)
		return status;
	if (!scene->network)
		scene->network = network_open(if_nametoindex(interface));
	assert_non_null(scene->network);
	status = network_prepare(scene->network, &scene->plan, &claim, &scene->config, endpoints, count, &scene->reason);
	if (status == 0)
		network_commit(scene->network);
	return status;
}

static int try_up(struct scene *scene)
{
	return try_up_with(scene, "tun0", NULL, 0);
}

static void up(struct scene *scene)
{
	if (try_up(scene) != 0)
		fail_msg("%s", scene->reason.text);
}

#define assert_shows(command, expected) assert_string_equal(sandbox_output(command), expected)

static void assert_rules(const char *v4, const char *v6)
{
	assert_shows("ip rule", v4);
	assert_shows("ip -6 rule", v6);
}

static void assert_firewall(const char *v4, const char *v6)
{
	if (*v4)
		assert_shows("nft list table ip adit-tun0 | sed 's/ comment .*//'", v4);
	if (*v6)
		assert_shows("nft list table ip6 adit-tun0 | sed 's/ comment .*//'", v6);
	assert_int_equal(strtol(sandbox_output("nft list tables | wc -l"), NULL, 10), !!*v4 + !!*v6);
}

static void a_default_route_is_set_up_as_by_wg_quick(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64 10.8.0.1", "0.0.0.0/0 ::/0 10.7.0.0/24 10.9.0.0/16 fd09::/48");
	up(scene);
	assert_int_equal(scene->plan.mark, 51820);
	assert_shows(
		"ip -o address show dev tun0 scope global | cut -d ' ' -f 2- | cut -d '\\' -f 1 | sed 's/ tentative//; "
		"s/ proto 0xad//'", /* newer versions of ip(8) show it */
		"tun0 inet 10.7.0.1/24 scope global tun0\n"
		"tun0 inet 10.8.0.1/32 scope global tun0\n"
		"tun0 inet6 fd07::1/64 scope global\n");
	assert_shows("ip route show table all | grep tun0 | grep -v 'table local'",
				 "default dev tun0 table 51820 proto 173 scope link\n"
				 "10.7.0.0/24 dev tun0 proto kernel scope link src 10.7.0.1\n"
				 "10.9.0.0/16 dev tun0 proto 173 scope link\n"
				 "default dev tun0 table 51820 proto 173 metric 1024 pref medium\n"
				 "fd07::/64 dev tun0 proto kernel metric 256 pref medium\n"
				 "fd09::/48 dev tun0 proto 173 metric 1024 pref medium\n");
	assert_rules(rules_v4, rules_v6);
	assert_firewall(table_v4, table_v6);
	assert_shows("cat /proc/sys/net/ipv4/conf/all/src_valid_mark", "1\n");
	assert_shows(show_mtu, "mtu 1372\n"); /* 1452 of the default route's device, less 80 */
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
}

static void a_default_route_of_one_family_does_not_affect_the_other(void **state)
{
	struct scene *scene = *state;

	sandbox_output("echo 0 > /proc/sys/net/ipv4/conf/all/src_valid_mark");
	configure(scene, "10.7.0.1/24 fd07::1/64", "::/0");
	up(scene);
	assert_rules(no_rules_v4, rules_v6);
	assert_firewall("", table_v6);
	assert_shows("cat /proc/sys/net/ipv4/conf/all/src_valid_mark", "0\n");
}

/* Plans as a new daemon would, and releases the claim. */
static int plan_once(struct scene *scene, struct network_plan *result)
{
	struct table_claim claim = { 0 };
	int status = network_plan(result, &no_claim, &claim, &scene->config, &scene->reason);

	table_claim_release(&claim);
	return status;
}

static void the_plan_contains_mark_and_table(void **state)
{
	struct scene *scene = *state;
	struct network_plan plan;

	configure(scene, "", "10.9.0.0/16");
	scene->config.fwmark = 77;
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_true(plan.mark == 77 && plan.table == 0 && !plan.full_v4 && !plan.full_v6);
	configure(scene, "", "0.0.0.0/0");
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_true(plan.mark == 77 && plan.table == 77 && plan.full_v4 && !plan.full_v6);
	scene->config.table = TABLE_NUMBER;
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_true(plan.mark == 77 && plan.table == 0 && !plan.full_v4);
	scene->config.table = TABLE_OFF;
	scene->config.fwmark = 0;
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_true(plan.mark == 0 && plan.table == 0 && !plan.full_v4);
}

/* A table is in use if either family has a route in it. */
static void the_plan_skips_tables_in_use(void **state)
{
	struct scene *scene = *state;
	struct network_plan plan;

	configure(scene, "", "::/0");
	sandbox_output("ip route add blackhole 10.99.0.0/16 table 51820; ip -6 route add fd99::/16 dev v0 table 51821");
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_true(plan.mark == 51822 && plan.table == 51822 && !plan.full_v4 && plan.full_v6);
	sandbox_output("ip route flush table 51820");
	assert_int_equal(plan_once(scene, &plan), 0);
	assert_int_equal(plan.table, 51820);
}

/* The first tunnel has claimed its table, although the table is still empty. */
static void two_tunnels_that_start_at_once_choose_different_tables(void **state)
{
	struct table_claim first = { 0 }, second = { 0 };
	struct scene *scene = *state;
	struct network_plan one, two;

	configure(scene, "", "0.0.0.0/0");
	assert_int_equal(network_plan(&one, &no_claim, &first, &scene->config, &scene->reason), 0);
	assert_int_equal(network_plan(&two, &no_claim, &second, &scene->config, &scene->reason), 0);
	assert_int_equal(one.table, 51820);
	assert_int_equal(two.table, 51821);
	table_claim_release(&first);
	table_claim_release(&second);
}

static void all_routes_go_to_the_configured_table(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0 10.7.0.0/24 10.9.0.5/16");
	scene->config.table = TABLE_NUMBER;
	scene->config.table_number = 1000;
	up(scene);
	assert_shows("ip route show table 1000", "default dev tun0 proto 173 scope link\n"
											 "10.7.0.0/24 dev tun0 proto 173 scope link\n"
											 "10.9.0.0/16 dev tun0 proto 173 scope link\n");
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
}

static void table_off_adds_no_route(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0 10.9.0.0/16");
	scene->config.table = TABLE_OFF;
	up(scene);
	assert_shows("ip route show dev tun0", "10.7.0.0/24 proto kernel scope link src 10.7.0.1\n");
	assert_rules(no_rules_v4, no_rules_v6);
}

/* A route within the network of an address is redundant. One within our own shorter route is not: it is added first. */
static void redundant_routes_are_not_added(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/16", "10.7.3.0/24 10.9.0.0/16 10.9.1.0/24 10.9.1.0/24 10.0.0.0/8");
	up(scene);
	assert_shows("ip route show dev tun0", "10.0.0.0/8 proto 173 scope link\n"
										   "10.7.0.0/16 proto kernel scope link src 10.7.0.1\n"
										   "10.9.0.0/16 proto 173 scope link\n"
										   "10.9.1.0/24 proto 173 scope link\n");
}

/* A reload makes the same routes as a start. An existing route that is not ours stays unchanged. */
static void a_reload_adds_the_routes_of_a_start(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/16", "10.9.0.0/16");
	up(scene);
	sandbox_output("ip route add 10.11.0.0/16 dev tun0");
	configure(scene, "10.7.0.1/16", "10.9.0.0/16 10.9.1.0/24 10.7.3.0/24 10.10.0.0/16 10.11.0.0/16");
	up(scene);
	assert_shows("ip route show dev tun0", "10.7.0.0/16 proto kernel scope link src 10.7.0.1\n"
										   "10.9.0.0/16 proto 173 scope link\n"
										   "10.9.1.0/24 proto 173 scope link\n"
										   "10.10.0.0/16 proto 173 scope link\n"
										   "10.11.0.0/16 scope link\n");
}

static void set_endpoint(struct endpoint *endpoint, const char *host)
{
	assert_int_equal(endpoint_numeric(host, "51820", endpoint), 0);
}

static void assert_mtu(struct scene *scene, const struct endpoint *endpoints, size_t count, const char *expected)
{
	down(scene);
	assert_int_equal(try_up_with(scene, "tun0", endpoints, count), 0);
	assert_shows(show_mtu, expected);
}

static void the_mtu_is_derived_from_the_smallest_route_mtu(void **state)
{
	struct scene *scene = *state;
	struct endpoint endpoints[4] = { 0 };

	configure(scene, "10.7.0.1/24", "");
	sandbox_output(
		"ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1400; ip route add 203.0.113.0/24 via 192.0.2.2 mtu 1450;"
		"ip link set lo up");
	set_endpoint(&endpoints[0], "203.0.113.1");
	set_endpoint(&endpoints[1], "198.51.100.1");
	set_endpoint(&endpoints[2], "2001:db8::1"); /* no route, so ignored; endpoints[3] is unknown */
	assert_mtu(scene, endpoints, 4, "mtu 1320\n");
	assert_mtu(scene, endpoints, 1, "mtu 1370\n");
	assert_mtu(scene, endpoints + 2, 2, "mtu 1372\n"); /* of the default route */
	set_endpoint(&endpoints[0], "127.0.0.1");
	assert_mtu(scene, endpoints, 1, "mtu 1372\n"); /* a relay on the loopback is ignored */
	set_endpoint(&endpoints[0], "fe80::1%v0");
	assert_mtu(scene, endpoints, 1, "mtu 1372\n");
	sandbox_output("ip route del default");
	assert_mtu(scene, NULL, 0, "mtu 1420\n");
	sandbox_output("ip route add 198.51.100.7 via 192.0.2.2 mtu 100");
	set_endpoint(&endpoints[0], "198.51.100.7");
	assert_mtu(scene, endpoints, 1, "mtu 68\n");
	scene->config.mtu = 1281;
	assert_mtu(scene, endpoints, 1, "mtu 1281\n");
	scene->config.mtu = 0;
	up(scene);
	assert_shows(show_mtu, "mtu 1281\n"); /* a reload does not derive it again, because the routes may be ours */
}

static void an_address_that_is_there_already_is_kept_and_is_not_ours(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.2/24 10.7.0.1/24", "");
	sandbox_output("ip address add 10.7.0.1/24 dev tun0");
	up(scene);
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24 10.7.0.2/24\n");
	down(scene);
	assert_shows("ip -br address show tun0", "tun0 DOWN 10.7.0.1/24\n");
}

static void errors_name_the_owner(void **state)
{
	struct scene *scene = *state;

	sandbox_output("ip route add 10.9.0.0/16 dev v0");
	configure(scene, "10.7.0.1/24", "10.9.0.0/16");
	assert_int_equal(try_up(scene), -EEXIST);
	assert_string_equal(scene->reason.text, "route 10.9.0.0/16: already on dev v0");
	sandbox_output("ip route add blackhole 10.8.0.0/16");
	configure(scene, "10.7.0.1/24", "10.9.0.0/16 10.8.0.0/16 10.6.0.0/16");
	assert_int_equal(try_up(scene), -EEXIST);
	assert_string_equal(scene->reason.text,
						"route 10.8.0.0/16: already there without a device (blackhole or the like)");
	down(scene);
	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	scene->config.fwmark = 88;
	sandbox_output("ip route add default dev v0 table 88");
	assert_int_equal(try_up(scene), -EEXIST);
	assert_string_equal(scene->reason.text, "route 0.0.0.0/0 table 88: already on dev v0");
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	scene->config.mtu = 67;
	assert_int_equal(try_up(scene), -EINVAL);
	assert_string_equal(scene->reason.text, "link MTU 67: Invalid argument");
	assert_null(network_open(9999));
	assert_int_equal(errno, ENODEV);
}

/* A reload that is refused leaves routes, rules and addresses as they were. */
static void a_refused_reload_changes_nothing(void **state)
{
	static const char state_of_network[] =
		"ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip -br address; nft list ruleset";
	struct scene *scene = *state;
	char *before;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 10.9.0.0/16");
	up(scene);
	before = strdup(sandbox_output(state_of_network));
	sandbox_output("ip route add 10.10.0.0/16 dev v0");
	configure(scene, "10.6.0.1/24 fd07::1/48", "::/0 10.11.0.0/16 10.10.0.0/16 fd09::/64");
	scene->config.mtu = 1500;
	assert_int_equal(try_up(scene), -EEXIST);
	sandbox_output("ip route del 10.10.0.0/16 dev v0");
	assert_shows(state_of_network, before);
	free(before);
}

/* The addresses and their prefix lengths change, and the routes stay. */
static void a_change_of_the_only_address_keeps_the_routes(void **state)
{
	static const char *const changed[] = { "10.7.0.2/24 fd07::2/64", "10.7.0.2/16 fd07::2/48",
										   "10.8.0.1/32 fd08::1/128", "10.7.0.1/24 fd07::1/64" };
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 10.9.0.0/16 fd09::/48");
	up(scene);
	for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
		configure(scene, changed[i], "0.0.0.0/0 ::/0 10.9.0.0/16 fd09::/48");
		up(scene);
		assert_shows("ip route show proto 173", "10.9.0.0/16 dev tun0 scope link\n");
		assert_shows("ip route show table 51820", "default dev tun0 proto 173 scope link\n");
		assert_shows("ip -6 route show proto 173", "fd09::/48 dev tun0 metric 1024 pref medium\n");
		assert_shows("ip -o address show dev tun0 | wc -l", "2\n");
	}
}

static void the_mtu_and_ipv6(void **state)
{
	struct scene *scene = *state;

	sandbox_output("ip link set v0 mtu 1300");
	configure(scene, "10.7.0.1/24 fd07::1/64", "10.9.0.0/16 fd09::/48");
	up(scene);
	assert_shows(show_mtu, "mtu 1280\n");
	scene->config.mtu = 1200;
	up(scene);
	assert_shows(show_mtu, "mtu 1200\n");
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24\n");
	scene->config.mtu = 1420;
	up(scene);
	assert_shows(show_mtu, "mtu 1420\n");
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24 fd07::1/64\n");
	assert_shows("ip -6 route show dev tun0 proto 173", "fd09::/48 metric 1024 pref medium\n");
	assert_shows("cat /proc/sys/net/ipv6/conf/tun0/accept_ra", "0\n");
}

/* A rule of the host with preference 1 does not push ours to 0, and ours are deleted at the end. */
static void rules_never_have_preference_0(void **state)
{
	struct scene *scene = *state;

	for (int preference = 1; preference < 4; preference++) {
		char command[64];

		snprintf(command, sizeof command, "ip rule add from 10.99.0.1 lookup 99 pref %d", preference);
		sandbox_output(command);
		configure(scene, "10.7.0.1/24", "0.0.0.0/0");
		up(scene);
		assert_shows("ip rule | grep -c 'proto 173'", "2\n");
		assert_shows("ip rule show pref 0", "0: from all lookup local\n");
		up(scene);
		assert_shows("ip rule | grep -c 'proto 173'", "2\n");
		down(scene);
		assert_shows("ip rule | grep 'proto 173'", "exit 256");
		snprintf(command, sizeof command, "ip rule del pref %d", preference);
		sandbox_output(command);
	}
}

/* The kernel creates no link-local address, and accepts no Router Advertisement from a peer. */
static void the_interface_behaves_like_the_kernels(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "10.9.0.0/16");
	up(scene);
	assert_shows("ip -6 address show dev tun0 scope link", "");
	assert_shows("ip -d link show tun0 | grep -o MULTICAST", "exit 256");
	assert_shows("cat /proc/sys/net/ipv6/conf/tun0/accept_ra /proc/sys/net/ipv6/conf/tun0/addr_gen_mode "
				 "/proc/sys/net/ipv4/conf/tun0/send_redirects /proc/sys/net/ipv4/conf/all/send_redirects",
				 "0\n1\n0\n0\n");
}

static void a_host_without_ipv6_has_one_warning(void **state)
{
	struct scene *scene = *state;

	sandbox_output("echo 1 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6");
	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 fd09::/48");
	up(scene);
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24\n");
	assert_rules(rules_v4, no_rules_v6);
}

static void down_removes_everything_from_a_persistent_device(void **state)
{
	struct scene *scene = *state;

	assert_shows("ip tuntap add dev tun9 mode tun", "");
	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 10.9.0.0/16 fd09::/48");
	assert_int_equal(try_up_with(scene, "tun9", NULL, 0), 0);
	assert_rules(rules_v4, rules_v6);
	assert_int_not_equal(strlen(sandbox_output("ip route show table all | grep tun9")), 0);
	down(scene);
	assert_null(strstr(sandbox_output("ip route show table all"), "tun9"));
	assert_null(strstr(sandbox_output("ip -6 route show table all"), "tun9"));
	assert_shows("ip -br address show tun9", "tun9 DOWN\n");
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
	assert_shows("ip link del tun9", "");
}

static void down_works_after_the_device_was_deleted(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	up(scene);
	close(scene->tun);
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
	down(scene); /* nothing to remove */
	scene->tun = sandbox_tun("tun0");
}

/*
 * When a daemon dies, the kernel deletes the device but not the rules and the firewall. The next one may have another
 * mark.
 */
static void leftovers_of_a_dead_daemon_are_removed(void **state)
{
	static const char shown[] = "not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
								"not from all fwmark 0xca6c lookup 51820 proto 173\n";
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 10.8.0.1 fd07::1/64", "0.0.0.0/0 ::/0");
	scene->config.fwmark = 99;
	if (fork() == 0) {
		up(scene);
		_exit(0);
	}
	wait(NULL);
	assert_shows("ip rule | grep -c 'proto 173'", "2\n");
	close(scene->tun);
	scene->tun = sandbox_tun("tun0");
	scene->config.fwmark = 0;
	up(scene);
	assert_shows("ip rule | grep 'proto 173' | cut -d: -f2", shown);
	assert_shows("ip -6 rule | grep 'proto 173' | cut -d: -f2", shown);
	assert_firewall(table_v4, table_v6);
}

static void a_reload_changes_only_the_difference(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 10.6.0.1/24", "10.9.0.0/16 10.7.0.0/24");
	up(scene);
	configure(scene, "10.6.0.1/24 10.5.0.1/24", "10.9.1.0/24 10.7.0.0/24 10.9.0.0/16");
	up(scene);
	assert_shows("ip -br -4 address show tun0", "tun0 UNKNOWN 10.6.0.1/24 10.5.0.1/24\n");
	/* 10.7.0.0/24 belonged to the address and is our route now */
	assert_shows("ip route show dev tun0", "10.5.0.0/24 proto kernel scope link src 10.5.0.1\n"
										   "10.6.0.0/24 proto kernel scope link src 10.6.0.1\n"
										   "10.7.0.0/24 proto 173 scope link\n"
										   "10.9.0.0/16 proto 173 scope link\n"
										   "10.9.1.0/24 proto 173 scope link\n");
	configure(scene, "10.6.0.1/24", "10.9.1.0/24");
	up(scene);
	assert_shows("ip route show dev tun0", "10.6.0.0/24 proto kernel scope link src 10.6.0.1\n"
										   "10.9.1.0/24 proto 173 scope link\n");
}

static void a_reload_adds_moves_and_removes_a_default_route(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 10.8.0.1 fd07::1/64", "10.9.0.0/16");
	up(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	configure(scene, "10.7.0.1/24 10.8.0.1 fd07::1/64", "10.9.0.0/16 0.0.0.0/0 ::/0");
	up(scene);
	up(scene); /* the table is ours, so it is not skipped */
	assert_int_equal(scene->plan.table, 51820);
	assert_rules(rules_v4, rules_v6);
	assert_firewall(table_v4, table_v6);
	configure(scene, "10.7.0.1/24 10.8.0.1", "10.9.0.0/16 0.0.0.0/0");
	up(scene);
	assert_rules(rules_v4, no_rules_v6);
	assert_firewall(table_v4, "");
	scene->config.fwmark = 7;
	up(scene);
	assert_shows("ip rule show table 7", "32763: not from all fwmark 0x7 lookup 7 proto 173\n");
	assert_shows("ip rule show table 51820", "");
	assert_shows("ip route show table 51820", "");
	configure(scene, "10.7.0.1/24 10.8.0.1", "10.9.0.0/16");
	up(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
	assert_shows("ip route show table 7", "");
}

/* Returns what `act` writes to standard error. */
static const char *capture_log(void (*act)(struct scene *scene), struct scene *scene)
{
	static char text[4096];
	int file = memfd_create("log", MFD_CLOEXEC), stderr_before = dup(STDERR_FILENO);
	ssize_t length;

	assert_true(file >= 0 && stderr_before >= 0);
	dup2(file, STDERR_FILENO);
	act(scene);
	dup2(stderr_before, STDERR_FILENO);
	length = pread(file, text, sizeof text - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(file);
	close(stderr_before);
	return text;
}

static void up_and_down_without_nft(struct scene *scene)
{
	setenv("PATH", "/nonexistent", 1);
	up(scene);
	up(scene);
	down(scene);
	setenv("PATH", path, 1);
}

static void a_missing_nft_is_logged_once(void **state)
{
	struct scene *scene = *state;
	const char *log, *warning;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	log = capture_log(up_and_down_without_nft, scene);
	warning = strstr(log, "nft");
	assert_non_null(warning);
	assert_null(strstr(warning + 1, "nft"));
	assert_rules(no_rules_v4, no_rules_v6);
}

/* The reason contains nft's own message. It is an error only where the reverse path filter is strict. */
static void a_failing_nft_matters_to_a_strict_reverse_path_filter(void **state)
{
	struct scene *scene = *state;
	char folder[] = "/tmp/adit-test-XXXXXX", command[64];

	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command, "%s/nft", folder);
	assert_int_equal(symlink("/bin/ls", command), 0);
	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	sandbox_output("echo 1 > /proc/sys/net/ipv4/conf/v0/rp_filter");
	setenv("PATH", folder, 1);
	assert_int_equal(try_up(scene), -EIO);
	down(scene);
	setenv("PATH", path, 1);
	assert_non_null(strstr(scene->reason.text, "firewall: nft: "));
	assert_non_null(strstr(scene->reason.text, "No such file or directory"));
	assert_rules(no_rules_v4, no_rules_v6);
	assert_shows("ip -br address show tun0", "tun0 DOWN\n");
	sandbox_output("echo 0 > /proc/sys/net/ipv4/conf/v0/rp_filter");
	setenv("PATH", folder, 1);
	up(scene);
	setenv("PATH", path, 1);
	assert_rules(rules_v4, no_rules_v6);
	unlink(command);
	rmdir(folder);
}

/* The name appears in a quoted string and in the name of the table. Names that are special in either are rejected. */
static void unusual_interface_names_are_escaped_for_nft(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	assert_shows("ip link set tun0 name a=b+c-d.e_f", "");
	assert_int_equal(try_up_with(scene, "a=b+c-d.e_f", NULL, 0), 0);
	assert_non_null(strstr(sandbox_output("nft list ruleset"), "table ip adit-a/3db/2bc-d.e_f {"));
	assert_non_null(strstr(sandbox_output("nft list ruleset"), "iif != \"a=b+c-d.e_f\" ip daddr 10.7.0.1 "));
	down(scene);
	assert_firewall("", "");
}

#define network_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(a_default_route_is_set_up_as_by_wg_quick),
		network_test(a_default_route_of_one_family_does_not_affect_the_other),
		network_test(the_plan_contains_mark_and_table),
		network_test(the_plan_skips_tables_in_use),
		network_test(two_tunnels_that_start_at_once_choose_different_tables),
		network_test(all_routes_go_to_the_configured_table),
		network_test(table_off_adds_no_route),
		network_test(redundant_routes_are_not_added),
		network_test(a_reload_adds_the_routes_of_a_start),
		network_test(the_mtu_is_derived_from_the_smallest_route_mtu),
		network_test(an_address_that_is_there_already_is_kept_and_is_not_ours),
		network_test(errors_name_the_owner),
		network_test(a_refused_reload_changes_nothing),
		network_test(a_change_of_the_only_address_keeps_the_routes),
		network_test(the_mtu_and_ipv6),
		network_test(rules_never_have_preference_0),
		network_test(the_interface_behaves_like_the_kernels),
		network_test(a_host_without_ipv6_has_one_warning),
		network_test(down_removes_everything_from_a_persistent_device),
		network_test(down_works_after_the_device_was_deleted),
		network_test(leftovers_of_a_dead_daemon_are_removed),
		network_test(a_reload_changes_only_the_difference),
		network_test(a_reload_adds_moves_and_removes_a_default_route),
		network_test(a_missing_nft_is_logged_once),
		network_test(a_failing_nft_matters_to_a_strict_reverse_path_filter),
		network_test(unusual_interface_names_are_escaped_for_nft),
	};

	sandbox_need_tun();
	sandbox_enter();
	snprintf(path, sizeof path, "%s", getenv("PATH"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
