/* SPDX-License-Identifier: MIT */
/* IP headers: ECN, extension headers and the flow hash. */
#include "packet/ip.h"

#include <netinet/in.h>

#include "packet/checksum.h"

enum {
	ECN_MASK = 3,
	FRAGMENT_OFFSET = 0x1fff,  /* IPv4: the fragment offset, in bytes 6 and 7 */
	FRAGMENT6_OFFSET = 0xfff8, /* IPv6: the same, in bytes 2 and 3 of a fragment header */
	EXTENSION_HEADER = 8,      /* min length of an extension header */
};

void ip_set_ecn(uint8_t *packet, uint8_t ecn)
{
	uint16_t old, new;
	uint64_t sum;

	if (packet[0] >> 4 == 6) {
		packet[1] = (uint8_t)((packet[1] & ~(ECN_MASK << 4)) | ecn << 4);
		return;
	}
	old = get_raw16(packet);
	packet[1] = (uint8_t)((packet[1] & ~ECN_MASK) | ecn);
	new = get_raw16(packet);
	/* RFC 1624, equation 3 */
	sum = (uint64_t)(uint16_t)~get_raw16(packet + 10) + (uint16_t)~old + new;
	put_raw16(packet + 10, (uint16_t)~checksum_fold(sum));
}

size_t ip_transport(const uint8_t *packet, size_t n, uint8_t *protocol)
{
	int version = ip_version(packet, n);
	size_t at = IPV6_HEADER;
	uint8_t type;

	if (!version)
		return 0;
	if (version == 4) {
		at = (packet[0] & 15) * 4u;
		if (at < IPV4_HEADER || at > n || get_be16(packet + 6) & FRAGMENT_OFFSET)
			return 0;
		*protocol = packet[9];
		return at;
	}
	type = packet[6];
	while (type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT || type == IPPROTO_AH ||
		   type == IPPROTO_DSTOPTS) {
		const uint8_t *extension = packet + at;
		size_t length = EXTENSION_HEADER;

		if (n - at < EXTENSION_HEADER)
			return 0;
		if (type == IPPROTO_AH) /* RFC 4302, section 2.2: unlike the others, in units of 4 bytes */
			length = (extension[1] + 2) * 4u;
		else if (type != IPPROTO_FRAGMENT)
			length = (extension[1] + 1) * 8u;
		if (length > n - at)
			return 0;
		if (type == IPPROTO_FRAGMENT && get_be16(extension + 2) & FRAGMENT6_OFFSET)
			return 0;
		at += length;
		type = extension[0];
	}
	*protocol = type;
	return at;
}

/* One step of a multiplicative hash. The high bits depend on all input bits, so they are folded into the low bits. */
static uint64_t hash_mix(uint64_t hash, uint64_t word)
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
	hash = hash_mix(hash, words[0]);
	for (int i = 1; !v4 && i < 4; i++)
		hash = hash_mix(hash, words[i]);
	/* Only the first fragment of a datagram has ports, so all fragments between two addresses hash alike. */
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && n >= header + 4 &&
		(!v4 || (packet[0] == 0x45 && !(get_be16(packet + 6) & 0x3fff))))
		hash = hash_mix(hash, get_be32(packet + header));
	return (uint32_t)hash;
}

bool ip_is_routable(const uint8_t *address, size_t length)
{
	static const uint8_t zeros[16];

	if (!memcmp(address, zeros, length))
		return false;
	if (length == 4)
		return (address[0] & 0xf0) != 0xe0 && get_be32(address) != UINT32_MAX && get_be16(address) != 0xa9fe;
	return address[0] != 0xff && (get_be16(address) & 0xffc0) != 0xfe80;
}
