/* SPDX-License-Identifier: MIT */
/* Tests of the firewall where nft(8) is missing or fails, and of interface names in it. */
#include "network_rig.h"

static char path[4096]; /* the original PATH */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(a_missing_nft_is_logged_once),
		network_test(a_failing_nft_matters_to_a_strict_reverse_path_filter),
		network_test(unusual_interface_names_are_escaped_for_nft),
	};

	network_enter();
	snprintf(path, sizeof path, "%s", getenv("PATH"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
