/* SPDX-License-Identifier: MIT */
/* Policy rules, src_valid_mark and firewall for a default route into the tunnel. The route itself is not added here. */
#ifndef ADIT_NETWORK_DEFAULT_ROUTE_H
#define ADIT_NETWORK_DEFAULT_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "io/netlink.h"

/* Decided before the sockets are opened, because they carry the mark. */
struct network_plan {
	uint32_t mark;         /* firewall mark of our UDP sockets; 0: none */
	uint32_t table;        /* of the default routes; 0: Table = auto needs none */
	bool full_v4, full_v6; /* there is a default route for the family */
};

/* The kernel's state that we have set up. Zeroed memory: nothing. */
struct default_route {
	char interface[IFNAMSIZ];
	uint32_t index;
	bool nft_warned;          /* the warning about the missing nft(8) has been logged */
	struct network_plan plan; /* in effect */
};

/*
 * Sets up rules and firewall for each family with a default route in `plan`, and removes those of the other family. The
 * caller has set interface and index. On return, route->plan describes the rules that exist, also after an error. A
 * missing nft(8) is not an error but a warning in the log. 0, or negative errno with the reason.
 */
int default_route_sync(struct default_route *route, struct netlink *netlink, const struct network_plan *plan,
					   struct reason *reason);

/* Removes the rules and the firewall of route->plan. Failures are logged. */
void default_route_remove(struct default_route *route, struct netlink *netlink);

#endif
