/* SPDX-License-Identifier: MIT */
/* Status: asks all hosts of a list at the same time, by ssh(1). */
#ifndef ADIT_MESH_STATUS_ASK_H
#define ADIT_MESH_STATUS_ASK_H

#include "mesh/host_list.h"
#include "remote.h"

enum {
	STATUS_PARALLEL = 16,         /* hosts at a time */
	STATUS_TIMEOUT = 30,          /* seconds for each host */
	STATUS_ANSWER_MAX = 16 << 20, /* bytes */
};

struct status_answer {
	int status;       /* exit status; 255: ssh(1) failed; negative errno: ssh(1) cannot be run, or -ETIMEDOUT */
	const char *text; /* standard output, `length` bytes and a NUL */
	size_t length;
	char *errors; /* the last part of standard error, for remote_last_line */
};

/*
 * Runs `adit show --json INTERFACE` on each host that has a destination for ssh(1), and calls `answered` for it. The
 * answer is valid until that function returns. A host that does not answer does not hold up the others. Returns 0 or
 * -ENOMEM.
 */
int status_ask(const struct host_list *list, const char *user,
			   void (*answered)(void *context, size_t host, const struct status_answer *answer), void *context);

#endif
