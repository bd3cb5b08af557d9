/* SPDX-License-Identifier: MIT */
/* The job of our unit, from systemctl(1). */
#include "daemon/service_job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/service_unit.h"
#include "daemon/notify.h"
#include "network/process.h"

enum { SYSTEMCTL_TIMEOUT_MS = 2000, SYSTEMCTL_ATTEMPTS = 3 };

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

	if (!notify_is_possible() || !service_unit_find(getpid(), unit))
		return false;
	if (!run_systemctl(jobs, output) || !strstr(output, " restart "))
		return false;
	return run_systemctl(store, output) && strtoul(output, NULL, 10) > 0;
}
