/* SPDX-License-Identifier: MIT */
/* Tests of the events of rtnetlink in a network namespace. ip(8) causes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "io/netlink_events.h"
#include "netlink_rig.h"

struct seen {
	uint32_t index; /* events of other interfaces are ignored */
	int events;
	struct netlink_event last;
};

static void note_event(void *context, const struct netlink_event *event)
{
	struct seen *seen = context;

	if (event->index != seen->index)
		return;
	seen->events++;
	seen->last = *event;
}

static struct seen read_events(int fd, uint32_t index)
{
	struct seen seen = { .index = index };

	assert_int_equal(netlink_events_read(fd, note_event, &seen), 0);
	return seen;
}

static void link_events_arrive(void **context)
{
	struct state *state = *context;
	int fd = netlink_events_open(NETLINK_EVENT_LINK, 0), tun = sandbox_tun("tun1");
	uint32_t index = if_nametoindex("tun1");
	struct seen seen;

	assert_true(fd >= 0 && tun >= 0);
	seen = read_events(fd, index);
	assert_true(seen.events > 0);
	assert_false(seen.last.up);
	assert_int_equal(read_events(fd, index).events, 0); /* no events, and the call does not block */
	netlink_link_change(state->netlink, index, NETLINK_LINK_MTU, 1400);
	netlink_link_change(state->netlink, index, NETLINK_LINK_UP, 1);
	seen = read_events(fd, index);
	assert_true(seen.last.up && !seen.last.removed);
	assert_int_equal(seen.last.mtu, 1400);
	assert_int_equal(seen.last.index, index);
	netlink_link_change(state->netlink, index, NETLINK_LINK_UP, 0);
	assert_false(read_events(fd, index).last.up);
	change_link(state, NETLINK_LINK_MTU, 1300);
	assert_int_equal(read_events(fd, index).events, 0); /* the event was of another interface */
	close(tun);
	seen = read_events(fd, index);
	assert_true(seen.last.removed);
	close(fd);
}

static void leaving_a_bridge_is_not_a_deletion(void **context)
{
	int fd = netlink_events_open(NETLINK_EVENT_LINK, 0);
	struct seen seen;
	uint32_t index;

	assert_string_equal(sandbox_output("ip link add d0 type veth peer name d1; ip link add br0 type bridge;"
									   "ip link set d0 master br0"),
						"");
	index = if_nametoindex("d0");
	read_events(fd, index);
	sandbox_output("ip link set d0 nomaster");
	seen = read_events(fd, index);
	assert_true(seen.events > 0);
	assert_false(seen.last.removed);
	sandbox_output("ip link del br0; ip link del d0");
	close(fd);
}

/* The kernel adds routes of its own, such as that for IPv6 multicast, a moment after their cause. */
static void note_route_event(void *context, const struct netlink_event *event)
{
	bool of_kernel = event->kind == NETLINK_EVENT_ROUTE && event->route.protocol == RTPROT_KERNEL;

	if (event->kind != NETLINK_EVENT_LINK && !of_kernel)
		*(bool *)context = true;
}

/* Returns true if the command causes events of routes or addresses that reach the socket. */
static bool causes_events(int fd, const char *command)
{
	bool any = false;

	sandbox_run("%s", command);
	assert_int_equal(netlink_events_read(fd, note_route_event, &any), 0);
	return any;
}

static void only_routes_with_an_mtu_are_reported(void **context)
{
	struct state *state = *context;
	int fd = netlink_events_open(NETLINK_EVENT_LINK, 0), tun = sandbox_tun("tun1"), other = sandbox_tun("tun2");
	uint32_t index = if_nametoindex("tun1");

	assert_true(fd >= 0 && tun >= 0 && other >= 0);
	assert_int_equal(netlink_events_add_route_mtus(fd, index, false), 0);
	sandbox_run("ip link set tun1 up; ip link set tun2 up; ip address add 10.3.0.1/24 dev tun1");
	causes_events(fd, "true");
	for (int removals = 0; removals < 2; removals++) {
		assert_int_equal(netlink_events_add_route_mtus(fd, index, removals), 0);
		assert_false(causes_events(fd, "ip route add 10.9.0.0/24 dev tun1; ip route add fd09::/64 dev tun1"));
		assert_false(causes_events(fd, "ip route del 10.9.0.0/24 dev tun1; ip route del fd09::/64 dev tun1"));
		assert_false(causes_events(fd, "ip route add 10.9.0.0/24 dev tun2 mtu 1300"));
		assert_false(causes_events(fd, "ip route add fd09::/64 dev tun2 mtu 1300"));
		assert_int_equal(causes_events(fd, "ip route replace 10.9.0.0/24 dev tun2"), removals);
		assert_int_equal(causes_events(fd, "ip route replace fd09::/64 dev tun2"), removals);
		assert_true(causes_events(fd, "ip route replace 10.9.0.0/24 dev tun1 mtu 1300"));
		assert_true(causes_events(fd, "ip route replace fd09::/64 dev tun1 mtu lock 1300"));
		assert_int_equal(causes_events(fd, "ip route replace 10.9.0.0/24 dev tun2"), removals);
		assert_true(causes_events(fd, "ip route del fd09::/64 dev tun1"));
		assert_true(causes_events(fd, "ip route replace 10.9.0.0/24 mtu 1300 nexthop dev tun1 nexthop dev tun2"));
		assert_true(causes_events(fd, "ip route del 10.9.0.0/24"));
		assert_true(causes_events(fd, "ip route add 10.9.0.0/24 dev tun1 table 77 mtu 1300"));
		assert_true(causes_events(fd, "ip route flush table 77"));
		assert_false(causes_events(fd, "ip address add 10.4.0.1/24 dev tun1"));
		assert_int_equal(causes_events(fd, "ip address del 10.4.0.1/24 dev tun1"), removals);
		assert_false(causes_events(fd, "ip address add 10.4.0.1/24 dev tun2; ip address del 10.4.0.1/24 dev tun2"));
	}
	change_link(state, NETLINK_LINK_MTU, 1290);
	assert_int_equal(read_events(fd, state->index).last.mtu, 1290); /* link events pass */
	close(tun);
	close(other);
	close(fd);
}

/* A routing daemon can change very many routes, so only those in our table arrive. */
static void only_the_routes_of_one_table_pass_the_filter(void **context)
{
	int fd = netlink_events_open(NETLINK_EVENT_ROUTE, 1), tun = sandbox_tun("tun1");

	assert_true(fd >= 0);
	sandbox_output("ip link set tun1 addrgenmode none up");
	for (int table = 0; table <= 77; table += 77) {
		assert_int_equal(netlink_events_set_filter(fd, 1, (uint32_t)table, NULL, 0), 0);
		causes_events(fd, "true");
		assert_int_equal(causes_events(fd, "ip route add 10.9.0.0/24 dev tun1 table 77"), table != 0);
		assert_int_equal(causes_events(fd, "ip -6 route add fd09::/64 dev tun1 table 77"), table != 0);
		assert_false(
			causes_events(fd, "ip route add 10.9.0.0/24 dev tun1 table 78; ip route add 10.9.0.0/24 dev tun1"));
		assert_false(
			causes_events(fd, "ip route del 10.9.0.0/24 dev tun1 table 78; ip route del 10.9.0.0/24 dev tun1"));
		assert_true(causes_events(fd, "ip route add default dev tun1 table 78; ip route del default table 78"));
		assert_int_equal(causes_events(fd, "ip route flush table 77"), table != 0);
		assert_int_equal(causes_events(fd, "ip -6 route flush table 77"), table != 0);
	}
	close(tun);
	close(fd);
}

static void routes_to_given_prefixes_pass_the_filter(void **context)
{
	static const char *const others[] = { "10.9.0.0/25",     "10.9.1.0/24", "fd09::/63",
										  "fd09:0:0:1::/64", "fd09::1/128", "fd09:1::/64" };
	int fd = netlink_events_open(NETLINK_EVENT_ROUTE, 1), tun = sandbox_tun("tun1");
	struct ip_prefix prefixes[NETLINK_EVENTS_PREFIXES];

	assert_true(fd >= 0);
	sandbox_output("ip link set tun1 addrgenmode none up");
	for (size_t i = 0; i < NETLINK_EVENTS_PREFIXES; i++)
		prefixes[i] = (struct ip_prefix) { AF_INET, 32, { 10, 8, 0, (uint8_t)i } };
	prefixes[0] = (struct ip_prefix) { AF_INET, 24, { 10, 9, 0, 0 } };
	prefixes[NETLINK_EVENTS_PREFIXES - 1] = (struct ip_prefix) { AF_INET6, 64, { 0xfd, 9 } };
	assert_int_equal(netlink_events_set_filter(fd, 1, 77, prefixes, NETLINK_EVENTS_PREFIXES), 0);
	causes_events(fd, "true");
	for (int round = 0; round < 2; round++) {
		const char *verb = round ? "del" : "add";
		char command[128];

		snprintf(command, sizeof command, "ip route %s 10.9.0.0/24 dev tun1", verb);
		assert_true(causes_events(fd, command));
		snprintf(command, sizeof command, "ip -6 route %s fd09::/64 dev tun1 metric 5", verb);
		assert_true(causes_events(fd, command));
		for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
			snprintf(command, sizeof command, "ip route %s %s dev tun1", verb, others[i]);
			assert_false(causes_events(fd, command));
		}
	}
	close(tun);
	close(fd);
}

static void lost_events_are_reported(void **context)
{
	struct state *state = *context;
	int fd = netlink_events_open(NETLINK_EVENT_LINK, 0), size = 4096, status = 0;
	struct seen seen = { .index = state->index };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	for (uint32_t i = 0; i < 64; i++)
		change_link(state, NETLINK_LINK_MTU, 1300 + (uint32_t)i);
	for (int i = 0; i < 64 && status == 0; i++)
		status = netlink_events_read(fd, note_event, &seen);
	assert_int_equal(status, -ENOBUFS);
	assert_int_equal(netlink_events_read(fd, note_event, &seen), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_events_arrive),
		cmocka_unit_test(leaving_a_bridge_is_not_a_deletion),
		cmocka_unit_test(only_routes_with_an_mtu_are_reported),
		cmocka_unit_test(only_the_routes_of_one_table_pass_the_filter),
		cmocka_unit_test(routes_to_given_prefixes_pass_the_filter),
		cmocka_unit_test(lost_events_are_reported),
	};
	return cmocka_run_group_tests(tests, netlink_rig_set_up, netlink_rig_tear_down);
}
