/* SPDX-License-Identifier: MIT */
/* ICMP errors: decides whether a packet may be answered, and builds the message. */
#include "packet/icmp.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "packet/checksum.h"
#include "packet/ip.h"

enum {
	ICMP_HEADER = 8,
	TTL = 64,
	V4_MESSAGE_MAX = 576, /* RFC 1812, section 4.3.2.3 */
	V4_UNREACHABLE = 3,
	V4_HOST = 1,
	V6_UNREACHABLE = 1,
	V6_ADDRESS = 3,
	V6_INFORMATIONAL = 128, /* lower ICMPv6 types are errors */
};

static bool v4_is_unicast(const uint8_t *address)
{
	/* excludes 0.0.0.0/8, multicast, and 240.0.0.0/4, which includes the limited broadcast */
	return address[0] != 0 && address[0] < 224;
}

static bool v6_is_unicast(const uint8_t *address)
{
	static const uint8_t unspecified[16];

	return address[0] != 0xff && memcmp(address, unspecified, sizeof unspecified) != 0;
}

static size_t v4_unreachable(uint8_t *message, const uint8_t *packet, size_t n)
{
	size_t quoted = n < V4_MESSAGE_MAX - IPV4_HEADER - ICMP_HEADER ? n : V4_MESSAGE_MAX - IPV4_HEADER - ICMP_HEADER;
	size_t length = IPV4_HEADER + ICMP_HEADER + quoted, header = (size_t)(packet[0] & 15) * 4;
	uint8_t *icmp = message + IPV4_HEADER, type;

	if (header < IPV4_HEADER || header >= n || !v4_is_unicast(packet + 12) || !v4_is_unicast(packet + 16))
		return 0;
	if (get_be16(packet + 6) & 0x1fff)
		return 0;
	/* Answer no ICMP except echo and timestamp requests and replies. All other types may be errors. */
	type = packet[header];
	if (packet[9] == IPPROTO_ICMP && type != 0 && type != 8 && type != 13 && type != 14)
		return 0;
	memset(message, 0, IPV4_HEADER + ICMP_HEADER);
	message[0] = 0x45;
	put_be16(message + 2, (uint16_t)length);
	message[8] = TTL;
	message[9] = IPPROTO_ICMP;
	memcpy(message + 12, packet + 16, 4);
	memcpy(message + 16, packet + 12, 4);
	put_raw16(message + 10, (uint16_t)~checksum_fold(checksum_add(0, message, IPV4_HEADER)));
	icmp[0] = V4_UNREACHABLE;
	icmp[1] = V4_HOST;
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	put_raw16(icmp + 2, (uint16_t)~checksum_fold(checksum_add(0, icmp, ICMP_HEADER + quoted)));
	return length;
}

static size_t v6_unreachable(uint8_t *message, const uint8_t *packet, size_t n)
{
	uint8_t protocol;
	size_t transport = ip_transport(packet, n, &protocol);
	size_t quoted = n < ICMP_MAX - IPV6_HEADER - ICMP_HEADER ? n : ICMP_MAX - IPV6_HEADER - ICMP_HEADER;
	size_t payload = ICMP_HEADER + quoted;
	uint8_t *icmp = message + IPV6_HEADER;
	uint64_t sum;

	if (!transport || transport >= n || !v6_is_unicast(packet + 8) || !v6_is_unicast(packet + 24))
		return 0;
	if (protocol == IPPROTO_ICMPV6 && packet[transport] < V6_INFORMATIONAL)
		return 0;
	memset(message, 0, IPV6_HEADER + ICMP_HEADER);
	message[0] = 0x60;
	put_be16(message + 4, (uint16_t)payload);
	message[6] = IPPROTO_ICMPV6;
	message[7] = TTL;
	memcpy(message + 8, packet + 24, 16);
	memcpy(message + 24, packet + 8, 16);
	icmp[0] = V6_UNREACHABLE;
	icmp[1] = V6_ADDRESS;
	memcpy(icmp + ICMP_HEADER, packet, quoted);
	sum = checksum_pseudo(message, IPPROTO_ICMPV6, payload);
	put_raw16(icmp + 2, (uint16_t)~checksum_fold(checksum_add(sum, icmp, payload)));
	return IPV6_HEADER + payload;
}

size_t icmp_unreachable(uint8_t *message, const uint8_t *packet, size_t n)
{
	switch (ip_version(packet, n)) {
	case 4:
		return v4_unreachable(message, packet, n);
	case 6:
		return v6_unreachable(message, packet, n);
	default:
		return 0;
	}
}
