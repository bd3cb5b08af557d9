/* SPDX-License-Identifier: MIT */
/* Unit tests of the check whether a local address is usable, in a network namespace with two uplinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>

#include "daemon/local_address.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"
#include "uplinks_rig.h"

enum { PORT = 51820, MARK = 7 };

/* The first uplink has the default route. The table 100 leads to the second one. */
static const struct {
	const char *ip, *first, *second, *on_lo, *nobody, *peer;
	int family;
} uplinks[] = {
	{ "ip -4", "192.0.2.1", "198.51.100.1", "203.0.113.7", "203.0.113.8", "198.18.0.1", AF_INET },
	{ "ip -6", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:7::7", "2001:db8:7::8", "2001:db8:99::1", AF_INET6 },
};

static struct ev_loop *loop;
static struct device device;
static struct local_addresses addresses;
static int family; /* an index of `uplinks` */

static int set_up(void **state)
{
	uplinks_make();
	loop = ev_loop_new(0);
	if (control_init(&device, "local", &aead_libsodium, NULL))
		return -1;
	device.listen_port = PORT;
	return local_address_start(&addresses, &device, loop);
}

static int tear_down(void **state)
{
	local_address_stop(&addresses);
	control_destroy(&device, NULL);
	ev_loop_destroy(loop);
	command("ip address del 203.0.113.7/32 dev lo; ip address del 2001:db8:7::7/128 dev lo");
	command("ip link del wan1; ip link del wan2; ip link set lo down");
	return 0;
}

/* The peer has sent its last datagram to `local`, and it has arrived on `interface`. */
static struct endpoint spoken_to(const char *local, const char *interface)
{
	struct endpoint from = { 0 };

	if (uplinks[family].family == AF_INET) {
		from.to.v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(4000) };
		assert_int_equal(inet_pton(AF_INET, uplinks[family].peer, &from.to.v4.sin_addr), 1);
		assert_int_equal(inet_pton(AF_INET, local, &from.local.v4.ipi_spec_dst), 1);
		from.local.v4.ipi_ifindex = (int)if_nametoindex(interface);
	} else {
		from.to.v6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(4000) };
		assert_int_equal(inet_pton(AF_INET6, uplinks[family].peer, &from.to.v6.sin6_addr), 1);
		assert_int_equal(inet_pton(AF_INET6, local, &from.local.v6.ipi6_addr), 1);
		from.local.v6.ipi6_ifindex = if_nametoindex(interface);
	}
	return from;
}

static bool usable(const char *local, const char *interface)
{
	struct endpoint from = spoken_to(local, interface);

	return device.local_usable(device.local_usable_context, &from);
}

static void an_address_is_usable_on_its_own_uplink(void **state)
{
	for (family = 0; family < 2; family++) {
		assert_true(usable(uplinks[family].first, "wan1"));
		assert_false(usable(uplinks[family].second, "wan2")); /* the default route leads to wan1 */
		/*
		 * The host does not have it any more. For IPv6 the kernel does not look at that, and a send error will show it.
		 */
		assert_int_equal(usable(uplinks[family].nobody, "wan1"), uplinks[family].family == AF_INET6);
	}
}

/* Without the source address in the question, the kernel answers for the other uplink. */
static void the_source_address_chooses_the_uplink(void **state)
{
	for (family = 0; family < 2; family++) {
		command("%s rule add from %s lookup 100", uplinks[family].ip, uplinks[family].second);
		assert_true(usable(uplinks[family].second, "wan2"));
		assert_true(usable(uplinks[family].first, "wan1"));
		command("%s rule del from %s lookup 100", uplinks[family].ip, uplinks[family].second);
	}
}

static void the_mark_chooses_the_uplink(void **state)
{
	for (family = 0; family < 2; family++) {
		command("%s rule add fwmark %d lookup 100", uplinks[family].ip, MARK);
		device.mark = MARK;
		assert_true(usable(uplinks[family].second, "wan2"));
		assert_false(usable(uplinks[family].first, "wan1"));
		device.mark = 0;
		assert_false(usable(uplinks[family].second, "wan2"));
		command("%s rule del fwmark %d lookup 100", uplinks[family].ip, MARK);
	}
}

static void the_ports_choose_the_uplink(void **state)
{
	for (family = 0; family < 2; family++) {
		command("%s rule add ipproto udp sport %d dport 4000 lookup 100", uplinks[family].ip, PORT);
		assert_true(usable(uplinks[family].second, "wan2"));
		assert_false(usable(uplinks[family].first, "wan1"));
		command("%s rule del ipproto udp sport %d dport 4000 lookup 100", uplinks[family].ip, PORT);
	}
}

static void an_address_of_another_interface_does_not_depend_on_the_uplink(void **state)
{
	for (family = 0; family < 2; family++) {
		assert_true(usable(uplinks[family].on_lo, "wan1"));
		assert_true(usable(uplinks[family].on_lo, "wan2"));
	}
}

/* One of the next hops is enough. Only IPv4 is pinned to it: IPv6 selects by its own hash. */
static void one_of_two_equal_next_hops_is_enough(void **state)
{
	struct endpoint from;

	command("ip route replace default nexthop via 192.0.2.2 nexthop via 198.51.100.2");
	command("ip -6 route del default; ip -6 route add default nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2");
	for (family = 0; family < 2; family++) {
		for (int i = 0; i < 2; i++) {
			from = spoken_to(i ? uplinks[family].second : uplinks[family].first, i ? "wan2" : "wan1");
			assert_true(device.local_usable(device.local_usable_context, &from));
			assert_int_equal(from.pinned, family == 0);
		}
	}
}

static void an_interface_is_part_of_a_link_local_address(void **state)
{
	struct endpoint from;

	family = 1;
	from = spoken_to("fe80::1", "wan2");
	assert_int_equal(inet_pton(AF_INET6, "fe80::2", &from.to.v6.sin6_addr), 1);
	from.to.v6.sin6_scope_id = if_nametoindex("wan2");
	assert_true(device.local_usable(device.local_usable_context, &from));
}

static int changes;

static void count_change(void *context)
{
	changes++;
}

/* Nothing is asked then: the next message to the peer does that. */
static void a_change_of_routes_makes_the_address_uncertain(void **state)
{
	struct endpoint from;
	struct peer *peer = peer_add(&device, (const uint8_t[NOISE_KEY]) { 9 });

	family = 0;
	from = spoken_to(uplinks[family].first, "wan1");
	peer_set_endpoint(peer, &from, ORIGIN_ROAMED);
	assert_true(endpoint_local_known(&peer->endpoint));
	assert_false(peer->local_unverified);
	addresses.changed = count_change;
	changes = 0;
	command("ip route replace default via 198.51.100.2");
	while (!changes)
		ev_run(loop, EVRUN_ONCE);
	assert_true(peer->local_unverified);
	peer_verify_local(peer);
	assert_false(endpoint_local_known(&peer->endpoint));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_usable_on_its_own_uplink),
		TEST(the_source_address_chooses_the_uplink),
		TEST(the_mark_chooses_the_uplink),
		TEST(the_ports_choose_the_uplink),
		TEST(an_address_of_another_interface_does_not_depend_on_the_uplink),
		TEST(one_of_two_equal_next_hops_is_enough),
		TEST(an_interface_is_part_of_a_link_local_address),
		TEST(a_change_of_routes_makes_the_address_uncertain),
	};

	sandbox_enter();
	return cmocka_run_group_tests_name("local_address", tests, NULL, NULL);
}
