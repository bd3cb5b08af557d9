/* SPDX-License-Identifier: MIT */
/* The virtio-net header: decodes and encodes the 10 bytes. */
#include "packet/virtio.h"

#include "base/bytes.h"

/* Offsets of the fields. */
enum { FLAGS = 0, GSO_TYPE = 1, HDR_LEN = 2, GSO_SIZE = 4, CSUM_START = 6, CSUM_OFFSET = 8 };

void virtio_decode(struct virtio_header *header, const uint8_t bytes[VIRTIO_HEADER])
{
	*header = (struct virtio_header) {
		.flags = bytes[FLAGS],
		.gso_type = bytes[GSO_TYPE],
		.hdr_len = get_raw16(bytes + HDR_LEN),
		.gso_size = get_raw16(bytes + GSO_SIZE),
		.csum_start = get_raw16(bytes + CSUM_START),
		.csum_offset = get_raw16(bytes + CSUM_OFFSET),
	};
}

void virtio_encode(uint8_t bytes[VIRTIO_HEADER], const struct virtio_header *header)
{
	bytes[FLAGS] = header->flags;
	bytes[GSO_TYPE] = header->gso_type;
	put_raw16(bytes + HDR_LEN, header->hdr_len);
	put_raw16(bytes + GSO_SIZE, header->gso_size);
	put_raw16(bytes + CSUM_START, header->csum_start);
	put_raw16(bytes + CSUM_OFFSET, header->csum_offset);
}
