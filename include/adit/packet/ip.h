/* SPDX-License-Identifier: MIT */
/* IP headers: field access, validation and hashing. */
#ifndef ADIT_PACKET_IP_H
#define ADIT_PACKET_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Header lengths in bytes, without options and extension headers. */
enum { IPV4_HEADER = 20, IPV6_HEADER = 40, UDP_HEADER = 8, TCP_HEADER = 20 };

/* Field offsets in the transport headers (RFC 9293, RFC 768). */
enum { TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, UDP_LENGTH = 4, UDP_CHECKSUM = 6 };

/* TCP flags, in the byte at TCP_FLAGS. */
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

/* Returns 4 or 6, or 0 if the version is another one or `n` is less than the fixed header. */
static inline int ip_version(const uint8_t *packet, size_t n)
{
	if (n >= IPV4_HEADER && packet[0] >> 4 == 4)
		return 4;
	if (n >= IPV6_HEADER && packet[0] >> 4 == 6)
		return 6;
	return 0;
}

/* All functions below except ip_transport require a packet that ip_version has accepted. */

/* Returns the packet's length according to its header: the IPv4 total length, or the IPv6 payload length plus 40. */
static inline size_t ip_length(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? get_be16(packet + 2) : (size_t)get_be16(packet + 4) + IPV6_HEADER;
}

/* Return a pointer to the address: 4 or 16 bytes. */
static inline const uint8_t *ip_source(const uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 4 ? 12 : 8);
}

static inline const uint8_t *ip_destination(const uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 4 ? 16 : 24);
}

/* Returns the ECN field (RFC 3168): the low two bits of the ToS or traffic class. */
static inline uint8_t ip_ecn(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? packet[1] & 3 : packet[1] >> 4 & 3;
}

/*
 * Returns a hash of the packet's flow: the addresses, the protocol and the ports. Ports are left out unless the packet
 * is TCP or UDP, not a fragment, and without IP options or extension headers. The hash has no secret key, so a sender
 * can cause collisions.
 */
uint32_t ip_flow(const uint8_t *packet, size_t n);

/* Sets the ECN field to `ecn`, and updates the IPv4 header checksum (RFC 1624). */
void ip_set_ecn(uint8_t *packet, uint8_t ecn);

/*
 * Returns the offset of the transport header, after IPv4 options or IPv6 extension headers, and sets `protocol`.
 * Returns 0 if the packet is not IP, if the headers are malformed or longer than `n`, or if the packet is a fragment
 * other than the first. Reads no more than `n` bytes. The offset may equal `n`.
 */
size_t ip_transport(const uint8_t *packet, size_t n, uint8_t *protocol);

/*
 * Returns whether a router may forward packets to or from the address of 4 or 16 bytes: it is neither multicast,
 * broadcast, link-local nor unspecified.
 */
bool ip_is_routable(const uint8_t *address, size_t length);

#endif
