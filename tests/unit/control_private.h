/* SPDX-License-Identifier: MIT */
/* A file system view of our own with an empty /var/run, and a network with no WireGuard interface of the kernel's. */
#ifndef ADIT_TEST_CONTROL_PRIVATE_H
#define ADIT_TEST_CONTROL_PRIVATE_H

#include <sys/mount.h>

#include "sandbox.h"

/* One who is not root becomes root of a user namespace first, and needs a group there to make files. */
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
		sandbox_fail("an empty /var/run");
}

#endif
