/* SPDX-License-Identifier: MIT */
/* INI: advice on settings that are valid, but that probably do not do what the administrator intended. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "ini_parser.h"

/* True if the AllowedIPs become routes that compete with the other routes of the host. */
static bool routes_in_main_table(const struct config *config)
{
	return config->table == TABLE_AUTO || (config->table == TABLE_NUMBER && config->table_number == RT_TABLE_MAIN);
}

/* True if our own interface, which may be up already, has the network, or if every link may have it. */
static bool network_is_harmless(const struct config *config, const struct ini_network *network)
{
	return strcmp(network->interface, config->interface) == 0 || prefix_is_link_local(&network->prefix);
}

/* The host cannot tell its own address from an equal one of the tunnel, whatever the prefix lengths. */
static void advise_address(const struct ini_parser *parser, const struct config_prefix *address,
						   const struct ini_network *network)
{
	const struct ip_prefix *own = &address->prefix;
	struct ip_prefix masked = *own;
	char text[PREFIX_TEXT];

	prefix_mask(&masked);
	if (own->family == network->address.family &&
		memcmp(own->address, network->address.address, sizeof own->address) == 0) {
		inet_ntop(own->family, own->address, text, sizeof text);
		ini_advice_in(parser, address->file, address->line, "Address: %s is also an address of this host, on %s", text,
					  network->interface);
	} else if (prefix_equal(&masked, &network->prefix)) {
		prefix_to_text(text, &masked);
		ini_advice_in(parser, address->file, address->line, "Address: %s is also a network of this host, on %s", text,
					  network->interface);
	}
}

static void advise_networks(const struct ini_parser *parser, const struct map *claims)
{
	const struct config *config = parser->config;

	for (size_t i = 0; i < parser->report->network_count; i++) {
		const struct ini_network *network = &parser->report->networks[i];
		const struct config_prefix *claim = ini_find_claim(claims, &network->prefix);
		char text[PREFIX_TEXT];

		if (network_is_harmless(config, network))
			continue;
		prefix_to_text(text, &network->prefix);
		if (claim && routes_in_main_table(config))
			ini_advice_in(parser, claim->file, claim->line, "AllowedIPs: %s is also a network of this host, on %s",
						  text, network->interface);
		for (const struct config_prefix *address = config->addresses; address; address = address->next)
			advise_address(parser, address, network);
	}
}

static bool host_has_network(const struct ini_parser *parser, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < parser->report->network_count; i++) {
		const struct ini_network *network = &parser->report->networks[i];
		if (!network_is_harmless(parser->config, network) && prefix_equal(&network->prefix, prefix))
			return true;
	}
	return false;
}

/*
 * The longest prefix that contains the endpoint decides. If it is in AllowedIPs, our own datagrams enter the tunnel. A
 * default route does so with Table = main only, because otherwise policy rules keep the datagrams out.
 */
static void advise_endpoint(const struct ini_parser *parser, const struct map *claims, const struct config_peer *peer)
{
	int shortest = parser->config->table == TABLE_AUTO;
	struct endpoint endpoint;
	struct ip_prefix prefix;

	if (!peer->has_endpoint || endpoint_numeric(peer->endpoint_host, peer->endpoint_port, &endpoint) < 0)
		return;
	if (!endpoint_address(&endpoint, &prefix) || prefix_is_link_local(&prefix))
		return;
	for (int length = prefix.length; length >= shortest; length--) {
		const struct config_prefix *claim;
		char text[PREFIX_TEXT];

		prefix.length = (uint8_t)length;
		prefix_mask(&prefix);
		if (host_has_network(parser, &prefix))
			return;
		claim = ini_find_claim(claims, &prefix);
		if (!claim)
			continue;
		prefix_to_text(text, &prefix);
		ini_advice_in(
			parser, claim->file, claim->line,
			"AllowedIPs: %s contains the endpoint %s, whose datagrams would enter the tunnel; the host needs a more "
			"specific route to it",
			text, peer->endpoint_host);
		return;
	}
}

static int compare_endpoints(const void *left, const void *right)
{
	const struct config_peer *a = *(const struct config_peer *const *)left;
	const struct config_peer *b = *(const struct config_peer *const *)right;
	int order = strcmp(a->endpoint_host, b->endpoint_host);

	return order ? order : strcmp(a->endpoint_port, b->endpoint_port);
}

/* One socket answers for one public key. Without memory there is no advice. */
static void advise_same_endpoints(const struct ini_parser *parser)
{
	const struct config_peer **sorted = calloc(parser->config->peer_count + 1, sizeof *sorted);
	char title[INI_TITLE], place[INI_PEER];
	size_t count = 0;

	for (const struct config_peer *peer = parser->config->peers; peer && sorted; peer = peer->next)
		if (peer->has_endpoint)
			sorted[count++] = peer;
	if (count)
		qsort(sorted, count, sizeof *sorted, compare_endpoints);
	for (size_t i = 1; i < count; i++)
		if (compare_endpoints(&sorted[i - 1], &sorted[i]) == 0)
			ini_advice_in(parser, sorted[i]->file, sorted[i]->line,
						  "%s: Endpoint is also that of %s; only one of them can answer there",
						  ini_peer_title(title, sorted[i]),
						  ini_peer_text(place, parser, sorted[i - 1], sorted[i]->file));
	free(sorted);
}

static bool has_default_route(const struct config *config)
{
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next)
		for (const struct config_prefix *entry = peer->allowed_ips; entry; entry = entry->next)
			if (entry->prefix.length == 0)
				return true;
	return false;
}

/* FailClosed keeps the policy rules of a default route, which only Table = auto has. */
static void advise_fail_closed(const struct ini_parser *parser)
{
	int line = parser->key_line[KEY_FAIL_CLOSED];

	if (!parser->config->fail_closed)
		return;
	if (!has_default_route(parser->config))
		ini_advice_in(parser, NULL, line,
					  "FailClosed has no effect without a default route; add 0.0.0.0/0 or ::/0 to AllowedIPs");
	else if (parser->config->table != TABLE_AUTO)
		ini_advice_in(parser, NULL, line, "FailClosed has no effect with this Table; use Table = auto");
}

/* The table of a default route has the number of the mark, and must not be one of the kernel's own. */
static void check_mark(const struct ini_parser *parser)
{
	uint32_t mark = parser->config->fwmark;

	if (mark >= RT_TABLE_DEFAULT && mark <= RT_TABLE_LOCAL && parser->config->table == TABLE_AUTO &&
		has_default_route(parser->config))
		ini_error_in(parser, NULL, parser->key_line[KEY_FWMARK],
					 "FwMark: a default route needs a routing table with the number of the mark, and %u is reserved",
					 mark);
}

/* The kernel drops packets that come from an address of its own, and sends none there. */
static void check_own_address(const struct ini_parser *parser, const struct map *claims,
							  const struct config_prefix *address)
{
	struct ip_prefix own = address->prefix;
	const struct config_prefix *claim;
	char text[PREFIX_TEXT];

	own.length = own.family == AF_INET ? 32 : 128;
	claim = ini_find_claim(claims, &own);
	if (!claim)
		return;
	prefix_to_text(text, &own);
	ini_warning_in(parser, claim->file, claim->line,
				   "AllowedIPs: %s is the Address of this interface itself; the peer needs another one", text);
}

/* Returns true if an earlier entry of the list is the same. */
static bool is_listed_before(const struct config *config, const struct config_prefix *address)
{
	const struct config_prefix *earlier = config->addresses;

	while (!prefix_equal(&earlier->prefix, &address->prefix))
		earlier = earlier->next;
	return earlier != address;
}

/* The kernel ignores the address 0.0.0.0, and nothing can be sent to the first address of an IPv4 network. */
static void check_addresses(const struct ini_parser *parser, const struct map *claims)
{
	static const uint8_t zero[sizeof(struct in6_addr)];

	for (const struct config_prefix *address = parser->config->addresses; address; address = address->next) {
		const char *special = prefix_special(&address->prefix);
		struct ip_prefix network = address->prefix;
		char text[PREFIX_TEXT];

		prefix_to_text(text, &network);
		if (is_listed_before(parser->config, address)) {
			ini_warning_in(parser, address->file, address->line, "Address: %s is listed twice", text);
			continue;
		}
		check_own_address(parser, claims, address);
		prefix_mask(&network);
		if (memcmp(address->prefix.address, zero, network.family == AF_INET ? 4 : 16) == 0)
			ini_warning_in(parser, address->file, address->line,
						   "Address: %s is not the address of a host, so the interface does not get it", text);
		else if (special)
			ini_advice_in(parser, address->file, address->line, "Address: %s is %s, not that of a host", text, special);
		else if (network.family == AF_INET && network.length < 31 && prefix_equal(&network, &address->prefix))
			ini_advice_in(parser, address->file, address->line,
						  "Address: %s is the network itself, not the address of a host in it", text);
	}
}

void ini_advise(const struct ini_parser *parser, const struct map *claims)
{
	const char *interface = parser->config->interface;
	uint32_t mtu = parser->config->mtu;

	if (strcmp(interface, "all") == 0 || strcmp(interface, "default") == 0)
		ini_error_in(parser, NULL, 0, "the kernel reserves the name %s, so no interface can have it; rename the file",
					 interface);
	check_addresses(parser, claims);
	check_mark(parser);
	if (!parser->report->advice)
		return;
	if (mtu && mtu < IPV6_MTU_MIN && config_uses_v6(parser->config))
		ini_advice_in(parser, NULL, parser->key_line[KEY_MTU],
					  "MTU: %u is less than %u, so the kernel disables IPv6 on the interface", mtu, IPV6_MTU_MIN);
	advise_fail_closed(parser);
	advise_networks(parser, claims);
	advise_same_endpoints(parser);
	if (!routes_in_main_table(parser->config))
		return;
	for (const struct config_peer *peer = parser->config->peers; peer; peer = peer->next)
		advise_endpoint(parser, claims, peer);
}
