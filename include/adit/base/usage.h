/* SPDX-License-Identifier: MIT */
/* Usage: reports wrong arguments of a command in one line on standard error. */
#ifndef ADIT_BASE_USAGE_H
#define ADIT_BASE_USAGE_H

#include <stdbool.h>

/*
 * Prints `adit COMMAND: PROBLEM; usage: adit COMMAND ARGUMENTS` and returns EXIT_FAILURE. If an option is unknown,
 * names the help in place of the arguments. `command` is empty if there is no command. `arguments` is as in the help of
 * the command. `word` is the wrong argument, or NULL if one is missing.
 */
int usage_error(const char *command, const char *arguments, const char *word);

/* Removes the option from the arguments, and returns whether it was among them. */
bool usage_take_flag(int *argc, char **argv, const char *flag);

/*
 * If argv[*at] is the option, moves *at past it and its value, "--option VALUE" or "--option=VALUE", and returns true.
 * `*value` is NULL before the option is given for the first time, and then the value. `*problem` is NULL, or states
 * that the value is missing, or that the option is given twice. A separate value does not begin with "--", because it
 * is more likely that the value is missing.
 */
bool usage_match_value(int argc, char **argv, int *at, const char *option, const char **value, const char **problem);
/*
 * Removes the option and its value from the arguments, and stores the value, unless the option is not among them.
 * Returns false after it has reported a problem.
 */
bool usage_take_value(const char *command, int *argc, char **argv, const char *option, const char **value);

/*
 * If the option is among the arguments, removes it and its value, and stores the value: a number of seconds from 1 to
 * `max`. Returns false after it has reported a problem.
 */
bool usage_take_seconds(const char *command, int *argc, char **argv, const char *option, unsigned max,
						unsigned *seconds);

/*
 * Checks the arguments of a command that has no options, or whose options were removed. After argv[0], there are `min`
 * to `max` words. Returns false after it has reported a wrong one.
 */
bool usage_check(const char *command, int argc, char **argv, const char *arguments, int min, int max);

#endif
