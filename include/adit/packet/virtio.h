/* SPDX-License-Identifier: MIT */
/*
 * The virtio-net header (virtio 1.2, section 5.1.6): the 10 bytes before each packet on a TUN that was opened with
 * IFF_VNET_HDR, in host byte order.
 */
#ifndef ADIT_PACKET_VIRTIO_H
#define ADIT_PACKET_VIRTIO_H

#include <stdint.h>

enum { VIRTIO_HEADER = 10 };

/* The values from the specification. The names differ from those in <linux/virtio_net.h>, which lacks some of them. */
enum virtio_flags { VIRTIO_NEEDS_CSUM = 1, VIRTIO_DATA_VALID = 2, VIRTIO_RSC_INFO = 4 };
enum virtio_gso {
	VIRTIO_GSO_NONE = 0,
	VIRTIO_GSO_TCPV4 = 1,
	VIRTIO_GSO_UDP = 3,
	VIRTIO_GSO_TCPV6 = 4,
	VIRTIO_GSO_UDP_L4 = 5,
	VIRTIO_GSO_ECN = 0x80, /* a flag, combined with a TCP type */
};

struct virtio_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

/* Convert between the bytes and the struct. They accept any values; segment_begin validates them. */
void virtio_decode(struct virtio_header *header, const uint8_t bytes[VIRTIO_HEADER]);
void virtio_encode(uint8_t bytes[VIRTIO_HEADER], const struct virtio_header *header);

#endif
