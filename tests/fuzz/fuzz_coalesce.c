/* SPDX-License-Identifier: MIT */
/*
 * The coalescer over streams of packets. The input is a list of steps: each continues one of a few flows, changes
 * something about it, or is raw bytes. Whatever comes: each packet leaves once and unchanged, packets of a flow leave
 * in order, and a merged run is cut by the cutter into the packets it was made of.
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
	uint8_t *packets[PACKETS], *copies[PACKETS];
	size_t lengths[PACKETS];
	int flows[PACKETS]; /* of packets as their spec says; what was bent by hand may look like any flow */
	int given, left, last[FLOWS];
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int number_of(const struct stream *stream, const uint8_t *packet)
{
	int i = 0;

	while (i < stream->given && stream->packets[i] != packet)
		i++;
	require(i < stream->given);
	return i;
}

/* Packets of one flow leave in the order in which they were given. */
static void check_order(struct stream *stream, int number)
{
	int flow = stream->flows[number];

	stream->left++;
	if (flow == NO_FLOW)
		return;
	require(number > stream->last[flow]);
	stream->last[flow] = number;
}

/* The same bytes, but for ID and header checksum where DF is set. */
static void check_same(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (a[0] >> 4 == 4 && a[6] & 0x40) {
		require(!memcmp(a, b, 4) && !memcmp(a + 6, b + 6, 4) && !memcmp(a + 12, b + 12, n - 12));
		return;
	}
	require(!memcmp(a, b, n));
}

static void check_merged(const struct coalesce_run *run, const struct virtio_header *header, const uint8_t *flat,
						 size_t n)
{
	static uint8_t slot[NAIVE_ROOM];
	struct segmenter cut;

	require(segment_begin(&cut, header, flat, n) == SEGMENT_OK && cut.left == run->count);
	for (uint32_t i = 0; i < run->count; i++) {
		require(segment_next(&cut, slot) == run->packets[i].length);
		check_same(slot, run->packets[i].data, run->packets[i].length);
	}
}

static void take(void *context, const struct coalesce_run *run)
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
		check_order(stream, number_of(stream, run->packets[i].data));
}

static void give(struct stream *stream, const uint8_t *bytes, size_t n, int flow)
{
	int i = stream->given++;

	stream->packets[i] = malloc(n ? n : 1);
	stream->copies[i] = malloc(n ? n : 1);
	require(stream->packets[i] && stream->copies[i]);
	memcpy(stream->packets[i], bytes, n);
	memcpy(stream->copies[i], bytes, n);
	stream->lengths[i] = n;
	stream->flows[i] = flow;
	coalesce_add(&stream->coalescer, stream->packets[i], n);
}

/* One field of the flow, chosen by `what`, changes from here on. */
static void change(struct naive_spec *spec, uint8_t what, uint8_t value)
{
	unsigned *const fields[] = { &spec->tos,    &spec->ttl,   &spec->window, &spec->urgent,
								 &spec->nibble, &spec->label, &spec->id,     &spec->seed };

	if (what < 8)
		*fields[what] = (*fields[what] ^ value) & (what == 4 ? 15 : 255);
	else if (what == 8)
		spec->flags = value;
	else if (what == 9)
		spec->offset = 5 + value % 11;
	else if (what == 10)
		spec->ihl = 5 + value % 11;
	else if (what == 11)
		spec->extensions = value % 4 * 8;
	else if (what == 12)
		spec->df = value & 1;
	else if (what == 13)
		spec->sequence += value;
	else if (what < 20)
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
		change(spec, step[1], step[2]);
	n = naive_build(bytes, spec);
	if (step[3] < 20) { /* bent by hand: a byte, or the length */
		if (step[3] < 15)
			bytes[step[2] % n] ^= step[1];
		else
			n = step[2] % n;
		flow = NO_FLOW;
	}
	give(stream, bytes, n, flow);
	spec->sequence += (uint32_t)spec->payload;
	spec->id = (spec->id + 1) & 0xffff;
	spec->flags = spec->flags == 0x18 ? 0x10 : spec->flags;
}

static void begin(struct stream *stream, uint8_t limits)
{
	coalesce_init(&stream->coalescer, (struct coalesce_limits) { limits % 8 != 1, limits % 8 != 2 }, take, stream);
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
	for (size_t at = 1; at + STEP_BYTES <= size && stream.given < PACKETS - 1; at += STEP_BYTES)
		take_step(&stream, data + at);
	give(&stream, data, size < 65535 ? size : 65535, NO_FLOW);
	coalesce_flush(&stream.coalescer);
	require(stream.left == stream.given);
	for (int i = 0; i < stream.given; i++) {
		require(!memcmp(stream.packets[i], stream.copies[i], stream.lengths[i]));
		free(stream.packets[i]);
		free(stream.copies[i]);
	}
	return 0;
}
