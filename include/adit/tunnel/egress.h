/* SPDX-License-Identifier: MIT */
/* Egress: TUN to UDP. Read, cut, seal, send. */
#ifndef ADIT_TUNNEL_EGRESS_H
#define ADIT_TUNNEL_EGRESS_H

#include "tunnel/worker.h"

/* 0 or -ENOMEM. */
int egress_init(struct egress *egress);
void egress_destroy(struct egress *egress);

/*
 * One drain: up to EGRESS_READS packets of the TUN, or until the segment buffer is nearly full and full runs have made
 * room EGRESS_SENDS times; then all of it is sent.
 * 0, or -EBADFD when the TUN was deleted.
 */
int egress_drain(struct worker *worker);

/* Goes on where a full socket stopped it, and sends the staged packets of peers that became ready. */
void egress_resume(struct worker *worker);

/* Drops what is under way: the sockets are gone. */
void egress_drop(struct egress *egress);

/* Lets go of a peer that is being removed. */
void egress_forget(struct egress *egress, const struct peer *peer);

#endif
