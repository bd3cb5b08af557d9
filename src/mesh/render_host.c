/* SPDX-License-Identifier: MIT */
/* Render: the configuration file of a host. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "render.h"

/* A line of AllowedIPs. */
struct prefix_line {
	struct secret_text *to;
	bool started;
};

static void append_allowed_ip(struct prefix_line *line, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT];

	prefix_to_text(text, prefix);
	secret_text_printf(line->to, "%s%s", line->started ? ", " : "AllowedIPs = ", text);
	line->started = true;
}

void render_addresses(char text[RENDER_ADDRESSES], const struct mesh_host *host)
{
	size_t length = 0;

	*text = '\0';
	for (int family = 0; family < MESH_FAMILIES; family++) {
		char address[PREFIX_TEXT];

		if (!host->address[family].family)
			continue;
		prefix_to_text(address, &host->address[family]);
		address[strcspn(address, "/")] = '\0';
		length += (size_t)snprintf(text + length, RENDER_ADDRESSES - length, "%s%s", length ? ", " : "", address);
	}
}

/*
 * The addresses and networks of all hosts that `host` reaches through `peer`. The whole network takes the place of the
 * addresses behind the default hub, but not of the hub's own, because a second hub may not be in the network.
 */
static void render_allowed_ips(struct secret_text *to, const struct topology *topology, size_t host, size_t peer,
							   bool is_default)
{
	const struct host_list *list = topology->list;
	struct prefix_line line = { .to = to };

	for (int family = 0; is_default && family < MESH_FAMILIES; family++) {
		if (list->network[family].family && list->hosts[host].address[family].family)
			append_allowed_ip(&line, &list->network[family]);
	}
	/* Only a hub has hosts behind it. */
	for (size_t i = host_is_hub(list, peer) ? 0 : peer; i < (host_is_hub(list, peer) ? list->count : peer + 1); i++) {
		const struct mesh_host *other = &list->hosts[i];

		if (topology_next_hop(topology, host, i) != (int)peer)
			continue;
		for (int family = 0; family < MESH_FAMILIES; family++) {
			const struct ip_prefix *address = &other->address[family];
			bool covered = is_default && list->network[family].family && list->hosts[host].address[family].family;

			if (address->family && !covered)
				append_allowed_ip(&line, address);
		}
		for (const struct config_prefix *entry = other->networks; entry; entry = entry->next)
			append_allowed_ip(&line, &entry->prefix);
	}
	if (line.started)
		secret_text_append(to, "\n", 1);
}

static void render_peer(struct secret_text *to, const struct network *network, size_t host, size_t peer,
						bool is_default)
{
	const struct topology *topology = network->topology;
	const struct host_list *list = topology->list;
	const struct mesh_host *other = &list->hosts[peer];
	const struct mesh_link *link = topology_link(topology, host, peer);

	secret_text_printf(to, "\n[Peer]\n");
	if (!other->has_endpoint)
		secret_text_printf(to, RENDER_NAT "\n");
	else if (host_is_hub(list, peer))
		secret_text_printf(to, is_default && list->hub_count > 1 ? RENDER_PRIMARY_HUB "\n" : RENDER_HUB "\n");
	secret_text_printf(to, "Name = %s\n", other->name);
	secret_text_key(to, "PublicKey", network->secrets->hosts[peer].public_key);
	secret_text_key(to, "PresharedKey", link->psk);
	if (other->has_endpoint) {
		bool v6 = strchr(other->endpoint_host, ':') != NULL;

		secret_text_printf(to, v6 ? "Endpoint = [%s]:%s\n" : "Endpoint = %s:%s\n", other->endpoint_host,
						   other->endpoint_port);
	}
	render_allowed_ips(to, topology, host, peer, is_default);
	/* The host behind the NAT keeps the mapping of its router. */
	if (!list->hosts[host].has_endpoint && list->keepalive)
		secret_text_printf(to, "PersistentKeepalive = %u\n", list->keepalive);
}

static void render_interface(struct secret_text *to, const struct network *network, size_t host)
{
	const struct topology *topology = network->topology;
	const struct host_list *list = topology->list;
	const struct mesh_host *own = &list->hosts[host];
	bool started = false;

	secret_text_append(to, "\n[Interface]\n", 13);
	secret_text_key(to, "PrivateKey", network->secrets->hosts[host].private_key);
	for (int family = 0; family < MESH_FAMILIES; family++) {
		struct ip_prefix address = own->address[family];
		char text[PREFIX_TEXT];

		if (!address.family)
			continue;
		if (list->network[family].family)
			address.length = list->network[family].length;
		prefix_to_text(text, &address);
		secret_text_printf(to, "%s%s", started ? ", " : "Address = ", text);
		started = true;
	}
	secret_text_append(to, "\n", 1);
	if (own->has_endpoint)
		secret_text_printf(to, "ListenPort = %s\n", own->endpoint_port);
	if (list->mtu)
		secret_text_printf(to, "MTU = %u\n", list->mtu);
	if (network->secrets->hosts[host].kept.length)
		secret_text_append(to, network->secrets->hosts[host].kept.bytes, network->secrets->hosts[host].kept.length);
}

void render_host(struct secret_text *to, const struct network *network, size_t host)
{
	const struct topology *topology = network->topology;
	const struct host_list *list = topology->list;
	int default_hub = topology_default_hub(topology, host);
	/* The first peer is the primary hub: the next run recognizes it by that. */
	int first = topology->primary[host] == MESH_NO_HUB ? TOPOLOGY_NOWHERE : (int)list->hubs[topology->primary[host]];

	secret_text_printf(to,
					   RENDER_MARK " from %s: host %s of \"%s\".\n" RENDER_DO_NOT_EDIT
								   " change the list and run adit mesh again. It keeps the keys.\n" RENDER_LOST
								   " All other values, also those of the peers, follow the list.\n",
					   network->source, list->hosts[host].name, list->interface);
	if (topology_forwards(topology, host))
		secret_text_printf(to, RENDER_FORWARDS " so it needs the sysctl%s%s.\n",
						   list->network[MESH_IPV6].family ? "s net.ipv4.ip_forward=1 and " : " net.ipv4.ip_forward=1",
						   list->network[MESH_IPV6].family ? "net.ipv6.conf.all.forwarding=1" : "");
	render_interface(to, network, host);
	if (first != TOPOLOGY_NOWHERE)
		render_peer(to, network, host, (size_t)first, first == default_hub);
	for (size_t i = 0; i < list->count; i++) {
		if (i != host && (int)i != first && topology_link(topology, host, i))
			render_peer(to, network, host, i, (int)i == default_hub);
	}
}
