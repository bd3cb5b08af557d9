/* SPDX-License-Identifier: MIT */
/* Tests of what adit doctor reads in the files of managers of the network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "checks.h"
#include "sandbox.h"

/* Writes a setting, with the line of its section, to a file in /etc. */
static void write_setting(const char *path, const char *section, const char *setting)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "[%s]\n%s\n", section, setting);
	assert_int_equal(fclose(file), 0);
}

/* Returns true if NetworkManager with this setting ignores the interface; "": any interface. */
static bool ignores(const char *setting, const char *interface)
{
	struct manager_facts facts;

	write_setting("/etc/NetworkManager/conf.d/adit.conf", "keyfile", setting);
	collect_managers(&facts, interface);
	return facts.network_manager_ignores;
}

static void an_interface_that_is_listed_is_ignored(void **state)
{
	assert_true(ignores("unmanaged-devices=interface-name:site", "site"));
	assert_true(ignores("  unmanaged-devices+=interface-name:other;interface-name:site", "site"));
	assert_true(ignores("unmanaged-devices=interface-name:site2,interface-name:site", "site"));
	assert_true(ignores("unmanaged-devices=interface-name:other", ""));
	assert_false(ignores("unmanaged-devices=mac:00:22:68:1c:59:b1", ""));
	assert_false(ignores("#unmanaged-devices=interface-name:site", "site"));
	assert_false(ignores("unmanaged-devices=interface-name:other\nplugins=site", "site"));
}

static void part_of_another_name_does_not_count(void **state)
{
	assert_false(ignores("unmanaged-devices=interface-name:site2", "site"));
	assert_false(ignores("unmanaged-devices=interface-name:my-site", "site"));
	assert_false(ignores("unmanaged-devices=interface-name:other", "devices"));
	assert_false(ignores("unmanaged-devices=interface-name:other", "name"));
}

static void the_length_of_a_file_does_not_matter(void **state)
{
	char setting[40000];

	memset(setting, '#', sizeof setting);
	for (size_t i = 100; i < sizeof setting; i += 100)
		setting[i] = '\n';
	snprintf(setting + sizeof setting - 100, 100, "\nunmanaged-devices=interface-name:site");
	assert_true(ignores(setting, "site"));
	assert_false(ignores(setting, "other"));
}

/* NetworkManager.conf(5), "Device List Format". */
static void entries_of_all_kinds_are_known(void **state)
{
	assert_true(ignores("unmanaged-devices=interface-name:si*", "site"));
	assert_true(ignores("unmanaged-devices=interface-name:~s?te", "site"));
	assert_true(ignores("unmanaged-devices=interface-name:=site", "site"));
	assert_true(ignores("unmanaged-devices = mac:00:22:68:1c:59:b1;type:tun", "site"));
	assert_true(ignores("unmanaged-devices=\"driver:tun\"", ""));
	assert_true(ignores("unmanaged-devices=*", "site"));
	assert_true(ignores("unmanaged-devices=site", "site"));
	assert_false(ignores("unmanaged-devices=interface-name:=si*", "site"));
	assert_false(ignores("unmanaged-devices=interface-name:t*", "site"));
	assert_false(ignores("unmanaged-devices=si*", "site"));
	assert_false(ignores("unmanaged-devices", "site"));
	assert_false(ignores("unmanaged-devices-file=site", "site"));
}

static bool networkd_keeps(const char *value)
{
	struct manager_facts facts;
	char setting[64];

	snprintf(setting, sizeof setting, "ManageForeignRoutingPolicyRules%s", value);
	write_setting("/etc/systemd/networkd.conf.d/adit.conf", "Network", setting);
	collect_managers(&facts, "site");
	return facts.networkd_keeps;
}

static void networkd_needs_both_settings(void **state)
{
	static const char *const off[] = { "=no", "=false", " = Off", "=0", "=n" };
	static const char *const on[] = { "=yes", "=", "", "=none", "X=no" };

	write_setting("/etc/systemd/networkd.conf", "Network", "ManageForeignRoutes=no");
	for (size_t i = 0; i < sizeof off / sizeof *off; i++)
		assert_true(networkd_keeps(off[i]));
	for (size_t i = 0; i < sizeof on / sizeof *on; i++)
		assert_false(networkd_keeps(on[i]));
	write_setting("/etc/systemd/networkd.conf", "Network", "ManageForeignRoutes=yes");
	assert_false(networkd_keeps("=no"));
}

int main(void)
{
	static const char *const folders[] = { "/etc/NetworkManager", "/etc/NetworkManager/conf.d", "/etc/systemd",
										   "/etc/systemd/networkd.conf.d" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_that_is_listed_is_ignored),
		cmocka_unit_test(part_of_another_name_does_not_count),
		cmocka_unit_test(the_length_of_a_file_does_not_matter),
		cmocka_unit_test(entries_of_all_kinds_are_known),
		cmocka_unit_test(networkd_needs_both_settings),
	};

	sandbox_enter_with_run();
	if (mount("tmpfs", "/etc", "tmpfs", 0, "mode=0755"))
		sandbox_fail("mounting an empty /etc");
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdir(folders[i], 0755))
			sandbox_fail(folders[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
