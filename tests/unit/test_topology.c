/* SPDX-License-Identifier: MIT */
/*
 * Tests of the topology. A naive model forwards a packet between each two hosts, as their configuration files say: by
 * the longest prefix at each hop, with the check of the source at each receiver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "render.h"
#include "secrets.h"
#include "topology.h"

enum { HOSTS_MAX = 20, HOPS_MAX = 3 };

/* A network, and the files of its hosts after the parser has read them. */
struct world {
	struct host_list list;
	struct topology topology;
	struct secrets secrets;
	struct config configs[HOSTS_MAX];
};

static void print_line(void *context, const char *text)
{
	print_message("%s\n", text);
}

static void world_destroy(struct world *world)
{
	for (size_t i = 0; i < world->list.count; i++)
		config_destroy(&world->configs[i]);
	topology_destroy(&world->topology);
	secrets_destroy(&world->secrets);
	host_list_destroy(&world->list);
}

static void world_create(struct world *world, const char *text)
{
	struct ini_report report = { .line = print_line, .advice = true };
	struct network network = { &world->topology, &world->secrets, "x" };
	struct secret_text file = { 0 };
	struct reason reason = { 0 };
	size_t full;

	*world = (struct world) { 0 };
	assert_int_equal(host_list_parse(&world->list, "x", text, strlen(text), &report), 0);
	assert_true(world->list.count <= HOSTS_MAX);
	assert_int_equal(secrets_init(&world->secrets, world->list.count), 0);
	assert_int_equal(addresses_assign(&world->list, world->secrets.addresses, &full), 0);
	assert_int_equal(topology_init(&world->topology, &world->list), 0);
	assert_int_equal(secrets_complete(&world->secrets, &world->topology, &reason), 0);
	for (size_t i = 0; i < world->list.count; i++) {
		secret_text_clear(&file);
		render_host(&file, &network, i);
		assert_int_equal(ini_parse_config(&world->configs[i], "x.conf", file.bytes, file.length, &report), 0);
	}
	assert_int_equal(report.errors, 0);
	assert_int_equal(report.warnings, 0);
	secret_text_destroy(&file);
}

/* The host to whose AllowedIPs the address belongs, by the longest prefix; -1: none. */
static int owner_of(const struct world *world, size_t at, const struct ip_prefix *address)
{
	const struct config_peer *owner = NULL;
	int longest = -1;

	for (const struct config_peer *peer = world->configs[at].peers; peer; peer = peer->next) {
		for (const struct config_prefix *entry = peer->allowed_ips; entry; entry = entry->next) {
			if (prefix_contains(&entry->prefix, address) && entry->prefix.length > longest) {
				longest = entry->prefix.length;
				owner = peer;
			}
		}
	}
	for (size_t i = 0; owner && i < world->list.count; i++) {
		if (memcmp(world->secrets.hosts[i].public_key, owner->public_key, KEY_BYTES) == 0)
			return (int)i;
	}
	return -1;
}

/* Returns the number of tunnels that a packet crosses, 0 if it does not arrive. */
static int forward(const struct world *world, size_t from, const struct ip_prefix *source, size_t to,
				   const struct ip_prefix *destination)
{
	size_t at = from;

	for (int hops = 1; hops <= HOPS_MAX; hops++) {
		int next = owner_of(world, at, destination);

		if (next < 0 || owner_of(world, (size_t)next, source) != (int)at)
			return 0;
		at = (size_t)next;
		if (at == to)
			return hops;
	}
	return 0;
}

/* Returns the number of ordered pairs of hosts that reach each other's addresses; their networks must agree. */
static size_t count_reached(const struct world *world, int max_hops)
{
	const struct host_list *list = &world->list;
	size_t count = 0;

	for (size_t a = 0; a < list->count; a++) {
		for (size_t b = 0; b < list->count; b++) {
			const struct mesh_host *x = &list->hosts[a], *y = &list->hosts[b];
			int family = x->address[MESH_IPV4].family && y->address[MESH_IPV4].family ? MESH_IPV4 : MESH_IPV6;
			int hops = a == b ? 0 : forward(world, a, &x->address[family], b, &y->address[family]);

			assert_true(hops <= max_hops);
			count += hops > 0;
			for (const struct config_prefix *entry = y->networks; a != b && entry; entry = entry->next) {
				for (const struct config_prefix *own = x->networks; own; own = own->next)
					assert_int_equal(forward(world, a, &own->prefix, b, &entry->prefix), hops);
			}
		}
	}
	return count;
}

static void assert_reached(const char *text, size_t links, size_t pairs, int max_hops)
{
	struct world world;

	world_create(&world, text);
	assert_int_equal(world.topology.link_count, links);
	assert_int_equal(count_reached(&world, max_hops), 2 * pairs);
	world_destroy(&world);
}

#define NETWORK "network = 10.9.0.0/24, fd09::/64\n"
#define TWO_HUBS "topology = two-hubs\nhub = h, i\n" NETWORK "h h.example.org auto 192.168.1.0/24\ni i.example.org\n"
#define HUB "topology = hub\nhub = h\n" NETWORK "h h.example.org auto 192.168.1.0/24\n"

static void every_pair_of_a_full_mesh_is_one_hop(void **state)
{
	assert_reached(NETWORK "a a.example.org\n", 0, 0, 1);
	assert_reached(NETWORK "a a.example.org\nb -\n", 1, 1, 1);
	assert_reached(NETWORK "a a.example.org auto 192.168.1.0/24\nb -\nc c.example.org auto 192.168.2.0/24,fd01::/64\n",
				   3, 3, 1);
	assert_reached("a a.example.org 10.1.1.1\nb b.example.org 10.2.2.2\n", 1, 1, 1);
	assert_reached("network = fd09::/64\na a.example.org\nb b.example.org\nc - fd09::99\n", 3, 3, 1);
}

static void two_hosts_without_endpoints_have_no_tunnel(void **state)
{
	assert_reached(NETWORK "a a.example.org\nb -\nc -\n", 2, 2, 1);
	assert_reached(NETWORK "a -\nb -\n", 0, 0, 1);
}

static void a_hub_relays_for_hosts_without_endpoints(void **state)
{
	assert_reached("hub = a\n" NETWORK "a a.example.org\nb - auto 192.168.1.0/24\nc - auto 192.168.2.0/24\nd "
				   "d.example.org\n",
				   5, 6, 2);
}

static void every_pair_reaches_each_other_through_a_hub(void **state)
{
	assert_reached(HUB, 0, 0, 2);
	assert_reached(HUB "a -\n", 1, 1, 2);
	assert_reached(HUB "a - auto 192.168.2.0/24\nb b.example.org auto 192.168.3.0/24\nc - auto fd01::/64\n", 3, 6, 2);
	assert_reached("topology = hub\nhub = b\na - 10.1.1.1\nb b.example.org 10.1.1.2\nc - 10.1.1.3\n", 2, 3, 2);
	assert_reached(HUB "a - auto 0.0.0.0/0,::/0\nb -\n", 2, 3, 2);
}

static void every_pair_reaches_each_other_through_two_hubs(void **state)
{
	assert_reached(TWO_HUBS, 1, 1, 2);
	assert_reached(TWO_HUBS "a -\n", 3, 3, 2);
	assert_reached(TWO_HUBS "a -\nb - auto 192.168.2.0/24\nc c.example.org auto 192.168.3.0/24\nd -\ne -\n", 11, 21, 2);
	assert_reached(TWO_HUBS "a - hub=h\nb - hub=h\nc c.example.org auto 192.168.3.0/24 hub=i\n", 7, 10, 2);
	assert_reached(
		"topology = two-hubs\nhub = h, i\nh h.example.org 10.0.0.1\ni i.example.org 10.0.0.2\na - 10.0.0.3\nb "
		"- 10.0.0.4\n",
		5, 6, 2);
}

static void only_hosts_that_share_a_group_reach_each_other(void **state)
{
	/* a-b, a-c, b-c by the groups; d-e, because both have none; f with all */
	static const char groups[] = "a a.example.org auto - x\nb b.example.org auto - x,y\nc c.example.org auto - y,x\n"
								 "d d.example.org\ne e.example.org\nf f.example.org auto - *\n";
	char text[512];

	snprintf(text, sizeof text, NETWORK "%s", groups);
	assert_reached(text, 9, 9, 1);
	snprintf(text, sizeof text, HUB "%s", groups);
	assert_reached(text, 6, 9 + 6, 2);
	snprintf(text, sizeof text, TWO_HUBS "%s", groups);
	assert_reached(text, 13, 9 + 13, 2);
}

static void spokes_are_divided_between_the_hubs(void **state)
{
	struct world world;

	world_create(&world, TWO_HUBS "a - hub=i\nb -\nc -\nd -\n");
	assert_int_equal(world.topology.primary[0], MESH_NO_HUB);
	assert_int_equal(world.topology.primary[1], MESH_NO_HUB);
	assert_int_equal(world.topology.primary[2], 1);
	assert_int_equal(world.topology.primary[3], 0);
	assert_int_equal(world.topology.primary[4], 0);
	assert_int_equal(world.topology.primary[5], 1);
	world_destroy(&world);
}

static void both_ends_of_a_tunnel_have_the_same_preshared_key(void **state)
{
	struct world world;

	world_create(&world, TWO_HUBS "a -\nb -\nc c.example.org\n");
	for (size_t a = 0; a < world.list.count; a++) {
		for (const struct config_peer *peer = world.configs[a].peers; peer; peer = peer->next) {
			const struct config_peer *back;
			size_t b = 0;

			while (memcmp(world.secrets.hosts[b].public_key, peer->public_key, KEY_BYTES) != 0)
				b++;
			back = world.configs[b].peers;
			while (memcmp(world.secrets.hosts[a].public_key, back->public_key, KEY_BYTES) != 0)
				back = back->next;
			assert_true(peer->has_preshared_key);
			assert_memory_equal(peer->preshared_key, back->preshared_key, KEY_BYTES);
			assert_int_equal(peer->has_endpoint, world.list.hosts[b].has_endpoint);
			assert_int_equal(peer->has_keepalive, !world.list.hosts[a].has_endpoint);
		}
	}
	world_destroy(&world);
}

/* A spoke that may reach everyone gets the whole network, so that its file does not change with each new host. */
static void the_primary_hub_gets_the_whole_network(void **state)
{
	struct world world;
	char text[PREFIX_TEXT];

	world_create(&world, HUB "a -\nb - auto 192.168.7.0/24\n");
	prefix_to_text(text, &world.configs[1].peers->allowed_ips->prefix);
	assert_string_equal(text, "10.9.0.0/24");
	prefix_to_text(text, &world.configs[1].peers->allowed_ips->next->prefix);
	assert_string_equal(text, "fd09::/64");
	prefix_to_text(text, &world.configs[1].peers->allowed_ips->next->next->prefix);
	assert_string_equal(text, "192.168.1.0/24");
	prefix_to_text(text, &world.configs[1].peers->allowed_ips->next->next->next->prefix);
	assert_string_equal(text, "192.168.7.0/24");
	world_destroy(&world);
}

static void assert_assigned(struct host_list *list, const char *text, const struct ip_prefix *kept,
							const char *const expected[])
{
	struct ini_report report = { .line = print_line };
	size_t full;

	assert_int_equal(host_list_parse(list, "x", text, strlen(text), &report), 0);
	assert_int_equal(addresses_assign(list, kept, &full), 0);
	for (size_t i = 0; expected[i]; i++) {
		char addresses[RENDER_ADDRESSES];

		render_addresses(addresses, &list->hosts[i]);
		assert_string_equal(addresses, expected[i]);
	}
	host_list_destroy(list);
}
#define assert_addresses(list, text, kept, ...)                                                                        \
	assert_assigned(list, text, kept, (const char *const[]) { __VA_ARGS__, NULL })

static void free_addresses_are_assigned_in_order(void **state)
{
	static const struct ip_prefix none[2 * 8];
	struct ip_prefix kept[2 * 8] = { 0 };
	struct host_list list = { 0 };
	size_t full;
	struct ini_report report = { .line = print_line };
	static const char small[] = "network = 10.9.0.0/30\na a\nb b\nc c\n";
	static const char large[] = "network = fd09::/64\na a fd09::ffff:ffff:ffff:ffff\nb b\n";

	assert_addresses(&list, NETWORK "a a\nb b 10.9.0.1\nc c 10.9.0.3,fd09::2\nd d\n", none, "10.9.0.2, fd09::1",
					 "10.9.0.1", "10.9.0.3, fd09::2", "10.9.0.4, fd09::3");
	assert_addresses(&list, "network = 10.9.0.0/31\na a\nb b\n", none, "10.9.0.0", "10.9.0.1");
	assert_addresses(&list, "network = 10.9.0.0/30\na a\nb b\n", none, "10.9.0.1", "10.9.0.2");
	assert_addresses(&list, large, none, "fd09::ffff:ffff:ffff:ffff", "fd09::1");
	assert_addresses(&list, "network = fd09::/48\na a fd09::1:0:0:0:1\nb b\n", none, "fd09:0:0:1::1", "fd09::1");

	/* Earlier addresses stay, unless they are outside, not for a host, or explicitly given to another host. */
	assert_true(prefix_from_text(&kept[0], "10.9.0.9"));
	assert_true(prefix_from_text(&kept[2], "10.9.0.9"));
	assert_true(prefix_from_text(&kept[4], "10.8.0.1"));
	assert_true(prefix_from_text(&kept[6], "10.9.0.255"));
	assert_true(prefix_from_text(&kept[8], "10.9.0.1"));
	assert_true(prefix_from_text(&kept[9], "fd09::9"));
	assert_addresses(&list, NETWORK "a a\nb b\nc c\nd d\ne e\nf f 10.9.0.1\n", kept, "10.9.0.9, fd09::1",
					 "10.9.0.2, fd09::2", "10.9.0.3, fd09::3", "10.9.0.4, fd09::4", "10.9.0.5, fd09::9", "10.9.0.1");

	assert_int_equal(host_list_parse(&list, "x", small, strlen(small), &report), 0);
	assert_int_equal(addresses_assign(&list, none, &full), -ENOSPC);
	assert_int_equal(full, 2);
	host_list_destroy(&list);
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_a_full_mesh_is_one_hop),
		cmocka_unit_test(two_hosts_without_endpoints_have_no_tunnel),
		cmocka_unit_test(a_hub_relays_for_hosts_without_endpoints),
		cmocka_unit_test(every_pair_reaches_each_other_through_a_hub),
		cmocka_unit_test(every_pair_reaches_each_other_through_two_hubs),
		cmocka_unit_test(only_hosts_that_share_a_group_reach_each_other),
		cmocka_unit_test(spokes_are_divided_between_the_hubs),
		cmocka_unit_test(both_ends_of_a_tunnel_have_the_same_preshared_key),
		cmocka_unit_test(the_primary_hub_gets_the_whole_network),
		cmocka_unit_test(free_addresses_are_assigned_in_order),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
