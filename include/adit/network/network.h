/* SPDX-License-Identifier: MIT */
/*
 * The host's network around the device, as wg-quick(8) sets it up: addresses, MTU, routes for the allowed IPs, and for
 * a default route the policy rules and the firewall that keep the tunnel's own datagrams out of the tunnel. It uses
 * rtnetlink and nft(8) and needs CAP_NET_ADMIN. No other part of the program configures the host's network.
 *
 * Differences from wg-quick of wireguard-tools 1.0.20210914:
 *
 * - Without `MTU =`, both subtract 80 from the MTU of the route to an endpoint. With several endpoints we use the
 *   smallest of these MTUs and wg-quick uses the largest (its current version uses the smallest, too). wg-quick skips
 *   endpoints with a zone; we use the MTU of the zone's interface.
 * - If no endpoint has a route, both use the MTU of the default route, or 1500. wg-quick considers only IPv4's default
 *   route; we use IPv6's if there is none for IPv4.
 * - Rules that a dead daemon left behind are removed.
 * - `down` deletes one suppress_prefixlength rule per family; wg-quick deletes those of other tunnels as well.
 * - The firewall requires nft(8). There is no fallback to iptables(8).
 */
#ifndef ADIT_NETWORK_NETWORK_H
#define ADIT_NETWORK_NETWORK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"
#include "config/config.h"
#include "io/udp.h"
#include "network/default_route.h"
#include "network/item_list.h"

/* The kernel's state that we have set up. The caller sets name and index and zeroes the rest. */
struct network {
	char name[IFNAMSIZ];
	uint32_t index;
	bool link_up;
	struct default_route default_route;
	struct network_list addresses, routes;
};

/*
 * Chooses mark and table. With Table = auto and a default route among the allowed IPs, both are the same number: the
 * configured FwMark, or the number that `network` (NULL: not set up yet) uses already, or the first unused table from
 * 51820 upwards. 0, or negative errno with the reason.
 */
int network_plan(struct network_plan *plan, const struct network *network, const struct config *config,
				 struct reason *reason);

/*
 * Sets up addresses, link, routes, rules and firewall as `config` and `plan` require, and removes those that an earlier
 * call added and that are no longer required. A reload is another call. `endpoints` are the known addresses of the
 * peers. Without `MTU =`, the MTU is derived from the routes to them when the link is brought up, and then kept.
 *
 * Returns 0, or negative errno with the reason ("address 10.0.0.1/24: File exists"). After an error `network` describes
 * the changes made so far, and network_down undoes them. A missing nft(8) is a warning in the log.
 */
int network_up(struct network *network, const struct network_plan *plan, const struct config *config,
			   const struct endpoint *endpoints, size_t endpoint_count, struct reason *reason);

/*
 * Removes rules, firewall and addresses and takes the link down; the kernel deletes the routes when the link goes down.
 * Failures are logged, except for objects that no longer exist. Frees the lists and zeroes the struct. Accepts a zeroed
 * struct.
 */
void network_down(struct network *network);

#endif
