/* SPDX-License-Identifier: MIT */
/* Sends datagrams, with or without descriptors, to the socket of the service manager. */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

bool notify_is_possible(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && *path;
}

int notify_service(const char *state)
{
	return notify_service_fds(state, NULL, 0);
}

int notify_service_fds(const char *state, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct iovec text = { (void *)state, strlen(state) };
	struct msghdr message = { .msg_name = &to, .msg_iov = &text, .msg_iovlen = 1 };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	int fd, error = 0;

	if (!length)
		return 0;
	if (count > NOTIFY_FDS_MAX)
		return -E2BIG;
	if ((path[0] != '/' && path[0] != '@') || length >= sizeof to.sun_path)
		return -EINVAL;
	memcpy(to.sun_path, path, length);
	if (path[0] == '@') /* an abstract socket */
		to.sun_path[0] = '\0';
	message.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
		control.align = (struct cmsghdr) { CMSG_LEN(count * sizeof *fds), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof *fds);
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		error = -errno;
	close(fd);
	return error;
}

void notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	notify_service(state);
}

/* The service manager closes its end of the pipe when it has handled the message. */
int notify_barrier(int timeout_ms)
{
	struct pollfd end = { .fd = -1 };
	int ends[2], error;

	if (!notify_is_possible())
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	error = notify_service_fds("BARRIER=1", &ends[1], 1);
	close(ends[1]);
	end.fd = ends[0];
	if (!error) {
		int ready = poll(&end, 1, timeout_ms);
		error = ready > 0 ? 0 : ready < 0 ? -errno : -ETIMEDOUT;
	}
	close(ends[0]);
	return error;
}
