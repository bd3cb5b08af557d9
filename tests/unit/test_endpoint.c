/* SPDX-License-Identifier: MIT */
/* Tests of endpoints. */
#include "io/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/netlink.h"

static struct endpoint v4(const char *address, uint16_t port)
{
	struct endpoint e = { .to.v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET, address, &e.to.v4.sin_addr), 1);
	return e;
}

static struct endpoint v6(const char *address, uint16_t port, uint32_t scope)
{
	struct endpoint e = { .to.v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope } };

	assert_int_equal(inet_pton(AF_INET6, address, &e.to.v6.sin6_addr), 1);
	return e;
}

static void a_zeroed_endpoint_is_unknown(void **state)
{
	struct endpoint none = { 0 }, e = v4("192.0.2.1", 1);

	assert_false(endpoint_known(&none));
	assert_true(endpoint_known(&e));
}

static void ipv4_endpoints_are_compared(void **state)
{
	struct endpoint a = v4("192.0.2.1", 51820), b = a;

	assert_true(endpoint_equal(&a, &b));
	b.to.v4.sin_port = htons(51821);
	assert_false(endpoint_equal(&a, &b));
	b = v4("192.0.2.2", 51820);
	assert_false(endpoint_equal(&a, &b));
	b = a, b.local.v4.ipi_spec_dst.s_addr = 1;
	assert_false(endpoint_equal(&a, &b));
	b = a, b.local.v4.ipi_ifindex = 1;
	assert_false(endpoint_equal(&a, &b));
	b = a, memset(b.to.v4.sin_zero, 1, sizeof b.to.v4.sin_zero); /* padding does not count */
	assert_true(endpoint_equal(&a, &b));
}

static void ipv6_endpoints_are_compared(void **state)
{
	struct endpoint a = v6("2001:db8::1", 51820, 0), b = a;

	assert_true(endpoint_equal(&a, &b));
	b.to.v6.sin6_port = htons(51821);
	assert_false(endpoint_equal(&a, &b));
	b = v6("2001:db8::2", 51820, 0);
	assert_false(endpoint_equal(&a, &b));
	b = a, b.to.v6.sin6_scope_id = 2;
	assert_false(endpoint_equal(&a, &b));
	b = a, b.local.v6.ipi6_addr.s6_addr[15] = 1;
	assert_false(endpoint_equal(&a, &b));
	b = a, b.local.v6.ipi6_ifindex = 1;
	assert_false(endpoint_equal(&a, &b));
	b = a, b.to.v6.sin6_flowinfo = 1;
	assert_true(endpoint_equal(&a, &b));
}

static void families_are_compared(void **state)
{
	struct endpoint none = { 0 }, other = { 0 }, a = v4("192.0.2.1", 1), b = v6("2001:db8::1", 1, 0);

	assert_true(endpoint_equal(&none, &other));
	assert_false(endpoint_equal(&none, &a));
	assert_false(endpoint_equal(&a, &b));
}

static void the_local_address_is_known_and_cleared(void **state)
{
	struct endpoint none = { 0 }, a = v4("192.0.2.1", 1), b = v6("2001:db8::1", 1, 0), before;

	assert_false(endpoint_local_known(&none));
	a.local.v4.ipi_ifindex = 3; /* an interface without an address does not count */
	b.local.v6.ipi6_ifindex = 3;
	assert_false(endpoint_local_known(&a));
	assert_false(endpoint_local_known(&b));
	a.local.v4.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
	b.local.v6.ipi6_addr = in6addr_loopback;
	assert_true(endpoint_local_known(&a));
	assert_true(endpoint_local_known(&b));
	endpoint_clear_local(&a);
	endpoint_clear_local(&b);
	before = v4("192.0.2.1", 1);
	assert_true(endpoint_equal(&a, &before));
	before = v6("2001:db8::1", 1, 0);
	assert_true(endpoint_equal(&b, &before));
}

static void endpoints_are_formatted(void **state)
{
	struct endpoint none = { 0 }, a = v4("192.0.2.1", 51820), b = v6("2001:db8::1", 65535, 0);
	struct endpoint lo = v6("fe80::1", 1, if_nametoindex("lo")), gone = v6("fe80::1", 1, UINT32_MAX);
	struct endpoint longest = v6("fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, UINT32_MAX);
	char text[ENDPOINT_TEXT];

	assert_string_equal(endpoint_text(text, &none), "(none)");
	assert_string_equal(endpoint_text(text, &a), "192.0.2.1:51820");
	assert_string_equal(endpoint_text(text, &b), "[2001:db8::1]:65535");
	assert_string_equal(endpoint_text(text, &lo), "[fe80::1%lo]:1");
	assert_string_equal(endpoint_text(text, &gone), "[fe80::1%4294967295]:1");
	assert_string_equal(endpoint_text(text, &longest), "[fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void endpoints_become_bytes(void **state)
{
	static const uint8_t expected_v4[] = { 192, 0, 2, 1, 0xca, 0x6c };
	static const uint8_t expected_v6[] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xca, 0x6c };
	struct endpoint none = { 0 }, a = v4("192.0.2.1", 51820), b = v6("2001:db8::1", 51820, 0);
	uint8_t bytes[ENDPOINT_BYTES];

	assert_int_equal(endpoint_bytes(bytes, &none), 0);
	assert_int_equal(endpoint_bytes(bytes, &a), sizeof expected_v4);
	assert_memory_equal(bytes, expected_v4, sizeof expected_v4);
	assert_int_equal(endpoint_bytes(bytes, &b), sizeof expected_v6);
	assert_memory_equal(bytes, expected_v6, sizeof expected_v6);
}

static void remotes_are_compared_without_local_addresses(void **state)
{
	struct endpoint a = v4("192.0.2.1", 51820), b = a;

	b.local.v4.ipi_ifindex = 3;
	b.local.v4.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
	assert_false(endpoint_equal(&a, &b));
	assert_true(endpoint_same_remote(&a, &b));
	endpoint_set_port(&b, htons(1));
	assert_false(endpoint_same_remote(&a, &b));
}

static void unspecified_addresses_are_recognized(void **state)
{
	struct endpoint none = { 0 }, a = v4("0.0.0.0", 1), b = v6("::", 1, 0);
	struct endpoint c = v4("0.0.0.1", 1), d = v6("::1", 1, 0);

	assert_true(endpoint_unspecified(&none));
	assert_true(endpoint_unspecified(&a));
	assert_true(endpoint_unspecified(&b));
	assert_false(endpoint_unspecified(&c));
	assert_false(endpoint_unspecified(&d));
}

static void mapped_addresses_become_ipv4(void **state)
{
	struct endpoint mapped = v6("::ffff:192.0.2.1", 51820, 0), plain = v4("192.0.2.1", 51820);
	struct endpoint other = v6("2001:db8::1", 51820, 0), same = other;

	endpoint_unmap(&mapped);
	assert_true(endpoint_equal(&mapped, &plain));
	endpoint_unmap(&mapped);
	assert_true(endpoint_equal(&mapped, &plain));
	endpoint_unmap(&other);
	assert_true(endpoint_equal(&other, &same));
}

static void the_address_is_a_prefix_of_full_length(void **state)
{
	struct endpoint none = { 0 }, a = v4("192.0.2.1", 51820), b = v6("2001:db8::1", 51820, 0);
	struct ip_prefix address;

	assert_false(endpoint_address(&none, &address));
	assert_true(endpoint_address(&a, &address));
	assert_int_equal(address.family, AF_INET);
	assert_int_equal(address.length, 32);
	assert_memory_equal(address.address, ((const uint8_t[16]) { 192, 0, 2, 1 }), 16);
	assert_true(endpoint_address(&b, &address));
	assert_int_equal(address.family, AF_INET6);
	assert_int_equal(address.length, 128);
	assert_memory_equal(address.address, &b.to.v6.sin6_addr, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_endpoint_is_unknown),
		cmocka_unit_test(ipv4_endpoints_are_compared),
		cmocka_unit_test(ipv6_endpoints_are_compared),
		cmocka_unit_test(families_are_compared),
		cmocka_unit_test(the_local_address_is_known_and_cleared),
		cmocka_unit_test(endpoints_are_formatted),
		cmocka_unit_test(endpoints_become_bytes),
		cmocka_unit_test(remotes_are_compared_without_local_addresses),
		cmocka_unit_test(unspecified_addresses_are_recognized),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(the_address_is_a_prefix_of_full_length),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
