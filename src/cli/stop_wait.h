/* SPDX-License-Identifier: MIT */
/* Waits for the end of a daemon that has been asked to end. */
#ifndef ADIT_CLI_STOP_WAIT_H
#define ADIT_CLI_STOP_WAIT_H

#include <net/if.h>
#include <sys/types.h>

#include "other_namespace.h"

struct stop_wait {
	char name[IFNAMSIZ];
	unsigned index;    /* of the interface; 0: it does not exist */
	int process;       /* pidfd of the process that listens on the control socket; -1: we cannot see it */
	pid_t listener;    /* the number of that process; 0: we cannot see it */
	bool is_elsewhere; /* the control socket belongs to the network namespace `other` */
	struct other_namespace other;
};

/* Remembers the daemon of the interface `name`, which runs. */
void stop_wait_begin(struct stop_wait *wait, const char *name);
/*
 * Waits until the process has ended, or, if we cannot see it, until its interface is gone. A persistent interface
 * outlives its daemon. The daemon has agreed to end, so a timeout is not an error.
 */
void stop_wait_end(struct stop_wait *wait);

#endif
