/* SPDX-License-Identifier: MIT */
/* Words that are probably meant as a command: misspelled commands, and commands of other programs. */
#include "cli/words.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { WORD_MAX = 15 }; /* the longest name of an interface */

struct known_word {
	const char *word, *meaning;
};

static const struct known_word commands[] = {
	{ "run", "adit run FILE" },      { "check", "adit check FILE" }, { "reload", "adit reload IFNAME" },
	{ "stop", "adit stop IFNAME" },  { "show", "adit show" },        { "genkey", "adit genkey" },
	{ "pubkey", "adit pubkey" },     { "genpsk", "adit genpsk" },    { "help", "adit --help" },
	{ "version", "adit --version" },
};

/* The names of such commands in other programs. */
static const struct known_word likely_words[] = {
	{ "status", "adit show" },
	{ "state", "adit show" },
	{ "stat", "adit show" },
	{ "stats", "adit show" },
	{ "statistics", "adit show" },
	{ "list", "adit show" },
	{ "ls", "adit show" },
	{ "ps", "adit show" },
	{ "info", "adit show" },
	{ "dump", "adit show" },
	{ "get", "adit show" },
	{ "peers", "adit show" },
	{ "interfaces", "adit show" },
	{ "showconf", "adit show" },
	{ "start", "adit run FILE" },
	{ "up", "adit run FILE" },
	{ "connect", "adit run FILE" },
	{ "enable", "adit run FILE" },
	{ "launch", "adit run FILE" },
	{ "exec", "adit run FILE" },
	{ "down", "adit stop IFNAME" },
	{ "halt", "adit stop IFNAME" },
	{ "kill", "adit stop IFNAME" },
	{ "quit", "adit stop IFNAME" },
	{ "exit", "adit stop IFNAME" },
	{ "disconnect", "adit stop IFNAME" },
	{ "disable", "adit stop IFNAME" },
	{ "shutdown", "adit stop IFNAME" },
	{ "terminate", "adit stop IFNAME" },
	{ "del", "adit stop IFNAME" },
	{ "delete", "adit stop IFNAME" },
	{ "remove", "adit stop IFNAME" },
	{ "rm", "adit stop IFNAME" },
	{ "restart", "adit reload IFNAME" },
	{ "refresh", "adit reload IFNAME" },
	{ "syncconf", "adit reload IFNAME" },
	{ "update", "adit reload IFNAME" },
	{ "apply", "adit reload IFNAME" },
	{ "validate", "adit check FILE" },
	{ "verify", "adit check FILE" },
	{ "lint", "adit check FILE" },
	{ "strip", "adit check FILE" },
	{ "key", "adit genkey" },
	{ "keys", "adit genkey" },
	{ "keygen", "adit genkey" },
	{ "keypair", "adit genkey" },
	{ "generate", "adit genkey" },
	{ "genpub", "adit pubkey" },
	{ "psk", "adit genpsk" },
	{ "ver", "adit --version" },
	{ "about", "adit --version" },
	{ "usage", "adit --help" },
	{ "commands", "adit --help" },
	{ "set", "adit --help" },
	{ "setconf", "adit --help" },
	{ "addconf", "adit --help" },
	{ "save", "adit --help" },
	{ "config", "adit --help" },
	{ "configure", "adit --help" },
	{ "add", "adit --help" },
	{ "new", "adit --help" },
	{ "create", "adit --help" },
	{ "init", "adit --help" },
	{ "install", "adit --help" },
	{ "edit", "adit --help" },
};

static size_t minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * The number of letters to insert, delete, replace or swap with their neighbour that turns one word into the other: the
 * optimal string alignment distance. Both words have at most WORD_MAX letters.
 */
static size_t edit_distance(const char *from, const char *to)
{
	size_t rows = strlen(from), columns = strlen(to);
	size_t distance[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= rows; i++)
		distance[i][0] = i;
	for (size_t j = 0; j <= columns; j++)
		distance[0][j] = j;
	for (size_t i = 1; i <= rows; i++) {
		for (size_t j = 1; j <= columns; j++) {
			size_t replaced = distance[i - 1][j - 1] + (from[i - 1] != to[j - 1]);
			distance[i][j] = minimum(replaced, minimum(distance[i - 1][j], distance[i][j - 1]) + 1);
			if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
				distance[i][j] = minimum(distance[i][j], distance[i - 2][j - 2] + 1);
		}
	}
	return distance[rows][columns];
}

/*
 * True if `word` is `command` with a typing error, or with two if it is long. The first letter is rarely wrong, and a
 * short word with another one, such as "tun", is rather a name.
 */
static bool misspelled(const char *word, const char *command)
{
	size_t allowed = strlen(command) > 5 ? 2 : 1;

	if (strcmp(word, command + 1) == 0)
		return true;
	if (word[0] != command[0] && (word[0] != command[1] || word[1] != command[0]))
		return false;
	return edit_distance(word, command) <= allowed;
}

/* True if the words have the same letters in another order. */
static bool same_letters(const char *a, const char *b)
{
	int count[UCHAR_MAX + 1] = { 0 };

	for (; *a; a++)
		count[(unsigned char)*a]++;
	for (; *b; b++)
		count[(unsigned char)*b]--;
	for (int i = 0; i <= UCHAR_MAX; i++)
		if (count[i])
			return false;
	return true;
}

/*
 * As misspelled(), but with stricter rules, because these words are mere guesses. Short ones and those with another
 * letter are too close to names: "lost" to "list", "remote" to "remove".
 */
static bool misspelled_likely(const char *word, const char *likely)
{
	size_t length = strlen(likely);

	if (length < 5 || !misspelled(word, likely) || edit_distance(word, likely) > 1)
		return false;
	return strlen(word) != length || same_letters(word, likely);
}

const char *command_meant_by(const char *word)
{
	char lower[WORD_MAX + 1];
	size_t length = strlen(word);

	if (length > 5 && strcasecmp(word + length - 5, ".conf") == 0)
		return "adit run FILE";
	if (length < 2 || length > WORD_MAX || strpbrk(word, "0123456789"))
		return NULL;
	for (size_t i = 0; i <= length; i++)
		lower[i] = (char)tolower((unsigned char)word[i]);
	for (size_t i = 0; i < sizeof likely_words / sizeof *likely_words; i++)
		if (strcmp(lower, likely_words[i].word) == 0)
			return likely_words[i].meaning;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (misspelled(lower, commands[i].word))
			return commands[i].meaning;
	for (size_t i = 0; i < sizeof likely_words / sizeof *likely_words; i++)
		if (misspelled_likely(lower, likely_words[i].word))
			return likely_words[i].meaning;
	return NULL;
}
