/* SPDX-License-Identifier: MIT */
/* The server's side of one connection to the control socket. */
#ifndef ADIT_UAPI_CONNECTION_H
#define ADIT_UAPI_CONNECTION_H

#include "uapi/uapi.h"

struct uapi_connection;

/*
 * Takes ownership of `fd` and serves it until the client closes it, fails or times out; then calls `closed`. 0, or
 * -ENOMEM and the caller still owns `fd`.
 */
int uapi_connection_start(struct uapi *uapi, int fd, void (*closed)(struct uapi *uapi));
/* Closes all connections. */
void uapi_connections_stop(struct uapi *uapi);
/*
 * Makes room for a client that waits: closes the connection that has been idle longest, or whose request has taken
 * longest. Returns false if none of them has taken long.
 */
bool uapi_connection_evict(struct uapi *uapi);

/* Carries out the next part of the set of `uapi->setting`, and answers it after the last part. */
void uapi_connection_set_part(struct uapi *uapi);

#endif
