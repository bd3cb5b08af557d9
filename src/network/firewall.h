/* SPDX-License-Identifier: MIT */
/* The firewall of a default route, one nft(8) table `adit-IFNAME` a family, set and removed as a whole. */
#ifndef ADIT_NETWORK_FIREWALL_H
#define ADIT_NETWORK_FIREWALL_H

#include "network/network.h"

struct network_firewall {
	const char *interface;
	uint8_t family;
	uint32_t mark;
	const struct network_list *addresses; /* of the interface; those of other families are passed over */
};

/*
 * Sets the table in place of one with its name, or removes it if it is there, in one transaction. 0; -ENOENT: there is
 * no nft(8); -EINVAL: the interface's name is none that nft(8) can take; or negative errno; `why` tells.
 */
int network_firewall_set(const struct network_firewall *firewall, char why[NETWORK_WHY]);
int network_firewall_remove(const char *interface, uint8_t family, char why[NETWORK_WHY]);

#endif
