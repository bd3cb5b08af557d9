/* SPDX-License-Identifier: MIT */
/* Tests of ICMP errors: their contents, and the packets that may not be answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/icmp.h"

enum { PACKET = 1400 };

static uint8_t packet[PACKET], message[ICMP_MAX];

static void make_v4(uint8_t protocol, uint8_t type)
{
	const uint8_t header[20] = { 0x45, 0, PACKET >> 8, PACKET & 255, 0, 0, 0, 0, 64, protocol, 0, 0, 10,
								 0,    0, 1,           10,           9, 9, 9 };

	memset(packet, 0x33, sizeof packet);
	memcpy(packet, header, sizeof header);
	packet[20] = type;
}

static void make_v6(uint8_t protocol, uint8_t type)
{
	memset(packet, 0x33, sizeof packet);
	memset(packet, 0, 40);
	packet[0] = 0x60;
	put_be16(packet + 4, PACKET - 40);
	packet[6] = protocol;
	packet[7] = 64;
	packet[8] = packet[24] = 0xfd;
	packet[23] = 1;
	packet[39] = 9;
	packet[40] = type;
}

static size_t answer(void)
{
	memset(message, 0xee, sizeof message);
	return icmp_unreachable(message, packet, sizeof packet);
}

static void an_ipv4_packet_is_answered_by_host_unreachable(void **state)
{
	size_t n;

	make_v4(17, 0);
	n = answer();
	assert_int_equal(n, 576);
	assert_int_equal(get_be16(message + 2), n);
	assert_memory_equal(message + 12, packet + 16, 4);
	assert_memory_equal(message + 16, packet + 12, 4);
	assert_int_equal(message[20], 3);
	assert_int_equal(message[21], 1);
	assert_memory_equal(message + 28, packet, n - 28);
	assert_int_equal(checksum_fold(checksum_add(0, message, 20)), 0xffff);
	assert_int_equal(checksum_fold(checksum_add(0, message + 20, n - 20)), 0xffff);
}

static void an_ipv6_packet_is_answered_by_address_unreachable(void **state)
{
	size_t n;

	make_v6(17, 0);
	n = answer();
	assert_int_equal(n, 1280);
	assert_int_equal(get_be16(message + 4), n - 40);
	assert_memory_equal(message + 8, packet + 24, 16);
	assert_memory_equal(message + 24, packet + 8, 16);
	assert_int_equal(message[40], 1);
	assert_int_equal(message[41], 3);
	assert_memory_equal(message + 48, packet, n - 48);
	assert_int_equal(checksum_fold(checksum_add(checksum_pseudo(message, 58, n - 40), message + 40, n - 40)), 0xffff);
}

static void short_packets_are_quoted_completely(void **state)
{
	make_v4(17, 0);
	assert_int_equal(icmp_unreachable(message, packet, 29), 20 + 8 + 29);
	make_v6(17, 0);
	put_be16(packet + 4, 8);
	assert_int_equal(icmp_unreachable(message, packet, 48), 40 + 8 + 48);
}

static void icmp_requests_are_answered_but_errors_are_not(void **state)
{
	static const uint8_t v4_errors[] = { 3, 4, 5, 11, 12, 200 }, v6_errors[] = { 1, 2, 3, 4, 100, 127 };

	for (size_t i = 0; i < sizeof v4_errors; i++) {
		make_v4(1, v4_errors[i]);
		assert_int_equal(answer(), 0);
		make_v6(58, v6_errors[i]);
		assert_int_equal(answer(), 0);
	}
	make_v4(1, 8);
	assert_int_not_equal(answer(), 0);
	make_v6(58, 128);
	assert_int_not_equal(answer(), 0);
}

static void multicast_broadcast_and_unspecified_addresses_get_no_answer(void **state)
{
	static const uint8_t first[] = { 224, 239, 255, 240, 0 };

	for (size_t i = 0; i < sizeof first; i++) {
		make_v4(17, 0);
		packet[16] = first[i];
		assert_int_equal(answer(), 0);
		make_v4(17, 0);
		packet[12] = first[i];
		assert_int_equal(answer(), 0);
	}
	make_v6(17, 0);
	packet[24] = 0xff;
	assert_int_equal(answer(), 0);
	make_v6(17, 0);
	memset(packet + 8, 0, 16);
	assert_int_equal(answer(), 0);
}

static void later_fragments_get_no_answer(void **state)
{
	make_v4(17, 0);
	put_be16(packet + 6, 0x2000); /* the first fragment */
	assert_int_not_equal(answer(), 0);
	put_be16(packet + 6, 0x2001);
	assert_int_equal(answer(), 0);
}

static void malformed_headers_get_no_answer(void **state)
{
	make_v4(17, 0);
	packet[0] = 0x44;
	assert_int_equal(answer(), 0);
	make_v4(17, 0);
	assert_int_equal(icmp_unreachable(message, packet, 20), 0);
	assert_int_equal(icmp_unreachable(message, packet, 0), 0);
	make_v6(0, 59); /* hop-by-hop options that are longer than the packet */
	packet[41] = 255;
	assert_int_equal(icmp_unreachable(message, packet, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_packet_is_answered_by_host_unreachable),
		cmocka_unit_test(an_ipv6_packet_is_answered_by_address_unreachable),
		cmocka_unit_test(short_packets_are_quoted_completely),
		cmocka_unit_test(icmp_requests_are_answered_but_errors_are_not),
		cmocka_unit_test(multicast_broadcast_and_unspecified_addresses_get_no_answer),
		cmocka_unit_test(later_fragments_get_no_answer),
		cmocka_unit_test(malformed_headers_get_no_answer),
	};
	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
