/* SPDX-License-Identifier: MIT */
/* adit down: takes a tunnel down as wg-quick(8) does, and reports the failure of a hook. */
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absent.h"
#include "base/usage.h"
#include "cli/show.h"
#include "stop_wait.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"

enum { DOWN_CONNECT_TIMEOUT = 10 }; /* seconds */

/* The interface that the argument means: NAME, or a file as for `adit up`. */
static bool interface_of_argument(char name[IFNAMSIZ], const char *argument)
{
	const char *slash = strrchr(argument, '/'), *base = slash ? slash + 1 : argument;
	size_t length = strlen(base);

	if (length > 5 && !strcmp(base + length - 5, ".conf"))
		length -= 5;
	else if (slash)
		return false;
	if (!length || length >= IFNAMSIZ)
		return false;
	snprintf(name, IFNAMSIZ, "%.*s", (int)length, base);
	return true;
}

/*
 * Sends the verb and prints the messages of the daemon. The daemon answers at once, and then sends the result when it
 * ends, which takes as long as the hooks. Returns 0; the errno of one of the two answers; or -EPROTO if the connection
 * ends before the second.
 */
static int request_down(int fd)
{
	static const char request[] = "down=1\n\n";
	const struct timeval forever = { 0 };
	int answers = 0, result = 0;
	char line[4096];
	FILE *from;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
	from = fdopen(fd, "r");
	if (!from) {
		close(fd);
		return -ENOMEM;
	}
	while (answers < 2 && !result && fgets(line, sizeof line, from)) {
		if (!strncmp(line, "message=", 8))
			fputs(line + 8, stderr);
		if (strncmp(line, "errno=", 6))
			continue;
		result = (int)strtol(line + 6, NULL, 10);
		answers++;
	}
	fclose(from);
	if (!result && answers < 2)
		return answers ? -ECONNRESET : -EPROTO;
	return result > 0 ? -result : result;
}

int command_down(int argc, char **argv)
{
	char name[IFNAMSIZ];
	struct stop_wait wait;
	int fd, error;

	if (!usage_check("down", argc, argv, "NAME", 1, 1))
		return EXIT_FAILURE;
	if (!interface_of_argument(name, argv[1])) {
		fprintf(stderr, "adit down: `%s' is neither the name of an interface nor a file NAME.conf\n", argv[1]);
		return EXIT_FAILURE;
	}
	if (absent_stop_unit("adit down", name))
		return EXIT_SUCCESS;
	stop_wait_begin(&wait, name);
	fd = absent_has_foreign_socket(&wait) ? -ECONNREFUSED : uapi_connect(UAPI_DIRECTORY, name, DOWN_CONNECT_TIMEOUT);
	error = fd < 0 ? fd : request_down(fd);
	if ((error == -EPROTO || error == -EPIPE) && absent_closes_connections(name))
		error = -ECONNREFUSED;
	if (error == -ENOENT || error == -ECONNREFUSED)
		error = absent_end("adit down", &wait);
	if (error == -ENOENT && wait.is_elsewhere)
		other_namespace_report(&wait.other, "adit down", name);
	else if (error == -ENOENT)
		fprintf(stderr, "adit down: `%s' is not an adit interface\n", name);
	else if (error == -EINVAL || error == -EPROTO)
		fprintf(stderr, "adit down: `%s' is not an adit interface that has a file\n", name);
	else if (error == -EBUSY)
		fprintf(stderr, "adit down: `%s' is going down already\n", name);
	else if (error && error != -EIO) /* the messages have said why */
		fprintf(stderr, "adit down: %s: %s\n", name, strerror(-error));
	if (!error)
		stop_wait_end(&wait);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
