/* SPDX-License-Identifier: MIT */
/* adit peer: edits the folder with one file per peer that a configuration includes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "cli/commands.h"
#include "peer_site.h"

int command_peer(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*call)(int argc, char **argv);
	} verbs[] = { { "add", command_peer_add }, { "remove", command_peer_remove }, { "list", command_peer_list } };

	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].call(argc - 1, argv + 1);
	if (argc < 2)
		return usage_error("peer", "add|remove|list FILE", NULL);
	fprintf(stderr, "adit peer: \"%s\" is not one of add, remove and list; see \"adit peer --help\"\n", argv[1]);
	return EXIT_FAILURE;
}
