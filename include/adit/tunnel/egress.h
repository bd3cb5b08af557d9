/* SPDX-License-Identifier: MIT */
/* Egress: reads packets from the TUN, cuts and seals them, and sends the datagrams. */
#ifndef ADIT_TUNNEL_EGRESS_H
#define ADIT_TUNNEL_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/token_bucket.h"
#include "crypto/aead.h"
#include "io/backend.h"
#include "io/tun.h"
#include "io/udp.h"
#include "packet/batch.h"
#include "packet/segment.h"
#include "tunnel/device.h"

enum {
	EGRESS_READS = 64,         /* max TUN reads per drain */
	EGRESS_SENDS = 3,          /* max sends of full runs during a drain, to make room */
	EGRESS_RESERVE = 72 << 10, /* the TUN is read only with this many bytes free in the segment buffer */
};

struct egress {
	/* set by the owner before egress_init; all of it outlives the egress */
	struct device *device;
	struct tun *tun; /* for ICMP errors */
	struct backend *backend;
	struct udp *udp;
	const struct aead_provider *aead; /* of this thread */
	struct counters *counters;
	unsigned worker; /* owns the packets that this egress stages */

	bool blocked;         /* the socket is full: the TUN is not read until the socket is writable */
	struct segmenter cut; /* the packet being cut; its virtio header lies in front of cut.packet */
	struct peer *peer;    /* of that packet; NULL: none is being cut */
	uint8_t *popped;      /* TUN_READ bytes for a packet that was staged */
	struct token_bucket icmp;
	struct batch batch;
};

/* Returns 0 or -ENOMEM. */
int egress_init(struct egress *egress);
/* Accepts a zeroed struct. */
void egress_destroy(struct egress *egress);

/*
 * One drain: reads up to EGRESS_READS packets, or until the segment buffer is nearly full and full runs have been sent
 * EGRESS_SENDS times to make room, then sends everything. Returns 0, or -EBADFD when the TUN was deleted.
 */
int egress_drain(struct egress *egress, uint64_t now);

/* Continues where a full socket stopped it, and sends the staged packets of peers that have become ready. */
void egress_resume(struct egress *egress, uint64_t now);

/* Drops what has not been sent, because the sockets are gone. */
void egress_drop(struct egress *egress);

/* Drops what has not been sent to a peer, because it is being removed. */
void egress_forget(struct egress *egress, const struct peer *peer);

#endif
