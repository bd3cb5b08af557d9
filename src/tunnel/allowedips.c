/* SPDX-License-Identifier: MIT */
/*
 * Allowed IPs: the cryptokey routing table.
 *
 * Theory of operation
 *
 * Each prefix is one entry of a hash table; the key is IP version, length and bits. A lookup masks the address to each
 * prefix length that is in use, from the longest down, and searches the table for it. The first hit is the longest
 * match. Real tables use few lengths (hosts, some networks, perhaps a default route), so a lookup is a few independent
 * searches. Some tables use many lengths: "everything except the private networks" has fifteen. Then the first six bits
 * of the address rule out most of them. A trie would have about one level per bit in which its prefixes differ:
 * seventeen dependent loads for 100,000 prefixes, half of them cache misses.
 *
 * All memory is two arrays that grow by doubling. One holds the entries, the other the buckets; there are at least as
 * many buckets as entries. Buckets, chains and the lists of the owners refer to entries by index. Growing moves the
 * entries but keeps their indices.
 */
#include "tunnel/allowedips.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"

/* The first bits of an address in host order, all others zero. An IPv4 prefix uses the upper half of `high`. */
struct prefix {
	uint64_t high, low;
	uint8_t length;
	bool v6;
};

struct allowedip {
	uint64_t high, low;
	struct allowedip_list *owner;
	uint32_t chained;        /* the next entry of the bucket, or the next free entry */
	uint32_t previous, next; /* in the list of the owner */
	uint8_t length;
	bool v6, marked;
};

enum { FIRST_ROOM = 16, BEGIN_BITS = 6 };

/* Shifting a word by 64 is undefined, hence the two cases. */
static inline uint64_t word_mask(uint64_t word, unsigned bits)
{
	return bits ? word & ~UINT64_C(0) << (64 - bits) : 0;
}

static inline struct prefix prefix_make(uint64_t high, uint64_t low, unsigned length, bool v6)
{
	return (struct prefix) {
		.high = word_mask(high, length < 64 ? length : 64),
		.low = length > 64 ? word_mask(low, length - 64) : 0,
		.length = (uint8_t)length,
		.v6 = v6,
	};
}

/* Multiplicative hashing: odd constants without a pattern; the upper half of the product is the best mixed. */
static inline uint32_t *prefix_bucket(const struct allowedips *table, const struct prefix *prefix)
{
	uint64_t mixed = (prefix->high ^ prefix->length) * UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 32 ^ prefix->low) * UINT64_C(0xd6e8feb86659fd93);
	return &table->buckets[(uint32_t)(mixed >> 32) & (table->room - 1)];
}

/* Returns the index of the entry of the prefix, or 0. The table has buckets. */
static inline uint32_t prefix_find(const struct allowedips *table, const struct prefix *prefix)
{
	uint32_t number = *prefix_bucket(table, prefix);

	while (number) {
		const struct allowedip *entry = &table->entries[number];

		if (entry->high == prefix->high && entry->low == prefix->low && entry->length == prefix->length &&
			entry->v6 == prefix->v6)
			break;
		number = entry->chained;
	}
	return number;
}

static inline struct allowedip_list *address_lookup(const struct allowedips *table,
													const struct allowedip_lengths *lengths, uint64_t high,
													uint64_t low, bool v6)
{
	for (unsigned i = 0; i < lengths->count; i++) {
		unsigned length = lengths->used[i];
		struct prefix prefix;
		uint32_t number;
		if (!(lengths->begins[length] >> (high >> (64 - BEGIN_BITS)) & 1))
			continue;
		prefix = prefix_make(high, low, length, v6);
		number = prefix_find(table, &prefix);
		if (number)
			return table->entries[number].owner;
	}
	return NULL;
}

/* Inline, because each packet needs one of these, and the linker inlines a function with several callers only then. */
inline struct allowedip_list *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4])
{
	return address_lookup(table, &table->v4, (uint64_t)get_be32(address) << 32, 0, false);
}

inline struct allowedip_list *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16])
{
	return address_lookup(table, &table->v6, get_be64(address), get_be64(address + 8), true);
}

/* --- the table ----- */

static void entry_chain(struct allowedips *table, uint32_t number, const struct prefix *prefix)
{
	uint32_t *first = prefix_bucket(table, prefix);

	table->entries[number].chained = *first;
	*first = number;
}

static struct prefix entry_prefix(const struct allowedip *entry)
{
	return (struct prefix) { entry->high, entry->low, entry->length, entry->v6 };
}

/* Entries that were never used are never written to, so their pages cost nothing. */
int allowedips_reserve(struct allowedips *table, size_t prefixes)
{
	size_t wanted = 1 + table->count + prefixes, room = table->room ? table->room : FIRST_ROOM;
	uint32_t *buckets, *old = table->buckets, old_room = table->room;
	struct allowedip *entries;

	if (wanted <= table->room)
		return 0;
	while (room < wanted)
		room *= 2;
	if (room > UINT32_MAX / 2)
		return -ENOMEM;
	entries = malloc(room * sizeof *entries);
	buckets = calloc(room, sizeof *buckets);
	if (!entries || !buckets) {
		free(entries);
		free(buckets);
		return -ENOMEM;
	}
	if (table->entries)
		memcpy(entries, table->entries, table->touched * sizeof *entries);
	else
		table->touched = 1;
	free(table->entries);
	table->entries = entries;
	table->buckets = buckets;
	table->room = (uint32_t)room;
	for (uint32_t i = 0; i < old_room; i++) { /* free entries are in no chain */
		for (uint32_t number = old[i], next; number; number = next) {
			struct prefix prefix = entry_prefix(&entries[number]);
			next = entries[number].chained;
			entry_chain(table, number, &prefix);
		}
	}
	free(old);
	return 0;
}

/* Makes an entry without an owner. The caller has reserved room. */
static uint32_t entry_create(struct allowedips *table, const struct prefix *prefix)
{
	uint32_t number = table->spare ? table->spare : table->touched;
	struct allowedip *entry = &table->entries[number];
	struct allowedip_lengths *lengths = prefix->v6 ? &table->v6 : &table->v4;
	uint8_t length = prefix->length;
	/* One bit per value of the first BEGIN_BITS bits in the prefix. A prefix shorter than that has several. */
	unsigned open = length < BEGIN_BITS ? BEGIN_BITS - length : 0;
	uint64_t begins = open < BEGIN_BITS ? (UINT64_C(1) << (1U << open)) - 1 : ~UINT64_C(0);

	if (table->spare)
		table->spare = entry->chained;
	else
		table->touched++;
	*entry = (struct allowedip) { .high = prefix->high, .low = prefix->low, .length = length, .v6 = prefix->v6 };
	entry_chain(table, number, prefix);
	table->count++;
	lengths->begins[length] |= begins << (prefix->high >> (64 - BEGIN_BITS));
	if (!lengths->prefixes[length]++) {
		unsigned at = lengths->count++;

		for (; at && lengths->used[at - 1] < length; at--)
			lengths->used[at] = lengths->used[at - 1];
		lengths->used[at] = length;
	}
	return number;
}

/* Takes the entry out of the list of its owner. */
static void owner_remove(struct allowedips *table, uint32_t number)
{
	const struct allowedip *entry = &table->entries[number];
	struct allowedip_list *list = entry->owner;

	*(entry->previous ? &table->entries[entry->previous].next : &list->first) = entry->next;
	*(entry->next ? &table->entries[entry->next].previous : &list->last) = entry->previous;
	list->count--;
	list->changes++;
}

static void entry_remove(struct allowedips *table, uint32_t number)
{
	struct allowedip *entry = &table->entries[number];
	struct allowedip_lengths *lengths = entry->v6 ? &table->v6 : &table->v4;
	struct prefix prefix = entry_prefix(entry);
	uint32_t *place = prefix_bucket(table, &prefix);
	unsigned at = 0;

	owner_remove(table, number);
	while (*place != number)
		place = &table->entries[*place].chained;
	*place = entry->chained;
	entry->chained = table->spare;
	table->spare = number;
	table->count--;
	if (--lengths->prefixes[entry->length])
		return;
	/* Other prefixes of a length may need the bits of `begins`, so they are cleared with the last prefix only. */
	lengths->begins[entry->length] = 0;
	while (lengths->used[at] != entry->length)
		at++;
	lengths->count--;
	memmove(&lengths->used[at], &lengths->used[at + 1], lengths->count - at);
}

/* --- changes ----- */

/* Returns false if there is no such family or length. */
static bool prefix_parse(struct prefix *prefix, int family, const uint8_t *address, unsigned length)
{
	if (family == AF_INET && length <= 32)
		*prefix = prefix_make((uint64_t)get_be32(address) << 32, 0, length, false);
	else if (family == AF_INET6 && length <= 128)
		*prefix = prefix_make(get_be64(address), get_be64(address + 8), length, true);
	else
		return false;
	return true;
}

int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
					  struct allowedip_list *owner)
{
	struct allowedip *entry;
	struct prefix prefix;
	uint32_t number;

	if (!prefix_parse(&prefix, family, address, length))
		return -EINVAL;
	if (allowedips_reserve(table, 1))
		return -ENOMEM;
	number = prefix_find(table, &prefix);
	if (number)
		owner_remove(table, number);
	else
		number = entry_create(table, &prefix);
	entry = &table->entries[number];
	entry->owner = owner;
	entry->marked = false;
	entry->previous = owner->last;
	entry->next = 0;
	*(owner->last ? &table->entries[owner->last].next : &owner->first) = number;
	owner->last = number;
	owner->count++;
	owner->changes++;
	return 0;
}

int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
					  const struct allowedip_list *owner)
{
	struct prefix prefix;
	uint32_t number;

	if (!prefix_parse(&prefix, family, address, length))
		return -EINVAL;
	number = table->count ? prefix_find(table, &prefix) : 0;
	if (!number || table->entries[number].owner != owner)
		return -ENOENT;
	entry_remove(table, number);
	return 0;
}

void allowedips_remove_all(struct allowedips *table, struct allowedip_list *owner)
{
	while (owner->first)
		entry_remove(table, owner->first);
}

void allowedips_mark(struct allowedips *table, const struct allowedip_list *owner)
{
	for (uint32_t number = owner->first; number; number = table->entries[number].next)
		table->entries[number].marked = true;
}

void allowedips_sweep(struct allowedips *table, struct allowedip_list *owner)
{
	for (uint32_t number = owner->first, next; number; number = next) {
		next = table->entries[number].next;
		if (table->entries[number].marked)
			entry_remove(table, number);
	}
}

uint32_t allowedips_entry(const struct allowedips *table, uint32_t entry, int *family, uint8_t address[16],
						  uint8_t *length)
{
	const struct allowedip *found = &table->entries[entry];

	if (found->v6) {
		put_be64(address, found->high);
		put_be64(address + 8, found->low);
	} else {
		put_be32(address, (uint32_t)(found->high >> 32));
	}
	*family = found->v6 ? AF_INET6 : AF_INET;
	*length = found->length;
	return found->next;
}

void allowedips_destroy(struct allowedips *table)
{
	free(table->entries);
	free(table->buckets);
	*table = (struct allowedips) { 0 };
}
