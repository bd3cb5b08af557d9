/* SPDX-License-Identifier: MIT */
/* Test rig: a socket that replaces the service manager's and records messages and descriptors. */
#ifndef ADIT_TEST_NOTIFY_RIG_H
#define ADIT_TEST_NOTIFY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RIG_TEXT = 512, RIG_FDS = 8 };

struct notify_rig {
	int socket;
	char text[RIG_TEXT]; /* of the last message */
	int fds[RIG_FDS];
	size_t count;
};

/* Binds the socket: to a path, or to an abstract name if `path` begins with @. Sets NOTIFY_SOCKET. */
static inline void notify_rig_open(struct notify_rig *rig, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	*rig = (struct notify_rig) { .socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0) };
	memcpy(name.sun_path, path, strlen(path));
	if (path[0] == '@')
		name.sun_path[0] = '\0';
	else
		unlink(path);
	assert_int_equal(
		bind(rig->socket, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
		0);
	setenv("NOTIFY_SOCKET", path, 1);
}

static inline void notify_rig_close(struct notify_rig *rig)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path && path[0] == '/')
		unlink(path);
	unsetenv("NOTIFY_SOCKET");
	close(rig->socket);
}

/* Receives the next message. Returns its text, or "" if there is none. */
static inline const char *notify_rig_next(struct notify_rig *rig)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(RIG_FDS * sizeof(int))];
	} control;
	struct iovec text = { rig->text, sizeof rig->text - 1 };
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t length = recvmsg(rig->socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	rig->text[length > 0 ? length : 0] = '\0';
	rig->count = 0;
	if (length >= 0 && header && header->cmsg_type == SCM_RIGHTS) {
		rig->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(rig->fds, CMSG_DATA(header), rig->count * sizeof(int));
	}
	return rig->text;
}

#endif
