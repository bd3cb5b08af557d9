/* SPDX-License-Identifier: MIT */
/* Where control sockets are, and how they are reached. */
#ifndef ADIT_UAPI_SOCKET_H
#define ADIT_UAPI_SOCKET_H

#include <stdbool.h>

#include "uapi/uapi.h"

/* directory/NAME.sock. 0; -EINVAL for a name that no interface can have; -ENAMETOOLONG. */
int uapi_path(char path[UAPI_PATH], const char *directory, const char *name);

/*
 * A connection to the daemon of the interface `name`, on which nothing waits longer than `seconds` (-EAGAIN). The
 * descriptor, or negative errno: -ENOENT, -ECONNREFUSED, ...
 */
int uapi_connect(const char *directory, const char *name, int seconds);

/* Recognizes a socket file. False when the path is no socket. */
bool uapi_identify(const char *path, dev_t *home, ino_t *inode);

#endif
