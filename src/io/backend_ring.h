/* SPDX-License-Identifier: MIT */
/* What the two halves of the I/O backend say to each other: the ring, and the choice of it. */
#ifndef ADIT_IO_BACKEND_RING_H
#define ADIT_IO_BACKEND_RING_H

#include "io/backend.h"

/* Reads by io_uring, where this build has it; NULL else. */
extern const struct backend_ops *const backend_io_uring;

/*
 * Makes the ring that reads `tun`, restricted to that, and sees that the kernel really reads so. 0; -ENOSYS where this
 * build or the kernel has none, or what else refused it.
 */
int backend_ring_open(struct backend_ring **opened, const struct tun *tun);
/* Takes NULL. */
void backend_ring_close(struct backend_ring *ring);

/* True when there are packets that were read and not handed out. */
bool backend_ring_pending(const struct backend_ring *ring);

/* True when batches of small reads take less time by the ring than one by one. Takes 0.2 ms. */
bool backend_ring_pays(struct backend_ring *ring);

#endif
