/* SPDX-License-Identifier: MIT */
/* Client side of the control socket. Replies may contain private keys, so all buffers are wiped. */
#include "uapi_client.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "uapi/socket.h"

enum { LINE_MAX_BYTES = 4096, BUFFER = 16 << 10 };

struct reply_source {
	int fd;
	uint64_t deadline; /* of the current reply, by clock_boottime */
};

/*
 * Reads for stdio. Fails with ETIMEDOUT at the deadline, however often the daemon sends a few bytes. (After EAGAIN,
 * fgets(3) of glibc returns half a line.)
 */
static ssize_t read_source(void *cookie, char *to, size_t room)
{
	const struct reply_source *source = cookie;
	struct pollfd readable = { .fd = source->fd, .events = POLLIN };
	uint64_t now = clock_boottime();

	if (now >= source->deadline || !poll(&readable, 1, (int)((source->deadline - now) / NS_PER_MS) + 1)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return recv(source->fd, to, room, 0);
}

/*
 * Reads the next line and splits it at its '='. Returns 1, 0 for the blank line that ends the reply, or a negative
 * errno.
 */
static int read_reply_line(FILE *from, char line[LINE_MAX_BYTES], char **value)
{
	char *end;

	errno = 0;
	if (!fgets(line, LINE_MAX_BYTES, from))
		return errno == ETIMEDOUT ? -EAGAIN : -EPROTO;
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

/* Reads one answer. Sets *another if `handle` expects one more. */
static int read_reply(FILE *from, int (*handle)(void *context, char *key, char *value), void *context, bool *another)
{
	char line[LINE_MAX_BYTES], *value;
	int result = -EPROTO, status;

	*another = false;
	for (;;) {
		status = read_reply_line(from, line, &value);
		if (status <= 0)
			break;
		if (!strcmp(line, "errno")) {
			result = (int)strtol(value, NULL, 10);
			continue;
		}
		status = handle(context, line, value);
		if (status < 0)
			break;
		*another |= status > 0;
	}
	sodium_memzero(line, sizeof line);
	if (status)
		return status;
	return result > 0 ? -result : result; /* both signs are in use */
}

int uapi_client_call(const char *directory, const char *name, const char *request, int timeout,
					 int (*handle)(void *context, char *key, char *value), void *context)
{
	struct reply_source source = { .fd = uapi_connect(directory, name, timeout) };
	size_t length = strlen(request);
	char buffer[BUFFER];
	bool another;
	ssize_t sent;
	FILE *from;
	int error;

	if (source.fd < 0)
		return source.fd;
	sent = send(source.fd, request, length, MSG_NOSIGNAL);
	if (sent != (ssize_t)length) {
		error = sent < 0 ? -errno : -EPROTO;
		goto close_socket;
	}
	from = fopencookie(&source, "r", (cookie_io_functions_t) { .read = read_source });
	if (!from) {
		error = -ENOMEM;
		goto close_socket;
	}
	setvbuf(from, buffer, _IOFBF, sizeof buffer); /* our own, so that it can be wiped */
	do {
		source.deadline = clock_boottime() + (uint64_t)timeout * NS_PER_S;
		error = read_reply(from, handle, context, &another);
	} while (!error && another);
	fclose(from);
	sodium_memzero(buffer, sizeof buffer);
close_socket:
	close(source.fd);
	return error;
}

int uapi_client_list(const char *directory, int (*handle)(void *context, const char *name), void *context)
{
	static const char suffix[] = ".sock";
	DIR *folder = opendir(directory);
	const struct dirent *entry;
	int error = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(folder))) {
		size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;
		char name[IFNAMSIZ] = "";

		if (length <= tail || length - tail >= sizeof name || strcmp(entry->d_name + length - tail, suffix) != 0)
			continue;
		memcpy(name, entry->d_name, length - tail);
		error = handle(context, name);
	}
	closedir(folder);
	return error;
}

struct name_list {
	char (*names)[IFNAMSIZ];
	unsigned count;
};

static int name_list_add(void *context, const char *name)
{
	struct name_list *list = context;
	char(*larger)[IFNAMSIZ] = realloc(list->names, (list->count + 1) * sizeof *larger);

	if (!larger)
		return -ENOMEM;
	list->names = larger;
	snprintf(larger[list->count++], sizeof *larger, "%s", name);
	return 0;
}

static int compare_listed_names(const void *left, const void *right)
{
	return strcmp(left, right);
}

int uapi_client_names(const char *directory, char (**names)[IFNAMSIZ], unsigned *count)
{
	struct name_list list = { 0 };
	int error = uapi_client_list(directory, name_list_add, &list);

	if (list.count)
		qsort(list.names, list.count, sizeof *list.names, compare_listed_names);
	*names = list.names;
	*count = list.count;
	return error;
}

bool uapi_client_check_name(const char *command, const char *name)
{
	char path[UAPI_PATH];

	if (uapi_path(path, UAPI_DIRECTORY, name) != -EINVAL)
		return true;
	fprintf(stderr, "adit %s: \"%s\" is not the name of an interface\n", command, name);
	return false;
}

const char *uapi_client_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "no daemon serves this interface";
	case -ECONNREFUSED:
		return "the daemon has died; start it again, or clean up with \"adit stop\"";
	case -EAGAIN:
		return "the daemon does not answer";
	case -EPROTO:
		return "the daemon sent an invalid reply";
	default:
		return strerror(-error);
	}
}
