/* SPDX-License-Identifier: MIT */
/*
 * The list of hosts: checks that concern several lines. Hosts are compared in pairs; with MESH_HOSTS_MAX hosts this
 * takes a fraction of a second.
 */
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "host_list_parser.h"

/* The address of an endpoint that is not a name, as a prefix of full length. */
static bool host_endpoint_address(const struct mesh_host *host, struct ip_prefix *address)
{
	struct endpoint endpoint;

	return host->has_endpoint && !endpoint_numeric(host->endpoint_host, host->endpoint_port, &endpoint) &&
		   endpoint_address(&endpoint, address);
}

static void resolve_hubs(struct host_parser *parser)
{
	static const size_t needed[] = { [TOPOLOGY_FULL] = 0, [TOPOLOGY_HUB] = 1, [TOPOLOGY_TWO_HUBS] = 2 };
	struct host_list *list = parser->list;
	int line = parser->option_line[OPTION_TOPOLOGY];

	for (size_t i = 0; i < parser->hub_count; i++) {
		const struct hub_name *hub = &parser->hubs[i];
		size_t host = host_list_find(list, hub->name);

		if (host == list->count)
			host_error(parser, hub->line, "hub: there is no host \"%s\"", hub->name);
		else if (host_is_hub(list, host))
			host_error(parser, hub->line, "hub: \"%s\" is named twice", hub->name);
		else if (!list->hosts[host].has_endpoint)
			host_error(parser, hub->line, "hub: host \"%s\" has no endpoint, so the others cannot reach it", hub->name);
		else
			list->hubs[list->hub_count++] = host;
	}
	if (parser->hub_count < needed[list->topology])
		host_error(parser, line, "topology: the option \"hub = %s\" is missing",
				   list->topology == TOPOLOGY_HUB ? "NAME" : "NAME, NAME");
	else if (list->topology != TOPOLOGY_TWO_HUBS && parser->hub_count > 1)
		host_error(parser, parser->option_line[OPTION_HUB], "hub: two hubs need \"topology = two-hubs\"");
}

/* The word "hub=" of a spoke. */
static void resolve_spoke_hub(struct host_parser *parser, size_t i)
{
	struct host_list *list = parser->list;
	const struct hub_name *word = &parser->spoke_hubs[i];

	if (!word->line)
		return;
	if (list->topology != TOPOLOGY_TWO_HUBS || host_is_hub(list, i)) {
		host_error(parser, word->line, "hub: only a spoke of \"topology = two-hubs\" has a choice");
		return;
	}
	for (size_t hub = 0; hub < list->hub_count; hub++) {
		if (strcmp(list->hosts[list->hubs[hub]].name, word->name) == 0)
			list->hosts[i].hub = (int)hub;
	}
	if (list->hosts[i].hub == MESH_NO_HUB)
		host_error(parser, word->line, "hub: \"%s\" is not one of the hubs", word->name);
}

/* The first address of a network, and the last one of an IPv4 network, belong to no host (RFC 4291, section 2.6.1). */
static bool is_host_address(const struct ip_prefix *network, const struct ip_prefix *address)
{
	struct ip_prefix inverse = *address;
	unsigned bits = address->length;

	if (network->length >= bits - 1)
		return true;
	inverse.length = network->length;
	prefix_mask(&inverse);
	if (memcmp(inverse.address, address->address, sizeof inverse.address) == 0)
		return false;
	if (address->family == AF_INET6)
		return true;
	for (unsigned bit = network->length; bit < bits; bit++)
		inverse.address[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return memcmp(inverse.address, address->address, sizeof inverse.address) != 0;
}

static void check_address(const struct host_parser *parser, const struct mesh_host *host)
{
	const struct host_list *list = parser->list;

	if (host->automatic_address && !list->network[MESH_IPV4].family && !list->network[MESH_IPV6].family) {
		host_error(parser, host->line, "address: auto needs the option \"network = 10.9.0.0/24\" or another network");
		return;
	}
	for (int family = 0; family < MESH_FAMILIES; family++) {
		const struct ip_prefix *address = &host->address[family], *network = &list->network[family];
		const char *special = address->family ? prefix_special(address) : NULL;
		char text[PREFIX_TEXT], network_text[PREFIX_TEXT];

		if (!address->family)
			continue;
		prefix_to_text(text, address);
		text[strcspn(text, "/")] = '\0';
		if (special)
			host_error(parser, host->line, "address: %s is %s, not that of a host", text, special);
		if (special || !network->family)
			continue;
		prefix_to_text(network_text, network);
		if (!prefix_contains(network, address))
			host_error(parser, host->line, "address: %s is not in the network %s", text, network_text);
		else if (!is_host_address(network, address))
			host_error(parser, host->line, "address: %s is no address for a host in the network %s", text,
					   network_text);
	}
}

/* Two networks behind hosts. Different lengths are valid, because the longest prefix wins. */
static void compare_networks(const struct host_parser *parser, const struct mesh_host *a, const struct mesh_host *b)
{
	for (const struct config_prefix *x = a->networks; x; x = x->next) {
		for (const struct config_prefix *y = a == b ? x->next : b->networks; y; y = y->next) {
			const struct config_prefix *outer = x->prefix.length <= y->prefix.length ? x : y;
			const struct config_prefix *inner = outer == x ? y : x;
			char inner_text[PREFIX_TEXT], outer_text[PREFIX_TEXT];

			if (!prefix_contains(&outer->prefix, &inner->prefix))
				continue;
			prefix_to_text(inner_text, &inner->prefix);
			prefix_to_text(outer_text, &outer->prefix);
			if (outer->prefix.length == inner->prefix.length)
				host_error(parser, y->line, "networks: %s is also behind host %s on line %d", inner_text, a->name,
						   a->line);
			else if (outer->prefix.length && a != b)
				host_warning(parser, y->line, "networks: %s is part of %s of line %d; its packets go to line %d",
							 inner_text, outer_text, outer == x ? a->line : b->line, inner == x ? a->line : b->line);
		}
	}
}

/* An exact duplicate of the name, the address or the endpoint. */
static void compare_hosts(const struct host_parser *parser, const struct mesh_host *a, const struct mesh_host *b)
{
	if (*b->name && strcmp(a->name, b->name) == 0)
		host_error(parser, b->line, "name: \"%s\" is also the host on line %d", b->name, a->line);
	for (int family = 0; family < MESH_FAMILIES; family++) {
		char text[PREFIX_TEXT];

		if (!b->address[family].family || !prefix_equal(&a->address[family], &b->address[family]))
			continue;
		prefix_to_text(text, &b->address[family]);
		text[strcspn(text, "/")] = '\0';
		host_error(parser, b->line, "address: %s is also the address of host %s on line %d", text, a->name, a->line);
	}
	if (a->has_endpoint && b->has_endpoint && strcasecmp(a->endpoint_host, b->endpoint_host) == 0 &&
		strcmp(a->endpoint_port, b->endpoint_port) == 0)
		host_error(parser, b->line, "endpoint: %s port %s is also the endpoint of host %s on line %d", b->endpoint_host,
				   b->endpoint_port, a->name, a->line);
	if (a->networks && b->networks)
		compare_networks(parser, a, b);
}

/* If an endpoint were inside the tunnel, the datagrams to it would enter the tunnel as well. */
static void check_endpoint(const struct host_parser *parser, const struct mesh_host *host)
{
	const struct host_list *list = parser->list;
	struct ip_prefix endpoint;
	char text[PREFIX_TEXT];

	if (!host_endpoint_address(host, &endpoint))
		return;
	for (int family = 0; family < MESH_FAMILIES; family++) {
		if (!list->network[family].family || !prefix_contains(&list->network[family], &endpoint))
			continue;
		prefix_to_text(text, &list->network[family]);
		host_error(
			parser, host->line,
			"endpoint: %s is in the network %s of the tunnel; it must be an address that works without the tunnel",
			host->endpoint_host, text);
	}
	for (size_t i = 0; i < list->count; i++) {
		for (const struct config_prefix *entry = list->hosts[i].networks; entry; entry = entry->next) {
			/* A default route does no harm: policy rules exempt the datagrams of adit. */
			if (!entry->prefix.length || !prefix_contains(&entry->prefix, &endpoint))
				continue;
			prefix_to_text(text, &entry->prefix);
			host_warning(
				parser, entry->line,
				"networks: %s contains the endpoint %s of host %s; the other hosts need a more specific route to it",
				text, host->endpoint_host, host->name);
		}
	}
}

/* Networks behind hosts against the addresses of the tunnel. */
static void check_networks(const struct host_parser *parser, const struct mesh_host *host)
{
	for (const struct config_prefix *entry = host->networks; entry; entry = entry->next) {
		for (int family = 0; family < MESH_FAMILIES; family++) {
			const struct ip_prefix *network = &parser->list->network[family];
			char text[PREFIX_TEXT], network_text[PREFIX_TEXT];

			if (!network->family)
				continue;
			prefix_to_text(text, &entry->prefix);
			prefix_to_text(network_text, network);
			if (prefix_contains(network, &entry->prefix))
				host_error(parser, entry->line, "networks: %s is part of the network %s of the tunnel", text,
						   network_text);
			else if (entry->prefix.length && prefix_contains(&entry->prefix, network))
				host_error(parser, entry->line, "networks: %s contains the network %s of the tunnel", text,
						   network_text);
		}
	}
}

static void check_list_mtu(const struct host_parser *parser)
{
	const struct host_list *list = parser->list;
	bool v6 = list->network[MESH_IPV6].family;

	for (size_t i = 0; i < list->count && !v6; i++) {
		v6 = list->hosts[i].address[MESH_IPV6].family;
		for (const struct config_prefix *entry = list->hosts[i].networks; entry; entry = entry->next)
			v6 |= entry->prefix.family == AF_INET6;
	}
	if (v6 && list->mtu && list->mtu < IPV6_MTU_MIN)
		host_error(parser, parser->option_line[OPTION_MTU],
				   "mtu: %u is less than %u, so the kernels of the hosts disable IPv6 on the interface", list->mtu,
				   IPV6_MTU_MIN);
}

/* The network of the tunnel, from which the hosts get their addresses. */
static void check_tunnel_network(const struct host_parser *parser, const struct ip_prefix *network)
{
	int line = parser->option_line[OPTION_NETWORK];
	const char *special = prefix_special(network);
	char text[PREFIX_TEXT];

	prefix_to_text(text, network);
	if (special)
		host_error(parser, line, "network: %s begins with %s, so hosts cannot have its addresses", text, special);
	else if (network->length == (network->family == AF_INET6 ? 128 : 32))
		host_error(parser, line, "network: the network has room for one host only");
}

void host_check(struct host_parser *parser)
{
	struct host_list *list = parser->list;

	if (!list->count)
		host_error(parser, 0, "the list has no hosts; a line such as \"a a.example.org\" adds one");
	for (int family = 0; family < MESH_FAMILIES; family++) {
		if (list->network[family].family)
			check_tunnel_network(parser, &list->network[family]);
	}
	check_list_mtu(parser);
	resolve_hubs(parser);
	for (size_t i = 0; i < list->count; i++) {
		const struct mesh_host *host = &list->hosts[i];

		resolve_spoke_hub(parser, i);
		check_address(parser, host);
		check_endpoint(parser, host);
		check_networks(parser, host);
		compare_networks(parser, host, host);
		for (size_t j = 0; j < i; j++)
			compare_hosts(parser, &list->hosts[j], host);
	}
}
