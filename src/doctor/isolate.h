/* SPDX-License-Identifier: MIT */
/* Isolation: runs a test in a child process with a network namespace of its own, so that the host does not change. */
#ifndef ADIT_DOCTOR_ISOLATE_H
#define ADIT_DOCTOR_ISOLATE_H

#include <stdbool.h>
#include <stddef.h>

enum { ISOLATE_RESULT_MAX = 4000 }; /* with the rest of the message less than PIPE_BUF */

/*
 * Calls `work` in a child process, whose network namespace contains only lo, which is up. `result` is zeroed, and
 * receives the `size` bytes that `work` leaves in the child's copy. Without the privilege for a network namespace, the
 * child also gets a user namespace; then *user_namespace is true, and the programs that `work` runs have no
 * capabilities. Returns 0, -ETIMEDOUT, or the negative errno of unshare(2), -EPERM for example.
 */
int isolate_run(void (*work)(void *result), void *result, size_t size, bool *user_namespace, int timeout_ms);

#endif
