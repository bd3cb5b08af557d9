/* SPDX-License-Identifier: MIT */
/*
 * The segmenter: GSO in user space.
 *
 * A segment consists of a patched copy of the super-packet's headers and a slice of its payload. segment_begin sums
 * once what is equal in all segments: `ip_sum` covers the IPv4 header without total length, ID and checksum; `l4_sum`
 * covers the pseudo-header without its length, and the transport header without the patched fields. Each segment adds
 * its own fields and its payload, which is copied and summed in one pass. The partial sums may be added because all
 * headers have an even length.
 *
 * Bounds: segment_begin rejects packets of more than 65535 bytes and headers longer than the packet. A segment is never
 * longer than the packet, so its length fits every 16-bit length field.
 */
#include "packet/segment.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/ip.h"

/* --- validation ----- */

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
	case VIRTIO_GSO_NONE: /* only reached with the ECN bit */
	case VIRTIO_GSO_UDP_L4:
		return ecn ? SEGMENT_ECN_NOT_TCP : SEGMENT_OK;
	default:
		return SEGMENT_GSO_UNKNOWN;
	}
}

/*
 * Finds the transport header and the start of the payload. hdr_len is not used, because it is wrong for forwarded
 * packets.
 */
static enum segment_error check_headers(struct segmenter *seg, const struct virtio_header *header)
{
	size_t room, need = UDP_HEADER;
	uint8_t protocol;

	if (!seg->v6 && (seg->packet[0] & 15) * 4 < IPV4_HEADER)
		return SEGMENT_IP_HEADER;
	seg->l4 = (uint16_t)ip_transport(seg->packet, seg->length, &protocol);
	if (!seg->l4)
		return SEGMENT_HEADER_LONG;
	if (seg->l4 != header->csum_start)
		return SEGMENT_CSUM_START;
	if (protocol != (seg->tcp ? IPPROTO_TCP : IPPROTO_UDP))
		return SEGMENT_PROTOCOL;
	if (header->csum_offset != (seg->tcp ? TCP_CHECKSUM : UDP_CHECKSUM))
		return SEGMENT_CSUM_OFFSET;
	room = seg->length - seg->l4;
	if (seg->tcp) {
		if (room < TCP_HEADER)
			return SEGMENT_HEADER_LONG;
		need = (seg->packet[seg->l4 + TCP_DATA_OFFSET] >> 4) * 4u;
		if (need < TCP_HEADER)
			return SEGMENT_TCP_HEADER;
	}
	if (room < need)
		return SEGMENT_HEADER_LONG;
	seg->header = (uint16_t)(seg->l4 + need);
	return SEGMENT_OK;
}

/* Sums the fields that all segments share. */
static void sum_headers(struct segmenter *seg)
{
	const uint8_t *ip = seg->packet, *l4 = ip + seg->l4;
	uint64_t sum;

	if (!seg->v6) {
		seg->ip_sum = get_raw16(ip) + checksum_add(0, ip + 6, 4);
		seg->ip_sum = checksum_add(seg->ip_sum, ip + 12, seg->l4 - 12u);
	}
	/*
	 * The pseudo-header without the length. With IPv6 extension headers the final destination may differ from the one
	 * in the IP header (RFC 8200, section 8.1). The kernel took it into account when it stored the pseudo-header sum in
	 * the checksum field, so in that case the length is subtracted from the stored sum.
	 */
	if (seg->v6 && seg->l4 > IPV6_HEADER)
		sum = (uint64_t)get_raw16(l4 + (seg->tcp ? TCP_CHECKSUM : UDP_CHECKSUM)) +
			  (uint16_t)~htobe16((uint16_t)(seg->length - seg->l4));
	else
		sum = checksum_pseudo(ip, seg->tcp ? IPPROTO_TCP : IPPROTO_UDP, 0);
	sum = checksum_add(sum, l4, 4); /* the ports */
	if (seg->tcp) {                 /* without sequence number, flags and checksum */
		sum = checksum_add(sum, l4 + 8, 4) + get_raw16(l4 + 14);
		sum = checksum_add(sum, l4 + 18, seg->header - seg->l4 - 18u);
	}
	seg->l4_sum = sum;
}

enum segment_error segment_begin(struct segmenter *seg, const struct virtio_header *header, const uint8_t *packet,
								 size_t length)
{
	int version = ip_version(packet, length);
	enum segment_error error;
	size_t payload;

	*seg = (struct segmenter) {
		.packet = packet,
		.length = length,
		.gso_type = header->gso_type & ~VIRTIO_GSO_ECN,
		.v6 = version == 6,
	};
	if (!version)
		return SEGMENT_NOT_IP;
	if (length > UINT16_MAX)
		return SEGMENT_TOO_LONG;
	if (header->gso_type == VIRTIO_GSO_NONE) {
		if (header->flags & VIRTIO_NEEDS_CSUM) {
			seg->checksum = true;
			seg->l4 = header->csum_start;
			seg->csum_offset = header->csum_offset;
			if ((size_t)seg->l4 + seg->csum_offset + 2 > length)
				return SEGMENT_CSUM_OUTSIDE;
		}
		seg->size = (uint16_t)length;
		seg->left = 1;
		return SEGMENT_OK;
	}
	seg->tcp = seg->gso_type != VIRTIO_GSO_UDP_L4; /* no other types but TCP are accepted */
	error = check_virtio(header, seg->v6);
	if (!error)
		error = check_headers(seg, header);
	if (error)
		return error;
	sum_headers(seg);
	payload = length - seg->header;
	seg->size = header->gso_size;
	seg->left = payload ? (uint32_t)((payload + seg->size - 1) / seg->size) : 1;
	return SEGMENT_OK;
}

size_t segment_length(const struct segmenter *seg)
{
	size_t rest = seg->length - seg->header - seg->offset;

	if (!seg->left)
		return 0;
	return seg->header + (rest < seg->size ? rest : seg->size);
}

/* --- segments ----- */

/* In UDP a checksum of 0 means that there is none, so 0xffff is sent instead (RFC 768). */
static void put_checksum(uint8_t *l4, size_t offset, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~checksum_fold(sum);

	if (!checksum && offset == UDP_CHECKSUM)
		checksum = 0xffff;
	put_raw16(l4 + offset, checksum);
}

/* Writes a segment of a super-packet: copies headers and payload, and patches the fields that differ. */
static void write_segment(const struct segmenter *seg, uint8_t *ip, size_t length)
{
	size_t header = seg->header, l4_length = length - seg->l4;
	uint64_t sum = seg->l4_sum + htobe16((uint16_t)l4_length);
	uint8_t *l4 = ip + seg->l4;

	memcpy(ip, seg->packet, header);
	sum = checksum_copy(sum, ip + header, seg->packet + header + seg->offset, length - header);
	if (seg->v6) {
		put_be16(ip + 4, (uint16_t)(length - IPV6_HEADER));
	} else {
		uint16_t id = (uint16_t)(get_be16(ip + 4) + seg->index);

		put_be16(ip + 2, (uint16_t)length);
		put_be16(ip + 4, id);
		put_raw16(ip + 10, (uint16_t)~checksum_fold(seg->ip_sum + htobe16((uint16_t)length) + htobe16(id)));
	}
	if (seg->tcp) {
		uint32_t sequence = get_be32(l4 + 4) + (uint32_t)seg->offset;

		/* Only the first segment keeps CWR (RFC 3168, section 6.1.2), and only the last one keeps FIN and PSH. */
		if (seg->index)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		if (seg->left > 1)
			l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		put_be32(l4 + 4, sequence);
		put_checksum(l4, TCP_CHECKSUM, sum + htobe32(sequence) + get_raw16(l4 + TCP_DATA_OFFSET));
	} else {
		put_be16(l4 + UDP_LENGTH, (uint16_t)l4_length);
		put_checksum(l4, UDP_CHECKSUM, sum + htobe16((uint16_t)l4_length));
	}
}

size_t segment_next(struct segmenter *seg, uint8_t *slot)
{
	size_t length = segment_length(seg);

	if (!length)
		return 0;
	if (seg->gso_type != VIRTIO_GSO_NONE) {
		write_segment(seg, slot, length);
	} else if (!seg->checksum) {
		memcpy(slot, seg->packet, length);
	} else {
		/* The checksum field holds the pseudo-header sum, so the sum includes the field. */
		memcpy(slot, seg->packet, seg->l4);
		put_checksum(slot + seg->l4, seg->csum_offset,
					 checksum_copy(0, slot + seg->l4, seg->packet + seg->l4, length - seg->l4));
	}
	seg->offset += length - seg->header;
	seg->index++;
	seg->left--;
	return length;
}
