/* SPDX-License-Identifier: MIT */
/* Names of systemd units: that of an interface, and that of a process, from its cgroups. */
#include "base/service_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CGROUPS_BYTES = 4096 };

bool service_unit_allows(const char *name)
{
	return !name[strcspn(name, "=+")];
}

void service_unit_name(char unit[SERVICE_NAME], const char *interface)
{
	snprintf(unit, SERVICE_NAME, "adit@%s%s", interface, strchr(interface, '.') ? ".service" : "");
}

/* Reads the path of one line, such as "0::/system.slice/system-adit.slice/adit@wg0.service". */
static bool unit_of_line(const char *line, size_t length, char unit[SERVICE_NAME])
{
	static const char suffix[] = ".service";
	const char *end = line + length, *part = memchr(line, '/', length);

	while (part) {
		const char *next = memchr(part + 1, '/', (size_t)(end - part - 1));
		size_t bytes, tail = sizeof suffix - 1;

		part++;
		bytes = (size_t)((next ? next : end) - part);
		if (bytes < SERVICE_NAME && bytes > tail && !memcmp(part + bytes - tail, suffix, tail)) {
			memcpy(unit, part, bytes);
			unit[bytes] = '\0';
			return true;
		}
		part = next;
	}
	return false;
}

bool service_unit_of(const char *cgroups, char unit[SERVICE_NAME])
{
	while (*cgroups) {
		size_t length = strcspn(cgroups, "\n");
		bool systemd = !strncmp(cgroups, "0::", 3) || memmem(cgroups, length, ":name=systemd:", 14);

		if (systemd && unit_of_line(cgroups, length, unit))
			return true;
		cgroups += length + (cgroups[length] == '\n');
	}
	return false;
}

bool service_unit_find(pid_t process, char unit[SERVICE_NAME])
{
	char path[64], text[CGROUPS_BYTES];
	ssize_t length;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)process);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return service_unit_of(text, unit);
}
