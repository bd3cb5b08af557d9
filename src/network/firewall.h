/* SPDX-License-Identifier: MIT */
/* The firewall of a default route: per family one nft(8) table `adit-IFNAME`, set and removed as a whole. */
#ifndef ADIT_NETWORK_FIREWALL_H
#define ADIT_NETWORK_FIREWALL_H

#include <stdint.h>

#include "base/reason.h"
#include "network/item_list.h"

struct network_firewall {
	const char *interface;
	uint8_t family;
	uint32_t mark;
	const struct network_list *addresses; /* of the interface; those of the other family are ignored */
};

/*
 * Set replaces the table of this name; remove deletes it if it exists. Either is one transaction. 0, or negative errno
 * with the reason: -ENOENT: nft(8) is not installed; -EINVAL: nft(8) cannot handle the name of the interface.
 */
int network_firewall_set(const struct network_firewall *firewall, struct reason *reason);
int network_firewall_remove(const char *interface, uint8_t family, struct reason *reason);

#endif
