/* SPDX-License-Identifier: MIT */
/* Options of commands, and their values. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "config/ini.h"

void options_fail(struct options *options, const char *format, ...)
{
	va_list arguments;

	if (options->failed) /* one line for wrong input */
		return;
	va_start(arguments, format);
	fprintf(stderr, "%s: ", options->command);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	options->failed = true;
}

bool options_value(struct options *options, const char *name, const char **value)
{
	const char *problem;

	if (!usage_match_value(options->count, options->list, &options->at, name, value, &problem))
		return false;
	if (problem)
		options_fail(options, "%s: %s", name, problem);
	return true;
}

bool options_flag(struct options *options, const char *name, bool *flag)
{
	if (strcmp(options->list[options->at], name) != 0)
		return false;
	options->at++;
	*flag = true;
	return true;
}

const char *options_word(struct options *options)
{
	const char *argument = options->list[options->at];

	if (*argument == '-')
		return NULL;
	options->at++;
	return argument;
}

struct option_finding {
	struct options *options;
	const char *option, *key;
};

/* Turns "x:3: error: Endpoint: \"a\" is not ..." into "adit peer add: --endpoint: \"a\" is not ...". */
static void report_option(void *context, const char *text)
{
	const struct option_finding *finding = context;
	const char *problem = strstr(text, ": error: ");
	size_t length = strlen(finding->key);

	if (!problem || finding->options->failed)
		return;
	problem += strlen(": error: ");
	if (strncmp(problem, finding->key, length) == 0 && strncmp(problem + length, ": ", 2) == 0)
		problem += length + 2;
	options_fail(finding->options, "%s: %s", finding->option, problem);
}

bool options_parse(struct options *options, struct config *config, const char *option, const char *key, bool in_peer,
				   const char *value)
{
	static const char any_key[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	struct option_finding finding = { options, option, key };
	struct ini_report report = { .line = report_option, .context = &finding };
	bool peer_key = in_peer && strcmp(key, "PublicKey") != 0;
	char *text;
	int length;

	if (strpbrk(value, "#\r\n")) {
		options_fail(options, "%s: the value contains '#' or a line break", option);
		return false;
	}
	/* A file may contain such a list, because wg-quick(8) accepts superfluous commas. */
	if (!value[strspn(value, " \t,")]) {
		options_fail(options, "%s: the value is missing", option);
		return false;
	}
	length = asprintf(&text, "[Interface]\n%s%s%s\n%s = %s\n", in_peer ? "[Peer]\n" : "",
					  peer_key ? "PublicKey = " : "", peer_key ? any_key : "", key, value);
	if (length < 0) {
		options_fail(options, "out of memory");
		return false;
	}
	if (ini_parse_config(config, option, text, (size_t)length, &report) < 0 && !options->failed)
		options_fail(options, "%s: the value is invalid", option);
	free(text);
	return !options->failed;
}

void options_check(struct options *options, const char *option, const char *key, bool in_peer, const char *value)
{
	struct config config = { 0 };

	if (value && !options->failed)
		options_parse(options, &config, option, key, in_peer, value);
	config_destroy(&config);
}
