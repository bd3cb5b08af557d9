/* SPDX-License-Identifier: MIT */
/* Tests of the INI parser: folders with included files, names of peers, and the order of all that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "ini_run.h"
#include "tunnel/peer_label.h"

enum { MANY_FILES = 20000 };

#define OTHER_KEY "XZ5zR6zv/0l1v0B9MMG+3mzTEdonoa/3aMgdTbNFGUA="
#define THIRD_KEY "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define OTHER_PEER "[Peer]\nPublicKey = " OTHER_KEY "\n"
#define THIRD_PEER "[Peer]\nPublicKey = " THIRD_KEY "\n"

/* Expects the findings `expected`, in which each '@' stands for the folder of the test. */
static void assert_findings(const struct run *run, const char *expected)
{
	char text[4096];
	size_t length = 0;

	for (; *expected; expected++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%.*s", *expected == '@' ? 1000 : 1,
								   *expected == '@' ? folder : expected);
	text[length] = '\0';
	assert_string_equal(run->findings, text);
}

static char *path_in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	const char *path = path_in_folder(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int load(struct run *run)
{
	return run_file(run, path_in_folder("wg0.conf"));
}

/* Starts each test with a main file that includes an empty folder. */
static int fresh_folder(void **state)
{
	static const char *const folders[] = { "peers.d", "more.d" };

	for (size_t i = 0; i < 2; i++) {
		const char *path = path_in_folder(folders[i]);
		nftw(path, remove_file, 8, FTW_DEPTH | FTW_PHYS);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	put("wg0.conf", INTERFACE "Include = peers.d\n", 0600);
	return 0;
}

static void an_empty_folder_adds_no_peer(void **state)
{
	struct run *run = *state;

	assert_int_equal(load(run), 0);
	assert_findings(run, "");
	assert_int_equal(run->config.peer_count, 0);
	assert_string_equal(run->config.includes->path, path_in_folder("peers.d"));
}

static void only_files_that_end_in_conf_are_read(void **state)
{
	static const char *const ignored[] = {
		".hidden.conf", "a.conf~", "a.conf.bak", "b.conf.dpkg-old", ".conf", "README"
	};
	struct run *run = *state;
	char name[64];

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
		snprintf(name, sizeof name, "peers.d/%s", ignored[i]);
		put(name, "no configuration\n", 0600);
	}
	put("peers.d/a.conf", PEER, 0600);
	assert_int_equal(load(run), 0);
	assert_findings(run, "");
	assert_int_equal(run->config.peer_count, 1);
}

static void a_file_of_another_system_is_read(void **state)
{
	struct run *run = *state;

	put("peers.d/a.conf", "\xef\xbb\xbf[Peer]\r\nPublicKey = " OTHER_KEY "\r\nAllowedIPs = 10.0.0.2/32\r\n", 0600);
	assert_int_equal(load(run), 0);
	assert_findings(run, "");
	assert_int_equal(run->config.peer_count, 1);
	assert_int_equal(run->config.peers->allowed_ips->prefix.length, 32);
}

static void others_must_not_add_peers(void **state)
{
	struct run *run = *state;

	put("peers.d/a.conf", PEER, 0600);
	assert_int_equal(chmod(path_in_folder("peers.d"), 0770), 0);
	assert_int_equal(load(run), 0);
	assert_findings(run,
					"@/wg0.conf:3: warning: Include: the mode 0770 of @/peers.d lets others add peers; set the mode to "
					"0700\n");
	run_clear(run);
	assert_int_equal(chmod(path_in_folder("peers.d"), 01777), 0);
	assert_int_equal(load(run), 0);
	assert_findings(run,
					"@/wg0.conf:3: warning: Include: the mode 1777 of @/peers.d lets others add peers; set the mode to "
					"0700\n");
}

static void files_follow_the_main_file_in_the_order_of_their_bytes(void **state)
{
	struct run *run = *state;
	const struct config_peer *peer;

	put("wg0.conf", INTERFACE "Include = peers.d\n" PEER, 0600);
	put("peers.d/b.conf", OTHER_PEER, 0600);
	put("peers.d/Z.conf", "# a comment\n\n" THIRD_PEER, 0600);
	assert_int_equal(load(run), 0);
	peer = run->config.peers;
	assert_null(peer->file);
	assert_key(peer->public_key, PUBLIC_KEY);
	peer = peer->next;
	assert_key(peer->public_key, THIRD_KEY);
	assert_string_equal(peer->file->path, path_in_folder("peers.d/Z.conf"));
	assert_int_equal(peer->file->number, 1);
	assert_int_equal(peer->line, 3);
	peer = peer->next;
	assert_key(peer->public_key, OTHER_KEY);
	assert_int_equal(peer->file->number, 2);
	assert_null(peer->next);
}

static void several_folders_are_read_in_the_order_of_their_lines(void **state)
{
	struct run *run = *state;
	char text[512];

	snprintf(text, sizeof text, INTERFACE "Include = %s/more.d/\nInclude = peers.d\nInclude = peers.d/\n", folder);
	put("wg0.conf", text, 0600);
	put("peers.d/a.conf", PEER, 0600);
	put("more.d/b.conf", OTHER_PEER, 0600);
	assert_int_equal(load(run), 0);
	assert_findings(run, "@/wg0.conf:5: warning: Include: line 4 includes the same folder; it is read once\n");
	assert_key(run->config.peers->public_key, OTHER_KEY);
	assert_key(run->config.peers->next->public_key, PUBLIC_KEY);
	assert_int_equal(run->config.peer_count, 2);
}

static void a_folder_that_is_missing_is_an_error(void **state)
{
	struct run *run = *state;

	put("wg0.conf", INTERFACE "Include = none.d\nInclude = wg0.conf\nInclude = peers.d/*.conf\n", 0600);
	assert_int_equal(load(run), -EINVAL);
	assert_findings(run, "@/wg0.conf:3: error: Include: @/none.d: No such file or directory; create it with "
						 "\"mkdir -m 0700 @/none.d\"\n"
						 "@/wg0.conf:4: error: Include: @/wg0.conf is not a folder; name a folder, and its files "
						 "*.conf are read\n"
						 "@/wg0.conf:5: error: Include: @/peers.d/*.conf is not a folder; name a folder, and its files "
						 "*.conf are read\n");
}

static void findings_name_the_included_file(void **state)
{
	struct run *run = *state;

	put("peers.d/a.conf", "# first\n" PEER "Endpoint = nowhere\nMTU = 1400\n", 0600);
	put("peers.d/b.conf", "Name = b\n[Interface]\nListenPort = 1\n[Peer]\nName = bob\n", 0600);
	put("peers.d/c.conf", "", 0600);
	put("peers.d/d.conf", "[Peer]\nPublicKey = " OTHER_KEY "\nInclude = more.d\n", 0600);
	assert_int_equal(load(run), -EINVAL);
	assert_findings(run, "@/peers.d/a.conf:4: error: Endpoint: \"nowhere\" is not HOST:PORT or [IPV6]:PORT with a port "
						 "from 1 to 65535 or "
						 "a UDP service\n"
						 "@/peers.d/a.conf:5: error: MTU: the key belongs in [Interface]\n"
						 "@/peers.d/b.conf:1: error: the line is outside any section; put [Peer] above it\n"
						 "@/peers.d/b.conf:2: error: [Interface]: an included file may contain only [Peer] sections\n"
						 "@/peers.d/b.conf:4: error: [Peer] bob: PublicKey is missing\n"
						 "@/peers.d/c.conf: warning: the file has no [Peer] section\n"
						 "@/peers.d/d.conf:3: error: Include: the key belongs in [Interface]\n");
}

static void peers_are_compared_across_files(void **state)
{
	struct run *run = *state;

	put("wg0.conf", INTERFACE "Include = peers.d\n" PEER "AllowedIPs = 10.0.0.1/32\n", 0600);
	put("peers.d/a.conf", "\n\n[Peer]\nName = alice\nPublicKey = " OTHER_KEY "\nAllowedIPs = 10.0.0.1/32\n", 0600);
	put("peers.d/b.conf", PEER "PersistentKeepalive = 5\nAllowedIPs = 10.0.0.2/32\n", 0600);
	put("peers.d/c.conf", "[Peer]\nName = alice\nPublicKey = " THIRD_KEY "\nAllowedIPs = 10.0.0.1/32\n", 0600);
	assert_int_equal(load(run), 0);
	assert_findings(
		run,
		"@/peers.d/b.conf:1: warning: [Peer]: PublicKey is also that of the peer in @/wg0.conf:4; both sections are "
		"merged\n"
		"@/peers.d/c.conf:1: warning: [Peer] alice: Name is also that of the peer alice in @/peers.d/a.conf:3\n"
		"@/peers.d/a.conf:6: warning: AllowedIPs: 10.0.0.1/32 is also listed for the peer in @/wg0.conf:4; only the "
		"last "
		"peer gets it\n"
		"@/peers.d/c.conf:4: warning: AllowedIPs: 10.0.0.1/32 is also listed for the peer alice in @/peers.d/a.conf:3; "
		"only the last peer gets it\n");
	assert_int_equal(run->config.peer_count, 3);
	assert_int_equal(run->config.peers->keepalive, 5);
	assert_list(run->config.peers->allowed_ips, "10.0.0.2/32");
	assert_null(run->config.peers->next->allowed_ips);
	assert_list(run->config.peers->next->next->allowed_ips, "10.0.0.1/32");
}

static void advice_names_the_included_file(void **state)
{
	struct run *run = *state;

	put("peers.d/a.conf", PEER "AllowedIPs = 10.0.0.5/24\nEndpoint = 10.0.0.9:1\n", 0600);
	run_clear(run);
	run->report.advice = true;
	assert_int_equal(ini_load(&run->config, path_in_folder("wg0.conf"), &run->report), 0);
	assert_findings(run,
					"@/peers.d/a.conf:3: warning: AllowedIPs: 10.0.0.5/24 has bits set beyond its length; it means "
					"10.0.0.0/24\n"
					"@/peers.d/a.conf:3: warning: AllowedIPs: 10.0.0.0/24 contains the endpoint 10.0.0.9, whose "
					"datagrams would enter the tunnel; the host needs a more specific route to it\n");
}

static void an_included_file_with_keys_should_be_private(void **state)
{
	static const char finding[] =
		"the file contains keys, and its mode 0644 lets others access it; set the mode to 0600\n";
	struct run *run = *state;
	char expected[512];

	put("peers.d/a.conf", PEER, 0644);
	put("peers.d/b.conf", OTHER_PEER "PresharedKey = " PRESHARED_KEY "\n", 0644);
	put("peers.d/c.conf", THIRD_PEER "PresharedKey = " PRESHARED_KEY "\n", 0600);
	assert_int_equal(load(run), 0);
	snprintf(expected, sizeof expected, "@/peers.d/b.conf: warning: %s", finding);
	assert_findings(run, expected);
	run_clear(run);
	run->report.strict = true;
	assert_int_equal(ini_load(&run->config, path_in_folder("wg0.conf"), &run->report), -EINVAL);
	snprintf(expected, sizeof expected, "@/peers.d/b.conf: error: %s", finding);
	assert_findings(run, expected);
}

static void what_is_not_a_file_is_an_error(void **state)
{
	struct run *run = *state;

	assert_int_equal(mkdir(path_in_folder("peers.d/a.conf"), 0700), 0);
	assert_int_equal(symlink("nowhere", path_in_folder("peers.d/b.conf")), 0);
	put("peers.d/c.conf", PEER, 0600);
	assert_int_equal(load(run), -EINVAL);
	assert_findings(run, "@/peers.d/a.conf: error: Is a directory\n"
						 "@/peers.d/b.conf: error: No such file or directory\n");
	assert_int_equal(run->config.peer_count, 1);
}

static void a_text_in_memory_includes_nothing(void **state)
{
	struct run *run = *state;

	assert_int_equal(run_text(run, INTERFACE "Include = /nowhere\n"), 0);
	assert_string_equal(run->findings, "");
	assert_string_equal(run->config.includes->path, "/nowhere");
}

static void many_files_are_read(void **state)
{
	struct run *run = *state;
	uint8_t key[KEY_BYTES] = { 0 };
	char text[256], name[64], base64[KEY_BASE64];

	for (uint32_t i = 0; i < MANY_FILES; i++) {
		memcpy(key, &i, sizeof i);
		key[31] = 1;
		key_to_base64(base64, key);
		snprintf(name, sizeof name, "peers.d/p%u.conf", i);
		snprintf(text, sizeof text, "[Peer]\nName = p%u\nPublicKey = %s\nAllowedIPs = 10.%u.%u.%u/32\n", i, base64,
				 i >> 16, i >> 8 & 255, i & 255);
		put(name, text, 0600);
	}
	assert_int_equal(load(run), 0);
	assert_int_equal(run->config.peer_count, MANY_FILES);
}

static void names_and_descriptions_are_read(void **state)
{
	struct run *run = *state;
	const struct peer_label *label;

	put("wg0.conf",
		INTERFACE "[Peer]\nName =  Jürgens Laptop # the old one\nDescription = a=b, c\nPublicKey = " PUBLIC_KEY
				  "\n" OTHER_PEER "[peer]\ndescription = only this\npublickey = " THIRD_KEY "\n",
		0600);
	assert_int_equal(load(run), 0);
	assert_findings(run, "");
	label = run->config.peers->label;
	assert_string_equal(label->name, "Jürgens Laptop");
	assert_string_equal(label->description, "a=b, c");
	assert_string_equal(label->text, "wg0: peer Jürgens Laptop (+d6I…w8TU)");
	assert_string_equal(config_peer_name(run->config.peers), "Jürgens Laptop");
	assert_null(run->config.peers->next->label);
	assert_string_equal(config_peer_name(run->config.peers->next), "");
	label = run->config.peers->next->next->label;
	assert_string_equal(label->name, "");
	assert_string_equal(label->description, "only this");
	assert_string_equal(label->text, "wg0: peer 3p7b…IK08");
}

static void names_are_printable_and_short(void **state)
{
	static const struct {
		const char *value, *finding;
	} cases[] = {
		{ "", "error: Name: the value is missing" },
		{ "a\tb", "error: Name: the value is not UTF-8 text without control characters" },
		{ "a\x1b[2J", "error: Name: the value is not UTF-8 text without control characters" },
		{ "\xff", "error: Name: the value is not UTF-8 text without control characters" },
		{ "\xc2\x85", "error: Name: the value is not UTF-8 text without control characters" },
		{ "\xe2\x80\xae", "error: Name: the value is not UTF-8 text without control characters" },
		{ "0123456789012345678901234567890123456789012345678901234567890123", NULL },
		{ "01234567890123456789012345678901234567890123456789012345678901234",
		  "error: Name: the value has 65 bytes; at most 64 are allowed" },
	};
	struct run *run = *state;
	char text[1024], expected[256];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text, INTERFACE PEER "Name = %s\n", cases[i].value);
		assert_int_equal(run_text(run, text), cases[i].finding ? -EINVAL : 0);
		snprintf(expected, sizeof expected, "x:5: %s\n", cases[i].finding ? cases[i].finding : "");
		assert_string_equal(run->findings, cases[i].finding ? expected : "");
	}
}

static void sections_of_the_same_peer_share_name_and_description(void **state)
{
	struct run *run = *state;

	assert_int_equal(
		run_text(run, INTERFACE PEER "Name = a\nDescription = one\n" PEER "Name = b\n" PEER "Description = three\n"),
		0);
	assert_string_equal(run->config.peers->label->name, "b");
	assert_string_equal(run->config.peers->label->description, "three");
	assert_string_equal(
		run->findings,
		"x:7: warning: [Peer] b: PublicKey is also that of the peer a on line 3; both sections are merged\n"
		"x:10: warning: [Peer]: PublicKey is also that of the peer b on line 3; both sections are merged\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, fresh_folder)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_folder_adds_no_peer),
		TEST(only_files_that_end_in_conf_are_read),
		TEST(a_file_of_another_system_is_read),
		TEST(others_must_not_add_peers),
		TEST(files_follow_the_main_file_in_the_order_of_their_bytes),
		TEST(several_folders_are_read_in_the_order_of_their_lines),
		TEST(a_folder_that_is_missing_is_an_error),
		TEST(findings_name_the_included_file),
		TEST(peers_are_compared_across_files),
		TEST(advice_names_the_included_file),
		TEST(an_included_file_with_keys_should_be_private),
		TEST(what_is_not_a_file_is_an_error),
		TEST(a_text_in_memory_includes_nothing),
		TEST(names_and_descriptions_are_read),
		TEST(names_are_printable_and_short),
		TEST(sections_of_the_same_peer_share_name_and_description),
		TEST(many_files_are_read),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
