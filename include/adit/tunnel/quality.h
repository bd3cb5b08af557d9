/* SPDX-License-Identifier: MIT */
/*
 * The quality of the link to a peer, measured without a byte on the wire: the datagrams that the sessions have received
 * and missed, and the round-trip times of handshakes. For control only.
 */
#ifndef ADIT_TUNNEL_QUALITY_H
#define ADIT_TUNNEL_QUALITY_H

#include <stdint.h>

#include "crypto/replay.h"
#include "crypto/session.h"

/* The part of a peer that this needs; zeroed memory has measured nothing. Times are in ns of CLOCK_BOOTTIME. */
struct quality {
	struct replay_counts past; /* of the sessions that are gone */
	/* When the last initiation and the last response were sent, set by the owner; 0: no answer is awaited. */
	uint64_t initiation_sent, response_sent;
	uint64_t rtt, rtt_min; /* ns; 0: unknown */
	uint64_t jitter;       /* ns; unknown before the second sample */
	unsigned samples;
};

/*
 * Adds up the counts of all sessions that the peer has had, see replay_count. `slots` holds those that the peer has
 * now. The counts never fall.
 */
void quality_counts(const struct quality *quality, const struct session_slots *slots, uint64_t now,
					struct replay_counts *sum);
/* The session is about to be destroyed. Its missing counters can no longer arrive. */
void quality_session_ends(struct quality *quality, struct session *session);

/* The response to the last initiation came at `now`. Takes a sample. */
void quality_response_received(struct quality *quality, uint64_t now);
/*
 * The first packet came under `session`, which our last response made. Initiators send it at once. Takes a sample if it
 * is the packet that the initiator sent first; another one may have been sent at any time.
 */
void quality_confirmed(struct quality *quality, struct session *session, uint64_t now);

#endif
