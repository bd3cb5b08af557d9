/* SPDX-License-Identifier: MIT */
/*
 * Completion of the command line.
 *
 * The help of a command is the only description of its arguments. Its usage names the words in their order. Its options
 * are those of the usage and the first words of indented lines. A word in capitals names a kind of value:
 *
 *     FILE          a configuration: the name of one in /etc/adit, or a file; as the value of an option, any file
 *     IFNAME        a running interface; so is NAME, if it is the first word
 *     PEER          a peer of the FILE or IFNAME before it
 *     HOSTS, LOG    a file
 *     HOST          a host of the list HOSTS before it
 *     DIR           a directory
 *     LEVEL         a level of the log
 *
 * "add|remove" are alternatives. Such a verb may have a usage of its own, in an indented line of the help: "adit peer
 * remove FILE PEER".
 */
#include "cli/complete.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/ini.h"
#include "show_state.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { ANSWER_TIMEOUT = 1 }; /* seconds; somebody waits for the list */

/* A piece of the help text. It has no terminating NUL byte. */
struct piece {
	const char *text;
	size_t length;
};

static bool piece_is(struct piece piece, const char *word)
{
	return piece.length == strlen(word) && strncmp(piece.text, word, piece.length) == 0;
}

static void offer(struct piece word, struct piece description, const char *prefix)
{
	if (word.length < strlen(prefix) || strncmp(word.text, prefix, strlen(prefix)) != 0)
		return;
	printf("%.*s", (int)word.length, word.text);
	if (description.length)
		printf("\t%.*s", (int)description.length, description.text);
	putchar('\n');
}

static void offer_text(const char *word, const char *description, const char *prefix)
{
	offer((struct piece) { word, strlen(word) }, (struct piece) { description, strlen(description) }, prefix);
}

static int offer_interface(void *context, const char *name)
{
	offer_text(name, "interface", context);
	return 0;
}

static void offer_interfaces(const char *prefix)
{
	uapi_client_list(UAPI_DIRECTORY, offer_interface, (void *)prefix);
}

/* Offers the tunnels that have a file. A directory that cannot be read has none. */
static void offer_configurations(const char *prefix)
{
	static const char suffix[] = ".conf";
	DIR *stream = opendir(INI_DIRECTORY);
	const struct dirent *entry;

	if (!stream)
		return;
	while ((entry = readdir(stream))) {
		size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;
		struct piece name = { entry->d_name, length - tail };

		if (length > tail && *entry->d_name != '.' && strcmp(entry->d_name + length - tail, suffix) == 0)
			offer(name, (struct piece) { "configuration", strlen("configuration") }, prefix);
	}
	closedir(stream);
}

/*
 * Takes the next word or option off the text. Brackets, dots and commas around it are left out. The word is empty at
 * the end of the text.
 */
static struct piece next_piece(const char **text)
{
	struct piece piece;

	*text += strspn(*text, " [");
	piece.text = *text;
	piece.length = strcspn(*text, " \n");
	*text += piece.length;
	while (piece.length && strchr("].,", piece.text[piece.length - 1]))
		piece.length--;
	return piece;
}

/* A kind of value is at least two characters long, starts with a capital and contains no small letter. */
static bool is_kind(struct piece piece)
{
	if (piece.length < 2 || !isupper((unsigned char)*piece.text))
		return false;
	for (size_t i = 0; i < piece.length; i++) {
		if (islower((unsigned char)piece.text[i]))
			return false;
	}
	return true;
}

/* An option of a command. The value and the description may be empty. */
struct option_text {
	struct piece name, value, description;
};

/* Takes an option and its value off the text. Returns false if none starts there. */
static bool next_option(const char **text, struct option_text *option)
{
	const char *end;

	*option = (struct option_text) { 0 };
	if (**text != '-')
		return false;
	option->name = next_piece(text);
	end = *text;
	if (*end == ' ' && end[-1] != ']') {
		option->value = next_piece(&end);
		if (is_kind(option->value))
			*text = end;
		else
			option->value.length = 0;
	}
	return option->name.length > 1 && !piece_is(option->name, "--");
}

/* Finds the next option in the usage of a command. */
static bool next_usage_option(const char **text, struct option_text *option)
{
	while (*(*text = strchrnul(*text, '-'))) {
		if (next_option(text, option))
			return true;
	}
	return false;
}

/* Finds the next option at the start of an indented line of the help, or after a comma. */
static bool next_help_option(const char **text, struct option_text *option)
{
	while (**text) {
		const char *word = *text + strspn(*text, " ");
		bool indented = word != *text;

		if (indented && next_option(&word, option)) {
			const char *gap = strstr(word, "  "), *end = strchrnul(word, '\n');

			if (gap && gap < end) {
				gap += strspn(gap, " ");
				option->description = (struct piece) { gap, (size_t)(end - gap) };
			}
			*text = word;
			return true;
		}
		*text = strchrnul(*text, '\n');
		*text += **text == '\n';
	}
	return false;
}

static bool same_piece(struct piece a, struct piece b)
{
	return a.length == b.length && strncmp(a.text, b.text, a.length) == 0;
}

static bool find_help_option(const struct command *command, struct piece name, struct option_text *option)
{
	const char *text = command->help;

	while (next_help_option(&text, option)) {
		if (same_piece(option->name, name))
			return true;
	}
	return false;
}

static bool takes_value(const struct command *command, const char *word, struct option_text *option)
{
	const char *text = command->arguments;
	const struct piece name = { word, strlen(word) };

	if (find_help_option(command, name, option) && option->value.length)
		return true;
	while (next_usage_option(&text, option)) {
		if (same_piece(option->name, name))
			return option->value.length > 0;
	}
	return false;
}

/* Returns whether the verb with this usage takes the option. "[OPTION]..." stands for all. NULL: there is no verb. */
static bool verb_takes(const char *usage, struct piece name)
{
	const char *end = usage ? strchrnul(usage, '\n') : NULL;
	struct option_text option;

	if (!usage || memmem(usage, (size_t)(end - usage), "OPTION", strlen("OPTION")))
		return true;
	while (next_usage_option(&usage, &option) && option.name.text < end) {
		if (same_piece(option.name, name))
			return true;
	}
	return false;
}

static void offer_options(const struct command *command, const char *verb_usage, const char *prefix)
{
	struct option_text option, described;
	const char *text = command->arguments;

	while (next_usage_option(&text, &option)) {
		if (!find_help_option(command, option.name, &described))
			offer(option.name, option.description, prefix);
	}
	text = command->help;
	while (next_help_option(&text, &option)) {
		if (verb_takes(verb_usage, option.name))
			offer(option.name, option.description, prefix);
	}
	if (*prefix) /* a shell would insert it after the last word of a command */
		offer_text("--help", "explain the command", prefix);
}

static void offer_alternatives(struct piece alternatives, const char *prefix)
{
	while (alternatives.length) {
		const char *bar = memchr(alternatives.text, '|', alternatives.length);
		size_t length = bar ? (size_t)(bar - alternatives.text) : alternatives.length;

		offer((struct piece) { alternatives.text, length }, (struct piece) { 0 }, prefix);
		length += bar != NULL;
		alternatives.text += length;
		alternatives.length -= length;
	}
}

/* Offers the peers that have a file of their own, with their first address. */
static void offer_peers(const char *file, const char *prefix)
{
	struct ini_report quiet = { .any_process = true };
	struct config config = { 0 };
	char buffer[INI_PATH], address[PREFIX_TEXT];

	ini_load(&config, ini_path(file, buffer), &quiet);
	for (const struct config_peer *peer = config.peers; peer; peer = peer->next) {
		*address = '\0';
		if (peer->allowed_ips)
			prefix_to_text(address, &peer->allowed_ips->prefix);
		if (peer->file && *config_peer_name(peer))
			offer_text(config_peer_name(peer), address, prefix);
	}
	config_destroy(&config);
}

/* The words before to which a PEER or a HOST belongs; NULL: none. */
struct value_owner {
	const char *file, *interface, *hosts;
	host_lister *list_hosts;
};

static void offer_host(void *context, const char *name)
{
	offer_text(name, "host", context);
}

/* Offers the peers of a running interface by name, or else by public key, with their first address. */
static void offer_running_peers(const char *name, const char *prefix)
{
	struct show_interface interface = { 0 };
	char address[PREFIX_TEXT];

	if (strlen(name) < sizeof interface.name) {
		memcpy(interface.name, name, strlen(name));
		show_read(&interface, UAPI_DIRECTORY, ANSWER_TIMEOUT);
	}
	for (const struct show_peer *peer = interface.peers; peer; peer = peer->next) {
		*address = '\0';
		if (peer->allowed_ips)
			prefix_to_text(address, &peer->allowed_ips->prefix);
		offer_text(peer->name ? peer->name : peer->public_key, address, prefix);
	}
	show_free(&interface);
}

static void offer_value(struct piece kind, const struct value_owner *owner, const char *prefix)
{
	if (piece_is(kind, "DIR"))
		puts(":directories");
	else if (piece_is(kind, "IFNAME"))
		offer_interfaces(prefix);
	else if (piece_is(kind, "FILE") || piece_is(kind, "LOG"))
		puts(":files");
	else if (piece_is(kind, "PEER") && owner->file)
		offer_peers(owner->file, prefix);
	else if (piece_is(kind, "PEER") && owner->interface)
		offer_running_peers(owner->interface, prefix);
	else if (piece_is(kind, "HOST") && owner->hosts && strcmp(owner->hosts, "-") != 0) /* not standard input */
		owner->list_hosts(owner->hosts, offer_host, (void *)prefix);
}

/* Returns the usage of a verb of the command, such as `peer remove`, or NULL if the help has none. */
static const char *find_verb_usage(const struct command *command, const char *verb)
{
	char line[64];
	const char *found;

	snprintf(line, sizeof line, "  adit %s %s ", command->name, verb);
	found = strstr(command->help, line);
	return found ? found + strlen(line) : NULL;
}

/* Offers values of the word with this index in a usage. Returns false if there are not so many words. */
static bool offer_word(const char *text, int index, const struct value_owner *owner, const char *prefix)
{
	struct piece word = { 0 };
	bool repeated = false;
	const char *end;

	for (int i = 0; i <= index && !repeated;) {
		struct option_text option;

		text += strspn(text, " [");
		if (*text == '-') {
			next_option(&text, &option);
			continue;
		}
		word = next_piece(&text);
		if (!word.length)
			return false;
		end = word.text + word.length;
		repeated = strncmp(end + (*end == ']'), "...", 3) == 0;
		i++;
	}
	if (piece_is(word, "OPTION"))
		return false;
	if (piece_is(word, "HOSTS")) {
		puts(":files");
	} else if (piece_is(word, "FILE")) {
		offer_configurations(prefix);
		puts(":configurations");
	} else if (piece_is(word, "LEVEL")) { /* it may be left out */
		for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
			offer_text(log_level_name((enum log_level)level), "level of the log", prefix);
		offer_interfaces(prefix);
	} else if (piece_is(word, "NAME") && index == 0) {
		offer_interfaces(prefix);
	} else if (is_kind(word)) {
		offer_value(word, owner, prefix);
	} else {
		offer_alternatives(word, prefix);
	}
	return true;
}

static void complete_command(const struct command *command, host_lister *list_hosts, int words, char **list)
{
	const char *prefix = list[words - 1], *usage = command->arguments, *verb_usage = NULL;
	struct value_owner owner = { .list_hosts = list_hosts };
	struct option_text option;
	bool is_value = false;
	int index = 0;

	for (int i = 0; i < words - 1; i++) {
		bool is_option = !is_value && *list[i] == '-';

		if (!is_value && !is_option) {
			if (index == 0)
				verb_usage = find_verb_usage(command, list[i]);
			if (index == 0 && !verb_usage)
				owner.interface = owner.hosts = list[i];
			if (index == 1 && verb_usage)
				owner.file = list[i];
			index++;
		}
		is_value = is_option && takes_value(command, list[i], &option);
	}
	if (verb_usage) {
		usage = verb_usage;
		index--;
	}
	if (is_value)
		offer_value(option.value, &owner, prefix);
	else if (*prefix == '-' || !offer_word(usage, index, &owner, prefix))
		offer_options(command, verb_usage, prefix);
}

void complete_command_line(const struct command *commands, size_t count, host_lister *list_hosts, int words,
						   char **list)
{
	const char *prefix = words ? list[words - 1] : "";

	if (words > 1) {
		for (size_t i = 0; i < count; i++) {
			if (strcmp(commands[i].name, list[0]) == 0)
				complete_command(&commands[i], list_hosts, words - 1, list + 1);
		}
		if (strcmp(list[0], "help") != 0 || words > 2)
			return;
	}
	for (size_t i = 0; i < count; i++)
		offer_text(commands[i].name, commands[i].summary, prefix);
	if (words > 1)
		return;
	offer_text("help", "explain a command", prefix);
	if (*prefix == '-') {
		offer_text("--help", "list the commands", prefix);
		offer_text("--version", "print the version", prefix);
		offer_text("--foreground", "make an interface and stay in the foreground", prefix);
	}
}
