/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071). Sums are 64 bits wide and in network byte order on any host, so neither adding nor
 * storing swaps bytes. Store a folded sum with put_raw16.
 */
#ifndef ADIT_PACKET_CHECKSUM_H
#define ADIT_PACKET_CHECKSUM_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Returns `sum` plus the sum of `n` bytes. Several calls add up to the sum of the concatenated data if `n` is even in
 * all calls but the last.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t n);

/* Like checksum_add, and copies the bytes to `to` in the same pass. `to` and `from` do not overlap. */
uint64_t checksum_copy(uint64_t sum, void *restrict to, const void *restrict from, size_t n);

/* Like checksum_add, but inlined, for the few bytes of a header. `n` is a multiple of 4. */
static inline uint64_t checksum_words(uint64_t sum, const uint8_t *words, size_t n)
{
	const uint8_t *pairs_end = words + (n & ~(size_t)7);
	uint64_t pair;
	uint32_t word;

	for (; words < pairs_end; words += sizeof pair) {
		memcpy(&pair, words, sizeof pair);
		sum += (pair & 0xffffffff) + (pair >> 32);
	}
	if (n & 4) {
		memcpy(&word, words, sizeof word);
		sum += word;
	}
	return sum;
}

/*
 * Folds the sum to 16 bits of ones' complement, not inverted. Adding a word to itself with its halves swapped leaves
 * the folded sum, with its end-around carry, in the upper half.
 */
static inline uint16_t checksum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum >> 32 | sum << 32;
	half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return (uint16_t)(half >> 16);
}

/*
 * Returns the sum of the pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1) of the IPv4 or IPv6 packet at
 * `ip`: its addresses, `protocol`, and `l4_length`, the length of transport header and payload in bytes.
 */
static inline uint64_t checksum_pseudo(const uint8_t *ip, uint8_t protocol, size_t l4_length)
{
	uint64_t sum = (uint64_t)htobe16(protocol) + htobe32((uint32_t)l4_length);

	return ip[0] >> 4 == 6 ? checksum_words(sum, ip + 8, 32) : checksum_words(sum, ip + 12, 8);
}

#endif
