/* SPDX-License-Identifier: MIT */
/*
 * The topology: which hosts have a tunnel between them, and through which peer a host reaches another one.
 *
 * A packet crosses one tunnel, or two with a hub in between. The receiver accepts a packet only from the peer to whose
 * AllowedIPs its source belongs, so topology_next_hop returns the same hub for both directions.
 *   full      Every pair that shares a group. If the list names a hub, it relays for pairs without any endpoint.
 *   hub       The hub and each spoke. The hub relays for all other pairs.
 *   two-hubs  Both hubs and each spoke, and the hubs. Each spoke has a primary hub, which relays for pairs of its own
 *             spokes. The first hub relays for pairs whose primary hubs differ.
 */
#ifndef ADIT_MESH_TOPOLOGY_H
#define ADIT_MESH_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mesh/host_list.h"

/* A tunnel between two hosts, `a` before `b` in the list. */
struct mesh_link {
	uint32_t a, b;
	bool has_psk;
	uint8_t psk[KEY_BYTES];
};

struct topology {
	const struct host_list *list;
	int *primary;            /* of each host with two hubs: the index in list->hubs; MESH_NO_HUB: not assigned yet */
	struct mesh_link *links; /* sorted by a, then by b */
	size_t link_count;
	size_t *row; /* of each host: its first link as `a`; the last element is link_count */
};

/* Marks a host that cannot be reached. */
enum { TOPOLOGY_NOWHERE = -1 };

/* The list must outlive the topology. Returns 0 or -ENOMEM. The caller destroys the topology in every case. */
int topology_init(struct topology *topology, const struct host_list *list);
/* Wipes the keys. Accepts a zeroed struct. */
void topology_destroy(struct topology *topology);
/*
 * Gives each spoke without a primary hub one: that which the list names, or else the hub with fewer spokes. The caller
 * sets primary[] of the other spokes beforehand. Does nothing unless there are two hubs.
 */
void topology_assign_hubs(struct topology *topology);

/* True if the groups permit packets between the hosts. */
bool topology_permits(const struct host_list *list, size_t a, size_t b);
/* The link between two hosts in either order, or NULL. */
struct mesh_link *topology_link(const struct topology *topology, size_t a, size_t b);
/* The peer through which `from` reaches `to`, or TOPOLOGY_NOWHERE. */
int topology_next_hop(const struct topology *topology, size_t from, size_t to);
/* The hub whose peer section of `host` contains the whole network, or TOPOLOGY_NOWHERE. */
int topology_default_hub(const struct topology *topology, size_t host);
/* True if the host forwards packets: as a hub, or for networks behind it. */
bool topology_forwards(const struct topology *topology, size_t host);

#endif
