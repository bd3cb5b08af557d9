/* SPDX-License-Identifier: MIT */
/*
 * Notifies the service manager of the daemon's state, as sd_notify(3) does, without linking libsystemd. Without a
 * service manager, that is without NOTIFY_SOCKET, the functions do nothing and return 0.
 */
#ifndef ADIT_DAEMON_NOTIFY_H
#define ADIT_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

enum { NOTIFY_FDS_MAX = 253 }; /* the kernel's SCM_MAX_FD */

/* Reports whether there is a service manager. */
bool notify_is_possible(void);

/* Sends `state`, lines such as "READY=1". Returns 0 or negative errno. */
int notify_service(const char *state);

/* Sends `state` with duplicates of `count` descriptors, 0 to NOTIFY_FDS_MAX. Returns 0 or negative errno. */
int notify_service_fds(const char *state, const int *fds, size_t count);

/* Sends RELOADING=1 with the time, as Type=notify-reload requires. Send READY=1 after the reload. */
void notify_reloading(void);

/*
 * Waits until the service manager has handled all earlier notifications (BARRIER=1, systemd 246). Returns 0, -ETIMEDOUT
 * or another negative errno.
 */
int notify_barrier(int timeout_ms);

#endif
