/* SPDX-License-Identifier: MIT */
/* Writes to a descriptor until everything is written. */
#ifndef ADIT_BASE_WRITE_ALL_H
#define ADIT_BASE_WRITE_ALL_H

#include <stddef.h>

/* Continues after a short write and after a signal. Returns 0 or a negative errno; a part may be written then. */
int write_all(int fd, const void *bytes, size_t length);

#endif
