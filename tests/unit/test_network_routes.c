/* SPDX-License-Identifier: MIT */
/* Tests of the plan, of routes, policy rules and tables. */
#include "network_rig.h"

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

static void a_default_route_needs_a_mark_of_its_own(void **state)
{
	struct table_claim first = { 0 }, second = { 0 };
	struct scene *scene = *state;
	struct network_plan plan;

	configure(scene, "", "0.0.0.0/0");
	scene->config.fwmark = 0x4242;
	assert_int_equal(network_plan(&plan, &no_claim, &first, &scene->config, &scene->reason), 0);
	assert_int_equal(network_plan(&plan, &no_claim, &second, &scene->config, &scene->reason), -EADDRINUSE);
	assert_string_equal(scene->reason.text, "FwMark: another tunnel has a default route with the mark 0x4242");
	assert_int_equal(network_plan(&plan, &first, &second, &scene->config, &scene->reason), 0);
	assert_int_equal(second.table, 0);
	configure(scene, "", "10.9.0.0/16"); /* without a default route the mark may be the same */
	assert_int_equal(network_plan(&plan, &no_claim, &second, &scene->config, &scene->reason), 0);
	configure(scene, "", "0.0.0.0/0");
	scene->config.fwmark = 0; /* the table of the mark is given up with the mark */
	assert_int_equal(network_plan(&plan, &first, &second, &scene->config, &scene->reason), 0);
	assert_true(plan.mark == 51820 && second.table == 51820);
	table_claim_release(&second);
	table_claim_release(&first);
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

/* Another program has put them there, where they apply even before the local table. */
static void rules_of_ours_with_preference_0_are_moved(void **state)
{
	static const char *const rules[] = { "lookup main suppress_prefixlength 0", "lookup 51820" };
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	up(scene);
	assert_rules(rules_v4, rules_v6);
	for (int moved = 1; moved <= 3; moved++) { /* bits: which of the two */
		for (int family = 4; family <= 6; family += 2) {
			for (int i = 0; i < 2; i++) {
				char command[200];

				snprintf(command, sizeof command,
						 "ip -%d rule del not fwmark 51820 %s; ip -%d rule add not fwmark 51820 %s protocol 173 pref 0",
						 family, rules[i], family, rules[i]);
				if (moved & 1 << i)
					assert_shows(command, "");
			}
		}
		up(scene);
		assert_rules(rules_v4, rules_v6);
	}
}

static void rules_never_precede_that_of_the_local_table(void **state)
{
	static const int preferences[] = { 2, 100, 32765 };
	struct scene *scene = *state;

	sandbox_output("ip link set lo up");
	for (size_t i = 0; i < sizeof preferences / sizeof *preferences; i++) {
		char command[128];

		snprintf(command, sizeof command, "ip rule add lookup local pref %d; ip rule del pref 0", preferences[i]);
		sandbox_output("ip rule add from 10.99.0.1 lookup 99 pref 1");
		sandbox_output(command);
		configure(scene, "10.7.0.1/24", "0.0.0.0/0");
		for (int run = 0; run < 2; run++) {
			up(scene);
			assert_shows("ip rule | grep -c 'proto 173'", "2\n");
			assert_shows("ip route get 192.0.2.1 | grep -o dev.lo", "dev lo\n");
			assert_shows("ip route get 198.51.100.1 | grep -o dev.tun0", "dev tun0\n");
			assert_shows("ip route get 192.0.2.2 | grep -o dev.v0", "dev v0\n");
			if (run == 0 && i < 2) /* the rules of the first run become wrong */
				sandbox_output("ip rule del lookup local; ip rule add lookup local pref 32765");
		}
		down(scene);
		sandbox_output("ip rule del lookup local; ip rule add lookup local pref 0; ip rule del pref 1");
		assert_rules(no_rules_v4, no_rules_v6);
	}
}

/* Between the rules for the local and the main table is no room for two more preferences. */
static void a_single_rule_comes_back_where_there_is_no_room(void **state)
{
	struct scene *scene = *state;

	sandbox_output("ip rule add lookup local pref 32765; ip rule del pref 0");
	for (int deleted = 0; deleted < 2; deleted++) {
		configure(scene, "10.7.0.1/24", "0.0.0.0/0");
		up(scene);
		sandbox_output(deleted ? "ip rule del lookup 51820"
							   : "ip rule del lookup main suppress_prefixlength 0 not fwmark 51820");
		assert_shows("ip rule | grep -c 'proto 173'", "1\n");
		up(scene);
		up(scene);
		assert_shows("ip rule | grep 'proto 173'",
					 "32765: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
					 "32765: not from all fwmark 0xca6c lookup 51820 proto 173\n");
		down(scene);
	}
	sandbox_output("ip rule del lookup local; ip rule add lookup local pref 0");
}

static void rules_follow_when_the_main_table_is_looked_up_earlier(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	up(scene);
	sandbox_output("ip rule add lookup main pref 100");
	up(scene);
	assert_shows("ip rule | grep 'proto 173'",
				 "98: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
				 "99: not from all fwmark 0xca6c lookup 51820 proto 173\n");
	down(scene);
	sandbox_output("ip rule del pref 100");
	assert_rules(no_rules_v4, no_rules_v6);
}

/* With preference 1 for the main table, ours get the 0 of the local table's, but behind it. */
static void rules_precede_a_rule_for_the_main_table_with_a_small_preference(void **state)
{
	struct scene *scene = *state;

	for (int preference = 1; preference <= 4; preference++) {
		for (int later = 0; later < 2; later++) {
			char add[64], delete[64];

			snprintf(add, sizeof add, "ip rule add lookup main pref %d", preference);
			snprintf(delete, sizeof delete, "ip rule del lookup main pref %d", preference);
			if (!later)
				sandbox_output(add);
			configure(scene, "10.7.0.1/24", "0.0.0.0/0");
			up(scene);
			if (later) {
				sandbox_output(add);
				up(scene);
			}
			assert_shows("ip rule | grep -c 'proto 173'", "2\n");
			assert_shows("ip rule | head -n 1", "0: from all lookup local\n");
			assert_shows("ip route get 198.51.100.1 | grep -o dev.tun0", "dev tun0\n");
			assert_shows("ip route get 198.51.100.1 mark 51820 | grep -o dev.v0", "dev v0\n");
			down(scene);
			sandbox_output(delete);
			assert_rules(no_rules_v4, no_rules_v6);
		}
	}
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
	sandbox_output("ip route replace 10.8.0.0/16 nexthop dev v0 nexthop via 192.0.2.2");
	assert_int_equal(try_up(scene), -EEXIST);
	assert_string_equal(scene->reason.text, "route 10.8.0.0/16: already there with several next hops");
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
	assert_null(network_open(9999, &(struct network_options) { 0 }));
	assert_int_equal(errno, ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(a_default_route_is_set_up_as_by_wg_quick),
		network_test(a_default_route_of_one_family_does_not_affect_the_other),
		network_test(the_plan_contains_mark_and_table),
		network_test(the_plan_skips_tables_in_use),
		network_test(two_tunnels_that_start_at_once_choose_different_tables),
		network_test(a_default_route_needs_a_mark_of_its_own),
		network_test(all_routes_go_to_the_configured_table),
		network_test(table_off_adds_no_route),
		network_test(redundant_routes_are_not_added),
		network_test(rules_never_have_preference_0),
		network_test(rules_of_ours_with_preference_0_are_moved),
		network_test(rules_never_precede_that_of_the_local_table),
		network_test(a_single_rule_comes_back_where_there_is_no_room),
		network_test(rules_follow_when_the_main_table_is_looked_up_earlier),
		network_test(rules_precede_a_rule_for_the_main_table_with_a_small_preference),
		network_test(errors_name_the_owner),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
