/* SPDX-License-Identifier: MIT */
/*
 * Tests of adit mesh --status. The program `ssh` of these tests is a script: it prints the file answers/HOST, prints
 * errors/HOST to standard error, and returns the exit status in the name of the file status/HOST.N.
 */
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/ini.h"
#include "mesh_rig.h"
#include "status_host.h"

static const char ssh_script[] = "#!/bin/sh\n"
								 "while [ \"$1\" != -- ]; do shift; done\n"
								 "echo \"$2\" >>asked\n"
								 "mkdir \"running/$2\"\n"
								 "ls running | wc -l >>parallel\n"
								 "sleep 0.1\n"
								 "[ ! -e \"answers/$2\" ] || cat \"answers/$2\"\n"
								 "[ ! -e \"errors/$2\" ] || cat \"errors/$2\" >&2\n"
								 "rmdir \"running/$2\"\n"
								 "for f in status/\"$2\".*; do [ ! -e \"$f\" ] || exit \"${f##*.}\"; done\n";

static char folder[] = "/tmp/test_mesh_status.XXXXXX";

#define run_status(...) run_command_mesh((char *[]) { "mesh", "list", "--status", __VA_ARGS__, NULL })

static void write_program(const char *path, const char *text)
{
	write_text(path, text);
	assert_int_equal(chmod(path, 0700), 0);
}

static int set_up(void **state)
{
	static const char *const folders[] = { "answers", "errors", "status", "running", "bin" };

	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		assert_int_equal(mkdir(folders[i], 0700), 0);
	write_program("bin/ssh", ssh_script);
	return 0;
}

static int tear_down(void **state)
{
	return chdir("/") || nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) ? -1 : 0;
}

static void write_file_of(const char *where, const char *host, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "%s/%s", where, host);
	write_text(path, text);
}

/* The key of a host is its name, which is enough here. Each peer is "NAME STATE" or "NAME STATE MORE". */
static void answer(const char *host, const char *const peers[])
{
	char text[4096];
	int length =
		snprintf(text, sizeof text,
				 "Welcome!\ntime=0\ntime=1700000000\n{\"version\": 1, \"interfaces\": [\n  {\"name\": \"lab\", "
				 "\"public_key\": \"%s=\", \"later\": [{}],\n    \"peers\": [\n",
				 host);

	for (; *peers; peers++) {
		char name[32], word[32], more[256] = "";

		assert_true(sscanf(*peers, "%31s %31s %255[^\n]", name, word, more) >= 2);
		length += snprintf(text + length, sizeof text - (size_t)length,
						   "      {\"public_key\": \"%s=\", \"name\": \"%s\", \"state\": \"%s\"%s%s}%s\n", name, name,
						   word, *more ? ", " : "", more, peers[1] ? "," : "");
	}
	snprintf(text + length, sizeof text - (size_t)length, "    ]}\n]}\n");
	write_file_of("answers", host, text);
}
#define ANSWER(host, ...) answer(host, (const char *const[]) { __VA_ARGS__, NULL })

#define LIST "network = 10.9.0.0/24\ninterface = lab\n"
#define THREE LIST "a - auto ssh=a\nb b.example.org auto ssh=b\nc c.example.org auto ssh=c\n"

static void all_reach_all(void **state)
{
	struct outcome outcome;

	write_text("list", THREE);
	ANSWER("a", "b up \"rtt_ns\": 12345678, \"rx_datagrams\": 995, \"rx_lost\": 5", "c up \"rtt_ns\": 850000");
	ANSWER("b", "a up \"rtt_ns\": null, \"rx_datagrams\": 0, \"rx_lost\": 0", "c idle");
	ANSWER("c", "b up \"rtt_ns\": 1200000000", "a up");
	outcome = run_status(NULL);
	assert_string_equal(outcome.errors, "");
	assert_string_equal(outcome.output, "   a      b                c\n"
										"a  -      12.3 ms, 0.50 %  850 us\n"
										"b  up     -                idle\n"
										"c  up     1.20 s           -\n"
										"\n"
										"3 of 3 hosts answered; 6 of 6 directions work\n");
	assert_int_equal(outcome.code, 0);
}

static void a_narrow_terminal_gets_the_matrix_in_parts(void **state)
{
	struct outcome outcome;

	write_text("list", THREE "d - auto ssh=d\n");
	ANSWER("a", "b up \"rtt_ns\": 12345678, \"rx_datagrams\": 995, \"rx_lost\": 5", "c up \"rtt_ns\": 850000");
	ANSWER("b", "a up", "c idle");
	ANSWER("c", "b up \"rtt_ns\": 1200000000", "a up");
	write_file_of("errors", "d", "no reason\n");
	write_file_of("status", "d.1", "");
	setenv("COLUMNS", "33", 1);
	outcome = run_status(NULL);
	unsetenv("COLUMNS");
	assert_non_null(strstr(outcome.output, "   a      b                c\n"
										   "a  -      12.3 ms, 0.50 %  850 us\n"
										   "b  up     -                idle\n"
										   "c  up     1.20 s           -\n"
										   "d  no reason\n"
										   "\n"
										   "   d\n"
										   "a  -\n"
										   "b  no peer\n"
										   "c  no peer\n"
										   "\n"));
}

static void names_of_hosts_are_shown_whole(void **state)
{
	struct outcome outcome;

	write_text("list", LIST "frankfurt - auto ssh=frankfurt\nb b.example.org auto ssh=b\n");
	ANSWER("frankfurt", "b up");
	ANSWER("b", "frankfurt up");
	outcome = run_status(NULL);
	assert_string_equal(outcome.output, "           frankfurt  b\n"
										"frankfurt  -          up\n"
										"b          up         -\n"
										"\n"
										"2 of 2 hosts answered; 2 of 2 directions work\n");
}

static void a_tunnel_that_is_not_up_is_explained(void **state)
{
	struct outcome outcome;

	write_text("list", THREE);
	ANSWER("a", "b silent \"state_reason\": \"the peer does not answer\"", "c up");
	ANSWER("b", "a waiting", "c up");
	ANSWER("c", "b up");
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\n\na to b: silent: the peer does not answer\n"
										   "b to a: waiting\n"
										   "c to a: there is no such peer\n"
										   "3 of 3 hosts answered; 3 of 6 directions work\n"));
	assert_int_equal(outcome.code, 1);
}

static void a_host_that_fails_has_a_row_of_its_own(void **state)
{
	struct outcome outcome;

	write_text("list", THREE "d - auto ssh=d\ne d.example.org auto ssh=-\n");
	ANSWER("a", "b up", "c up", "e up");
	write_file_of("errors", "b", "Warning: something\nssh: connect to host b port 22: Connection refused\n");
	write_file_of("status", "b.255", "");
	write_file_of("errors", "c", "adit show: lab: there is no such interface\n");
	write_file_of("status", "c.1", "");
	write_file_of("answers", "d", "time=1700000000\n{\"interfaces\": [{");
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\nb  ssh: connect to host b port 22: Connection refused\n"));
	assert_non_null(strstr(outcome.output, "\nc  adit show: lab: there is no such interface\n"));
	assert_non_null(strstr(outcome.output, "\nd  the answer of adit show --json cannot be read\n"));
	/* The row of a host that is skipped has the view of the other end. Neither a nor d has an endpoint. */
	assert_non_null(strstr(outcome.output, "\na  -      up     up     -      up\n"));
	assert_non_null(strstr(outcome.output, "\ne  up     ?      ?      ?      -\n"));
	assert_non_null(strstr(outcome.output, "\n1 of 5 hosts answered, 3 failed, 1 skipped; 4 of 18 directions work\n"));
	assert_int_equal(outcome.code, 1);
}

static void hosts_with_an_old_adit_are_named(void **state)
{
	static const char document[] =
		"time=1700000100\n{\"interfaces\": [{\"name\": \"lab\", \"public_key\": \"a=\", \"peers\": "
		"[{\"public_key\": \"b=\", \"latest_handshake\": 1700000000}, {\"public_key\": "
		"\"c=\", \"name\": \"c\", \"endpoint\": \"192.0.2.3:51820\", \"latest_handshake\": null, "
		"\"transfer_tx\": 148, \"persistent_keepalive\": null}]}]}\n";
	struct outcome outcome;

	write_text("list", THREE);
	write_file_of("answers", "a", document);
	ANSWER("b", "a up", "c up");
	write_file_of("errors", "c", "adit show: \"--json\" is one argument too many; usage: adit show [IFNAME]\n");
	write_file_of("status", "c.1", "");
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\na  -      up     silent\n"));
	assert_non_null(strstr(outcome.output,
						   "\nc  its adit is too old for --status: adit show: \"--json\" is one argument "
						   "too many; usage: adit show [IFNAME]\n"));
	assert_non_null(strstr(outcome.output, "\na: its adit is too old to report states; a handshake in the last 180 s "
										   "counts as up\n"));
	assert_null(strstr(outcome.output, "\nb: its adit"));
	assert_int_equal(outcome.code, 1);
}

static void a_hub_relays(void **state)
{
	struct outcome outcome;

	write_text("list",
			   "topology = hub\nhub = h\n" LIST "h h.example.org auto ssh=h\na - auto ssh=a\nb - auto ssh=b\nc - "
			   "auto ssh=c\n");
	ANSWER("h", "a up", "b up", "c silent");
	ANSWER("a", "h up");
	ANSWER("b", "h idle");
	ANSWER("c", "h up");
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\na  up     -      via h  not via h\n"));
	assert_non_null(strstr(outcome.output, "\nb  idle   via h  -      not via h\n"));
	assert_non_null(strstr(outcome.output, "\n\nh to c: silent\n4 of 4 hosts answered; 9 of 12 directions work\n"));
	assert_int_equal(outcome.code, 1);
}

static void what_a_host_sends_does_not_reach_the_terminal_raw(void **state)
{
	struct outcome outcome;
	char svg[65536];

	write_text("list", THREE);
	ANSWER("a", "b \\u001b[31m<&> \"state_reason\": \"\\u001b]0;x\\u0007\"", "c up");
	ANSWER("b", "a up", "c up");
	write_file_of("errors", "c", "\033[2Jbad\a\n");
	write_file_of("status", "c.1", "");
	outcome = run_status("--svg", "m.svg");
	assert_null(strchr(outcome.output, '\033'));
	assert_null(strchr(outcome.output, '\a'));
	read_text("m.svg", svg, sizeof svg);
	assert_null(strchr(svg, '\033'));
	assert_null(strstr(svg, "<&>"));
	assert_non_null(strstr(svg, "&lt;&amp;&gt;"));
	assert_non_null(strstr(svg, "</svg>\n"));
}

/* Hosts on which the script really runs. */
static void a_greeting_may_lack_a_newline(void **state)
{
	struct outcome outcome;

	write_program("bin/ssh", "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nexport HOST=\"$2\"\n"
							 "printf 'Welcome! '\nexec sh -c \"$3\"\n");
	write_program("bin/sudo", "#!/bin/sh\nshift\nexec \"$@\"\n");
	write_program("bin/adit", "#!/bin/sh\ncat \"answers/$HOST\"\n");
	write_text("list", LIST "a - auto ssh=a\nb b.example.org auto ssh=b\n");
	write_file_of("answers", "a", "{\"interfaces\": [{\"peers\": [{\"name\": \"b\", \"state\": \"up\"}]}]}\n");
	write_file_of("answers", "b", "{\"interfaces\": [{\"peers\": [{\"name\": \"a\", \"state\": \"up\"}]}]}\n");
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\n2 of 2 hosts answered; 2 of 2 directions work\n"));
}

static void a_picture_that_cannot_be_written_is_an_error(void **state)
{
	struct outcome outcome;

	write_text("list", LIST "a a.example.org auto ssh=a\nb - auto ssh=b\n");
	ANSWER("a", "b up");
	ANSWER("b", "a up");
	outcome = run_status("--svg", "no/m.svg");
	assert_string_equal(outcome.errors, "adit mesh: no/m.svg: No such file or directory\n");
	assert_int_equal(outcome.code, 1);
	assert_int_equal(run_status("--svg", "m.svg").code, 0);
}

static void few_hosts_are_asked_at_a_time(void **state)
{
	char text[16384], line[64], *rest = text;
	struct outcome outcome;
	int asked = 0, most = 0;
	FILE *list = fopen("list", "w");

	assert_non_null(list);
	fputs(LIST "topology = hub\nhub = h0\n", list);
	for (int i = 0; i < 40; i++)
		fprintf(list, "h%d h%d.example.org auto ssh=h%d\n", i, i, i);
	fclose(list);
	outcome = run_status(NULL);
	assert_non_null(strstr(outcome.output, "\nh39: adit show printed nothing\n")); /* too many hosts for a matrix */
	assert_non_null(strstr(outcome.output, "\n0 of 40 hosts answered, 40 failed; 0 of 1560 directions work\n"));
	read_text("asked", text, sizeof text);
	while (strsep(&rest, "\n"))
		asked++;
	assert_int_equal(asked - 1, 40);
	rest = read_text("parallel", text, sizeof text);
	while (sscanf(rest, "%63[0-9]", line) == 1) {
		most = atoi(line) > most ? atoi(line) : most;
		rest = strchr(rest, '\n') + 1;
	}
	assert_uint_in_range(most, 2, STATUS_PARALLEL);
}

/* --- documents ----- */

static enum status_outcome read_host(struct status_host *host, const char *text)
{
	char errors[] = "no";
	const struct status_answer answer = { .text = text, .length = strlen(text), .errors = errors };

	*host = (struct status_host) { 0 };
	status_host_read(host, &answer, "lab");
	return host->outcome;
}

static void a_document_that_is_cut_is_no_answer(void **state)
{
	static const char document[] =
		"time=5\n{\"version\": 1, \"interfaces\": [{\"name\": \"lab\", \"public_key\": \"a=\", "
		"\"peers\": [{\"public_key\": \"b=\", \"name\": \"b\", \"state\": \"up\"}]}]}";
	struct status_host host;
	char text[sizeof document];

	for (size_t length = 0; length < sizeof document - 1; length++) {
		memcpy(text, document, length);
		text[length] = '\0';
		assert_int_equal(read_host(&host, text), STATUS_FAILED);
		status_host_destroy(&host);
	}
	assert_int_equal(read_host(&host, document), STATUS_ANSWERED);
	assert_int_equal(host.peer_count, 1);
	assert_string_equal(host.peers[0].state, "up");
	assert_false(host.is_old);
	status_host_destroy(&host);
}

static void documents_of_another_kind_are_no_answer(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "adit show printed nothing" },
		{ "{}", "adit show printed nothing" },
		{ "time=1\n", "the answer of adit show --json cannot be read" },
		{ "time=1\n[]", "the answer of adit show --json cannot be read" },
		{ "time=1\n{}", "there is no interface lab" },
		{ "time=1\n{\"interfaces\": []}", "there is no interface lab" },
		{ "time=1\n{\"interfaces\": 5}", "there is no interface lab" },
		{ "time=1\n{\"interfaces\": [{}, {}]}", "the answer of adit show --json cannot be read" },
		{ "time=1\n{\"interfaces\": [{}]} x", "the answer of adit show --json cannot be read" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct status_host host;

		assert_int_equal(read_host(&host, cases[i].text), STATUS_FAILED);
		assert_string_equal(host.reason, cases[i].reason);
		status_host_destroy(&host);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_reach_all),
		TEST(a_narrow_terminal_gets_the_matrix_in_parts),
		TEST(names_of_hosts_are_shown_whole),
		TEST(a_tunnel_that_is_not_up_is_explained),
		TEST(a_host_that_fails_has_a_row_of_its_own),
		TEST(hosts_with_an_old_adit_are_named),
		TEST(a_hub_relays),
		TEST(what_a_host_sends_does_not_reach_the_terminal_raw),
		TEST(a_greeting_may_lack_a_newline),
		TEST(a_picture_that_cannot_be_written_is_an_error),
		TEST(few_hosts_are_asked_at_a_time),
		cmocka_unit_test(a_document_that_is_cut_is_no_answer),
		cmocka_unit_test(documents_of_another_kind_are_no_answer),
	};

	if (sodium_init() < 0 || setenv("PATH", "bin:/usr/bin:/bin", 1))
		return 1;
	return cmocka_run_group_tests_name("mesh status", tests, NULL, NULL);
}
