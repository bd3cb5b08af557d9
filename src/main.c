/* SPDX-License-Identifier: MIT */
/* adit: finds the command and runs it. */
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reason.h"
#include "base/usage.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/show.h"
#include "cli/words.h"
#include "daemon/dropin.h"
#include "daemon/run.h"
#include "daemon/startup.h"
#include "daemon/up.h"
#include "doctor/doctor.h"
#include "mesh/mesh.h"

static const struct command commands[] = {
	{ "init", command_init, "FILE --address LIST", "write a new FILE",
	  "Writes FILE with a new private key, and creates the folder NAME.d beside it for\n"
	  "\"adit peer\". Prints the public key. NAME means /etc/adit/NAME.conf. A file that\n"
	  "exists is not overwritten.\n\n"
	  "  --address LIST      of this host in the tunnel: 10.9.0.1/24,fd09::1/64\n"
	  "  --listen-port PORT  UDP port; the default is 51820\n"
	  "  --peer KEY          a peer, by its public key; several are allowed. Then:\n"
	  "    --name NAME             name of the peer, for people\n"
	  "    --endpoint HOST:PORT    where the peer is\n"
	  "    --allowed-ips LIST      addresses and networks behind the peer; the default\n"
	  "                            for a single peer is the network of --address\n"
	  "    --keepalive SECONDS     if this host is behind a NAT: 25\n\n"
	  "Example, a tunnel to a host with the address 192.0.2.1:\n"
	  "  adit init site --address 10.9.0.2/24 --peer KEY --endpoint 192.0.2.1:51820\n" },
	{ "run", command_run, "[--strict] FILE", "run the tunnel that FILE configures",
	  "Runs the tunnel in the foreground, until SIGTERM or \"adit stop\". Sets up its\n"
	  "addresses, MTU and routes, and removes them at the end.\n\n"
	  "FILE is NAME.conf, and NAME becomes the name of the interface. NAME alone means\n"
	  "/etc/adit/NAME.conf. The format is that of wg-quick(8); see adit.conf(5).\n\n"
	  "  --strict  do not start if other users can read a file with keys\n" },
	{ "up", command_up, "[--log LOG] FILE", "run the tunnel in the background",
	  "Starts the tunnel that FILE configures in the background, as \"wg-quick up\",\n"
	  "and returns when it is up. FILE is NAME.conf or NAME, as for \"adit run\".\n"
	  "\"adit down NAME\" ends the tunnel.\n\n"
	  "  --strict   do not start if other users can read a file with keys\n"
	  "  --log LOG  append the log to the file LOG instead of sending it to syslog\n" },
	{ "down", command_down, "NAME", "take a tunnel down and run its hooks",
	  "Runs PreDown, saves the file if it sets SaveConfig, ends the tunnel and runs\n"
	  "PostDown, as \"wg-quick down\" does. NAME is the interface or its file. If a\n"
	  "command of PreDown fails, the tunnel stays up. A tunnel that is starting is not\n"
	  "started. If the daemon was killed, removes what it left.\n\n"
	  "Exits with 1 if a command fails.\n" },
	{ "check", command_check, "[--strict] FILE...", "report mistakes in FILE, change nothing",
	  "Reports the errors and warnings in each FILE, one per line. Also warns about\n"
	  "settings that are valid but probably mistakes. NAME means /etc/adit/NAME.conf.\n\n"
	  "  --strict  it is an error if other users can read a file with keys\n\n"
	  "Exits with 1 if there is an error. Warnings do not count.\n" },
	{ "peer", command_peer, "add|remove|list FILE", "edit the peers of FILE, and reload",
	  "  adit peer add FILE NAME [OPTION]...\n"
	  "  adit peer remove FILE PEER [--no-reload]\n"
	  "  adit peer list FILE\n\n"
	  "Adds and removes peers in the folder that FILE includes, one file per peer, and\n"
	  "makes a running tunnel read them. If that fails, nothing is changed.\n\n"
	  "\"add\" makes keys for the peer, chooses its address, and prints the peer's own\n"
	  "configuration file. Only that file contains the private key of the peer.\n\n"
	  "In the peer's file, whose format is that of wg-quick(8):\n"
	  "  --our-endpoint HOST[:PORT]  where the peer reaches this host\n"
	  "  --routes LIST               what the peer sends us; for all: 0.0.0.0/0,::/0;\n"
	  "                              the default is the networks of our Address\n"
	  "  --dns LIST                  DNS servers for the peer\n"
	  "  --keepalive SECONDS         if the peer is behind a NAT: 25\n"
	  "  --output FILE               write the file here, and do not print it\n"
	  "  --qr                        show it as a QR code\n"
	  "On this host:\n"
	  "  --allowed-ips LIST          networks behind the peer, besides its address\n"
	  "  --address LIST              its addresses, instead of the next free ones\n"
	  "  --endpoint HOST:PORT        where the peer is, if its address is fixed\n"
	  "  --description TEXT          for people\n"
	  "  --public-key KEY            of a peer that has a key and a file already\n"
	  "  --no-reload                 do not make the tunnel read the change\n\n"
	  "Example: adit peer add site alice --our-endpoint vpn.example.org --qr\n" },
	{ "doctor", command_doctor, "[FILE] [--json]", "check this host, report what to change",
	  "Checks whether this host can run a tunnel: TUN device, offloads, kernel,\n"
	  "forwarding, filters, clock. With FILE, also checks what that tunnel needs: its\n"
	  "port, the names and routes of its endpoints, its MTU, its unit. Changes\n"
	  "nothing. NAME means /etc/adit/NAME.conf.\n\n"
	  "Each line begins with \"ok\", \"note\", \"warn\" or \"fail\"; indented lines contain\n"
	  "the remedy.\n\n"
	  "  --json  print one JSON object, for programs\n\n"
	  "Exits with 1 if there is a failure. Root learns more than other users.\n" },
	{ "reload", command_reload, "IFNAME", "make a tunnel read its FILE again",
	  "Makes the daemon of the interface read its file again and apply the difference.\n"
	  "Peers that did not change keep their sessions. If the file has an error,\n"
	  "nothing is changed. Prints what has changed.\n" },
	{ "stop", command_stop, "IFNAME", "end a tunnel or an interface",
	  "Ends the daemon of the interface, whether it was started by \"adit run\" or by\n"
	  "\"adit IFNAME\", and waits until the interface is gone. If the daemon of a tunnel\n"
	  "was killed, removes the policy rules and firewall tables that it left.\n\n"
	  "  --killed  only do the latter; it is no error if nothing was left\n" },
	{ "show", command_show, "[IFNAME [PEER]]", "show the state of tunnels",
	  "Shows the state of one tunnel, or of all tunnels: peers, how good the link to\n"
	  "each is, and warnings. PEER is a name or a public key. Private and preshared\n"
	  "keys are never shown.\n\n"
	  "  --brief          one line per peer, as for interfaces with more than 8 peers\n"
	  "  --details        everything about each peer\n"
	  "  --watch SECONDS  show it again and again, with the rates in between\n"
	  "  --counters       show the counters instead, with their meaning\n"
	  "  --json           print one JSON object, for programs\n"
	  "  --svg            print a picture of the peers\n" },
	{ "log", command_log, "[LEVEL] [IFNAME]", "change how much a tunnel logs",
	  "Changes the level of the log of one tunnel, or of all tunnels, until the next\n"
	  "reload or start. Without LEVEL, prints the level of each. \"adit log debug site\"\n"
	  "makes the tunnel log each step of its handshakes and each change of its routes;\n"
	  "\"adit reload site\" returns to LogLevel of its file, which is info by default.\n\n"
	  "LEVEL is error, warning, info or debug, and includes the levels before it.\n" },
	{ "monitor", command_monitor, "[IFNAME] [--json]", "print events as they happen",
	  "Prints the events of one tunnel, or of all tunnels and of those that appear\n"
	  "later: peers that go up and down or move, handshakes, reloads, repairs of the\n"
	  "network. Ends with the tunnel IFNAME, or when interrupted.\n\n"
	  "  --json  print one JSON object per line, for programs\n" },
	{ "top", command_top, "[IFNAME]", "watch the peers of a tunnel",
	  "Shows the peers of a tunnel and their traffic on the terminal, live: rates,\n"
	  "loss, round-trip times, drops by cause, and sizes of batches. Without IFNAME,\n"
	  "begins with the first tunnel; Tab shows the next one.\n\n"
	  "  --interval SECONDS  time between two samples; the default is 1\n\n"
	  "Keys: q quit, s sort, r reverse, / filter, p pause, Enter one peer, d drops,\n"
	  "? help.\n" },
	{ "metrics", command_metrics, "[IFNAME]...", "print metrics for Prometheus",
	  "Prints the state and the counters of the tunnels, or of all tunnels, as\n"
	  "OpenMetrics text. A tunnel that does not answer has \"adit_up 0\".\n\n"
	  "  --peers=off  leave out the metrics of each peer\n"
	  "  --http       answer one HTTP request on standard input and output; systemd\n"
	  "               does so on port 9586: systemctl enable --now adit-metrics.socket\n" },
	{ "mesh", command_mesh, "HOSTS --out DIR", "make the files of a whole network",
	  "Reads a list of hosts and writes DIR/HOST/INTERFACE.conf for each, with keys, a\n"
	  "table (DIR/mesh.txt) and a picture (DIR/mesh.svg, DIR/mesh.dot). Run it again\n"
	  "after a change of the list: it keeps keys and addresses. adit(8) describes the\n"
	  "list. Three hosts, of which the last one is behind a NAT:\n\n"
	  "  network = 10.9.0.0/24\n"
	  "  a  a.example.org\n"
	  "  b  198.51.100.2:51821  auto  192.168.2.0/24\n"
	  "  c  -\n\n"
	  "  --out DIR      the folder of the files\n"
	  "  --rotate HOST  make new keys for this host\n"
	  "  --dry-run      print what would change, and change nothing\n"
	  "  --install      copy the files to the hosts by ssh, and reload the tunnels\n"
	  "  --status       ask the hosts by ssh, and print who reaches whom\n"
	  "  --svg FILE     with --status: draw this as a picture, too\n"
	  "  --user USER    log in as USER; with sudo, if that is not root\n" },
	{ "genkey", command_genkey, "", "print a new private key",
	  "Prints a new private key. Keep it secret: adit genkey >FILE after \"umask 077\".\n" },
	{ "pubkey", command_pubkey, "", "print the public key of a private key",
	  "Reads a private key from standard input and prints its public key:\n"
	  "adit pubkey <FILE\n" },
	{ "genpsk", command_genpsk, "", "print a new preshared key",
	  "Prints a new preshared key, a second secret that both peers configure.\n" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct command interface_command = {
	"[-f | --foreground] [--]", command_interface, "IFNAME", NULL,
	"Creates an interface for wg(8) or wg-quick(8) to configure, as wireguard-go\n"
	"does. The daemon continues in the background; \"adit stop IFNAME\" ends it.\n\n"
	"  -f, --foreground  stay in the foreground\n"
	"  --                what follows is a name, even if it looks like a command\n"
};

static void print_usage(FILE *to)
{
	fputs("usage: adit COMMAND [ARGUMENT]...\n\n", to);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "  adit %-7s %-20s  %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
	fputs("  adit [-f] IFNAME                   make an interface for wg(8) or wg-quick(8)\n"
		  "  adit COMMAND --help                explain a command\n"
		  "  adit --help | --version\n",
		  to);
}

static void print_command_help(const struct command *command)
{
	printf("usage: adit %s%s%s\n\n%s", command->name, *command->arguments ? " " : "", command->arguments,
		   command->help);
}

static bool is_help_option(const char *argument)
{
	return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

/* Only called for the arguments of a command, so that none of them is taken for a file, an interface or a key. */
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--"))
			return false;
		if (is_help_option(argv[i]))
			return true;
	}
	return false;
}

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int refuse_word(const char *word)
{
	const char *meaning = command_meant_by(word);

	if (*word == '-')
		return usage_error("", "COMMAND [ARGUMENT]...", word);
	if (!meaning) {
		fprintf(stderr, "adit: \"%s\" is not a command; see \"adit --help\"\n", word);
		return EXIT_FAILURE;
	}
	fprintf(stderr, "adit: \"%s\" is not a command; did you mean \"%s\"?\n", word, meaning);
	if (is_interface_name(word))
		fprintf(stderr, "To create an interface of this name, use \"adit -- %s\".\n", word);
	return EXIT_FAILURE;
}

/* `adit --help`, `adit help` and `adit help COMMAND`. */
static int print_help(int argc, char **argv)
{
	const struct command *command = argc > 2 ? find_command(argv[2]) : NULL;

	if (argc > 2 && !command && !is_help_option(argv[2]))
		return refuse_word(argv[2]);
	if (command)
		print_command_help(command);
	else
		print_usage(stdout);
	return EXIT_SUCCESS;
}

/* Executes the command line, which has at least one word. Returns the exit code. */
static int run_words(int argc, char **argv)
{
	const struct command *command;
	const char *word = argv[1];

	if (!strcmp(word, "--version")) {
		if (argc == 2) {
			puts("adit " ADIT_VERSION);
			return EXIT_SUCCESS;
		}
		fputs("usage: adit --version\n", stderr);
		return EXIT_FAILURE;
	}
	if (!strcmp(word, "--complete")) {
		complete_command_line(commands, COMMANDS, mesh_list_hosts, argc - 2, argv + 2);
		return EXIT_SUCCESS;
	}
	if (is_help_option(word) || !strcmp(word, "help"))
		return print_help(argc, argv);
	command = find_command(word);
	if (!command) {
		bool is_option = !strcmp(word, "-f") || !strcmp(word, "--foreground") || !strcmp(word, "--");
		bool has_argument = argc > 2 && *argv[2] != '-'; /* an interface has none */

		if (!is_option && (has_argument || !is_interface_name(word) || command_meant_by(word)))
			return refuse_word(word);
		command = &interface_command;
	}
	if (asks_for_help(argc - 2, argv + 2)) {
		print_command_help(command);
		return EXIT_SUCCESS;
	}
	return command == &interface_command ? command_interface(argc, argv) : command->call(argc - 1, argv + 1);
}

/* Output that is incomplete, because a disk is full, is a failure of the command. */
int main(int argc, char **argv)
{
	struct reason reason;
	int code;

	if (startup_init(&reason)) {
		fprintf(stderr, "adit: %s\n", reason.text);
		return EXIT_FAILURE;
	}
	if (sodium_init() < 0) {
		fputs("adit: libsodium initialization failed\n", stderr);
		return EXIT_FAILURE;
	}
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_FAILURE;
	}
	code = run_words(argc, argv);
	errno = 0;
	if (code != EXIT_SUCCESS || (!fflush(stdout) && !ferror(stdout)))
		return code;
	fprintf(stderr, "adit %s: standard output: %s\n", argv[1], errno ? strerror(errno) : "incomplete write");
	return EXIT_FAILURE;
}
