/* SPDX-License-Identifier: MIT */
/* Tests of the end of a tunnel, and of the leftovers of a daemon that was killed. */
#include "network_rig.h"

#include <sys/wait.h>

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

/* Starts a daemon with the configuration of the scene, and kills it. Its interface goes with it. */
static void die(struct scene *scene)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		_exit(try_up(scene) ? EXIT_FAILURE : EXIT_SUCCESS);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(scene->tun);
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
	die(scene);
	assert_shows("ip rule | grep -c 'proto 173'", "2\n");
	scene->config.fwmark = 0;
	up(scene);
	assert_shows("ip rule | grep 'proto 173' | cut -d: -f2", shown);
	assert_shows("ip -6 rule | grep 'proto 173' | cut -d: -f2", shown);
	assert_firewall(table_v4, table_v6);
}

static void another_tunnel_does_not_remove_what_fails_closed(void **state)
{
	static const char *const allowed_ips[] = { "10.9.0.0/16", "0.0.0.0/0 ::/0" };
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	scene->config.fail_closed = true;
	die(scene);
	assert_rules(rules_v4, rules_v6);
	scene->config.fail_closed = false;
	for (size_t i = 0; i < sizeof allowed_ips / sizeof *allowed_ips; i++) {
		strcpy(scene->config.interface, "other");
		configure(scene, "10.7.0.1/24 fd07::1/64", allowed_ips[i]);
		for (int reloads = 0; reloads < 2; reloads++) {
			up(scene);
			assert_shows("ip rule | grep -c 'fwmark 0xca6c'", "2\n");
			assert_shows("ip -6 rule | grep -c 'fwmark 0xca6c'", "2\n");
			assert_shows("ip route show table 51820 | cut -d' ' -f1,2", "unreachable default\n");
		}
		down(scene);
		assert_rules(rules_v4, rules_v6);
		assert_shows("ip -6 route show table 51820 | cut -d' ' -f1,2", "unreachable default\n");
	}
	strcpy(scene->config.interface, "tun0");
	configure(scene, "10.7.0.1/24 fd07::1/64", "10.9.0.0/16");
	up(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_shows("ip route show table all | sed -n '/unreachable/p'", "");
}

/* The table of the dead daemon is not the first one, and the next start chooses the first. */
static void a_tunnel_recognizes_what_it_left_in_another_table(void **state)
{
	struct scene *scene = *state;
	struct table_claim claim = { 0 };

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	scene->config.fail_closed = true;
	assert_int_equal(table_claim_take(&claim, 51820), 0);
	die(scene);
	table_claim_release(&claim);
	assert_shows("ip rule | grep -c 'fwmark 0xca6d'", "2\n");
	up(scene);
	assert_shows("ip rule | grep 'proto 173' | cut -d: -f2",
				 "not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
				 "not from all fwmark 0xca6c lookup 51820 proto 173\n");
	assert_shows("ip route show table 51821", "");
	scene->config.fail_closed = false;
	up(scene); /* a reload */
	assert_shows("ip route show table 51820 | sed -n '/unreachable/p'", "");
}

static void a_start_that_fails_keeps_what_fails_closed(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	scene->config.fail_closed = true;
	die(scene);
	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 192.0.2.0/24");
	assert_int_not_equal(try_up(scene), 0); /* v0 has this network */
	down(scene);
	assert_rules(rules_v4, rules_v6);
	assert_shows("ip route show table 51820 | cut -d' ' -f1,2", "unreachable default\n");
	scene->config.fail_closed = false;
	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	up(scene);
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
}

/* The guard exists while a reload changes the network, and the daemon may die then. */
static void the_guard_of_a_reload_is_removed_by_any_start(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	die(scene);
	sandbox_output("ip route add unreachable default table 51820 proto 173 metric 4294967295");
	strcpy(scene->config.interface, "other");
	configure(scene, "10.7.0.1/24", "10.9.0.0/16");
	up(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_shows("ip route show table all | sed -n '/unreachable/p'", "");
}

/* As die, but without the interface, as it is before the next start. */
static void vanish(struct scene *scene)
{
	die(scene);
	close(scene->tun);
}

static void remains_are_removed_by_name(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	vanish(scene);
	assert_rules(rules_v4, rules_v6);
	assert_shows("nft list tables", "table ip adit-tun0\ntable ip6 adit-tun0\n");
	assert_true(network_remove_remains("tun0") >= 6); /* four rules and two tables */
	assert_rules(no_rules_v4, no_rules_v6);
	assert_firewall("", "");
	assert_int_equal(network_remove_remains("tun0"), 0);
	scene->tun = sandbox_tun("tun0");
}

static void remains_of_fail_closed_stay(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	scene->config.fail_closed = true;
	vanish(scene);
	network_remove_remains("tun0");
	assert_rules(rules_v4, rules_v6);
	assert_firewall("", "");
	assert_shows("ip route show table 51820 | cut -d' ' -f1,2", "unreachable default\n");
	assert_shows("ip -6 route show table 51820 | cut -d' ' -f1,2", "unreachable default\n");
	assert_int_equal(network_remove_remains("other"), 0);
	assert_rules(rules_v4, rules_v6);
	scene->tun = sandbox_tun("tun0");
}

/* The claim may be in the store of the service manager, which starts the next process. */
static void claimed_remains_stay(void **state)
{
	struct scene *scene = *state;
	struct table_claim claim = { 0 };

	configure(scene, "10.7.0.1/24", "0.0.0.0/0");
	vanish(scene);
	assert_int_equal(table_claim_take(&claim, 51820), 0);
	network_remove_remains("tun0");
	assert_shows("ip rule | grep -c 'fwmark 0xca6c'", "2\n");
	table_claim_release(&claim);
	network_remove_remains("tun0");
	assert_rules(no_rules_v4, no_rules_v6);
	scene->tun = sandbox_tun("tun0");
}

static void an_interface_that_is_open_is_left_alone(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	up(scene);
	assert_int_equal(network_remove_remains("tun0"), 0);
	assert_rules(rules_v4, rules_v6);
	assert_shows("nft list tables", "table ip adit-tun0\ntable ip6 adit-tun0\n");
	assert_int_equal(network_remove_remains("lo"), 0);
	assert_shows("ip -br address show lo | cut -c1-2", "lo\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(down_removes_everything_from_a_persistent_device),
		network_test(down_works_after_the_device_was_deleted),
		network_test(leftovers_of_a_dead_daemon_are_removed),
		network_test(another_tunnel_does_not_remove_what_fails_closed),
		network_test(a_tunnel_recognizes_what_it_left_in_another_table),
		network_test(a_start_that_fails_keeps_what_fails_closed),
		network_test(the_guard_of_a_reload_is_removed_by_any_start),
		network_test(remains_are_removed_by_name),
		network_test(remains_of_fail_closed_stay),
		network_test(claimed_remains_stay),
		network_test(an_interface_that_is_open_is_left_alone),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
