/* SPDX-License-Identifier: MIT */
/* What a device counts. Every cause for which a packet is dropped has a name that the user can see. */
#ifndef ADIT_TUNNEL_COUNTERS_H
#define ADIT_TUNNEL_COUNTERS_H

#include <stdint.h>

#include "packet/segment.h"

enum counter {
	COUNT_TUN_READ,       /* packets and super-packets read from the TUN */
	COUNT_TUN_WRITTEN,    /* ... and written to it */
	COUNT_SEALED,         /* datagrams sealed */
	COUNT_SENT,           /* data datagrams handed to the socket */
	COUNT_RECEIVED,       /* datagrams of any kind received */
	COUNT_OPENED,         /* data datagrams that were authentic and new */
	COUNT_HANDSHAKE_SENT, /* initiations and responses */
	COUNT_HANDSHAKE_DONE, /* sessions made */
	COUNT_COOKIE_SENT,
	COUNT_UNDER_LOAD,    /* handshakes that came while under load */
	COUNT_GROUP_REFUSED, /* runs that a path took only one datagram at a time */
	COUNT_SOURCE_LOST,   /* a source address that went away */
	COUNT_MERGE_REFUSED, /* super-packets the TUN took only one packet at a time */
	COUNT_UNREACHABLE,   /* ICMP errors that told a sender so */

	DROP_NO_PEER,         /* egress: no allowed IP covers the destination */
	DROP_NO_ENDPOINT,     /* egress: nobody knows where the peer is */
	DROP_LOOP,            /* egress: a datagram of our own that was routed back to us */
	DROP_STAGED,          /* egress: too many packets waited for a handshake */
	DROP_STAGED_TIMEOUT,  /* egress: ... or for too long */
	DROP_SEND,            /* egress: the socket refused the datagram */
	DROP_TUN_READ,        /* egress: the TUN could not be read */
	DROP_TRUNCATED,       /* ingress: larger than the buffer */
	DROP_MALFORMED,       /* ingress: no message of the protocol, by type or length */
	DROP_MAC,             /* ingress: handshake without a valid mac1 */
	DROP_RATE,            /* ingress: handshake over the limit of its source */
	DROP_HANDSHAKE_QUEUE, /* ingress: handshake that came while too many waited */
	DROP_HANDSHAKE,       /* ingress: handshake refused: forged, replayed, or of nobody we know */
	DROP_INDEX,           /* ingress: no session with that index */
	DROP_EXPIRED,         /* ingress: its session is too old */
	DROP_FORGED,          /* ingress: authentication failed */
	DROP_REPLAY,          /* ingress: seen before, or too old to tell */
	DROP_INNER,           /* ingress: what came out is no IP packet, or shorter than it says */
	DROP_SOURCE,          /* ingress: the inner source does not belong to the peer */
	DROP_TUN_WRITE,       /* ingress: the TUN refused the packet */
	DROP_REFUSED,         /* egress: the cutter refused the packet; one counter each, from here on */
	COUNTERS = DROP_REFUSED + SEGMENT_ERRORS
};

struct counters {
	uint64_t value[COUNTERS];
};

/* snake_case, for logs and metrics; of one that the cutter refused, the name of its error. */
const char *counter_name(unsigned counter);

#endif
