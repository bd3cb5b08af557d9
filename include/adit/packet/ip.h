/* SPDX-License-Identifier: MIT */
/* IP headers, read within bounds. */
#ifndef ADIT_PACKET_IP_H
#define ADIT_PACKET_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, UDP_HEADER = 8, TCP_HEADER = 20 };

/* Offsets of fields in the transport headers (RFC 9293, RFC 768). */
enum { TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80
};

/* 4, 6, or 0 for what is neither or too short for its fixed header. */
static inline int ip_version(const uint8_t *packet, size_t n)
{
	if (n >= IPV4_HEADER && packet[0] >> 4 == 4)
		return 4;
	if (n >= IPV6_HEADER && packet[0] >> 4 == 6)
		return 6;
	return 0;
}

/* The length the header itself claims (IPv4 total length; IPv6 payload length + 40); of a packet that ip_version took.
 */
static inline size_t ip_length(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? get_be16(packet + 2) : (size_t)get_be16(packet + 4) + IPV6_HEADER;
}

static inline const uint8_t *ip_source(const uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 4 ? 12 : 8);
}

static inline const uint8_t *ip_destination(const uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 4 ? 16 : 24);
}

/* The ECN field (RFC 3168): the low two bits of ToS or traffic class. */
static inline uint8_t ip_ecn(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? packet[1] & 3 : packet[1] >> 4 & 3;
}

/*
 * A hash of the flow of a packet that ip_version took: its addresses and, in a TCP or UDP packet without options or
 * fragments, its ports. No secret is in it: equal flows have equal hashes, and that is all.
 */
uint32_t ip_flow(const uint8_t *packet, size_t n);

/* Sets the ECN field; an IPv4 header checksum is updated with it (RFC 1624). */
void ip_set_ecn(uint8_t *packet, uint8_t ecn);

/*
 * The transport protocol and where its header begins, extension headers of IPv6 skipped. Returns the offset, or 0 when
 * the chain is broken, too long for the packet, or ends in a fragment other than the first.
 */
size_t ip_transport(const uint8_t *packet, size_t n, uint8_t *protocol);

#endif
