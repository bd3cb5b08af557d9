/* SPDX-License-Identifier: MIT */
/* Tests of the coalescer with several flows: order, collisions, and packets that end all runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coalesce_rig.h"

/* Data must not overtake a FIN or an empty datagram. A pure ACK of another flow ends no run. */
static void a_flow_stays_in_order(void **state)
{
	struct naive_spec a = naive_spec(false, false, 100), other = naive_spec(false, false, 0);

	other.flow = 1;
	add_packet(*state, &a);
	a = next_in_flow(a);
	add_packet(*state, &other);
	add_packet(*state, &a);
	a = next_in_flow(a);
	a.flags = 0x11;
	add_packet(*state, &a);
	a = next_in_flow(a);
	a.flags = 0x10;
	add_packet(*state, &a);
	assert_runs(*state, "1|0 2|3|4");

	a = naive_spec(true, true, 100);
	for (int i = 0; i < 5; i++) {
		a.payload = i == 2 ? 0 : 100;
		add_packet(*state, &a);
	}
	assert_runs(*state, "0 1|2|3 4");
}

static void interleaved_flows_are_merged(void **state)
{
	struct naive_spec flows[COALESCE_FLOWS];

	for (unsigned i = 0; i < COALESCE_FLOWS; i++) {
		flows[i] = naive_spec(i & 1, i & 2, 50);
		flows[i].flow = i;
	}
	for (int i = 0; i < 2 * COALESCE_FLOWS; i++) {
		struct naive_spec *flow = &flows[i % COALESCE_FLOWS];

		add_packet(*state, flow);
		*flow = next_in_flow(*flow);
	}
	assert_runs(*state, "0 8|1 9|2 10|3 11|4 12|5 13|6 14|7 15");
}

/* One flow more than there are runs. */
static void when_all_runs_are_open_the_oldest_is_emitted(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 50);

	for (unsigned i = 0; i <= COALESCE_FLOWS; i++) {
		spec.flow = i;
		add_packet(*state, &spec);
	}
	spec = next_in_flow(spec);
	spec.flow = 1;
	add_packet(*state, &spec);
	assert_runs(*state, "0|1 9|2|3|4|5|6|7|8");
}

static uint64_t little_endian64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 8; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static void put_little_endian64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/*
 * Changes the packet's source port, and then its address such that hash_flow in coalesce.c returns the same value as
 * before.
 */
static void collide(uint8_t *packet, size_t n, bool v6, bool udp)
{
	const uint64_t port_factor = UINT64_C(0x9e3779b97f4a7c15), address_factor = UINT64_C(0xff51afd7ed558ccd);
	size_t l4 = v6 ? 40 : 20, address = v6 ? 32 : 12;
	uint64_t ports = (little_endian64(packet + l4) & 0xffffffff) | (uint64_t)(udp ? 17 : 6) << 32;
	uint64_t before = ports * port_factor, after = (ports ^ 1) * port_factor, inverse = address_factor;

	for (int i = 0; i < 6; i++) /* Newton's method, modulo 2^64 */
		inverse *= 2 - address_factor * inverse;
	packet[l4] ^= 1;
	if (v6)
		put_little_endian64(packet + address, little_endian64(packet + address) + (before - after) * inverse);
	else
		put_little_endian64(packet + address, little_endian64(packet + address) ^ before ^ after);
	naive_checksums(packet, n, l4, udp);
}

/* The runs end each other, which shows that the hashes do collide. */
static void colliding_flows_are_not_merged(void **state)
{
	struct rig *rig = *state;

	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 100);

		for (int i = 0; i < 3; i++, spec = next_in_flow(spec))
			add_packet(rig, &spec);
		collide(rig->packets[1], rig->lengths[1], spec.v6, spec.udp);
		for (int i = 0; i < 3; i++)
			coalesce_add(&rig->coalescer, rig->packets[i], rig->lengths[i]);
		coalesce_flush(&rig->coalescer);
		assert_string_equal(rig->got.text, "0|1|2");
		rig_clear(rig);
	}
}

/* Adds a packet that may belong to any flow while two runs are open. */
static void assert_ends_all_runs(struct rig *rig, const uint8_t *bytes, size_t n)
{
	for (unsigned i = 0; i < 2; i++) {
		struct naive_spec spec = naive_spec(i, false, 100);

		spec.flow = 7 + i;
		add_packet(rig, &spec);
	}
	add_bytes(rig, bytes, n);
	for (unsigned i = 0; i < 2; i++) {
		struct naive_spec spec = naive_spec(i, false, 100);

		spec.flow = 7 + i;
		spec = next_in_flow(spec);
		add_packet(rig, &spec);
	}
	assert_runs(rig, "0|1|2|3|4");
}

static void fragments_end_all_runs(void **state)
{
	for (int kind = 0; kind < 2; kind++) {
		struct naive_spec spec = naive_spec(false, kind, 100);
		uint8_t bytes[256];
		size_t n = naive_build(bytes, &spec);

		for (int bit = 0; bit < 14; bit++) { /* every bit of the offset, and MF */
			naive_put16(bytes + 6, 1u << bit);
			naive_checksums(bytes, n, 20, kind);
			assert_ends_all_runs(*state, bytes, n);
		}
	}
}

static void malformed_packets_end_all_runs(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct naive_spec spec = naive_spec(kind & 1, kind & 2, 0);
		uint8_t bytes[256];
		size_t n = naive_build(bytes, &spec);

		assert_ends_all_runs(*state, bytes, 0);
		for (size_t length = 1; length < n; length++) { /* shorter than the IP length, and a matching IP length */
			assert_ends_all_runs(*state, bytes, length);
			naive_put16(bytes + (spec.v6 ? 4 : 2), (unsigned)(spec.v6 ? length - 40 : length));
			if (length >= (spec.v6 ? 40 : 20))
				assert_ends_all_runs(*state, bytes, length);
			naive_build(bytes, &spec);
		}
		memset(bytes + n, 0, 8);
		assert_ends_all_runs(*state, bytes, n + 8); /* trailing padding */
		bytes[0] = 0x55;
		assert_ends_all_runs(*state, bytes, n);
	}
}

static void options_and_extension_headers_end_all_runs(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 100);
	uint8_t bytes[512];

	for (spec.ihl = 6; spec.ihl <= 15; spec.ihl++)
		assert_ends_all_runs(*state, bytes, naive_build(bytes, &spec));
	spec = naive_spec(true, true, 100);
	for (spec.extensions = 8; spec.extensions <= 32; spec.extensions += 8)
		assert_ends_all_runs(*state, bytes, naive_build(bytes, &spec));
}

static void invalid_tcp_header_lengths_end_all_runs(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 20);
	uint8_t bytes[256];
	size_t n = naive_build(bytes, &spec);

	for (unsigned words = 0; words < 16; words++) {
		if (words >= 5 && words <= 10)
			continue;
		bytes[32] = (uint8_t)(words << 4);
		naive_checksums(bytes, n, 20, false);
		assert_ends_all_runs(*state, bytes, n);
	}
}

/* The coalescer sees no flow in ICMP and the like. */
static void other_protocols_end_no_run(void **state)
{
	static const uint8_t protocols[] = { 1, 47, 50, 58, 132 };

	for (size_t i = 0; i < 2 * sizeof protocols; i++) {
		struct naive_spec spec = naive_spec(i & 1, false, 100);
		uint8_t bytes[256];
		size_t n = naive_build(bytes, &spec);

		add_packet(*state, &spec);
		spec = next_in_flow(spec);
		bytes[spec.v6 ? 6 : 9] = protocols[i / 2];
		add_bytes(*state, bytes, n);
		add_packet(*state, &spec);
		assert_runs(*state, "1|0 2");
	}
}

/* The limits change while a run is open, and apply from the next packet on. */
static void unsupported_offloads_are_not_used(void **state)
{
	struct rig *rig = *state;

	for (int udp = 0; udp < 2; udp++) {
		struct naive_spec spec = naive_spec(false, udp, 100);

		for (int i = 0; i < 4; i++, spec = next_in_flow(spec))
			add_packet(rig, &spec);
		coalesce_add(&rig->coalescer, rig->packets[0], rig->lengths[0]);
		coalesce_add(&rig->coalescer, rig->packets[1], rig->lengths[1]);
		rig->coalescer.limits = (struct coalesce_limits) { .tcp = udp, .udp = !udp };
		assert_string_equal(rig->got.text, "");
		coalesce_add(&rig->coalescer, rig->packets[2], rig->lengths[2]);
		assert_string_equal(rig->got.text, "0 1|2");
		coalesce_add(&rig->coalescer, rig->packets[3], rig->lengths[3]);
		assert_string_equal(rig->got.text, "0 1|2|3");
		rig_clear(rig);
	}
}

/* coalesce_add emits the run, and nothing is left for coalesce_flush. */
static void finished_runs_are_emitted_at_once(void **state)
{
	struct rig *rig = *state;
	struct naive_spec spec = naive_spec(false, false, 100);

	add_packet(rig, &spec);
	spec = next_in_flow(spec);
	spec.flags = 0x18;
	add_packet(rig, &spec);
	coalesce_add(&rig->coalescer, rig->packets[0], rig->lengths[0]);
	coalesce_add(&rig->coalescer, rig->packets[1], rig->lengths[1]);
	assert_string_equal(rig->got.text, "0 1");
	coalesce_flush(&rig->coalescer);
	assert_string_equal(rig->got.text, "0 1");
	rig_clear(rig);
}

/* Sometimes changes a field, so that the packet may no longer be mergeable. */
static void mutate(struct naive_spec *spec, uint64_t *seed)
{
	unsigned *const fields[] = { &spec->tos, &spec->ttl, &spec->window, &spec->urgent, &spec->nibble, &spec->label };
	uint32_t choice = naive_below(seed, 40);

	if (choice < sizeof fields / sizeof *fields)
		*fields[choice] ^= 1;
	else if (choice == 10)
		spec->flags = naive_random(seed) & 0xff;
	else if (choice == 11)
		spec->flags = 0x18;
	else if (choice == 12)
		spec->payload = naive_below(seed, 120);
	else if (choice == 13)
		spec->offset = 5 + naive_below(seed, 11);
	else if (choice == 14)
		spec->df = !spec->df;
	else if (choice == 15)
		spec->id++;
	else if (choice == 16)
		spec->sequence++;
	else if (choice == 17)
		spec->ack++;
	else if (choice == 18)
		spec->ihl = 6;
	else if (choice == 19)
		spec->extensions = 8;
}

static void add_random(struct rig *rig, struct naive_spec *flow, uint64_t *seed)
{
	struct naive_spec spec = *flow;
	uint8_t bytes[1024];
	size_t n;

	mutate(&spec, seed);
	n = naive_build(bytes, &spec);
	if (spec.udp && naive_below(seed, 16) < (spec.flow & 1 ? 15 : 1)) /* most packets of every other UDP flow */
		naive_put16(bytes + naive_l4(&spec) + 6, 0);
	if (!naive_below(seed, 30))
		bytes[naive_below(seed, (uint32_t)n)] ^= (uint8_t)(1 << naive_below(seed, 8));
	if (!naive_below(seed, 50))
		n -= naive_below(seed, (uint32_t)n);
	add_bytes(rig, bytes, n);
	if (naive_below(seed, 4)) { /* keep the changes, except those that would prevent all merging */
		*flow = next_in_flow(spec);
		flow->flags = 0x10 | (naive_below(seed, 5) ? 0 : 0x40);
		flow->ihl = 5;
		flow->extensions = 0;
		flow->payload = naive_below(seed, 8) ? 100 : 60;
	}
}

static void random_streams_match_the_model(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = 11;
	int longest = 0;

	for (int round = 0; round < 1500; round++) {
		uint32_t flows = 1 + naive_below(&seed, COALESCE_FLOWS + 2);
		struct naive_spec specs[COALESCE_FLOWS + 2];

		for (uint32_t i = 0; i < flows; i++) {
			specs[i] = naive_spec(naive_random(&seed) & 1, naive_random(&seed) & 1, 100);
			specs[i].flow = i / 2; /* some flows differ in version or protocol only */
			specs[i].df = naive_random(&seed) & 1;
			specs[i].id = 0xfff0;
		}
		for (int i = 0; i < MODEL_PACKETS; i++)
			add_random(rig, &specs[naive_below(&seed, flows)], &seed);
		assert_matches_model(rig);
		if (rig->got.longest > longest)
			longest = rig->got.longest;
		rig_clear(rig);
	}
	assert_true(longest > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_flow_stays_in_order, rig_reset),
		cmocka_unit_test_setup(interleaved_flows_are_merged, rig_reset),
		cmocka_unit_test_setup(when_all_runs_are_open_the_oldest_is_emitted, rig_reset),
		cmocka_unit_test_setup(colliding_flows_are_not_merged, rig_reset),
		cmocka_unit_test_setup(fragments_end_all_runs, rig_reset),
		cmocka_unit_test_setup(malformed_packets_end_all_runs, rig_reset),
		cmocka_unit_test_setup(options_and_extension_headers_end_all_runs, rig_reset),
		cmocka_unit_test_setup(invalid_tcp_header_lengths_end_all_runs, rig_reset),
		cmocka_unit_test_setup(other_protocols_end_no_run, rig_reset),
		cmocka_unit_test_setup(unsupported_offloads_are_not_used, rig_reset),
		cmocka_unit_test_setup(finished_runs_are_emitted_at_once, rig_reset),
		cmocka_unit_test_setup(random_streams_match_the_model, rig_reset),
	};
	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
