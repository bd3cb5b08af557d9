/* SPDX-License-Identifier: MIT */
/* Sandbox for control sockets: a mount namespace with an empty /var/run, and a network namespace without interfaces. */
#ifndef ADIT_TEST_CONTROL_PRIVATE_H
#define ADIT_TEST_CONTROL_PRIVATE_H

#include <sys/mount.h>

#include "sandbox.h"

/* An ordinary user becomes root of a user namespace, which must map the group as well to allow creating files. */
static inline void private_enter(void)
{
	unsigned user = geteuid(), group = getegid();
	char map[32];

	sandbox_enter();
	if (user) {
		snprintf(map, sizeof map, "0 %u 1", group);
		sandbox_write("/proc/self/setgroups", "deny");
		sandbox_write("/proc/self/gid_map", map);
	}
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("tmpfs", "/var/run", "tmpfs", 0, "mode=0755"))
		sandbox_fail("mounting an empty /var/run");
}

#endif
