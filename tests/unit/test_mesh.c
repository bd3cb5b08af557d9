/* SPDX-License-Identifier: MIT */
/* Tests of adit mesh: each run is a child process with files as its standard streams, in a folder of its own. */
#include <sodium.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "config/ini.h"
#include "mesh_rig.h"

#define LIST "network = 10.9.0.0/24\ninterface = lab\n"
#define ABC LIST "a a.example.org\nb b.example.org\nc -\n"

static char folder[] = "/tmp/test_mesh.XXXXXX";

#define run_mesh(...) run_command_mesh((char *[]) { "mesh", __VA_ARGS__, NULL })

/* Makes the list and, in a new folder, the files of its hosts. */
static void make_mesh(const char *list)
{
	nftw("out", remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	write_text("list", list);
	assert_int_equal(run_mesh("list", "--out", "out").code, 0);
}

static void assert_run(struct outcome outcome, int code, const char *output, const char *errors)
{
	assert_string_equal(outcome.errors, errors);
	assert_string_equal(outcome.output, output);
	assert_int_equal(outcome.code, code);
}

/* The file of a host after the parser has read it. The caller destroys the configuration. */
static struct config load(const char *host)
{
	struct ini_report report = { 0 };
	struct config config = { 0 };
	char path[64];

	snprintf(path, sizeof path, "out/%s/lab.conf", host);
	assert_int_equal(ini_load(&config, path, &report), 0);
	assert_int_equal(report.warnings, 0);
	return config;
}

/* True if the private key, or the preshared key with a peer of this address, is the same in both. */
static bool same_private_key(const struct config *a, const struct config *b)
{
	return memcmp(a->private_key, b->private_key, KEY_BYTES) == 0;
}

static const struct config_peer *peer_at(const struct config *config, const char *address)
{
	struct ip_prefix prefix;

	assert_true(prefix_from_text(&prefix, address));
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (prefix_equal(&peer->allowed_ips->prefix, &prefix))
			return peer;
	}
	return NULL;
}

static bool same_psk(const struct config *a, const struct config *b, const char *address)
{
	return memcmp(peer_at(a, address)->preshared_key, peer_at(b, address)->preshared_key, KEY_BYTES) == 0;
}

static void the_first_run_makes_private_files(void **state)
{
	static const char *const paths[] = { "out/a/lab.conf", "out/b/lab.conf", "out/c/lab.conf",
										 "out/mesh.txt",   "out/mesh.dot",   "out/mesh.svg" };
	static const char *const folders[] = { "out", "out/a", "out/b", "out/c" };
	struct stat status;
	mode_t mask = umask(0);

	make_mesh(ABC);
	umask(mask);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		assert_int_equal(stat(paths[i], &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		assert_int_equal(stat(folders[i], &status), 0);
		assert_int_equal(status.st_mode & 07777, 0700);
	}
}

static void a_second_run_writes_nothing(void **state)
{
	struct stat before, after;

	make_mesh(ABC);
	assert_int_equal(stat("out/a/lab.conf", &before), 0);
	assert_run(run_mesh("list", "--out", "out"), 0, "no file of a host changed\n", "");
	assert_int_equal(stat("out/a/lab.conf", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	/* The path of the list is no part of the files. */
	assert_run(run_mesh("./list", "--out=out/"), 0, "no file of a host changed\n", "");
}

static void a_new_host_changes_no_other_key(void **state)
{
	struct config a, b, new_a, new_b, d;

	make_mesh(ABC);
	a = load("a"), b = load("b");
	write_text("list", LIST "d d.example.org\na a.example.org\nb b.example.org\nc -\n");
	assert_run(run_mesh("list", "--out", "out", "--dry-run"), 0,
			   "1 host added: d; 4 files changed: d, a, b, c (dry run: nothing was written)\n", "");
	assert_int_equal(access("out/d", F_OK), -1);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: d; 4 files changed: d, a, b, c\n", "");
	new_a = load("a"), new_b = load("b"), d = load("d");
	assert_true(same_private_key(&a, &new_a));
	assert_true(same_private_key(&b, &new_b));
	assert_true(same_psk(&a, &new_a, "10.9.0.2/32"));
	assert_true(same_psk(&b, &new_b, "10.9.0.3/32"));
	assert_int_equal(a.addresses->prefix.address[3], new_a.addresses->prefix.address[3]);
	assert_int_equal(d.addresses->prefix.address[3], 4);
	assert_int_equal(d.peer_count, 3);
	config_destroy(&a), config_destroy(&b), config_destroy(&new_a), config_destroy(&new_b), config_destroy(&d);
}

static void a_spoke_changes_only_the_file_of_its_hub(void **state)
{
#define HUB LIST "topology = hub\nhub = a\na a.example.org\nb -\nc -\n"
	make_mesh(HUB);
	write_text("list", HUB "d -\n");
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: d; 2 files changed: a, d\n", "");
}

static void spokes_keep_their_primary_hub(void **state)
{
#define TWO_HUBS LIST "topology = two-hubs\nhub = a, b\na a.example.org\nb b.example.org\n"
	make_mesh(TWO_HUBS "c -\nd -\ne -\n");
	write_text("list", TWO_HUBS "d -\ne -\n");
	assert_int_equal(run_mesh("list", "--out", "out").code, 0);
	write_text("list", TWO_HUBS "f -\nd -\ne -\n");
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: f; 4 files changed: a, b, f, d\n", "");
}

static void a_removed_host_is_moved(void **state)
{
	char text[4096], moved[4096];

	make_mesh(ABC);
	read_text("out/b/lab.conf", text, sizeof text);
	write_text("list", LIST "a a.example.org\nc -\n");
	assert_run(run_mesh("list", "--out", "out", "--dry-run"), 0,
			   "b: not in the list any more; the folder would move to out/removed\n"
			   "1 host removed; 2 files changed: a, c (dry run: nothing was written)\n",
			   "");
	assert_int_equal(access("out/b/lab.conf", F_OK), 0);
	assert_run(run_mesh("list", "--out", "out"), 0,
			   "b: not in the list any more; the folder is now out/removed/b. To end its tunnel, run there: systemctl "
			   "disable --now adit@lab\n"
			   "1 host removed; 2 files changed: a, c\n",
			   "");
	assert_string_equal(read_text("out/removed/b/lab.conf", moved, sizeof moved), text);
	/* A host that returns has new keys. When it leaves again, both folders stay. */
	write_text("list", ABC);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: b; 3 files changed: a, b, c\n", "");
	write_text("list", LIST "a a.example.org\nc -\n");
	assert_int_equal(run_mesh("list", "--out", "out").code, 0);
	assert_string_equal(read_text("out/removed/b/lab.conf", moved, sizeof moved), text);
	assert_string_not_equal(read_text("out/removed/b.2/lab.conf", moved, sizeof moved), text);
	/* Nothing is lost: the folder can be moved back. */
	assert_int_equal(rename("out/removed/b", "out/b"), 0);
	write_text("list", ABC);
	assert_run(run_mesh("list", "--out", "out"), 0, "2 files changed: a, c\n", "");
	assert_string_equal(read_text("out/b/lab.conf", moved, sizeof moved), text);
}

/* Inserts a line after the first line that begins with `after`. */
static void insert_line(const char *path, const char *after, const char *line)
{
	char text[4096], edited[8192];
	char *at = strstr(read_text(path, text, sizeof text), after);

	assert_non_null(at);
	at = strchr(at, '\n') + 1;
	snprintf(edited, sizeof edited, "%.*s%s\n%s", (int)(at - text), text, line, at);
	write_text(path, edited);
}

static void lines_added_to_the_interface_are_kept(void **state)
{
	static const char added[] = "# for the lab\nPostUp = echo [Peer] # up\nDNS=10.9.0.1\n";
	char before[4096], text[4096];

	make_mesh(ABC);
	insert_line("out/a/lab.conf", "PrivateKey", "# for the lab\nPostUp = echo [Peer] # up");
	insert_line("out/a/lab.conf", "Address", "DNS=10.9.0.1");
	write_text("list", ABC "d d.example.org\n");
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: d; 4 files changed: a, b, c, d\n", "");
	assert_non_null(strstr(read_text("out/a/lab.conf", before, sizeof before), added));
	assert_run(run_mesh("list", "--out", "out"), 0, "no file of a host changed\n", "");
	assert_int_equal(run_mesh("list", "--out", "out", "--rotate", "a").code, 0);
	assert_non_null(strstr(read_text("out/a/lab.conf", text, sizeof text), added));
}

/* As an editor of another system saves it. */
static void a_byte_order_mark_and_carriage_returns_are_not_kept(void **state)
{
	char before[4096], text[4096], saved[8192] = "\xef\xbb\xbf";
	size_t length = strlen(saved);

	make_mesh(ABC);
	insert_line("out/a/lab.conf", "PrivateKey", "DNS = 10.9.0.1");
	assert_run(run_mesh("list", "--out", "out"), 0, "1 file changed: a\n", "");
	for (const char *from = read_text("out/a/lab.conf", before, sizeof before); *from; from++)
		length += (size_t)snprintf(saved + length, sizeof saved - length, *from == '\n' ? "\r%c" : "%c", *from);
	write_text("out/a/lab.conf", saved);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 file changed: a\n", "");
	assert_string_equal(read_text("out/a/lab.conf", text, sizeof text), before);
}

/* The head of the file announces it. */
static void values_changed_in_a_peer_follow_the_list(void **state)
{
	char before[4096], text[4096], *at;

	make_mesh(ABC);
	read_text("out/a/lab.conf", before, sizeof before);
	assert_non_null(strstr(before, "are kept. All other values, also those of the peers, follow the list.\n"));
	strcpy(text, before);
	at = strstr(text, "AllowedIPs = 10.9.0.2");
	assert_non_null(at);
	at[strlen("AllowedIPs = 10.9.0.")] = '7';
	write_text("out/a/lab.conf", text);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 file changed: a\n", "");
	assert_string_equal(read_text("out/a/lab.conf", text, sizeof text), before);
}

static void lines_added_to_a_peer_are_an_error(void **state)
{
	static const char *const lines[] = { "Description = x", "# my peer" };
	char before[4096], text[4096];

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		make_mesh(ABC);
		insert_line("out/a/lab.conf", "[Peer]", lines[i]);
		read_text("out/a/lab.conf", before, sizeof before);
		assert_run(run_mesh("list", "--out", "out"), 1, "",
				   "adit mesh: out/a/lab.conf:11: error: adit mesh writes the [Peer] sections and would lose this "
				   "line; move it "
				   "to [Interface] or delete it\n");
		assert_string_equal(read_text("out/a/lab.conf", text, sizeof text), before);
	}
}

static void foreign_folders_are_left_alone(void **state)
{
	make_mesh(ABC);
	assert_int_equal(mkdir("out/notes", 0755), 0);
	assert_int_equal(mkdir("out/other", 0755), 0);
	write_text("out/other/lab.conf", "[Interface]\n");
	assert_run(run_mesh("list", "--out", "out"), 0, "no file of a host changed\n", "");
	assert_int_equal(access("out/notes", F_OK), 0);
	assert_int_equal(access("out/other/lab.conf", F_OK), 0);
}

static void rotation_changes_the_keys_of_one_host(void **state)
{
	struct config a, b, c, new_a, new_b, new_c;

	make_mesh(ABC);
	a = load("a"), b = load("b"), c = load("c");
	assert_run(run_mesh("list", "--out", "out", "--rotate", "b"), 0,
			   "1 host with new keys: b; 3 files changed: a, b, c\n", "");
	new_a = load("a"), new_b = load("b"), new_c = load("c");
	assert_true(same_private_key(&a, &new_a));
	assert_false(same_private_key(&b, &new_b));
	assert_true(same_private_key(&c, &new_c));
	assert_true(same_psk(&a, &new_a, "10.9.0.3/32"));
	assert_false(same_psk(&a, &new_a, "10.9.0.2/32"));
	assert_false(same_psk(&c, &new_c, "10.9.0.2/32"));
	assert_memory_equal(peer_at(&new_a, "10.9.0.2/32")->preshared_key, peer_at(&new_b, "10.9.0.1/32")->preshared_key,
						KEY_BYTES);
	config_destroy(&a), config_destroy(&b), config_destroy(&c);
	config_destroy(&new_a), config_destroy(&new_b), config_destroy(&new_c);
	assert_run(run_mesh("list", "--out", "out", "--rotate=x"), 1, "",
			   "adit mesh: --rotate: there is no host \"x\" in list\n");
}

/* Any prefix of the renames of a run may have happened. The next run completes it, and again makes no new keys. */
static void an_interrupted_run_is_completed(void **state)
{
	static char old_a[8192], old_c[8192], new_a[8192], new_b[8192], text[8192];

	make_mesh(ABC);
	read_text("out/a/lab.conf", old_a, sizeof old_a);
	read_text("out/c/lab.conf", old_c, sizeof old_c);
	assert_int_equal(run_mesh("list", "--out", "out", "--rotate", "b").code, 0);
	read_text("out/a/lab.conf", new_a, sizeof new_a);
	read_text("out/b/lab.conf", new_b, sizeof new_b);
	write_text("out/a/lab.conf", old_a);
	write_text("out/c/lab.conf", old_c);
	write_text("out/a/.lab.conf.new", "left behind");
	assert_run(run_mesh("list", "--out", "out"), 0, "2 files changed: a, c\n", "");
	assert_string_equal(read_text("out/a/lab.conf", text, sizeof text), new_a);
	assert_string_equal(read_text("out/b/lab.conf", text, sizeof text), new_b);
	assert_int_equal(access("out/a/.lab.conf.new", F_OK), -1);
	write_text("out/a/.lab.conf.new", "left behind");
	assert_run(run_mesh("list", "--out", "out", "--dry-run"), 0,
			   "no file of a host changed (dry run: nothing was written)\n", "");
	assert_int_equal(access("out/a/.lab.conf.new", F_OK), 0);
	assert_run(run_mesh("list", "--out", "out"), 0, "no file of a host changed\n", "");
	assert_int_equal(access("out/a/.lab.conf.new", F_OK), -1);
	/* Lost: the file of a host without keys of its own. The pairs of the others stay. */
	assert_int_equal(unlink("out/c/lab.conf"), 0);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 host added: c; 3 files changed: a, b, c\n", "");
}

static void a_broken_file_stops_the_run(void **state)
{
	char text[8192], after[8192];

	make_mesh(ABC);
	read_text("out/a/lab.conf", text, sizeof text);
	write_text("out/b/lab.conf", "[Interface]\nPrivateKey = x\n");
	assert_run(
		run_mesh("list", "--out", "out", "--rotate", "a"), 1, "",
		"adit mesh: out/b/lab.conf:2: error: PrivateKey: the value is not a key (44 characters of base64, ending "
		"in \"=\")\n");
	write_text("out/b/lab.conf", "[Interface]\n");
	assert_run(run_mesh("list", "--out", "out", "--rotate", "a"), 1, "",
			   "adit mesh: out/b/lab.conf: error: the file has no PrivateKey\n");
	write_text("out/b/lab.conf", text);
	assert_run(
		run_mesh("list", "--out", "out", "--rotate", "a"), 1, "",
		"adit mesh: hosts a and b have the same private key; remove the folder of one of them to make a new key\n");
	assert_string_equal(read_text("out/a/lab.conf", after, sizeof after), text);
	/* A change by hand is undone, and so is a wrong mode. */
	make_mesh(ABC);
	assert_int_equal(chmod("out/b/lab.conf", 0644), 0);
	assert_run(run_mesh("list", "--out", "out"), 0, "1 file changed: b\n", "");
}

static void another_interface_does_not_take_the_keys(void **state)
{
	make_mesh(ABC);
	write_text("list", "interface = wan\nnetwork = 10.9.0.0/24\na a.example.org\nb b.example.org\n");
	assert_run(
		run_mesh("list", "--out", "out"), 1, "",
		"adit mesh: out/a/lab.conf is for another interface than \"wan\"; rename this file in the folder of each "
		"host to keep the keys, or use another --out\n");
	assert_int_equal(rename("out/a/lab.conf", "out/a/wan.conf"), 0);
	assert_int_equal(rename("out/b/lab.conf", "out/b/wan.conf"), 0);
	assert_run(run_mesh("list", "--out", "out"), 0, "2 files changed: a, b\n", "");
}

static void a_second_run_at_the_same_time_is_refused(void **state)
{
	int fd;

	make_mesh(ABC);
	fd = open("out", O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_run(run_mesh("list", "--out", "out"), 1, "", "adit mesh: out: another adit mesh is using this folder\n");
	close(fd);
	assert_int_equal(run_mesh("list", "--out", "out").code, 0);
}

static void a_full_network_is_reported(void **state)
{
	write_text("list", "network = 10.9.0.0/30\na a\nb b\nc c\n");
	nftw("out", remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	assert_run(run_mesh("list", "--out", "out"), 1, "",
			   "adit mesh: list:4: error: address: the network has no free address left for host c\n");
	assert_int_equal(access("out/a", F_OK), -1);
}

static void pairs_without_a_path_are_named(void **state)
{
	struct outcome outcome;

	write_text("list", LIST "a a.example.org auto - x\nb -\nc -\n");
	nftw("out", remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	outcome = run_mesh("list", "--out", "out");
	assert_int_equal(outcome.code, 0);
	assert_string_equal(
		outcome.errors,
		"list:3: warning: host a has no tunnel to any other host\n"
		"list:5: warning: no tunnel between b and c, because neither has an endpoint; with \"hub = NAME\", "
		"a host relays\n"
		"list:4: warning: host b has no tunnel to any other host\n"
		"list:5: warning: host c has no tunnel to any other host\n");
}

static void wrong_command_lines_are_reported(void **state)
{
	static const char usage[] = "adit mesh: an argument is missing; usage: adit mesh HOSTS --out DIR "
								"[--rotate HOST]... [--dry-run] [--install [--user USER]]; adit mesh HOSTS --status "
								"[--svg FILE] [--user USER]\n";

	write_text("list", ABC);
	assert_run(run_mesh("list"), 1, "", usage);
	assert_run(run_mesh("--out", "out"), 1, "", usage);
	assert_run(run_mesh("list", "--out"), 1, "", "adit mesh: --out: the value is missing\n");
	assert_run(run_mesh("list", "--out="), 1, "", "adit mesh: --out: the value is missing\n");
	assert_run(run_mesh("list", "--out", "out", "--out=b"), 1, "", "adit mesh: --out: the option is given twice\n");
	assert_run(run_mesh("list", "--out", "out", "x"), 1, "", "adit mesh: \"x\" is one argument too many\n");
	assert_run(run_mesh("list", "--output", "out"), 1, "",
			   "adit mesh: \"--output\" is not an option of this command\n");
	assert_run(run_mesh("list", "--out", "out", "--user", "root"), 1, "",
			   "adit mesh: --user: the option needs --install or --status\n");
	assert_run(run_mesh("list", "--out", "out", "--svg", "x"), 1, "", "adit mesh: --svg: the option needs --status\n");
	assert_run(run_mesh("list", "--status", "--out", "out"), 1, "",
			   "adit mesh: --status: the option makes no files, and accepts only --svg and --user\n");
	assert_run(run_mesh("list", "--status", "--svg"), 1, "", "adit mesh: --svg: the value is missing\n");
	assert_run(run_mesh("no-list", "--status"), 1, "", "no-list: error: No such file or directory\n");
	assert_run(run_mesh("list", "--out", "out", "--install", "--user", "-x"), 1, "",
			   "adit mesh: --user: the value is not the name of a user\n");
	assert_run(run_mesh("no-list", "--out", "out"), 1, "", "no-list: error: No such file or directory\n");
	assert_run(run_mesh("list", "--out", "no/out"), 1, "", "adit mesh: no/out: No such file or directory\n");
	write_text("list", "a\x01 x\n");
	assert_int_equal(run_mesh("list", "--out", "out").code, 1);
}

static int setup(void **state)
{
	return sodium_init() < 0 || !mkdtemp(folder) || chdir(folder) ? -1 : 0;
}

static int teardown(void **state)
{
	return chdir("/") || nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_run_makes_private_files),
		cmocka_unit_test(a_second_run_writes_nothing),
		cmocka_unit_test(a_new_host_changes_no_other_key),
		cmocka_unit_test(a_spoke_changes_only_the_file_of_its_hub),
		cmocka_unit_test(spokes_keep_their_primary_hub),
		cmocka_unit_test(a_removed_host_is_moved),
		cmocka_unit_test(lines_added_to_the_interface_are_kept),
		cmocka_unit_test(a_byte_order_mark_and_carriage_returns_are_not_kept),
		cmocka_unit_test(values_changed_in_a_peer_follow_the_list),
		cmocka_unit_test(lines_added_to_a_peer_are_an_error),
		cmocka_unit_test(foreign_folders_are_left_alone),
		cmocka_unit_test(rotation_changes_the_keys_of_one_host),
		cmocka_unit_test(an_interrupted_run_is_completed),
		cmocka_unit_test(a_broken_file_stops_the_run),
		cmocka_unit_test(another_interface_does_not_take_the_keys),
		cmocka_unit_test(a_second_run_at_the_same_time_is_refused),
		cmocka_unit_test(a_full_network_is_reported),
		cmocka_unit_test(pairs_without_a_path_are_named),
		cmocka_unit_test(wrong_command_lines_are_reported),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
