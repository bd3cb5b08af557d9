/* SPDX-License-Identifier: MIT */
/* Status: who reaches whom in a network. */
#ifndef ADIT_MESH_STATUS_H
#define ADIT_MESH_STATUS_H

#include "mesh/host_list.h"

struct status {
	const struct host_list *list;
	const char *svg;  /* file of the picture; NULL: none */
	const char *user; /* login name for ssh(1); NULL: none */
};

/*
 * Asks all hosts, and prints the matrix. Returns the exit code: 0 if all hosts answered, except those that were
 * skipped, and all reach all.
 */
int status_run(const struct status *status);

#endif
