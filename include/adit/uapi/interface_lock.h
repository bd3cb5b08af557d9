/* SPDX-License-Identifier: MIT */
/*
 * The lock of an interface name: at most one process at a time starts, runs or removes the tunnel of this name.
 *
 * A tunnel has no interface and no control socket while PreUp and PostDown run, so neither can keep a second process
 * out. The lock is a record lock (fcntl(2)) on a file beside the control socket. The kernel releases it when the
 * process dies, children do not inherit it, and F_GETLK returns its holder. Locks on further bytes of the file show
 * whether the holder starts or ends. The holder also marks the file, and removes it at the end, so a file with a mark
 * and without a lock means that the holder was killed.
 *
 * The file belongs to root and has mode 0600, so that no other user can take the lock. Its name contains the inode of
 * the network namespace, because another namespace may have an interface of the same name.
 */
#ifndef ADIT_UAPI_INTERFACE_LOCK_H
#define ADIT_UAPI_INTERFACE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "uapi/uapi.h"

enum interface_phase {
	INTERFACE_UP,
	INTERFACE_STARTING, /* until PostUp has run */
	INTERFACE_ENDING,   /* PreDown has run */
};

/* Zeroed memory is a lock that is not held. */
struct interface_lock {
	bool held;
	bool left; /* a holder was killed, and what it left may still be there */
	int fd;
	char path[UAPI_PATH];
};

/*
 * Takes the lock and shows the phase INTERFACE_STARTING or INTERFACE_ENDING at the same time. Waits up to `timeout_ms`
 * for a holder that is not starting, because it may be ending. Returns 0; -EBUSY if another process holds the lock; or
 * another negative errno if no file can be locked, for example -EACCES or -EROFS. A process takes the lock of an
 * interface at most once.
 */
int interface_lock_take(struct interface_lock *lock, const char *directory, const char *interface,
						enum interface_phase phase, int timeout_ms);
/* Shows the phase to other processes. Does nothing if the lock is not held. */
void interface_lock_enter(struct interface_lock *lock, enum interface_phase phase);
/*
 * Releases the lock. Removes the file, unless `left` is still set: a later process can then see that a holder was
 * killed. Does nothing if the lock is not held.
 */
void interface_lock_release(struct interface_lock *lock);

struct interface_holder {
	pid_t process; /* 0: it is in another PID namespace */
	enum interface_phase phase;
};

/* Returns whether another process holds the lock of the interface, and which one. The caller does not hold it. */
bool interface_lock_find(struct interface_holder *holder, const char *directory, const char *interface);
/*
 * Returns whether processes hold locks of this name in other network namespaces, and none does in ours. A directory
 * that cannot be read has none.
 */
bool interface_lock_is_elsewhere(const char *directory, const char *interface);

#endif
