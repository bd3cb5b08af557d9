/* SPDX-License-Identifier: MIT */
/* The io_uring backend, as backend.c sees it. */
#ifndef ADIT_IO_BACKEND_URING_H
#define ADIT_IO_BACKEND_URING_H

#include "io/backend.h"

/* The functions of the io_uring backend; NULL if this build does not support it. */
extern const struct backend_ops *const backend_io_uring;

/*
 * Opens a ring that is restricted to reads, and checks that it can read `tun`. Returns 0 or a negative errno; -ENOSYS
 * if this build or the kernel does not support io_uring.
 */
int backend_ring_open(struct backend_ring **opened, const struct tun *tun);
/* Accepts NULL. */
void backend_ring_close(struct backend_ring *ring);

/* Returns true if the ring holds packets that were read ahead. */
bool backend_ring_pending(const struct backend_ring *ring);

/* Returns true if small reads in batches are faster than single reads. The measurement takes 0.2 ms. */
bool backend_ring_faster(struct backend_ring *ring);

#endif
