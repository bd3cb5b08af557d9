/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "config/ini.h"

static void print_finding(void *context, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static int check_file(const char *path)
{
	struct ini_report report = { .line = print_finding };
	struct config config = { 0 };
	int status = ini_load(&config, path, &report);

	if (status == 0)
		printf("%s: OK, %zu peer%s\n", path, config.peer_count, config.peer_count == 1 ? "" : "s");
	else if (report.errors == 0)
		fprintf(stderr, "%s: error: out of memory\n", path);
	config_destroy(&config);
	return status;
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
