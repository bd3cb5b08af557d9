/* SPDX-License-Identifier: MIT */
/* Padding: how many zero bytes follow a packet before it is sealed. */
#ifndef ADIT_TUNNEL_PADDING_H
#define ADIT_TUNNEL_PADDING_H

#include <stddef.h>

enum { PADDING_MAX = 15 };

/*
 * Returns the padding in bytes of a packet of `n` bytes: up to a multiple of 16, but not past the MTU (WireGuard paper,
 * section 5.4.6). An `mtu` of 0 is no limit. A packet longer than the MTU is padded by its length modulo the MTU, as
 * the kernel implementation does.
 */
size_t padding_of_packet(size_t n, size_t mtu);

/*
 * Returns the padding of a segment of `n` bytes that was cut from a super-packet with segments of `full` bytes. Full
 * segments are not padded and the last one never outgrows them, so that all of them fit one UDP_SEGMENT send.
 */
size_t padding_of_segment(size_t n, size_t full, size_t mtu);

#endif
