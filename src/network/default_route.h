/* SPDX-License-Identifier: MIT */
/* The detour of a default route: policy rules, source-valid-mark and firewall. The route itself is one of the routes.
 */
#ifndef ADIT_NETWORK_DEFAULT_ROUTE_H
#define ADIT_NETWORK_DEFAULT_ROUTE_H

#include "network/network.h"

/*
 * Makes the detour of each family what `plan` says, and removes the one that network->plan says stands when it differs.
 * network->plan then tells what stands. 0, or negative errno and `why`.
 */
int network_default_sync(struct network *network, struct netlink *netlink, const struct network_plan *plan,
						 char why[NETWORK_WHY]);

/* Removes what network->plan says stands; what cannot be removed is logged. */
void network_default_remove(struct network *network, struct netlink *netlink);

#endif
