/* SPDX-License-Identifier: MIT */
/* adit: finds the command and runs it. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "daemon/dropin.h"
#include "daemon/run.h"

struct command {
	const char *name;
	int (*call)(int argc, char **argv);
	const char *arguments, *help;
};

static const struct command commands[] = {
	{ "run", command_run, "FILE", "run the tunnel that FILE configures, in the foreground" },
	{ "check", command_check, "FILE...", "report errors in FILE and change nothing" },
	{ "reload", command_reload, "IFNAME", "make a running tunnel read its FILE again" },
	{ "show", command_show, "[IFNAME] [--json]", "show the state of one tunnel or of all tunnels" },
	{ "genkey", command_genkey, "", "print a new private key" },
	{ "pubkey", command_pubkey, "", "read a private key and print its public key" },
	{ "genpsk", command_genpsk, "", "print a new preshared key" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *to)
{
	fputs("usage: adit COMMAND [ARGUMENT]...\n\n", to);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "  adit %-6s %-17s  %s\n", commands[i].name, commands[i].arguments, commands[i].help);
	fputs("  adit [-f | --foreground] IFNAME  make an interface for wg(8) or wg-quick(8) to configure\n"
		  "  adit --help | --version\n",
		  to);
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		fputs("adit: libsodium initialization failed\n", stderr);
		return EXIT_FAILURE;
	}
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return puts("adit " ADIT_VERSION) < 0;
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	for (int i = 0; argc > 1 && i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].call(argc - 1, argv + 1);
	if (argc > 1 && is_interface_argument(argv[1]))
		return command_interface(argc, argv);
	if (argc > 1)
		fprintf(stderr, "adit: \"%s\" is not a command\n\n", argv[1]);
	usage(stderr);
	return EXIT_FAILURE;
}
