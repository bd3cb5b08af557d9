/* SPDX-License-Identifier: MIT */
/* The endpoints of the peers: their names, and the routes to them with their MTU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "io/netlink.h"
#include "name_lookup.h"

enum {
	LISTED_MAX = 8,   /* with more endpoints, one line stands for those without a problem */
	LOOPBACK = 1,     /* the index of lo in every network namespace */
	OVERHEAD_V4 = 60, /* outer IP 20, UDP 8, our header 16, tag 16 */
	OVERHEAD_V6 = 80,
};

/* Does nothing if the address is unknown. */
static void collect_route(struct endpoint_facts *entry, struct netlink *netlink)
{
	uint32_t index = entry->address.to.v6.sin6_scope_id;
	struct ip_prefix to;

	if (!endpoint_address(&entry->address, &to))
		return;
	if (to.family == AF_INET6 && index) {
		entry->route_error = netlink_link_mtu(netlink, index, &entry->route_mtu);
		return;
	}
	entry->route_error = netlink_route_interface(netlink, &to, 0, &index);
	if (!entry->route_error && index != LOOPBACK)
		netlink_route_mtu(netlink, &to, 0, 0, &entry->route_mtu);
}

struct endpoint_facts *collect_endpoints(const struct config *config, size_t *count)
{
	struct endpoint_facts *list = calloc(config->peer_count + 1, sizeof *list);
	struct netlink *netlink = netlink_open();

	*count = 0;
	for (const struct config_peer *peer = config->peers; peer && list; peer = peer->next) {
		struct endpoint_facts *entry = &list[*count];

		if (!peer->has_endpoint)
			continue;
		entry->host = peer->endpoint_host;
		entry->port = peer->endpoint_port;
		entry->line = peer->line;
		entry->is_name = endpoint_numeric(entry->host, entry->port, &entry->address) < 0;
		(*count)++;
	}
	if (*count)
		lookup_names(list, *count, ENDPOINT_LOOKUP_SECONDS);
	for (size_t i = 0; i < *count && netlink; i++)
		collect_route(&list[i], netlink);
	netlink_close(netlink);
	return list;
}

static void endpoint_object(char object[FINDING_OBJECT], const struct endpoint_facts *entry)
{
	bool brackets = strchr(entry->host, ':') != NULL;

	snprintf(object, FINDING_OBJECT, "Endpoint %s%s%s:%s", brackets ? "[" : "", entry->host, brackets ? "]" : "",
			 entry->port);
}

/* Returns true if the endpoint has a problem, which it adds. */
static bool judge_endpoint(struct findings *findings, const struct endpoint_facts *entry)
{
	char object[FINDING_OBJECT];

	endpoint_object(object, entry);
	if (!endpoint_known(&entry->address)) {
		finding_add(findings, VERDICT_FAIL, object, "the name cannot be resolved: %s",
					entry->failure ? entry->failure : "its address or scope is not valid here");
		finding_hint(findings,
					 "check the name, and the servers in /etc/resolv.conf; adit tries again until it succeeds");
		return true;
	}
	if (entry->route_error) {
		char text[ENDPOINT_TEXT];

		finding_add(findings, VERDICT_FAIL, object, "no route to %s: %s", endpoint_text(text, &entry->address),
					strerror(-entry->route_error));
		finding_hint(findings, "the host needs a route to it, such as a default route");
		return true;
	}
	return false;
}

void judge_endpoints(struct findings *findings, const struct endpoint_facts *list, size_t count,
					 const struct tunnel_facts *tunnel)
{
	size_t good = 0;

	if (!tunnel->given)
		return;
	for (size_t i = 0; i < count; i++) {
		char object[FINDING_OBJECT], text[ENDPOINT_TEXT];

		if (judge_endpoint(findings, &list[i]))
			continue;
		good++;
		if (count > LISTED_MAX)
			continue;
		endpoint_object(object, &list[i]);
		if (list[i].is_name)
			finding_add(findings, VERDICT_OK, object, "is %s, and there is a route",
						endpoint_text(text, &list[i].address));
		else
			finding_add(findings, VERDICT_OK, object, "there is a route");
	}
	if (good && count > LISTED_MAX)
		finding_add(findings, VERDICT_OK, "Endpoint", "%zu of %zu endpoints have an address and a route", good, count);
}

void judge_mtu(struct findings *findings, const struct endpoint_facts *list, size_t count,
			   const struct tunnel_facts *tunnel)
{
	const struct endpoint_facts *narrow = NULL;
	char text[ENDPOINT_TEXT];
	uint32_t smallest = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t overhead = list[i].address.to.any.sa_family == AF_INET6 ? OVERHEAD_V6 : OVERHEAD_V4;

		if (list[i].route_mtu <= overhead || list[i].route_error)
			continue;
		if (!narrow || list[i].route_mtu - overhead < smallest) {
			narrow = &list[i];
			smallest = list[i].route_mtu - overhead;
		}
	}
	if (!narrow)
		return;
	endpoint_text(text, &narrow->address);
	if (tunnel->mtu > smallest) {
		finding_add(findings, VERDICT_WARN, "MTU",
					"%u in the file, but the route to %s has an MTU of %u, which leaves %u for packets in the tunnel; "
					"larger ones are fragmented or lost",
					tunnel->mtu, text, narrow->route_mtu, smallest);
		finding_hint(findings, "write MTU = %u in [Interface], or remove the line, so that adit derives the MTU",
					 smallest);
	} else if (smallest < IPV6_MTU_MIN && tunnel->uses_v6) {
		finding_add(findings, VERDICT_WARN, "MTU",
					"the route to %s has an MTU of %u, which leaves %u; IPv6 in the tunnel needs %d, so its datagrams "
					"are fragmented",
					text, narrow->route_mtu, smallest, IPV6_MTU_MIN);
		finding_hint(findings, "use a path with a larger MTU, or leave IPv6 out of this tunnel");
	} else {
		finding_add(findings, VERDICT_OK, "MTU", "the route to %s has an MTU of %u, which leaves %u%s", text,
					narrow->route_mtu, smallest,
					tunnel->mtu ? "" : "; the file names none, so adit uses the MTU of the routes minus 80");
	}
}
