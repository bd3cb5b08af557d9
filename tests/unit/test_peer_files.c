/* SPDX-License-Identifier: MIT */
/*
 * Tests of init and peer: what they write. Each command runs in a child process, in a folder of its own. No daemon
 * runs: tests/netns/peers.py has those tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "config/ini.h"
#include "new_file.h"
#include "qr.h"

#define KEY "+d6ITabZ3wPagXq2kcR1jrneQRSy/ghs4hyXww5w8TU="
#define OTHER_KEY "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define NOT_RUNNING "site is not running; the change takes effect when it starts\n"

enum { PROCESSES = 12, WORDS_MAX = 24 };

static char folder[] = "/tmp/test_peer_files.XXXXXX";
static char output[16384], errors[16384];

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
	return remove(path);
}

static void read_text(const char *name, char *text, size_t room)
{
	FILE *file = fopen(name, "r");

	if (!file)
		fail_msg("%s: %s", name, strerror(errno));
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void redirect(int fd, const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(100);
}

/* Starts a command line, whose words are separated by single blanks. */
static pid_t start(const char *line, const char *out, const char *err)
{
	char copy[1024], *words[WORDS_MAX + 1] = { NULL };
	int count = 0, code;
	pid_t child;

	snprintf(copy, sizeof copy, "%s", line);
	for (char *word = strtok(copy, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	fflush(NULL);
	child = fork();
	if (child)
		return child;
	redirect(STDOUT_FILENO, out);
	redirect(STDERR_FILENO, err);
	code = strcmp(words[0], "init") == 0    ? command_init(count, words)
		   : strcmp(words[0], "check") == 0 ? command_check(count, words)
											: command_peer(count, words);
	fflush(NULL);
	_exit(code);
}

/* Runs a command line and expects its exit code. Its output is in `output` and `errors`. */
static void run_line(int code, const char *line)
{
	int status;
	pid_t child = start(line, "out", "err");

	assert_int_equal(waitpid(child, &status, 0), child);
	read_text("out", output, sizeof output);
	read_text("err", errors, sizeof errors);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		fail_msg("%s: status %d\n%s%s", line, status, output, errors);
}

static void expect_error(const char *line, const char *expected)
{
	run_line(1, line);
	assert_string_equal(errors, expected);
	assert_string_equal(output, "");
}

static bool exists(const char *name)
{
	return access(name, F_OK) == 0;
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	assert_int_equal(stat(name, &status), 0);
	return status.st_mode & 07777;
}

static size_t entries_of(const char *name)
{
	char command[256], text[32];
	FILE *pipe;

	snprintf(command, sizeof command, "ls -A %s | wc -l", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(text, sizeof text, pipe));
	pclose(pipe);
	return strtoul(text, NULL, 10);
}

static void load(struct config *config, const char *name)
{
	struct ini_report report = { 0 };

	*config = (struct config) { 0 };
	assert_int_equal(ini_load(config, name, &report), 0);
	assert_int_equal(report.warnings, 0);
}

static int enter_folder(void **state)
{
	return chdir("/") || (nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT) ||
		   mkdir(folder, 0700) || chdir(folder);
}

static void init_writes_a_file_that_check_accepts(void **state)
{
	uint8_t public_key[KEY_BYTES];
	char base64[KEY_BASE64];
	struct config config;

	run_line(0, "init etc/site.conf --address 10.9.0.1/24,fd09::1/64 --listen-port 4000 --peer " KEY
				" --name left --endpoint left.example.org:51820 --keepalive 25");
	assert_int_equal(mode_of("etc"), 0700);
	assert_int_equal(mode_of("etc/site.conf"), 0600);
	assert_int_equal(mode_of("etc/site.d"), 0700);
	load(&config, "etc/site.conf");
	assert_int_equal(config.listen_port, 4000);
	assert_int_equal(config.peer_count, 1);
	assert_string_equal(config_peer_name(config.peers), "left");
	assert_string_equal(config.peers->endpoint_host, "left.example.org");
	assert_int_equal(config.peers->keepalive, 25);
	assert_int_equal(config.peers->allowed_ips->prefix.length, 24); /* the networks of the tunnel */
	assert_int_equal(config.peers->allowed_ips->next->prefix.length, 64);
	crypto_scalarmult_base(public_key, config.private_key);
	key_to_base64(base64, public_key);
	output[strcspn(output, "\n")] = '\0';
	assert_string_equal(output, base64);
	config_destroy(&config);
	run_line(0, "check --strict etc/site.conf");
	assert_string_equal(errors, "");
}

static void init_never_overwrites(void **state)
{
	write_text("site.conf", "mine");
	expect_error("init ./site.conf --address 10.9.0.1/24", "adit init: ./site.conf: File exists\n");
	assert_int_equal(symlink("nowhere", "link.conf"), 0);
	expect_error("init ./link.conf --address 10.9.0.1/24", "adit init: ./link.conf: File exists\n");
	assert_false(exists("link.d"));
	write_text("busy.d", "");
	expect_error("init ./busy.conf --address 10.9.0.1/24", "adit init: ./busy.d: Not a directory\n");
	assert_false(exists("busy.conf"));
	read_text("site.conf", output, sizeof output);
	assert_string_equal(output, "mine");
	assert_false(exists("site.d"));
}

static void init_names_the_peers_of_an_earlier_folder(void **state)
{
	assert_int_equal(mkdir("site.d", 0700), 0);
	run_line(0, "init ./site.conf --address 10.9.0.1/24 --listen-port 0");
	assert_non_null(strstr(errors, "There is no peer yet. "));
	assert_null(strstr(errors, "firewall")); /* the port is random */
	assert_int_equal(unlink("site.conf"), 0);
	write_text("site.d/one.conf", "[Peer]\nName = one\nPublicKey = " OTHER_KEY "\n");
	run_line(0, "init ./site.conf --address 10.9.0.1/24 --peer " KEY);
	assert_non_null(strstr(errors, "The folder site.d existed, and 1 peer in it belongs to this tunnel, too:\n"
								   "  adit peer list ./site.conf\n"));
}

static void the_address_of_a_host_is_not_special(void **state)
{
	static const struct {
		const char *address, *kind;
	} cases[] = {
		{ "224.0.0.1/24", "a multicast address" },         { "ff02::1/64", "a multicast address" },
		{ "127.0.0.2/8", "a loopback address" },           { "::1/128", "a loopback address" },
		{ "0.0.0.0/0", "the unspecified address" },        { "::/0", "the unspecified address" },
		{ "255.255.255.255/32", "the broadcast address" },
	};

	run_line(0, "init ./site.conf --address 10.9.0.1/24");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int bytes = (int)strcspn(cases[i].address, "/");
		char line[100], expected[200];

		snprintf(line, sizeof line, "init ./a.conf --address 10.9.0.1/24,%s", cases[i].address);
		snprintf(expected, sizeof expected,
				 "adit init: --address: %s is %s; give the address of this host, as in 10.9.0.1/24\n", cases[i].address,
				 cases[i].kind);
		expect_error(line, expected);
		snprintf(line, sizeof line, "peer add site.conf bob --address %s", cases[i].address);
		snprintf(expected, sizeof expected, "adit peer add: --address: %.*s/%s is %s; give the address of a host\n",
				 bytes, cases[i].address, strchr(cases[i].address, ':') ? "128" : "32", cases[i].kind);
		expect_error(line, expected);
	}
	assert_false(exists("a.conf"));
	assert_int_equal(entries_of("site.d"), 0);
}

/* Each option is right, and their combination is not. */
static void init_checks_the_whole_file(void **state)
{
	expect_error("init ./a.conf --address 10.9.0.1/24 --peer " KEY " --allowed-ips 10.9.0.2/32 --peer " KEY
				 " --allowed-ips 10.9.0.3/32",
				 "adit init: not written: ./a.conf:13: warning: [Peer]: PublicKey is also that of the peer on line 9; "
				 "both sections are merged\n");
	expect_error("init ./a.conf --address 10.9.0.1/24,fd09::1/64,10.9.0.1/24",
				 "adit init: not written: ./a.conf:4: warning: Address: 10.9.0.1/24 is listed twice\n");
	expect_error("init ./all.conf --address 10.9.0.1/24",
				 "adit init: not written: ./all.conf: error: the kernel reserves the name all, so no interface can "
				 "have it; rename the file\n");
	assert_false(exists("a.conf") || exists("all.conf") || exists("a.d"));
}

static void init_names_the_option_that_is_wrong(void **state)
{
	expect_error("init", "adit init: the arguments are FILE --address LIST [OPTION]...; see \"adit init --help\"\n");
	expect_error("init ./a.conf",
				 "adit init: the arguments are FILE --address LIST [OPTION]...; see \"adit init --help\"\n");
	expect_error("init ./a.conf --address", "adit init: --address: the value is missing\n");
	expect_error("init ./a.conf --address ,", "adit init: --address: the value is missing\n");
	expect_error("init ./a.conf --address 10.9.0.1/24 --peer " KEY " --allowed-ips ,",
				 "adit init: --allowed-ips: the value is missing\n");
	expect_error("init ./a.conf --address=10.9.0.1/24 --address 10.9.0.2/24",
				 "adit init: --address: the option is given twice\n");
	expect_error("init ./a.conf --address 10.9.0.0/24", "adit init: --address: 10.9.0.0/24 is the network itself; "
														"give the address of this host, as in 10.9.0.1/24\n");
	expect_error("init ./a.conf --address 10.9.0.1/24,10.9.1.255/24",
				 "adit init: --address: 10.9.1.255/24 is the broadcast address; give the address of this host, as in "
				 "10.9.0.1/24\n");
	expect_error("init ./a.conf --address 10.9.0.1",
				 "adit init: --address: the length of the network is missing, as in 10.9.0.1/24 or fd09::1/64\n");
	expect_error("init ./a.conf --address 10.9.0.1/24,fd09::1",
				 "adit init: --address: the length of the network is missing, as in 10.9.0.1/24 or fd09::1/64\n");
	expect_error(
		"init ./a.conf --address 10.9.0/24",
		"adit init: --address: \"10.9.0/24\" is not an address or a network such as 10.0.0.0/24 or fd00::/64\n");
	expect_error("init ./a.conf --address 10.9.0.1/24 --endpoint h:1",
				 "adit init: --endpoint: the option describes a peer; put it after --peer KEY\n");
	expect_error("init ./a.conf --address 10.9.0.1/24 --peer abc",
				 "adit init: --peer: the value is not a key (44 characters of base64, ending in \"=\")\n");
	expect_error(
		"init ./a.conf --address 10.9.0.1/24 --peer " KEY " --endpoint h",
		"adit init: --endpoint: \"h\" is not HOST:PORT or [IPV6]:PORT with a port from 1 to 65535 or a UDP service\n");
	expect_error("init ./a.conf --address 10.9.0.1/24 --peer " KEY " --peer " KEY,
				 "adit init: --peer " KEY ": --allowed-ips is missing; with several peers, each needs it\n");
	expect_error("init ./a.conf --adress 10.9.0.1/24",
				 "adit init: \"--adress\" is not an option; see \"adit init --help\"\n");
	expect_error("init ./a.txt --address 10.9.0.1/24", "adit init: ./a.txt: the name of an interface is 1 to 15 "
													   "characters of a-z A-Z 0-9 _ = + . -, not starting with "
													   "-, and the file is NAME.conf\n");
	assert_int_equal(entries_of("."), 2); /* out and err */
}

static void add_makes_both_files_of_a_peer(void **state)
{
	struct config here, there;
	uint8_t key[KEY_BYTES];

	run_line(0, "init ./site.conf --address 10.9.0.1/24,fd09::1/64");
	run_line(0, "peer add site.conf alice --our-endpoint vpn.example.org --keepalive 25 --output alice.conf "
				"--allowed-ips 192.168.7.0/24 --description a=b");
	assert_string_equal(output, "");
	assert_string_equal(errors, "adit peer add: " NOT_RUNNING
								"adit peer add: alice has 10.9.0.2/32, fd09::2/128, in site.d/alice.conf\n");
	assert_int_equal(mode_of("site.d/alice.conf"), 0600);
	assert_int_equal(mode_of("alice.conf"), 0600);
	load(&here, "site.conf");
	load(&there, "alice.conf");
	assert_int_equal(here.peer_count, 1);
	assert_string_equal(config_peer_name(here.peers), "alice");
	crypto_scalarmult_base(key, there.private_key);
	assert_memory_equal(here.peers->public_key, key, KEY_BYTES);
	crypto_scalarmult_base(key, here.private_key);
	assert_memory_equal(there.peers->public_key, key, KEY_BYTES);
	assert_true(here.peers->has_preshared_key);
	assert_memory_equal(here.peers->preshared_key, there.peers->preshared_key, KEY_BYTES);
	assert_string_equal(there.peers->endpoint_host, "vpn.example.org");
	assert_string_equal(there.peers->endpoint_port, "51820");
	assert_int_equal(there.peers->keepalive, 25);
	assert_int_equal(here.peers->allowed_ips->prefix.length, 32);
	assert_int_equal(here.peers->allowed_ips->next->prefix.length, 128);
	assert_int_equal(here.peers->allowed_ips->next->next->prefix.length, 24);
	assert_int_equal(there.addresses->prefix.address[3], 2);
	assert_int_equal(there.peers->allowed_ips->prefix.length, 24);
	config_destroy(&here);
	config_destroy(&there);
}

static void add_prints_the_file_of_the_peer(void **state)
{
	struct config config;

	run_line(0, "init ./site.conf --address 10.9.0.1/24");
	run_line(0, "peer add site.conf bob --our-endpoint 2001:db8::1 --dns 10.9.0.1 --routes 0.0.0.0/0 --no-reload");
	assert_string_equal(errors, "adit peer add: bob has 10.9.0.2/32, in site.d/bob.conf\n");
	assert_non_null(strstr(output, "\nDNS = 10.9.0.1\n"));
	assert_non_null(strstr(output, "\nAllowedIPs = 0.0.0.0/0\nEndpoint = [2001:db8::1]:51820\n"));
	run_line(0, "peer add site.conf carol --no-reload");
	assert_non_null(strstr(output, "\n# Endpoint = HOST:51820\n"));
	assert_non_null(strstr(errors, "warning: the peer's file has no Endpoint; fill it in, or give --our-endpoint\n"));
	run_line(0, "peer add site.conf dave --no-reload --public-key " KEY " --endpoint h:1 --address 10.9.0.77");
	assert_string_equal(output, "");
	load(&config, "site.d/../site.conf");
	assert_int_equal(config.peer_count, 3);
	assert_false(config.peers->next->next->has_preshared_key);
	config_destroy(&config);
}

static void add_shows_a_qr_code(void **state)
{
	run_line(0, "init ./site.conf --address 10.9.0.1/24");
	if (!qr_built_in()) {
		expect_error("peer add site.conf a --qr",
					 "adit peer add: --qr: this build has no QR support; use --output FILE\n");
		assert_int_equal(entries_of("site.d"), 0);
		return;
	}
	run_line(0, "peer add site.conf a --qr --our-endpoint h");
	assert_null(strstr(output, "PrivateKey"));
	assert_memory_equal(output, "\u2588\u2588\u2588\u2588", 12);                                 /* the margin */
	assert_non_null(strstr(output, "\u2588\u2588\u2588\u2588 \u2584\u2584\u2584\u2584\u2584 ")); /* the corner */
}

static void add_without_room_for_its_output_changes_nothing(void **state)
{
	pid_t child;
	int status;

	run_line(0, "init ./site.conf --address 10.9.0.1/24");
	child = start("peer add site.conf alice --our-endpoint h", "/dev/full", "err");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 1 << 8);
	read_text("err", errors, sizeof errors);
	assert_string_equal(errors, "adit peer add: standard output: No space left on device\n");
	assert_int_equal(entries_of("site.d"), 0);
}

static void add_names_what_is_wrong_and_changes_nothing(void **state)
{
	char own[KEY_BASE64], line[256];
	uint8_t key[KEY_BYTES];
	struct config config;

	run_line(0, "init ./site.conf --address 10.9.0.1/30");
	run_line(0, "peer add site.conf alice --no-reload --our-endpoint h");
	expect_error("peer add site.conf alice",
				 "adit peer add: there is a peer \"alice\" already, in site.d/alice.conf:1\n");
	expect_error("peer add site.conf bob", "adit peer add: no address of 10.9.0.1/30 is free\n");
	expect_error("peer add site.conf bob --address 10.9.0.2",
				 "adit peer add: --address: 10.9.0.2/32 belongs to the peer alice in site.d/alice.conf:1\n");
	expect_error(
		"peer add site.conf a/b",
		"adit peer add: \"a/b\" cannot be the name of a peer: at most 64 bytes, no blank, '/' or '#', no '.' or '-' at "
		"the start\n");
	expect_error("peer add site.conf bob --address 10.9.0.1",
				 "adit peer add: --address: 10.9.0.1/32 is the address of this host in site.conf\n");
	expect_error("peer add site.conf bob --address 10.9.0.3/32",
				 "adit peer add: --address: 10.9.0.3/32 is the broadcast address of 10.9.0.0/30\n");
	expect_error("peer add site.conf bob --address 10.9.0.0",
				 "adit peer add: --address: 10.9.0.0/32 is the address of the network 10.9.0.0/30\n");
	expect_error("peer add site.conf bob --address 10.9.1.3,fd09::3,10.9.1.4",
				 "adit peer add: --address: at most one IPv4 and one IPv6 address are allowed\n");
	expect_error("peer add site.conf bob --address 10.9.1.3,10.9.1.3",
				 "adit peer add: --address: at most one IPv4 and one IPv6 address are allowed\n");
	expect_error("peer add site.conf bob --address ,", "adit peer add: --address: the value is missing\n");
	expect_error("peer add site.conf bob --routes ,,", "adit peer add: --routes: the value is missing\n");
	expect_error("peer add site.conf bob --address 10.9.1.3 --allowed-ips 10.8.0.0/24,10.9.0.2/32",
				 "adit peer add: --allowed-ips: 10.9.0.2/32 belongs to the peer alice in site.d/alice.conf:1\n");
	expect_error("peer add site.conf bob --address 10.9.1.3 --allowed-ips 10.9.0.1/32",
				 "adit peer add: --allowed-ips: 10.9.0.1/32 is the address of this host in site.conf\n");
	expect_error("peer add site.conf bob --address 10.9.1.4 --output out", "adit peer add: out: File exists\n");
	expect_error("peer add site.conf bob --address 10.9.1.4 --output none/bob.conf --no-reload",
				 "adit peer add: none/bob.conf: No such file or directory\n");
	expect_error("peer add site.conf bob --output x --qr --address 10.9.0.3",
				 "adit peer add: --output and --qr: only one of them is allowed\n");
	expect_error("peer add site.conf bob --keepalive often",
				 "adit peer add: --keepalive: \"often\" is not off or a number of seconds up to 65535\n");
	expect_error(
		"peer add site.conf bob --public-key " KEY " --dns 10.9.0.1",
		"adit peer add: --public-key: the peer has a configuration of its own, so --our-endpoint, --routes, --dns, "
		"--keepalive, --output and --qr are not allowed\n");
	load(&config, "site.conf");
	crypto_scalarmult_base(key, config.private_key);
	config_destroy(&config);
	key_to_base64(own, key);
	snprintf(line, sizeof line, "peer add site.conf bob --address 10.9.1.4 --public-key %s", own);
	expect_error(line, "adit peer add: --public-key: this is the key of this host; give the key of the peer\n");
	expect_error("peer add site.conf",
				 "adit peer add: the arguments are FILE NAME [OPTION]...; see \"adit peer --help\"\n");
	expect_error("peer add none.conf bob", "none.conf: error: No such file or directory\n");
	expect_error("peer annoy site.conf",
				 "adit peer: \"annoy\" is not one of add, remove and list; see \"adit peer --help\"\n");
	assert_int_equal(entries_of("site.d"), 1);
}

static void add_needs_a_folder_a_network_and_a_port(void **state)
{
	write_text("site.conf", "[Interface]\nPrivateKey = " KEY "\n");
	expect_error("peer add site.conf a", "adit peer add: site.conf includes no folder; add \"Include = site.d\" to its "
										 "[Interface], and create site.d beside it\n");
	write_text("site.conf", "[Interface]\nPrivateKey = " KEY "\nInclude = site.d\n");
	expect_error("peer add site.conf a",
				 "site.conf:3: error: Include: site.d: No such file or directory; create it with "
				 "\"mkdir -m 0700 site.d\"\n");
	assert_int_equal(mkdir("site.d", 0700), 0);
	expect_error("peer add site.conf a",
				 "adit peer add: site.conf has no Address with a network, such as 10.9.0.1/24; add "
				 "one, or use --address\n");
	expect_error("peer add site.conf a --address 10.9.0.2 --our-endpoint h:1:2",
				 "adit peer add: --our-endpoint: \"h:1:2\" is not HOST or HOST:PORT\n");
	expect_error("peer add site.conf a --address 10.9.0.2 --our-endpoint h",
				 "adit peer add: --our-endpoint: \"h\" needs a port, because site.conf has no ListenPort\n");
	write_text("site.conf", "[Interface]\nPrivateKey = @wg\nInclude = site.d\nAddress = 10.9.0.1/24\n");
	expect_error("peer add site.conf a",
				 "adit peer add: the private key of site.conf is not available here; start site "
				 "first, which has it\n");
	assert_int_equal(entries_of("site.d"), 0);
}

static void add_warns_of_a_network_that_another_peer_has(void **state)
{
	run_line(0, "init ./site.conf --address 10.9.0.1/24");
	write_text("site.d/other.conf", "[Peer]\nName = other\nPublicKey = " KEY "\nAllowedIPs = 192.168.7.0/24\n");
	run_line(0, "peer add site.conf bob --no-reload --our-endpoint h --allowed-ips 192.168.7.0/24");
	assert_non_null(strstr(errors,
						   "other.conf:4: warning: AllowedIPs: 192.168.7.0/24 is also listed for the peer bob in "
						   "site.d/bob.conf:1; only the last peer gets it\n"));
	run_line(0, "peer add site.conf carol --no-reload --our-endpoint h");
	assert_null(strstr(errors, "warning"));
}

static void list_and_remove(void **state)
{
	run_line(0, "init ./site.conf --address 10.9.0.1/24 --peer " KEY " --name fixed --allowed-ips 10.9.0.77/32");
	run_line(0, "peer add site.conf alice --no-reload --our-endpoint h");
	run_line(0, "peer add site.conf b\u00f6b --no-reload --our-endpoint h");
	run_line(0, "peer list site.conf");
	assert_non_null(strstr(output, "NAME   PUBLIC KEY "));
	assert_non_null(strstr(output, "\nfixed  " KEY "  10.9.0.77/32"));
	assert_non_null(strstr(output, "  site.conf:9\n"));
	assert_non_null(strstr(output, "\nb\u00f6b    "));
	assert_non_null(strstr(output, "  site.d/alice.conf:1\n"));
	expect_error("peer remove site.conf alcie",
				 "adit peer remove: there is no peer \"alcie\"; did you mean \"alice\"?\n");
	expect_error("peer remove site.conf nobody-else",
				 "adit peer remove: there is no peer \"nobody-else\"; \"adit peer list site.conf\" lists all\n");
	expect_error("peer remove site.conf fixed",
				 "adit peer remove: fixed is in site.conf itself, on line 9; delete its [Peer] "
				 "there and run \"adit reload site\"\n");
	write_text("site.d/two.conf", "[Peer]\nName = one\nPublicKey = " OTHER_KEY "\n[Peer]\nName = two\nPublicKey = "
								  "XZ5zR6zv/0l1v0B9MMG+3mzTEdonoa/3aMgdTbNFGUA=\n");
	expect_error("peer remove site.conf two",
				 "adit peer remove: site.d/two.conf also contains other peers; delete the [Peer] on "
				 "line 4 and run \"adit reload site\"\n");
	run_line(0, "peer remove site.conf alice");
	assert_string_equal(errors, "adit peer remove: " NOT_RUNNING);
	run_line(0, "peer remove site.conf b\u00f6b --no-reload");
	assert_string_equal(errors, "");
	assert_int_equal(entries_of("site.d"), 1);
	write_text("site.d/two.conf", "[Peer]\nPublicKey = " OTHER_KEY "\n");
	run_line(0, "peer remove site.conf " OTHER_KEY " --no-reload");
	assert_int_equal(entries_of("site.d"), 0);
}

static void concurrent_adds_take_different_addresses(void **state)
{
	pid_t children[PROCESSES];
	struct config config;
	int status;

	run_line(0, "init ./site.conf --address 10.9.0.1/28,fd09::1/64");
	for (int i = 0; i < PROCESSES; i++) {
		char line[128];
		snprintf(line, sizeof line, "peer add site.conf p%d --no-reload --our-endpoint h", i);
		children[i] = start(line, "/dev/null", "/dev/null");
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(entries_of("site.d"), PROCESSES);
	load(&config, "site.conf"); /* without a warning that two peers have the same address */
	assert_int_equal(config.peer_count, PROCESSES);
	config_destroy(&config);
	run_line(0, "peer add site.conf last --no-reload");
	expect_error("peer add site.conf more", "adit peer add: no address of 10.9.0.1/28 is free\n");
}

static void new_files_appear_complete(void **state)
{
	struct text *text = calloc(1, sizeof *text);

	assert_non_null(text);
	text_printf(text, "%s\n", "one");
	assert_int_equal(new_file_write("new", text), 0);
	assert_int_equal(mode_of("new"), 0600);
	assert_int_equal(new_file_write("new", text), -EEXIST);
	assert_int_equal(new_file_write("none/new", text), -ENOENT);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(new_file_write("dangling", text), -EEXIST);
	assert_false(exists("nowhere"));
	assert_int_equal(entries_of("."), 2); /* no hidden file is left */
	while (!text->full)
		text_printf(text, "%s", "0123456789");
	assert_true(text->length < sizeof text->bytes);
	text_wipe(text);
	assert_int_equal(text->length, 0);
	free(text);
}

static int start_tests(void **state)
{
	return sodium_init() < 0 || !mkdtemp(folder);
}

static int end_tests(void **state)
{
	return chdir("/") || nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, enter_folder)
	const struct CMUnitTest tests[] = {
		TEST(init_writes_a_file_that_check_accepts),
		TEST(init_never_overwrites),
		TEST(init_names_the_peers_of_an_earlier_folder),
		TEST(the_address_of_a_host_is_not_special),
		TEST(init_checks_the_whole_file),
		TEST(init_names_the_option_that_is_wrong),
		TEST(add_makes_both_files_of_a_peer),
		TEST(add_prints_the_file_of_the_peer),
		TEST(add_shows_a_qr_code),
		TEST(add_without_room_for_its_output_changes_nothing),
		TEST(add_names_what_is_wrong_and_changes_nothing),
		TEST(add_needs_a_folder_a_network_and_a_port),
		TEST(add_warns_of_a_network_that_another_peer_has),
		TEST(list_and_remove),
		TEST(concurrent_adds_take_different_addresses),
		TEST(new_files_appear_complete),
	};
	return cmocka_run_group_tests(tests, start_tests, end_tests);
}
