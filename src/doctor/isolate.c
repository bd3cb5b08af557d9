/* SPDX-License-Identifier: MIT */
/* Isolation: a child process and a pipe for its result. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first part of the child's answer; the result follows. */
struct answer {
	int error;
	bool user_namespace;
};

/* Needs no mapping of user IDs, because the kernel checks only the capabilities in the new namespace. */
static struct answer enter_namespace(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct answer answer = { 0 };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		answer.user_namespace = true;
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			answer.error = -errno;
	}
	if (answer.error)
		return answer;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback))
		answer.error = -errno;
	if (fd >= 0)
		close(fd);
	return answer;
}

static void isolate_child(void (*work)(void *result), void *result, size_t size, int output)
{
	unsigned char message[sizeof(struct answer) + ISOLATE_RESULT_MAX];
	struct answer answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	answer = enter_namespace();
	if (!answer.error)
		work(result);
	memcpy(message, &answer, sizeof answer);
	memcpy(message + sizeof answer, result, size);
	_exit(write(output, message, sizeof answer + size) < 0);
}

static int isolate_read(int fd, void *result, size_t size, bool *user_namespace, int timeout_ms)
{
	unsigned char message[sizeof(struct answer) + ISOLATE_RESULT_MAX];
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct answer answer;

	if (poll(&ready, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	if (read(fd, message, sizeof answer + size) != (ssize_t)(sizeof answer + size))
		return -EIO;
	memcpy(&answer, message, sizeof answer);
	memcpy(result, message + sizeof answer, size);
	*user_namespace = answer.user_namespace;
	return answer.error;
}

int isolate_run(void (*work)(void *result), void *result, size_t size, bool *user_namespace, int timeout_ms)
{
	int ends[2], error;
	pid_t child;

	memset(result, 0, size);
	*user_namespace = false;
	if (size > ISOLATE_RESULT_MAX)
		return -E2BIG;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		isolate_child(work, result, size, ends[1]);
	error = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!error) {
		error = isolate_read(ends[0], result, size, user_namespace, timeout_ms);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
	return error;
}
