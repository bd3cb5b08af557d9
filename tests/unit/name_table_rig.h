/* SPDX-License-Identifier: MIT */
/* A name table with a clock, a resolver, a hosts file and routes of the test's own. */
#ifndef ADIT_TEST_NAME_TABLE_RIG_H
#define ADIT_TEST_NAME_TABLE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "crypto/message.h"
#include "daemon/name_table.h"
#include "tunnel/control.h"
#include "tunnel/peer.h"

enum { QUERIES_MAX = 4096 };

/* A query to the fake resolver. */
struct query {
	char host[ENDPOINT_HOST];
	int family;
	void *name;
	bool open, abandoned;
};

static struct query queries[QUERIES_MAX];
static unsigned query_count;

static struct device device;
static struct config config;
static struct name_table table;
static struct peer *peer; /* the first one */
static uint64_t now;
static bool ipv6, route_v4, route_v6;
static uint64_t hosts_version;
static const char *hosts_host, *hosts_address;

/* --- the fakes ----- */

static inline struct resolver_query *fake_lookup(void *context, const char *host, int family, void *name)
{
	struct query *query = &queries[query_count++];

	assert_true(query_count < QUERIES_MAX);
	*query = (struct query) { .family = family, .name = name, .open = true };
	strcpy(query->host, host);
	return (struct resolver_query *)(void *)query;
}

static inline void fake_abandon(void *context, struct resolver_query *pointer)
{
	struct query *query = (struct query *)(void *)pointer;

	assert_true(query->open);
	query->abandoned = true;
	query->open = false;
}

static inline uint64_t fake_hosts_version(void *context)
{
	return hosts_version;
}

static inline void fake_read_hosts(void *context,
								   void (*handle)(void *to, const char *host, const struct endpoint *address), void *to)
{
	struct endpoint address;

	if (!hosts_host)
		return;
	assert_int_equal(endpoint_numeric(hosts_address, NULL, &address), 0);
	handle(to, hosts_host, &address);
}

static inline bool fake_reachable(void *context, const struct endpoint *to)
{
	return to->to.any.sa_family == AF_INET6 ? route_v6 : route_v4;
}

static inline bool fake_has_ipv6(void *context)
{
	return ipv6;
}

static const struct name_table_ops ops = {
	.lookup = fake_lookup,
	.abandon = fake_abandon,
	.hosts_version = fake_hosts_version,
	.read_hosts = fake_read_hosts,
	.reachable = fake_reachable,
	.has_ipv6 = fake_has_ipv6,
};

static unsigned initiations;

static inline int fake_send(void *context, struct peer *to_peer, const struct endpoint *to, const void *message,
							size_t n, uint8_t traffic_class)
{
	initiations++;
	return 0;
}

static inline void ignore_peer(void *context, struct peer *gone)
{
}

static const struct device_ops device_ops = { .send = fake_send, .peer_gone = ignore_peer };

/* --- steps ----- */

static inline struct config_peer *add_config_peer(uint8_t number, const char *host)
{
	struct config_peer *added = calloc(1, sizeof *added), **place = &config.peers;

	memset(added->public_key, number, sizeof added->public_key);
	added->has_endpoint = true;
	strcpy(added->endpoint_host, host);
	strcpy(added->endpoint_port, "51820");
	while (*place)
		place = &(*place)->next;
	*place = added;
	return added;
}

static inline int set_up(void **state)
{
	now = 1000 * NS_PER_S;
	query_count = initiations = 0;
	ipv6 = route_v4 = route_v6 = true;
	hosts_version = 1;
	hosts_host = NULL;
	assert_int_equal(control_init(&device, "names0", &aead_libsodium, NULL), 0);
	device.ops = &device_ops;
	memset(&config, 0, sizeof config);
	peer = peer_add(&device, add_config_peer(7, "vpn.example")->public_key);
	assert_non_null(peer);
	assert_int_equal(name_table_init(&table, &device, &ops, NULL), 0);
	return 0;
}

static inline int tear_down(void **state)
{
	name_table_destroy(&table);
	for (unsigned i = 0; i < query_count; i++)
		assert_false(queries[i].open);
	config_destroy(&config);
	control_destroy(&device, NULL);
	return 0;
}

static inline void load(void)
{
	assert_int_equal(name_table_load(&table, &config, now), 0);
}

static inline void advance(uint64_t ns)
{
	now += ns;
	name_table_run(&table, now);
}

/*
 * Answers an open query for `host` and `family`. `text`: addresses, separated by blanks; empty: the name has none;
 * NULL: a failure.
 */
static inline void answer_host(const char *host, int family, const char *text)
{
	struct resolver_answer answer = { .family = family, .failure = text ? NULL : "no answer" };
	bool no_address = text && !*text;
	char copy[256], *rest = NULL;

	snprintf(copy, sizeof copy, "%s", text ? text : "");
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		assert_int_equal(endpoint_numeric(word, NULL, &answer.addresses[answer.count++]), 0);
	for (unsigned i = 0; i < query_count; i++) {
		struct query *query = &queries[i];
		if (!query->open || query->family != family || strcmp(query->host, host))
			continue;
		query->open = false;
		if (no_address) {
			answer.failure = "no address";
			answer.no_address = true;
		}
		name_table_answer(&table, query->name, &answer, now);
		return;
	}
	fail_msg("no query for %s, family %d", host, family);
}

static inline void answer_both(const char *v4, const char *v6)
{
	answer_host("vpn.example", AF_INET6, v6);
	answer_host("vpn.example", AF_INET, v4);
}

static inline void assert_at(const char *address)
{
	char text[ENDPOINT_TEXT], wanted[ENDPOINT_TEXT];

	snprintf(wanted, sizeof wanted, strchr(address, ':') ? "[%s]:51820" : "%s:51820", address);
	assert_string_equal(endpoint_text(text, &peer->endpoint), wanted);
}

static inline void receive_from(const char *address)
{
	struct endpoint from;

	assert_int_equal(endpoint_numeric(address, "51820", &from), 0);
	peer_set_endpoint(peer, &from, ORIGIN_ROAMED);
	peer_received(peer, 32, now);
	device_lock(&device);
	peer_forget_keys(peer); /* no initiation is without a response now */
	device_unlock(&device);
}

/* Lets REKEY_TIMEOUT pass without an answer to data or, if `initiation` is set, to an initiation. */
static inline void stay_silent(bool initiation)
{
	if (initiation) {
		device_lock(&device);
		peer_set_handshake_index(peer, peer_index_create(peer));
		device_unlock(&device);
		peer->handshake_sent = now;
	}
	now += REKEY_TIMEOUT;
	name_table_peer_silent(&table, peer, now);
}

#endif
