/* SPDX-License-Identifier: MIT */
/* Tests of changes to the network of a running tunnel. */
#include "network_rig.h"

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

static void an_address_that_a_reload_removes_is_no_conflict(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "10.9.0.0/16");
	up(scene);
	configure(scene, "10.7.0.2/24", "10.9.0.0/16");
	assert_string_equal(capture_log(up, scene), "");
	assert_shows("ip -o -4 address show dev tun0 | grep -o '10.7.0.[0-9]/24'", "10.7.0.2/24\n");
}

/* A reload that is refused leaves routes, rules and addresses as they were. */
static void a_refused_reload_changes_nothing(void **state)
{
	static const char state_of_network[] = /* the kernel adds the route of an IPv6 address later, in a work queue */
		"until ip -6 route show table local | grep -q fd07::1; do sleep 0.01; done;"
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

/* The order in which the kernel lists the addresses of a new interface, added in this order. */
static char *order_of_a_start(const char *list)
{
	char command[1024];

	snprintf(command, sizeof command,
			 "ip link add w0 type veth peer name w1; ip link set w0 addrgenmode none up; for address in %s;"
			 "do ip address add $address dev w0 $(case $address in *:*) echo nodad; esac); done;"
			 "ip -o address show dev w0 | grep -o 'inet6* [^ ]*'; ip link del w0",
			 list);
	return strdup(sandbox_output(command));
}

/* The kernel sends from the first IPv4 address and the latest IPv6 address. */
static void addresses_have_the_order_of_a_start(void **state)
{
	static const char *const pool[] = { "10.7.0.1/24", "10.7.0.2/24", "10.7.0.3/24", "10.8.0.1/24", "10.8.0.2/24",
										"10.9.0.1/32", "fd07::1/64",  "fd07::2/64",  "fe80::7/64",  "fec0::1/64" };
	enum { POOL = sizeof pool / sizeof *pool, ROUNDS = 40 };
	struct scene *scene = *state;

	srand(20261126);
	for (int round = 0; round < ROUNDS; round++) {
		char list[256] = "", command[64];
		bool chosen[POOL] = { false };
		char *expected;

		for (int i = 0; i < 6; i++) {
			int which = rand() % POOL;

			if (!chosen[which])
				snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? " " : "", pool[which]);
			chosen[which] = true;
		}
		expected = order_of_a_start(list);
		configure(scene, list, "0.0.0.0/0 ::/0 198.51.100.0/24");
		up(scene);
		for (int deleted = 0; deleted < 3; deleted++) {
			assert_shows("ip -o address show dev tun0 | grep -o 'inet6* [^ ]*'", expected);
			assert_shows("ip route show 198.51.100.0/24 | grep -o dev.tun0", "dev tun0\n");
			snprintf(command, sizeof command, "ip address del %s dev tun0 2>&1 | sed d", pool[rand() % POOL]);
			sandbox_output(command);
			up(scene);
		}
		free(expected);
	}
}

static void note_change(void *context, const char *text, const char *verb)
{
	char *all = context;

	sprintf(all + strlen(all), "%s %s\n", text, verb);
}

static void a_change_of_the_order_of_addresses_is_reported(void **state)
{
	static const char *const lists[][2] = {
		{ "10.7.0.2/24 10.7.0.1/24", "address 10.7.0.1/24 set\naddress 10.7.0.2/24 set\n" },
		{ "10.7.0.3/24 10.7.0.2/24 10.7.0.1/24", "address 10.7.0.3/24 added\n" },
		{ "10.7.0.3/24 10.7.0.2/24 10.7.0.1/24", "" },
	};
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 10.7.0.2/24", "10.9.0.0/16");
	up(scene);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct table_claim claim = { 0 };
		char changes[512] = "";

		configure(scene, lists[i][0], "10.9.0.0/16");
		assert_int_equal(network_prepare(scene->network, &scene->plan, &claim, &scene->config, NULL, 0, &scene->reason),
						 0);
		network_changes(scene->network, note_change, changes);
		assert_string_equal(changes, lists[i][1]);
		network_commit(scene->network);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(a_reload_adds_the_routes_of_a_start),
		network_test(an_address_that_a_reload_removes_is_no_conflict),
		network_test(a_refused_reload_changes_nothing),
		network_test(a_change_of_the_only_address_keeps_the_routes),
		network_test(a_reload_changes_only_the_difference),
		network_test(a_reload_adds_moves_and_removes_a_default_route),
		network_test(addresses_have_the_order_of_a_start),
		network_test(a_change_of_the_order_of_addresses_is_reported),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
