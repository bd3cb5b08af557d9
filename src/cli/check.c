/* SPDX-License-Identifier: MIT */
/* adit check: reports the errors and warnings in configuration files. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "cli/commands.h"
#include "config/ini_networks.h"

static int check_file(const char *path, bool strict, const struct ini_network *networks, size_t network_count)
{
	struct ini_report report = {
		.line = ini_print_line,
		.advice = true,
		.strict = strict,
		.any_process = true,
		.networks = networks,
		.network_count = network_count,
	};
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
	bool strict = usage_take_flag(&argc, argv, "--strict");
	struct ini_network *networks;
	size_t network_count;
	int code = EXIT_SUCCESS;

	if (!usage_check("check", argc, argv, "[--strict] FILE...", 1, INT_MAX - 1))
		return EXIT_FAILURE;
	networks = ini_networks_read(&network_count);
	for (int i = 1; i < argc; i++) {
		if (check_file(argv[i], strict, networks, network_count) < 0)
			code = EXIT_FAILURE;
	}
	free(networks);
	return code;
}
