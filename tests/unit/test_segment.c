/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/segment.h"
#include "packet_naive.h"

enum { GUARD = 0xa5 };

/* Buffers as large as the largest packet. */
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

/* The virtio header that the kernel puts before the packet; hdr_len is nonsense on purpose, nobody may look at it. */
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

/* Builds a super-packet: the checksum field holds the sum of the pseudo-header, folded and not inverted. */
static size_t build_super(uint8_t *packet, const struct naive_spec *spec)
{
	size_t n = naive_build(packet, spec), l4 = naive_l4(spec);

	naive_put16(packet + l4 + (spec->udp ? 6 : 16), naive_pseudo(packet, spec->udp ? 17 : 6, n - l4));
	return n;
}

/* Takes the next segment into memory of exactly its length, where a sanitizer sees every byte too many. */
static uint8_t *take(struct segmenter *cut, size_t *length)
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

/* Cuts rig->packet and compares every segment with the reference. */
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
		uint8_t *segment = take(&cut, &length);

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

/* No payload, one segment, full ones only, short and odd tails. */
static void assert_payloads(struct rig *rig, struct naive_spec spec, size_t size)
{
	const size_t payloads[] = { 0, 1, size - 1, size, size + 1, 2 * size, 3 * size + size / 2 + 1 };

	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		spec.payload = payloads[i];
		spec.seed = (unsigned)i;
		assert_cuts(rig, &spec, size);
	}
}

static void every_option_length(void **state)
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

/* The IPv6 payload length counts the extension headers. */
static void extension_headers(void **state)
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
 * Behind a routing header the pseudo-header has the final destination, not the one in the IP header: what the segments
 * must sum to is taken from the seed in the checksum field.
 */
static void seed_behind_extension_headers(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(true, false, 2500);
	struct virtio_header header = gso_header(&spec, 1000);
	struct segmenter cut;
	size_t n, length;

	spec.extensions = 24;
	header.csum_start = 64;
	n = build_super(rig->packet, &spec);
	rig->packet[39] ^= 1; /* another first hop than the seed was made for */
	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *segment = take(&cut, &length);

		segment[39] ^= 1;
		assert_int_equal(naive_sum(naive_pseudo(segment, 6, length - 64), segment + 64, length - 64), 0xffff);
		free(segment);
	}
}

/* Elsewhere the addresses say it, and a seed that somebody left out does no harm. */
static void seed_is_not_needed(void **state)
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

static void every_tcp_flag(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 3000);

	for (spec.flags = 0; spec.flags < 256; spec.flags++) {
		spec.nibble = spec.flags & 15;
		assert_cuts(*state, &spec, 1000);
	}
}

/* The rule itself, not only the reference: FIN and PSH last, CWR first, ECE on all. */
static void flags_by_position(void **state)
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
		uint8_t *segment = take(&cut, &length);

		assert_int_equal(segment[33], expected[i]);
		free(segment);
	}
}

static void numbers_wrap(void **state)
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

/* gso_size smaller than the header, and thousands of segments. */
static void tiny_segments(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 65535 - 120);

	spec.ihl = 15;
	spec.offset = 15;
	assert_cuts(*state, &spec, 1);
	spec = naive_spec(true, true, 65535 - 48);
	assert_cuts(*state, &spec, 1);
	assert_cuts(*state, &spec, 7);
}

static void largest_packets(void **state)
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

static void random_packets(void **state)
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

/* A cut goes on from a copy of its state, as when it waits for the other half of the buffer. */
static void resumes_anywhere(void **state)
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
		segment = take(&moved, &length);
		cut = moved;
		assert_int_equal(length, expected);
		assert_memory_equal(segment, rig->expected, length);
		free(segment);
	}
}

/* A UDP checksum that comes to 0 goes out as 0xffff; TCP keeps its 0. The payload is bent until it does. */
static void zero_checksums(void **state)
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
		segment = take(&cut, &length);
		assert_int_equal(naive_get16(segment + field), udp ? 0xffff : 0);
		free(segment);
	}
}

static void whole_packet_without_checksum(void **state)
{
	/* Neither GSO nor NEEDS_CSUM: the other fields mean nothing. */
	const struct virtio_header header = { 0, VIRTIO_GSO_NONE, 0xffff, 0xffff, 0xffff, 0xffff };
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, false, 1000);
	size_t n = naive_build(rig->packet, &spec), length;
	struct segmenter cut;
	uint8_t *segment;

	naive_put16(rig->packet + 2, 7); /* the length field is left as it is, true or not */
	assert_int_equal(segment_begin(&cut, &header, rig->packet, n), SEGMENT_OK);
	assert_int_equal(cut.left, 1);
	segment = take(&cut, &length);
	assert_int_equal(length, n);
	assert_memory_equal(segment, rig->packet, n);
	assert_ended(&cut);
	free(segment);
}

/* Any start, any offset, any protocol; the field is seed and place of the result. */
static void whole_packet_with_checksum(void **state)
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
			segment = take(&cut, &length);
			assert_int_equal(length, n);
			assert_memory_equal(segment, rig->expected, n);
			free(segment);
		}
	}
}

/* The kernel's way: seed, then the sum over what follows, make the checksum of RFC 768 and 793. */
static void whole_packet_seed(void **state)
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
		segment = take(&cut, &length);
		assert_memory_equal(segment, rig->expected, n);
		free(segment);
	}
}

static void whole_packet_zero_checksum(void **state)
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

/* A good super-packet, to be spoilt by one change. */
struct spoilt {
	struct naive_spec spec;
	struct virtio_header header;
	uint8_t packet[400];
	size_t length;
};

static struct spoilt sound(bool v6, bool udp)
{
	struct spoilt s = { .spec = naive_spec(v6, udp, 300) };

	s.header = gso_header(&s.spec, 100);
	s.length = build_super(s.packet, &s.spec);
	return s;
}

static void assert_refused(const struct spoilt *s, enum segment_error error)
{
	uint8_t *exact = malloc(s->length + 1);
	struct segmenter cut;

	memcpy(exact + 1, s->packet, s->length);
	assert_int_equal(segment_begin(&cut, &s->header, exact + 1, s->length), error);
	if (error)
		assert_ended(&cut);
	free(exact);
}

static void refuses_what_is_not_ip(void **state)
{
	for (int version = 0; version < 16; version++) {
		struct spoilt s = sound(false, false);

		s.packet[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			assert_refused(&s, SEGMENT_NOT_IP);
	}
	for (int v6 = 0; v6 < 2; v6++) {
		struct spoilt s = sound(v6, false);

		for (s.length = 0; s.length < (v6 ? 40 : 20); s.length++) {
			s.header.gso_type = VIRTIO_GSO_NONE;
			s.header.flags = 0;
			assert_refused(&s, SEGMENT_NOT_IP);
			s.header = gso_header(&s.spec, 100);
			assert_refused(&s, SEGMENT_NOT_IP);
		}
	}
}

static void refuses_what_is_too_long(void **state)
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

static void refuses_virtio_headers(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct spoilt good = sound(kind & 1, kind & 2), s = good;

		assert_refused(&s, SEGMENT_OK);
		s.header.flags |= VIRTIO_RSC_INFO;
		assert_refused(&s, SEGMENT_RSC_INFO);
		s = good, s.header.flags = VIRTIO_DATA_VALID;
		assert_refused(&s, SEGMENT_NO_CHECKSUM);
		s = good, s.header.gso_size = 0;
		assert_refused(&s, SEGMENT_NO_SIZE);
		s = good, s.header.gso_type = VIRTIO_GSO_UDP;
		assert_refused(&s, SEGMENT_GSO_UNKNOWN);
		s = good, s.header.gso_type = VIRTIO_GSO_ECN;
		assert_refused(&s, SEGMENT_ECN_NOT_TCP);
		s = good, s.header.gso_type |= VIRTIO_GSO_ECN;
		assert_refused(&s, s.spec.udp ? SEGMENT_ECN_NOT_TCP : SEGMENT_OK);
	}
}

static void refuses_every_unknown_type(void **state)
{
	for (unsigned type = 0; type < 128; type++) {
		struct spoilt s = sound(false, false);

		s.header.gso_type = (uint8_t)type;
		if (type != VIRTIO_GSO_NONE && type != VIRTIO_GSO_TCPV4 && type != VIRTIO_GSO_TCPV6 &&
			type != VIRTIO_GSO_UDP_L4)
			assert_refused(&s, SEGMENT_GSO_UNKNOWN);
	}
}

static void refuses_the_other_ip_version(void **state)
{
	struct spoilt s = sound(false, false);

	s.header.gso_type = VIRTIO_GSO_TCPV6;
	assert_refused(&s, SEGMENT_GSO_VERSION);
	s = sound(true, false);
	s.header.gso_type = VIRTIO_GSO_TCPV4;
	assert_refused(&s, SEGMENT_GSO_VERSION);
}

static void refuses_wrong_places(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct spoilt s = sound(kind & 1, kind & 2);
		unsigned start = s.header.csum_start, offset = s.header.csum_offset;

		for (unsigned other = 0; other < 65536; other += other < 200 ? 1 : 1021) {
			s.header.csum_start = (uint16_t)other;
			assert_refused(&s, other == start ? SEGMENT_OK : SEGMENT_CSUM_START);
		}
		s.header.csum_start = (uint16_t)start;
		for (unsigned other = 0; other < 65536; other += other < 200 ? 1 : 1021) {
			s.header.csum_offset = (uint16_t)other;
			assert_refused(&s, other == offset ? SEGMENT_OK : SEGMENT_CSUM_OFFSET);
		}
	}
}

static void refuses_the_other_protocol(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct spoilt s = sound(kind & 1, kind & 2);

		s.packet[s.spec.v6 ? 6 : 9] = s.spec.udp ? 6 : 17;
		assert_refused(&s, SEGMENT_PROTOCOL);
		s.packet[s.spec.v6 ? 6 : 9] = 1;
		assert_refused(&s, SEGMENT_PROTOCOL);
	}
}

static void refuses_short_headers(void **state)
{
	struct spoilt s = sound(false, false);

	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		s.packet[0] = 0x40 | ihl;
		s.header.csum_start = ihl * 4;
		assert_refused(&s, SEGMENT_IP_HEADER);
	}
	s = sound(false, false);
	for (uint8_t words = 0; words < 5; words++) {
		s.packet[20 + 12] = (uint8_t)(words << 4);
		assert_refused(&s, SEGMENT_TCP_HEADER);
	}
}

/* Every truncation inside the headers. */
static void refuses_headers_longer_than_the_packet(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct spoilt s = { .spec = naive_spec(kind & 1, kind & 2, 100) };

		s.spec.ihl = 15;
		s.spec.offset = 15;
		s.spec.extensions = 16;
		s.header = gso_header(&s.spec, 100);
		build_super(s.packet, &s.spec);
		for (s.length = s.spec.v6 ? 40 : 20; s.length < naive_header(&s.spec); s.length++)
			assert_refused(&s, SEGMENT_HEADER_LONG);
		assert_refused(&s, SEGMENT_OK);
	}
}

static void refuses_a_checksum_outside(void **state)
{
	struct spoilt s = sound(false, false);

	s.header = (struct virtio_header) { .flags = VIRTIO_NEEDS_CSUM, .csum_offset = 16 };
	s.header.csum_start = (uint16_t)(s.length - 18);
	assert_refused(&s, SEGMENT_OK);
	s.header.csum_start++;
	assert_refused(&s, SEGMENT_CSUM_OUTSIDE);
	s.header.csum_start = s.header.csum_offset = 0xffff; /* the sum does not wrap */
	assert_refused(&s, SEGMENT_CSUM_OUTSIDE);
}

/* Names are counters: snake_case, no two alike. */
static void errors_have_names(void **state)
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
		cmocka_unit_test(every_option_length),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(seed_behind_extension_headers),
		cmocka_unit_test(seed_is_not_needed),
		cmocka_unit_test(every_tcp_flag),
		cmocka_unit_test(flags_by_position),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(tos_and_flow_label_are_kept),
		cmocka_unit_test(tiny_segments),
		cmocka_unit_test(largest_packets),
		cmocka_unit_test(random_packets),
		cmocka_unit_test(resumes_anywhere),
		cmocka_unit_test(zero_checksums),
		cmocka_unit_test(whole_packet_without_checksum),
		cmocka_unit_test(whole_packet_with_checksum),
		cmocka_unit_test(whole_packet_seed),
		cmocka_unit_test(whole_packet_zero_checksum),
		cmocka_unit_test(refuses_what_is_not_ip),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(refuses_virtio_headers),
		cmocka_unit_test(refuses_every_unknown_type),
		cmocka_unit_test(refuses_the_other_ip_version),
		cmocka_unit_test(refuses_wrong_places),
		cmocka_unit_test(refuses_the_other_protocol),
		cmocka_unit_test(refuses_short_headers),
		cmocka_unit_test(refuses_headers_longer_than_the_packet),
		cmocka_unit_test(refuses_a_checksum_outside),
		cmocka_unit_test(errors_have_names),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
