/* SPDX-License-Identifier: MIT */
/*
 * The client of `adit down`: it receives the progress of the end as lines, and then the result.
 *
 * The client sends the verb `down=1`. After the answer of the control socket, `errno=0`, the daemon writes lines
 * `message=TEXT` to the same connection, and at its end a second `errno=N` with a blank line.
 */
#ifndef ADIT_DAEMON_DOWN_H
#define ADIT_DAEMON_DOWN_H

#include <stdbool.h>

#include "uapi/uapi.h"

/* Zeroed memory is no client. */
struct down_client {
	bool waits;
	int fd;
};

/* Accepts the client behind `reply`. Returns 0, -EBUSY if there is one already, or another negative errno. */
int down_accept(struct down_client *client, const struct uapi_reply *reply);
/*
 * Sends a line to the struct down_client `context`, if it is a client. Does not block: a line for which the client has
 * no room is lost.
 */
void down_message(void *context, const char *text);
/* Sends the result, 0 or a negative errno, and closes the connection. */
void down_finish(struct down_client *client, int error);

#endif
