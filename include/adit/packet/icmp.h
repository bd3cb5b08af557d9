/* SPDX-License-Identifier: MIT */
/* ICMP errors: the destination unreachable message of a router (RFC 792; RFC 4443, section 3.1). */
#ifndef ADIT_PACKET_ICMP_H
#define ADIT_PACKET_ICMP_H

#include <stddef.h>
#include <stdint.h>

enum { ICMP_MAX = 1280 }; /* max bytes of a message: the min MTU of IPv6 */

/*
 * Writes to `message`, which has ICMP_MAX bytes, an IP packet that reports to the source of `packet` that its
 * destination is unreachable: "host unreachable" (code 1) in IPv4, "address unreachable" (code 3) in IPv6. The message
 * quotes as much of the `n` bytes of `packet` as the RFCs allow. Its source address is the unreachable address. With
 * one of our own addresses, the kernel would drop the message as a martian if `packet` was sent by this host.
 *
 * Returns the length of the message, or 0 if no error may be sent (RFC 1122, section 3.2.2; RFC 4443, section 2.4):
 * because `packet` is malformed, an ICMP error, a fragment other than the first, or has a multicast, broadcast or
 * unspecified address.
 */
size_t icmp_unreachable(uint8_t *message, const uint8_t *packet, size_t n);

#endif
