/* SPDX-License-Identifier: MIT */
/* Control sockets in the file system: their paths, how to connect to one, how to recognize one. */
#ifndef ADIT_UAPI_SOCKET_H
#define ADIT_UAPI_SOCKET_H

#include <stdbool.h>

#include "uapi/uapi.h"

/* Writes directory/NAME.sock. 0; -EINVAL if no interface can have this name; -ENAMETOOLONG. */
int uapi_path(char path[UAPI_PATH], const char *directory, const char *name);

/* Creates the directory of the control sockets, and those above it, with mode 0755. 0 or negative errno. */
int uapi_create_directory(const char *directory);

/*
 * Removes the control socket of the interface if no process listens on it. Returns whether there was one. The caller
 * holds the lock of the interface, so that no daemon starts meanwhile.
 */
bool uapi_remove_dead_socket(const char *directory, const char *name);

/*
 * Connects to the daemon of the interface `name`. A connect, send or receive that blocks for more than `seconds` fails
 * with EAGAIN; if `seconds` is 0, each of them that would block. Returns the descriptor, which the caller closes, or
 * negative errno: -ENOENT, -ECONNREFUSED, ...
 */
int uapi_connect(const char *directory, const char *name, int seconds);

/* Reads the device and inode numbers of the socket file at `path`. False if there is no socket. */
bool uapi_identify(const char *path, dev_t *device, ino_t *inode);

#endif
