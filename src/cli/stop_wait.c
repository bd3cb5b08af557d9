/* SPDX-License-Identifier: MIT */
/* Waits for the end of a daemon. */
#include "stop_wait.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "uapi/socket.h"
#include "uapi/uapi.h"

/* The hooks of a daemon may run for a long time. If we cannot see its process, its interface must do. */
enum { CONNECT_SECONDS = 10, PROCESS_SECONDS = 600, INTERFACE_SECONDS = 10, POLL_MS = 10 };

/* Forgets the process of another network namespace. */
static void stop_wait_forget(struct stop_wait *wait)
{
	if (wait->process >= 0)
		close(wait->process);
	wait->process = -1;
	wait->listener = 0;
}

void stop_wait_begin(struct stop_wait *wait, const char *name)
{
	struct ucred credentials = { 0 };
	socklen_t length = sizeof credentials;
	int fd = uapi_connect(UAPI_DIRECTORY, name, CONNECT_SECONDS);

	*wait = (struct stop_wait) { .index = if_nametoindex(name), .process = -1 };
	snprintf(wait->name, sizeof wait->name, "%s", name);
	if (fd < 0)
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) && credentials.pid) {
		wait->process = (int)syscall(SYS_pidfd_open, credentials.pid, 0);
		wait->listener = credentials.pid;
	}
	close(fd);
	wait->is_elsewhere = other_namespace_find(&wait->other, name);
	if (wait->is_elsewhere)
		stop_wait_forget(wait);
}

void stop_wait_end(struct stop_wait *wait)
{
	uint64_t deadline = clock_boottime() + INTERFACE_SECONDS * NS_PER_S;
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	struct pollfd process = { .fd = wait->process, .events = POLLIN };

	if (wait->process >= 0) {
		poll(&process, 1, PROCESS_SECONDS * 1000);
		close(wait->process);
		return;
	}
	while (wait->index && if_nametoindex(wait->name) == wait->index && clock_boottime() < deadline)
		nanosleep(&pause, NULL);
}
