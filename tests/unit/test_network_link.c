/* SPDX-License-Identifier: MIT */
/* Tests of MTU, addresses and settings of the interface, and of IPv6 on it. */
#include "network_rig.h"

static void set_endpoint(struct endpoint *endpoint, const char *host)
{
	assert_int_equal(endpoint_numeric(host, "51820", endpoint), 0);
}

static void assert_mtu(struct scene *scene, const struct endpoint *endpoints, size_t count, const char *expected)
{
	down(scene);
	assert_int_equal(try_up_with(scene, "tun0", endpoints, count), 0);
	assert_shows(show_mtu, expected);
}

static void the_mtu_is_derived_from_the_smallest_route_mtu(void **state)
{
	struct scene *scene = *state;
	struct endpoint endpoints[4] = { 0 };

	configure(scene, "10.7.0.1/24", "");
	sandbox_output(
		"ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1400; ip route add 203.0.113.0/24 via 192.0.2.2 mtu 1450;"
		"ip link set lo up");
	set_endpoint(&endpoints[0], "203.0.113.1");
	set_endpoint(&endpoints[1], "198.51.100.1");
	set_endpoint(&endpoints[2], "2001:db8::1"); /* no route, so ignored; endpoints[3] is unknown */
	assert_mtu(scene, endpoints, 4, "mtu 1320\n");
	assert_mtu(scene, endpoints, 1, "mtu 1370\n");
	assert_mtu(scene, endpoints + 2, 2, "mtu 1372\n"); /* of the default route */
	set_endpoint(&endpoints[0], "127.0.0.1");
	assert_mtu(scene, endpoints, 1, "mtu 1372\n"); /* a relay on the loopback is ignored */
	set_endpoint(&endpoints[0], "fe80::1%v0");
	assert_mtu(scene, endpoints, 1, "mtu 1372\n");
	sandbox_output("ip route del default");
	assert_mtu(scene, NULL, 0, "mtu 1420\n");
	sandbox_output("ip route add 198.51.100.7 via 192.0.2.2 mtu 100");
	set_endpoint(&endpoints[0], "198.51.100.7");
	assert_mtu(scene, endpoints, 1, "mtu 68\n");
	scene->config.mtu = 1281;
	assert_mtu(scene, endpoints, 1, "mtu 1281\n");
	scene->config.mtu = 0;
	up(scene);
	assert_shows(show_mtu, "mtu 1420\n"); /* a reload derives it again */
}

/* Then the routes to the peers may lead through the tunnel itself. */
static void a_reload_derives_the_mtu_again(void **state)
{
	static const char *const allowed_ips[] = { "0.0.0.0/0", "0.0.0.0/1 128.0.0.0/1" };
	struct scene *scene = *state;
	struct endpoint endpoint;

	set_endpoint(&endpoint, "203.0.113.1");
	for (size_t i = 0; i < sizeof allowed_ips / sizeof *allowed_ips; i++) {
		configure(scene, "10.7.0.1/24", allowed_ips[i]);
		assert_mtu(scene, &endpoint, 1, "mtu 1372\n");
		for (int reloads = 0; reloads < 3; reloads++)
			assert_int_equal(try_up_with(scene, "tun0", &endpoint, 1), 0);
		assert_shows(show_mtu, "mtu 1372\n");
		scene->config.mtu = 9000;
		assert_int_equal(try_up_with(scene, "tun0", &endpoint, 1), 0);
		assert_shows(show_mtu, "mtu 9000\n");
		scene->config.mtu = 0;
		sandbox_output("ip link set v0 mtu 1400");
		assert_int_equal(try_up_with(scene, "tun0", &endpoint, 1), 0);
		assert_shows(show_mtu, "mtu 1320\n");
		sandbox_output("ip link set v0 down");
		assert_int_equal(try_up_with(scene, "tun0", &endpoint, 1), 0);
		assert_shows(show_mtu, "mtu 1320\n"); /* there is no route now */
		sandbox_output("ip link set v0 mtu 1452 up; ip route add default via 192.0.2.2");
	}
}

static void an_address_that_is_there_already_is_kept_and_is_not_ours(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.2/24 10.7.0.1/24", "");
	sandbox_output("ip address add 10.7.0.1/24 dev tun0");
	up(scene);
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24 10.7.0.2/24\n");
	down(scene);
	assert_shows("ip -br address show tun0", "tun0 DOWN 10.7.0.1/24\n");
}

static void the_mtu_and_ipv6(void **state)
{
	struct scene *scene = *state;

	sandbox_output("ip link set v0 mtu 1300");
	configure(scene, "10.7.0.1/24 fd07::1/64", "10.9.0.0/16 fd09::/48");
	up(scene);
	assert_shows(show_mtu, "mtu 1280\n");
	scene->config.mtu = 1200;
	up(scene);
	assert_shows(show_mtu, "mtu 1200\n");
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24\n");
	scene->config.mtu = 1420;
	up(scene);
	assert_shows(show_mtu, "mtu 1420\n");
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24 fd07::1/64\n");
	assert_shows("ip -6 route show dev tun0 proto 173", "fd09::/48 metric 1024 pref medium\n");
	assert_shows("cat /proc/sys/net/ipv6/conf/tun0/accept_ra", "0\n");
}

/* The kernel creates no link-local address, and accepts no Router Advertisement from a peer. */
static void the_interface_behaves_like_the_kernels(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "10.9.0.0/16");
	up(scene);
	assert_shows("ip -6 address show dev tun0 scope link", "");
	assert_shows("ip -d link show tun0 | grep -o MULTICAST", "exit 256");
	assert_shows("cat /proc/sys/net/ipv6/conf/tun0/accept_ra /proc/sys/net/ipv6/conf/tun0/addr_gen_mode "
				 "/proc/sys/net/ipv4/conf/tun0/send_redirects /proc/sys/net/ipv4/conf/all/send_redirects "
				 "/proc/sys/net/ipv4/conf/tun0/promote_secondaries",
				 "0\n1\n0\n0\n1\n");
}

static void a_host_without_ipv6_has_one_warning(void **state)
{
	struct scene *scene = *state;
	const char *warning;

	sandbox_output("echo 1 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6");
	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0 fd09::/48");
	warning = strstr(capture_log(up, scene), "IPv6");
	assert_non_null(warning);
	assert_null(strchr(strchr(warning, '\n') + 1, '\n'));
	assert_shows("ip -br address show tun0", "tun0 UNKNOWN 10.7.0.1/24\n");
	/* Another interface may have IPv6, so the traffic for the tunnel must not get there. */
	assert_rules(rules_v4, rules_v6);
	assert_shows("ip -6 route show table 51820 | grep -o unreachable.default", "unreachable default\n");
	sandbox_output("echo 0 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6");
	up(scene);
	assert_shows("ip -6 route show table 51820", "default dev tun0 proto 173 metric 1024 pref medium\n");
	sandbox_output("echo 1 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6");
	up(scene);
	down(scene);
	assert_rules(no_rules_v4, no_rules_v6);
	assert_shows("ip -6 route show table all proto 173", "");
}

static void an_mtu_without_ipv6_rejects_the_traffic_for_the_tunnel(void **state)
{
	struct scene *scene = *state;

	configure(scene, "10.7.0.1/24 fd07::1/64", "0.0.0.0/0 ::/0");
	scene->config.mtu = 1200;
	up(scene);
	assert_rules(rules_v4, rules_v6);
	assert_shows("ip -6 route show table 51820 | grep -o unreachable.default", "unreachable default\n");
	assert_shows("ip route show table 51820", "default dev tun0 proto 173 scope link\n");
	scene->config.mtu = 1300;
	up(scene);
	assert_shows("ip -6 route show table 51820", "default dev tun0 proto 173 metric 1024 pref medium\n");
}

/* The addresses on v0 keep the work queue busy in which the kernel finishes those of IPv6. */
static void ipv6_addresses_can_be_used_at_once(void **state)
{
	static const char busy[] = "echo 0 > /proc/sys/net/ipv6/conf/v0/accept_dad;"
							   "for i in $(seq 400); do echo address add fd01::$i/64 dev v0; done | ip -batch -";
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct scene *scene = *state;

	inet_pton(AF_INET6, "fd07::9", &address.sin6_addr);
	for (int time = 0; time < 10; time++) {
		int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		sandbox_output(busy);
		configure(scene, "fd07::1/64 fd07::9/64", "");
		up(scene);
		assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
		assert_string_equal(sandbox_output("ip -6 route show table local dev tun0 | grep -c ^local"), "2\n");
		close(fd);
		configure(scene, "fd07::1/64", "");
		up(scene);
		sandbox_output("ip -6 address flush dev v0 scope global");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(the_mtu_is_derived_from_the_smallest_route_mtu),
		network_test(a_reload_derives_the_mtu_again),
		network_test(an_address_that_is_there_already_is_kept_and_is_not_ours),
		network_test(the_mtu_and_ipv6),
		network_test(the_interface_behaves_like_the_kernels),
		network_test(a_host_without_ipv6_has_one_warning),
		network_test(an_mtu_without_ipv6_rejects_the_traffic_for_the_tunnel),
		network_test(ipv6_addresses_can_be_used_at_once),
	};

	network_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
