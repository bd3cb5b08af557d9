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

int remote_run(const char *destination, const char *user, const char *script, int input, char output[REMOTE_OUTPUT])
{
	int ends[2], status, error;
	char *command;
	pid_t child;

	*output = '\0';
	if (asprintf(&command, "$(test \"$(id -u)\" = 0 || echo sudo -n) sh -c '%s'", script) < 0)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		error = -errno;
		free(command);
		return error;
	}
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (dup2(input, STDIN_FILENO) < 0 || dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
			_exit(127);
		exec_ssh(destination, user, command);
	}
	error = child < 0 ? -errno : 0;
	free(command);
	close(ends[1]);
	if (!error)
		collect_output(ends[0], output);
	close(ends[0]);
	if (error)
		return error;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
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
