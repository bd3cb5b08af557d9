/* SPDX-License-Identifier: MIT */
/* adit reload: asks a running daemon to read its configuration file again. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/usage.h"
#include "cli/show.h"
#include "other_namespace.h"
#include "reload.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

/* Seconds; includes the set-up of addresses, routes and firewall, and several calls of a program for name servers. */
enum { RELOAD_TIMEOUT = 120 };

struct reload_reply {
	const char *interface;
	FILE *changes; /* NULL: not printed, and the second answer, about the name servers, is not awaited */
	bool applied;
	int messages;
};

/* Prints a finding of the daemon, or what has changed. */
static int print_message(void *context, char *key, char *value)
{
	struct reload_reply *reply = context;

	if (!strcmp(key, "changes") && reply->changes)
		fprintf(reply->changes, "%s: %s\n", reply->interface, value);
	if (!strcmp(key, "pending"))
		return reply->changes != NULL;
	if (!strcmp(key, "applied"))
		reply->applied = true;
	if (strcmp(key, "message"))
		return 0;
	fprintf(stderr, "%s\n", value);
	reply->messages++;
	return 0;
}

int reload_interface(const char *command, const char *interface, FILE *changes)
{
	const char *failure;
	struct reload_reply reply = { .interface = interface, .changes = changes };
	struct other_namespace other;
	int error;

	if (other_namespace_find(&other, interface)) {
		other_namespace_report(&other, command, interface);
		return -EXDEV;
	}
	error = uapi_client_call(UAPI_DIRECTORY, interface, "reload=1\n\n", RELOAD_TIMEOUT, print_message, &reply);
	if (reply.messages && (error == -ENOENT || error == -ECONNREFUSED))
		error = -EIO; /* the daemon answers, and does not find its file */
	if (!error || error == -ENOENT || error == -ECONNREFUSED)
		return error;
	if (reply.applied && !changes)
		return 0;
	if (reply.applied)
		failure = "reloaded, but the name servers are not set; the daemon keeps trying";
	else if (reply.messages)
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

	if (!usage_check("reload", argc, argv, "IFNAME", 1, 1) || !uapi_client_check_name("reload", argv[1]))
		return EXIT_FAILURE;
	error = reload_interface("adit reload", argv[1], stdout);
	if (error == -ENOENT || error == -ECONNREFUSED)
		fprintf(stderr, "adit reload: %s: %s\n", argv[1], uapi_client_error(error));
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
