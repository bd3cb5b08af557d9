/* SPDX-License-Identifier: MIT */
/* Words that are probably meant as a command: misspelled commands, and commands of other programs. */
#include "cli/words.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/spelling.h"

enum { WORD_MAX = 15 }; /* the longest name of an interface */

struct known_word {
	const char *word, *meaning;
};

static const struct known_word commands[] = {
	{ "run", "adit run FILE" },     { "check", "adit check FILE" }, { "reload", "adit reload IFNAME" },
	{ "stop", "adit stop IFNAME" }, { "show", "adit show" },        { "top", "adit top" },
	{ "genkey", "adit genkey" },    { "pubkey", "adit pubkey" },    { "genpsk", "adit genpsk" },
	{ "init", "adit init FILE" },   { "peer", "adit peer" },        { "mesh", "adit mesh HOSTS --out DIR" },
	{ "doctor", "adit doctor" },    { "metrics", "adit metrics" },  { "log", "adit log" },
	{ "monitor", "adit monitor" },  { "help", "adit --help" },      { "version", "adit --version" },
	{ "down", "adit down NAME" },
};

/* The names of such commands in other programs. */
static const struct known_word likely_words[] = {
	{ "status", "adit show" },
	{ "matrix", "adit mesh HOSTS --status" },
	{ "state", "adit show" },
	{ "stat", "adit show" },
	{ "stats", "adit show" },
	{ "statistics", "adit show" },
	{ "list", "adit show" },
	{ "ls", "adit show" },
	{ "ps", "adit show" },
	{ "info", "adit show" },
	{ "prometheus", "adit metrics" },
	{ "openmetrics", "adit metrics" },
	{ "dump", "adit show" },
	{ "logs", "adit log" },
	{ "loglevel", "adit log" },
	{ "watch", "adit monitor" },
	{ "events", "adit monitor" },
	{ "follow", "adit monitor" },
	{ "get", "adit show" },
	{ "peers", "adit show" },
	{ "interfaces", "adit show" },
	{ "showconf", "adit show" },
	{ "start", "adit run FILE" },
	{ "daemon", "adit run FILE" },
	{ "service", "adit run FILE" },
	{ "up", "adit up FILE" }, /* in capital letters */
	{ "upp", "adit up FILE" },
	{ "pu", "adit up FILE" },
	{ "on", "adit up FILE" },
	{ "connect", "adit up FILE" },
	{ "login", "adit up FILE" },
	{ "join", "adit up FILE" },
	{ "enable", "adit run FILE" },
	{ "launch", "adit run FILE" },
	{ "exec", "adit run FILE" },
	{ "halt", "adit stop IFNAME" },
	{ "kill", "adit stop IFNAME" },
	{ "quit", "adit stop IFNAME" },
	{ "exit", "adit stop IFNAME" },
	{ "disconnect", "adit down NAME" },
	{ "logout", "adit down NAME" },
	{ "off", "adit down NAME" },
	{ "leave", "adit down NAME" },
	{ "disable", "adit stop IFNAME" },
	{ "shutdown", "adit stop IFNAME" },
	{ "terminate", "adit stop IFNAME" },
	{ "del", "adit stop IFNAME" },
	{ "delete", "adit stop IFNAME" },
	{ "remove", "adit stop IFNAME" },
	{ "rm", "adit stop IFNAME" },
	{ "restart", "adit reload IFNAME" },
	{ "refresh", "adit reload IFNAME" },
	{ "reconnect", "adit reload IFNAME" },
	{ "syncconf", "adit reload IFNAME" },
	{ "update", "adit reload IFNAME" },
	{ "apply", "adit reload IFNAME" },
	{ "validate", "adit check FILE" },
	{ "verify", "adit check FILE" },
	{ "lint", "adit check FILE" },
	{ "strip", "adit check FILE" },
	{ "diagnose", "adit doctor" },
	{ "diag", "adit doctor" },
	{ "health", "adit doctor" },
	{ "repair", "adit doctor" },
	{ "netcheck", "adit doctor" },
	{ "ping", "adit doctor FILE" },
	{ "debug", "adit log debug" },
	{ "gen", "adit genkey" },
	{ "key", "adit genkey" },
	{ "keys", "adit genkey" },
	{ "keygen", "adit genkey" },
	{ "keypair", "adit genkey" },
	{ "generate", "adit genkey" },
	{ "genpub", "adit pubkey" },
	{ "pub", "adit pubkey" },
	{ "psk", "adit genpsk" },
	{ "ver", "adit --version" },
	{ "about", "adit --version" },
	{ "usage", "adit --help" },
	{ "commands", "adit --help" },
	{ "setup", "adit init FILE" },
	{ "invite", "adit peer" },
	{ "register", "adit peer" },
	{ "qrcode", "adit peer" },
	{ "completion", "adit --help" },
	{ "set", "adit --help" },
	{ "setconf", "adit --help" },
	{ "addconf", "adit --help" },
	{ "save", "adit --help" },
	{ "conf", "adit --help" },
	{ "config", "adit --help" },
	{ "configure", "adit --help" },
	{ "add", "adit --help" },
	{ "new", "adit --help" },
	{ "create", "adit --help" },
	{ "install", "adit --help" },
	{ "uninstall", "adit --help" },
	{ "upgrade", "adit --help" },
	{ "import", "adit --help" },
	{ "export", "adit --help" },
	{ "edit", "adit --help" },
};

/*
 * As spelling_resembles, but with stricter rules, because these words are mere guesses. Short ones and those with
 * another letter are too close to names: "lost" to "list", "remote" to "remove".
 */
static bool misspelled_likely(const char *word, const char *likely)
{
	size_t length = strlen(likely), i = 0;

	if (length < 5 || !spelling_resembles(word, likely) || spelling_distance(word, likely) > 1)
		return false;
	if (strlen(word) != length)
		return true;
	/* Accept two swapped letters, but not another letter. */
	while (i < length - 1 && tolower((unsigned char)word[i]) == likely[i])
		i++;
	return tolower((unsigned char)word[i]) == likely[i + 1] && tolower((unsigned char)word[i + 1]) == likely[i];
}

const char *command_meant_by(const char *word)
{
	size_t length = strlen(word);

	if (length > 5 && strcasecmp(word + length - 5, ".conf") == 0)
		return "adit run FILE";
	if (length < 2 || length > WORD_MAX || strpbrk(word, "0123456789"))
		return NULL;
	for (size_t i = 0; i < sizeof likely_words / sizeof *likely_words; i++)
		if (strcasecmp(word, likely_words[i].word) == 0)
			return likely_words[i].meaning;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (spelling_resembles(word, commands[i].word))
			return commands[i].meaning;
	for (size_t i = 0; i < sizeof likely_words / sizeof *likely_words; i++)
		if (misspelled_likely(word, likely_words[i].word))
			return likely_words[i].meaning;
	return NULL;
}
