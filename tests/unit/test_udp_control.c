/* SPDX-License-Identifier: MIT */
/* Tests of control messages: writing them for a run, and reading valid, truncated and corrupt ones. */
#include "udp_control.h"

#include <errno.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct udp_run run_to(struct endpoint *to, int family)
{
	*to = (struct endpoint) { .to.any.sa_family = (sa_family_t)family };
	return (struct udp_run) { .to = to, .size = 100 };
}

/* --- writing ----- */

/* Copies the value of one control message, which must exist. Returns the number of all control messages. */
static int take_value(struct msghdr *message, int level, int type, void *value, size_t bytes)
{
	bool found = false;
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c), count++) {
		if (c->cmsg_level != level || c->cmsg_type != type || c->cmsg_len != CMSG_LEN(bytes))
			continue;
		memcpy(value, CMSG_DATA(c), bytes);
		found = true;
	}
	assert_true(found);
	return count;
}

static void a_plain_run_needs_no_control_messages(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET);

	udp_control_write(&message, &control, &run, 100);
	assert_int_equal(message.msg_controllen, 0);
	run = run_to(&to, AF_INET6);
	udp_control_write(&message, &control, &run, 1);
	assert_int_equal(message.msg_controllen, 0);
}

static void a_group_has_its_segment_size(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET);
	uint16_t size;

	udp_control_write(&message, &control, &run, 101);
	assert_int_equal(take_value(&message, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 1);
	assert_int_equal(size, 100);
}

static void a_pinned_endpoint_names_its_interface(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET);
	struct in_pktinfo info;

	for (int pinned = 0; pinned <= 1; pinned++) {
		run = run_to(&to, AF_INET);
		to.local.v4 = (struct in_pktinfo) { .ipi_ifindex = 7, .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK) };
		to.pinned = pinned;
		udp_control_write(&message, &control, &run, 100);
		take_value(&message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
		assert_int_equal(info.ipi_ifindex, pinned ? 7 : 0);
	}
	endpoint_clear_local(&to);
	assert_false(to.pinned);
}

static void all_ipv4_control_messages_are_written(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET);
	struct in_pktinfo info;
	int traffic_class;
	uint16_t size;

	to.local.v4 = (struct in_pktinfo) { .ipi_ifindex = 7, .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK) };
	run.traffic_class = 0xb9;
	udp_control_write(&message, &control, &run, 200);
	assert_true(message.msg_controllen <= sizeof control);
	take_value(&message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	assert_int_equal(info.ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(info.ipi_ifindex, 0); /* the routing table decides */
	take_value(&message, IPPROTO_IP, IP_TOS, &traffic_class, sizeof traffic_class);
	assert_int_equal(traffic_class, 0xb9);
	assert_int_equal(take_value(&message, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 3);
}

static void all_ipv6_control_messages_are_written(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET6);
	struct in6_pktinfo info;
	int traffic_class;
	uint16_t size;

	to.local.v6 = (struct in6_pktinfo) { in6addr_loopback, 7 };
	run.traffic_class = 1;
	udp_control_write(&message, &control, &run, 200);
	assert_int_equal(message.msg_controllen, sizeof control);
	take_value(&message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	assert_int_equal(info.ipi6_ifindex, 0);
	assert_memory_equal(&info.ipi6_addr, &in6addr_loopback, sizeof info.ipi6_addr);
	take_value(&message, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
	assert_int_equal(take_value(&message, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 3);
}

static void a_link_local_address_has_its_interface(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET6);
	struct in6_pktinfo info;

	to.local.v6 = (struct in6_pktinfo) { { .s6_addr = { 0xfe, 0x80, [15] = 1 } }, 7 };
	udp_control_write(&message, &control, &run, 100);
	take_value(&message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	assert_int_equal(info.ipi6_ifindex, 7);
}

static void a_local_address_that_is_gone_is_not_written(void **state)
{
	union udp_control control;
	struct msghdr message = { 0 };
	struct endpoint to;
	struct udp_run run = run_to(&to, AF_INET6);

	to.local.v6.ipi6_addr = in6addr_loopback;
	run.local_gone = true;
	udp_control_write(&message, &control, &run, 100);
	assert_int_equal(message.msg_controllen, 0);
}

/* --- reading ----- */

/* Control messages in memory of their exact size, so that a sanitizer detects reads past the end. */
struct received {
	uint8_t bytes[256];
	size_t length;
};

static void append(struct received *r, int level, int type, const void *value, size_t bytes)
{
	struct cmsghdr head = { .cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type };

	memcpy(r->bytes + r->length, &head, sizeof head);
	memcpy(r->bytes + r->length + CMSG_LEN(0), value, bytes);
	r->length += CMSG_SPACE(bytes);
}

static struct udp_message parse(const struct received *r, int family, uint32_t length)
{
	struct udp_message into = { .length = length, .size = 99, .traffic_class = 99 };
	uint8_t *exact = malloc(r->length ? r->length : 1);
	struct msghdr message = { .msg_control = exact, .msg_controllen = r->length };

	into.from.to.any.sa_family = (sa_family_t)family;
	memset(&into.from.local, 0xff, sizeof into.from.local);
	memcpy(exact, r->bytes, r->length);
	udp_control_read(&message, &into);
	free(exact);
	return into;
}

static void no_control_messages_give_defaults(void **state)
{
	struct received r = { .length = 0 };
	struct udp_message m = parse(&r, AF_INET, 1000);

	assert_int_equal(m.size, 1000);
	assert_int_equal(m.traffic_class, 0);
	assert_false(endpoint_local_known(&m.from));
	m = parse(&r, AF_INET, 0);
	assert_int_equal(m.size, 1); /* splitting by 0 would never end */
}

static void all_control_messages_are_read(void **state)
{
	struct in_pktinfo v4 = { 3, { htonl(INADDR_LOOPBACK) }, { 5 } };
	struct in6_pktinfo v6 = { in6addr_loopback, 4 };
	struct received r = { .length = 0 };
	struct udp_message m;
	uint8_t tos = 0xb8;
	int size = 1452, class = 0xba;

	append(&r, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4);
	append(&r, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	append(&r, IPPROTO_UDP, UDP_GRO, &size, sizeof size);
	m = parse(&r, AF_INET, 3000);
	assert_int_equal(m.size, 1452);
	assert_int_equal(m.traffic_class, 0xb8);
	assert_int_equal(m.from.local.v4.ipi_ifindex, 3);
	assert_int_equal(m.from.local.v4.ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(m.from.local.v4.ipi_addr.s_addr, 0); /* the destination in the header is not the local address */

	r.length = 0;
	append(&r, IPPROTO_UDP, UDP_GRO, &size, sizeof size);
	append(&r, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
	append(&r, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
	m = parse(&r, AF_INET6, 3000);
	assert_int_equal(m.size, 1452);
	assert_int_equal(m.traffic_class, 0xba);
	assert_memory_equal(&m.from.local.v6, &v6, sizeof v6);
}

static void segment_sizes_are_validated(void **state)
{
	static const struct {
		int value;
		uint32_t size;
	} cases[] = { { 1, 0 },    { 999, 999 }, { 1000, 1000 },           { 1001, 1000 }, { 0x7fffffff, 1000 },
				  { 0, 1000 }, { -1, 1000 }, { -0x7fffffff - 1, 1000 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct received r = { .length = 0 };

		append(&r, IPPROTO_UDP, UDP_GRO, &cases[i].value, sizeof cases[i].value);
		assert_int_equal(parse(&r, AF_INET, 1000).size, cases[i].size);
	}
}

static void short_control_messages_are_ignored(void **state)
{
	static const uint8_t junk[64] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct received r = { .length = 0 };
	struct udp_message m;

	append(&r, IPPROTO_UDP, UDP_GRO, junk, 3);
	append(&r, IPPROTO_IP, IP_PKTINFO, junk, sizeof(struct in_pktinfo) - 1);
	append(&r, IPPROTO_IP, IP_TOS, junk, 0);
	append(&r, IPPROTO_IPV6, IPV6_PKTINFO, junk, sizeof(struct in6_pktinfo) - 1);
	m = parse(&r, AF_INET, 1000);
	assert_int_equal(m.size, 1000);
	assert_int_equal(m.traffic_class, 0);
	assert_false(endpoint_local_known(&m.from));
}

/* An invalid length ends the parsing. Earlier control messages count, later ones do not. */
static void an_invalid_length_ends_the_parsing(void **state)
{
	static const size_t lengths[] = { 0, 1, CMSG_LEN(0) - 1, 1000, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2 + 1 };
	int size = 500, class = 3;

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct received r = { .length = 0 };
		struct udp_message m;
		size_t second;

		append(&r, IPPROTO_UDP, UDP_GRO, &size, sizeof size);
		second = r.length;
		append(&r, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
		append(&r, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
		memcpy(r.bytes + second, &lengths[i], sizeof lengths[i]);
		m = parse(&r, AF_INET6, 1000);
		assert_int_equal(m.size, 500);
		assert_int_equal(m.traffic_class, 0);
	}
}

/* A buffer truncated anywhere is not read past its end. */
static void a_truncated_buffer_is_not_overrun(void **state)
{
	int size = 500, class = 3;
	struct received whole = { .length = 0 };

	append(&whole, IPPROTO_UDP, UDP_GRO, &size, sizeof size);
	append(&whole, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
	for (size_t length = 0; length <= whole.length; length++) {
		struct received r = whole;
		struct udp_message m;

		r.length = length;
		m = parse(&r, AF_INET6, 1000);
		assert_int_equal(m.size, length >= CMSG_LEN(sizeof size) ? 500 : 1000);
		assert_int_equal(m.traffic_class, length >= CMSG_SPACE(sizeof size) + CMSG_LEN(sizeof class) ? 3 : 0);
	}
}

/* With random bytes changed and the end truncated, parsing stays in the buffer and gives a valid segment size. */
static void random_changes_do_no_harm(void **state)
{
	static const int kinds[][2] = { { IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IPV6, IPV6_PKTINFO },
									{ IPPROTO_IP, IP_TOS },     { IPPROTO_IPV6, IPV6_TCLASS },
									{ IPPROTO_UDP, UDP_GRO },   { SOL_SOCKET, SCM_RIGHTS } };

	srand(1);
	for (int round = 0; round < 100000; round++) {
		struct received r = { .length = 0 };
		uint8_t value[24];
		struct udp_message m;

		for (int i = rand() % 6; i > 0; i--) {
			const int *kind = kinds[rand() % 6];

			for (size_t at = 0; at < sizeof value; at++)
				value[at] = (uint8_t)rand();
			append(&r, kind[0], kind[1], value, (size_t)rand() % (sizeof value + 1));
		}
		for (int i = rand() % 3; i > 0 && r.length; i--)
			r.bytes[(size_t)rand() % r.length] = (uint8_t)rand();
		r.length -= rand() % 3 || !r.length ? 0 : (size_t)rand() % r.length;
		m = parse(&r, rand() % 2 ? AF_INET : AF_INET6, 1000);
		assert_uint_in_range(m.size, 1, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_run_needs_no_control_messages),
		cmocka_unit_test(a_group_has_its_segment_size),
		cmocka_unit_test(a_pinned_endpoint_names_its_interface),
		cmocka_unit_test(all_ipv4_control_messages_are_written),
		cmocka_unit_test(all_ipv6_control_messages_are_written),
		cmocka_unit_test(a_link_local_address_has_its_interface),
		cmocka_unit_test(a_local_address_that_is_gone_is_not_written),
		cmocka_unit_test(no_control_messages_give_defaults),
		cmocka_unit_test(all_control_messages_are_read),
		cmocka_unit_test(segment_sizes_are_validated),
		cmocka_unit_test(short_control_messages_are_ignored),
		cmocka_unit_test(an_invalid_length_ends_the_parsing),
		cmocka_unit_test(a_truncated_buffer_is_not_overrun),
		cmocka_unit_test(random_changes_do_no_harm),
	};

	return cmocka_run_group_tests_name("udp_control", tests, NULL, NULL);
}
