/* SPDX-License-Identifier: MIT */
/*
 * The cutter: one super-packet as the TUN delivers it (virtio header and up to 65535 bytes of IP) into the segments
 * that a wire would carry, checksums complete. It is a resumable iterator: it can stop between any two segments and go
 * on later, in another buffer.
 */
#ifndef ADIT_PACKET_SEGMENT_H
#define ADIT_PACKET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/virtio.h"

/* Why a packet was refused. Each has a counter; the names stand in segment_error_text. */
enum segment_error {
	SEGMENT_OK,
	SEGMENT_NOT_IP,       /* empty, or version neither 4 nor 6, or the IP header does not fit */
	SEGMENT_TOO_LONG,     /* more than 65535 bytes, which no IP length field holds */
	SEGMENT_RSC_INFO,     /* a header for coalesced receive, which a TUN never sends */
	SEGMENT_NO_CHECKSUM,  /* GSO without NEEDS_CSUM */
	SEGMENT_NO_SIZE,      /* GSO with gso_size 0 */
	SEGMENT_GSO_UNKNOWN,  /* legacy UFO, or a type nobody defined */
	SEGMENT_GSO_VERSION,  /* TCPV4 on IPv6 or the reverse */
	SEGMENT_ECN_NOT_TCP,  /* the ECN bit on other than TCP */
	SEGMENT_CSUM_START,   /* GSO: csum_start is not the length of the IP header(s) */
	SEGMENT_CSUM_OFFSET,  /* GSO: csum_offset does not fit the type */
	SEGMENT_PROTOCOL,     /* GSO: the IP protocol does not fit the type */
	SEGMENT_IP_HEADER,    /* IHL < 5 */
	SEGMENT_TCP_HEADER,   /* data offset < 5 */
	SEGMENT_HEADER_LONG,  /* headers longer than the packet, or a chain of them broken */
	SEGMENT_CSUM_OUTSIDE, /* NEEDS_CSUM alone: the field lies past the packet */
	SEGMENT_ERRORS
};

/* A few words for people, and a counter's name. Never NULL for a value below SEGMENT_ERRORS. */
const char *segment_error_text(enum segment_error error);
const char *segment_error_name(enum segment_error error); /* snake_case */

/* A cut under way. Plain memory: it may be moved, and dropped at any time. The packet must stay until the cut ends. */
struct segmenter {
	const uint8_t *packet;
	size_t length;   /* of the packet */
	size_t offset;   /* of the payload cut so far */
	uint32_t left;   /* segments not yet cut */
	uint16_t header; /* bytes of IP and transport header that every segment repeats */
	uint16_t size;   /* payload bytes of a full segment */
	/* ... the rest is the module's own */
	uint16_t l4;          /* where the transport header begins, or what the checksum covers */
	uint16_t csum_offset; /* of the checksum, from l4, in a packet without GSO */
	uint16_t index;       /* segments cut so far */
	uint8_t gso_type;
	bool v6, checksum;
	uint64_t ip_sum, l4_sum; /* what the checksums of all segments have in common */
};

/*
 * Begins the cut of `packet`. On SEGMENT_OK the caller takes segmenter->left segments (at least 1) by segment_next; a
 * packet without GSO is one segment. On an error nothing was begun: count it and go on.
 */
enum segment_error segment_begin(struct segmenter *cut, const struct virtio_header *header, const uint8_t *packet,
								 size_t length);

/* The IP length of the next segment: all but the last have the same. 0 when none is left. */
size_t segment_length(const struct segmenter *cut);

/*
 * Writes the next segment to `slot`, which has room for segment_length(cut) bytes, and returns its length; 0 when none
 * is left. At most that many bytes of `slot` are written.
 */
size_t segment_next(struct segmenter *cut, uint8_t *slot);

#endif
