/* SPDX-License-Identifier: MIT */
/*
 * The status of a tunnel for `systemctl status`. It is sent when the tunnel is ready, with each message of the
 * watchdog, and after a handshake, at most once in ten seconds. An idle tunnel sends it only with the watchdog.
 */
#ifndef ADIT_DAEMON_STATUS_H
#define ADIT_DAEMON_STATUS_H

#include <ev.h>

#include "tunnel/device.h"

enum { STATUS_TEXT = 128 };

struct status {
	struct device *device;
	struct ev_loop *loop; /* NULL: not started */
	struct ev_timer timer;
	double sent_at; /* by `timer`; by clock_seconds */
};

/*
 * Writes the status: "12 peers, 11 up, last handshake 32 s ago". A peer is up if it has a session that can be used.
 * Returns `text`.
 */
const char *status_text(char text[STATUS_TEXT], const struct device *device, uint64_t now);

/* Sends a message with these lines and the status to the service manager. */
void status_send(const struct device *device, const char *lines);

/* Sends the status after handshakes from now on. Does nothing without a service manager. */
void status_start(struct status *status, struct device *device, struct ev_loop *loop);
/* Accepts a zeroed struct. */
void status_stop(struct status *status);

#endif
