/* SPDX-License-Identifier: MIT */
/* Tests of the rtnetlink calls in a network namespace. ip(8) shows the results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "netlink_rig.h"
#include "uplinks_rig.h"

enum { TABLE = 51820, MARK = 51820, MANY = 3000 };

static struct ip_prefix prefix(const char *address, uint8_t length)
{
	struct ip_prefix prefix = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .length = length };

	assert_int_equal(inet_pton(prefix.family, address, prefix.address), 1);
	return prefix;
}

static void link_is_set(void **context)
{
	struct state *state = *context;
	struct netlink_link link;
	uint32_t mtu = 1;

	assert_int_equal(change_link(state, NETLINK_LINK_MTU, 1420), 0);
	assert_int_equal(change_link(state, NETLINK_LINK_MULTICAST, 0), 0);
	assert_int_equal(change_link(state, NETLINK_LINK_ADDR_GEN_MODE, 1), 0);
	assert_int_equal(change_link(state, NETLINK_LINK_SEND_REDIRECTS, 0), 0);
	assert_int_equal(change_link(state, NETLINK_LINK_PROMOTE_SECONDARIES, 1), 0);
	assert_int_equal(change_link(state, NETLINK_LINK_UP, 1), 0);
	assert_int_equal(netlink_link_mtu(state->netlink, state->index, &mtu), 0);
	assert_int_equal(mtu, 1420);
	assert_int_equal(netlink_link_read(state->netlink, state->index, &link), 0);
	assert_string_equal(link.name, "tun0");
	assert_true(link.up && link.mtu == 1420 && !link.multicast && link.has_v6 && link.addr_gen_mode == 1);
	assert_true(!link.send_redirects && link.promote_secondaries && !link.v6_disabled);
	assert_int_equal(change_link(state, NETLINK_LINK_MTU, 20), -EINVAL);
	assert_int_equal(netlink_link_change(state->netlink, 9999, NETLINK_LINK_UP, 1), -ENODEV);
	assert_int_equal(netlink_link_read(state->netlink, 9999, &link), -ENODEV);
	assert_int_equal(netlink_link_mtu(state->netlink, 9999, &mtu), -ENODEV);
	assert_int_equal(change_link(state, NETLINK_LINK_MTU, 1200), 0);
	assert_int_equal(netlink_link_read(state->netlink, state->index, &link), 0);
	assert_false(link.has_v6);
	assert_int_equal(change_link(state, NETLINK_LINK_MTU, 1420), 0);
}

static void addresses_are_added_and_deleted(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.7.0.1", 24), v6 = prefix("fd07::1", 64);

	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v4), 0);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v6), 0);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v4), -EEXIST);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v6), -EEXIST);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, 9999, &v4), -ENODEV);
	assert_string_equal(sandbox_output("ip -br address show tun0 scope global"),
						"tun0 UNKNOWN 10.7.0.1/24 fd07::1/64\n");
	assert_string_equal(sandbox_output("ip route show dev tun0"), "10.7.0.0/24 proto kernel scope link src 10.7.0.1\n");
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v4), 0);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v6), 0);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v4), -EADDRNOTAVAIL);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v6), -EADDRNOTAVAIL);
	assert_string_equal(sandbox_output("ip -br address show tun0 scope global"), "");
}

struct addresses {
	int count;
	struct ip_prefix last;
	uint8_t protocol;
};

static void count_address(void *context, const struct netlink_address_entry *entry)
{
	struct addresses *addresses = context;

	addresses->count++;
	addresses->last = entry->prefix;
	addresses->protocol = entry->protocol;
}

static void addresses_are_listed(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.7.0.1", 32), v6 = prefix("fd07::1", 128);
	struct addresses addresses = { 0 };

	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v4), 0);
	assert_int_equal(netlink_change_address(state->netlink, NETLINK_ADDRESS_ADD, state->index, &v6), 0);
	assert_int_equal(netlink_dump_addresses(state->netlink, AF_INET, state->index, count_address, &addresses), 0);
	assert_int_equal(addresses.count, 1);
	assert_true(addresses.protocol == NETLINK_PROTOCOL_ADIT || addresses.protocol == 0); /* 0 before Linux 5.18 */
	assert_memory_equal(&addresses.last, &v4, sizeof v4);
	assert_int_equal(netlink_dump_addresses(state->netlink, AF_INET6, state->index, count_address, &addresses), 0);
	assert_true(addresses.count >= 2); /* perhaps with a link-local one */
	netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v4);
	netlink_change_address(state->netlink, NETLINK_ADDRESS_DELETE, state->index, &v6);
	/* On a point-to-point address, our own end counts. */
	assert_string_equal(sandbox_output("ip address add 10.7.0.2 peer 10.7.0.9/32 dev tun0"), "");
	v4 = prefix("10.7.0.2", 32);
	netlink_dump_addresses(state->netlink, AF_INET, state->index, count_address, &addresses);
	assert_memory_equal(&addresses.last, &v4, sizeof v4);
	assert_string_equal(sandbox_output("ip address flush dev tun0 scope global"), "");
}

static int change_route(const struct state *state, bool add, uint32_t index, const struct ip_prefix *to, uint32_t table)
{
	const struct netlink_route_change change = { .to = *to, .table = table, .index = index, .type = RTN_UNICAST };
	int status;

	netlink_change_routes(state->netlink, add ? NETLINK_ROUTE_ADD : NETLINK_ROUTE_DELETE, &change, 1, &status);
	return status;
}

static int add_route(const struct state *state, uint32_t index, const struct ip_prefix *to, uint32_t table)
{
	return change_route(state, true, index, to, table);
}

static void count_route(void *context, const struct netlink_route_entry *entry)
{
	(*(int *)context)++;
}

static int count_routes(const struct state *state, uint8_t family, uint32_t index, uint32_t table)
{
	struct netlink_route_filter filter = { .family = family, .index = index, .table = table };
	int count = 0;

	filter.protocol = NETLINK_PROTOCOL_ADIT;
	assert_int_equal(netlink_dump_routes(state->netlink, &filter, count_route, &count), 0);
	return count;
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
	assert_string_equal(sandbox_output("ip route show"), "10.9.0.0/16 dev tun0 proto 173 scope link\n");
	assert_string_equal(sandbox_output("ip -6 route show fd09::/48"),
						"fd09::/48 dev tun0 proto 173 metric 1024 pref medium\n");
	assert_string_equal(sandbox_output("ip route show table 51820"), "default dev tun0 proto 173 scope link\n");
	assert_string_equal(sandbox_output("ip -6 route show table 51820"),
						"default dev tun0 proto 173 metric 1024 pref medium\n");
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE) > 0, 1);
	assert_int_equal(count_routes(state, AF_INET6, 0, TABLE) > 0, 1);
	assert_int_equal(change_route(state, false, state->index, &v4, 0), 0);
	assert_int_equal(change_route(state, false, state->index, &v4, 0), -ESRCH);
	assert_int_equal(change_route(state, false, state->index, &v6, 0), 0);
	assert_int_equal(change_route(state, false, state->index, &all, TABLE), 0);
	assert_int_equal(change_route(state, false, state->index, &all6, TABLE), 0);
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE) > 0, 0);
	assert_int_equal(count_routes(state, AF_INET6, 0, TABLE) > 0, 0);
	assert_string_equal(sandbox_output("ip route show"), "");
}

/* More routes than fit into one send, with some that the kernel rejects. */
static void routes_are_added_together(void **context)
{
	enum { COUNT = 200, EVERY = 7 };
	struct state *state = *context;
	struct netlink_route_change routes[COUNT];
	int status[COUNT], standing = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		routes[i] = (struct netlink_route_change) {
			.to = { .family = AF_INET, .length = 24 }, .table = TABLE, .index = state->index, .type = RTN_UNICAST
		};
		put_be32(routes[i].to.address, 0x0a000000 | i << 8 | (i % EVERY ? 0 : 1)); /* a bit after the prefix */
	}
	netlink_change_routes(state->netlink, NETLINK_ROUTE_ADD, routes, COUNT, status);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(status[i], i % EVERY ? 0 : -EINVAL);
		standing += status[i] == 0;
	}
	assert_int_equal(atoi(sandbox_output("ip route show table 51820 | wc -l")), standing);
	netlink_change_routes(state->netlink, NETLINK_ROUTE_ADD, routes, COUNT, status);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(status[i], i % EVERY ? -EEXIST : -EINVAL);
	routes[1].index = 9999;
	netlink_change_routes(state->netlink, NETLINK_ROUTE_ADD, routes, 2, status);
	assert_int_equal(status[1], -ENODEV);
	/* All answers were read, so the next request gets its own answer. */
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE) > 0, 1);
	sandbox_output("ip route flush table 51820");
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE) > 0, 0);
}

/* The lists do not fit into one message of a dump. */
static void long_lists_are_read_whole(void **context)
{
	struct state *state = *context;

	for (uint32_t i = 0; i < MANY; i++) {
		struct ip_prefix to = { .family = AF_INET, .length = 32 };

		put_be32(to.address, 0x0a000000 + i);
		assert_int_equal(add_route(state, state->index, &to, TABLE), 0);
	}
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE), MANY);
	assert_int_equal(count_routes(state, AF_INET, state->index, TABLE), MANY);
	assert_int_equal(count_routes(state, AF_INET, 1, TABLE), 0);
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE + 1), 0);
	sandbox_output("ip route flush table 51820");
	assert_int_equal(count_routes(state, AF_INET, 0, TABLE) > 0, 0);
}

static uint32_t mtu_towards(struct state *state, const char *address)
{
	struct ip_prefix to = { 0 };
	uint32_t mtu = 1;

	if (address)
		to = prefix(address, 0);
	assert_int_equal(netlink_route_mtu(state->netlink, &to, 0, 0, &mtu), 0);
	return mtu;
}

static void the_mtu_of_a_route_is_found(void **context)
{
	struct state *state = *context;

	assert_int_equal(mtu_towards(state, "192.0.2.1"), 0);
	assert_int_equal(mtu_towards(state, "2001:db8::1"), 0);
	assert_int_equal(mtu_towards(state, NULL), 0);
	sandbox_output("ip link add v0 type veth peer name v1; ip link set v0 mtu 1452 up; ip link set v1 up;"
				   "ip address add 192.0.2.1/24 dev v0; ip address add 2001:db8::1/64 dev v0 nodad;"
				   "ip -6 route add default via 2001:db8::2 mtu 1300");
	assert_int_equal(mtu_towards(state, "192.0.2.2"), 1452);
	assert_int_equal(mtu_towards(state, "2001:db8::2"), 1452);
	assert_int_equal(mtu_towards(state, "2001:db8:1::2"), 1300);
	assert_int_equal(mtu_towards(state, NULL), 1300);
	sandbox_output("ip route add default nexthop via 192.0.2.2 nexthop via 192.0.2.3");
	assert_int_equal(mtu_towards(state, NULL), 1452);
	sandbox_output("ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1280; ip route add 203.0.113.0/24 via 192.0.2.2");
	assert_int_equal(mtu_towards(state, "198.51.100.1"), 1280);
	assert_int_equal(mtu_towards(state, "203.0.113.1"), 1452);
	sandbox_output("ip link del v0");
}

static int leaves(struct state *state, const char *from, const char *to, const struct netlink_flow *rest,
				  const char *interface)
{
	struct netlink_flow flow = rest ? *rest : (struct netlink_flow) { 0 };

	flow.to = prefix(to, 0);
	if (from)
		flow.from = prefix(from, 0);
	return netlink_flow_leaves(state->netlink, &flow, if_nametoindex(interface));
}

static int make_uplinks(void **context)
{
	uplinks_make();
	return 0;
}

static int delete_uplinks(void **context)
{
	command("ip address del 203.0.113.7/32 dev lo; ip address del 2001:db8:7::7/128 dev lo");
	command("ip link del wan1; ip link del wan2; ip link set lo down");
	return 0;
}

static const struct {
	const char *ip, *first, *second, *on_lo, *next1, *next2, *nobody, *to;
} uplinks[] = {
	{ "ip", "192.0.2.1", "198.51.100.1", "203.0.113.7", "192.0.2.2", "198.51.100.2", "203.0.113.8", "198.18.0.1" },
	{ "ip -6", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:7::7", "2001:db8:1::2", "2001:db8:2::2", "2001:db8:7::8",
	  "2001:db8:99::1" },
};

static void a_flow_follows_its_source_mark_and_ports(void **context)
{
	struct state *state = *context;

	for (int i = 0; i < 2; i++) {
		const char *ip = uplinks[i].ip, *first = uplinks[i].first, *second = uplinks[i].second, *to = uplinks[i].to;
		const struct netlink_flow marked = { .mark = MARK }, from_port = { .from_port = 4000 },
								  to_port = { .to_port = 5000 };

		assert_int_equal(leaves(state, NULL, to, NULL, "wan1"), 1);
		assert_int_equal(leaves(state, second, to, NULL, "wan1"), 1);
		assert_int_equal(leaves(state, second, to, NULL, "wan2"), 0);
		command("%s rule add from %s lookup 100 pref 50", ip, second);
		assert_int_equal(leaves(state, second, to, NULL, "wan2"), 1);
		assert_int_equal(leaves(state, second, to, NULL, "wan1"), 0);
		assert_int_equal(leaves(state, first, to, NULL, "wan1"), 1);
		command("%s rule add fwmark %d lookup 100 pref 51", ip, MARK);
		assert_int_equal(leaves(state, first, to, &marked, "wan2"), 1);
		command("%s rule add ipproto udp sport 4000 lookup 100 pref 52", ip);
		assert_int_equal(leaves(state, first, to, &from_port, "wan2"), 1);
		command("%s rule add ipproto udp dport 5000 lookup 100 pref 53", ip);
		assert_int_equal(leaves(state, first, to, &to_port, "wan2"), 1);
		assert_int_equal(leaves(state, first, to, NULL, "wan2"), 0);
		for (int preference = 50; preference <= 53; preference++)
			command("%s rule del pref %d", ip, preference);
	}
	assert_true(leaves(state, "203.0.113.8", "198.18.0.1", NULL, "wan1") < 0);
	assert_int_equal(leaves(state, NULL, "192.0.2.9", NULL, "tun0"), 0);
}

static void a_flow_may_leave_by_each_of_several_next_hops(void **context)
{
	struct state *state = *context;

	for (int i = 0; i < 2; i++) {
		command("%s route replace default nexthop via %s dev wan1 nexthop via %s dev wan2", uplinks[i].ip,
				uplinks[i].next1, uplinks[i].next2);
		for (int way = 1; way <= 2; way++) {
			char interface[8];

			snprintf(interface, sizeof interface, "wan%d", way);
			assert_int_equal(leaves(state, uplinks[i].first, uplinks[i].to, NULL, interface), 2);
			assert_int_equal(leaves(state, uplinks[i].second, uplinks[i].to, NULL, interface), 2);
		}
		assert_int_equal(leaves(state, NULL, uplinks[i].to, NULL, "lo"), 0);
	}
}

/* With nexthop_compat_mode = 0 the kernel names only the object, so its next hops are found one by one, for IPv4. */
static void a_flow_may_leave_by_a_nexthop_object(void **context)
{
	struct state *state = *context;

	for (int mode = 0; mode <= 1; mode++) {
		command("echo %d >/proc/sys/net/ipv4/nexthop_compat_mode", mode);
		for (int i = 0; i <= mode; i++) {
			const char *ip = uplinks[i].ip, *first = uplinks[i].first, *to = uplinks[i].to;

			command("%s nexthop add id 1 via %s dev wan1", ip, uplinks[i].next1);
			command("%s nexthop add id 2 via %s dev wan2", ip, uplinks[i].next2);
			command("ip nexthop add id 3 group 1/2");
			command("%s route replace default nhid 1", ip);
			assert_int_equal(leaves(state, first, to, NULL, "wan1"), mode ? 1 : 2);
			assert_int_equal(leaves(state, first, to, NULL, "wan2"), 0);
			command("%s route replace default nhid 3", ip);
			assert_int_equal(leaves(state, first, to, NULL, "wan1"), 2);
			assert_int_equal(leaves(state, first, to, NULL, "wan2"), 2);
			assert_int_equal(leaves(state, NULL, to, NULL, "lo"), 0);
			command("ip nexthop flush >/dev/null");
		}
	}
}

static void the_interface_of_an_address_is_found(void **context)
{
	struct state *state = *context;
	uint32_t index;

	for (int i = 0; i < 2; i++) {
		const struct ip_prefix first = prefix(uplinks[i].first, 0), second = prefix(uplinks[i].second, 0),
							   on_lo = prefix(uplinks[i].on_lo, 0), nobody = prefix(uplinks[i].nobody, 0);

		assert_int_equal(netlink_address_interface(state->netlink, &first, &index), 0);
		assert_int_equal(index, if_nametoindex("wan1"));
		assert_int_equal(netlink_address_interface(state->netlink, &second, &index), 0);
		assert_int_equal(index, if_nametoindex("wan2"));
		assert_int_equal(netlink_address_interface(state->netlink, &on_lo, &index), 0);
		assert_int_equal(index, if_nametoindex("lo"));
		assert_int_equal(netlink_address_interface(state->netlink, &nobody, &index), 0);
		assert_int_equal(index, 0);
	}
}

/* A deletion names the protocol, so the route of another program stays. */
static void foreign_routes_are_kept(void **context)
{
	struct state *state = *context;
	struct ip_prefix v4 = prefix("10.9.0.0", 16), v6 = prefix("fd09::", 48);

	sandbox_output("ip route add 10.9.0.0/16 dev tun0; ip -6 route add fd09::/48 dev tun0");
	assert_int_equal(change_route(state, false, state->index, &v4, 0), -ESRCH);
	assert_int_equal(change_route(state, false, state->index, &v6, 0), -ESRCH);
	assert_string_equal(sandbox_output("ip route show"), "10.9.0.0/16 dev tun0 scope link\n");
	sandbox_output("ip route flush dev tun0; ip -6 route del fd09::/48 dev tun0");
}

struct rules {
	struct netlink_rule_entry ours;
	int plain, all;
};

static void note_rule(void *context, const struct netlink_rule_entry *entry)
{
	struct rules *rules = context;

	rules->all++;
	rules->plain += entry->plain && entry->mark == MARK;
	if (entry->protocol == NETLINK_PROTOCOL_ADIT)
		rules->ours = *entry;
}

static void rules_are_added_found_and_deleted(void **context)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct state *state = *context;

	for (size_t i = 0; i < sizeof families; i++) {
		struct netlink_rule_entry rule = {
			families[i], NETLINK_PROTOCOL_ADIT, true, true, false, MARK, -1, TABLE, 100
		};
		struct rules rules = { 0 };
		const char *show = families[i] == AF_INET ? "ip rule show pref 100" : "ip -6 rule show pref 100";

		assert_int_equal(netlink_change_rule(state->netlink, true, &rule), 0);
		assert_string_equal(sandbox_output(show), "100: not from all fwmark 0xca6c lookup 51820 proto 173\n");
		assert_int_equal(netlink_dump_rules(state->netlink, families[i], note_rule, &rules), 0);
		assert_true(rules.ours.plain && rules.ours.inverted && !rules.ours.rejects);
		assert_int_equal(rules.ours.family, families[i]);
		assert_int_equal(rules.ours.mark, MARK);
		assert_int_equal(rules.ours.suppress, NETLINK_NOT_SUPPRESSED);
		assert_int_equal(rules.ours.table, TABLE);
		assert_int_equal(rules.ours.preference, 100);
		assert_int_equal(netlink_change_rule(state->netlink, false, &rule), 0);
		assert_int_equal(netlink_change_rule(state->netlink, false, &rule), -ENOENT);
		assert_string_equal(sandbox_output(show), "");
	}
}

static void rules_with_further_conditions_are_not_plain(void **context)
{
	struct state *state = *context;
	struct rules rules = { 0 };

	sandbox_output(
		"ip rule add not fwmark 51820/0xffff table 51820; ip rule add not from 10.0.0.0/8 fwmark 51820 table 1;"
		"ip rule add not fwmark 51820 iif lo table 51820; ip rule add fwmark 51820 blackhole");
	assert_int_equal(netlink_dump_rules(state->netlink, AF_INET, note_rule, &rules), 0);
	assert_int_equal(rules.plain, 0);
	assert_int_equal(rules.all, 7);
	sandbox_output("ip rule flush; ip rule add table main priority 32766; ip rule add table default priority 32767");
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
		cmocka_unit_test_setup_teardown(a_flow_follows_its_source_mark_and_ports, make_uplinks, delete_uplinks),
		cmocka_unit_test_setup_teardown(a_flow_may_leave_by_a_nexthop_object, make_uplinks, delete_uplinks),
		cmocka_unit_test_setup_teardown(a_flow_may_leave_by_each_of_several_next_hops, make_uplinks, delete_uplinks),
		cmocka_unit_test_setup_teardown(the_interface_of_an_address_is_found, make_uplinks, delete_uplinks),
		cmocka_unit_test(foreign_routes_are_kept),
		cmocka_unit_test(rules_are_added_found_and_deleted),
		cmocka_unit_test(rules_with_further_conditions_are_not_plain),
	};
	return cmocka_run_group_tests(tests, netlink_rig_set_up, netlink_rig_tear_down);
}
