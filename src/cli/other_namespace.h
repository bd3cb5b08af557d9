/* SPDX-License-Identifier: MIT */
/*
 * Control sockets of other network namespaces. All namespaces share the folder of the control sockets, so a socket may
 * belong to an interface of this name somewhere else. Commands that only ask use it, like wg(8). Commands that change
 * or end something must not.
 */
#ifndef ADIT_CLI_OTHER_NAMESPACE_H
#define ADIT_CLI_OTHER_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

struct other_namespace {
	pid_t process; /* that listens on the socket; 0: we cannot see it */
	char name[64]; /* as ip-netns(8) shows it; empty: it has none */
};

/*
 * Returns whether the control socket of the interface belongs to a daemon in another network namespace. A daemon whose
 * namespace cannot be determined counts as one of ours.
 */
bool other_namespace_find(struct other_namespace *other, const char *interface);

/* Prints one line on standard error, after the name of the command: where the interface is, and how to reach it. */
void other_namespace_report(const struct other_namespace *other, const char *command, const char *interface);

#endif
