/* SPDX-License-Identifier: MIT */
/* adit stop: asks a running daemon to end, and waits until it has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "absent.h"
#include "base/usage.h"
#include "cli/show.h"
#include "stop_wait.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { STOP_TIMEOUT = 10 }; /* seconds */

static int ignore_line(void *context, char *key, char *value)
{
	return 0;
}

int command_stop(int argc, char **argv)
{
	bool killed = usage_take_flag(&argc, argv, "--killed");
	struct stop_wait wait;
	int error;

	if (!usage_check("stop", argc, argv, "[--killed] IFNAME", 1, 1))
		return EXIT_FAILURE;
	/* With such a name adit@NAME has failed already, so adit-sweep@NAME, which runs this, need not fail, too. */
	if (!uapi_client_check_name("stop", argv[1]))
		return killed ? EXIT_SUCCESS : EXIT_FAILURE;
	if (killed) {
		absent_remove_remains("adit stop", argv[1]);
		return EXIT_SUCCESS;
	}
	if (absent_stop_unit("adit stop", argv[1]))
		return EXIT_SUCCESS;
	stop_wait_begin(&wait, argv[1]);
	error = absent_has_foreign_socket(&wait)
				? -ECONNREFUSED
				: uapi_client_call(UAPI_DIRECTORY, argv[1], "stop=1\n\n", STOP_TIMEOUT, ignore_line, NULL);
	if ((error == -EPROTO || error == -EPIPE) && absent_closes_connections(argv[1]))
		error = -ECONNREFUSED;
	if (error == -ENOENT || error == -ECONNREFUSED)
		error = absent_end("adit stop", &wait);
	if (!error || error == -EBUSY) {
		stop_wait_end(&wait);
		return EXIT_SUCCESS;
	}
	if (error == -EIO)
		return EXIT_FAILURE;
	if (error == -ENOENT && wait.is_elsewhere) {
		other_namespace_report(&wait.other, "adit stop", argv[1]);
		return EXIT_FAILURE;
	}
	/* Without the verb `stop`, a daemon answers with an error or, like wireguard-go, closes the connection. */
	if (error == -EINVAL || error == -EPROTO)
		fprintf(stderr, "adit stop: %s: the daemon is not adit; \"ip link delete %s\" ends it\n", argv[1], argv[1]);
	else
		fprintf(stderr, "adit stop: %s: %s\n", argv[1], uapi_client_error(error));
	return EXIT_FAILURE;
}
