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
/* Closes the oldest connection. There must be one. */
void uapi_connection_stop_first(struct uapi *uapi);

#endif
