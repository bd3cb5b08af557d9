/* SPDX-License-Identifier: MIT */
/*
 * Counters of a device. Each cause for which a packet is dropped has one, with a name that users see. Histograms count
 * the sizes of batches, which show how well the offloads work.
 */
#ifndef ADIT_TUNNEL_COUNTERS_H
#define ADIT_TUNNEL_COUNTERS_H

#include <stdint.h>

#include "packet/segment.h"

enum counter {
	COUNT_TUN_READ,       /* packets and super-packets read from the TUN */
	COUNT_TUN_WRITTEN,    /* packets and super-packets written to it */
	COUNT_SEALED,         /* data datagrams sealed */
	COUNT_SENT,           /* data datagrams that the socket took */
	COUNT_RECEIVED,       /* datagrams of any kind received */
	COUNT_OPENED,         /* data datagrams that were authentic and new */
	COUNT_HANDSHAKE_SENT, /* initiations and responses */
	COUNT_HANDSHAKE_DONE, /* sessions made */
	COUNT_COOKIE_SENT,
	COUNT_UNDER_LOAD,           /* handshake messages without a cookie under load */
	COUNT_GROUP_REFUSED,        /* runs that were sent as single datagrams, because the path refused them */
	COUNT_LOCAL_LOST,           /* local addresses that the host has lost */
	COUNT_MERGE_REFUSED,        /* super-packets that were written as single packets, because the TUN refused them */
	COUNT_UNREACHABLE,          /* ICMP errors sent to the sender of a packet */
	COUNT_UNREACHABLE_RECEIVED, /* ICMP errors about datagrams of ours */
	COUNT_UNANSWERED,           /* initiations that were not answered in time */
	COUNT_UNCONFIRMED,          /* responses after which no packet came, only another initiation */

	DROP_NO_PEER,         /* egress: no allowed IP contains the destination */
	DROP_NO_ENDPOINT,     /* egress: the endpoint of the peer is unknown, or the link is down */
	DROP_LOOP,            /* egress: a datagram of our own that was routed back into the TUN */
	DROP_STAGED,          /* egress: too many packets waited for a handshake */
	DROP_STAGED_TIMEOUT,  /* egress: the handshake was not answered */
	DROP_TOO_LONG,        /* egress: sealed, the packet would not fit a UDP datagram */
	DROP_SEND,            /* egress: the socket refused the datagram */
	DROP_TUN_READ,        /* egress: reading the TUN failed */
	DROP_TRUNCATED,       /* ingress: larger than the receive buffer */
	DROP_SEGMENTS,        /* ingress: a message of more datagrams than the kernel's limit, see udp.h */
	DROP_MALFORMED,       /* ingress: type or length of no message of the protocol */
	DROP_MAC,             /* ingress: handshake message without a valid mac1 */
	DROP_RATE,            /* ingress: handshake message over the rate limit of its sender */
	DROP_HANDSHAKE_QUEUE, /* ingress: too many handshake messages waited, or key or link state changed meanwhile */
	DROP_HANDSHAKE,       /* ingress: handshake message that is forged, replayed, or answers none of ours */
	DROP_NO_KEY,          /* ingress: handshake message while there is no private key */
	DROP_UNKNOWN_KEY,     /* ingress: initiation of a public key that no peer has */
	DROP_CIPHER,          /* ingress: initiation with another cipher than is set for the peer */
	DROP_STALE,           /* ingress: initiation with a time before that of an earlier one */
	DROP_PRESHARED_KEY,   /* ingress: response that cannot be decrypted, as with another preshared key */
	DROP_INDEX,           /* ingress: no session with that receiver index */
	DROP_EXPIRED,         /* ingress: the session is too old */
	DROP_FORGED,          /* ingress: authentication failed */
	DROP_REPLAY,          /* ingress: a replay, or older than the replay window */
	DROP_INNER,           /* ingress: the inner packet is not IP, or shorter than its header says */
	DROP_INNER_SOURCE,    /* ingress: the inner source is not an allowed IP of the peer */
	DROP_TUN_WRITE,       /* ingress: the TUN refused the packet */
	DROP_REFUSED, /* egress: the segmenter rejected the packet; one counter per enum segment_error from here on */
	COUNTERS = DROP_REFUSED + SEGMENT_ERRORS
};

/* What one system call moved: datagrams of a UDP message, or packets of a super-packet. */
enum histogram_kind { HISTOGRAM_UDP_SEND, HISTOGRAM_UDP_RECEIVE, HISTOGRAM_TUN_READ, HISTOGRAM_TUN_WRITE, HISTOGRAMS };

enum { HISTOGRAM_BUCKETS = 8 };

struct size_histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS]; /* batches of 1, 2 to 3, 4 to 7, ..., 64 to 127, 128 and more */
	uint64_t larger_sum;                /* of the sizes of all batches, except those of 1 */
};

struct counters {
	uint64_t value[COUNTERS];
	struct size_histogram histogram[HISTOGRAMS];
};

/* Counts `count` batches of `size`, which is at least 2. */
void histogram_add_larger(struct size_histogram *histogram, uint32_t size, uint32_t count);

/* Counts `count` batches of `size`, which is at least 1. Batches of 1 are the commonest, and cost least. */
static inline void counters_add_batches(struct counters *counters, enum histogram_kind kind, uint32_t size,
										uint32_t count)
{
	if (size == 1)
		counters->histogram[kind].bucket[0] += count;
	else
		histogram_add_larger(&counters->histogram[kind], size, count);
}

/* Returns the sum of the sizes of all batches. */
static inline uint64_t histogram_sum(const struct size_histogram *histogram)
{
	return histogram->bucket[0] + histogram->larger_sum;
}

/* Adds all counters and histograms of `from`. */
void counters_add(struct counters *sum, const struct counters *from);

/* Returns the name of a counter in snake_case, for logs and metrics. */
const char *counter_name(unsigned counter);
/* Returns the name of a histogram, such as "udp_send". */
const char *histogram_name(enum histogram_kind kind);

#endif
