/* SPDX-License-Identifier: MIT */
/* The topology. */
#include "topology.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

bool topology_permits(const struct host_list *list, size_t a, size_t b)
{
	const struct mesh_host *x = &list->hosts[a], *y = &list->hosts[b];

	/* A packet to or from a hub needs no further hop, so the groups do not restrict it. */
	if (x->in_all_groups || y->in_all_groups || host_is_hub(list, a) || host_is_hub(list, b))
		return true;
	return x->groups || y->groups ? (x->groups & y->groups) != 0 : true;
}

static bool hosts_are_linked(const struct host_list *list, size_t a, size_t b)
{
	bool has_endpoint = list->hosts[a].has_endpoint || list->hosts[b].has_endpoint;

	if (list->topology == TOPOLOGY_FULL)
		return has_endpoint && topology_permits(list, a, b);
	return host_is_hub(list, a) || host_is_hub(list, b);
}

int topology_init(struct topology *topology, const struct host_list *list)
{
	size_t count = 0;

	topology->list = list;
	topology->primary = calloc(list->count + 1, sizeof *topology->primary);
	topology->row = calloc(list->count + 1, sizeof *topology->row);
	if (!topology->primary || !topology->row)
		return -ENOMEM;
	for (size_t a = 0; a < list->count; a++) {
		topology->primary[a] = MESH_NO_HUB;
		for (size_t b = a + 1; b < list->count; b++)
			count += hosts_are_linked(list, a, b);
	}
	topology->links = calloc(count + 1, sizeof *topology->links);
	if (!topology->links)
		return -ENOMEM;
	for (size_t a = 0; a < list->count; a++) {
		topology->row[a] = topology->link_count;
		for (size_t b = a + 1; b < list->count; b++) {
			if (hosts_are_linked(list, a, b))
				topology->links[topology->link_count++] = (struct mesh_link) { .a = (uint32_t)a, .b = (uint32_t)b };
		}
	}
	topology->row[list->count] = topology->link_count;
	return 0;
}

void topology_destroy(struct topology *topology)
{
	if (topology->links)
		sodium_memzero(topology->links, topology->link_count * sizeof *topology->links);
	free(topology->links);
	free(topology->row);
	free(topology->primary);
	*topology = (struct topology) { 0 };
}

void topology_assign_hubs(struct topology *topology)
{
	const struct host_list *list = topology->list;
	size_t spokes[MESH_HUBS_MAX] = { 0 };

	if (list->topology != TOPOLOGY_TWO_HUBS)
		return;
	for (size_t i = 0; i < list->count; i++) {
		if (host_is_hub(list, i))
			continue;
		if (list->hosts[i].hub != MESH_NO_HUB)
			topology->primary[i] = list->hosts[i].hub;
		if (topology->primary[i] != MESH_NO_HUB)
			spokes[topology->primary[i]]++;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (host_is_hub(list, i) || topology->primary[i] != MESH_NO_HUB)
			continue;
		topology->primary[i] = spokes[1] < spokes[0];
		spokes[topology->primary[i]]++;
	}
}

struct mesh_link *topology_link(const struct topology *topology, size_t a, size_t b)
{
	size_t first = a < b ? a : b, second = a < b ? b : a;
	size_t low = topology->row[first], high = topology->row[first + 1];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (topology->links[middle].b < second)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == topology->row[first + 1] || topology->links[low].b != second)
		return NULL;
	return &topology->links[low];
}

int topology_next_hop(const struct topology *topology, size_t from, size_t to)
{
	const struct host_list *list = topology->list;

	if (from == to || !topology_permits(list, from, to))
		return TOPOLOGY_NOWHERE;
	if (hosts_are_linked(list, from, to))
		return (int)to;
	if (!list->hub_count)
		return TOPOLOGY_NOWHERE;
	/* The hub between two hosts is the same in both directions. */
	if (list->topology == TOPOLOGY_TWO_HUBS && topology->primary[from] == 1 && topology->primary[to] == 1)
		return (int)list->hubs[1];
	return (int)list->hubs[0];
}

/*
 * A spoke that may reach every host sends the whole network to its hub. Its file then does not change when hosts are
 * added.
 */
int topology_default_hub(const struct topology *topology, size_t host)
{
	const struct host_list *list = topology->list;

	if (list->topology == TOPOLOGY_FULL || !list->hub_count || host_is_hub(list, host))
		return TOPOLOGY_NOWHERE;
	for (size_t i = 0; i < list->count; i++) {
		if (i != host && !topology_permits(list, host, i))
			return TOPOLOGY_NOWHERE;
	}
	return (int)list->hubs[list->topology == TOPOLOGY_TWO_HUBS && topology->primary[host] == 1];
}

bool topology_forwards(const struct topology *topology, size_t host)
{
	return host_is_hub(topology->list, host) || topology->list->hosts[host].networks;
}
