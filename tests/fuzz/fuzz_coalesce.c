/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the coalescer with streams of packets. The input is a list of steps. A step may change a field of one of
 * the flows, then adds the flow's next packet, sometimes corrupted; the last packet is the raw input. The invariants:
 * each packet is emitted once and unchanged, packets of a flow are emitted in order, and segmenting a merged run
 * returns its packets, except that each segment has a UDP checksum.
 */
#include <stdlib.h>
#include <string.h>

#include "packet/coalesce.h"
#include "packet/ip.h"
#include "packet/segment.h"
#include "packet_naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKETS = 256, FLOWS = 12, STEP_BYTES = 4, NO_FLOW = -1 };

struct stream {
	struct coalescer coalescer;
	struct naive_spec specs[FLOWS];
	bool no_checksum[FLOWS]; /* UDP packets have the checksum 0 */
	uint8_t *packets[PACKETS], *copies[PACKETS];
	size_t lengths[PACKETS];
	int flows[PACKETS]; /* NO_FLOW for corrupted packets, which may look like any flow */
	int added, emitted, last[FLOWS];
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int packet_number(const struct stream *stream, const uint8_t *packet)
{
	int i = 0;

	while (i < stream->added && stream->packets[i] != packet)
		i++;
	require(i < stream->added);
	return i;
}

/* Packets of one flow are emitted in the order in which they were added. */
static void check_order(struct stream *stream, int number)
{
	int flow = stream->flows[number];

	stream->emitted++;
	if (flow == NO_FLOW)
		return;
	require(number > stream->last[flow]);
	stream->last[flow] = number;
}

/* The bytes must be equal. With DF, the IP ID and the header checksum may differ. */
static void check_same(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (a[0] >> 4 == 4 && a[6] & 0x40) {
		require(!memcmp(a, b, 4) && !memcmp(a + 6, b + 6, 4) && !memcmp(a + 12, b + 12, n - 12));
		return;
	}
	require(!memcmp(a, b, n));
}

/* UDP over IPv4 without a checksum. Segments of such packets differ from the packets, because they have a checksum. */
static bool has_no_checksum(const uint8_t *packet)
{
	return packet[0] == 0x45 && packet[9] == 17 && !naive_get16(packet + IPV4_HEADER + UDP_CHECKSUM);
}

static void check_merged(const struct coalesce_run *run, const struct virtio_header *header, const uint8_t *flat,
						 size_t n)
{
	static uint8_t slot[NAIVE_ROOM];
	bool no_checksum = has_no_checksum(run->packets[0].data);
	struct segmenter cut;

	require(segment_begin(&cut, header, flat, n) == SEGMENT_OK && cut.left == run->count);
	for (uint32_t i = 0; i < run->count; i++) {
		require(segment_next(&cut, slot) == run->packets[i].length);
		require(has_no_checksum(run->packets[i].data) == no_checksum && !has_no_checksum(slot));
		if (no_checksum)
			naive_put16(slot + IPV4_HEADER + UDP_CHECKSUM, 0);
		check_same(slot, run->packets[i].data, run->packets[i].length);
	}
}

/* The coalescer's `emit`. */
static void check_run(void *context, const struct coalesce_run *run)
{
	static uint8_t flat[NAIVE_ROOM];
	struct stream *stream = context;
	struct virtio_header header;
	struct coalesce_frame frame;
	struct iovec iov[COALESCE_IOVECS];
	int filled = coalesce_iovec(run, &frame, iov);
	size_t n = 0;

	require(run->count >= 1 && run->count <= COALESCE_SEGMENTS && filled <= COALESCE_IOVECS);
	for (int i = 1; i < filled; n += iov[i++].iov_len) {
		require(n + iov[i].iov_len <= 65535);
		memcpy(flat + n, iov[i].iov_base, iov[i].iov_len);
	}
	virtio_decode(&header, iov[0].iov_base);
	if (run->count > 1)
		check_merged(run, &header, flat, n);
	else
		require(n == run->packets[0].length && !memcmp(flat, run->packets[0].data, n));
	for (uint32_t i = 0; i < run->count; i++)
		check_order(stream, packet_number(stream, run->packets[i].data));
}

static void add_packet(struct stream *stream, const uint8_t *bytes, size_t n, int flow)
{
	int i = stream->added++;

	stream->packets[i] = malloc(n ? n : 1);
	stream->copies[i] = malloc(n ? n : 1);
	require(stream->packets[i] && stream->copies[i]);
	memcpy(stream->packets[i], bytes, n);
	memcpy(stream->copies[i], bytes, n);
	stream->lengths[i] = n;
	stream->flows[i] = flow;
	coalesce_add(&stream->coalescer, stream->packets[i], n);
}

/* Changes the field selected by `choice`, for this and all later packets of the flow. */
static void change_field(struct naive_spec *spec, uint8_t choice, uint8_t value)
{
	unsigned *const fields[] = { &spec->tos,    &spec->ttl,   &spec->window, &spec->urgent,
								 &spec->nibble, &spec->label, &spec->id,     &spec->seed };

	if (choice < 8)
		*fields[choice] = (*fields[choice] ^ value) & (choice == 4 ? 15 : 255);
	else if (choice == 8)
		spec->flags = value;
	else if (choice == 9)
		spec->offset = 5 + value % 11;
	else if (choice == 10)
		spec->ihl = 5 + value % 11;
	else if (choice == 11)
		spec->extensions = value % 4 * 8;
	else if (choice == 12)
		spec->df = value & 1;
	else if (choice == 13)
		spec->sequence += value;
	else if (choice < 20)
		spec->flags = value & 1 ? 0x10 : 0x18;
	else
		spec->payload = value * (value & 1 ? 1u : 11u);
}

static void take_step(struct stream *stream, const uint8_t *step)
{
	static uint8_t bytes[NAIVE_ROOM];
	int flow = step[0] % FLOWS;
	struct naive_spec *spec = &stream->specs[flow];
	size_t n;

	if (step[1] < 30)
		change_field(spec, step[1], step[2]);
	if (step[1] == 30)
		stream->no_checksum[flow] ^= true;
	n = naive_build(bytes, spec);
	if (spec->udp && stream->no_checksum[flow] != (step[3] == 255)) /* sometimes the other way round */
		naive_put16(bytes + naive_l4(spec) + UDP_CHECKSUM, 0);
	if (step[3] < 20) { /* corrupt a byte or the length */
		if (step[3] < 15)
			bytes[step[2] % n] ^= step[1];
		else
			n = step[2] % n;
		flow = NO_FLOW;
	}
	add_packet(stream, bytes, n, flow);
	spec->sequence += (uint32_t)spec->payload;
	spec->id = (spec->id + 1) & 0xffff;
	spec->flags = spec->flags == 0x18 ? 0x10 : spec->flags;
}

static void begin(struct stream *stream, uint8_t limits)
{
	coalesce_init(&stream->coalescer, (struct coalesce_limits) { limits % 8 != 1, limits % 8 != 2 }, check_run, stream);
	for (int i = 0; i < FLOWS; i++) {
		stream->specs[i] = naive_spec(i & 1, i & 2, 200);
		stream->specs[i].flow = (unsigned)i;
		stream->last[i] = -1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stream stream;

	memset(&stream, 0, sizeof stream);
	begin(&stream, size ? data[0] : 0);
	for (size_t at = 1; at + STEP_BYTES <= size && stream.added < PACKETS - 1; at += STEP_BYTES)
		take_step(&stream, data + at);
	add_packet(&stream, data, size < 65535 ? size : 65535, NO_FLOW);
	coalesce_flush(&stream.coalescer);
	require(stream.emitted == stream.added);
	for (int i = 0; i < stream.added; i++) {
		require(!memcmp(stream.packets[i], stream.copies[i], stream.lengths[i]));
		free(stream.packets[i]);
		free(stream.copies[i]);
	}
	return 0;
}
