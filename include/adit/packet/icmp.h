/* SPDX-License-Identifier: MIT */
/* Destination unreachable, as a router says it (RFC 792; RFC 4443, section 3.1). */
#ifndef ADIT_PACKET_ICMP_H
#define ADIT_PACKET_ICMP_H

#include <stddef.h>
#include <stdint.h>

enum { ICMP_MAX = 1280 }; /* bytes of the longest message: the least MTU of IPv6 */

/*
 * Writes to `message` (ICMP_MAX bytes) the IP packet that tells the source of `packet` that its host cannot be
 * reached: code 1 of ICMP, code 3 of ICMPv6. It quotes as much of `packet` as the RFCs want. Its own source is the
 * address that cannot be reached: an address of ours would be refused as a martian where the packet comes from this
 * very host.
 *
 * Returns the length, or 0 where no error may be sent: in answer to an ICMP error, a fragment other than the first, to
 * or from multicast, broadcast and unspecified addresses (RFC 1122, section 3.2.2; RFC 4443, section 2.4).
 */
size_t icmp_unreachable(uint8_t *message, const uint8_t *packet, size_t n);

#endif
