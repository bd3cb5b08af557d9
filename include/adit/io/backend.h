/* SPDX-License-Identifier: MIT */
/*
 * TUN backends: read packets from the TUN either with one system call each, or many per system call by io_uring
 * (io_uring(7)). A backend is a table of functions and their state. Each worker has its own; nothing is shared.
 *
 * TUN writes and UDP sockets do not go through a backend. Their packets already travel in groups, and io_uring measured
 * no faster there (docs/notebook/tun-backends.md).
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
	const char *name; /* its name for `TunBackend =` */
	ssize_t (*read)(struct backend *backend, uint8_t **packet, int max);
	void (*close)(struct backend *backend);
};

struct backend {
	const struct backend_ops *ops;
	struct tun *tun;
	uint8_t *buffer;           /* of TUN_READ bytes; system calls only */
	struct backend_ring *ring; /* io_uring only */
	int ring_error;            /* negative errno if a ring was requested but is unavailable; else 0 */
};

/*
 * Prepares to read `tun`, which must not move until backend_close. BACKEND_AUTO measures both ways with many small
 * reads, which takes 0.2 ms, and chooses the faster one. If io_uring is unavailable (because of the kernel, seccomp(2),
 * a sysctl, a memory limit or this build), the backend uses system calls and sets ring_error. Returns 0 or -ENOMEM.
 */
int backend_open(struct backend *backend, enum backend_kind kind, struct tun *tun);
/* Frees the backend and leaves the TUN open. Accepts a zeroed struct. */
void backend_close(struct backend *backend);

/*
 * Returns the next packet with its virtio header, in a buffer of the backend that is valid until the next call. May
 * read ahead: at most `max` packets (at least 1) including this one. Returns the same values as tun_read. -EAGAIN means
 * that the queue was empty; a later packet makes the descriptor readable.
 */
static inline ssize_t backend_read(struct backend *backend, uint8_t **packet, int max)
{
	return backend->ops->read(backend, packet, max);
}

/*
 * Returns true if the backend holds packets that were read ahead. These do not make the descriptor readable, so the
 * caller has to call backend_read again.
 */
bool backend_pending(const struct backend *backend);

/* Finds the kind called `name`: "auto", "syscalls" or "io_uring". Returns false if there is none. */
bool backend_find(enum backend_kind *kind, const char *name);
/* The known names, for messages. */
#define BACKEND_NAMES "auto, syscalls, io_uring"
/* Returns true if this build supports the kind. Only backend_open can find out whether the kernel permits it. */
bool backend_built_in(enum backend_kind kind);

#endif
