/* SPDX-License-Identifier: MIT */
/*
 * The lines that the administrator has added to a generated file. `adit mesh` writes the file again from the list, and
 * it keeps these lines of [Interface]: comments, and all keys except PrivateKey, Address, ListenPort and MTU.
 */
#ifndef ADIT_MESH_KEPT_LINES_H
#define ADIT_MESH_KEPT_LINES_H

#include "base/reason.h"
#include "secret_text.h"

/*
 * Appends the lines of the file at `path` to `kept`, in their order. Returns 0, or a negative errno and the reason:
 * -EEXIST if a [Peer] section has a line that would be lost.
 */
int kept_lines_read(struct secret_text *kept, const char *path, struct reason *reason);

#endif
