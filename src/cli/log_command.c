/* SPDX-License-Identifier: MIT */
/* adit log: prints or changes the level of the log of running daemons. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/spelling.h"
#include "base/usage.h"
#include "cli/show.h"
#include "other_namespace.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

#define LOG_USAGE "[LEVEL] [IFNAME]"

enum { LOG_TIMEOUT = 10 /* seconds */ };

static int take_level(void *context, char *key, char *value)
{
	if (!strcmp(key, "log_level"))
		snprintf(context, sizeof "warning", "%s", value);
	return 0;
}

/*
 * Changes the level, or with NULL prints it. Returns 0; -EXDEV if the level is that of another network namespace, and
 * was not changed; or another negative errno. Does not report it.
 */
static int log_one(const char *interface, const char *level)
{
	char request[64], answer[sizeof "warning"] = "";
	struct other_namespace other;
	int error;

	if (level && other_namespace_find(&other, interface))
		return -EXDEV;
	if (level)
		snprintf(request, sizeof request, "log=1\nlevel=%s\n\n", level);
	else
		snprintf(request, sizeof request, "log=1\n\n");
	error = uapi_client_call(UAPI_DIRECTORY, interface, request, LOG_TIMEOUT, take_level, answer);
	if (!error && !level)
		printf("%s %s\n", interface, answer);
	return error;
}

static int report_failure(const char *interface, int error)
{
	struct other_namespace other;

	if (error == -EXDEV && other_namespace_find(&other, interface)) {
		other_namespace_report(&other, "adit log", interface);
		return error;
	}
	/* Without the verb `log`, a daemon answers with an error or, like wireguard-go, closes the connection. */
	if (error == -EINVAL || error == -EPROTO)
		fprintf(stderr, "adit log: %s: the daemon cannot change the level of its log\n", interface);
	else
		fprintf(stderr, "adit log: %s: %s\n", interface, uapi_client_error(error));
	return error;
}

/*
 * Continues after an interface that fails, and leaves out those that have no adit or are in another network namespace.
 * Returns the last error.
 */
static int log_all(const char *level)
{
	char(*names)[IFNAMSIZ];
	unsigned count, served = 0, elsewhere = 0;
	int last_error = uapi_client_names(UAPI_DIRECTORY, &names, &count);

	if (last_error)
		report_failure(UAPI_DIRECTORY, last_error);
	for (unsigned i = 0; i < count; i++) {
		int error = log_one(names[i], level);

		served += !error;
		elsewhere += error == -EXDEV;
		if (error && error != -EINVAL && error != -EPROTO && error != -ENOENT && error != -ECONNREFUSED &&
			error != -EXDEV)
			last_error = report_failure(names[i], error);
	}
	free(names);
	if (served || last_error)
		return last_error;
	fprintf(stderr, "adit log: no tunnel is running%s\n", elsewhere ? " in this network namespace" : "");
	return -ENOENT;
}

/* Finds out which of the two words are given: LEVEL, IFNAME, both or none. Returns false if they are wrong. */
static bool parse_words(int argc, char **argv, const char **level, const char **interface)
{
	enum log_level found = LOG_SILENT;

	*level = *interface = NULL;
	if (argc == 1)
		return true;
	if (!log_level_find(&found, argv[1])) {
		*interface = argv[1];
		if (argc == 2)
			return true;
		if (log_level_find(&found, argv[2]))
			fprintf(stderr, "adit log: the level comes first: adit log %s %s\n", argv[2], argv[1]);
		else
			fprintf(stderr, "adit log: \"%s\" is not one of " LOG_LEVEL_NAMES "\n", argv[1]);
		return false;
	}
	*level = log_level_name(found);
	*interface = argv[2]; /* NULL at the end */
	return true;
}

/* A word that nothing serves may be a level with a typing error. */
static void report_unknown_word(const char *word, int error)
{
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		const char *name = log_level_name((enum log_level)level);

		if (!spelling_resembles(word, name))
			continue;
		fprintf(stderr, "adit log: no daemon serves \"%s\"; did you mean the level \"%s\"?\n", word, name);
		return;
	}
	report_failure(word, error);
}

int command_log(int argc, char **argv)
{
	const char *level, *interface;
	int error;

	if (!usage_check("log", argc, argv, LOG_USAGE, 0, 2) || !parse_words(argc, argv, &level, &interface))
		return EXIT_FAILURE;
	if (interface && !uapi_client_check_name("log", interface))
		return EXIT_FAILURE;
	if (!interface) {
		error = log_all(level);
	} else {
		error = log_one(interface, level);
		if ((error == -ENOENT || error == -ECONNREFUSED) && !level)
			report_unknown_word(interface, error);
		else if (error)
			report_failure(interface, error);
	}
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
