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
	if (!word)
		fputs("an argument is missing", stderr);
	else
		fprintf(stderr, "%s \"%s\"", *word == '-' ? "unknown option" : "unexpected argument", word);
	fprintf(stderr, "; usage: adit%s%s%s%s\n", space, command, argument_space, arguments);
	return EXIT_FAILURE;
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

const char *usage_take_value(int *argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < *argc; i++) {
		const char *value = argv[i + 1];

		if (strcmp(argv[i], option) == 0) {
			remove_arguments(argc, argv, i, 2);
			return value;
		}
	}
	return NULL;
}
