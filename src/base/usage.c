/* SPDX-License-Identifier: MIT */
/* Usage: reports wrong arguments of a command in one line on standard error. */
#include "base/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const char *command, const char *arguments, const char *word)
{
	const char *space = *command ? " " : "", *argument_space = *arguments ? " " : "";

	fprintf(stderr, "adit%s%s: ", space, command);
	if (word && *word == '-') {
		fprintf(stderr, "unknown option \"%s\"; see \"adit%s%s --help\"\n", word, space, command);
		return EXIT_FAILURE;
	}
	if (word)
		fprintf(stderr, "unexpected argument \"%s\"", word);
	else
		fputs("an argument is missing", stderr);
	fprintf(stderr, "; usage: adit%s%s%s%s\n", space, command, argument_space, arguments);
	return EXIT_FAILURE;
}

bool usage_take_seconds(const char *command, int *argc, char **argv, const char *option, unsigned max,
						unsigned *seconds)
{
	const char *value = NULL;
	unsigned long number;
	char *end;

	if (!usage_take_value(command, argc, argv, option, &value))
		return false;
	if (!value)
		return true;
	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || number < 1 || number > max) {
		fprintf(stderr, "adit %s: %s: \"%s\" is not a number of seconds from 1 to %u\n", command, option, value, max);
		return false;
	}
	*seconds = (unsigned)number;
	return true;
}

bool usage_check(const char *command, int argc, char **argv, const char *arguments, int min, int max)
{
	const char *wrong = argc - 1 > max ? argv[max + 1] : NULL;

	for (int i = argc - 1; i > 0; i--) {
		if (*argv[i] == '-')
			wrong = argv[i];
	}
	if (!wrong && argc - 1 >= min)
		return true;
	usage_error(command, arguments, wrong);
	return false;
}

/* Removes `count` arguments, the first of which is argv[at]. */
static void remove_arguments(int *argc, char **argv, int at, int count)
{
	*argc -= count;
	for (int i = at; i < *argc; i++)
		argv[i] = argv[i + count];
	argv[*argc] = NULL;
}

bool usage_take_flag(int *argc, char **argv, const char *flag)
{
	bool found = false;

	for (int i = 1; i < *argc;) {
		if (strcmp(argv[i], flag) == 0) {
			remove_arguments(argc, argv, i, 1);
			found = true;
		} else {
			i++;
		}
	}
	return found;
}

bool usage_match_value(int argc, char **argv, int *at, const char *option, const char **value, const char **problem)
{
	const char *argument = argv[*at], *found = NULL;
	size_t length = strlen(option);

	*problem = NULL;
	if (strncmp(argument, option, length) != 0 || (argument[length] && argument[length] != '='))
		return false;
	++*at;
	if (argument[length])
		found = argument + length + 1;
	else if (*at < argc && strncmp(argv[*at], "--", 2) != 0)
		found = argv[(*at)++];
	if (!found || !*found)
		*problem = "the value is missing";
	else if (*value)
		*problem = "the option is given twice";
	else
		*value = found;
	return true;
}

bool usage_take_value(const char *command, int *argc, char **argv, const char *option, const char **value)
{
	const char *problem;

	for (int i = 1; i < *argc;) {
		int end = i;

		if (!usage_match_value(*argc, argv, &end, option, value, &problem)) {
			i++;
			continue;
		}
		if (problem) {
			fprintf(stderr, "adit %s: %s: %s\n", command, option, problem);
			return false;
		}
		remove_arguments(argc, argv, i, end - i);
	}
	return true;
}
