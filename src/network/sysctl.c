/* SPDX-License-Identifier: MIT */
/* Kernel parameters: paths, and access to the files. */
#include "sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 320, VALUE_BYTES = 16 };

const char *sysctl_path(uint8_t which)
{
	static const char *const paths[SYSCTLS] = {
		[SYSCTL_SRC_VALID_MARK] = "/proc/sys/net/ipv4/conf/all/src_valid_mark",
		[SYSCTL_ALL_SEND_REDIRECTS] = "/proc/sys/net/ipv4/conf/all/send_redirects",
		[SYSCTL_ACCEPT_RA] = "/proc/sys/net/ipv6/conf/%s/accept_ra",
	};

	return paths[which];
}

/* The name of an interface has no slash, but it can be "." or "..", which the kernel refuses as a name. */
static int open_parameter(const char *path, const char *interface, int flags)
{
	const char *gap = strstr(path, "%s");
	char whole[PATH_BYTES];
	int fd;

	if (gap)
		snprintf(whole, sizeof whole, "%.*s%s%s", (int)(gap - path), path, interface, gap + 2);
	else
		snprintf(whole, sizeof whole, "%s", path);
	fd = open(whole, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, const char *interface, uint32_t *value)
{
	int fd = open_parameter(path, interface, O_RDONLY);
	char text[VALUE_BYTES] = "";
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length <= 0)
		return -EIO;
	*value = (uint32_t)strtoul(text, NULL, 10);
	return 0;
}

int sysctl_write(const char *path, const char *interface, uint32_t value)
{
	int fd = open_parameter(path, interface, O_WRONLY), error;
	char text[VALUE_BYTES];
	int length;

	if (fd < 0)
		return fd;
	length = snprintf(text, sizeof text, "%u\n", value);
	error = write(fd, text, (size_t)length) < 0 ? -errno : 0;
	close(fd);
	return error;
}

bool sysctl_any_is(const char *folder, const char *parameter, uint32_t value)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	char path[PATH_BYTES];
	uint32_t found;
	bool any = false;

	if (!directory)
		return false;
	while (!any && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%.60s/%s", folder, entry->d_name, parameter);
		any = sysctl_read(path, NULL, &found) == 0 && found == value;
	}
	closedir(directory);
	return any;
}
