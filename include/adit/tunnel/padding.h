/* SPDX-License-Identifier: MIT */
/* Padding: how many zero bytes follow a packet before it is sealed. */
#ifndef ADIT_TUNNEL_PADDING_H
#define ADIT_TUNNEL_PADDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PADDING_MAX = 15 };

/*
 * A set of MTUs that padding must not exceed: those of the routes through the device that have an MTU of their own. A
 * packet of n bytes cannot have come by a route with an MTU smaller than n, so the smallest MTU that is not smaller
 * than n limits it. All zeros: the set is empty.
 */
struct padding_limits {
	bool any;                               /* the set is not empty */
	uint8_t bits[(UINT16_MAX + 1) / 8 + 3]; /* bit n: n is in the set; read 4 bytes at a time */
};

/* Adds an MTU. One that is larger than any packet limits nothing. */
void padding_limits_add(struct padding_limits *limits, uint32_t mtu);

/*
 * Returns the padding in bytes of a packet of `n` bytes, at most 65535: up to a multiple of 16, but not past the MTU
 * (WireGuard paper, section 5.4.6) and not past the smallest of `limits` that is not smaller than n. An `mtu` of 0 is
 * no limit. A packet longer than the MTU is padded by its length modulo the MTU, as the kernel implementation does.
 */
size_t padding_of_packet(size_t n, size_t mtu, const struct padding_limits *limits);

/*
 * Returns the padding of a segment of `n` bytes that was cut from a super-packet with segments of `full` bytes. Full
 * segments are not padded and the last one never outgrows them, so that all of them fit one UDP_SEGMENT send. The MTU
 * of the route is not smaller than a full segment, so it needs no limits.
 */
size_t padding_of_segment(size_t n, size_t full, size_t mtu);

#endif
