/* SPDX-License-Identifier: MIT */
/* Tests of save_edit and save_file. */
#include "ini_run.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/save.h"

#define KEY_A PUBLIC_KEY
#define KEY_B "3vB9sDOEZ0vPPRlvqvQyLvJQ0hHhSvD1mHyS0fDoLVI="
#define KEY_C "c9mkGCS7+h45hYb5ZbY9UInX8RmGZ0FjtFTdfbBQHyo="
#define PEER_A "[Peer]\nPublicKey = " KEY_A "\n"
#define PEER_B "[Peer]\nPublicKey = " KEY_B "\n"
#define PEER_C "[Peer]\nPublicKey = " KEY_C "\n"

static const struct config_peer *unsaved;
static struct reason warning;

/* The running state is written as a file, too. An endpoint that is a name stands for "as in the file". */
static void parse(struct config *config, const char *text)
{
	struct run run = { .report = { .line = append_line, .context = &run } };

	*config = (struct config) { 0 };
	if (ini_parse_config(config, "x", text, strlen(text), &run.report))
		fail_msg("%s", run.findings);
}

static void parse_running(struct config *running, const char *text)
{
	parse(running, text);
	for (struct config_peer *peer = running->peers; peer; peer = peer->next)
		if (peer->has_endpoint)
			peer->has_endpoint = !endpoint_numeric(peer->endpoint_host, peer->endpoint_port, &peer->endpoint);
}

static char *edit(const char *text, const char *running_text, int expected)
{
	struct config file, running;
	size_t length = 0;
	char *edited;

	parse(&file, text);
	parse_running(&running, running_text);
	assert_int_equal(save_edit(&edited, &length, text, strlen(text), &file, &running, &unsaved), expected);
	if (edited)
		assert_int_equal(strlen(edited), length);
	config_destroy(&file);
	config_destroy(&running);
	return edited;
}

/* The edited text is `expected`, and editing it again changes nothing. */
static void assert_edit(const char *text, const char *running, const char *expected)
{
	char *edited = edit(text, running, 1);

	assert_string_equal(edited, expected);
	assert_null(edit(edited, running, 0));
	free(edited);
}

static void an_equal_state_changes_nothing(void **state)
{
	static const char *const texts[] = {
		INTERFACE,
		"\xef\xbb\xbf" INTERFACE,
		"# head\n" INTERFACE "ListenPort=51820\nPostUp = echo # no comment\n" PEER_A
		"AllowedIPs = 10.0.0.1, 10.1.0.0/16\n",
		INTERFACE "listenport = 0\nFwMark = 0xCA6C # mark\nMTU = 1420\nAddress = 10.0.0.1/24,fd00::1/64",
		"[interface]\r\nprivatekey=" PRIVATE_KEY "\r\n[peer]\r\npublickey=" KEY_A "\r\nEndpoint=[2001:db8::1]:5\r\n",
		INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32\n" PEER_A "AllowedIPs = 10.0.0.2/32\n",
		INTERFACE PEER_A "PersistentKeepalive = off\nEndpoint = example.org:51820\n",
		INTERFACE "\n\n\n" PEER_A "\n\n# end\n\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(edit(texts[i], texts[i], 0));
}

static void the_order_of_prefixes_does_not_matter(void **state)
{
	assert_null(edit(INTERFACE "Address = 10.0.0.1/24, fd00::1/64\n" PEER_A "AllowedIPs = 10.0.0.0/8, fd00::/8\n",
					 INTERFACE "Address = fd00::1/64, 10.0.0.1/24\n" PEER_A "AllowedIPs = fd00::/8, 10.0.0.0/8\n", 0));
}

static void absent_settings_of_the_interface_stay(void **state)
{
	assert_null(edit(INTERFACE "ListenPort = 5\nFwMark = 6\nMTU = 1400\nAddress = 10.0.0.1/24\n", INTERFACE, 0));
	assert_null(edit(INTERFACE, "[Interface]\n", 0));
}

static void values_are_replaced_in_their_line(void **state)
{
	assert_edit("# a\n[Interface]\n  PrivateKey=" PRIVATE_KEY "  # mine\nlistenport  =  5\t# port\nPostUp = true\n",
				"[Interface]\nPrivateKey = " PRESHARED_KEY "\nListenPort = 51820\n",
				"# a\n[Interface]\n  PrivateKey=" PRESHARED_KEY
				"  # mine\nlistenport  =  51820\t# port\nPostUp = true\n");
	assert_edit(INTERFACE "FwMark = 5\nMTU = 1400\n", INTERFACE "FwMark = off\nMTU = 1300\n",
				INTERFACE "FwMark = off\nMTU = 1300\n");
	assert_edit(
		INTERFACE PEER_A "PresharedKey = " PRIVATE_KEY "\nEndpoint = 192.0.2.1:1 # old\nPersistentKeepalive=25\n",
		INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\nEndpoint = [2001:db8::1]:2\nPersistentKeepalive = 9\n",
		INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\nEndpoint = [2001:db8::1]:2 # old\nPersistentKeepalive=9\n");
}

static void addresses_are_only_added(void **state)
{
	assert_null(edit(INTERFACE "Address = 10.0.0.1/24, fd00::1/64\n", INTERFACE "Address = 10.0.0.1/24\n", 0));
	assert_null(edit(INTERFACE "Address =\nAddress = fd00::1/64\n", INTERFACE, 0));
	assert_edit(INTERFACE "Address = 10.0.0.1/24\nAddress = fd00::1/64 # mine\n",
				INTERFACE "Address = 10.0.0.1/24, 10.0.0.3/24\n",
				INTERFACE "Address = 10.0.0.1/24\nAddress = fd00::1/64, 10.0.0.3/24 # mine\n");
	assert_edit(INTERFACE PEER_A, INTERFACE "Address = 10.0.0.3/24, fd00::3/64\n" PEER_A,
				INTERFACE "Address = 10.0.0.3/24, fd00::3/64\n" PEER_A);
}

static void missing_keys_are_added_to_their_section(void **state)
{
	assert_edit(INTERFACE "PostUp = true\n\n" PEER_A "# end\n",
				INTERFACE "ListenPort = 7\nFwMark = 0x10\n" PEER_A "AllowedIPs = 10.0.0.1/32\nEndpoint = 192.0.2.1:9\n",
				INTERFACE "PostUp = true\nListenPort = 7\nFwMark = 0x10\n\n" PEER_A
						  "AllowedIPs = 10.0.0.1/32\nEndpoint = 192.0.2.1:9\n# end\n");
	assert_edit("[Interface]", INTERFACE "ListenPort = 7\n",
				"[Interface]\nPrivateKey = " PRIVATE_KEY "\nListenPort = 7\n");
	assert_edit("[Interface]\r\nMTU=1400", INTERFACE, "[Interface]\r\nMTU=1400\r\nPrivateKey = " PRIVATE_KEY "\r\n");
}

static void removed_values_lose_their_lines(void **state)
{
	assert_edit(INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY
								 "\n# c\nAllowedIPs = 10.0.0.1\nAllowedIPs = 10.0.0.2\nPersistentKeepalive = 5\n",
				INTERFACE PEER_A, INTERFACE PEER_A "# c\n");
}

static void an_endpoint_that_is_a_name_stays(void **state)
{
	assert_null(edit(INTERFACE PEER_A "Endpoint = example.org:1\n", INTERFACE PEER_A, 0));
	assert_null(
		edit(INTERFACE PEER_A "Endpoint = 192.0.2.1:domain\n", INTERFACE PEER_A "Endpoint = 192.0.2.1:53\n", 0));
	assert_edit(INTERFACE PEER_A "Endpoint = example.org:1\n", INTERFACE PEER_A "Endpoint = 192.0.2.1:2\n",
				INTERFACE PEER_A "Endpoint = 192.0.2.1:2\n");
}

static void removed_peers_lose_their_section_and_its_comments(void **state)
{
	assert_edit(INTERFACE "\n# bob\n# in Berlin\n" PEER_A "# key\nAllowedIPs = 10.0.0.1\n# below\n\n# carol\n" PEER_B,
				INTERFACE PEER_B, INTERFACE "\n# carol\n" PEER_B);
	assert_edit(INTERFACE PEER_A "# carol\n" PEER_B, INTERFACE PEER_B, INTERFACE "# carol\n" PEER_B);
	assert_edit(INTERFACE "# of the interface\n\n" PEER_A "\n" PEER_B "\n# end\n", INTERFACE,
				INTERFACE "# of the interface\n\n# end\n");
	assert_edit(INTERFACE PEER_A PEER_B PEER_A, INTERFACE PEER_B, INTERFACE PEER_B);
}

static void new_peers_get_a_section_at_the_end(void **state)
{
	assert_edit(INTERFACE PEER_A "# last line", INTERFACE PEER_A PEER_B "AllowedIPs = 10.0.0.2/32\n" PEER_C,
				INTERFACE PEER_A "# last line\n\n" PEER_B "AllowedIPs = 10.0.0.2/32\n\n" PEER_C);
	assert_edit(INTERFACE PEER_A,
				INTERFACE PEER_B
				"PresharedKey = " PRESHARED_KEY
				"\nAllowedIPs = 10.0.0.2/32, fd00::/8\nEndpoint = 192.0.2.1:1\nPersistentKeepalive = 5\n",
				INTERFACE "\n" PEER_B "PresharedKey = " PRESHARED_KEY
						  "\nAllowedIPs = 10.0.0.2/32, fd00::/8\nEndpoint = 192.0.2.1:1\nPersistentKeepalive = 5\n");
}

static void a_prefix_moves_between_peers(void **state)
{
	assert_edit(INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32, 10.0.0.2/32\n" PEER_B "AllowedIPs = 10.0.0.3/32\n",
				INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32\n" PEER_B "AllowedIPs = 10.0.0.3/32, 10.0.0.2/32\n",
				INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32\n" PEER_B "AllowedIPs = 10.0.0.3/32, 10.0.0.2/32\n");
}

static void sections_of_one_peer_are_edited_together(void **state)
{
	assert_edit(INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32\n" PEER_B PEER_A "AllowedIPs = 10.0.0.2/32\n",
				INTERFACE PEER_A "AllowedIPs = 10.0.0.1/32, 10.0.0.3/32\n" PEER_B,
				INTERFACE PEER_A PEER_B PEER_A "AllowedIPs = 10.0.0.1/32, 10.0.0.3/32\n");
}

/* It is in a list that all hosts share, and the device ignores it. */
static void a_peer_with_our_own_key_stays(void **state)
{
	uint8_t private_key[KEY_BYTES], public_key[KEY_BYTES];
	char text[512], base64[KEY_BASE64];

	assert_true(key_from_base64(private_key, PRIVATE_KEY));
	crypto_scalarmult_base(public_key, private_key);
	key_to_base64(base64, public_key);
	snprintf(text, sizeof text, INTERFACE "[Peer]\nPublicKey = %s\n" PEER_A, base64);
	assert_null(edit(text, INTERFACE PEER_A, 0));
}

static void a_key_in_a_file_of_its_own_stays(void **state)
{
	assert_null(edit("[Interface]\nPrivateKeyFile = own.key\n", INTERFACE, 0));
	assert_null(edit("[Interface]\nprivate key file = own.key # mine\n", INTERFACE, 0));
	assert_null(
		edit(INTERFACE PEER_A "PresharedKeyFile = a.psk\n", INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\n", 0));
	/* The file of another peer does not count. */
	assert_edit(INTERFACE PEER_A PEER_B "PresharedKeyFile = b.psk\n",
				INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\n" PEER_B,
				INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\n" PEER_B "PresharedKeyFile = b.psk\n");
}

static void a_key_in_a_credential_stays_unless_a_later_line_overrides_it(void **state)
{
	static const char running[] = INTERFACE PEER_A "PresharedKey = " PRESHARED_KEY "\n";

	assert_null(edit(INTERFACE PEER_A "PresharedKey = @psk\n", running, 0));
	assert_null(edit(INTERFACE PEER_A "PresharedKey = " PRIVATE_KEY "\nPresharedKey = @psk\n", running, 0));
	assert_edit(INTERFACE PEER_A "PresharedKey = @psk\nPresharedKey = " PRIVATE_KEY "\n", running, running);
}

static void a_peer_of_another_file_is_not_added(void **state)
{
	static const char text[] = INTERFACE PEER_A, running[] = INTERFACE PEER_A PEER_B "AllowedIPs = 10.0.0.1/32\n";
	struct config file, now;
	size_t length;
	char *edited;

	parse(&file, INTERFACE PEER_A PEER_B);
	parse_running(&now, running);
	assert_int_equal(save_edit(&edited, &length, text, strlen(text), &file, &now, &unsaved), 0);
	assert_non_null(unsaved); /* its allowed IPs have changed */
	config_destroy(&file);
	config_destroy(&now);
}

/* Random states of three peers, with and without each key: the edited text means the running state. */
static void random_states_survive_a_round_trip(void **state)
{
	static const char *const values[][3] = {
		{ "", "PresharedKey = " PRESHARED_KEY "\n", "PresharedKey = " PRIVATE_KEY "\n" },
		{ "", "Endpoint = 192.0.2.1:1\n", "Endpoint = [2001:db8::2]:2\n" },
		{ "", "PersistentKeepalive = 5\n", "PersistentKeepalive = 6\n" },
		{ "", "# comment\n", "\n" },
	};
	static const char *const peers[] = { PEER_A, PEER_B, PEER_C };

	for (int round = 0; round < 2000; round++) {
		char text[2][2048], *edited = NULL;
		struct config file, running;
		size_t length;
		int changed;

		for (int side = 0; side < 2; side++) {
			char *to = text[side] + sprintf(text[side], INTERFACE "ListenPort = %u\n", 1 + randombytes_uniform(2));

			for (unsigned peer = 0; peer < 3; peer++) {
				if (!randombytes_uniform(3))
					continue;
				to += sprintf(to, "%s", peers[peer]);
				for (unsigned key = 0; key < 4; key++)
					to += sprintf(to, "%s", values[key][randombytes_uniform(3)]);
				to += sprintf(to, "AllowedIPs = 10.0.%u.%u/32\n", peer, randombytes_uniform(3));
			}
		}
		parse(&file, text[0]);
		parse_running(&running, text[1]);
		changed = save_edit(&edited, &length, text[0], strlen(text[0]), &file, &running, &unsaved);
		assert_true(changed >= 0);
		config_destroy(&file);
		parse(&file, changed ? edited : text[0]);
		assert_int_equal(file.listen_port, running.listen_port);
		assert_int_equal(file.peer_count, running.peer_count);
		for (struct config_peer *peer = running.peers, *found; peer; peer = peer->next) {
			for (found = file.peers; memcmp(found->public_key, peer->public_key, KEY_BYTES);)
				found = found->next;
			if (memcmp(found->preshared_key, peer->preshared_key, KEY_BYTES))
				fail_msg("%s\n--- and\n%s\n--- became\n%s", text[0], text[1], changed ? edited : text[0]);
			assert_int_equal(found->keepalive, peer->keepalive);
			assert_memory_equal(&found->allowed_ips->prefix, &peer->allowed_ips->prefix,
								sizeof found->allowed_ips->prefix);
			if (peer->has_endpoint)
				assert_string_equal(found->endpoint_host, peer->endpoint_host);
		}
		free(edited);
		config_destroy(&file);
		config_destroy(&running);
	}
}

/* --- files ----- */

static void write_config(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void assert_file(const char *path, const char *expected, mode_t mode)
{
	struct stat status;
	char text[4096];

	read_whole(path, text, sizeof text);
	assert_string_equal(text, expected);
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, mode);
}

static int save(const char *path, const char *running_text, struct reason *reason)
{
	struct config running;
	int result;

	parse_running(&running, running_text);
	result = save_file(path, &running, &warning, reason);
	config_destroy(&running);
	return result;
}

static void a_file_is_replaced_with_mode_0600_at_most(void **state)
{
	struct reason reason = { 0 };
	char path[64], link[64];
	struct stat before, after;

	snprintf(path, sizeof path, "%s/site.conf", folder);
	write_config(path, INTERFACE PEER_A, 0644);
	assert_int_equal(save(path, INTERFACE, &reason), 1);
	assert_file(path, INTERFACE, 0600);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(save(path, INTERFACE, &reason), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* not written again */
	chmod(path, 0400);
	assert_int_equal(save(path, INTERFACE PEER_B, &reason), 1);
	assert_file(path, INTERFACE "\n" PEER_B, 0400);

	snprintf(link, sizeof link, "%s/link.conf", folder);
	assert_int_equal(symlink("site.conf", link), 0);
	assert_int_equal(save(link, INTERFACE, &reason), 1);
	assert_file(path, INTERFACE, 0400);
	assert_int_equal(lstat(link, &after), 0);
	assert_true(S_ISLNK(after.st_mode));
	unlink(link);
	unlink(path);
}

static void a_file_with_errors_is_not_changed(void **state)
{
	struct reason reason = { 0 };
	char path[64];

	snprintf(path, sizeof path, "%s/site.conf", folder);
	assert_int_equal(save(path, INTERFACE, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "site.conf"));
	write_config(path, INTERFACE "MTU = nonsense\n", 0600);
	assert_int_equal(save(path, INTERFACE PEER_A, &reason), -EINVAL);
	assert_non_null(strstr(reason.text, "has errors"));
	assert_file(path, INTERFACE "MTU = nonsense\n", 0600);
	unlink(path);
}

/* The limit on the size of files applies to root, too, unlike the mode of a folder. */
static void nothing_is_left_when_the_new_file_cannot_be_written(void **state)
{
	const struct rlimit limit = { strlen(INTERFACE), RLIM_INFINITY };
	struct reason reason = { 0 };
	struct rlimit before;
	char path[64];

	snprintf(path, sizeof path, "%s/site.conf", folder);
	write_config(path, INTERFACE, 0600);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(save(path, INTERFACE PEER_A, &reason), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(reason.text, "site.conf"));
	assert_file(path, INTERFACE, 0600);
	unlink(path);
	assert_int_equal(rmdir(folder), 0); /* no temporary file */
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void nothing_changes_when_no_file_can_be_created(void **state)
{
	char path[64], name[252], target[400];
	struct reason reason = { 0 };

	/* The name of the new file is longer, and exceeds the limit of 255 bytes. */
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(path, sizeof path, "%s/site.conf", folder);
	snprintf(target, sizeof target, "%s/%s", folder, name);
	write_config(target, INTERFACE, 0600);
	assert_int_equal(symlink(name, path), 0);
	assert_int_equal(save(path, INTERFACE PEER_A, &reason), -ENAMETOOLONG);
	assert_file(target, INTERFACE, 0600);
	unlink(path);
	unlink(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_equal_state_changes_nothing),
		cmocka_unit_test(the_order_of_prefixes_does_not_matter),
		cmocka_unit_test(absent_settings_of_the_interface_stay),
		cmocka_unit_test(values_are_replaced_in_their_line),
		cmocka_unit_test(addresses_are_only_added),
		cmocka_unit_test(missing_keys_are_added_to_their_section),
		cmocka_unit_test(removed_values_lose_their_lines),
		cmocka_unit_test(an_endpoint_that_is_a_name_stays),
		cmocka_unit_test(removed_peers_lose_their_section_and_its_comments),
		cmocka_unit_test(new_peers_get_a_section_at_the_end),
		cmocka_unit_test(a_prefix_moves_between_peers),
		cmocka_unit_test(sections_of_one_peer_are_edited_together),
		cmocka_unit_test(a_peer_with_our_own_key_stays),
		cmocka_unit_test(a_key_in_a_file_of_its_own_stays),
		cmocka_unit_test(a_key_in_a_credential_stays_unless_a_later_line_overrides_it),
		cmocka_unit_test(a_peer_of_another_file_is_not_added),
		cmocka_unit_test(random_states_survive_a_round_trip),
		cmocka_unit_test(a_file_is_replaced_with_mode_0600_at_most),
		cmocka_unit_test(a_file_with_errors_is_not_changed),
		cmocka_unit_test(nothing_is_left_when_the_new_file_cannot_be_written),
		cmocka_unit_test(nothing_changes_when_no_file_can_be_created),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
