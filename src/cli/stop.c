/* SPDX-License-Identifier: MIT */
/* adit stop: asks a running daemon to end, and waits until it has. */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/show.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"
#include "uapi_client.h"

enum { STOP_TIMEOUT = 10, POLL_MS = 10 }; /* the timeout in seconds */

/* Returns the process that listens on the control socket, or 0 if it is unknown. */
static pid_t daemon_process(const char *name)
{
	struct ucred credentials = { 0 };
	socklen_t length = sizeof credentials;
	int fd = uapi_connect(UAPI_DIRECTORY, name, STOP_TIMEOUT);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		credentials.pid = 0;
	close(fd);
	return credentials.pid;
}

/*
 * Waits until the interface or the process is gone: a persistent interface outlives the daemon, and the process may be
 * one that we cannot see. The daemon has agreed to end, so a timeout is not an error.
 */
static void wait_for_end(const char *name, unsigned index, pid_t process)
{
	uint64_t deadline = clock_boottime() + STOP_TIMEOUT * NS_PER_S;
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	while ((index || process) && clock_boottime() < deadline) {
		if (index && if_nametoindex(name) != index)
			return;
		if (process && kill(process, 0) < 0 && errno == ESRCH)
			return;
		nanosleep(&pause, NULL);
	}
}

static int ignore_line(void *context, char *key, char *value)
{
	return 0;
}

int command_stop(int argc, char **argv)
{
	unsigned index;
	pid_t process;
	int error;

	if (argc != 2) {
		fputs("usage: adit stop IFNAME\n", stderr);
		return EXIT_FAILURE;
	}
	index = if_nametoindex(argv[1]);
	process = daemon_process(argv[1]);
	error = uapi_client_call(UAPI_DIRECTORY, argv[1], "stop=1\n\n", STOP_TIMEOUT, ignore_line, NULL);
	if (!error) {
		wait_for_end(argv[1], index, process);
		return EXIT_SUCCESS;
	}
	/* Without the verb `stop`, a daemon answers with an error or, like wireguard-go, closes the connection. */
	if (error == -EINVAL || error == -EPROTO)
		fprintf(stderr, "adit stop: %s: the daemon is not adit; \"ip link delete %s\" ends it\n", argv[1], argv[1]);
	else
		fprintf(stderr, "adit stop: %s: %s\n", argv[1], uapi_client_error(error));
	return EXIT_FAILURE;
}
