/* SPDX-License-Identifier: MIT */
/*
 * The network of a tunnel in a network namespace:
 *
 *     v1 --- v0 (192.0.2.1/24, MTU 1452, default route via 192.0.2.2)      tun0
 *
 * The expected rules, routes and firewall are those of wg-quick(8) of wireguard-tools 1.0.20210914 for the same
 * configuration.
 */
#ifndef ADIT_TEST_NETWORK_RIG_H
#define ADIT_TEST_NETWORK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "network/network.h"
#include "sandbox.h"

static const char rules_v4[] = "0: from all lookup local\n"
							   "32764: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
							   "32765: not from all fwmark 0xca6c lookup 51820 proto 173\n"
							   "32766: from all lookup main\n"
							   "32767: from all lookup default\n";
static const char rules_v6[] = "0: from all lookup local\n"
							   "32764: not from all fwmark 0xca6c lookup main suppress_prefixlength 0 proto 173\n"
							   "32765: not from all fwmark 0xca6c lookup 51820 proto 173\n"
							   "32766: from all lookup main\n";
static const char no_rules_v4[] = "0: from all lookup local\n"
								  "32766: from all lookup main\n"
								  "32767: from all lookup default\n";
static const char no_rules_v6[] = "0: from all lookup local\n"
								  "32766: from all lookup main\n";

/* The firewall of a full tunnel. `drops` are the rules that protect its addresses. */
#define FIREWALL(family, drops)                                                                                        \
	"table " family " adit-tun0 {\n"                                                                                   \
	"chain preraw {\n"                                                                                                 \
	"type filter hook prerouting priority raw; policy accept;\n" drops "}\n\n"                                         \
	"chain premangle {\n"                                                                                              \
	"type filter hook prerouting priority mangle; policy accept;\n"                                                    \
	"meta l4proto { tcp, udp } ct mark 0x0000ca6c meta mark set ct mark\n"                                             \
	"}\n\n"                                                                                                            \
	"chain postmangle {\n"                                                                                             \
	"type filter hook postrouting priority mangle; policy accept;\n"                                                   \
	"meta l4proto { tcp, udp } meta mark 0x0000ca6c ct mark set meta mark\n"                                           \
	"}\n"                                                                                                              \
	"}\n"

static const char table_v4[] = FIREWALL("ip", "iif != \"tun0\" ip daddr 10.8.0.1 fib saddr type != local drop\n"
											  "iif != \"tun0\" ip daddr 10.7.0.1 fib saddr type != local drop\n");
static const char table_v6[] = FIREWALL("ip6", "iif != \"tun0\" ip6 daddr fd07::1 fib saddr type != local drop\n");

static const char show_mtu[] = "ip link show tun0 | grep -o 'mtu [0-9]*'";

/* A configuration with one peer, and the network that it results in. */
struct scene {
	struct config config;
	struct config_peer peer;
	struct network *network;
	struct network_plan plan;
	int tun;
	struct reason reason;
};

static const struct table_claim no_claim;

static inline void add_prefix(struct config_prefix **list, const char *text)
{
	struct config_prefix *prefix = calloc(1, sizeof *prefix);

	assert_non_null(prefix);
	assert_true(prefix_from_text(&prefix->prefix, text));
	while (*list)
		list = &(*list)->next;
	*list = prefix;
}

static inline void free_prefixes(struct config_prefix **list)
{
	while (*list) {
		struct config_prefix *prefix = *list;

		*list = prefix->next;
		free(prefix);
	}
}

/* Replaces the list with the prefixes in `text`, which are separated by spaces. */
static inline void set_prefixes(struct config_prefix **list, const char *text)
{
	char copy[256], *rest = copy;

	free_prefixes(list);
	strcpy(copy, text);
	for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
		if (*word)
			add_prefix(list, word);
}

static inline void down(struct scene *scene)
{
	network_close(scene->network);
	scene->network = NULL;
}

static inline int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	scene->config.peers = &scene->peer;
	scene->config.peer_count = 1;
	strcpy(scene->config.interface, "tun0");
	scene->tun = sandbox_tun("tun0");
	sandbox_output("ip link add v0 type veth peer name v1; ip link set v1 addrgenmode none up;"
				   "ip link set v0 addrgenmode none mtu 1452 up;" /* no address appears later */
				   "ip address add 192.0.2.1/24 dev v0; ip route add default via 192.0.2.2");
	*state = scene;
	return scene->tun >= 0 ? 0 : -1;
}

static inline int tear_down(void **state)
{
	struct scene *scene = *state;

	down(scene);
	close(scene->tun);
	free_prefixes(&scene->config.addresses);
	free_prefixes(&scene->peer.allowed_ips);
	free(scene);
	sandbox_output("ip link del v0; nft flush ruleset");
	return 0;
}

static inline void configure(struct scene *scene, const char *addresses, const char *allowed_ips)
{
	set_prefixes(&scene->config.addresses, addresses);
	set_prefixes(&scene->peer.allowed_ips, allowed_ips);
}

static inline int plan(struct scene *scene, struct network_plan *plan, struct table_claim *claim)
{
	const struct table_claim *current = scene->network ? network_claim(scene->network) : &no_claim;

	return network_plan(plan, current, claim, &scene->config, &scene->reason);
}

static inline int try_up_with(struct scene *scene, const char *interface, const struct endpoint *endpoints,
							  size_t count)
{
	struct table_claim claim = { 0 };
	int status = plan(scene, &scene->plan, &claim);

	if (status < 0)
		return status;
	if (!scene->network)
		scene->network = network_open(if_nametoindex(interface), &(struct network_options) { 0 });
	assert_non_null(scene->network);
	status = network_prepare(scene->network, &scene->plan, &claim, &scene->config, endpoints, count, &scene->reason);
	if (status == 0)
		network_commit(scene->network);
	return status;
}

static inline int try_up(struct scene *scene)
{
	return try_up_with(scene, "tun0", NULL, 0);
}

static inline void up(struct scene *scene)
{
	if (try_up(scene) != 0)
		fail_msg("%s", scene->reason.text);
}

/* Returns what `act` writes to standard error. */
static inline const char *capture_log(void (*act)(struct scene *scene), struct scene *scene)
{
	static char text[4096];
	int file = memfd_create("log", MFD_CLOEXEC), stderr_before = dup(STDERR_FILENO);
	ssize_t length;

	assert_true(file >= 0 && stderr_before >= 0);
	dup2(file, STDERR_FILENO);
	act(scene);
	dup2(stderr_before, STDERR_FILENO);
	length = pread(file, text, sizeof text - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(file);
	close(stderr_before);
	return text;
}

#define assert_shows(command, expected) assert_string_equal(sandbox_output(command), expected)

static inline void assert_rules(const char *v4, const char *v6)
{
	assert_shows("ip rule", v4);
	assert_shows("ip -6 rule", v6);
}

static inline void assert_firewall(const char *v4, const char *v6)
{
	if (*v4)
		assert_shows("nft list table ip adit-tun0 | sed 's/ comment .*//'", v4);
	if (*v6)
		assert_shows("nft list table ip6 adit-tun0 | sed 's/ comment .*//'", v6);
	assert_int_equal(strtol(sandbox_output("nft list tables | wc -l"), NULL, 10), !!*v4 + !!*v6);
}

#define network_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* To be called first in main. */
static inline void network_enter(void)
{
	sandbox_need_tun();
	sandbox_enter();
}

#endif
