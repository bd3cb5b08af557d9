/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Every prefix is one entry of a hash table; its key is IP version, length and bits. A lookup asks the table for the
 * address cut to each length that any prefix of this version has, from the longest down, and the first answer is the
 * longest match. Real tables have few lengths (hosts, some networks, perhaps a default route), so that is a handful of
 * questions, and none waits for the answer to another; where there are many lengths (all networks but the private ones
 * are fifteen), most are ruled out by the first six bits of the address. A trie has a level for about every bit in
 * which its prefixes differ: seventeen loads in a row for a hundred thousand of them, half of which miss the cache.
 *
 * All memory is two arrays, which grow by doubling. Entries stand in one and are named by their numbers, in the buckets
 * of the other as in the chains and in the lists of the peers; they are moved, never renumbered. There are at least as
 * many buckets as entries.
 */
#include "tunnel/allowedips.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "tunnel/peer.h"

/* The first bits of an address, host order, all others zero; one of IPv4 fills the upper half of the first word. */
struct prefix {
	uint64_t high, low;
	uint8_t length;
	bool v6;
};

struct allowedip {
	uint64_t high, low;
	struct peer *peer;
	uint32_t chained;        /* the next in its bucket, or of those that are free */
	uint32_t previous, next; /* in the peer's list */
	uint8_t length;
	bool v6, marked;
};

enum { FIRST_ROOM = 16, BEGIN_BITS = 6 };

/* Shifting a word by 64 is undefined, hence the two cases. */
static inline uint64_t head(uint64_t word, unsigned bits)
{
	return bits ? word & ~UINT64_C(0) << (64 - bits) : 0;
}

static inline struct prefix cut(uint64_t high, uint64_t low, unsigned length, bool v6)
{
	return (struct prefix) {
		.high = head(high, length < 64 ? length : 64),
		.low = length > 64 ? head(low, length - 64) : 0,
		.length = (uint8_t)length,
		.v6 = v6,
	};
}

static inline struct prefix cut_address(const uint8_t *address, unsigned length, bool v6)
{
	return v6 ? cut(get_be64(address), get_be64(address + 8), length, true)
			  : cut((uint64_t)get_be32(address) << 32, 0, length, false);
}

/* Odd constants with bits of no pattern; the best of a product is in its upper half. */
static inline uint32_t hash(const struct prefix *prefix)
{
	uint64_t mixed = (prefix->high ^ prefix->length) * UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 32 ^ prefix->low) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(mixed >> 32);
}

static inline bool is_prefix(const struct allowedip *entry, const struct prefix *prefix)
{
	return entry->high == prefix->high && entry->low == prefix->low && entry->length == prefix->length &&
		   entry->v6 == prefix->v6;
}

static inline uint32_t *bucket(const struct allowedips *table, const struct prefix *prefix)
{
	return &table->buckets[hash(prefix) & (table->room - 1)];
}

/* The number of the prefix's entry, or 0. There are buckets. */
static inline uint32_t find(const struct allowedips *table, const struct prefix *prefix)
{
	uint32_t number = *bucket(table, prefix);

	while (number && !is_prefix(&table->entries[number], prefix))
		number = table->entries[number].chained;
	return number;
}

static inline struct peer *lookup(const struct allowedips *table, const struct allowedip_lengths *lengths,
								  uint64_t high, uint64_t low, bool v6)
{
	for (unsigned i = 0; i < lengths->count; i++) {
		unsigned length = lengths->used[i];
		struct prefix prefix;
		uint32_t number;
		if (!(lengths->begins[length] >> (high >> (64 - BEGIN_BITS)) & 1))
			continue;
		prefix = cut(high, low, length, v6);
		number = find(table, &prefix);
		if (number)
			return table->entries[number].peer;
	}
	return NULL;
}

struct peer *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4])
{
	return lookup(table, &table->v4, (uint64_t)get_be32(address) << 32, 0, false);
}

struct peer *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16])
{
	return lookup(table, &table->v6, get_be64(address), get_be64(address + 8), true);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static struct allowedip_lengths *lengths_of(struct allowedips *table, bool v6)
{
	return v6 ? &table->v6 : &table->v4;
}

/* A bit for each beginning that an address of the prefix can have: a shorter prefix than these bits has several. */
static uint64_t begins(const struct prefix *prefix)
{
	unsigned open = prefix->length < BEGIN_BITS ? BEGIN_BITS - prefix->length : 0;
	uint64_t bits = open < BEGIN_BITS ? (UINT64_C(1) << (1U << open)) - 1 : ~UINT64_C(0);

	return bits << (prefix->high >> (64 - BEGIN_BITS));
}

static void length_add(struct allowedip_lengths *lengths, const struct prefix *prefix)
{
	unsigned at = lengths->count;
	uint8_t length = prefix->length;

	lengths->begins[length] |= begins(prefix);
	if (lengths->prefixes[length]++)
		return;
	for (; at && lengths->used[at - 1] < length; at--)
		lengths->used[at] = lengths->used[at - 1];
	lengths->used[at] = length;
	lengths->count++;
}

/* What beginnings the others of its length have is not known, so the bits stay until it is the last. */
static void length_remove(struct allowedip_lengths *lengths, uint8_t length)
{
	unsigned at = 0;

	if (--lengths->prefixes[length])
		return;
	lengths->begins[length] = 0;
	while (lengths->used[at] != length)
		at++;
	lengths->count--;
	memmove(&lengths->used[at], &lengths->used[at + 1], lengths->count - at);
}

static void chain(struct allowedips *table, uint32_t number, const struct prefix *prefix)
{
	uint32_t *first = bucket(table, prefix);

	table->entries[number].chained = *first;
	*first = number;
}

static struct prefix prefix_of(const struct allowedip *entry)
{
	return (struct prefix) { entry->high, entry->low, entry->length, entry->v6 };
}

/* Moves all to larger arrays; of the entries that are free, none is in a chain. */
static void move(struct allowedips *table, struct allowedip *entries, uint32_t *buckets, uint32_t room)
{
	uint32_t *old = table->buckets, old_room = table->room;

	if (table->entries)
		memcpy(entries, table->entries, table->touched * sizeof *entries);
	else
		table->touched = 1;
	free(table->entries);
	table->entries = entries;
	table->buckets = buckets;
	table->room = room;
	for (uint32_t i = 0; i < old_room; i++) {
		for (uint32_t number = old[i], next; number; number = next) {
			struct prefix prefix = prefix_of(&entries[number]);
			next = entries[number].chained;
			chain(table, number, &prefix);
		}
	}
	free(old);
}

/* Memory of entries that were never used is never touched. */
int allowedips_reserve(struct allowedips *table, size_t prefixes)
{
	size_t wanted = 1 + table->count + prefixes, room = table->room ? table->room : FIRST_ROOM;
	struct allowedip *entries;
	uint32_t *buckets;

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
	move(table, entries, buckets, (uint32_t)room);
	return 0;
}

/* A new entry, of nobody yet. There is room. */
static uint32_t entry_create(struct allowedips *table, const struct prefix *prefix)
{
	uint32_t number = table->spare ? table->spare : table->touched;
	struct allowedip *entry = &table->entries[number];

	if (table->spare)
		table->spare = entry->chained;
	else
		table->touched++;
	*entry =
		(struct allowedip) { .high = prefix->high, .low = prefix->low, .length = prefix->length, .v6 = prefix->v6 };
	chain(table, number, prefix);
	length_add(lengths_of(table, prefix->v6), prefix);
	table->count++;
	return number;
}

static void entry_free(struct allowedips *table, uint32_t number)
{
	struct allowedip *entry = &table->entries[number];
	struct prefix prefix = prefix_of(entry);
	uint32_t *place = bucket(table, &prefix);

	while (*place != number)
		place = &table->entries[*place].chained;
	*place = entry->chained;
	entry->chained = table->spare;
	table->spare = number;
	length_remove(lengths_of(table, entry->v6), entry->length);
	table->count--;
}

/* --- the peer's list --------------------------------------------------------------------------------------------- */

static void list_add(struct allowedips *table, struct peer *peer, uint32_t number)
{
	struct allowedip_list *list = &peer->allowed_ips;
	struct allowedip *entry = &table->entries[number];

	entry->peer = peer;
	entry->marked = false;
	entry->previous = list->last;
	entry->next = 0;
	*(list->last ? &table->entries[list->last].next : &list->first) = number;
	list->last = number;
	list->count++;
	list->changes++;
}

static void list_remove(struct allowedips *table, uint32_t number)
{
	const struct allowedip *entry = &table->entries[number];
	struct allowedip_list *list = &entry->peer->allowed_ips;

	*(entry->previous ? &table->entries[entry->previous].next : &list->first) = entry->next;
	*(entry->next ? &table->entries[entry->next].previous : &list->last) = entry->previous;
	list->count--;
	list->changes++;
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

static void take_away(struct allowedips *table, uint32_t number)
{
	list_remove(table, number);
	entry_free(table, number);
}

static bool valid(int family, unsigned length)
{
	return (family == AF_INET && length <= 32) || (family == AF_INET6 && length <= 128);
}

int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer)
{
	struct prefix prefix;
	uint32_t number;

	if (!valid(family, length))
		return -EINVAL;
	if (allowedips_reserve(table, 1))
		return -ENOMEM;
	prefix = cut_address(address, length, family == AF_INET6);
	number = find(table, &prefix);
	if (number)
		list_remove(table, number);
	else
		number = entry_create(table, &prefix);
	list_add(table, peer, number);
	return 0;
}

int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer)
{
	struct prefix prefix;
	uint32_t number;

	if (!valid(family, length))
		return -EINVAL;
	prefix = cut_address(address, length, family == AF_INET6);
	number = table->count ? find(table, &prefix) : 0;
	if (!number || table->entries[number].peer != peer)
		return -ENOENT;
	take_away(table, number);
	return 0;
}

void allowedips_remove_peer(struct allowedips *table, struct peer *peer)
{
	while (peer->allowed_ips.first)
		take_away(table, peer->allowed_ips.first);
}

void allowedips_mark(struct allowedips *table, const struct peer *peer)
{
	for (uint32_t number = peer->allowed_ips.first; number; number = table->entries[number].next)
		table->entries[number].marked = true;
}

void allowedips_sweep(struct allowedips *table, struct peer *peer)
{
	for (uint32_t number = peer->allowed_ips.first, next; number; number = next) {
		next = table->entries[number].next;
		if (table->entries[number].marked)
			take_away(table, number);
	}
}

uint32_t allowedips_entry(const struct allowedips *table, uint32_t entry, int *family, uint8_t address[16],
						  uint8_t *length)
{
	const struct allowedip *told = &table->entries[entry];

	if (told->v6) {
		put_be64(address, told->high);
		put_be64(address + 8, told->low);
	} else {
		put_be32(address, (uint32_t)(told->high >> 32));
	}
	*family = told->v6 ? AF_INET6 : AF_INET;
	*length = told->length;
	return told->next;
}

void allowedips_destroy(struct allowedips *table)
{
	free(table->entries);
	free(table->buckets);
	*table = (struct allowedips) { 0 };
}
