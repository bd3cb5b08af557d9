/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coalesce_rig.h"

static void joins_neighbours(void **state)
{
	struct rig *rig = *state;

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 1000);

		for (int i = 0; i < 3; i++, spec = next_of(spec))
			give(rig, &spec);
		assert_runs(rig, "0 1 2");
	}
}

static void every_data_offset(void **state)
{
	for (unsigned offset = 5; offset <= 15; offset++) {
		struct naive_spec spec = naive_spec(offset & 1, false, 100);

		spec.offset = offset;
		give(*state, &spec);
		spec = next_of(spec);
		give(*state, &spec);
		assert_runs(*state, "0 1");
	}
}

/* Two packets that would join but for one change in the second, which the bytes tell; checksums are made good. */
static void assert_pair(struct rig *rig, bool v6, bool udp, size_t at, uint8_t flip, const char *runs)
{
	struct naive_spec spec = naive_spec(v6, udp, 200);
	uint8_t bytes[512];
	size_t n;

	spec.offset = 8;
	spec.tos = 0x28;
	give(rig, &spec);
	spec = next_of(spec);
	n = naive_build(bytes, &spec);
	bytes[at] ^= flip;
	naive_checksums(bytes, n, v6 ? 40 : 20, udp);
	give_bytes(rig, bytes, n);
	assert_runs(rig, runs);
}

/* Every bit of every header byte that must match: one flipped, and nothing joins. */
static void every_bit_must_match(void **state)
{
	/* Lengths, protocol, data offset and checksums make other packets of it, and have tests of their own. */
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
	for (int bit = 0; bit < 4; bit++) /* traffic class, upper half; the nibble with AE */
		assert_pair(*state, true, false, 0, (uint8_t)(1 << bit), "0|1");
	for (int bit = 0; bit < 4; bit++)
		assert_pair(*state, false, false, 32, (uint8_t)(1 << bit), "0|1");
	assert_pair(*state, false, false, 6, 0x40, "0|1");  /* DF */
	assert_pair(*state, false, true, 6, 0x80, "0|1");   /* the reserved bit */
	assert_pair(*state, false, false, 33, 0x40, "0|1"); /* ECE */
	assert_pair(*state, false, false, 33, 0x08, "0 1"); /* PSH may come, and ends the run */
}

/* ECT(0) behind ECT(1) and the like: all 16 pairs of ECN values, in both IP versions. */
static void ecn_never_mixes(void **state)
{
	for (unsigned pair = 0; pair < 16; pair++) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct naive_spec spec = naive_spec(v6, false, 100);

			spec.tos = pair & 3;
			give(*state, &spec);
			spec = next_of(spec);
			spec.tos = pair >> 2;
			give(*state, &spec);
			assert_runs(*state, (pair & 3) == pair >> 2 ? "0 1" : "0|1");
		}
	}
}

/* Of all 256 values of the flags only ACK, with PSH or ECE, joins; what does not, still comes behind its flow. */
static void every_tcp_flag(void **state)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		struct naive_spec spec = naive_spec(false, false, 100);
		bool joins = flags == 0x10 || flags == 0x18;

		give(*state, &spec);
		spec = next_of(spec);
		spec.flags = flags;
		give(*state, &spec);
		assert_runs(*state, joins ? "0 1" : "0|1");
		spec.flags = flags;
		give(*state, &spec);
		spec = next_of(spec);
		give(*state, &spec);
		assert_runs(*state, flags == 0x10 || flags == 0x50 ? "0 1" : "0|1");
	}
}

static void ipv4_id_in_sequence_where_df_is_clear(void **state)
{
	for (int df = 0; df < 2; df++) {
		for (unsigned step = 0; step < 4; step++) {
			struct naive_spec spec = naive_spec(false, true, 100);

			spec.df = df;
			spec.id = 0xffff; /* wraps */
			give(*state, &spec);
			spec.id = (spec.id + step) & 0xffff;
			give(*state, &spec);
			assert_runs(*state, df || step == 1 ? "0 1" : "0|1");
		}
	}
}

static void sequence_continues(void **state)
{
	static const int32_t steps[] = { 0, 99, 100, 101, -100, INT32_MIN };

	for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
		struct naive_spec spec = naive_spec(i & 1, false, 100);
		int32_t step = steps[i / 2];

		spec.sequence = UINT32_MAX - 50; /* wraps */
		give(*state, &spec);
		spec.sequence += (uint32_t)step;
		give(*state, &spec);
		assert_runs(*state, step == 100 ? "0 1" : "0|1");
	}
}

/* A shorter one is the last, a larger one does not join. */
static void sizes_within_a_run(void **state)
{
	static const size_t payloads[] = { 500, 499, 499, 500, 1, 600, 600, 1 };

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 0);

		for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
			spec.payload = payloads[i];
			give(*state, &spec);
			spec = next_of(spec);
		}
		assert_runs(*state, "0 1|2|3 4|5 6 7");
	}
}

static void push_is_the_last(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 100);

	for (int i = 0; i < 6; i++) {
		spec.flags = i == 2 || i == 3 ? 0x18 : 0x10;
		give(*state, &spec);
		spec = next_of(spec);
	}
	assert_runs(*state, "0 1 2|3|4 5");
}

static void at_most_64_segments(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, true, 10);

	for (int i = 0; i < 65; i++, spec = next_of(spec))
		give(rig, &spec);
	assert_as_the_model(rig);
	assert_int_equal(rig->got.longest, 64);
	assert_string_equal(strrchr(rig->got.text, '|'), "|64");
	reset(rig);
}

/* 65535 bytes of IP in all are reached and not passed, in IPv6 as well. */
static void at_most_65535_bytes(void **state)
{
	struct rig *rig = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		for (int more = 0; more < 2; more++) {
			struct naive_spec spec = naive_spec(v6, true, 3000);
			size_t header = naive_header(&spec);

			for (int i = 0; i < 22; i++, spec = next_of(spec)) {
				if (i == 21)
					spec.payload = 65535 - header - 21 * 3000 + (size_t)more;
				give(rig, &spec);
			}
			assert_as_the_model(rig);
			assert_int_equal(rig->got.longest, more ? 21 : 22);
			reset(rig);
		}
	}
}

/* A corrupt packet leaves as corrupt as it came, wherever the bit is that turned. */
static void corrupt_packets_do_not_join(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 90);
		size_t n = naive_header(&spec) + 90;

		for (size_t at = 0; at < n; at++) {
			struct rig *rig = *state;

			give(rig, &spec);
			spec = next_of(spec);
			give(rig, &spec);
			rig->packets[1][at] ^= 0x10;
			memcpy(rig->copies[1], rig->packets[1], n);
			spec = next_of(spec);
			give(rig, &spec);
			assert_as_the_model(rig);
			assert_null(strstr(rig->got.text, " 1"));
			assert_null(strstr(rig->got.text, "1 "));
			reset(rig);
		}
	}
}

static void udp_without_checksum_is_left_alone(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct naive_spec spec = naive_spec(v6, true, 100);
		struct rig *rig = *state;

		for (int i = 0; i < 3; i++, spec = next_of(spec)) {
			give(rig, &spec);
			naive_put16(rig->packets[i] + naive_l4(&spec) + 6, 0);
			memcpy(rig->copies[i], rig->packets[i], rig->lengths[i]);
		}
		assert_runs(rig, "0|1|2");
	}
}

static void udp_length_must_fit(void **state)
{
	assert_pair(*state, false, true, 25, 0x01, "0|1");
	assert_pair(*state, true, true, 45, 0x01, "0|1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(joins_neighbours, rig_reset),
		cmocka_unit_test_setup(every_data_offset, rig_reset),
		cmocka_unit_test_setup(every_bit_must_match, rig_reset),
		cmocka_unit_test_setup(ecn_never_mixes, rig_reset),
		cmocka_unit_test_setup(every_tcp_flag, rig_reset),
		cmocka_unit_test_setup(ipv4_id_in_sequence_where_df_is_clear, rig_reset),
		cmocka_unit_test_setup(sequence_continues, rig_reset),
		cmocka_unit_test_setup(sizes_within_a_run, rig_reset),
		cmocka_unit_test_setup(push_is_the_last, rig_reset),
		cmocka_unit_test_setup(at_most_64_segments, rig_reset),
		cmocka_unit_test_setup(at_most_65535_bytes, rig_reset),
		cmocka_unit_test_setup(corrupt_packets_do_not_join, rig_reset),
		cmocka_unit_test_setup(udp_without_checksum_is_left_alone, rig_reset),
		cmocka_unit_test_setup(udp_length_must_fit, rig_reset),
	};
	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
