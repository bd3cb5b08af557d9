/* SPDX-License-Identifier: MIT */
/* Sends progress and result to a client that waits. */
#include "daemon/waiting_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESULT_ROOM = 16384 }; /* of the send buffer; an skb of a short line counts about 1 KiB */

int waiting_client_accept(struct waiting_client *client, const struct uapi_reply *reply)
{
	int fd;

	if (client->waits)
		return -EBUSY;
	fd = fcntl(reply->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return -errno;
	*client = (struct waiting_client) { .waits = true, .fd = fd };
	return 0;
}

/* Returns whether the buffer has room for a line and, after that, for the result, which must not be lost. */
static bool client_has_room(const struct waiting_client *client)
{
	int queued = 0, size = 0;
	socklen_t length = sizeof size;

	return ioctl(client->fd, SIOCOUTQ, &queued) || getsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &size, &length) ||
		   queued + RESULT_ROOM <= size;
}

void waiting_client_line(const struct waiting_client *client, const char *key, const char *value)
{
	char line[1024];
	int length = snprintf(line, sizeof line, "%s=%.1000s\n", key, value);

	if (client->waits) /* it does not matter if the client has gone */
		send(client->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void waiting_client_message(void *context, const char *text)
{
	struct waiting_client *client = context;

	if (!client->waits)
		return;
	if (client_has_room(client))
		waiting_client_line(client, "message", text);
	else
		client->lost++;
}

void waiting_client_finish(struct waiting_client *client, int error)
{
	char line[32], lost[64];
	int length = snprintf(line, sizeof line, "errno=%d\n\n", error);

	if (!client->waits)
		return;
	snprintf(lost, sizeof lost, "lines not shown: %lu", client->lost);
	if (client->lost)
		waiting_client_line(client, "message", lost);
	send(client->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
	waiting_client_drop(client);
}

void waiting_client_drop(struct waiting_client *client)
{
	if (client->waits)
		close(client->fd);
	*client = (struct waiting_client) { 0 };
}
