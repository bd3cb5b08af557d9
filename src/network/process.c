/* SPDX-License-Identifier: MIT */
#include "network/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

enum { WAIT_STEP_MS = 1 };

/* A file in memory rather than a pipe: it never fills up, and a reader that dies early raises no SIGPIPE. */
static int open_input(const char *input, size_t length)
{
	int fd = memfd_create("input", MFD_CLOEXEC), status;

	if (fd < 0)
		return -errno;
	while (length) {
		ssize_t written = write(fd, input, length);
		if (written < 0)
			goto failed;
		input += written;
		length -= (size_t)written;
	}
	if (lseek(fd, 0, SEEK_SET) == 0)
		return fd;
failed:
	status = -errno;
	close(fd);
	return status;
}

/* A process group of its own, and no signal blocked or ignored as the daemon has them. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int start(const char *const argv[], int input, int output, pid_t *child)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	error = posix_spawnattr_init(&attributes);
	if (error)
		return -error;
	error = posix_spawn_file_actions_init(&actions);
	if (error)
		goto no_actions;
	error = set_attributes(&attributes);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (!error)
		error = posix_spawnp(child, argv[0], &actions, &attributes, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
no_actions:
	posix_spawnattr_destroy(&attributes);
	return -error;
}

static int remaining_ms(uint64_t deadline)
{
	uint64_t now = clock_boottime();
	return now >= deadline ? 0 : (int)((deadline - now) / NS_PER_MS) + 1;
}

/* Reads to the end, so that the child never blocks, and keeps the head. */
static int collect(int fd, char output[PROCESS_OUTPUT], uint64_t deadline)
{
	size_t kept = 0;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		char chunk[PROCESS_OUTPUT];
		ssize_t length;

		output[kept] = '\0';
		if (remaining_ms(deadline) == 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, remaining_ms(deadline)) <= 0)
			continue;
		length = read(fd, chunk, sizeof chunk);
		if (length <= 0)
			return length < 0 ? -errno : 0;
		for (ssize_t i = 0; i < length && kept < PROCESS_OUTPUT - 1; i++)
			output[kept++] = chunk[i];
	}
}

/* A child may close its output before it ends; pidfds are too new (Linux 5.3) to wait by. */
static int reap(pid_t child, uint64_t deadline)
{
	int status;
	pid_t ended;

	while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
		if (remaining_ms(deadline) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, WAIT_STEP_MS);
	}
	if (ended < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int finish(pid_t child, int fd, char output[PROCESS_OUTPUT], int timeout_ms)
{
	uint64_t deadline = clock_boottime() + (uint64_t)timeout_ms * NS_PER_MS;
	int status = collect(fd, output, deadline);

	if (status == 0)
		status = reap(child, deadline);
	if (status < 0) {
		kill(-child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return status;
}

int process_run(const char *const argv[], const char *input, size_t length, char output[PROCESS_OUTPUT], int timeout_ms)
{
	int in = open_input(input, length), out[2], status;
	pid_t child;

	output[0] = '\0';
	if (in < 0)
		return in;
	if (pipe2(out, O_CLOEXEC) < 0) {
		status = -errno;
		close(in);
		return status;
	}
	status = start(argv, in, out[1], &child);
	close(in);
	close(out[1]);
	if (status == 0)
		status = finish(child, out[0], output, timeout_ms);
	close(out[0]);
	return status;
}
