/* SPDX-License-Identifier: MIT */
/*
 * The address pool: sorts the ranges of used addresses, and walks along them until there is a gap. This takes n log n
 * steps for n peers, however large the network is. Addresses are 16 bytes in network order; those of IPv4 use the first
 * four.
 */
#include "address_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_BYTES = 16 };

struct address_range {
	uint8_t first[ADDRESS_BYTES], last[ADDRESS_BYTES];
};

static size_t bytes_of(const struct ip_prefix *prefix)
{
	return prefix->family == AF_INET6 ? 16 : 4;
}

static struct address_range range_of(const struct ip_prefix *prefix)
{
	struct address_range range = { 0 };
	struct ip_prefix first = *prefix;
	size_t bytes = bytes_of(prefix);

	prefix_mask(&first);
	memcpy(range.first, first.address, bytes);
	memcpy(range.last, first.address, bytes);
	for (size_t bit = prefix->length; bit < bytes * 8; bit++)
		range.last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return range;
}

enum address_place address_pool_place(const struct ip_prefix *network, const struct ip_prefix *address)
{
	size_t bytes = bytes_of(network);
	struct address_range whole = range_of(network);

	if (network->length >= bytes * 8 - 1)
		return ADDRESS_OF_HOST;
	if (memcmp(whole.first, address->address, bytes) == 0)
		return ADDRESS_OF_NETWORK;
	if (network->family == AF_INET && memcmp(whole.last, address->address, bytes) == 0)
		return ADDRESS_BROADCAST;
	return ADDRESS_OF_HOST;
}

/* Adds 1 or -1. Returns false on overflow. */
static bool address_step(uint8_t address[ADDRESS_BYTES], size_t bytes, int step)
{
	for (size_t i = bytes; i--;) {
		address[i] = (uint8_t)(address[i] + step);
		if (address[i] != (step > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

static int compare_ranges(const void *a, const void *b)
{
	return memcmp(((const struct address_range *)a)->first, ((const struct address_range *)b)->first, ADDRESS_BYTES);
}

static bool is_inside(const struct address_range *inner, const struct address_range *outer)
{
	return memcmp(inner->first, outer->first, ADDRESS_BYTES) >= 0 &&
		   memcmp(inner->last, outer->last, ADDRESS_BYTES) <= 0;
}

/* Stores the used ranges in `used`, unless it is NULL. Returns their number. */
static size_t collect_used(const struct config *config, const struct ip_prefix *network, struct address_range *used)
{
	struct address_range whole = range_of(network);
	size_t count = 0;

	for (const struct config_prefix *own = config->addresses; own; own = own->next) {
		struct ip_prefix host = own->prefix;
		struct address_range range;

		host.length = (uint8_t)(bytes_of(&host) * 8);
		range = range_of(&host);
		if (host.family != network->family || !is_inside(&range, &whole))
			continue;
		if (used)
			used[count] = range;
		count++;
	}
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		for (const struct config_prefix *entry = peer->allowed_ips; entry; entry = entry->next) {
			struct address_range range = range_of(&entry->prefix);

			if (entry->prefix.family != network->family || entry->prefix.length <= network->length ||
				!is_inside(&range, &whole))
				continue;
			if (used)
				used[count] = range;
			count++;
		}
	}
	return count;
}

int address_pool_next(const struct config *config, const struct ip_prefix *network, struct ip_prefix *address)
{
	size_t bytes = bytes_of(network), bits = bytes * 8, count = collect_used(config, network, NULL);
	struct address_range whole = range_of(network), *used;
	uint8_t next[ADDRESS_BYTES];
	bool left = true;

	if (network->length >= bits)
		return -ENOSPC;
	used = calloc(count + 1, sizeof *used);
	if (!used)
		return -ENOMEM;
	collect_used(config, network, used);
	qsort(used, count, sizeof *used, compare_ranges);
	if (network->length < bits - 1) {
		address_step(whole.first, bytes, 1); /* the address of the network; in IPv6, of its routers */
		if (network->family == AF_INET)
			address_step(whole.last, bytes, -1); /* broadcast */
	}
	memcpy(next, whole.first, sizeof next);
	for (size_t i = 0; i < count && left; i++) {
		if (memcmp(next, used[i].first, sizeof next) < 0)
			break;
		if (memcmp(next, used[i].last, sizeof next) > 0)
			continue;
		memcpy(next, used[i].last, sizeof next);
		left = address_step(next, bytes, 1);
	}
	free(used);
	if (!left || memcmp(next, whole.last, sizeof next) > 0)
		return -ENOSPC;
	*address = (struct ip_prefix) { .family = network->family, .length = (uint8_t)bits };
	memcpy(address->address, next, bytes);
	return 0;
}
