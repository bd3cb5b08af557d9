/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { PATIENCE = 60 }; /* seconds: addresses, routes and firewall are set meanwhile */

/* What the daemon found in its file, a line each. */
static int print_message(void *context, char *key, char *value)
{
	int *messages = context;

	if (strcmp(key, "message"))
		return 0;
	fprintf(stderr, "%s\n", value);
	++*messages;
	return 0;
}

/* A daemon that knows no such verb says so, or hangs up as wireguard-go does. */
static const char *meaning(int error, int messages)
{
	if (messages)
		return "not reloaded";
	if (error == -EINVAL || error == -EPROTO)
		return "this daemon has no file to read again";
	return uapi_call_error(error);
}

int command_reload(int argc, char **argv)
{
	int messages = 0, error;

	if (argc != 2) {
		fputs("usage: adit reload IFNAME\n", stderr);
		return EXIT_FAILURE;
	}
	error = uapi_client_call(UAPI_DIRECTORY, argv[1], "reload=1\n\n", PATIENCE, print_message, &messages);
	if (!error)
		return EXIT_SUCCESS;
	fprintf(stderr, "adit reload: %s: %s\n", argv[1], meaning(error, messages));
	return EXIT_FAILURE;
}
