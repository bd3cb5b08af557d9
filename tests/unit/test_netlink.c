/* SPDX-License-Identifier: MIT */
/* Tests of the rtnetlink calls in a network namespace. ip(8) shows the results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "io/netlink.h"
#include "namespace.h"

enum { TABLE = 51820, MARK = 51820, MANY = 3000 };

struct state {
	struct netlink *netlink;
	int tun;
	uint32_t index;
};

static struct ip_prefix prefix(const char *address, uint8_t length)
{
	struct ip_prefix prefix = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .length = length };

	assert_int_equal(inet_pton(prefix.family, address, prefix.address), 1);
	return prefix;
}

static int set_up(void **context)
{
	struct state *state = calloc(1, sizeof *state);

	if (!state)
		return -1;
	sandbox_need_tun();
	sandbox_enter();
	state->tun = namespace_tun("tun0");
	state->index = if_nametoindex("tun0");
	state->netlink = netlink_open();
	*context = state;
	return state->tun >= 0 && state->netlink ? 0 : -1;
}

static int tear_down(void **context)
{
	struct state *state = *context;

	netlink_close(state->netlink);
	close(state->tun);
	free(state);
	return 0;
}

static void link_is_set(void **context)
{
	struct state *state = *context;
	uint32_t mtu = 1;

	assert_int_equal(netlink_link_set(state->netlink, state->index, 1420, true), 0);
	assert_int_equal(netlink_link_mtu(state->netlink, state->index, &mtu), 0);
	assert_int_equal(mtu, 1420);
	assert_non_null(strstr(namespace_run("ip link show tun0"), ",UP"));
	assert_int_equal(netlink_link_set(state->netlink, state->index, 0, false), 0);
	assert_null(strstr(namespace_run("ip link show tun0"), "UP"));
	assert_non_null(strstr(namespace_run("ip link show tun0"), "mtu 1420"));
	assert_int_equal(netlink_link_set(state->netlink, state->index, 20, true), -EINVAL);
	assert_int_equal(netlink_link_set(state->netlink, 9999, 1420, true), -ENODEV);
	assert_int_equal(netlink_link_mtu(state->netlink, 9999, &mtu), -ENODEV);
	assert_int_equal(netlink_link_set(state->netlink, state->index, 0, true), 0);
}

static void addresses_are_added_and_deleted(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.7.0.1", 24), v6 = prefix("fd07::1", 64);

	assert_int_equal(netlink_address_add(state->netlink, state->index, &v4), 0);
	assert_int_equal(netlink_address_add(state->netlink, state->index, &v6), 0);
	assert_int_equal(netlink_address_add(state->netlink, state->index, &v4), -EEXIST);
	assert_int_equal(netlink_address_add(state->netlink, state->index, &v6), -EEXIST);
	assert_int_equal(netlink_address_add(state->netlink, 9999, &v4), -ENODEV);
	assert_string_equal(namespace_run("ip -br address show tun0 scope global"),
						"tun0 UNKNOWN 10.7.0.1/24 fd07::1/64\n");
	assert_string_equal(namespace_run("ip route show dev tun0"), "10.7.0.0/24 proto kernel scope link src 10.7.0.1\n");
	assert_int_equal(netlink_address_del(state->netlink, state->index, &v4), 0);
	assert_int_equal(netlink_address_del(state->netlink, state->index, &v6), 0);
	assert_int_equal(netlink_address_del(state->netlink, state->index, &v4), -EADDRNOTAVAIL);
	assert_int_equal(netlink_address_del(state->netlink, state->index, &v6), -EADDRNOTAVAIL);
	assert_string_equal(namespace_run("ip -br address show tun0 scope global"), "");
}

struct addresses {
	int count;
	struct ip_prefix last;
};

static void count_address(void *context, const struct ip_prefix *address)
{
	struct addresses *addresses = context;

	addresses->count++;
	addresses->last = *address;
}

static void addresses_are_listed(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.7.0.1", 32), v6 = prefix("fd07::1", 128);
	struct addresses addresses = { 0 };

	assert_int_equal(netlink_address_add(state->netlink, state->index, &v4), 0);
	assert_int_equal(netlink_address_add(state->netlink, state->index, &v6), 0);
	assert_int_equal(netlink_address_each(state->netlink, state->index, AF_INET, count_address, &addresses), 0);
	assert_int_equal(addresses.count, 1);
	assert_memory_equal(&addresses.last, &v4, sizeof v4);
	assert_int_equal(netlink_address_each(state->netlink, state->index, AF_INET6, count_address, &addresses), 0);
	assert_int_equal(addresses.count, 3); /* including the link-local one */
	netlink_address_del(state->netlink, state->index, &v4);
	netlink_address_del(state->netlink, state->index, &v6);
	/* On a point-to-point address, our own end counts. */
	assert_string_equal(namespace_run("ip address add 10.7.0.2 peer 10.7.0.9/32 dev tun0"), "");
	v4 = prefix("10.7.0.2", 32);
	netlink_address_each(state->netlink, state->index, AF_INET, count_address, &addresses);
	assert_memory_equal(&addresses.last, &v4, sizeof v4);
	assert_string_equal(namespace_run("ip address flush dev tun0 scope global"), "");
}

static int add_route(const struct state *state, uint32_t index, const struct ip_prefix *to, uint32_t table)
{
	const struct netlink_route route = { *to, table, index, 0 };
	int status;

	netlink_routes_add(state->netlink, &route, 1, &status);
	return status;
}

static void routes_are_added_and_deleted(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.9.0.0", 16), v6 = prefix("fd09::", 48), all = prefix("0.0.0.0", 0);
	struct ip_prefix host_bits = prefix("10.10.0.1", 16), all6 = prefix("::", 0);

	assert_int_equal(add_route(state, state->index, &v4, 0), 0);
	assert_int_equal(add_route(state, state->index, &v4, 0), -EEXIST);
	assert_int_equal(add_route(state, state->index, &v6, 0), 0);
	assert_int_equal(add_route(state, state->index, &v6, 0), -EEXIST);
	assert_int_equal(add_route(state, state->index, &host_bits, 0), -EINVAL);
	assert_int_equal(add_route(state, state->index, &all, TABLE), 0);
	assert_int_equal(add_route(state, state->index, &all6, TABLE), 0);
	assert_int_equal(add_route(state, 9999, &v4, 0), -ENODEV);
	assert_string_equal(namespace_run("ip route show"), "10.9.0.0/16 dev tun0 scope link\n");
	assert_string_equal(namespace_run("ip -6 route show fd09::/48"), "fd09::/48 dev tun0 metric 1024 pref medium\n");
	assert_string_equal(namespace_run("ip route show table 51820"), "default dev tun0 scope link\n");
	assert_string_equal(namespace_run("ip -6 route show table 51820"), "default dev tun0 metric 1024 pref medium\n");
	assert_int_equal(netlink_table_used(state->netlink, AF_INET, TABLE), 1);
	assert_int_equal(netlink_table_used(state->netlink, AF_INET6, TABLE), 1);
	assert_int_equal(netlink_route_del(state->netlink, state->index, &v4, 0), 0);
	assert_int_equal(netlink_route_del(state->netlink, state->index, &v4, 0), -ESRCH);
	assert_int_equal(netlink_route_del(state->netlink, state->index, &v6, 0), 0);
	assert_int_equal(netlink_route_del(state->netlink, state->index, &all, TABLE), 0);
	assert_int_equal(netlink_route_del(state->netlink, state->index, &all6, TABLE), 0);
	assert_int_equal(netlink_table_used(state->netlink, AF_INET, TABLE), 0);
	assert_int_equal(netlink_table_used(state->netlink, AF_INET6, TABLE), 0);
	assert_string_equal(namespace_run("ip route show"), "");
}

/* More routes than fit into one send, with some that the kernel rejects. */
static void routes_are_added_together(void **context)
{
	enum { COUNT = 200, EVERY = 7 };
	struct state *state = *context;
	struct netlink_route routes[COUNT];
	int status[COUNT], standing = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		routes[i] = (struct netlink_route) { { .family = AF_INET, .length = 24 }, TABLE, state->index, 0 };
		put_be32(routes[i].to.address, 0x0a000000 | i << 8 | (i % EVERY ? 0 : 1)); /* a bit after the prefix */
	}
	netlink_routes_add(state->netlink, routes, COUNT, status);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(status[i], i % EVERY ? 0 : -EINVAL);
		standing += status[i] == 0;
	}
	assert_int_equal(atoi(namespace_run("ip route show table 51820 | wc -l")), standing);
	netlink_routes_add(state->netlink, routes, COUNT, status);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(status[i], i % EVERY ? -EEXIST : -EINVAL);
	routes[1].index = 9999;
	netlink_routes_add(state->netlink, routes, 2, status);
	assert_int_equal(status[1], -ENODEV);
	/* All answers were read, so the next request gets its own answer. */
	assert_int_equal(netlink_table_used(state->netlink, AF_INET, TABLE), 1);
	namespace_run("ip route flush table 51820");
	assert_int_equal(netlink_table_used(state->netlink, AF_INET, TABLE), 0);
}

static void count_route(void *context, const struct netlink_route *route)
{
	(*(int *)context)++;
}

/* The lists do not fit into one message of a dump. */
static void long_lists_are_read_whole(void **context)
{
	struct state *state = *context;
	int count = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		struct ip_prefix to = { .family = AF_INET, .length = 32 };

		put_be32(to.address, 0x0a000000 + i);
		assert_int_equal(add_route(state, state->index, &to, TABLE), 0);
	}
	assert_int_equal(netlink_route_each(state->netlink, AF_INET, 0, TABLE, count_route, &count), 0);
	assert_int_equal(count, MANY);
	assert_int_equal(netlink_route_each(state->netlink, AF_INET, state->index, TABLE, count_route, &count), 0);
	assert_int_equal(count, 2 * MANY);
	assert_int_equal(netlink_route_each(state->netlink, AF_INET, 1, TABLE, count_route, &count), 0);
	assert_int_equal(netlink_route_each(state->netlink, AF_INET, 0, TABLE + 1, count_route, &count), 0);
	assert_int_equal(count, 2 * MANY);
	namespace_run("ip route flush table 51820");
	assert_int_equal(netlink_table_used(state->netlink, AF_INET, TABLE), 0);
}

static uint32_t mtu_towards(struct state *state, const char *address)
{
	struct ip_prefix to = { 0 };
	uint32_t mtu = 1;

	if (address)
		to = prefix(address, 0);
	assert_int_equal(netlink_route_mtu(state->netlink, &to, &mtu), 0);
	return mtu;
}

static void the_mtu_of_a_route_is_found(void **context)
{
	struct state *state = *context;

	assert_int_equal(mtu_towards(state, "192.0.2.1"), 0);
	assert_int_equal(mtu_towards(state, "2001:db8::1"), 0);
	assert_int_equal(mtu_towards(state, NULL), 0);
	namespace_run("ip link add v0 type veth peer name v1; ip link set v0 mtu 1452 up; ip link set v1 up;"
				  "ip address add 192.0.2.1/24 dev v0; ip address add 2001:db8::1/64 dev v0 nodad;"
				  "ip -6 route add default via 2001:db8::2 mtu 1300");
	assert_int_equal(mtu_towards(state, "192.0.2.2"), 1452);
	assert_int_equal(mtu_towards(state, "2001:db8::2"), 1452);
	assert_int_equal(mtu_towards(state, "2001:db8:1::2"), 1300);
	assert_int_equal(mtu_towards(state, NULL), 1300);
	namespace_run("ip route add default nexthop via 192.0.2.2 nexthop via 192.0.2.3");
	assert_int_equal(mtu_towards(state, NULL), 1452);
	namespace_run("ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1280; ip route add 203.0.113.0/24 via 192.0.2.2");
	assert_int_equal(mtu_towards(state, "198.51.100.1"), 1280);
	assert_int_equal(mtu_towards(state, "203.0.113.1"), 1452);
	namespace_run("ip link del v0");
}

static void rules_match_wg_quick(void **context)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct state *state = *context;

	for (size_t i = 0; i < sizeof families; i++) {
		uint8_t family = families[i];
		const char *show = family == AF_INET ? "ip rule show table 51820; ip rule show table main"
											 : "ip -6 rule show table 51820; ip -6 rule show table main";

		assert_int_equal(netlink_rule_add_not_mark(state->netlink, family, MARK, TABLE), 0);
		assert_int_equal(netlink_rule_add_suppress_main(state->netlink, family), 0);
		assert_string_equal(namespace_run(show), "32765: not from all fwmark 0xca6c lookup 51820\n"
												 "32764: from all lookup main suppress_prefixlength 0\n"
												 "32766: from all lookup main\n");
		assert_int_equal(netlink_rule_del_not_mark(state->netlink, family, MARK, TABLE), 0);
		assert_int_equal(netlink_rule_del_suppress_main(state->netlink, family), 0);
		assert_int_equal(netlink_rule_del_not_mark(state->netlink, family, MARK, TABLE), -ENOENT);
		assert_int_equal(netlink_rule_del_suppress_main(state->netlink, family), -ENOENT);
		assert_string_equal(namespace_run(show), "32766: from all lookup main\n");
	}
}

/* The kernel's own search would match any of these rules. */
static void other_rules_are_kept(void **context)
{
	struct state *state = *context;
	char before[4096];

	namespace_run(
		"ip rule add fwmark 51820 table 51820; ip rule add not fwmark 51820/0xffff table 51820;"
		"ip rule add not from 10.0.0.0/8 fwmark 51820 table 51820; ip rule add not fwmark 51820 iif lo table 51820;"
		"ip rule add not fwmark 51820 table 51821; ip rule add from 10.0.0.0/8 table main suppress_prefixlength 0;"
		"ip rule add table main suppress_prefixlength 1; ip rule add not fwmark 51821 table 51820");
	strcpy(before, namespace_run("ip rule show"));
	assert_int_equal(netlink_rule_del_not_mark(state->netlink, AF_INET, MARK, TABLE), -ENOENT);
	assert_int_equal(netlink_rule_del_suppress_main(state->netlink, AF_INET), -ENOENT);
	assert_string_equal(namespace_run("ip rule show"), before);
	namespace_run("ip rule flush; ip rule add table main priority 32766; ip rule add table default priority 32767");
}

/* B started after A, so its rules are in front of A's. When A stops, B must keep a suppressing rule in front of its
 * own. */
static void a_second_tunnel_keeps_its_suppressing_rule(void **context)
{
	struct state *state = *context;

	for (uint32_t tunnel = 0; tunnel < 2; tunnel++) {
		assert_int_equal(netlink_rule_add_not_mark(state->netlink, AF_INET, MARK + tunnel, TABLE + tunnel), 0);
		assert_int_equal(netlink_rule_add_suppress_main(state->netlink, AF_INET), 0);
	}
	assert_int_equal(netlink_rule_del_not_mark(state->netlink, AF_INET, MARK, TABLE), 0);
	assert_int_equal(netlink_rule_del_suppress_main(state->netlink, AF_INET), 0);
	assert_string_equal(namespace_run("ip rule show"), "0: from all lookup local\n"
													   "32762: from all lookup main suppress_prefixlength 0\n"
													   "32763: not from all fwmark 0xca6d lookup 51821\n"
													   "32766: from all lookup main\n32767: from all lookup default\n");
	assert_int_equal(netlink_rule_del_not_mark(state->netlink, AF_INET, MARK + 1, TABLE + 1), 0);
	assert_int_equal(netlink_rule_del_suppress_main(state->netlink, AF_INET), 0);
}

struct seen {
	int events;
	struct netlink_event last;
};

static void note_event(void *context, const struct netlink_event *event)
{
	struct seen *seen = context;

	seen->events++;
	seen->last = *event;
}

static struct seen read_events(int fd, uint32_t index)
{
	struct seen seen = { 0 };

	assert_int_equal(netlink_watch_read(fd, index, note_event, &seen), 0);
	return seen;
}

static void link_events_arrive(void **context)
{
	struct state *state = *context;
	int fd = netlink_watch_open(), tun = namespace_tun("tun1");
	uint32_t index = if_nametoindex("tun1");
	struct seen seen;

	assert_true(fd >= 0 && tun >= 0);
	seen = read_events(fd, index);
	assert_true(seen.events > 0);
	assert_false(seen.last.up);
	assert_int_equal(read_events(fd, index).events, 0); /* no events, and the call does not block */
	netlink_link_set(state->netlink, index, 1400, true);
	seen = read_events(fd, index);
	assert_true(seen.last.up && !seen.last.gone);
	assert_int_equal(seen.last.mtu, 1400);
	assert_int_equal(seen.last.index, index);
	netlink_link_set(state->netlink, index, 0, false);
	assert_false(read_events(fd, index).last.up);
	netlink_link_set(state->netlink, state->index, 1300, true);
	assert_int_equal(read_events(fd, index).events, 0); /* the event was of another interface */
	close(tun);
	seen = read_events(fd, index);
	assert_true(seen.last.gone);
	close(fd);
}

static void leaving_a_bridge_is_not_a_deletion(void **context)
{
	int fd = netlink_watch_open();
	struct seen seen;
	uint32_t index;

	assert_string_equal(namespace_run("ip link add d0 type veth peer name d1; ip link add br0 type bridge;"
									  "ip link set d0 master br0"),
						"");
	index = if_nametoindex("d0");
	read_events(fd, index);
	namespace_run("ip link set d0 nomaster");
	seen = read_events(fd, index);
	assert_true(seen.events > 0);
	assert_false(seen.last.gone);
	namespace_run("ip link del br0; ip link del d0");
	close(fd);
}

static void lost_events_are_reported(void **context)
{
	struct state *state = *context;
	int fd = netlink_watch_open(), size = 4096, status = 0;
	struct seen seen = { 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	for (uint32_t i = 0; i < 64; i++)
		netlink_link_set(state->netlink, state->index, 1300 + i, true);
	for (int i = 0; i < 64 && status == 0; i++)
		status = netlink_watch_read(fd, state->index, note_event, &seen);
	assert_int_equal(status, -ENOBUFS);
	assert_int_equal(netlink_watch_read(fd, state->index, note_event, &seen), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_is_set),
		cmocka_unit_test(addresses_are_added_and_deleted),
		cmocka_unit_test(addresses_are_listed),
		cmocka_unit_test(routes_are_added_and_deleted),
		cmocka_unit_test(routes_are_added_together),
		cmocka_unit_test(long_lists_are_read_whole),
		cmocka_unit_test(the_mtu_of_a_route_is_found),
		cmocka_unit_test(rules_match_wg_quick),
		cmocka_unit_test(other_rules_are_kept),
		cmocka_unit_test(a_second_tunnel_keeps_its_suppressing_rule),
		cmocka_unit_test(link_events_arrive),
		cmocka_unit_test(leaving_a_bridge_is_not_a_deletion),
		cmocka_unit_test(lost_events_are_reported),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
