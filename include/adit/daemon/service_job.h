/* SPDX-License-Identifier: MIT */
/* The job of the service manager that has ended this process: a restart or a stop. SIGTERM is the same for both. */
#ifndef ADIT_DAEMON_SERVICE_JOB_H
#define ADIT_DAEMON_SERVICE_JOB_H

#include <stdbool.h>

/*
 * Reports whether systemd is restarting our unit and has descriptors of ours in its store. Asks systemctl(1), which
 * takes about 20 ms. If that fails, the answer is no.
 */
bool service_is_restarting(void);

#endif
