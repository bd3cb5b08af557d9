/* SPDX-License-Identifier: MIT */
/*
 * The coalescer.
 *
 * A packet is examined once: is it of a flow, and could it ever be part of a run? Then:
 *  - what does not parse, and any fragment, may belong to any flow: all runs are emitted before it;
 *  - what has no flow (ICMP, ESP) passes by;
 *  - what is of a flow but can join nothing (SYN, FIN, no payload, bad checksum) is emitted behind the run of its flow;
 *  - what goes on where the run of its flow ends is appended to it; else that run is emitted and a new one opened.
 * A run is emitted as soon as nothing more may join it (PSH, a shorter segment, the last place taken), so the open ones
 * are always ready for more. Packets of one flow thus leave in the order in which they came.
 *
 * Flows are told apart by a hash alone. Two flows that collide only end each other's runs: before a packet joins, the
 * headers are compared byte for byte, addresses and ports among them. And joining rewrites the checksums, so they are
 * verified first, or a corrupt packet would leave with a good one.
 */
#include "packet/coalesce.h"

#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/ip.h"

enum { IPV4_DF = 0x4000, IPV4_MF_AND_OFFSET = 0x3fff };
enum { LONGEST = 65535 };

/* What a header of one kind looks like. The bits of `varies` may differ within a run; each has a check of its own. */
struct coalesce_shape {
	uint8_t ip, protocol, gso_type, csum_offset;
	uint8_t varies[COALESCE_HEADER];
};

static const struct coalesce_shape tcp4 = {
	.ip = IPV4_HEADER,
	.protocol = IPPROTO_TCP,
	.gso_type = VIRTIO_GSO_TCPV4,
	.csum_offset = TCP_CHECKSUM,
	.varies = {
		[2 ... 5] = 0xff, [10 ... 11] = 0xff, /* length and ID, checksum */
		[24 ... 27] = 0xff, [33] = TCP_PSH, [36 ... 37] = 0xff, /* sequence, PSH, checksum */
	},
};

static const struct coalesce_shape udp4 = {
	.ip = IPV4_HEADER,
	.protocol = IPPROTO_UDP,
	.gso_type = VIRTIO_GSO_UDP_L4,
	.csum_offset = UDP_CHECKSUM,
	.varies = {
		[2 ... 5] = 0xff, [10 ... 11] = 0xff, /* length and ID, checksum */
		[24 ... 27] = 0xff, /* length and checksum */
	},
};

static const struct coalesce_shape tcp6 = {
	.ip = IPV6_HEADER,
	.protocol = IPPROTO_TCP,
	.gso_type = VIRTIO_GSO_TCPV6,
	.csum_offset = TCP_CHECKSUM,
	.varies = {
		[4 ... 5] = 0xff, /* length */
		[44 ... 47] = 0xff, [53] = TCP_PSH, [56 ... 57] = 0xff, /* sequence, PSH, checksum */
	},
};

static const struct coalesce_shape udp6 = {
	.ip = IPV6_HEADER,
	.protocol = IPPROTO_UDP,
	.gso_type = VIRTIO_GSO_UDP_L4,
	.csum_offset = UDP_CHECKSUM,
	.varies = {
		[4 ... 5] = 0xff, /* length */
		[44 ... 47] = 0xff, /* length and checksum */
	},
};

/* Headers are compared 16 bytes a step. */
typedef uint64_t lanes __attribute__((vector_size(16)));

enum verdict {
	VERDICT_OPAQUE, /* may belong to any flow */
	VERDICT_NO_FLOW,
	VERDICT_ALONE, /* of a flow, but can join nothing */
	VERDICT_JOINS,
};

/* What there is to know of a packet; `flow` is known when it is alone, the rest only when it joins. */
struct candidate {
	const struct coalesce_shape *shape;
	uint64_t flow;
	uint32_t header, payload;
	uint32_t sequence, next_sequence; /* of TCP, else 0 */
	uint16_t id, next_id;             /* of IPv4 with DF clear, else 0: with DF the ID means nothing (RFC 6864) */
	bool push;
};

static bool is_v4(const struct coalesce_shape *shape)
{
	return shape->ip == IPV4_HEADER;
}

static bool is_tcp(const struct coalesce_shape *shape)
{
	return shape->protocol == IPPROTO_TCP;
}

static enum verdict examine_v4(struct candidate *found, const uint8_t *packet)
{
	uint16_t fragment = get_be16(packet + 6);

	if (packet[0] != 0x45 || fragment & IPV4_MF_AND_OFFSET)
		return VERDICT_OPAQUE;
	if (!(fragment & IPV4_DF)) {
		found->id = get_be16(packet + 4);
		found->next_id = (uint16_t)(found->id + 1);
	}
	switch (packet[9]) {
	case IPPROTO_TCP:
		found->shape = &tcp4;
		return VERDICT_JOINS;
	case IPPROTO_UDP:
		found->shape = &udp4;
		return VERDICT_JOINS;
	default:
		return VERDICT_NO_FLOW;
	}
}

static enum verdict examine_v6(struct candidate *found, const uint8_t *packet, size_t length)
{
	uint8_t protocol;

	switch (packet[6]) {
	case IPPROTO_TCP:
		found->shape = &tcp6;
		return VERDICT_JOINS;
	case IPPROTO_UDP:
		found->shape = &udp6;
		return VERDICT_JOINS;
	default: /* extension headers may hide any flow, or a fragment of it */
		return ip_transport(packet, length, &protocol) == IPV6_HEADER ? VERDICT_NO_FLOW : VERDICT_OPAQUE;
	}
}

static enum verdict examine_ip(struct candidate *found, const uint8_t *packet, size_t length)
{
	int version = ip_version(packet, length);

	if (!version || ip_length(packet) != length)
		return VERDICT_OPAQUE;
	return version == 4 ? examine_v4(found, packet) : examine_v6(found, packet, length);
}

/* Odd factors, so that each word alone maps one to one. */
static uint64_t hash_flow(const struct coalesce_shape *shape, const uint8_t *packet)
{
	uint64_t hash = (get_le32(packet + shape->ip) | (uint64_t)shape->protocol << 32) * UINT64_C(0x9e3779b97f4a7c15);

	if (is_v4(shape))
		return hash ^ get_le64(packet + 12);
	hash += get_le64(packet + 8) * UINT64_C(0xbf58476d1ce4e5b9);
	hash += get_le64(packet + 16) * UINT64_C(0x94d049bb133111eb);
	hash += get_le64(packet + 24) * UINT64_C(0xd6e8feb86659fd93);
	return hash + get_le64(packet + 32) * UINT64_C(0xff51afd7ed558ccd);
}

static enum verdict examine_tcp(struct candidate *found, const uint8_t *tcp, size_t room)
{
	size_t header = room < TCP_HEADER ? 0 : (tcp[TCP_DATA_OFFSET] >> 4) * 4u;

	if (header < TCP_HEADER || header > room)
		return VERDICT_OPAQUE;
	found->header = (uint32_t)(found->shape->ip + header);
	found->payload = (uint32_t)(room - header);
	found->sequence = get_be32(tcp + 4);
	found->next_sequence = found->sequence + found->payload;
	found->push = tcp[TCP_FLAGS] & TCP_PSH;
	return (tcp[TCP_FLAGS] & ~(TCP_PSH | TCP_ECE)) == TCP_ACK ? VERDICT_JOINS : VERDICT_ALONE;
}

static enum verdict examine_udp(struct candidate *found, const uint8_t *udp, size_t room)
{
	if (room < UDP_HEADER)
		return VERDICT_OPAQUE;
	found->header = found->shape->ip + UDP_HEADER;
	found->payload = (uint32_t)(room - UDP_HEADER);
	return get_be16(udp + UDP_LENGTH) == room && get_raw16(udp + UDP_CHECKSUM) ? VERDICT_JOINS : VERDICT_ALONE;
}

static bool checksums_hold(const struct coalesce_shape *shape, const uint8_t *packet, size_t length)
{
	size_t l4_length = length - shape->ip;
	uint64_t sum = checksum_pseudo(packet, shape->protocol, l4_length);

	if (is_v4(shape) && checksum_fold(checksum_words(0, packet, IPV4_HEADER)) != 0xffff)
		return false;
	return checksum_fold(checksum_add(sum, packet + shape->ip, l4_length)) == 0xffff;
}

static bool may_join(const struct coalescer *c, const struct candidate *found, const uint8_t *packet, size_t length)
{
	bool taken = is_tcp(found->shape) ? c->limits.tcp : c->limits.udp;

	return taken && found->payload && checksums_hold(found->shape, packet, length);
}

static enum verdict examine(const struct coalescer *c, struct candidate *found, const uint8_t *packet, size_t length)
{
	enum verdict verdict = examine_ip(found, packet, length);
	size_t room;

	if (verdict != VERDICT_JOINS)
		return verdict;
	room = length - found->shape->ip;
	if (is_tcp(found->shape))
		verdict = examine_tcp(found, packet + found->shape->ip, room);
	else
		verdict = examine_udp(found, packet + found->shape->ip, room);
	if (verdict == VERDICT_OPAQUE)
		return verdict;
	found->flow = hash_flow(found->shape, packet);
	return verdict == VERDICT_JOINS && may_join(c, found, packet, length) ? VERDICT_JOINS : VERDICT_ALONE;
}

static lanes differing_bits(const struct coalesce_shape *shape, const uint8_t *a, const uint8_t *b, size_t at)
{
	lanes x, y, varies;

	memcpy(&x, a + at, sizeof x);
	memcpy(&y, b + at, sizeof y);
	memcpy(&varies, shape->varies + at, sizeof varies);
	return (x ^ y) & ~varies;
}

/* The last step overlaps the one before: no header that joins is shorter than a step. */
static bool same_header(const struct coalesce_shape *shape, const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t last = n - sizeof(lanes);
	lanes differing = differing_bits(shape, a, b, last);

	for (size_t at = 0; at < last; at += sizeof(lanes))
		differing |= differing_bits(shape, a, b, at);
	return !(differing[0] | differing[1]);
}

static bool continues(const struct coalesce_run *run, const struct candidate *found, const uint8_t *packet)
{
	return found->shape == run->shape && found->header == run->header && found->payload <= run->size &&
		   found->sequence == run->sequence && found->id == run->id &&
		   run->header + run->payload + found->payload <= LONGEST &&
		   same_header(run->shape, run->packets[0].data, packet, run->header);
}

static void append(struct coalesce_run *run, const struct candidate *found, uint8_t *packet, size_t length)
{
	run->packets[run->count++] = (struct coalesce_packet) { packet, (uint32_t)length };
	run->payload += found->payload;
	run->sequence = found->next_sequence;
	run->id = found->next_id;
}

/* Whether nothing may follow the packet just appended. */
static bool is_finished(const struct coalesce_run *run, const struct candidate *last)
{
	return last->push || last->payload < run->size || run->count == COALESCE_SEGMENTS;
}

static void emit_alone(struct coalescer *c, uint8_t *packet, size_t length)
{
	c->lone.packets[0] = (struct coalesce_packet) { packet, (uint32_t)length };
	c->emit(c->context, &c->lone);
}

/* Emits the run at `place` and moves its index to the free ones; nothing else touches the run until emit returns. */
static void emit_run(struct coalescer *c, uint32_t place)
{
	uint8_t index = c->places[place];

	c->open--;
	memmove(c->places + place, c->places + place + 1, c->open - place);
	c->places[c->open] = index;
	c->emit(c->context, &c->runs[index]);
}

static void open_run(struct coalescer *c, const struct candidate *found, uint8_t *packet, size_t length)
{
	struct coalesce_run *run;

	if (c->open == COALESCE_FLOWS)
		emit_run(c, 0);
	run = &c->runs[c->places[c->open]];
	c->flows[c->places[c->open++]] = found->flow;
	run->count = 0;
	run->payload = 0;
	run->header = found->header;
	run->shape = found->shape;
	run->size = found->payload;
	append(run, found, packet, length);
}

/* The place of the open run of a flow, the latest first; c->open when there is none. */
static uint32_t find_run(const struct coalescer *c, uint64_t flow)
{
	for (uint32_t place = c->open; place-- > 0;) {
		if (c->flows[c->places[place]] == flow)
			return place;
	}
	return c->open;
}

void coalesce_init(struct coalescer *c, struct coalesce_limits limits, coalesce_emit *emit, void *context)
{
	*c = (struct coalescer) { .limits = limits, .emit = emit, .context = context, .lone.count = 1 };
	for (uint8_t i = 0; i < COALESCE_FLOWS; i++)
		c->places[i] = i;
}

/* Appends the packet to the run at `place` if it goes on there, or else ends that run; returns whether it did. */
static bool join_or_end(struct coalescer *c, uint32_t place, const struct candidate *found, bool joins, uint8_t *packet,
						size_t length)
{
	struct coalesce_run *run = &c->runs[c->places[place]];
	bool joined = joins && continues(run, found, packet);

	if (joined)
		append(run, found, packet, length);
	if (!joined || is_finished(run, found))
		emit_run(c, place);
	return joined;
}

void coalesce_add(struct coalescer *c, uint8_t *packet, size_t length)
{
	struct candidate found = { 0 };
	enum verdict verdict = examine(c, &found, packet, length);
	uint32_t place;

	if (verdict == VERDICT_OPAQUE)
		coalesce_flush(c);
	if (verdict == VERDICT_OPAQUE || verdict == VERDICT_NO_FLOW) {
		emit_alone(c, packet, length);
		return;
	}
	place = find_run(c, found.flow);
	if (place < c->open && join_or_end(c, place, &found, verdict == VERDICT_JOINS, packet, length))
		return;
	if (verdict == VERDICT_JOINS && !found.push)
		open_run(c, &found, packet, length);
	else
		emit_alone(c, packet, length);
}

void coalesce_flush(struct coalescer *c)
{
	while (c->open)
		emit_run(c, 0);
}

static void merge_ip(const struct coalesce_shape *shape, uint8_t *ip, size_t l4_length)
{
	if (!is_v4(shape)) {
		put_be16(ip + 4, (uint16_t)l4_length);
		return;
	}
	put_be16(ip + 2, (uint16_t)(IPV4_HEADER + l4_length));
	put_raw16(ip + 10, 0);
	put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_words(0, ip, IPV4_HEADER)));
}

/* The transport checksum is left to the kernel: it wants the pseudo-header sum in the field, folded, not inverted. */
static void merge_header(const struct coalesce_run *run, uint8_t *ip)
{
	const struct coalesce_shape *shape = run->shape;
	const uint8_t *last = run->packets[run->count - 1].data;
	size_t l4_length = run->header - shape->ip + run->payload;
	uint8_t *l4 = ip + shape->ip;

	memcpy(ip, run->packets[0].data, run->header);
	merge_ip(shape, ip, l4_length);
	if (is_tcp(shape))
		l4[TCP_FLAGS] |= last[shape->ip + TCP_FLAGS] & TCP_PSH;
	else
		put_be16(l4 + UDP_LENGTH, (uint16_t)l4_length);
	put_raw16(l4 + shape->csum_offset, checksum_fold(checksum_pseudo(ip, shape->protocol, l4_length)));
}

static struct virtio_header merge_virtio(const struct coalesce_run *run)
{
	return (struct virtio_header) {
		.flags = VIRTIO_NEEDS_CSUM,
		.gso_type = run->shape->gso_type,
		.hdr_len = (uint16_t)run->header,
		.gso_size = (uint16_t)run->size,
		.csum_start = run->shape->ip,
		.csum_offset = run->shape->csum_offset,
	};
}

int coalesce_iovec(const struct coalesce_run *run, struct coalesce_frame *frame, struct iovec *iov)
{
	const struct coalesce_packet *packet = run->packets, *end = packet + run->count;
	struct virtio_header virtio = { 0 };
	int filled = 0;

	iov[filled++] = (struct iovec) { frame->virtio, VIRTIO_HEADER };
	if (run->count == 1) {
		iov[filled++] = (struct iovec) { packet->data, packet->length };
	} else {
		virtio = merge_virtio(run);
		merge_header(run, frame->header);
		iov[filled++] = (struct iovec) { frame->header, run->header };
		for (; packet < end; packet++)
			iov[filled++] = (struct iovec) { packet->data + run->header, packet->length - run->header };
	}
	virtio_encode(frame->virtio, &virtio);
	return filled;
}
