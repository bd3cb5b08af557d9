/* SPDX-License-Identifier: MIT */
/* Tests of the segmenter against the naive model, and of each reason to reject a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/segment.h"
#include "packet_naive.h"

enum { GUARD = 0xa5 };

/* Buffers for the largest packet. */
struct rig {
	uint8_t packet[NAIVE_ROOM], expected[NAIVE_ROOM];
};

static int set_up(void **state)
{
	*state = malloc(sizeof(struct rig));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* Returns the virtio header that the kernel would write. hdr_len is wrong on purpose, because it must not be used. */
static struct virtio_header gso_header(const struct naive_spec *spec, size_t size)
{
	return (struct virtio_header) {
		.flags = VIRTIO_NEEDS_CSUM,
		.gso_type = spec->udp  ? VIRTIO_GSO_UDP_L4
					: spec->v6 ? VIRTIO_GSO_TCPV6
							   : VIRTIO_GSO_TCPV4,
		.hdr_len = 0xffff,
		.gso_size = (uint16_t)size,
		.csum_start = (uint16_t)naive_l4(spec),
		.csum_offset = spec->udp ? 6 : 16,
	};
}

/* Builds a super-packet. Its checksum field holds the pseudo-header sum, folded and not inverted. */
static size_t build_super(uint8_t *packet, const struct naive_spec *spec)
{
	size_t n = naive_build(packet, spec), l4 = naive_l4(spec);

	naive_put16(packet + l4 + (spec->udp ? 6 : 16), naive_pseudo(packet, spec->udp ? 17 : 6, n - l4));
	return n;
}

/* Writes the next segment to an allocation of exactly its length, so that a sanitizer reports any overrun. */
static uint8_t *take_segment(struct segmenter *cut, size_t *length)
{
	uint8_t *slot;

	*length = segment_length(cut);
	slot = malloc(*length);
	assert_non_null(slot);
	memset(slot, GUARD, *length);
	assert_int_equal(segment_next(cut, slot), *length);
	return slot;
}

static void assert_ended(struct segmenter *cut)
{
	uint8_t slot = GUARD;

	assert_int_equal(cut->left, 0);
	assert_int_equal(segment_length(cut), 0);
	assert_int_equal(segment_next(cut, &slot), 0);
	assert_int_equal(slot, GUARD);
}

/* Segments rig->packet and compares each segment with the naive model. */
static void assert_cut(struct rig *rig, const struct naive_spec *spec, const struct virtio_header *header, size_t n)
{
	size_t count = spec->payload ? (spec->payload + header->gso_size - 1) / header->gso_size : 1;
	uint8_t *exact = malloc(n);
	struct segmenter cut;

	memcpy(exact, rig->packet, n);
	assert_int_equal(segment_begin(&cut, header, exact, n), SEGMENT_OK);
	assert_int_equal(cut.left, count);
	assert_int_equal(cut.header, naive_header(spec));
	assert_int_equal(cut.size, header->gso_size);
	for (size_t i = 0; i < count; i++) {
		size_t expected = naive_cut(rig->expected, rig->packet, n, naive_l4(spec), spec->udp, header->gso_size, i);
		size_t length;
		uint8_t *segment = take_segment(&cut, &length);

		assert_int_equal(length, expected);
		assert_memory_equal(segment, rig->expected, expected);
		free(segment);
	}
	assert_ended(&cut);
	assert_memory_equal(exact, rig->packet, n);
	free(exact);
}

static void assert_cuts(struct rig *rig, const struct naive_spec *spec, size_t size)
{
	struct virtio_header header = gso_header(spec, size);
	size_t n = build_super(rig->packet, spec);

	assert_cut(rig, spec, &header, n);
}

/* No payload, one segment, full segments only, and short or odd last segments. */
static void assert_payloads(struct rig *rig, struct naive_spec spec, size_t size)
{
	const size_t payloads[] = { 0, 1, size - 1, size, size + 1, 2 * size, 3 * size + size / 2 + 1 };

	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		spec.payload = payloads[i];
		spec.seed = (unsigned)i;
		assert_cuts(rig, &spec, size);
	}
}

static void options_of_any_length_are_repeated(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 0);

	for (spec.ihl = 5; spec.ihl <= 15; spec.ihl++) {
		for (spec.offset = 5; spec.offset <= 15; spec.offset++)
			assert_payloads(*state, spec, 101);
	}
	spec.udp = true;
	for (spec.ihl = 5; spec.ihl <= 15; spec.ihl++)
		assert_payloads(*state, spec, 100);
}

/* The IPv6 payload length includes the extension headers. */
static void ipv6_extension_headers_are_repeated(void **state)
{
	struct naive_spec spec = naive_spec(true, false, 0);

	for (spec.extensions = 0; spec.extensions <= 64; spec.extensions += 8) {
		for (spec.offset = 5; spec.offset <= 15; spec.offset += 5)
			assert_payloads(*state, spec, 1220);
	}
	spec.udp = true;
	for (spec.extensions = 0; spec.extensions <= 64; spec.extensions += 8)
		assert_payloads(*state, spec, 1232);
}

/*
 * With a routing header, the pseudo-header contains the final destination, which differs from the one in the IP header.
 * So the pseudo-header sum must come from the checksum field.
 */
static void with_extension_headers_the_pseudo_header_sum_is_read_from_the_packet(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(true, false, 2500);
	struct virtio_header header = gso_header(&spec, 1000);
	struct segmenter cut;
	size_t n, length;

	spec.extensions = 24;
	header.csum_start = 64;
	n = build_super(rig->packet, &spec);
	rig->packet[39] ^= 1; /* not the destination in the pseudo-header */
	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *segment = take_segment(&cut, &length);

		segment[39] ^= 1;
		assert_int_equal(naive_sum(naive_pseudo(segment, 6, length - 64), segment + 64, length - 64), 0xffff);
		free(segment);
	}
}

/* Without extension headers the checksum field is ignored. */
static void the_pseudo_header_sum_is_computed_from_the_addresses(void **state)
{
	struct rig *rig = *state;

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 2500);
		struct virtio_header header;
		size_t n;

		spec.ihl = 15;
		header = gso_header(&spec, 1000);
		n = build_super(rig->packet, &spec);
		naive_put16(rig->packet + header.csum_start + header.csum_offset, 0xabcd);
		assert_cut(rig, &spec, &header, n);
	}
}

static void all_tcp_flags_match_the_naive_model(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 3000);

	for (spec.flags = 0; spec.flags < 256; spec.flags++) {
		spec.nibble = spec.flags & 15;
		assert_cuts(*state, &spec, 1000);
	}
}

/* States the rule itself: CWR in the first segment only, FIN and PSH in the last only, ECE in all. */
static void tcp_flags_depend_on_the_position(void **state)
{
	static const uint8_t expected[] = { 0xd0, 0x50, 0x59 }; /* CWR ECE ACK, ECE ACK, ECE ACK PSH FIN */
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, false, 3000);
	struct virtio_header header = gso_header(&spec, 1000);
	struct segmenter cut;
	size_t n, length;

	spec.flags = 0xd9;
	header.gso_type |= VIRTIO_GSO_ECN;
	n = build_super(rig->packet, &spec);
	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *segment = take_segment(&cut, &length);

		assert_int_equal(segment[33], expected[i]);
		free(segment);
	}
}

static void sequence_numbers_and_ids_wrap(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 5000);

	spec.sequence = UINT32_MAX - 1500;
	spec.id = 0xfffe;
	assert_cuts(*state, &spec, 1000);
}

static void tos_and_flow_label_are_kept(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 3000);

	for (spec.tos = 0; spec.tos < 256; spec.tos += 3) {
		spec.v6 = false;
		assert_cuts(*state, &spec, 1000);
		spec.v6 = true;
		spec.label = spec.tos * 4099;
		assert_cuts(*state, &spec, 1000);
	}
}

/* A gso_size that is smaller than the header, and thousands of segments. */
static void segments_may_be_tiny(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 65535 - 120);

	spec.ihl = 15;
	spec.offset = 15;
	assert_cuts(*state, &spec, 1);
	spec = naive_spec(true, true, 65535 - 48);
	assert_cuts(*state, &spec, 1);
	assert_cuts(*state, &spec, 7);
}

static void packets_may_be_65535_bytes_long(void **state)
{
	static const size_t sizes[] = { 536, 1372, 1460, 8960, 32767, 65000, 65535 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (int kind = 0; kind < 4; kind++) {
			struct naive_spec spec = naive_spec(kind & 1, kind & 2, 0);

			spec.payload = 65535 - naive_header(&spec);
			assert_cuts(*state, &spec, sizes[i]);
		}
	}
}

static void random_packets_match_the_naive_model(void **state)
{
	uint64_t seed = 7;

	for (int round = 0; round < 3000; round++) {
		struct naive_spec spec = naive_spec(naive_random(&seed) & 1, naive_random(&seed) & 1, naive_below(&seed, 9000));

		spec.ihl = 5 + naive_below(&seed, 11);
		spec.offset = 5 + naive_below(&seed, 11);
		spec.extensions = naive_below(&seed, 4) * 8;
		spec.flags = naive_random(&seed) & 255;
		spec.sequence = naive_random(&seed);
		spec.id = naive_random(&seed) & 0xffff;
		spec.tos = naive_random(&seed) & 255;
		spec.urgent = naive_random(&seed) & 0xffff;
		spec.seed = naive_random(&seed);
		assert_cuts(*state, &spec, 1 + naive_below(&seed, 3000));
	}
}

/* Segmentation continues from a copy of the state, as when it waits for space in the segment buffer. */
static void segmentation_resumes_after_any_segment(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, false, 10000);
	struct virtio_header header = gso_header(&spec, 900);
	size_t n = build_super(rig->packet, &spec), length;
	struct segmenter cut, moved;

	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	for (size_t i = 0; cut.left; i++) {
		size_t expected = naive_cut(rig->expected, rig->packet, n, 20, false, 900, i);
		uint8_t *segment;

		moved = cut;
		memset(&cut, 0xff, sizeof cut);
		segment = take_segment(&moved, &length);
		cut = moved;
		assert_int_equal(length, expected);
		assert_memory_equal(segment, rig->expected, length);
		free(segment);
	}
}

/* The payload is chosen so that the checksum is 0. UDP must send 0xffff instead, TCP sends 0. */
static void a_zero_checksum_is_replaced_in_udp_only(void **state)
{
	struct rig *rig = *state;

	for (int udp = 0; udp < 2; udp++) {
		struct naive_spec spec = naive_spec(false, udp, 200);
		struct virtio_header header = gso_header(&spec, 100);
		size_t n = naive_build(rig->packet, &spec), field = udp ? 26 : 36, length;
		struct segmenter cut;
		uint8_t *segment;

		memset(rig->packet + n - 200, 0, 200);
		naive_cut(rig->expected, rig->packet, n, 20, udp, 100, 0);
		memcpy(rig->packet + n - 200, rig->expected + field, 2);
		assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
		segment = take_segment(&cut, &length);
		assert_int_equal(naive_get16(segment + field), udp ? 0xffff : 0);
		free(segment);
	}
}

static void a_packet_without_needs_csum_is_copied(void **state)
{
	/* Without GSO and NEEDS_CSUM the other fields are ignored. */
	const struct virtio_header header = { 0, VIRTIO_GSO_NONE, 0xffff, 0xffff, 0xffff, 0xffff };
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, false, 1000);
	size_t n = naive_build(rig->packet, &spec), length;
	struct segmenter cut;
	uint8_t *segment;

	naive_put16(rig->packet + 2, 7); /* even a wrong length field is copied */
	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	assert_int_equal(cut.left, 1);
	segment = take_segment(&cut, &length);
	assert_int_equal(length, n);
	assert_memory_equal(segment, rig->packet, n);
	assert_ended(&cut);
	free(segment);
}

/* The checksum field may be anywhere. Its old value is part of the sum, and the result replaces it. */
static void without_gso_any_checksum_field_is_completed(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(true, false, 300);
	size_t n = naive_build(rig->packet, &spec), length;
	struct segmenter cut;

	for (unsigned start = 0; start < n; start += 1) {
		for (unsigned offset = 0; offset < 20 && start + offset + 2 <= n; offset++) {
			struct virtio_header header = {
				VIRTIO_NEEDS_CSUM, VIRTIO_GSO_NONE, 0, 0, (uint16_t)start, (uint16_t)offset
			};
			unsigned sum = ~naive_sum(0, rig->packet + start, n - start) & 0xffff;
			uint8_t *segment;

			memcpy(rig->expected, rig->packet, n);
			naive_put16(rig->expected + start + offset, !sum && offset == 6 ? 0xffff : sum);
			assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
			segment = take_segment(&cut, &length);
			assert_int_equal(length, n);
			assert_memory_equal(segment, rig->expected, n);
			free(segment);
		}
	}
}

/* The kernel stores the pseudo-header sum in the field, so the result is the checksum of RFC 768 or RFC 9293. */
static void without_gso_the_pseudo_header_sum_is_completed(void **state)
{
	struct rig *rig = *state;

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 777);
		struct virtio_header header = gso_header(&spec, 0);
		size_t n = build_super(rig->packet, &spec), length;
		struct segmenter cut;
		uint8_t *segment;

		header.gso_type = VIRTIO_GSO_NONE;
		naive_build(rig->expected, &spec);
		assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
		segment = take_segment(&cut, &length);
		assert_memory_equal(segment, rig->expected, n);
		free(segment);
	}
}

static void without_gso_a_zero_checksum_is_replaced_in_udp_only(void **state)
{
	static const struct {
		unsigned offset, expected;
	} cases[] = { { 6, 0xffff }, { 16, 0 }, { 2, 0 } };
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct virtio_header header = { VIRTIO_NEEDS_CSUM, VIRTIO_GSO_NONE, 0, 0, 20, (uint16_t)cases[i].offset };
		uint8_t packet[60] = { 0x45 };
		struct segmenter cut;

		naive_put16(packet + 40, 0xffff);
		assert_int_equal(segment_begin(&cut, &header, packet, sizeof packet), SEGMENT_OK);
		assert_int_equal(segment_next(&cut, rig->expected), sizeof packet);
		assert_int_equal(naive_get16(rig->expected + 20 + cases[i].offset), cases[i].expected);
	}
}

/* A valid super-packet. Each test then makes one field invalid. */
struct sample {
	struct naive_spec spec;
	struct virtio_header header;
	uint8_t packet[400];
	size_t length;
};

static struct sample valid_sample(bool v6, bool udp)
{
	struct sample s = { .spec = naive_spec(v6, udp, 300) };

	s.header = gso_header(&s.spec, 100);
	s.length = build_super(s.packet, &s.spec);
	return s;
}

static void assert_error(const struct sample *s, enum segment_error error)
{
	uint8_t *exact = malloc(s->length + 1);
	struct segmenter cut;

	memcpy(exact + 1, s->packet, s->length);
	assert_int_equal(segment_begin(&cut, &s->header, exact + 1, s->length), error);
	if (error)
		assert_ended(&cut);
	free(exact);
}

static void packets_other_than_ip_are_rejected(void **state)
{
	for (int version = 0; version < 16; version++) {
		struct sample s = valid_sample(false, false);

		s.packet[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			assert_error(&s, SEGMENT_NOT_IP);
	}
	for (int v6 = 0; v6 < 2; v6++) {
		struct sample s = valid_sample(v6, false);

		for (s.length = 0; s.length < (v6 ? 40 : 20); s.length++) {
			s.header.gso_type = VIRTIO_GSO_NONE;
			s.header.flags = 0;
			assert_error(&s, SEGMENT_NOT_IP);
			s.header = gso_header(&s.spec, 100);
			assert_error(&s, SEGMENT_NOT_IP);
		}
	}
}

static void packets_over_65535_bytes_are_rejected(void **state)
{
	const struct virtio_header header = { 0 };
	struct rig *rig = *state;
	struct segmenter cut;

	rig->packet[0] = 0x45;
	assert_int_equal(segment_begin(&cut, &header, rig->packet, 65535), SEGMENT_OK);
	assert_int_equal(segment_length(&cut), 65535);
	assert_int_equal(segment_begin(&cut, &header, rig->packet, 65536), SEGMENT_TOO_LONG);
	assert_ended(&cut);
}

static void invalid_virtio_headers_are_rejected(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sample good = valid_sample(kind & 1, kind & 2), s = good;

		assert_error(&s, SEGMENT_OK);
		s.header.flags |= VIRTIO_RSC_INFO;
		assert_error(&s, SEGMENT_RSC_INFO);
		s = good;
		s.header.flags = VIRTIO_DATA_VALID;
		assert_error(&s, SEGMENT_NO_CHECKSUM);
		s = good;
		s.header.gso_size = 0;
		assert_error(&s, SEGMENT_NO_SIZE);
		s = good;
		s.header.gso_type = VIRTIO_GSO_UDP;
		assert_error(&s, SEGMENT_GSO_UNKNOWN);
		s = good;
		s.header.gso_type = VIRTIO_GSO_ECN;
		assert_error(&s, SEGMENT_ECN_NOT_TCP);
		s = good;
		s.header.gso_type |= VIRTIO_GSO_ECN;
		assert_error(&s, s.spec.udp ? SEGMENT_ECN_NOT_TCP : SEGMENT_OK);
	}
}

static void unknown_gso_types_are_rejected(void **state)
{
	for (unsigned type = 0; type < 128; type++) {
		struct sample s = valid_sample(false, false);

		s.header.gso_type = (uint8_t)type;
		if (type != VIRTIO_GSO_NONE && type != VIRTIO_GSO_TCPV4 && type != VIRTIO_GSO_TCPV6 &&
			type != VIRTIO_GSO_UDP_L4)
			assert_error(&s, SEGMENT_GSO_UNKNOWN);
	}
}

static void a_gso_type_of_the_other_ip_version_is_rejected(void **state)
{
	struct sample s = valid_sample(false, false);

	s.header.gso_type = VIRTIO_GSO_TCPV6;
	assert_error(&s, SEGMENT_GSO_VERSION);
	s = valid_sample(true, false);
	s.header.gso_type = VIRTIO_GSO_TCPV4;
	assert_error(&s, SEGMENT_GSO_VERSION);
}

static void wrong_checksum_offsets_are_rejected(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sample s = valid_sample(kind & 1, kind & 2);
		unsigned start = s.header.csum_start, offset = s.header.csum_offset;

		for (unsigned other = 0; other < 65536; other += other < 200 ? 1 : 1021) {
			s.header.csum_start = (uint16_t)other;
			assert_error(&s, other == start ? SEGMENT_OK : SEGMENT_CSUM_START);
		}
		s.header.csum_start = (uint16_t)start;
		for (unsigned other = 0; other < 65536; other += other < 200 ? 1 : 1021) {
			s.header.csum_offset = (uint16_t)other;
			assert_error(&s, other == offset ? SEGMENT_OK : SEGMENT_CSUM_OFFSET);
		}
	}
}

static void a_wrong_ip_protocol_is_rejected(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sample s = valid_sample(kind & 1, kind & 2);

		s.packet[s.spec.v6 ? 6 : 9] = s.spec.udp ? 6 : 17;
		assert_error(&s, SEGMENT_PROTOCOL);
		s.packet[s.spec.v6 ? 6 : 9] = 1;
		assert_error(&s, SEGMENT_PROTOCOL);
	}
}

static void short_header_lengths_are_rejected(void **state)
{
	struct sample s = valid_sample(false, false);

	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		s.packet[0] = 0x40 | ihl;
		s.header.csum_start = ihl * 4;
		assert_error(&s, SEGMENT_IP_HEADER);
	}
	s = valid_sample(false, false);
	for (uint8_t words = 0; words < 5; words++) {
		s.packet[20 + 12] = (uint8_t)(words << 4);
		assert_error(&s, SEGMENT_TCP_HEADER);
	}
}

/* The packet is truncated at every byte of its headers. */
static void headers_longer_than_the_packet_are_rejected(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sample s = { .spec = naive_spec(kind & 1, kind & 2, 100) };

		s.spec.ihl = 15;
		s.spec.offset = 15;
		s.spec.extensions = 16;
		s.header = gso_header(&s.spec, 100);
		build_super(s.packet, &s.spec);
		for (s.length = s.spec.v6 ? 40 : 20; s.length < naive_header(&s.spec); s.length++)
			assert_error(&s, SEGMENT_HEADER_LONG);
		assert_error(&s, SEGMENT_OK);
	}
}

static void a_checksum_field_outside_the_packet_is_rejected(void **state)
{
	struct sample s = valid_sample(false, false);

	s.header = (struct virtio_header) { .flags = VIRTIO_NEEDS_CSUM, .csum_offset = 16 };
	s.header.csum_start = (uint16_t)(s.length - 18);
	assert_error(&s, SEGMENT_OK);
	s.header.csum_start++;
	assert_error(&s, SEGMENT_CSUM_OUTSIDE);
	s.header.csum_start = s.header.csum_offset = 0xffff; /* their sum must not wrap */
	assert_error(&s, SEGMENT_CSUM_OUTSIDE);
}

/* The names are used as counters, so they are unique and in snake_case. */
static void every_error_has_a_unique_name_and_text(void **state)
{
	for (enum segment_error a = 0; a < SEGMENT_ERRORS; a++) {
		assert_true(strlen(segment_error_text(a)) > 5);
		assert_int_equal(strspn(segment_error_name(a), "abcdefghijklmnopqrstuvwxyz_"), strlen(segment_error_name(a)));
		for (enum segment_error b = 0; b < a; b++) {
			assert_string_not_equal(segment_error_name(a), segment_error_name(b));
			assert_string_not_equal(segment_error_text(a), segment_error_text(b));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_any_length_are_repeated),
		cmocka_unit_test(ipv6_extension_headers_are_repeated),
		cmocka_unit_test(with_extension_headers_the_pseudo_header_sum_is_read_from_the_packet),
		cmocka_unit_test(the_pseudo_header_sum_is_computed_from_the_addresses),
		cmocka_unit_test(all_tcp_flags_match_the_naive_model),
		cmocka_unit_test(tcp_flags_depend_on_the_position),
		cmocka_unit_test(sequence_numbers_and_ids_wrap),
		cmocka_unit_test(tos_and_flow_label_are_kept),
		cmocka_unit_test(segments_may_be_tiny),
		cmocka_unit_test(packets_may_be_65535_bytes_long),
		cmocka_unit_test(random_packets_match_the_naive_model),
		cmocka_unit_test(segmentation_resumes_after_any_segment),
		cmocka_unit_test(a_zero_checksum_is_replaced_in_udp_only),
		cmocka_unit_test(a_packet_without_needs_csum_is_copied),
		cmocka_unit_test(without_gso_any_checksum_field_is_completed),
		cmocka_unit_test(without_gso_the_pseudo_header_sum_is_completed),
		cmocka_unit_test(without_gso_a_zero_checksum_is_replaced_in_udp_only),
		cmocka_unit_test(packets_other_than_ip_are_rejected),
		cmocka_unit_test(packets_over_65535_bytes_are_rejected),
		cmocka_unit_test(invalid_virtio_headers_are_rejected),
		cmocka_unit_test(unknown_gso_types_are_rejected),
		cmocka_unit_test(a_gso_type_of_the_other_ip_version_is_rejected),
		cmocka_unit_test(wrong_checksum_offsets_are_rejected),
		cmocka_unit_test(a_wrong_ip_protocol_is_rejected),
		cmocka_unit_test(short_header_lengths_are_rejected),
		cmocka_unit_test(headers_longer_than_the_packet_are_rejected),
		cmocka_unit_test(a_checksum_field_outside_the_packet_is_rejected),
		cmocka_unit_test(every_error_has_a_unique_name_and_text),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
