/* SPDX-License-Identifier: MIT */
/*
 * A client of the control socket that waits for a result: `adit down` for the end of the daemon, and `adit reload` for
 * the name servers.
 *
 * After the answer of the control socket to the verb, the daemon writes lines to the same connection, `message=TEXT`
 * and others, and then a second `errno=N` with a blank line. The second answer may overtake the first one, so each of
 * them makes sense alone.
 */
#ifndef ADIT_DAEMON_WAITING_CLIENT_H
#define ADIT_DAEMON_WAITING_CLIENT_H

#include <stdbool.h>

#include "uapi/uapi.h"

/* Zeroed memory is no client. */
struct waiting_client {
	bool waits;
	int fd;
	unsigned long lost; /* messages */
};

/* Accepts the client behind `reply`. Returns 0, -EBUSY if there is one already, or another negative errno. */
int waiting_client_accept(struct waiting_client *client, const struct uapi_reply *reply);
/* Sends a line `key=value`, if there is a client. Does not block, like waiting_client_message. */
void waiting_client_line(const struct waiting_client *client, const char *key, const char *value);
/*
 * Sends a message to the struct waiting_client `context`, if it is a client. Does not block: if the client does not
 * read, the message is lost and counted, so that there is room for the result.
 */
void waiting_client_message(void *context, const char *text);
/* Sends the result, 0 or a negative errno, and closes the connection. */
void waiting_client_finish(struct waiting_client *client, int error);
/* Closes the connection without a result: the first answer is the only one. */
void waiting_client_drop(struct waiting_client *client);

#endif
