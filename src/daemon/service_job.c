/* SPDX-License-Identifier: MIT */
/* The job of our unit, from systemctl(1). */
#include "daemon/service_job.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "network/process.h"

enum { SYSTEMCTL_TIMEOUT_MS = 2000, SYSTEMCTL_ATTEMPTS = 3, CGROUPS_BYTES = 4096 };

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

static bool find_own_unit(char unit[SERVICE_NAME])
{
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char text[CGROUPS_BYTES];
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return service_unit_of(text, unit);
}

/*
 * With KillMode=control-group, systemd sends SIGTERM to all processes of the unit, one after the other. It can hit a
 * systemctl(1) that has just been started, so this runs another one.
 */
static bool run_systemctl(const char *const command[], char output[PROCESS_OUTPUT])
{
	int status = 128 + SIGTERM;

	for (int attempt = 0; status == 128 + SIGTERM && attempt < SYSTEMCTL_ATTEMPTS; attempt++)
		status = process_run(command, NULL, 0, output, SYSTEMCTL_TIMEOUT_MS);
	return status == 0;
}

/* The output of list-jobs is one line per job: "  123 adit@wg0.service restart running". */
bool service_is_restarting(void)
{
	char unit[SERVICE_NAME], output[PROCESS_OUTPUT];
	const char *const jobs[] = { "systemctl", "--no-legend", "--no-pager", "--plain", "list-jobs", unit, NULL };
	const char *const store[] = { "systemctl", "--property=NFileDescriptorStore", "--value", "show", unit, NULL };

	if (!notify_is_possible() || !find_own_unit(unit))
		return false;
	if (!run_systemctl(jobs, output) || !strstr(output, " restart "))
		return false;
	return run_systemctl(store, output) && strtoul(output, NULL, 10) > 0;
}
