/* SPDX-License-Identifier: MIT */
/* Tests of the INI parser: secret keys in files of their own and in credentials of systemd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ini_run.h"

#define NO_KEY "does not contain a key (44 characters of base64, ending in \"=\")\n"

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Loads the file wg0.conf with this text. In `expected`, each '@' before a '/' stands for the folder of the test. */
static int load(struct run *run, const char *text, const char *expected)
{
	char findings[4096];
	size_t length = 0;
	int status;

	put("wg0.conf", text, 0600);
	status = ini_load(&run->config, path_of("wg0.conf"), &run->report);
	for (; *expected; expected++) {
		bool at = expected[0] == '@' && expected[1] == '/';
		length += (size_t)snprintf(findings + length, sizeof findings - length, "%.*s", at ? 1000 : 1,
								   at ? folder : expected);
	}
	findings[length] = '\0';
	assert_string_equal(run->findings, findings);
	assert_no_part(run->findings, PRIVATE_KEY);
	assert_no_part(run->findings, PRESHARED_KEY);
	return status;
}

static void keys_are_read_from_files(void **state)
{
	static const char *const texts[] = { PRIVATE_KEY, PRIVATE_KEY "\n", PRIVATE_KEY " \r\n\n",
										 "\xef\xbb\xbf" PRIVATE_KEY "\r\n" };
	struct run *run = *state;

	put("psk", PRESHARED_KEY "\n", 0400);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put("a key", texts[i], 0600);
		run_clear(run);
		assert_int_equal(load(run, "[Interface]\nPrivateKeyFile = a key\n" PEER "PresharedKeyFile = ./psk\n", ""), 0);
		assert_true(run->config.has_private_key);
		assert_key(run->config.private_key, PRIVATE_KEY);
		assert_true(run->config.peers->has_preshared_key);
		assert_key(run->config.peers->preshared_key, PRESHARED_KEY);
	}
}

static void a_path_is_relative_to_the_file_that_contains_it(void **state)
{
	struct run *run = *state;

	run_clear(run);
	assert_int_equal(mkdir(path_of("peers.d"), 0700), 0);
	put("peers.d/psk", PRESHARED_KEY "\n", 0600);
	put("peers.d/a.conf", PEER "PresharedKeyFile = psk\n", 0600);
	assert_int_equal(load(run, INTERFACE "Include = peers.d\n", ""), 0);
	assert_key(run->config.peers->preshared_key, PRESHARED_KEY);
}

static void files_without_a_key_are_errors(void **state)
{
	struct run *run = *state;
	char text[1024];

	run_clear(run);
	put("short", "yOIrcmTD5+EZV6rUqnPlTY4S9", 0600);
	put("two", PRIVATE_KEY "\n" PRIVATE_KEY "\n", 0600);
	put("empty", "", 0600);
	memset(text, ' ', sizeof text);
	memcpy(text, PRIVATE_KEY, strlen(PRIVATE_KEY));
	text[sizeof text - 1] = '\0';
	put("large", text, 0600);
	assert_int_equal(
		load(
			run,
			"[Interface]\nPrivateKeyFile = none\n" PEER "PresharedKeyFile = short\n[Peer]\nPublicKey = " PUBLIC_KEY
			"\nPresharedKeyFile = two\n" PEER "PresharedKeyFile = large\n" PEER "PresharedKeyFile = empty\n" PEER
			"PresharedKeyFile = /\n",
			"@/wg0.conf:2: error: PrivateKeyFile: @/none: No such file or directory\n"
			"@/wg0.conf:5: error: PresharedKeyFile: @/short " NO_KEY
			"@/wg0.conf:8: error: PresharedKeyFile: @/two " NO_KEY
			"@/wg0.conf:11: error: PresharedKeyFile: @/large " NO_KEY
			"@/wg0.conf:14: error: PresharedKeyFile: @/empty " NO_KEY
			"@/wg0.conf:17: error: PresharedKeyFile: /: Is a directory\n"
			"@/wg0.conf:6: warning: [Peer]: PublicKey is also that of the peer on line 3; both sections are merged\n"
			"@/wg0.conf:9: warning: [Peer]: PublicKey is also that of the peer on line 3; both sections are merged\n"
			"@/wg0.conf:12: warning: [Peer]: PublicKey is also that of the peer on line 3; both sections are merged\n"
			"@/wg0.conf:15: warning: [Peer]: PublicKey is also that of the peer on line 3; both sections are merged\n"),
		-EINVAL);
	assert_false(run->config.has_private_key);
}

static void a_key_in_place_of_a_path_is_not_shown(void **state)
{
	static const char finding[] =
		"@/wg0.conf:2: error: PrivateKeyFile: the value may be a key, and not the path of a file (a path "
		"with a '.', such as ./key, is accepted)\n";
	static const char *const values[] = { PRIVATE_KEY,
										  "5+EZV6rUqnPlTY4S9/OqJh2epT7vU6FjTXg=", "yOIrcmTD5+EZV6rUqnPlTY4S9",
										  "yOIrcmTD5+EZV6r*qnPlTY4S9/OqJh2epT7vU6FjTXg=" };
	struct run *run = *state;
	char text[256];

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		run_clear(run);
		snprintf(text, sizeof text, "[Interface]\nPrivateKeyFile = %s\n", values[i]);
		assert_int_equal(load(run, text, finding), -EINVAL);
	}
}

static void a_key_is_given_in_one_way_only(void **state)
{
	struct run *run = *state;

	run_clear(run);
	put("key", PRIVATE_KEY "\n", 0600);
	assert_int_equal(
		load(run,
			 INTERFACE "PrivateKeyFile = key\n" PEER "PresharedKeyFile = key\nPresharedKey = " PRESHARED_KEY "\n"
					   "[Peer]\nPublicKey = " PRIVATE_KEY "\nPresharedKey = " PRESHARED_KEY "\n",
			 "@/wg0.conf:3: error: PrivateKeyFile: PrivateKey is already set on line 2; only one of them is allowed\n"
			 "@/wg0.conf:7: error: PresharedKey: PresharedKeyFile is already set on line 6; only one of them is "
			 "allowed\n"),
		-EINVAL);
}

static void a_file_with_a_key_should_be_private(void **state)
{
	struct run *run = *state;

	put("key", PRIVATE_KEY "\n", 0644);
	run_clear(run);
	assert_int_equal(
		load(run, "[Interface]\nPrivateKeyFile = key\n",
			 "@/wg0.conf:2: warning: PrivateKeyFile: the mode 0644 of @/key lets others access the key; set the "
			 "mode to 0600\n"),
		0);
	assert_true(run->config.has_private_key);
	run_clear(run);
	run->report.strict = true;
	assert_int_equal(
		load(run, "[Interface]\nPrivateKeyFile = key\n",
			 "@/wg0.conf:2: error: PrivateKeyFile: the mode 0644 of @/key lets others access the key; set the "
			 "mode to 0600\n"),
		-EINVAL);
	/* A file that only names a file with a key may be public. */
	put("key", PRIVATE_KEY "\n", 0600);
	put("wg1.conf", "[Interface]\nPrivateKeyFile = key\n", 0644);
	assert_int_equal(run_file(run, path_of("wg1.conf")), 0);
	assert_string_equal(run->findings, "");
}

static void credentials_are_read(void **state)
{
	struct run *run = *state;

	run_clear(run);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	put("network.wireguard.private.wg0", PRIVATE_KEY "\n", 0444);
	put("psk-1", PRESHARED_KEY, 0400);
	assert_int_equal(
		load(run, "[Interface]\nPrivateKey = @network.wireguard.private.wg0\n" PEER "PresharedKey = @psk-1\n", ""), 0);
	assert_key(run->config.private_key, PRIVATE_KEY);
	assert_key(run->config.peers->preshared_key, PRESHARED_KEY);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_missing_credential_names_the_line_of_the_unit(void **state)
{
	struct run *run = *state;

	run_clear(run);
	assert_int_equal(
		load(run, "[Interface]\nPrivateKey = @wg\n",
			 "@/wg0.conf:2: error: PrivateKey: there is no credential wg, because CREDENTIALS_DIRECTORY is not set; a "
			 "unit with \"LoadCredential=wg:PATH\" sets it\n"),
		-EINVAL);
	run_clear(run);
	run->report.any_process = true;
	assert_int_equal(
		load(run, "[Interface]\nPrivateKey = @wg\n",
			 "@/wg0.conf:2: warning: PrivateKey: the credential wg is not checked, because only the service has it; "
			 "its unit needs \"LoadCredential=wg:PATH\"\n"),
		0);
	run_clear(run);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	put("bad", "not a key\n", 0400);
	assert_int_equal(load(run, "[Interface]\nPrivateKey = @none\n" PEER "PresharedKey = @bad\n",
						  "@/wg0.conf:2: error: PrivateKey: the service has no credential none; add "
						  "\"LoadCredential=none:PATH\" to its unit\n"
						  "@/wg0.conf:5: error: PresharedKey: the credential \"bad\" " NO_KEY),
					 -EINVAL);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void names_of_credentials_are_those_of_systemd(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../a", "a:b", "\xc3\xa4", "a\x7f" };
	struct run *run = *state;
	char text[1024];

	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		run_clear(run);
		snprintf(text, sizeof text, "[Interface]\nPrivateKey = @%s\n", bad[i]);
		put("wg0.conf", text, 0600);
		assert_int_equal(run_file(run, path_of("wg0.conf")), -EINVAL);
		assert_non_null(strstr(run->findings, "is not the name of a credential: ASCII without blanks, '/' and ':'\n"));
	}
	/* A key after the '@' is not shown. */
	run_clear(run);
	load(run, "[Interface]\nPrivateKey = @yOIrcmTD5+EZV6rUqnPlTY4S9\n",
		 "@/wg0.conf:2: error: PrivateKey: the service has no credential NAME; add \"LoadCredential=NAME:PATH\" to its "
		 "unit\n");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_text_in_memory_reads_no_keys(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, "[Interface]\nPrivateKeyFile = /nowhere\n" PEER "PresharedKey = @a\n"), 0);
	assert_string_equal(run->findings, "");
	assert_false(run->config.has_private_key || run->config.peers->has_preshared_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read_from_files),
		cmocka_unit_test(a_path_is_relative_to_the_file_that_contains_it),
		cmocka_unit_test(files_without_a_key_are_errors),
		cmocka_unit_test(a_key_in_place_of_a_path_is_not_shown),
		cmocka_unit_test(a_key_is_given_in_one_way_only),
		cmocka_unit_test(a_file_with_a_key_should_be_private),
		cmocka_unit_test(credentials_are_read),
		cmocka_unit_test(a_missing_credential_names_the_line_of_the_unit),
		cmocka_unit_test(names_of_credentials_are_those_of_systemd),
		cmocka_unit_test(a_text_in_memory_reads_no_keys),
	};
	unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests(tests, setup, teardown);
}
