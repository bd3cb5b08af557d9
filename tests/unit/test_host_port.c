/* SPDX-License-Identifier: MIT */
/* Endpoints as text, against tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "io/host_port.h"

static const char *text(const struct endpoint *endpoint)
{
	static char text[ENDPOINT_TEXT];

	return endpoint_text(text, endpoint);
}

static void endpoints_are_split_like_wg_does(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} good[] = {
		{ "192.0.2.1:51820", "192.0.2.1", "51820" },
		{ "[2001:db8::1]:51820", "2001:db8::1", "51820" },
		{ "2001:db8::1:51820", "2001:db8::1", "51820" },
		{ "[fe80::1%eth0]:1", "fe80::1%eth0", "1" },
		{ "vpn.example.com:65535", "vpn.example.com", "65535" },
		{ "[vpn.example.com]:443", "vpn.example.com", "443" },
	};
	static const char *const bad[] = {
		"",
		":",
		"192.0.2.1",
		"192.0.2.1:",
		":51820",
		"[]:51820",
		"[2001:db8::1]",
		"[2001:db8::1]51820",
		"[2001:db8::1]:",
		"[2001:db8::1:51820",
		"a:0",
		"a:00",
		"a:65536",
		"a:99999999999999999999999",
		"a:-1",
		"a:+1",
		"a: 1",
		"a:1 ",
		"a:http",
		"a:0x10",
		"a:00000000000000000000000000000051820",
	};
	char host[ENDPOINT_HOST], port[ENDPOINT_PORT], longest[ENDPOINT_HOST + 8];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(endpoint_split(good[i].text, host, port), 0);
		assert_string_equal(host, good[i].host);
		assert_string_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (endpoint_split(bad[i], host, port) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	memset(longest, 'a', sizeof longest);
	strcpy(longest + ENDPOINT_HOST, ":1");
	assert_int_equal(endpoint_split(longest, host, port), -EINVAL);
	assert_int_equal(endpoint_split(longest + 1, host, port), 0);
}

static void numeric_endpoints_are_parsed(void **state)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_numeric("192.0.2.1", "51820", &endpoint), 0);
	assert_string_equal(text(&endpoint), "192.0.2.1:51820");
	assert_int_equal(endpoint_numeric("2001:db8::1", "1", &endpoint), 0);
	assert_string_equal(text(&endpoint), "[2001:db8::1]:1");
	assert_int_equal(endpoint_numeric("fe80::1%lo", "1", &endpoint), 0);
	assert_int_equal(endpoint.to.v6.sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(endpoint_numeric("fe80::1%nosuch", "1", &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("vpn.example", "1", &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("", "1", &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("192.0.2.1", "0", &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("192.0.2.1", "65536", &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("192.0.2.1", "http", &endpoint), -EINVAL);
}

static void an_ipv4_mapped_address_becomes_ipv4(void **state)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_numeric("::ffff:192.0.2.1", "51820", &endpoint), 0);
	assert_string_equal(text(&endpoint), "192.0.2.1:51820");
	assert_int_equal(endpoint_numeric("::ffff:c000:201", "1", &endpoint), 0);
	assert_string_equal(text(&endpoint), "192.0.2.1:1");
	assert_int_equal(endpoint_numeric("::fffe:c000:201", "1", &endpoint), 0);
	assert_int_equal(endpoint.to.any.sa_family, AF_INET6);
	assert_int_equal(endpoint_numeric("64:ff9b::192.0.2.1", "1", &endpoint), 0);
	assert_int_equal(endpoint.to.any.sa_family, AF_INET6);
}

static void an_address_alone_has_port_0(void **state)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_numeric("192.0.2.1", NULL, &endpoint), 0);
	assert_string_equal(text(&endpoint), "192.0.2.1:0");
	endpoint_set_port(&endpoint, htons(7));
	assert_string_equal(text(&endpoint), "192.0.2.1:7");
	assert_int_equal(endpoint_numeric("2001:db8::1", NULL, &endpoint), 0);
	endpoint_set_port(&endpoint, htons(7));
	assert_string_equal(text(&endpoint), "[2001:db8::1]:7");
	assert_int_equal(endpoint_numeric("vpn.example", NULL, &endpoint), -EINVAL);
	assert_int_equal(endpoint_numeric("192.0.2.1:7", NULL, &endpoint), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_split_like_wg_does),
		cmocka_unit_test(numeric_endpoints_are_parsed),
		cmocka_unit_test(an_ipv4_mapped_address_becomes_ipv4),
		cmocka_unit_test(an_address_alone_has_port_0),
	};

	return cmocka_run_group_tests_name("host_port", tests, NULL, NULL);
}
