/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the segmenter with arbitrary virtio headers and packets. The first byte selects which fields are made
 * valid, because random bytes would hardly ever pass the checks. The invariants: it returns, writes no more than it
 * announced, and the segments contain the whole payload, with correct lengths and checksums.
 */
#include <stdlib.h>
#include <string.h>

#include "packet/checksum.h"
#include "packet/ip.h"
#include "packet/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	FIX_VERSION = 1,
	FIX_FLAGS = 2,
	FIX_TYPE = 4,
	FIX_OFFSETS = 8,
	FIX_TCP = 16,
	IS_V6 = 32,
	IS_UDP = 64,
	IS_WHOLE = 128, /* without FIX_TYPE: no GSO */
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Makes protocol and checksum offsets match the GSO type, but keeps IPv6 extension headers. */
static void fix_offsets(struct virtio_header *header, uint8_t *packet, size_t n, bool udp)
{
	uint8_t protocol;
	size_t l4;

	if (packet[0] >> 4 == 4)
		packet[9] = udp ? 17 : 6;
	else if (packet[6] > 60 || packet[6] % 4)
		packet[6] = udp ? 17 : 6;
	l4 = ip_transport(packet, n, &protocol);
	header->csum_start = (uint16_t)l4;
	header->csum_offset = udp ? UDP_CHECKSUM : TCP_CHECKSUM;
}

static void fix(struct virtio_header *header, uint8_t *packet, size_t n, uint8_t how)
{
	bool v6 = how & IS_V6, udp = how & IS_UDP;

	if (how & FIX_VERSION)
		packet[0] = (uint8_t)(v6 ? 0x60 : 0x40 | (packet[0] & 15));
	if (how & FIX_FLAGS)
		header->flags = VIRTIO_NEEDS_CSUM;
	else
		header->flags &= (uint8_t)~VIRTIO_RSC_INFO | how;
	if (how & FIX_TYPE)
		header->gso_type = udp ? VIRTIO_GSO_UDP_L4 : v6 ? VIRTIO_GSO_TCPV6 : VIRTIO_GSO_TCPV4;
	else if (how & IS_WHOLE)
		header->gso_type = VIRTIO_GSO_NONE;
	if (how & FIX_OFFSETS && ip_version(packet, n))
		fix_offsets(header, packet, n, udp);
	else
		header->csum_start = (uint16_t)(header->csum_start % (n + 2));
	if (how & FIX_TCP && header->csum_start + (size_t)TCP_HEADER <= n)
		packet[header->csum_start + TCP_DATA_OFFSET] |= 0x50;
}

static void check_gso(const uint8_t *segment, size_t length, size_t l4)
{
	uint8_t protocol;
	size_t l4_length = length - l4;

	require(ip_length(segment) == length);
	require(ip_transport(segment, length, &protocol) == l4);
	if (ip_version(segment, length) == 4)
		require(checksum_fold(checksum_add(0, segment, l4)) == 0xffff);
	if (protocol == 17)
		require(get_be16(segment + l4 + UDP_LENGTH) == l4_length);
	if (l4 == IPV6_HEADER || ip_version(segment, length) == 4) {
		uint64_t sum = checksum_pseudo(segment, protocol, l4_length);

		require(checksum_fold(checksum_add(sum, segment + l4, l4_length)) == 0xffff);
	}
}

static void check_segments(struct segmenter *seg, const struct virtio_header *header, size_t n)
{
	size_t payload = 0;
	uint32_t left = seg->left;

	for (; seg->left; left--) {
		size_t length = segment_length(seg);
		uint8_t *slot = malloc(length);

		require(slot && seg->left == left && length >= seg->header && length <= seg->header + (size_t)seg->size);
		require(segment_next(seg, slot) == length);
		if (header->gso_type)
			check_gso(slot, length, header->csum_start);
		payload += length - seg->header;
		free(slot);
	}
	require(left == 0 && payload == n - seg->header && segment_length(seg) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_header header;
	struct segmenter seg;
	enum segment_error error;
	uint8_t *packet;
	size_t n;

	if (size < 1 + VIRTIO_HEADER)
		return 0;
	virtio_decode(&header, data + 1);
	n = size - 1 - VIRTIO_HEADER;
	packet = malloc(n ? n : 1);
	require(packet);
	memcpy(packet, data + 1 + VIRTIO_HEADER, n);
	if (n)
		fix(&header, packet, n, data[0]);
	error = segment_begin(&seg, &header, packet, n);
	require(error < SEGMENT_ERRORS && segment_error_name(error));
	if (error)
		require(seg.left == 0);
	else
		check_segments(&seg, &header, n);
	free(packet);
	return 0;
}
