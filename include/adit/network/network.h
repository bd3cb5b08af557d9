/* SPDX-License-Identifier: MIT */
/*
 * What wg-quick(8) does around the device on `up` and `down`: addresses, MTU, routes of the allowed IPs, and for a
 * default route the policy rules and the firewall that keep the tunnel's own datagrams out of the tunnel. It is done by
 * rtnetlink and nft(8), and it needs CAP_NET_ADMIN: no other part of the program sets up the host's network.
 *
 * Where it differs from wg-quick: the MTU follows the smallest route MTU towards a peer, not the largest; stale rules
 * of a daemon that died are swept; and `down` takes one suppressing rule away, not those of other tunnels.
 */
#ifndef ADIT_NETWORK_NETWORK_H
#define ADIT_NETWORK_NETWORK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "io/udp.h"

enum { NETWORK_WHY = 256 };

/* What must be known before the sockets are opened. */
struct network_plan {
	uint32_t mark;         /* firewall mark of our UDP sockets; 0: none */
	uint32_t table;        /* of the default routes, with rules and firewall; 0: there are none in automatic mode */
	bool full_v4, full_v6; /* all traffic of the family goes to the tunnel */
};

/* Something that we added to the interface: an address (table 0), or a route in a table (0: main). */
struct network_item {
	struct ip_prefix prefix;
	uint32_t table;
};

struct network_list {
	struct network_item *items;
	size_t count, room;
};

/* What stands in the kernel because of us. The caller sets name and index, the rest begins as zero. */
struct network {
	char name[IFNAMSIZ];
	uint32_t index;
	bool link_up;
	bool nft_missing;         /* and the log says so */
	struct network_plan plan; /* as carried out */
	struct network_list addresses, routes;
};

/*
 * Decides on mark and table. With Table = auto and a default route among the allowed IPs, both are the configuration's
 * FwMark, else the number that `network` (NULL: nothing stands yet) uses already, else the first unused table from
 * 51820 on. 0 or negative errno with the reason in `why`.
 */
int network_plan(struct network_plan *plan, const struct network *network, const struct config *config,
				 char why[NETWORK_WHY]);

/*
 * Makes the kernel's state what `config` and `plan` say; what an earlier call made and is no longer wanted goes, so a
 * reload is another call. `endpoints` are the peers' addresses as far as they are known: without `MTU =` the MTU is
 * that of the route to them less 80, decided once.
 *
 * 0, or negative errno with `why` naming what was tried ("address 10.0.0.1/24: File exists"); what was done until then
 * is recorded, and network_down takes it back. A missing nft(8) is a warning in the log.
 */
int network_up(struct network *network, const struct network_plan *plan, const struct config *config,
			   const struct endpoint *endpoints, size_t endpoint_count, char why[NETWORK_WHY]);

/*
 * Takes rules, firewall and addresses away and the link down, with which its routes go; what is gone already is no
 * error, the rest is logged. Frees the record. Takes a zeroed struct.
 */
void network_down(struct network *network);

#endif
