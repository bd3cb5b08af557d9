/* SPDX-License-Identifier: MIT */
/* adit check: reports the errors and warnings in configuration files. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "config/ini.h"

static void check_print_finding(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static int check_file(const char *path)
{
	struct ini_report report = { .line = check_print_finding };
	struct config config = { 0 };
	int error = ini_load(&config, path, &report);

	if (!error)
		printf("%s: OK, %zu peer%s\n", path, config.peer_count, config.peer_count == 1 ? "" : "s");
	else if (report.errors == 0)
		fprintf(stderr, "%s: error: out of memory\n", path);
	config_destroy(&config);
	return error;
}

int command_check(int argc, char **argv)
{
	int code = EXIT_SUCCESS;

	if (argc < 2) {
		fprintf(stderr, "usage: adit check FILE...\n");
		return EXIT_FAILURE;
	}
	for (int i = 1; i < argc; i++) {
		if (check_file(argv[i]) < 0)
			code = EXIT_FAILURE;
	}
	return code;
}
