/* SPDX-License-Identifier: MIT */
/* INI: reads the networks of the host from its addresses. */
#include "config/ini_networks.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

struct ini_network *ini_networks_read(size_t *count)
{
	struct ifaddrs *entries = NULL;
	struct ini_network *list;
	size_t room = 0;

	*count = 0;
	if (getifaddrs(&entries) < 0)
		return NULL;
	for (const struct ifaddrs *entry = entries; entry; entry = entry->ifa_next)
		room++;
	list = calloc(room + 1, sizeof *list);
	for (const struct ifaddrs *entry = entries; entry && list; entry = entry->ifa_next) {
		struct ini_network *network = &list[*count];

		if (!(entry->ifa_flags & IFF_UP) || !prefix_from_ifaddrs(&network->prefix, entry))
			continue;
		network->address = network->prefix;
		prefix_mask(&network->prefix);
		snprintf(network->interface, sizeof network->interface, "%s", entry->ifa_name);
		++*count;
	}
	freeifaddrs(entries);
	return list;
}
