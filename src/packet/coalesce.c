/* SPDX-License-Identifier: MIT */
/*
 * The coalescer: GRO in user space.
 *
 * Each packet is examined once, and gets one of four verdicts:
 *  - opaque (malformed, a fragment, IP options or extension headers): it may belong to any flow, so all open runs are
 *    emitted before it;
 *  - no flow (ICMP, ESP): it is emitted at once, and no run ends;
 *  - single (SYN, FIN, no payload, bad checksum): it is emitted after the open run of its flow;
 *  - mergeable: it is appended to the open run of its flow if it continues that run. Otherwise that run is emitted, and
 *    a new one is opened.
 *
 * A run is emitted as soon as no packet can follow (after PSH, a shorter segment, or the last slot), so more packets
 * can be appended to every open run. The packets of a flow are emitted in the order in which they were added.
 *
 * Runs are looked up by a flow hash only. If two flows collide, they end each other's runs but never merge, because all
 * headers are compared, including addresses and ports. Merging replaces the checksums, so they are verified first.
 * Otherwise a corrupt packet would get a valid checksum.
 *
 * UDP without a checksum, as VXLAN and other tunnels may send it, is merged over IPv4 only. The kernel accepts a UDP
 * super-packet only with VIRTIO_NEEDS_CSUM, so each of its segments leaves the kernel with a valid checksum. This hides
 * no error, because the packets had no checksum that could have detected one. Packets with and without a checksum never
 * share a run. Over IPv6 most receivers must discard a packet without a checksum (RFC 8200 section 8.1, RFC 6935).
 * Merging would make them accept it.
 */
#include "packet/coalesce.h"

#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/ip.h"

enum { IPV4_DF = 0x4000, IPV4_MF_AND_OFFSET = 0x3fff };
enum { IP_LENGTH_MAX = 65535 };

/*
 * The layout of the headers of one IP version and protocol. The bits set in `varies` may differ between the packets of
 * a run. The fields they belong to are checked one by one.
 */
struct coalesce_shape {
	uint8_t ip; /* bytes of IP header */
	uint8_t protocol, gso_type, csum_offset;
	bool no_checksum; /* the UDP checksum field is 0 */
	uint8_t varies[COALESCE_HEADER_MAX];
};

static const struct coalesce_shape tcp4 = {
	.ip = IPV4_HEADER,
	.protocol = IPPROTO_TCP,
	.gso_type = VIRTIO_GSO_TCPV4,
	.csum_offset = TCP_CHECKSUM,
	.varies = {
		[2 ... 5] = 0xff, [10 ... 11] = 0xff, /* length and ID, checksum */
		[24 ... 27] = 0xff, [33] = TCP_PSH, [36 ... 37] = 0xff, /* sequence number, PSH, checksum */
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

/* UDP without a checksum. A shape of its own, so that such packets do not continue a run of packets with checksums. */
static const struct coalesce_shape udp4_no_checksum = {
	.ip = IPV4_HEADER,
	.protocol = IPPROTO_UDP,
	.gso_type = VIRTIO_GSO_UDP_L4,
	.csum_offset = UDP_CHECKSUM,
	.no_checksum = true,
	.varies = {
		[2 ... 5] = 0xff, [10 ... 11] = 0xff, /* length and ID, checksum */
		[24 ... 25] = 0xff, /* length */
	},
};

static const struct coalesce_shape tcp6 = {
	.ip = IPV6_HEADER,
	.protocol = IPPROTO_TCP,
	.gso_type = VIRTIO_GSO_TCPV6,
	.csum_offset = TCP_CHECKSUM,
	.varies = {
		[4 ... 5] = 0xff, /* length */
		[44 ... 47] = 0xff, [53] = TCP_PSH, [56 ... 57] = 0xff, /* sequence number, PSH, checksum */
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

/* --- examination ----- */

enum verdict {
	VERDICT_OPAQUE,
	VERDICT_NO_FLOW,
	VERDICT_SINGLE,
	VERDICT_MERGEABLE,
};

/* The result of an examination. `flow` is valid for single and mergeable packets, the rest for mergeable ones only. */
struct candidate {
	const struct coalesce_shape *shape;
	uint64_t flow;
	uint32_t header, payload;
	uint32_t sequence, next_sequence; /* TCP; 0 in UDP */
	uint16_t id, next_id;             /* IPv4 without DF; otherwise 0, because the ID has no meaning (RFC 6864) */
	bool push;
};

static bool shape_is_v4(const struct coalesce_shape *shape)
{
	return shape->ip == IPV4_HEADER;
}

static bool shape_is_tcp(const struct coalesce_shape *shape)
{
	return shape->protocol == IPPROTO_TCP;
}

/* Finds the shape and the ID. Returns VERDICT_MERGEABLE if the transport header, TCP or UDP, decides. */
static enum verdict examine_ip(struct candidate *found, const uint8_t *packet, size_t length)
{
	int version = ip_version(packet, length);
	uint8_t protocol;

	if (!version || ip_length(packet) != length)
		return VERDICT_OPAQUE;
	if (version == 4) {
		uint16_t fragment = get_be16(packet + 6);

		if (packet[0] != 0x45 || fragment & IPV4_MF_AND_OFFSET)
			return VERDICT_OPAQUE;
		if (!(fragment & IPV4_DF)) {
			found->id = get_be16(packet + 4);
			found->next_id = (uint16_t)(found->id + 1);
		}
	}
	switch (packet[version == 4 ? 9 : 6]) {
	case IPPROTO_TCP:
		found->shape = version == 4 ? &tcp4 : &tcp6;
		return VERDICT_MERGEABLE;
	case IPPROTO_UDP:
		found->shape = version == 4 ? &udp4 : &udp6;
		return VERDICT_MERGEABLE;
	default: /* with extension headers, it may be a packet or a fragment of any flow */
		if (version == 6 && ip_transport(packet, length, &protocol) != IPV6_HEADER)
			return VERDICT_OPAQUE;
		return VERDICT_NO_FLOW;
	}
}

/* The factors are odd, so two packets that differ in one word only have different hashes. */
static uint64_t hash_flow(const struct coalesce_shape *shape, const uint8_t *packet)
{
	uint64_t hash = (get_le32(packet + shape->ip) | (uint64_t)shape->protocol << 32) * UINT64_C(0x9e3779b97f4a7c15);

	if (shape_is_v4(shape))
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
	return (tcp[TCP_FLAGS] & ~(TCP_PSH | TCP_ECE)) == TCP_ACK ? VERDICT_MERGEABLE : VERDICT_SINGLE;
}

static enum verdict examine_udp(struct candidate *found, const uint8_t *udp, size_t room)
{
	if (room < UDP_HEADER)
		return VERDICT_OPAQUE;
	found->header = found->shape->ip + UDP_HEADER;
	found->payload = (uint32_t)(room - UDP_HEADER);
	if (get_be16(udp + UDP_LENGTH) != room)
		return VERDICT_SINGLE;
	if (!get_raw16(udp + UDP_CHECKSUM)) {
		if (!shape_is_v4(found->shape))
			return VERDICT_SINGLE;
		found->shape = &udp4_no_checksum;
	}
	return VERDICT_MERGEABLE;
}

static enum verdict examine(const struct coalescer *c, struct candidate *found, const uint8_t *packet, size_t length)
{
	enum verdict verdict = examine_ip(found, packet, length);
	const uint8_t *l4;
	size_t l4_length;
	bool supported;

	if (verdict != VERDICT_MERGEABLE)
		return verdict;
	l4 = packet + found->shape->ip;
	l4_length = length - found->shape->ip;
	if (shape_is_tcp(found->shape)) {
		verdict = examine_tcp(found, l4, l4_length);
		supported = c->limits.tcp;
	} else {
		verdict = examine_udp(found, l4, l4_length);
		supported = c->limits.udp;
	}
	if (verdict == VERDICT_OPAQUE)
		return verdict;
	found->flow = hash_flow(found->shape, packet);
	if (verdict != VERDICT_MERGEABLE || !supported || !found->payload)
		return VERDICT_SINGLE;
	if (shape_is_v4(found->shape) && checksum_fold(checksum_words(0, packet, IPV4_HEADER)) != 0xffff)
		return VERDICT_SINGLE;
	if (!found->shape->no_checksum) {
		uint64_t sum = checksum_pseudo(packet, found->shape->protocol, l4_length);

		if (checksum_fold(checksum_add(sum, l4, l4_length)) != 0xffff)
			return VERDICT_SINGLE;
	}
	return VERDICT_MERGEABLE;
}

/* --- runs ----- */

void coalesce_init(struct coalescer *c, struct coalesce_limits limits, coalesce_emit *emit, void *context)
{
	*c = (struct coalescer) { .limits = limits, .emit = emit, .context = context, .single.count = 1 };
	for (unsigned i = 0; i < COALESCE_FLOWS; i++)
		c->order[i] = (uint8_t)i;
}

/* Headers are compared in steps of 16 bytes. */
typedef uint64_t lanes __attribute__((vector_size(16)));

static lanes differing_bits(const struct coalesce_shape *shape, const uint8_t *a, const uint8_t *b, size_t at)
{
	lanes x, y, varies;

	memcpy(&x, a + at, sizeof x);
	memcpy(&y, b + at, sizeof y);
	memcpy(&varies, shape->varies + at, sizeof varies);
	return (x ^ y) & ~varies;
}

static bool run_continues(const struct coalesce_run *run, const struct candidate *found, const uint8_t *packet)
{
	const uint8_t *first = run->packets[0].data;
	size_t last = run->header - sizeof(lanes);
	lanes differing;

	if (found->shape != run->shape || found->header != run->header || found->payload > run->gso_size ||
		found->sequence != run->next_sequence || found->id != run->next_id ||
		run->header + run->payload + found->payload > IP_LENGTH_MAX)
		return false;
	/* The last step may overlap the one before it. Every header is longer than a step. */
	differing = differing_bits(run->shape, first, packet, last);
	for (size_t at = 0; at < last; at += sizeof(lanes))
		differing |= differing_bits(run->shape, first, packet, at);
	return !(differing[0] | differing[1]);
}

static void run_append(struct coalesce_run *run, const struct candidate *found, uint8_t *packet, size_t length)
{
	run->packets[run->count++] = (struct coalesce_packet) { packet, (uint32_t)length };
	run->payload += found->payload;
	run->next_sequence = found->next_sequence;
	run->next_id = found->next_id;
}

/* Emits the open run at `position` in c->order and marks it as unused. It stays unchanged until `emit` returns. */
static void emit_run(struct coalescer *c, uint32_t position)
{
	uint8_t index = c->order[position];

	c->open--;
	memmove(c->order + position, c->order + position + 1, c->open - position);
	c->order[c->open] = index;
	c->emit(c->context, &c->runs[index]);
}

void coalesce_add(struct coalescer *c, uint8_t *packet, size_t length)
{
	struct candidate found = { 0 };
	enum verdict verdict = examine(c, &found, packet, length);
	struct coalesce_run *run;
	int position = -1;

	if (verdict == VERDICT_OPAQUE)
		coalesce_flush(c);
	else if (verdict != VERDICT_NO_FLOW)
		position = (int)c->open - 1;
	while (position >= 0 && c->flows[c->order[position]] != found.flow)
		position--;
	if (position >= 0) { /* the flow has an open run */
		run = &c->runs[c->order[position]];
		if (verdict == VERDICT_MERGEABLE && run_continues(run, &found, packet)) {
			run_append(run, &found, packet, length);
			if (found.push || found.payload < run->gso_size || run->count == COALESCE_SEGMENTS)
				emit_run(c, (uint32_t)position); /* no packet may follow */
			return;
		}
		emit_run(c, (uint32_t)position);
	}
	if (verdict == VERDICT_MERGEABLE && !found.push) {
		if (c->open == COALESCE_FLOWS)
			emit_run(c, 0);
		run = &c->runs[c->order[c->open]];
		c->flows[c->order[c->open++]] = found.flow;
		run->count = 0;
		run->payload = 0;
		run->header = found.header;
		run->shape = found.shape;
		run->gso_size = found.payload;
		run_append(run, &found, packet, length);
		return;
	}
	c->single.packets[0] = (struct coalesce_packet) { packet, (uint32_t)length };
	c->emit(c->context, &c->single);
}

void coalesce_flush(struct coalescer *c)
{
	while (c->open)
		emit_run(c, 0);
}

/* --- super-packets ----- */

/*
 * Writes the headers of the super-packet to `ip`. The kernel completes the transport checksum, and expects the
 * pseudo-header sum in its field, folded and not inverted.
 */
static void merge_headers(const struct coalesce_run *run, uint8_t *ip)
{
	const struct coalesce_shape *shape = run->shape;
	const uint8_t *last = run->packets[run->count - 1].data;
	size_t l4_length = run->header - shape->ip + run->payload;
	uint8_t *l4 = ip + shape->ip;

	memcpy(ip, run->packets[0].data, run->header);
	if (shape_is_v4(shape)) {
		put_be16(ip + 2, (uint16_t)(IPV4_HEADER + l4_length));
		put_raw16(ip + 10, 0);
		put_raw16(ip + 10, (uint16_t)~checksum_fold(checksum_words(0, ip, IPV4_HEADER)));
	} else {
		put_be16(ip + 4, (uint16_t)l4_length);
	}
	if (shape_is_tcp(shape))
		l4[TCP_FLAGS] |= last[shape->ip + TCP_FLAGS] & TCP_PSH;
	else
		put_be16(l4 + UDP_LENGTH, (uint16_t)l4_length);
	put_raw16(l4 + shape->csum_offset, checksum_fold(checksum_pseudo(ip, shape->protocol, l4_length)));
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
		virtio = (struct virtio_header) {
			.flags = VIRTIO_NEEDS_CSUM,
			.gso_type = run->shape->gso_type,
			.hdr_len = (uint16_t)run->header,
			.gso_size = (uint16_t)run->gso_size,
			.csum_start = run->shape->ip,
			.csum_offset = run->shape->csum_offset,
		};
		merge_headers(run, frame->header);
		iov[filled++] = (struct iovec) { frame->header, run->header };
		for (; packet < end; packet++)
			iov[filled++] = (struct iovec) { packet->data + run->header, packet->length - run->header };
	}
	virtio_encode(frame->virtio, &virtio);
	return filled;
}
