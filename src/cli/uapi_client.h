/* SPDX-License-Identifier: MIT */
/* Client side of the control socket: sends a request and hands the reply to the caller line by line. */
#ifndef ADIT_CLI_UAPI_CLIENT_H
#define ADIT_CLI_UAPI_CLIENT_H

#include <net/if.h>
#include <stdbool.h>

/*
 * Sends `request`, including its blank line, to the daemon of the interface `name`, and calls `handle` for each
 * `key=value` line of the reply except errno. `handle` may modify both strings; if it returns a negative errno, the
 * call ends with it. If it returns 1, a further reply follows this one and is read, too, unless this one has an error.
 * Neither sending the request nor receiving a whole reply takes longer than `timeout` seconds.
 *
 * Returns the errno in the reply; -EPROTO if the reply is malformed; -EAGAIN on timeout; or the error of connect(2),
 * which is -ENOENT or -ECONNREFUSED if no daemon is running.
 */
int uapi_client_call(const char *directory, const char *name, const char *request, int timeout,
					 int (*handle)(void *context, char *key, char *value), void *context);

/*
 * Calls `handle` with the name of each interface that has a control socket, in no order, until it returns a negative
 * errno. Returns this errno, that of reading the directory, or 0; a directory that does not exist has no sockets.
 */
int uapi_client_list(const char *directory, int (*handle)(void *context, const char *name), void *context);

/*
 * Returns these names as an array that is sorted and that the caller frees; NULL if there are none. On an error, which
 * is returned as by uapi_client_list, the array has the names that were found before.
 */
int uapi_client_names(const char *directory, char (**names)[IFNAMSIZ], unsigned *count);

/* Returns whether an interface can have this name, and reports a name that none can have. */
bool uapi_client_check_name(const char *command, const char *name);

/* The message for a negative errno of uapi_client_call. */
const char *uapi_client_error(int error);

#endif
