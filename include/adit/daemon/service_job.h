/* SPDX-License-Identifier: MIT */
/* The job of the service manager that has ended this process: a restart or a stop. SIGTERM is the same for both. */
#ifndef ADIT_DAEMON_SERVICE_JOB_H
#define ADIT_DAEMON_SERVICE_JOB_H

#include <stdbool.h>

enum { SERVICE_NAME = 256 }; /* bytes of the longest name of a unit, with its NUL */

/*
 * Reports whether systemd is restarting our unit and has descriptors of ours in its store. Asks systemctl(1), which
 * takes about 20 ms. If that fails, the answer is no.
 */
bool service_is_restarting(void);

/*
 * Finds the unit in the text of /proc/PID/cgroup (cgroups(7)): the first part of the path that ends with ".service", of
 * the unified hierarchy or else of systemd's own. Returns false if there is none.
 */
bool service_unit_of(const char *cgroups, char unit[SERVICE_NAME]);

#endif
