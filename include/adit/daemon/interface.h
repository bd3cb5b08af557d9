/* SPDX-License-Identifier: MIT */
/* Locks the name of an interface, opens the TUN interface of a daemon, and finds out why it cannot be opened. */
#ifndef ADIT_DAEMON_INTERFACE_H
#define ADIT_DAEMON_INTERFACE_H

#include "base/reason.h"
#include "io/tun.h"
#include "uapi/interface_lock.h"

/*
 * Keeps other processes from starting a tunnel of this name, until interface_lock_release. Returns 0; -EBUSY if another
 * process has the lock; or the negative errno of the folder, in which the control socket could not be created either.
 * Sets the reason.
 */
int interface_lock_name(struct interface_lock *lock, const char *name, struct reason *reason);

/*
 * Opens `*count` queues of the interface `name`, or creates the interface. An existing interface that was created
 * without multiple queues has one: `*count` becomes 1, with a warning if `warn`. Returns 0, or negative errno with the
 * reason, which names the cause and the remedy.
 */
int interface_open(struct tun *queues, unsigned *count, const char *name, bool warn, struct reason *reason);

#endif
