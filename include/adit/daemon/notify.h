/* SPDX-License-Identifier: MIT */
/* The readiness protocol of systemd (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names. */
#ifndef ADIT_DAEMON_NOTIFY_H
#define ADIT_DAEMON_NOTIFY_H

/* Sends `state` ("READY=1"); nothing happens when nobody asked. 0 or negative errno. */
int notify_service(const char *state);

#endif
