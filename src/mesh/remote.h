/* SPDX-License-Identifier: MIT */
/* Commands on a host, by ssh(1). */
#ifndef ADIT_MESH_REMOTE_H
#define ADIT_MESH_REMOTE_H

#include <sys/types.h>

#include "mesh/host_list.h"

enum { REMOTE_OUTPUT = 4096 };

/* The destination for ssh(1): what the list says, or else the endpoint. NULL: the host has neither. */
const char *remote_destination(const struct mesh_host *host);

/*
 * Runs a command of the shell on a host, as root: by sudo(8) without a password if the login is another user. `script`
 * contains no single quote. `user` is the login name, NULL: as ssh(1) decides. `input` is a descriptor to be the
 * standard input. Fills `output` with the last part of what the command prints, including its errors. Returns the exit
 * status, 255 if ssh(1) fails, or a negative errno if ssh(1) cannot be run.
 */
int remote_run(const char *destination, const char *user, const char *script, int input, char output[REMOTE_OUTPUT]);

/* A command that runs on a host. */
struct remote_process {
	pid_t pid;
	int output, errors; /* what it prints; does not block */
};

/*
 * Starts a command in the same way, without input. Returns 0 or a negative errno. The caller closes both descriptors,
 * and waits for the process.
 */
int remote_start(struct remote_process *process, const char *destination, const char *user, const char *script);

/* The last line of the output that is not empty, to explain a failure. Modifies the output. */
const char *remote_last_line(char output[REMOTE_OUTPUT]);

#endif
