/* SPDX-License-Identifier: MIT */
/*
 * The segmenter: cuts a super-packet from the TUN, a virtio header and up to 65535 bytes of IP, into segments with
 * complete checksums, as a network card would send them. It is an iterator: the caller may pause after any segment and
 * resume later, with another buffer.
 */
#ifndef ADIT_PACKET_SEGMENT_H
#define ADIT_PACKET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/virtio.h"

/* Why segment_begin rejected a packet. Each value has a drop counter; segment_error.c holds the names. */
enum segment_error {
	SEGMENT_OK,
	SEGMENT_NOT_IP,       /* unknown IP version, or shorter than the IP header */
	SEGMENT_TOO_LONG,     /* more than 65535 bytes, the max of an IP length field */
	SEGMENT_RSC_INFO,     /* RSC_INFO is set, which a TUN never does */
	SEGMENT_NO_CHECKSUM,  /* GSO without NEEDS_CSUM */
	SEGMENT_NO_SIZE,      /* GSO with gso_size 0 */
	SEGMENT_GSO_UNKNOWN,  /* legacy UFO, or an undefined type */
	SEGMENT_GSO_VERSION,  /* TCPV4 with an IPv6 packet, or the reverse */
	SEGMENT_ECN_NOT_TCP,  /* the ECN bit without a TCP type */
	SEGMENT_CSUM_START,   /* GSO: csum_start is not the offset of the transport header */
	SEGMENT_CSUM_OFFSET,  /* GSO: csum_offset does not match the type */
	SEGMENT_PROTOCOL,     /* GSO: the IP protocol does not match the type */
	SEGMENT_IP_HEADER,    /* IHL < 5 */
	SEGMENT_TCP_HEADER,   /* data offset < 5 */
	SEGMENT_HEADER_LONG,  /* headers longer than the packet, or malformed extension headers */
	SEGMENT_CSUM_OUTSIDE, /* no GSO: the checksum field is outside the packet */
	SEGMENT_ERRORS
};

/* Return a short description, and the name of the counter. `error` must be less than SEGMENT_ERRORS. */
const char *segment_error_text(enum segment_error error);
const char *segment_error_name(enum segment_error error); /* in snake_case */

/*
 * The state of one segmentation. It owns nothing, so it may be copied and may be discarded at any time. The packet must
 * stay valid and unchanged until the last segment has been taken.
 */
struct segmenter {
	const uint8_t *packet;
	size_t length;   /* bytes in the packet */
	size_t offset;   /* payload bytes in the segments taken so far */
	uint32_t left;   /* segments not yet taken */
	uint16_t header; /* bytes of IP and transport header, repeated in each segment */
	uint16_t size;   /* payload bytes of a full segment */
	/* private */
	uint16_t l4;          /* offset of the transport header; without GSO, of the bytes that the checksum covers */
	uint16_t csum_offset; /* without GSO: offset of the checksum field from l4 */
	uint16_t index;       /* segments taken so far */
	uint8_t gso_type;
	bool v6;
	bool tcp;                /* with GSO: not UDP */
	bool checksum;           /* without GSO: whether to complete the checksum */
	uint64_t ip_sum, l4_sum; /* sums of the header fields that are equal in all segments */
};

/*
 * Validates the packet and starts its segmentation. After SEGMENT_OK, `seg->left` segments, at least one, can be taken
 * by segment_next; a packet without GSO is one segment. After an error there are none, and the caller counts a drop.
 */
enum segment_error segment_begin(struct segmenter *seg, const struct virtio_header *header, const uint8_t *packet,
								 size_t length);

/* Returns the IP length of the next segment, or 0 if none is left. All segments but the last have the same length. */
size_t segment_length(const struct segmenter *seg);

/*
 * Writes the next segment to `slot` and returns its length, or 0 if none is left. It writes exactly segment_length(seg)
 * bytes, and `slot` must have room for them.
 */
size_t segment_next(struct segmenter *seg, uint8_t *slot);

#endif
