/* SPDX-License-Identifier: MIT */
/*
 * Addresses for the hosts whose column says "auto". An address is the network plus a number of at most 64 bits. The
 * numbers in use are sorted, and one pass over them finds all gaps.
 */
#include "addresses.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* The last host number of the network. The first one is 1, except in networks of two addresses. */
static uint64_t last_number(const struct ip_prefix *network)
{
	unsigned bits = (network->family == AF_INET6 ? 128 : 32) - network->length;
	uint64_t last = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

	return network->family == AF_INET && bits > 1 ? last - 1 : last;
}

static uint64_t first_number(const struct ip_prefix *network)
{
	return last_number(network) > 1;
}

/* Reads or writes the last eight bytes of an address, of IPv4 the last four. */
static uint64_t low_bits(const struct ip_prefix *address)
{
	size_t end = address->family == AF_INET6 ? 16 : 4, begin = address->family == AF_INET6 ? 8 : 0;
	uint64_t value = 0;

	for (size_t i = begin; i < end; i++)
		value = value << 8 | address->address[i];
	return value;
}

static struct ip_prefix address_at(const struct ip_prefix *network, uint64_t number)
{
	struct ip_prefix address = *network;
	size_t end = network->family == AF_INET6 ? 16 : 4;
	uint64_t value = low_bits(network) | number;

	address.length = (uint8_t)(end * 8);
	for (size_t i = 0; i < (end == 16 ? 8 : 4); i++)
		address.address[end - 1 - i] = (uint8_t)(value >> i * 8);
	return address;
}

/* Returns false if the address is not in the network, or is not one that this module assigns. */
static bool number_of(const struct ip_prefix *network, const struct ip_prefix *address, uint64_t *number)
{
	struct ip_prefix again;

	if (!address->family || !prefix_contains(network, address))
		return false;
	*number = low_bits(address) ^ low_bits(network);
	again = address_at(network, *number);
	return prefix_equal(&again, address) && *number >= first_number(network) && *number <= last_number(network);
}

static int compare_host_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool address_is_used(const struct host_list *list, int family, const struct ip_prefix *address)
{
	for (size_t i = 0; i < list->count; i++) {
		if (prefix_equal(&list->hosts[i].address[family], address))
			return true;
	}
	return false;
}

/* Assigns addresses of one family. `used` has room for a number per host. */
static int assign_family(struct host_list *list, int family, const struct ip_prefix *kept, uint64_t *used, size_t *full)
{
	const struct ip_prefix *network = &list->network[family];
	uint64_t next = first_number(network), last = last_number(network), number;
	size_t used_count = 0, at = 0;
	bool exhausted = false;

	for (size_t i = 0; i < list->count; i++) {
		const struct ip_prefix *old = &kept[i * MESH_FAMILIES + (size_t)family];

		if (list->hosts[i].automatic_address && number_of(network, old, &number) && !address_is_used(list, family, old))
			list->hosts[i].address[family] = *old;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (number_of(network, &list->hosts[i].address[family], &number))
			used[used_count++] = number;
	}
	qsort(used, used_count, sizeof *used, compare_host_numbers);
	for (size_t i = 0; i < list->count; i++) {
		struct mesh_host *host = &list->hosts[i];

		if (!host->automatic_address || host->address[family].family)
			continue;
		while (at < used_count && used[at] == next && !exhausted) {
			exhausted = next == last;
			next++;
			at++;
		}
		if (exhausted) {
			*full = i;
			return -ENOSPC;
		}
		host->address[family] = address_at(network, next);
		exhausted = next == last;
		next++;
	}
	return 0;
}

int addresses_assign(struct host_list *list, const struct ip_prefix *kept, size_t *full)
{
	uint64_t *used = calloc(list->count + 1, sizeof *used);
	int error = used ? 0 : -ENOMEM;

	for (int family = 0; family < MESH_FAMILIES && !error; family++) {
		if (list->network[family].family)
			error = assign_family(list, family, kept, used, full);
	}
	free(used);
	return error;
}
