/* SPDX-License-Identifier: MIT */
/* Notifies the service manager of the daemon's state, as sd_notify(3) does, without linking libsystemd. */
#ifndef ADIT_DAEMON_NOTIFY_H
#define ADIT_DAEMON_NOTIFY_H

/* Sends `state` ("READY=1") to the socket in NOTIFY_SOCKET; does nothing if it is not set. 0 or negative errno. */
int notify_service(const char *state);

#endif
