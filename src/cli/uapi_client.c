/* SPDX-License-Identifier: MIT */
#include "uapi_client.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uapi/socket.h"

enum { LINE_MAX_BYTES = 4096, BUFFER = 16 << 10 };

static int send_request(int fd, const char *request)
{
	size_t length = strlen(request);
	ssize_t sent = send(fd, request, length, MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return sent == (ssize_t)length ? 0 : -EPROTO;
}

/* The next line, cut at its '='. 1; 0 for the blank one at the end; or negative errno. */
static int read_line(FILE *from, char line[LINE_MAX_BYTES], char **value)
{
	char *end;

	errno = 0;
	if (!fgets(line, LINE_MAX_BYTES, from))
		return errno == EAGAIN ? -EAGAIN : -EPROTO;
	end = strchr(line, '\n');
	if (!end)
		return -EPROTO;
	*end = '\0';
	if (end == line)
		return 0;
	*value = strchr(line, '=');
	if (!*value)
		return -EPROTO;
	*(*value)++ = '\0';
	return 1;
}

static int read_answer(FILE *from, int (*take)(void *context, char *key, char *value), void *context)
{
	char line[LINE_MAX_BYTES], *value;
	int result = -EPROTO, status;

	while ((status = read_line(from, line, &value)) > 0) {
		int error = 0;
		if (!strcmp(line, "errno"))
			result = atoi(value);
		else
			error = take(context, line, value);
		if (error) {
			status = error;
			break;
		}
	}
	sodium_memzero(line, sizeof line);
	return status ? status : result > 0 ? -result : result;
}

static int converse(FILE *from, const char *request, int (*line)(void *context, char *key, char *value), void *context)
{
	char buffer[BUFFER]; /* private keys pass through here */
	int error = send_request(fileno(from), request);

	setvbuf(from, buffer, _IOFBF, sizeof buffer);
	if (!error)
		error = read_answer(from, line, context);
	fclose(from);
	sodium_memzero(buffer, sizeof buffer);
	return error;
}

int uapi_client_call(const char *directory, const char *name, const char *request, int seconds,
					 int (*line)(void *context, char *key, char *value), void *context)
{
	int fd = uapi_connect(directory, name, seconds);
	FILE *from;

	if (fd < 0)
		return fd;
	from = fdopen(fd, "r");
	if (!from) {
		close(fd);
		return -ENOMEM;
	}
	return converse(from, request, line, context);
}

const char *uapi_call_error(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "no daemon serves this interface";
	case -EAGAIN:
		return "the daemon does not answer";
	case -EPROTO:
		return "the daemon gave no answer that makes sense";
	default:
		return strerror(-error);
	}
}
