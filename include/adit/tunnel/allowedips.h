/* SPDX-License-Identifier: MIT */
/*
 * Allowed IPs: the cryptokey routing table (WireGuard paper, section 2). A hash table that is searched once per prefix
 * length in use, the longest length first.
 *
 * The table knows no peer: each prefix belongs to a struct allowedip_list, which the peer embeds.
 */
#ifndef ADIT_TUNNEL_ALLOWEDIPS_H
#define ADIT_TUNNEL_ALLOWEDIPS_H

#include <stddef.h>
#include <stdint.h>

struct allowedip;

/* The prefix lengths of one IP version that are in use. */
struct allowedip_lengths {
	uint8_t used[129]; /* the longest first */
	uint8_t count;     /* of `used` */
	uint32_t prefixes[129];
	uint64_t begins[129]; /* per length: bit n is clear when no prefix of this length begins with the six bits n */
};

/* Zeroed memory is an empty table. */
struct allowedips {
	struct allowedip *entries; /* entries refer to each other by index, so the array can move; index 0 means none */
	uint32_t *buckets;         /* the first entry of each chain */
	uint32_t room;             /* entries allocated, and the number of buckets: a power of two, or 0 */
	uint32_t touched;          /* entries from this index on have never been used */
	uint32_t spare;            /* the first freed entry */
	uint32_t count;            /* prefixes */
	struct allowedip_lengths v4, v6;
};

/*
 * The prefixes of one owner, in the order in which they were added, as indices for allowedips_entry; 0 means none.
 * Zeroed memory is an empty list.
 */
struct allowedip_list {
	uint32_t first, last;
	uint32_t count;
	uint32_t changes; /* incremented by every change; the indices of the list are valid until then */
};

/*
 * Gives `address`/`length` (4 or 16 bytes for AF_INET or AF_INET6; bits after `length` are ignored) to `owner`. The
 * previous owner of exactly this prefix loses it. Returns 0, -EINVAL or -ENOMEM.
 */
int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
					  struct allowedip_list *owner);

/* Removes the prefix if it belongs to `owner`. Returns 0, -EINVAL or -ENOENT. */
int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
					  const struct allowedip_list *owner);

/* Removes all prefixes of `owner`. */
void allowedips_remove_all(struct allowedips *table, struct allowedip_list *owner);

/*
 * Replaces the prefixes of an owner so that no prefix in both the old and the new set is ever missing: mark the old
 * ones, insert the new ones, which clears their marks, and sweep what is still marked.
 */
void allowedips_mark(struct allowedips *table, const struct allowedip_list *owner);
void allowedips_sweep(struct allowedips *table, struct allowedip_list *owner);

/* Allocates memory so that the next `prefixes` insertions of either family cannot fail. Returns 0 or -ENOMEM. */
int allowedips_reserve(struct allowedips *table, size_t prefixes);

/* Returns the owner of the longest prefix that contains the address, or NULL. */
struct allowedip_list *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4]);
struct allowedip_list *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16]);

/*
 * Copies out one prefix of a list: the masked address (4 or 16 bytes; an IPv4 address leaves the other 12 bytes alone).
 * Returns the index of the next prefix in the list, or 0.
 */
uint32_t allowedips_entry(const struct allowedips *table, uint32_t entry, int *family, uint8_t address[16],
						  uint8_t *length);

/* Frees the table. The lists are invalid from then on. */
void allowedips_destroy(struct allowedips *table);

#endif
