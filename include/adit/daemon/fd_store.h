/* SPDX-License-Identifier: MIT */
/*
 * The file descriptor store of the service manager (systemd.service(5), FileDescriptorStoreMax=): it keeps duplicates
 * of descriptors while the service restarts, and passes them to the next process as LISTEN_FDS (sd_listen_fds(3)).
 *
 * Descriptors have names. Those with the same name form a set, which is stored and removed as a whole.
 */
#ifndef ADIT_DAEMON_FD_STORE_H
#define ADIT_DAEMON_FD_STORE_H

#include <stddef.h>

enum {
	FD_STORE_MAX = 128, /* FileDescriptorStoreMax= in the unit: 32 queues, 64 sockets, and three more */
	FD_STORE_NAME = 16,
};

/* The descriptors that this process has received, without those that have been taken. Zeroed memory holds none. */
struct fd_store {
	size_t count;
	struct {
		int fd;
		char name[FD_STORE_NAME];
	} items[FD_STORE_MAX];
	int last; /* the highest descriptor that was received; STDERR_FILENO: none */
};

/*
 * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and removes them from the environment. Descriptors beyond
 * FD_STORE_MAX are closed. All others get the close-on-exec flag.
 */
void fd_store_receive(struct fd_store *store);

/* Moves up to `max` descriptors of the set into `fds`. Returns their number. The caller owns them. */
size_t fd_store_take(struct fd_store *store, const char *name, int *fds, size_t max);

/* Closes the descriptors that have not been taken, and removes them from the service manager's store. */
void fd_store_discard(struct fd_store *store);

/* Stores the set in place of the one with this name. With `count` 0, only removes it. 0 or negative errno. */
int fd_store_replace(const char *name, const int *fds, size_t count);

#endif
