/* SPDX-License-Identifier: MIT */
/*
 * The cutter.
 *
 * Every segment is the header of the super-packet, patched, and a slice of its payload. What the checksums cover that
 * no segment changes is summed once, in segment_begin: `ip_sum` is the IPv4 header without total length, ID and
 * checksum; `l4_sum` is the pseudo-header without its length, and the transport header without the fields that are
 * patched. A segment adds to these its own fields and its payload, which is copied and summed in one pass. Headers are
 * of even length, so the sums chain.
 *
 * Bounds: segment_begin refuses more than 65535 bytes and headers longer than the packet; header + slice never exceeds
 * the packet, so every 16-bit length field holds its value.
 */
#include "packet/segment.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/ip.h"

static bool is_tcp(const struct segmenter *cut)
{
	return cut->gso_type != VIRTIO_GSO_UDP_L4;
}

static enum segment_error check_virtio(const struct virtio_header *header, bool v6)
{
	bool ecn = header->gso_type & VIRTIO_GSO_ECN;

	if (header->flags & VIRTIO_RSC_INFO)
		return SEGMENT_RSC_INFO;
	if (!(header->flags & VIRTIO_NEEDS_CSUM))
		return SEGMENT_NO_CHECKSUM;
	if (!header->gso_size)
		return SEGMENT_NO_SIZE;
	switch (header->gso_type & ~VIRTIO_GSO_ECN) {
	case VIRTIO_GSO_TCPV4:
		return v6 ? SEGMENT_GSO_VERSION : SEGMENT_OK;
	case VIRTIO_GSO_TCPV6:
		return v6 ? SEGMENT_OK : SEGMENT_GSO_VERSION;
	case VIRTIO_GSO_NONE: /* the ECN bit alone, or it would not be GSO */
	case VIRTIO_GSO_UDP_L4:
		return ecn ? SEGMENT_ECN_NOT_TCP : SEGMENT_OK;
	default:
		return SEGMENT_GSO_UNKNOWN;
	}
}

/* Finds the transport header. hdr_len is not asked: it is wrong on forwarded traffic. */
static enum segment_error check_ip(struct segmenter *cut, const struct virtio_header *header)
{
	uint8_t protocol;

	if (!cut->v6 && (cut->packet[0] & 15) * 4 < IPV4_HEADER)
		return SEGMENT_IP_HEADER;
	cut->l4 = (uint16_t)ip_transport(cut->packet, cut->length, &protocol);
	if (!cut->l4)
		return SEGMENT_HEADER_LONG;
	if (cut->l4 != header->csum_start)
		return SEGMENT_CSUM_START;
	if (protocol != (is_tcp(cut) ? IPPROTO_TCP : IPPROTO_UDP))
		return SEGMENT_PROTOCOL;
	return SEGMENT_OK;
}

/* Finds where the payload begins. */
static enum segment_error check_transport(struct segmenter *cut, const struct virtio_header *header)
{
	const uint8_t *l4 = cut->packet + cut->l4;
	size_t room = cut->length - cut->l4, need = UDP_HEADER;

	if (header->csum_offset != (is_tcp(cut) ? TCP_CHECKSUM : UDP_CHECKSUM))
		return SEGMENT_CSUM_OFFSET;
	if (is_tcp(cut)) {
		if (room < TCP_HEADER)
			return SEGMENT_HEADER_LONG;
		need = (l4[TCP_DATA_OFFSET] >> 4) * 4u;
		if (need < TCP_HEADER)
			return SEGMENT_TCP_HEADER;
	}
	if (room < need)
		return SEGMENT_HEADER_LONG;
	cut->header = (uint16_t)(cut->l4 + need);
	return SEGMENT_OK;
}

static enum segment_error check_gso(struct segmenter *cut, const struct virtio_header *header)
{
	enum segment_error error = check_virtio(header, cut->v6);

	if (!error)
		error = check_ip(cut, header);
	if (!error)
		error = check_transport(cut, header);
	return error;
}

/*
 * The pseudo-header sum without the length. Behind IPv6 extension headers the final destination may stand elsewhere
 * (RFC 8200, section 8.1); the kernel knew it when it filled the field in, so there its seed is taken, less the length.
 */
static uint64_t sum_pseudo(const struct segmenter *cut, size_t csum_offset)
{
	const uint8_t *l4 = cut->packet + cut->l4;
	uint16_t length = htobe16((uint16_t)(cut->length - cut->l4));

	if (cut->v6 && cut->l4 > IPV6_HEADER)
		return (uint64_t)get_raw16(l4 + csum_offset) + (uint16_t)~length;
	return checksum_pseudo(cut->packet, is_tcp(cut) ? IPPROTO_TCP : IPPROTO_UDP, 0);
}

static void sum_headers(struct segmenter *cut)
{
	const uint8_t *ip = cut->packet, *l4 = ip + cut->l4;

	if (!cut->v6) {
		cut->ip_sum = get_raw16(ip) + checksum_add(0, ip + 6, 4);
		cut->ip_sum = checksum_add(cut->ip_sum, ip + 12, cut->l4 - 12u);
	}
	if (is_tcp(cut)) { /* without sequence, flags, checksum */
		cut->l4_sum = checksum_add(sum_pseudo(cut, TCP_CHECKSUM), l4, 4);
		cut->l4_sum = checksum_add(cut->l4_sum, l4 + 8, 4) + get_raw16(l4 + 14);
		cut->l4_sum = checksum_add(cut->l4_sum, l4 + 18, cut->header - cut->l4 - 18u);
	} else { /* the ports */
		cut->l4_sum = checksum_add(sum_pseudo(cut, UDP_CHECKSUM), l4, 4);
	}
}

static enum segment_error begin_gso(struct segmenter *cut, const struct virtio_header *header)
{
	enum segment_error error = check_gso(cut, header);
	size_t payload = cut->length - cut->header;

	if (error)
		return error;
	sum_headers(cut);
	cut->size = header->gso_size;
	cut->left = payload ? (uint32_t)((payload + cut->size - 1) / cut->size) : 1;
	return SEGMENT_OK;
}

static enum segment_error begin_whole(struct segmenter *cut, const struct virtio_header *header)
{
	if (header->flags & VIRTIO_NEEDS_CSUM) {
		cut->checksum = true;
		cut->l4 = header->csum_start;
		cut->csum_offset = header->csum_offset;
		if ((size_t)cut->l4 + cut->csum_offset + 2 > cut->length)
			return SEGMENT_CSUM_OUTSIDE;
	}
	cut->size = (uint16_t)cut->length;
	cut->left = 1;
	return SEGMENT_OK;
}

enum segment_error segment_begin(struct segmenter *cut, const struct virtio_header *header, const uint8_t *packet,
								 size_t length)
{
	int version = ip_version(packet, length);

	*cut = (struct segmenter) {
		.packet = packet,
		.length = length,
		.gso_type = header->gso_type & ~VIRTIO_GSO_ECN,
		.v6 = version == 6,
	};
	if (!version)
		return SEGMENT_NOT_IP;
	if (length > UINT16_MAX)
		return SEGMENT_TOO_LONG;
	return header->gso_type == VIRTIO_GSO_NONE ? begin_whole(cut, header) : begin_gso(cut, header);
}

size_t segment_length(const struct segmenter *cut)
{
	size_t rest = cut->length - cut->header - cut->offset;

	if (!cut->left)
		return 0;
	return cut->header + (rest < cut->size ? rest : cut->size);
}

/* A computed 0 goes out as 0xffff where UDP keeps its checksum (RFC 768), since 0 there says "none". */
static void put_checksum(uint8_t *l4, size_t offset, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~checksum_fold(sum);

	if (!checksum && offset == UDP_CHECKSUM)
		checksum = 0xffff;
	put_raw16(l4 + offset, checksum);
}

/* A packet without GSO. The checksum field holds the pseudo-header sum: summed with the rest, it is the seed. */
static void copy_whole(const struct segmenter *cut, uint8_t *slot)
{
	uint64_t sum;

	if (!cut->checksum) {
		memcpy(slot, cut->packet, cut->length);
		return;
	}
	memcpy(slot, cut->packet, cut->l4);
	sum = checksum_copy(0, slot + cut->l4, cut->packet + cut->l4, cut->length - cut->l4);
	put_checksum(slot + cut->l4, cut->csum_offset, sum);
}

static void patch_ip(const struct segmenter *cut, uint8_t *ip, size_t length)
{
	uint16_t id;

	if (cut->v6) {
		put_be16(ip + 4, (uint16_t)(length - IPV6_HEADER));
		return;
	}
	id = (uint16_t)(get_be16(ip + 4) + cut->index);
	put_be16(ip + 2, (uint16_t)length);
	put_be16(ip + 4, id);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(cut->ip_sum + htobe16((uint16_t)length) + htobe16(id)));
}

/* CWR tells the peer once, so the first segment has it; FIN and PSH speak of the end, so the last has them. */
static void patch_tcp(const struct segmenter *cut, uint8_t *tcp, uint64_t sum)
{
	uint32_t sequence = get_be32(tcp + 4) + (uint32_t)cut->offset;

	if (cut->index)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (cut->left > 1)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	put_be32(tcp + 4, sequence);
	put_checksum(tcp, TCP_CHECKSUM, sum + htobe32(sequence) + get_raw16(tcp + TCP_DATA_OFFSET));
}

static void patch_udp(uint8_t *udp, size_t length, uint64_t sum)
{
	put_be16(udp + UDP_LENGTH, (uint16_t)length);
	put_checksum(udp, UDP_CHECKSUM, sum + htobe16((uint16_t)length));
}

static void cut_one(const struct segmenter *cut, uint8_t *slot, size_t length)
{
	size_t l4_length = length - cut->l4;
	uint64_t sum = cut->l4_sum + htobe16((uint16_t)l4_length);

	memcpy(slot, cut->packet, cut->header);
	sum = checksum_copy(sum, slot + cut->header, cut->packet + cut->header + cut->offset, length - cut->header);
	patch_ip(cut, slot, length);
	if (is_tcp(cut))
		patch_tcp(cut, slot + cut->l4, sum);
	else
		patch_udp(slot + cut->l4, l4_length, sum);
}

size_t segment_next(struct segmenter *cut, uint8_t *slot)
{
	size_t length = segment_length(cut);

	if (!length)
		return 0;
	if (cut->gso_type == VIRTIO_GSO_NONE)
		copy_whole(cut, slot);
	else
		cut_one(cut, slot, length);
	cut->offset += length - cut->header;
	cut->index++;
	cut->left--;
	return length;
}
