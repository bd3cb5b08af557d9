/* SPDX-License-Identifier: MIT */
/* Tests of the IP headers: field access, transport offsets, ECN and the flow hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/ip.h"
#include "packet_naive.h"

/* Calls ip_transport on an allocation of exactly `n` bytes, so that a sanitizer reports any read past the end. */
static size_t transport(const uint8_t *packet, size_t n, uint8_t *protocol)
{
	uint8_t *exact = malloc(n);
	size_t at;

	memcpy(exact, packet, n);
	at = ip_transport(exact, n, protocol);
	free(exact);
	return at;
}

static void the_version_needs_a_complete_header(void **state)
{
	uint8_t packet[40] = { 0x45 };

	assert_int_equal(ip_version(packet, 0), 0);
	assert_int_equal(ip_version(packet, 19), 0);
	assert_int_equal(ip_version(packet, 20), 4);
	packet[0] = 0x6f;
	assert_int_equal(ip_version(packet, 39), 0);
	assert_int_equal(ip_version(packet, 40), 6);
	for (int version = 0; version < 16; version++) {
		packet[0] = (uint8_t)(version << 4 | 5);
		assert_int_equal(ip_version(packet, 40), version == 4 || version == 6 ? version : 0);
	}
}

/* The largest IPv6 length does not wrap at 16 bits. */
static void the_length_is_that_of_the_header(void **state)
{
	uint8_t v4[20] = { 0x45, 0, 0xfe, 0xdc }, v6[40] = { 0x60, 0, 0, 0, 0xff, 0xff };

	assert_int_equal(ip_length(v4), 0xfedc);
	assert_int_equal(ip_length(v6), 65575);
}

static void addresses_are_found_in_both_versions(void **state)
{
	uint8_t v4[20] = { 0x45 }, v6[40] = { 0x60 };

	assert_ptr_equal(ip_source(v4), v4 + 12);
	assert_ptr_equal(ip_destination(v4), v4 + 16);
	assert_ptr_equal(ip_source(v6), v6 + 8);
	assert_ptr_equal(ip_destination(v6), v6 + 24);
}

/* Every ToS with every ECN value: only the two bits change, and the header checksum remains valid. */
static void setting_ecn_keeps_an_ipv4_header_valid(void **state)
{
	struct naive_spec spec = naive_spec(false, true, 0);
	uint8_t packet[128], before[128];

	for (unsigned i = 0; i < 256 * 4 * 64; i++) {
		spec.tos = i & 255;
		spec.id = i >> 10;
		spec.ihl = 5 + i % 11;
		naive_build(packet, &spec);
		memcpy(before, packet, sizeof packet);
		ip_set_ecn(packet, (uint8_t)(i >> 8 & 3));
		assert_int_equal(ip_ecn(packet), i >> 8 & 3);
		assert_int_equal(packet[1], (spec.tos & 0xfc) | (i >> 8 & 3));
		assert_int_equal(naive_sum(0, packet, spec.ihl * 4), 0xffff);
		assert_memory_equal(packet + 2, before + 2, 8);
		assert_memory_equal(packet + 12, before + 12, spec.ihl * 4 - 12);
	}
}

static void setting_ecn_changes_two_bits_of_an_ipv6_header(void **state)
{
	for (unsigned i = 0; i < 256 * 4; i++) {
		uint8_t packet[40] = { 0 };
		unsigned tos = i & 255, ecn = i >> 8;

		naive_put32(packet, 6u << 28 | tos << 20 | 0xabcde);
		assert_int_equal(ip_ecn(packet), tos & 3);
		ip_set_ecn(packet, (uint8_t)ecn);
		assert_int_equal(naive_get32(packet), 6u << 28 | ((tos & 0xfc) | ecn) << 20 | 0xabcde);
	}
}

static void the_transport_header_follows_ipv4_options(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 10);
	uint8_t packet[256], protocol;

	for (spec.ihl = 5; spec.ihl <= 15; spec.ihl++) {
		naive_build(packet, &spec);
		protocol = 0;
		assert_int_equal(transport(packet, spec.ihl * 4, &protocol), spec.ihl * 4);
		assert_int_equal(protocol, 6);
		assert_int_equal(transport(packet, spec.ihl * 4 - 1, &protocol), 0);
	}
	spec.ihl = 5;
	naive_build(packet, &spec);
	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		packet[0] = 0x40 | ihl;
		assert_int_equal(transport(packet, 60, &protocol), 0);
	}
}

static void later_ipv4_fragments_have_no_transport_header(void **state)
{
	struct naive_spec spec = naive_spec(false, false, 10);
	uint8_t packet[256], protocol;

	naive_build(packet, &spec);
	naive_put16(packet + 6, 0x2000); /* the first fragment */
	assert_int_equal(transport(packet, 50, &protocol), 20);
	for (unsigned offset = 1; offset < 0x2000; offset <<= 1) {
		naive_put16(packet + 6, offset);
		assert_int_equal(transport(packet, 50, &protocol), 0);
	}
}

/* Writes an extension header of `size` bytes at `at`. Returns the offset of the header `next`, which follows it. */
static size_t extend(uint8_t *packet, size_t at, size_t size, uint8_t length, uint8_t next)
{
	packet[at] = next;
	packet[at + 1] = length;
	return at + size;
}

/* All extension headers in one packet, truncated at every length. */
static void the_transport_header_follows_ipv6_extensions(void **state)
{
	enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AH = 51, OPTIONS = 60, UDP = 17 };
	uint8_t packet[128] = { 0x60 }, protocol;
	size_t at, fragment;

	packet[6] = HOP_BY_HOP;
	at = extend(packet, 40, 16, 1, ROUTING);
	at = extend(packet, at, 8, 0, AH);
	fragment = extend(packet, at, 24, 4, FRAGMENT); /* AH counts in units of 4 bytes */
	at = extend(packet, fragment, 8, 9, OPTIONS);   /* byte 1 is reserved, not a length */
	at = extend(packet, at, 8, 0, UDP);
	for (size_t n = 1; n < at; n++)
		assert_int_equal(transport(packet, n, &protocol), 0);
	assert_int_equal(transport(packet, at, &protocol), at);
	assert_int_equal(protocol, UDP);
	naive_put16(packet + fragment + 2, 1 << 3); /* the second fragment */
	assert_int_equal(transport(packet, at, &protocol), 0);
	naive_put16(packet + fragment + 2, 1); /* the first fragment */
	assert_int_equal(transport(packet, at, &protocol), at);
}

static void the_transport_header_follows_the_ipv6_header(void **state)
{
	static const uint8_t ends[] = { 6, 17, 50, 58, 59, 132 };
	uint8_t packet[40] = { 0x60 }, protocol;

	for (size_t i = 0; i < sizeof ends; i++) {
		packet[6] = ends[i];
		assert_int_equal(transport(packet, 40, &protocol), 40);
		assert_int_equal(protocol, ends[i]);
	}
}

static void other_versions_have_no_transport_header(void **state)
{
	uint8_t packet[64] = { 0x50 }, protocol;

	assert_int_equal(ip_transport(packet, 0, &protocol), 0);
	assert_int_equal(transport(packet, 64, &protocol), 0);
}

static void a_flow_is_identified_by_addresses_and_ports(void **state)
{
	uint8_t a[64] = { 0x45, [9] = 17, [12] = 10, [16] = 10, [19] = 2, [21] = 53, [23] = 99 }, b[64];

	memcpy(b, a, sizeof a);
	b[1] = 3;    /* ToS */
	b[5] = 77;   /* ID */
	b[40] = 123; /* payload */
	assert_int_equal(ip_flow(a, sizeof a), ip_flow(b, sizeof b));
	for (size_t at = 12; at < 24; at++) {
		memcpy(b, a, sizeof a);
		b[at] ^= 1;
		assert_int_not_equal(ip_flow(a, sizeof a), ip_flow(b, sizeof b));
	}
	memcpy(b, a, sizeof a);
	a[6] = 0x20; /* fragments: ports are ignored, because later fragments have none */
	b[7] = 1;
	b[21] = 54;
	assert_int_equal(ip_flow(a, sizeof a), ip_flow(b, sizeof b));
	assert_int_equal(ip_flow(a, 20), ip_flow(a, 64));
}

static void an_ipv6_flow_is_identified_by_all_address_bytes(void **state)
{
	uint8_t a[64] = { 0x60, [6] = 6 }, b[64];

	for (size_t at = 8; at < 44; at++) {
		memcpy(b, a, sizeof a);
		b[at] ^= 1;
		assert_int_not_equal(ip_flow(a, sizeof a), ip_flow(b, sizeof b));
	}
	memcpy(b, a, sizeof a);
	b[7] = 1;
	assert_int_equal(ip_flow(a, sizeof a), ip_flow(b, sizeof b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_needs_a_complete_header),
		cmocka_unit_test(the_length_is_that_of_the_header),
		cmocka_unit_test(addresses_are_found_in_both_versions),
		cmocka_unit_test(setting_ecn_keeps_an_ipv4_header_valid),
		cmocka_unit_test(setting_ecn_changes_two_bits_of_an_ipv6_header),
		cmocka_unit_test(the_transport_header_follows_ipv4_options),
		cmocka_unit_test(later_ipv4_fragments_have_no_transport_header),
		cmocka_unit_test(the_transport_header_follows_ipv6_extensions),
		cmocka_unit_test(the_transport_header_follows_the_ipv6_header),
		cmocka_unit_test(other_versions_have_no_transport_header),
		cmocka_unit_test(a_flow_is_identified_by_addresses_and_ports),
		cmocka_unit_test(an_ipv6_flow_is_identified_by_all_address_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
