/* SPDX-License-Identifier: MIT */
/* One connection to the control socket. */
#ifndef ADIT_UAPI_CONNECTION_H
#define ADIT_UAPI_CONNECTION_H

#include "uapi/uapi.h"

/* Serves the connection `fd`, which it takes over, until the client leaves or tires us. 0 or -ENOMEM. */
int uapi_client_start(struct uapi *uapi, int fd);
/* Ends it, wipes what it held, and tells the server. */
void uapi_client_stop(struct uapi_client *client);

/* A client has left: there is room for another. */
void uapi_client_left(struct uapi *uapi);

#endif
