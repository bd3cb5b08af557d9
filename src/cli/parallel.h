/* SPDX-License-Identifier: MIT */
/* Does the same for several items at once, because a daemon that hangs must not delay what is known about others. */
#ifndef ADIT_CLI_PARALLEL_H
#define ADIT_CLI_PARALLEL_H

#include <stddef.h>

/*
 * Calls `handle` for each of the `count` items, of `size` bytes each: for the last one, and for one whose thread cannot
 * be made, in this thread, for each of the others in a thread of its own. Returns when all calls have returned.
 */
void parallel_each(void *items, size_t size, size_t count, void (*handle)(void *item));

#endif
