/* SPDX-License-Identifier: MIT */
/* INI: reads the networks of the host from its addresses. */
#include "config/ini_networks.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns false if the entry has no network: it is not an IP address, or the link is down. */
static bool network_of(const struct ifaddrs *entry, struct ini_network *network)
{
	int family = entry->ifa_addr && entry->ifa_netmask ? entry->ifa_addr->sa_family : AF_UNSPEC;
	const uint8_t *address, *mask;
	size_t bytes;

	if (family == AF_INET) {
		address = (const uint8_t *)&((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
		mask = (const uint8_t *)&((const struct sockaddr_in *)(const void *)entry->ifa_netmask)->sin_addr;
		bytes = sizeof(struct in_addr);
	} else if (family == AF_INET6) {
		address = ((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr.s6_addr;
		mask = ((const struct sockaddr_in6 *)(const void *)entry->ifa_netmask)->sin6_addr.s6_addr;
		bytes = sizeof(struct in6_addr);
	} else {
		return false;
	}
	*network = (struct ini_network) { .prefix.family = (uint8_t)family };
	memcpy(network->prefix.address, address, bytes);
	for (size_t i = 0; i < bytes; i++)
		network->prefix.length += (uint8_t)__builtin_popcount(mask[i]);
	prefix_mask(&network->prefix);
	snprintf(network->interface, sizeof network->interface, "%s", entry->ifa_name);
	return entry->ifa_flags & IFF_UP;
}

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
	for (const struct ifaddrs *entry = entries; entry && list; entry = entry->ifa_next)
		*count += network_of(entry, &list[*count]);
	freeifaddrs(entries);
	return list;
}
