/* SPDX-License-Identifier: MIT */
/* Tests of completion: which words a made-up table of commands offers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/complete.h"

static const struct command commands[] = {
	{ "make", NULL, "FILE --address LIST", "make a file",
	  "Makes FILE with --nothing.\n\n"
	  "  --address LIST      of this host\n"
	  "  --peer KEY          several are allowed\n"
	  "    --endpoint HOST[:PORT]  where the peer is\n"
	  "  -q, --quiet         print nothing\n"
	  "  adit make FILE --example\n" },
	{ "net", NULL, "HOSTS --out DIR [--log LOG]", "make a network",
	  "Makes a network.\n\n  --out DIR  a folder\n  --host HOST\n" },
	{ "peer", NULL, "add|remove FILE NAME", "edit peers", "Edits peers.\n" },
	{ "verify", NULL, "[--strict] FILE...", "verify files", "Verifies.\n\n  --strict  be strict\n" },
	{ "read", NULL, "[DIR]...", "read folders", "Reads.\n" },
	{ "key", NULL, "", "print a key", "Prints a key.\n" },
	{ "log", NULL, "[LEVEL] [IFNAME]", "log more", "Logs more.\n" },
	{ "edit", NULL, "add|remove FILE", "edit peers",
	  "  adit edit add FILE NAME [OPTION]...\n"
	  "  adit edit remove FILE PEER [--quiet]\n\n"
	  "Edits peers.\n\n"
	  "  --key KEY  its key\n"
	  "  --quiet    print nothing\n" },
};

static char output[1024];

static void list_two_hosts(const char *path, void (*found)(void *context, const char *name), void *context)
{
	assert_string_equal(path, "a-list");
	found(context, "berlin");
	found(context, "paris");
}

/* Completes the last of the words, and returns the lines that are printed. */
static const char *complete(int count, char **words)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t length;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	complete_command_line(commands, sizeof commands / sizeof *commands, list_two_hosts, count, words);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	length = fread(output, 1, sizeof output - 1, file);
	output[length] = '\0';
	fclose(file);
	return output;
}

#define COMPLETE(...) complete((int)(sizeof((char *[]) { __VA_ARGS__ }) / sizeof(char *)), (char *[]) { __VA_ARGS__ })

static void commands_are_offered_with_their_summaries(void **state)
{
	assert_string_equal(COMPLETE("k"), "key\tprint a key\n");
	assert_string_equal(COMPLETE("--v"), "--version\tprint the version\n");
	assert_string_equal(COMPLETE("help", "n"), "net\tmake a network\n");
	assert_string_equal(COMPLETE("help", "net", ""), "");
	assert_string_equal(COMPLETE("nothing", ""), "");
	assert_non_null(strstr(complete(0, NULL), "verify\tverify files\n"));
}

static void options_are_those_of_the_usage_and_of_indented_lines(void **state)
{
	assert_string_equal(COMPLETE("make", "-"), "--address\tof this host\n"
											   "--peer\tseveral are allowed\n"
											   "--endpoint\twhere the peer is\n"
											   "-q\tprint nothing\n"
											   "--quiet\tprint nothing\n"
											   "--help\texplain the command\n");
	assert_string_equal(COMPLETE("net", "--l"), "--log\n");
	assert_string_equal(COMPLETE("key", "-"), "--help\texplain the command\n");
}

static void the_value_of_an_option_has_its_kind(void **state)
{
	assert_string_equal(COMPLETE("net", "--out", ""), ":directories\n");
	assert_string_equal(COMPLETE("net", "--log", ""), ":files\n");
	assert_string_equal(COMPLETE("make", "--peer", ""), "");
	assert_string_equal(COMPLETE("make", "--endpoint", ""), "");
	assert_string_equal(COMPLETE("make", "--quiet", "x"), ":configurations\n");
}

static void hosts_are_those_of_the_list_before(void **state)
{
	assert_string_equal(COMPLETE("net", "a-list", "--host", ""), "berlin\thost\nparis\thost\n");
	assert_string_equal(COMPLETE("net", "--out", "x", "a-list", "--host", "berlin", "--host", "p"), "paris\thost\n");
	assert_string_equal(COMPLETE("net", "--host", ""), "");
	assert_string_equal(COMPLETE("net", "-", "--host", ""), "");
}

static void words_are_completed_in_the_order_of_the_usage(void **state)
{
	assert_string_equal(COMPLETE("net", ""), ":files\n");
	assert_string_equal(COMPLETE("net", "--out", "x", ""), ":files\n");
	assert_string_equal(COMPLETE("peer", ""), "add\nremove\n");
	assert_string_equal(COMPLETE("peer", "r"), "remove\n");
	assert_string_equal(COMPLETE("peer", "add", "no-such"), ":configurations\n");
	assert_string_equal(COMPLETE("peer", "add", "x", ""), "");
	assert_string_equal(COMPLETE("key", ""), "");
}

static void the_last_word_is_repeated_if_dots_follow(void **state)
{
	assert_string_equal(COMPLETE("verify", "no-such"), ":configurations\n");
	assert_string_equal(COMPLETE("verify", "a", "--strict", "b", "no-such"), ":configurations\n");
	assert_string_equal(COMPLETE("read", "a", "b", "/"), ":directories\n");
}

static void options_follow_the_last_word(void **state)
{
	assert_string_equal(COMPLETE("net", "hosts", ""), "--log\n--out\ta folder\n--host\n");
}

static void a_level_or_an_interface_follows(void **state)
{
	assert_string_equal(COMPLETE("log", "deb"), "debug\tlevel of the log\n");
	assert_non_null(strstr(COMPLETE("log", ""), "error\tlevel of the log\nwarning\tlevel of the log\n"));
	assert_null(strstr(COMPLETE("log", "info", ""), "level of the log"));
}

static void a_verb_may_have_a_usage_of_its_own(void **state)
{
	assert_string_equal(COMPLETE("edit", ""), "add\nremove\n");
	assert_string_equal(COMPLETE("edit", "remove", "no-such"), ":configurations\n");
	assert_string_equal(COMPLETE("edit", "add", "x", ""), "");
	assert_string_equal(COMPLETE("edit", "add", "x", "y", ""), "--key\tits key\n--quiet\tprint nothing\n");
	assert_string_equal(COMPLETE("edit", "remove", "x", "y", ""), "--quiet\tprint nothing\n");
	assert_string_equal(COMPLETE("edit", "remove", "x", "--key", ""), "");
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#define KEY(letter) #letter "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void the_peers_of_a_file_are_offered_if_they_have_files(void **state)
{
	char folder[] = "/tmp/test_complete.XXXXXX", site[64], command[128];

	assert_non_null(mkdtemp(folder));
	snprintf(site, sizeof site, "%s/site.conf", folder);
	snprintf(command, sizeof command, "mkdir %s/site.d && chmod 700 %s", folder, folder);
	assert_int_equal(system(command), 0);
	write_file(folder, "site.conf",
			   "[Interface]\nPrivateKey = @no-such\nNonsense = 1\nInclude = site.d\n"
			   "[Peer]\nName = al-here\nPublicKey = " KEY(B) "\n");
	write_file(folder, "site.d/alice.conf",
			   "[Peer]\nName = alice\nPublicKey = " KEY(C) "\nAllowedIPs = 10.0.0.2/32, 10.1.0.0/16\n");
	write_file(folder, "site.d/b.conf", "[Peer]\nName = Bob's laptop\nPublicKey = " KEY(D) "\n");
	write_file(folder, "site.d/c.conf", "[Peer]\nPublicKey = " KEY(E) "\n");
	assert_string_equal(COMPLETE("edit", "remove", site, ""), "alice\t10.0.0.2/32\nBob's laptop\n");
	assert_string_equal(COMPLETE("edit", "remove", "--quiet", site, "al"), "alice\t10.0.0.2/32\n");
	assert_string_equal(COMPLETE("edit", "remove", site, "x"), "");
	assert_string_equal(COMPLETE("edit", "add", site, ""), "");
	assert_string_equal(COMPLETE("edit", "remove", folder, ""), "");
	assert_string_equal(COMPLETE("edit", "remove", "/tmp/no-such.conf", ""), "");
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_offered_with_their_summaries),
		cmocka_unit_test(options_are_those_of_the_usage_and_of_indented_lines),
		cmocka_unit_test(the_value_of_an_option_has_its_kind),
		cmocka_unit_test(hosts_are_those_of_the_list_before),
		cmocka_unit_test(words_are_completed_in_the_order_of_the_usage),
		cmocka_unit_test(the_last_word_is_repeated_if_dots_follow),
		cmocka_unit_test(options_follow_the_last_word),
		cmocka_unit_test(a_level_or_an_interface_follows),
		cmocka_unit_test(a_verb_may_have_a_usage_of_its_own),
		cmocka_unit_test(the_peers_of_a_file_are_offered_if_they_have_files),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
