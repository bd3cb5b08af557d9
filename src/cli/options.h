/* SPDX-License-Identifier: MIT */
/* Options of commands that have many: "--name VALUE" or "--name=VALUE", checked as the keys of a configuration file. */
#ifndef ADIT_CLI_OPTIONS_H
#define ADIT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct options {
	const char *command; /* "adit peer add", for messages */
	int count, at;       /* the arguments, and the one that is looked at */
	char **list;
	bool failed; /* an option is wrong, and a message was printed */
};

/*
 * If the current argument is the option `name`, takes it and its value, which is one argument further or after a '=',
 * and returns true. An option that has been given before, and a missing value, are reported and set `failed`.
 */
bool options_value(struct options *options, const char *name, const char **value);
/* The same for an option without a value. */
bool options_flag(struct options *options, const char *name, bool *flag);
/* Takes the current argument if it is not an option. NULL: it is one. */
const char *options_word(struct options *options);
/* Prints "COMMAND: text" to standard error, and sets `failed`. Does nothing if it is set already. */
void options_fail(struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Parses the value of an option as that of `key` in a configuration file, in [Peer] or in [Interface]. Unlike in a
 * file, a value of nothing but blanks and commas is an error. The result is in `config`, in its only peer or in itself;
 * the caller has zeroed it and destroys it. On an error, prints what is wrong with the option, sets `failed` and
 * returns false.
 */
bool options_parse(struct options *options, struct config *config, const char *option, const char *key, bool in_peer,
				   const char *value);
/* The same, but does not keep the result. Does nothing if the value is NULL or `failed` is set. */
void options_check(struct options *options, const char *option, const char *key, bool in_peer, const char *value);

#endif
