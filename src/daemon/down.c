/* SPDX-License-Identifier: MIT */
/* Sends the progress of the end to the client of `adit down`. */
#include "daemon/down.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int down_accept(struct down_client *client, const struct uapi_reply *reply)
{
	int fd;

	if (client->waits)
		return -EBUSY;
	fd = fcntl(reply->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return -errno;
	*client = (struct down_client) { true, fd };
	return 0;
}

static void down_send(const struct down_client *client, const char *text, int length)
{
	if (length > 0 && send(client->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* the client has gone, which does not matter */
}

void down_message(void *context, const char *text)
{
	const struct down_client *client = context;
	char line[1024];

	if (client->waits)
		down_send(client, line, snprintf(line, sizeof line, "message=%.1000s\n", text));
}

void down_finish(struct down_client *client, int error)
{
	char line[32];

	if (!client->waits)
		return;
	down_send(client, line, snprintf(line, sizeof line, "errno=%d\n\n", error));
	close(client->fd);
	*client = (struct down_client) { 0 };
}
