/* SPDX-License-Identifier: MIT */
/* Sends progress and result to a client that waits. */
#include "daemon/waiting_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int waiting_client_accept(struct waiting_client *client, const struct uapi_reply *reply)
{
	int fd;

	if (client->waits)
		return -EBUSY;
	fd = fcntl(reply->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return -errno;
	*client = (struct waiting_client) { true, fd };
	return 0;
}

void waiting_client_line(const struct waiting_client *client, const char *key, const char *value)
{
	char line[1024];
	int length = snprintf(line, sizeof line, "%s=%.1000s\n", key, value);

	if (client->waits && length > 0) /* that the client may have gone does not matter */
		send(client->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void waiting_client_message(void *context, const char *text)
{
	waiting_client_line(context, "message", text);
}

void waiting_client_finish(struct waiting_client *client, int error)
{
	char line[32];
	int length = snprintf(line, sizeof line, "errno=%d\n\n", error);

	if (!client->waits)
		return;
	send(client->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
	waiting_client_drop(client);
}

void waiting_client_drop(struct waiting_client *client)
{
	if (client->waits)
		close(client->fd);
	*client = (struct waiting_client) { 0 };
}
