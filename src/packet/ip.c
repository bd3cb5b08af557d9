/* SPDX-License-Identifier: MIT */
#include "packet/ip.h"

#include <netinet/in.h>

#include "packet/checksum.h"

enum {
	ECN_MASK = 3,
	FRAGMENT_OFFSET = 0x1fff,  /* IPv4: the offset's bits of bytes 6 and 7 */
	FRAGMENT6_OFFSET = 0xfff8, /* IPv6: the same of bytes 2 and 3 of a fragment header */
	EXTENSION_HEADER = 8,      /* the least an extension header takes */
};

void ip_set_ecn(uint8_t *packet, uint8_t ecn)
{
	uint16_t before, after;
	uint64_t sum;

	if (packet[0] >> 4 == 6) {
		packet[1] = (uint8_t)((packet[1] & ~(ECN_MASK << 4)) | ecn << 4);
		return;
	}
	before = get_raw16(packet);
	packet[1] = (uint8_t)((packet[1] & ~ECN_MASK) | ecn);
	after = get_raw16(packet);
	/* RFC 1624, equation 3 */
	sum = (uint64_t)(uint16_t)~get_raw16(packet + 10) + (uint16_t)~before + after;
	put_raw16(packet + 10, (uint16_t)~checksum_fold(sum));
}

static bool is_extension(uint8_t type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT || type == IPPROTO_AH ||
		   type == IPPROTO_DSTOPTS;
}

static size_t extension_length(uint8_t type, const uint8_t *extension)
{
	if (type == IPPROTO_FRAGMENT)
		return EXTENSION_HEADER;
	if (type == IPPROTO_AH) /* RFC 4302, section 2.2: the one that counts in words of 4 */
		return (extension[1] + 2) * 4u;
	return (extension[1] + 1) * 8u;
}

static size_t transport_v4(const uint8_t *packet, size_t n, uint8_t *protocol)
{
	size_t header = (packet[0] & 15) * 4u;

	if (header < IPV4_HEADER || header > n || get_be16(packet + 6) & FRAGMENT_OFFSET)
		return 0;
	*protocol = packet[9];
	return header;
}

static size_t transport_v6(const uint8_t *packet, size_t n, uint8_t *protocol)
{
	uint8_t type = packet[6];
	size_t at = IPV6_HEADER;

	while (is_extension(type)) {
		const uint8_t *extension = packet + at;

		if (n - at < EXTENSION_HEADER || extension_length(type, extension) > n - at)
			return 0;
		if (type == IPPROTO_FRAGMENT && get_be16(extension + 2) & FRAGMENT6_OFFSET)
			return 0;
		at += extension_length(type, extension);
		type = extension[0];
	}
	*protocol = type;
	return at;
}

size_t ip_transport(const uint8_t *packet, size_t n, uint8_t *protocol)
{
	switch (ip_version(packet, n)) {
	case 4:
		return transport_v4(packet, n, protocol);
	case 6:
		return transport_v6(packet, n, protocol);
	default:
		return 0;
	}
}

/* A step of a multiplicative hash: the high bits, which every bit of the input reaches, come down. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

uint32_t ip_flow(const uint8_t *packet, size_t n)
{
	bool v4 = packet[0] >> 4 == 4;
	size_t header = v4 ? IPV4_HEADER : IPV6_HEADER;
	uint8_t protocol = packet[v4 ? 9 : 6];
	uint64_t hash = protocol, words[4];

	memcpy(words, ip_source(packet), v4 ? 8 : 32);
	hash = mix(hash, words[0]);
	for (int i = 1; !v4 && i < 4; i++)
		hash = mix(hash, words[i]);
	/* Fragments of one datagram show no ports but in the first: they are a flow of their own, by the addresses. */
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && n >= header + 4 &&
		(!v4 || (packet[0] == 0x45 && !(get_be16(packet + 6) & 0x3fff))))
		hash = mix(hash, get_be32(packet + header));
	return (uint32_t)hash;
}
