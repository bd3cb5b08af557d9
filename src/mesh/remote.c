/* SPDX-License-Identifier: MIT */
/* Commands on a host, by ssh(1). No key is in the arguments: they are visible to all users of both hosts. */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *remote_destination(const struct mesh_host *host)
{
	if (*host->ssh)
		return strcmp(host->ssh, "-") == 0 ? NULL : host->ssh;
	return host->has_endpoint ? host->endpoint_host : NULL;
}

/* In the child. */
static void exec_ssh(const char *destination, const char *user, const char *command)
{
	const char *arguments[20];
	size_t count = 0;

	/* Never ask for a password, and give up on a host that does not answer. */
	arguments[count++] = "ssh";
	arguments[count++] = "-T";
	arguments[count++] = "-oBatchMode=yes";
	arguments[count++] = "-oConnectTimeout=10";
	arguments[count++] = "-oServerAliveInterval=5";
	arguments[count++] = "-oServerAliveCountMax=3";
	arguments[count++] = "-oLogLevel=ERROR";
	if (user) {
		arguments[count++] = "-l";
		arguments[count++] = user;
	}
	arguments[count++] = "--";
	arguments[count++] = destination;
	arguments[count++] = command;
	arguments[count] = NULL;
	execvp("ssh", (char *const *)arguments);
	fprintf(stderr, "ssh: %s\n", strerror(errno));
	_exit(127);
}

/* Keeps the last REMOTE_OUTPUT - 1 bytes. */
static void collect_output(int fd, char output[REMOTE_OUTPUT])
{
	size_t length = 0;
	char buffer[1024];

	for (;;) {
		ssize_t got = read(fd, buffer, sizeof buffer);
		size_t excess;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		excess = length + (size_t)got > REMOTE_OUTPUT - 1 ? length + (size_t)got - (REMOTE_OUTPUT - 1) : 0;
		memmove(output, output + excess, length - excess);
		length -= excess;
		memcpy(output + length, buffer, (size_t)got);
		length += (size_t)got;
	}
	output[length] = '\0';
}

/* Starts ssh(1) in a child with these descriptors. Returns the process ID or a negative errno. */
static pid_t fork_ssh(const char *destination, const char *user, const char *script, const int descriptors[3])
{
	char *command;
	pid_t child;

	if (asprintf(&command, "$(test \"$(id -u)\" = 0 || echo sudo -n) sh -c '%s'", script) < 0)
		return -ENOMEM;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 3; i++)
			if (dup2(descriptors[i], i) < 0)
				_exit(127);
		exec_ssh(destination, user, command);
	}
	free(command);
	return child < 0 ? -errno : child;
}

int remote_run(const char *destination, const char *user, const char *script, int input, char output[REMOTE_OUTPUT])
{
	int ends[2], status;
	pid_t child;

	*output = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork_ssh(destination, user, script, (const int[]) { input, ends[1], ends[1] });
	close(ends[1]);
	if (child > 0)
		collect_output(ends[0], output);
	close(ends[0]);
	if (child < 0)
		return child;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int remote_start(struct remote_process *process, const char *destination, const char *user, const char *script)
{
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 }, input, error;

	input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (input < 0)
		return -errno;
	error = pipe2(output, O_CLOEXEC) < 0 ? -errno : 0;
	if (error)
		goto close_input;
	error = pipe2(errors, O_CLOEXEC) < 0 ? -errno : 0;
	if (error)
		goto close_output;
	process->pid = fork_ssh(destination, user, script, (const int[]) { input, output[1], errors[1] });
	close(errors[1]);
	if (process->pid > 0) {
		close(output[1]);
		close(input);
		fcntl(output[0], F_SETFL, O_NONBLOCK);
		fcntl(errors[0], F_SETFL, O_NONBLOCK);
		process->output = output[0];
		process->errors = errors[0];
		return 0;
	}
	error = process->pid;
	close(errors[0]);
close_output:
	close(output[0]);
	close(output[1]);
close_input:
	close(input);
	return error;
}

const char *remote_last_line(char output[REMOTE_OUTPUT])
{
	size_t length = strlen(output);
	const char *last;

	while (length && strchr(" \t\r\n", output[length - 1]))
		output[--length] = '\0';
	last = strrchr(output, '\n');
	for (char *c = output; *c; c++) {
		if ((unsigned char)*c < ' ')
			*c = ' ';
	}
	if (last)
		return last + 1;
	return *output ? output : "no reason given";
}
