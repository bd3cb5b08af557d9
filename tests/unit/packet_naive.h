/* SPDX-License-Identifier: MIT */
/*
 * The naive model of the packet layer: builds, sums and segments packets byte by byte. It shares no code with the code
 * under test.
 */
#ifndef ADIT_TEST_PACKET_NAIVE_H
#define ADIT_TEST_PACKET_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NAIVE_ROOM = 65536 + 64 };

/* A random number generator (xorshift64). Its caller holds the state, so that tests are reproducible. */
static inline uint32_t naive_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static inline uint32_t naive_below(uint64_t *state, uint32_t limit)
{
	return naive_random(state) % limit;
}

static inline void naive_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void naive_put32(uint8_t *p, uint32_t v)
{
	naive_put16(p, v >> 16);
	naive_put16(p + 2, v & 0xffff);
}

static inline unsigned naive_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t naive_get32(const uint8_t *p)
{
	return (uint32_t)naive_get16(p) << 16 | naive_get16(p + 2);
}

/* Adds big-endian 16-bit words to `sum`, with an end-around carry after each. `sum` covers an even number of bytes. */
static inline unsigned naive_sum(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static inline unsigned naive_pseudo(const uint8_t *ip, unsigned protocol, size_t l4_length)
{
	uint8_t tail[8] = {
		(uint8_t)(l4_length >> 24), (uint8_t)(l4_length >> 16), (uint8_t)(l4_length >> 8), (uint8_t)l4_length, 0, 0, 0,
		(uint8_t)protocol
	};
	unsigned sum = naive_sum(0, tail, sizeof tail);

	return ip[0] >> 4 == 4 ? naive_sum(sum, ip + 12, 8) : naive_sum(sum, ip + 8, 32);
}

/* Stores valid checksums in a UDP or TCP packet whose transport header starts at `l4`. */
static inline void naive_checksums(uint8_t *p, size_t n, size_t l4, bool udp)
{
	uint8_t *field = p + l4 + (udp ? 6 : 16);
	unsigned sum;

	if (p[0] >> 4 == 4) {
		naive_put16(p + 10, 0);
		naive_put16(p + 10, ~naive_sum(0, p, (p[0] & 15) * 4u) & 0xffff);
	}
	naive_put16(field, 0);
	sum = ~naive_sum(naive_pseudo(p, udp ? 17 : 6, n - l4), p + l4, n - l4) & 0xffff;
	naive_put16(field, udp && !sum ? 0xffff : sum);
}

/* Describes a packet. Zero is valid in every field except ihl, offset and ttl, which naive_spec sets. */
struct naive_spec {
	bool v6, udp, df;
	unsigned ihl;        /* IPv4: header length in words of 4 bytes */
	unsigned extensions; /* IPv6: bytes of destination options, a multiple of 8 */
	unsigned offset;     /* TCP: header length in words of 4 bytes */
	unsigned flags, nibble, window, urgent;
	unsigned tos, id, ttl, label, flow;
	uint32_t sequence, ack;
	size_t payload;
	unsigned seed;
};

static inline struct naive_spec naive_spec(bool v6, bool udp, size_t payload)
{
	return (struct naive_spec) { .v6 = v6,
								 .udp = udp,
								 .df = true,
								 .ihl = 5,
								 .offset = 5,
								 .flags = 0x10,
								 .window = 512,
								 .ttl = 64,
								 .payload = payload,
								 .sequence = 1000,
								 .ack = 77 };
}

static inline size_t naive_l4(const struct naive_spec *s)
{
	return s->v6 ? 40 + s->extensions : s->ihl * 4;
}

static inline size_t naive_header(const struct naive_spec *s)
{
	return naive_l4(s) + (s->udp ? 8 : s->offset * 4);
}

static inline void naive_build_v4(uint8_t *p, const struct naive_spec *s, size_t n)
{
	p[0] = (uint8_t)(0x40 | s->ihl);
	p[1] = (uint8_t)s->tos;
	naive_put16(p + 2, (unsigned)n);
	naive_put16(p + 4, s->id);
	naive_put16(p + 6, s->df ? 0x4000 : 0);
	p[8] = (uint8_t)s->ttl;
	p[9] = s->udp ? 17 : 6;
	naive_put32(p + 12, 0x0a000001 + s->flow);
	naive_put32(p + 16, 0xc0a80102);
	memset(p + 20, 1, s->ihl * 4 - 20);
}

static inline void naive_build_v6(uint8_t *p, const struct naive_spec *s, size_t n)
{
	naive_put32(p, 6u << 28 | (uint32_t)s->tos << 20 | s->label);
	naive_put16(p + 4, (unsigned)(n - 40));
	p[6] = s->extensions ? 60 : s->udp ? 17 : 6;
	p[7] = (uint8_t)s->ttl;
	for (int i = 0; i < 32; i++)
		p[8 + i] = (uint8_t)(0xf0 + i);
	naive_put16(p + 20, s->flow);
	if (s->extensions) {
		memset(p + 40, 0, s->extensions);
		p[40] = s->udp ? 17 : 6;
		p[41] = (uint8_t)(s->extensions / 8 - 1);
	}
}

static inline void naive_build_tcp(uint8_t *p, const struct naive_spec *s)
{
	naive_put32(p + 4, s->sequence);
	naive_put32(p + 8, s->ack);
	p[12] = (uint8_t)(s->offset << 4 | s->nibble);
	p[13] = (uint8_t)s->flags;
	naive_put16(p + 14, s->window);
	naive_put16(p + 18, s->urgent);
	for (unsigned i = 20; i < s->offset * 4; i++)
		p[i] = (uint8_t)(i * 3);
}

/* Builds a complete packet with valid checksums and returns its length. */
static inline size_t naive_build(uint8_t *p, const struct naive_spec *s)
{
	size_t l4 = naive_l4(s), header = naive_header(s), n = header + s->payload;

	(s->v6 ? naive_build_v6 : naive_build_v4)(p, s, n);
	naive_put16(p + l4, 5000 + s->flow);
	naive_put16(p + l4 + 2, 443);
	if (s->udp)
		naive_put16(p + l4 + 4, (unsigned)(n - l4));
	else
		naive_build_tcp(p + l4, s);
	for (size_t i = 0; i < s->payload; i++)
		p[header + i] = (uint8_t)(i * 7 + (i >> 8) + s->seed);
	naive_checksums(p, n, l4, s->udp);
	return n;
}

/*
 * Writes segment `i` of the super-packet `p`, with a gso_size of `size`, and returns its length. `out` and `p` do not
 * overlap.
 */
static inline size_t naive_cut(uint8_t *out, const uint8_t *p, size_t n, size_t l4, bool udp, size_t size, size_t i)
{
	size_t header = l4 + (udp ? 8 : (p[l4 + 12] >> 4) * 4u), payload = n - header, at = i * size;
	bool last = at + size >= payload;
	size_t length = header + (last ? payload - at : size);

	memcpy(out, p, header);
	memcpy(out + header, p + header + at, length - header);
	if (p[0] >> 4 == 4) {
		naive_put16(out + 2, (unsigned)length);
		naive_put16(out + 4, (unsigned)(naive_get16(p + 4) + i) & 0xffff);
	} else {
		naive_put16(out + 4, (unsigned)(length - 40));
	}
	if (udp) {
		naive_put16(out + l4 + 4, (unsigned)(length - l4));
	} else {
		naive_put32(out + l4 + 4, naive_get32(p + l4 + 4) + (uint32_t)at);
		if (i)
			out[l4 + 13] &= 0x7f; /* CWR */
		if (!last)
			out[l4 + 13] &= 0xf6; /* FIN, PSH */
	}
	naive_checksums(out, length, l4, udp);
	return length;
}

#endif
