/* SPDX-License-Identifier: MIT */
/* Completion of the command line, for the files in completions/. */
#ifndef ADIT_CLI_COMPLETE_H
#define ADIT_CLI_COMPLETE_H

#include <stddef.h>

/* A command of the program. Completion reads the words and options of a command in `arguments` and `help`. */
struct command {
	const char *name;
	int (*call)(int argc, char **argv);
	const char *arguments, *summary;
	const char *help; /* lines of at most 79 columns */
};

/* Calls `found` for each host in the file HOSTS, also if the file has errors. */
typedef void host_lister(const char *path, void (*found)(void *context, const char *name), void *context);

/*
 * Prints the words that can take the place of the last of `words`, which is empty or the beginning of a word. The words
 * before it are complete; the name of the program is not among them. Prints one word per line, followed by a tab and a
 * description if there is one. Lines with a colon request words that the shell knows: ":files", ":directories", and
 * ":configurations", which are directories and files NAME.conf.
 */
void complete_command_line(const struct command *commands, size_t count, host_lister *list_hosts, int words,
						   char **list);

#endif
