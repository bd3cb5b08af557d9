/* SPDX-License-Identifier: MIT */
/* The other end of the control socket: a request, and its answer line by line. */
#ifndef ADIT_CLI_UAPI_CLIENT_H
#define ADIT_CLI_UAPI_CLIENT_H

/*
 * Sends `request` (its blank line included) to the daemon of the interface `name`, and hands each line of the answer to
 * `line`, which may write to both strings and stops all by returning a negative errno. Waits `seconds` at most for each
 * part. Returns what the answer's errno says; -EPROTO when it is no answer; -EAGAIN when the time is over; or what
 * connecting gave: -ENOENT and -ECONNREFUSED when nobody is there.
 */
int uapi_client_call(const char *directory, const char *name, const char *request, int seconds,
					 int (*line)(void *context, char *key, char *value), void *context);

/* What a negative errno of uapi_client_call means to people. */
const char *uapi_call_error(int error);

#endif
