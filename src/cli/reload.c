/* SPDX-License-Identifier: MIT */
/* adit reload: asks a running daemon to read its configuration file again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "cli/show.h"
#include "reload.h"
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

int reload_interface(const char *command, const char *interface)
{
	const char *failure;
	int messages = 0;
	int error = uapi_client_call(UAPI_DIRECTORY, interface, "reload=1\n\n", RELOAD_TIMEOUT, print_message, &messages);

	if (!error || error == -ENOENT || error == -ECONNREFUSED)
		return error;
	if (messages)
		failure = "not reloaded";
	else if (error == -EINVAL || error == -EPROTO)
		/* Without the verb `reload`, a daemon answers with an error or, like wireguard-go, closes the connection. */
		failure = "this daemon cannot reload: it was not started from a file";
	else
		failure = uapi_client_error(error);
	fprintf(stderr, "%s: %s: %s\n", command, interface, failure);
	return error;
}

int command_reload(int argc, char **argv)
{
	int error;

	if (!usage_check("reload", argc, argv, "IFNAME", 1, 1))
		return EXIT_FAILURE;
	error = reload_interface("adit reload", argv[1]);
	if (error == -ENOENT || error == -ECONNREFUSED)
		fprintf(stderr, "adit reload: %s: %s\n", argv[1], uapi_client_error(error));
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
