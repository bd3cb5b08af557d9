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

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(down_removes_everything_from_a_persistent_device),
		network_test(down_works_after_the_device_was_deleted),
		network_test(leftovers_of_a_dead_daemon_are_removed),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
