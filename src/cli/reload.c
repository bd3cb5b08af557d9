/* SPDX-License-Identifier: MIT */
/* adit reload: asks a running daemon to read its configuration file again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { RELOAD_TIMEOUT = 60 }; /* seconds; includes the set-up of addresses, routes and firewall */

/* Prints a finding of the daemon. */
static int print_message(void *context, char *key, char *value)
{
	int *messages = context;

	if (strcmp(key, "message"))
		return 0;
	fprintf(stderr, "%s\n", value);
	++*messages;
	return 0;
}

int command_reload(int argc, char **argv)
{
	const char *failure;
	int messages = 0, error;

	if (argc != 2) {
		fputs("usage: adit reload IFNAME\n", stderr);
		return EXIT_FAILURE;
	}
	error = uapi_client_call(UAPI_DIRECTORY, argv[1], "reload=1\n\n", RELOAD_TIMEOUT, print_message, &messages);
	if (!error)
		return EXIT_SUCCESS;
	if (messages)
		failure = "not reloaded";
	else if (error == -EINVAL || error == -EPROTO)
		/* Without the verb `reload`, a daemon answers with an error or, like wireguard-go, closes the connection. */
		failure = "this daemon cannot reload: it was not started from a file";
	else
		failure = uapi_client_error(error);
	fprintf(stderr, "adit reload: %s: %s\n", argv[1], failure);
	return EXIT_FAILURE;
}
