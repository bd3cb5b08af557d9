/* SPDX-License-Identifier: MIT */
/* Monitors: the clients of the control socket that follow events. */
#ifndef ADIT_UAPI_MONITOR_H
#define ADIT_UAPI_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "uapi/uapi.h"

enum { UAPI_EVENT_ROOM = 1024 };

/*
 * Answers `monitor=1` and sends events from then on. Takes ownership of `fd`. Returns 0, or -EBUSY if there are too
 * many monitors, or -ENOMEM; the caller still owns `fd` then.
 */
int uapi_monitor_start(struct uapi *uapi, int fd);
/* Writes what the sockets of all monitors take, and closes them. */
void uapi_monitors_stop(struct uapi *uapi);

/* Writes the lines of an event and a blank line. Returns the number of bytes. */
size_t uapi_event_text(char text[UAPI_EVENT_ROOM], const struct event *event);
/* The same for `lost` events that the client has missed. */
size_t uapi_lost_text(char text[UAPI_EVENT_ROOM], uint64_t lost);

#endif
