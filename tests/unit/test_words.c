/* SPDX-License-Identifier: MIT */
/* Tests of words: which ones are refused as the name of an interface, and which command is suggested instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/words.h"

static const char *const commands[] = { "run",    "check",  "reload", "stop",   "show", "genkey",
										"pubkey", "genpsk", "mesh",   "doctor", "help" };
enum { COMMANDS = sizeof commands / sizeof *commands };

static void assert_meaning(const char *word, const char *expected)
{
	const char *meaning = command_meant_by(word);

	if (!meaning || strcmp(meaning, expected) != 0)
		fail_msg("\"%s\" means %s, not %s", word, meaning ? meaning : "an interface", expected);
}

static void words_of_other_programs_are_refused(void **state)
{
	static const char *const words[][2] = {
		{ "status", "adit show" },
		{ "list", "adit show" },
		{ "ls", "adit show" },
		{ "start", "adit run FILE" },
		{ "connect", "adit up FILE" },
		{ "disconnect", "adit down NAME" },
		{ "kill", "adit stop IFNAME" },
		{ "restart", "adit reload IFNAME" },
		{ "daemon", "adit run FILE" },
		{ "off", "adit down NAME" },
		{ "health", "adit doctor" },
		{ "debug", "adit log debug" },
		{ "upgrade", "adit --help" },
		{ "version", "adit --version" },
		{ "help", "adit --help" },
		{ "keygen", "adit genkey" },
		{ "validate", "adit check FILE" },
		{ "STATUS", "adit show" },
		{ "Halt", "adit stop IFNAME" },
		{ "UP", "adit up FILE" },
		{ "Login", "adit up FILE" },
		{ "join", "adit up FILE" },
		{ "leave", "adit down NAME" },
		{ "reconnect", "adit reload IFNAME" },
		{ "setup", "adit init FILE" },
		{ "invite", "adit peer" },
		{ "ping", "adit doctor FILE" },
		{ "site.conf", "adit run FILE" },
		{ "./a/b.CONF", "adit run FILE" },
		{ "/etc/adit/site.conf", "adit run FILE" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		assert_meaning(words[i][0], words[i][1]);
}

static void misspelled_words_are_refused(void **state)
{
	static const char *const words[][2] = {
		{ "chek", "adit check FILE" },
		{ "chekc", "adit check FILE" },
		{ "heck", "adit check FILE" },
		{ "ru", "adit run FILE" },
		{ "rnu", "adit run FILE" },
		{ "runn", "adit run FILE" },
		{ "un", "adit run FILE" },
		{ "urn", "adit run FILE" },
		{ "rub", "adit run FILE" },
		{ "shwo", "adit show" },
		{ "sho", "adit show" },
		{ "shows", "adit show" },
		{ "stpo", "adit stop IFNAME" },
		{ "sstop", "adit stop IFNAME" },
		{ "relaod", "adit reload IFNAME" },
		{ "reoald", "adit reload IFNAME" },
		{ "genky", "adit genkey" },
		{ "gen-key", "adit genkey" },
		{ "pubkye", "adit pubkey" },
		{ "gen_psk", "adit genpsk" },
		{ "docto", "adit doctor" },
		{ "statsu", "adit show" },
		{ "sttatus", "adit show" },
		{ "verison", "adit --version" },
		{ "strat", "adit run FILE" },
		{ "restrat", "adit reload IFNAME" },
		{ "hlep", "adit --help" },
		{ "upp", "adit up FILE" },
		{ "pu", "adit up FILE" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		assert_meaning(words[i][0], words[i][1]);
}

/* Every word that one dropped, doubled or swapped letter makes of a command. */
static void every_simple_slip_is_refused(void **state)
{
	for (size_t c = 0; c < COMMANDS; c++) {
		size_t length = strlen(commands[c]);

		assert_non_null(command_meant_by(commands[c]));
		for (size_t i = 0; i < length; i++) {
			char dropped[16], doubled[16], swapped[16];

			snprintf(dropped, sizeof dropped, "%.*s%s", (int)i, commands[c], commands[c] + i + 1);
			snprintf(doubled, sizeof doubled, "%.*s%s", (int)i + 1, commands[c], commands[c] + i);
			strcpy(swapped, commands[c]);
			if (i + 1 < length) {
				swapped[i] = commands[c][i + 1];
				swapped[i + 1] = commands[c][i];
			}
			if (!command_meant_by(dropped))
				fail_msg("%s", dropped);
			if (!command_meant_by(doubled))
				fail_msg("%s", doubled);
			if (!command_meant_by(swapped))
				fail_msg("%s", swapped);
		}
	}
}

static void names_are_accepted(void **state)
{
	static const char *const names[] = {
		"wg0",
		"adit0",
		"tun0",
		"run0",
		"show1",
		"stop2",
		"check3",
		"status9",
		"site",
		"home",
		"office",
		"vpn",
		"tun",
		"wg",
		"lan",
		"wan",
		"hub",
		"work",
		"left",
		"right",
		"test",
		"tunnel",
		"berlin",
		"paris",
		"corp",
		"edge",
		"core",
		"main",
		"backup",
		"dmz",
		"guest",
		"spoke",
		"tun-left",
		"a",
		"x",
		"",
		"prod",
		"west",
		"north",
		"mullvad",
		"proton",
		"router",
		"laptop",
		"phone",
		"cloud",
		"lab",
		"branch",
		"remote",
		"rest",
		"switch",
		"server",
		"client",
		"public",
		"sync",
		"shell",
		"a-long-name-123",
		"longer-than-any-interface",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *meaning = command_meant_by(names[i]);
		if (meaning)
			fail_msg("\"%s\" is taken for \"%s\"", names[i], meaning);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_other_programs_are_refused),
		cmocka_unit_test(misspelled_words_are_refused),
		cmocka_unit_test(every_simple_slip_is_refused),
		cmocka_unit_test(names_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
