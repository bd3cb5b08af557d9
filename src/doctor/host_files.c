/* SPDX-License-Identifier: MIT */
/* Small files and programs of the host. */
#include "host_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int host_read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error;
	ssize_t length;

	*text = '\0';
	if (fd < 0)
		return -errno;
	length = read(fd, text, room - 1);
	error = length < 0 ? -errno : 0;
	close(fd);
	if (length >= 0)
		text[length] = '\0';
	return error;
}

int64_t host_read_number(const char *path, int64_t missing)
{
	char text[32], *end;
	int64_t number;

	if (host_read_text(path, text, sizeof text))
		return missing;
	number = strtoll(text, &end, 10);
	return end == text ? missing : number;
}

uint64_t host_read_status(const char *field, int base)
{
	char text[4096], start[32];
	const char *line;

	if (host_read_text("/proc/self/status", text, sizeof text) < 0)
		return 0;
	snprintf(start, sizeof start, "\n%s", field);
	line = strstr(text, start);
	return line ? strtoull(line + strlen(start), NULL, base) : 0;
}

bool host_has_file(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool folder_has_program(const char *folder, size_t length, const char *name)
{
	char path[PATH_MAX];

	if (length == 0 || snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, name) >= (int)sizeof path)
		return false;
	return access(path, X_OK) == 0;
}

bool host_has_program(const char *name)
{
	const char *folder = getenv("PATH");

	if (!folder)
		folder = "/usr/local/bin:/bin:/usr/bin";
	while (*folder) {
		size_t length = strcspn(folder, ":");

		if (folder_has_program(folder, length, name))
			return true;
		folder += length + (folder[length] == ':');
	}
	return geteuid() && (folder_has_program("/usr/sbin", 9, name) || folder_has_program("/sbin", 5, name));
}
