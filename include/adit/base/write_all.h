/* SPDX-License-Identifier: MIT */
/* Complete writes, and changes of folders that survive a crash. */
#ifndef ADIT_BASE_WRITE_ALL_H
#define ADIT_BASE_WRITE_ALL_H

#include <stddef.h>

/* Continues after a short write and after a signal. Returns 0 or a negative errno; a part may be written then. */
int write_all(int fd, const void *bytes, size_t length);

/*
 * Syncs the folder of `path`, so that a crash does not undo the addition or removal of a name there. Errors are
 * ignored: a file system that cannot sync a folder does not need it.
 */
void sync_folder_of(const char *path);

#endif
