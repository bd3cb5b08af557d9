#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "uapi.h"
#include "uapi_call.h"

enum { PATIENCE = 60 }; /* seconds: addresses, routes and firewall are set meanwhile */

/* What the daemon found in its file, a line each. */
static int print_message(void *context, char *key, char *value)
{
	if (!strcmp(key, "message"))
		fprintf(stderr, "%s\n", value);
	return 0;
}

int command_reload(int argc, char **argv)
{
	int error;

	if (argc != 2) {
		fputs("usage: adit reload IFNAME\n", stderr);
		return EXIT_FAILURE;
	}
	error = uapi_call(UAPI_DIRECTORY, argv[1], "reload=1\n\n", PATIENCE, print_message, NULL);
	if (!error)
		return EXIT_SUCCESS;
	fprintf(stderr, "adit reload: %s: %s\n", argv[1], uapi_call_error(error));
	return EXIT_FAILURE;
}
