/* SPDX-License-Identifier: MIT */
/*
 * How a worker reads its TUN: with one system call a packet, or with one for many by io_uring (io_uring(7)). A table of
 * functions, and what they keep between calls; one a worker, and nothing is shared.
 *
 * TUN writes and the UDP sockets are no part of it: their packets leave and come in groups already, and a ring was
 * measured not to pay there (docs/performance.md).
 */
#ifndef ADIT_IO_BACKEND_H
#define ADIT_IO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/tun.h"

enum backend_kind { BACKEND_AUTO, BACKEND_SYSCALLS, BACKEND_IO_URING, BACKEND_KINDS };

struct backend;

struct backend_ops {
	const char *name; /* as `TunBackend =` says it */
	ssize_t (*read)(struct backend *backend, uint8_t **packet, int most);
	void (*close)(struct backend *backend);
};

struct backend {
	const struct backend_ops *ops;
	struct tun *tun;
	uint8_t *buffer;           /* of system calls: TUN_READ bytes */
	struct backend_ring *ring; /* of io_uring */
	int refused;               /* why there is no ring: the negative errno of who refused it; 0: none was wanted */
};

/*
 * Prepares to read `tun`, which stays where it is until backend_close. BACKEND_AUTO takes whichever reads many small
 * packets in less time, as a trial here and now finds (0.2 ms). A ring that cannot be had (the kernel, seccomp(2), a
 * sysctl, a limit of memory or this build refuses it) gives way to system calls, and `refused` says why. 0 or -ENOMEM.
 */
int backend_open(struct backend *backend, enum backend_kind kind, struct tun *tun);
/* Takes a zeroed struct. The TUN stays open. */
void backend_close(struct backend *backend);

/*
 * The next packet with its virtio header, in a buffer of the backend that stays as it is until the next call. May read
 * up to `most` (at least 1) packets ahead of need, this one included. Returns as tun_read does. After -EAGAIN the queue
 * has been seen empty; a packet that came since makes the descriptor readable.
 */
static inline ssize_t backend_read(struct backend *backend, uint8_t **packet, int most)
{
	return backend->ops->read(backend, packet, most);
}

/* True when packets have been read ahead: the descriptor does not tell of these, so they must be asked for. */
bool backend_pending(const struct backend *backend);

/* Finds the kind called `name`: "auto", "syscalls", "io_uring". False: there is none. */
bool backend_find(enum backend_kind *kind, const char *name);
/* The names that are known, for messages: "auto, syscalls, io_uring". */
const char *backend_names(void);
/* True when this build has it; whether the kernel grants it, backend_open finds. */
bool backend_built_in(enum backend_kind kind);

#endif
