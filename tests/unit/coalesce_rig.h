/* SPDX-License-Identifier: MIT */
/* The test rig of the coalescer: checks each run when it is emitted. Include cmocka.h first. */
#ifndef ADIT_TEST_COALESCE_RIG_H
#define ADIT_TEST_COALESCE_RIG_H

#include <stdlib.h>

#include "coalesce_model.h"
#include "packet/coalesce.h"
#include "packet_naive.h"

/* The packets under test, numbered in the order in which they are added, and the output as packet numbers. */
struct rig {
	struct coalescer coalescer;
	uint8_t *packets[MODEL_PACKETS], *copies[MODEL_PACKETS];
	size_t lengths[MODEL_PACKETS];
	struct model_output got, expected;
	int count;
	uint8_t flat[NAIVE_ROOM], cut[NAIVE_ROOM];
};

static inline int packet_number(const struct rig *rig, const uint8_t *data)
{
	for (int i = 0; i < rig->count; i++) {
		if (rig->packets[i] == data)
			return i;
	}
	fail_msg("an emitted packet was never added");
	return -1;
}

/* Copies the run to rig->flat, as the device would receive it, and returns its IP length. */
static inline size_t flatten(struct rig *rig, const struct coalesce_run *run, struct virtio_header *header)
{
	struct coalesce_frame frame;
	struct iovec iov[COALESCE_IOVECS];
	int filled = coalesce_iovec(run, &frame, iov);
	size_t n = 0;

	assert_uint_in_range(filled, 2, COALESCE_IOVECS);
	assert_int_equal(iov[0].iov_len, VIRTIO_HEADER);
	virtio_decode(header, iov[0].iov_base);
	for (int i = 1; i < filled; i++) {
		assert_true(n + iov[i].iov_len <= 65535);
		memcpy(rig->flat + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	return n;
}

static inline void assert_unchanged(struct rig *rig, const struct coalesce_run *run)
{
	static const struct virtio_header no_offload = { 0 };
	struct virtio_header header;
	size_t n = flatten(rig, run, &header);

	assert_memory_equal(&header, &no_offload, sizeof header);
	assert_int_equal(n, run->packets[0].length);
	assert_memory_equal(rig->flat, run->packets[0].data, n);
}

static inline void assert_merged_header(struct rig *rig, const struct coalesce_run *run,
										const struct virtio_header *header, size_t n)
{
	bool v6 = rig->flat[0] >> 4 == 6, udp = header->gso_type == VIRTIO_GSO_UDP_L4;
	size_t l4 = v6 ? 40 : 20;
	unsigned protocol = rig->flat[v6 ? 6 : 9];

	assert_int_equal(header->flags, VIRTIO_NEEDS_CSUM);
	assert_int_equal(header->gso_type, protocol == 17 ? VIRTIO_GSO_UDP_L4 : v6 ? VIRTIO_GSO_TCPV6 : VIRTIO_GSO_TCPV4);
	assert_int_equal(header->hdr_len, run->header);
	assert_int_equal(header->gso_size, run->packets[0].length - run->header);
	assert_int_equal(header->csum_start, l4);
	assert_int_equal(header->csum_offset, udp ? 6 : 16);
	assert_int_equal(naive_get16(rig->flat + l4 + header->csum_offset), naive_pseudo(rig->flat, protocol, n - l4));
	assert_int_equal(naive_get16(rig->flat + (v6 ? 4 : 2)), v6 ? n - 40 : n);
	if (udp)
		assert_int_equal(naive_get16(rig->flat + l4 + 4), n - l4);
	if (!v6)
		assert_int_equal(naive_sum(0, rig->flat, 20), 0xffff);
}

/* A UDP packet without a checksum. */
static inline bool has_no_checksum(const uint8_t *packet, size_t l4, bool udp)
{
	return udp && !naive_get16(packet + l4 + 6);
}

/*
 * Segments the merged packet and compares the result with the original packets. With DF the IP ID may differ. The
 * segments of packets without a checksum have one.
 */
static inline void assert_segments_match(struct rig *rig, const struct coalesce_run *run,
										 const struct virtio_header *header, size_t n)
{
	bool v6 = rig->flat[0] >> 4 == 6, udp = header->gso_type == VIRTIO_GSO_UDP_L4;
	size_t l4 = v6 ? 40 : 20;
	bool no_checksum = has_no_checksum(run->packets[0].data, l4, udp);

	for (uint32_t i = 0; i < run->count; i++) {
		const struct coalesce_packet *packet = &run->packets[i];
		size_t length = naive_cut(rig->cut, rig->flat, n, l4, udp, header->gso_size, i);

		assert_int_equal(has_no_checksum(packet->data, l4, udp), no_checksum);
		if (!v6 && packet->data[6] & 0x40) {
			memcpy(rig->cut + 4, packet->data + 4, 2);
			naive_checksums(rig->cut, length, 20, udp);
		}
		if (no_checksum)
			naive_put16(rig->cut + l4 + 6, 0);
		assert_int_equal(length, packet->length);
		assert_memory_equal(rig->cut, packet->data, length);
	}
}

/* The coalescer's `emit`. */
static inline void collect(void *context, const struct coalesce_run *run)
{
	struct rig *rig = context;
	struct virtio_header header;

	if (run->count == 1) {
		assert_unchanged(rig, run);
	} else {
		size_t n = flatten(rig, run, &header);

		assert_merged_header(rig, run, &header, n);
		assert_segments_match(rig, run, &header, n);
	}
	model_output_begin(&rig->got);
	for (uint32_t i = 0; i < run->count; i++) {
		int number = packet_number(rig, run->packets[i].data);

		assert_int_equal(run->packets[i].length, rig->lengths[number]);
		model_output_add(&rig->got, number);
	}
}

static inline void rig_clear(struct rig *rig)
{
	for (int i = 0; i < rig->count; i++) {
		free(rig->packets[i]);
		free(rig->copies[i]);
	}
	rig->count = 0;
	rig->got = rig->expected = (struct model_output) { 0 };
	coalesce_init(&rig->coalescer, (struct coalesce_limits) { true, true }, collect, rig);
}

/* Stores a packet in an allocation of exactly its length, so that a sanitizer reports any overrun. */
static inline void add_bytes(struct rig *rig, const uint8_t *bytes, size_t n)
{
	int i = rig->count++;

	assert_true(i < MODEL_PACKETS);
	rig->packets[i] = malloc(n + !n);
	rig->copies[i] = malloc(n + !n);
	rig->lengths[i] = n;
	memcpy(rig->packets[i], bytes, n);
	memcpy(rig->copies[i], bytes, n);
}

static inline void add_packet(struct rig *rig, const struct naive_spec *spec)
{
	uint8_t bytes[4096];

	add_bytes(rig, bytes, naive_build(bytes, spec));
}

/* Adds a UDP packet without a checksum. */
static inline void add_without_checksum(struct rig *rig, const struct naive_spec *spec)
{
	uint8_t bytes[4096];
	size_t n = naive_build(bytes, spec);

	naive_put16(bytes + naive_l4(spec) + 6, 0);
	add_bytes(rig, bytes, n);
}

/* Passes the packets to the coalescer and to the model, and compares their output. */
static inline void assert_matches_model(struct rig *rig)
{
	struct model model = { 0 };

	for (int i = 0; i < rig->count; i++) {
		model_add(&model, &rig->expected, rig->copies[i], rig->lengths[i], i);
		coalesce_add(&rig->coalescer, rig->packets[i], rig->lengths[i]);
	}
	model_flush(&model, &rig->expected);
	coalesce_flush(&rig->coalescer);
	/* The packets must be unchanged, so that a rejected run can be written packet by packet. */
	for (int i = 0; i < rig->count; i++)
		assert_memory_equal(rig->packets[i], rig->copies[i], rig->lengths[i]);
	assert_string_equal(rig->got.text, rig->expected.text);
}

/* Also compares the output with `runs`: "0 1|2" is a run of packets 0 and 1, and then packet 2. Then resets the rig. */
static inline void assert_runs(struct rig *rig, const char *runs)
{
	assert_matches_model(rig);
	assert_string_equal(rig->got.text, runs);
	rig_clear(rig);
}

static inline int rig_set_up(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	return *state ? 0 : -1;
}

/* Runs before each test, because a failed test does not clean up. */
static inline int rig_reset(void **state)
{
	rig_clear(*state);
	return 0;
}

static inline int rig_tear_down(void **state)
{
	rig_clear(*state);
	free(*state);
	return 0;
}

/* Returns the packet that follows `spec` in its flow. */
static inline struct naive_spec next_in_flow(struct naive_spec spec)
{
	spec.sequence += (uint32_t)spec.payload;
	spec.id++;
	return spec;
}

#endif
