/* SPDX-License-Identifier: MIT */
/* Runs another program: spawns it, collects its output, and kills it on a timeout. */
#include "network/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/write_all.h"

enum { POLL_INTERVAL_MS = 1 };

int process_open_input(const char *input, size_t length)
{
	int fd = memfd_create("input", MFD_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = write_all(fd, input, length);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* `mode` is one of access(2). */
static bool is_in_path(const char *program, int mode)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (path = path ? path : ""; *path; path += strspn(path, ":")) {
		size_t length = strcspn(path, ":");

		snprintf(file, sizeof file, "%.*s/%s", (int)length, path, program);
		if (!access(file, mode))
			return true;
		path += length;
	}
	return false;
}

bool process_program_exists(const char *program)
{
	return is_in_path(program, X_OK);
}

int process_spawn(const char *const argv[], char *const environment[], int input, int output, pid_t *child)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawnattr_init(&attributes);
	if (error)
		return -error;
	error = posix_spawn_file_actions_init(&actions);
	if (error)
		goto destroy_attributes;
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	error =
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (!error)
		error = posix_spawnp(child, argv[0], &actions, &attributes, (char *const *)argv, environment);
	/* It is also the error if no folder of PATH has the program, and this process may not search one of them. */
	if (error == EACCES && !strchr(argv[0], '/') && !is_in_path(argv[0], F_OK))
		error = ENOENT;
	posix_spawn_file_actions_destroy(&actions);
destroy_attributes:
	posix_spawnattr_destroy(&attributes);
	return -error;
}

/* Stores the beginning of the output, and reads the rest so that the child does not block. */
static int process_read_output(int fd, char output[PROCESS_OUTPUT], uint64_t deadline)
{
	size_t stored = 0;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		char chunk[PROCESS_OUTPUT];
		ssize_t length;

		output[stored] = '\0';
		if (clock_ms_until(deadline) == 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, clock_ms_until(deadline)) <= 0)
			continue;
		length = read(fd, chunk, sizeof chunk);
		if (length <= 0)
			return length < 0 ? -errno : 0;
		for (ssize_t i = 0; i < length && stored < PROCESS_OUTPUT - 1; i++)
			output[stored++] = chunk[i];
	}
}

/* Polls, because a child may close its output before it ends, and kernels before 5.3 have no pidfd to wait for. */
static int process_reap(pid_t child, uint64_t deadline)
{
	int status;
	pid_t ended = waitpid(child, &status, WNOHANG);

	while (ended == 0) {
		if (clock_ms_until(deadline) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, POLL_INTERVAL_MS);
		ended = waitpid(child, &status, WNOHANG);
	}
	if (ended < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int process_run(const char *const argv[], const char *input, size_t length, char output[PROCESS_OUTPUT], int timeout_ms)
{
	uint64_t deadline = clock_boottime() + (uint64_t)timeout_ms * NS_PER_MS;
	int in = process_open_input(input, length), out[2], status;
	pid_t child;

	output[0] = '\0';
	if (in < 0)
		return in;
	if (pipe2(out, O_CLOEXEC) < 0) {
		status = -errno;
		close(in);
		return status;
	}
	status = process_spawn(argv, environ, in, out[1], &child);
	close(in);
	close(out[1]); /* so that the output ends with the child */
	if (status < 0)
		goto close_output;
	status = process_read_output(out[0], output, deadline);
	if (status == 0)
		status = process_reap(child, deadline);
	if (status < 0) {
		kill(-child, SIGKILL);
		waitpid(child, NULL, 0);
	}
close_output:
	close(out[0]);
	return status;
}
