/* SPDX-License-Identifier: MIT */
/* Client side of the control socket. Replies may contain private keys, so all buffers are wiped. */
#include "uapi_client.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uapi/socket.h"

enum { LINE_MAX_BYTES = 4096, BUFFER = 16 << 10 };

/*
 * Reads the next line and splits it at its '='. Returns 1, 0 for the blank line that ends the reply, or a negative
 * errno.
 */
static int read_reply_line(FILE *from, char line[LINE_MAX_BYTES], char **value)
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
	int fd = uapi_connect(directory, name, timeout);
	size_t length = strlen(request);
	char buffer[BUFFER];
	bool another;
	ssize_t sent;
	FILE *from;
	int error;

	if (fd < 0)
		return fd;
	sent = send(fd, request, length, MSG_NOSIGNAL);
	if (sent != (ssize_t)length) {
		error = sent < 0 ? -errno : -EPROTO;
		close(fd);
		return error;
	}
	from = fdopen(fd, "r");
	if (!from) {
		close(fd);
		return -ENOMEM;
	}
	setvbuf(from, buffer, _IOFBF, sizeof buffer); /* our own, so that it can be wiped */
	do
		error = read_reply(from, handle, context, &another);
	while (!error && another);
	fclose(from);
	sodium_memzero(buffer, sizeof buffer);
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
