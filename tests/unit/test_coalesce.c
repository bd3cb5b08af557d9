/* SPDX-License-Identifier: MIT */
/* Tests of the coalescer: which packets of one flow may be merged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coalesce_rig.h"

static void consecutive_packets_are_merged(void **state)
{
	struct rig *rig = *state;

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 1000);

		for (int i = 0; i < 3; i++, spec = next_in_flow(spec))
			add_packet(rig, &spec);
		assert_runs(rig, "0 1 2");
	}
}

static void tcp_options_of_any_length_are_merged(void **state)
{
	for (unsigned offset = 5; offset <= 15; offset++) {
		struct naive_spec spec = naive_spec(offset & 1, false, 100);

		spec.offset = offset;
		add_packet(*state, &spec);
		spec = next_in_flow(spec);
		add_packet(*state, &spec);
		assert_runs(*state, "0 1");
	}
}

/* Adds two packets that could be merged, except that byte `at` of the second is changed. The checksums are valid. */
static void assert_pair(struct rig *rig, bool v6, bool udp, size_t at, uint8_t flip, const char *runs)
{
	struct naive_spec spec = naive_spec(v6, udp, 200);
	uint8_t bytes[512];
	size_t n;

	spec.offset = 8;
	spec.tos = 0x28;
	add_packet(rig, &spec);
	spec = next_in_flow(spec);
	n = naive_build(bytes, &spec);
	bytes[at] ^= flip;
	naive_checksums(bytes, n, v6 ? 40 : 20, udp);
	add_bytes(rig, bytes, n);
	assert_runs(rig, runs);
}

/* Flips each bit of each header byte that must be equal in all packets of a run. */
static void packets_that_differ_in_one_header_bit_are_not_merged(void **state)
{
	/* Lengths, protocol, data offset and checksums are left out: other tests cover them. */
	static const struct {
		bool v6, udp;
		size_t first, last;
	} ranges[] = {
		{ false, false, 1, 1 },   { false, false, 8, 8 }, { false, false, 12, 31 }, { false, false, 34, 35 },
		{ false, false, 38, 51 }, { false, true, 1, 1 },  { false, true, 8, 8 },    { false, true, 12, 23 },
		{ true, false, 1, 3 },    { true, false, 7, 51 }, { true, false, 54, 55 },  { true, false, 58, 71 },
		{ true, true, 1, 3 },     { true, true, 7, 43 },
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		for (size_t at = ranges[i].first; at <= ranges[i].last; at++) {
			for (int bit = 0; bit < 8; bit++)
				assert_pair(*state, ranges[i].v6, ranges[i].udp, at, (uint8_t)(1 << bit), "0|1");
		}
	}
	for (int bit = 0; bit < 4; bit++) /* the upper half of the traffic class; the reserved TCP bits */
		assert_pair(*state, true, false, 0, (uint8_t)(1 << bit), "0|1");
	for (int bit = 0; bit < 4; bit++)
		assert_pair(*state, false, false, 32, (uint8_t)(1 << bit), "0|1");
	assert_pair(*state, false, false, 6, 0x40, "0|1");  /* DF */
	assert_pair(*state, false, true, 6, 0x80, "0|1");   /* the reserved bit */
	assert_pair(*state, false, false, 33, 0x40, "0|1"); /* ECE */
	assert_pair(*state, false, false, 33, 0x08, "0 1"); /* PSH is allowed and ends the run */
}

/* All 16 pairs of ECN values, in both IP versions. */
static void packets_with_different_ecn_are_not_merged(void **state)
{
	for (unsigned pair = 0; pair < 16; pair++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct naive_spec spec = naive_spec(v6, false, 100);

			spec.tos = pair & 3;
			add_packet(*state, &spec);
			spec = next_in_flow(spec);
			spec.tos = pair >> 2;
			add_packet(*state, &spec);
			assert_runs(*state, (pair & 3) == pair >> 2 ? "0 1" : "0|1");
		}
	}
}

/* All 256 values of the TCP flags. Packets that are not merged must still be emitted in order. */
static void only_ack_with_psh_or_ece_is_merged(void **state)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		struct naive_spec spec = naive_spec(false, false, 100);
		bool merged = flags == 0x10 || flags == 0x18;

		add_packet(*state, &spec);
		spec = next_in_flow(spec);
		spec.flags = flags;
		add_packet(*state, &spec);
		assert_runs(*state, merged ? "0 1" : "0|1");
		spec.flags = flags;
		add_packet(*state, &spec);
		spec = next_in_flow(spec);
		add_packet(*state, &spec);
		assert_runs(*state, flags == 0x10 || flags == 0x50 ? "0 1" : "0|1");
	}
}

static void without_df_ipv4_ids_must_be_consecutive(void **state)
{
	for (int df = 0; df < 2; df++) {
		for (unsigned step = 0; step < 4; step++) {
			struct naive_spec spec = naive_spec(false, true, 100);

			spec.df = df;
			spec.id = 0xffff; /* wraps */
			add_packet(*state, &spec);
			spec.id = (spec.id + step) & 0xffff;
			add_packet(*state, &spec);
			assert_runs(*state, df || step == 1 ? "0 1" : "0|1");
		}
	}
}

static void tcp_sequence_numbers_must_be_consecutive(void **state)
{
	static const int32_t steps[] = { 0, 99, 100, 101, -100, INT32_MIN };

	for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
		struct naive_spec spec = naive_spec(i & 1, false, 100);
		int32_t step = steps[i / 2];

		spec.sequence = UINT32_MAX - 50; /* wraps */
		add_packet(*state, &spec);
		spec.sequence += (uint32_t)step;
		add_packet(*state, &spec);
		assert_runs(*state, step == 100 ? "0 1" : "0|1");
	}
}

/* A longer segment is not merged. */
static void a_shorter_segment_ends_the_run(void **state)
{
	static const size_t payloads[] = { 500, 499, 499, 500, 1, 600, 600, 1 };

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 0);

		for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
			spec.payload = payloads[i];
			add_packet(*state, &spec);
			spec = next_in_flow(spec);
		}
		assert_runs(*state, "0 1|2|3 4|5 6 7");
	}
}

static void push_ends_the_run(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 100);

	for (int i = 0; i < 6; i++) {
		spec.flags = i == 2 || i == 3 ? 0x18 : 0x10;
		add_packet(*state, &spec);
		spec = next_in_flow(spec);
	}
	assert_runs(*state, "0 1 2|3|4 5");
}

static void a_run_has_at_most_64_segments(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, true, 10);

	for (int i = 0; i < 65; i++, spec = next_in_flow(spec))
		add_packet(rig, &spec);
	assert_matches_model(rig);
	assert_int_equal(rig->got.longest, 64);
	assert_string_equal(strrchr(rig->got.text, '|'), "|64");
	rig_clear(rig);
}

/* Runs of exactly 65535 bytes, and runs that would be one byte longer. */
static void a_run_has_at_most_65535_bytes(void **state)
{
	struct rig *rig = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		for (int more = 0; more < 2; more++) {
			struct naive_spec spec = naive_spec(v6, true, 3000);
			size_t header = naive_header(&spec);

			for (int i = 0; i < 22; i++, spec = next_in_flow(spec)) {
				if (i == 21)
					spec.payload = 65535 - header - 21 * 3000 + (size_t)more;
				add_packet(rig, &spec);
			}
			assert_matches_model(rig);
			assert_int_equal(rig->got.longest, more ? 21 : 22);
			rig_clear(rig);
		}
	}
}

/* One bit of each byte is flipped in turn. The packet must be emitted unchanged. */
static void corrupt_packets_are_not_merged(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 90);
		size_t n = naive_header(&spec) + 90;

		for (size_t at = 0; at < n; at++) {
			struct rig *rig = *state;

			add_packet(rig, &spec);
			spec = next_in_flow(spec);
			add_packet(rig, &spec);
			rig->packets[1][at] ^= 0x10;
			memcpy(rig->copies[1], rig->packets[1], n);
			spec = next_in_flow(spec);
			add_packet(rig, &spec);
			assert_matches_model(rig);
			assert_null(strstr(rig->got.text, " 1"));
			assert_null(strstr(rig->got.text, "1 "));
			rig_clear(rig);
		}
	}
}

static void udp_without_checksum_is_merged_over_ipv4_only(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct naive_spec spec = naive_spec(v6, true, 100);

		for (int i = 0; i < 3; i++, spec = next_in_flow(spec))
			add_without_checksum(*state, &spec);
		assert_runs(*state, v6 ? "0|1|2" : "0 1 2");
	}
}

/* A flow may change from packet to packet. Its order remains. */
static void udp_with_and_without_checksum_is_not_merged(void **state)
{
	static const bool has_checksum[] = { true, true, false, false, false, true, false, true, true };

	for (int v6 = 0; v6 < 2; v6++) {
		struct naive_spec spec = naive_spec(v6, true, 100);

		for (size_t i = 0; i < sizeof has_checksum; i++, spec = next_in_flow(spec))
			(has_checksum[i] ? add_packet : add_without_checksum)(*state, &spec);
		assert_runs(*state, v6 ? "0 1|2|3|4|5|6|7 8" : "0 1|2 3 4|5|6|7 8");
	}
}

/*
 * Flips one bit of the first of two packets without a UDP checksum. The IP header has a checksum, the payload has none.
 */
static void without_udp_checksum_the_ip_header_is_verified(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, true, 90), next = next_in_flow(spec);
	size_t n = naive_header(&spec) + 90;

	for (size_t at = 0; at < n; at++) {
		add_without_checksum(rig, &spec);
		add_without_checksum(rig, &next);
		rig->packets[0][at] ^= 0x10;
		memcpy(rig->copies[0], rig->packets[0], n);
		assert_runs(rig, at < 28 ? "0|1" : "0 1");
	}
}

/* The fields of packets without a checksum are compared as those of others are. */
static void without_udp_checksum_the_headers_must_match(void **state)
{
	for (size_t at = 1; at < 28; at++) {
		struct naive_spec spec = naive_spec(false, true, 90);
		uint8_t bytes[256];
		size_t n = naive_build(bytes, &spec);
		bool may_differ = at == 4 || at == 5 || at == 10 || at == 11; /* the ID; naive_checksums replaces 10 and 11 */

		add_without_checksum(*state, &spec);
		bytes[at] ^= 1;
		naive_checksums(bytes, n, 20, true);
		naive_put16(bytes + 26, at > 25 ? 1 : 0); /* an invalid checksum is not a missing one */
		add_bytes(*state, bytes, n);
		assert_runs(*state, may_differ ? "0 1" : at == 9 ? "1|0" : "0|1");
	}
}

static void udp_with_a_wrong_length_is_not_merged(void **state)
{
	assert_pair(*state, false, true, 25, 0x01, "0|1");
	assert_pair(*state, true, true, 45, 0x01, "0|1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(consecutive_packets_are_merged, rig_reset),
		cmocka_unit_test_setup(tcp_options_of_any_length_are_merged, rig_reset),
		cmocka_unit_test_setup(packets_that_differ_in_one_header_bit_are_not_merged, rig_reset),
		cmocka_unit_test_setup(packets_with_different_ecn_are_not_merged, rig_reset),
		cmocka_unit_test_setup(only_ack_with_psh_or_ece_is_merged, rig_reset),
		cmocka_unit_test_setup(without_df_ipv4_ids_must_be_consecutive, rig_reset),
		cmocka_unit_test_setup(tcp_sequence_numbers_must_be_consecutive, rig_reset),
		cmocka_unit_test_setup(a_shorter_segment_ends_the_run, rig_reset),
		cmocka_unit_test_setup(push_ends_the_run, rig_reset),
		cmocka_unit_test_setup(a_run_has_at_most_64_segments, rig_reset),
		cmocka_unit_test_setup(a_run_has_at_most_65535_bytes, rig_reset),
		cmocka_unit_test_setup(corrupt_packets_are_not_merged, rig_reset),
		cmocka_unit_test_setup(udp_without_checksum_is_merged_over_ipv4_only, rig_reset),
		cmocka_unit_test_setup(udp_with_and_without_checksum_is_not_merged, rig_reset),
		cmocka_unit_test_setup(without_udp_checksum_the_ip_header_is_verified, rig_reset),
		cmocka_unit_test_setup(without_udp_checksum_the_headers_must_match, rig_reset),
		cmocka_unit_test_setup(udp_with_a_wrong_length_is_not_merged, rig_reset),
	};
	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
