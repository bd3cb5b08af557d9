/* SPDX-License-Identifier: MIT */
/*
 * Allowed IPs: the cryptokey routing table (WireGuard paper, section 2), longest match first. A hash table, asked once
 * for every prefix length that is in use.
 */
#ifndef ADIT_TUNNEL_ALLOWEDIPS_H
#define ADIT_TUNNEL_ALLOWEDIPS_H

#include <stddef.h>
#include <stdint.h>

struct peer;
struct allowedip;

/* The prefix lengths of one IP version that are in use. */
struct allowedip_lengths {
	uint8_t used[129]; /* the longest first */
	uint8_t count;     /* of them */
	uint32_t prefixes[129];
	uint64_t begins[129]; /* of each length: bit n is clear when no prefix has n as its first six bits */
};

/* Zeroed memory is an empty table. */
struct allowedips {
	struct allowedip *entries; /* they name each other by number, so that they can be moved; 0 is none */
	uint32_t *buckets;         /* first entry of each chain */
	uint32_t room;             /* entries that there is memory for, and as many buckets: a power of two, or 0 */
	uint32_t touched;          /* entries from here on were never used */
	uint32_t spare;            /* first of those that are free again */
	uint32_t count;            /* prefixes */
	struct allowedip_lengths v4, v6;
};

/*
 * What a peer was given, in the order it was given last, as numbers that allowedips_entry takes; 0: none. Zeroed memory
 * is an empty list.
 */
struct allowedip_list {
	uint32_t first, last;
	uint32_t count;
	uint32_t changes; /* grows with every change: while it stays, so do the numbers of the list */
};

/*
 * Gives `address`/`length` (4 or 16 bytes for family AF_INET or AF_INET6, bits behind `length` ignored) to `peer`,
 * whose list it joins; whoever had exactly this prefix loses it. 0, -EINVAL or -ENOMEM.
 */
int allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer);

/* Takes the prefix away if it belongs to `peer`. 0, -EINVAL or -ENOENT. */
int allowedips_remove(struct allowedips *table, int family, const uint8_t *address, uint8_t length, struct peer *peer);

/* Takes all away from `peer`. */
void allowedips_remove_peer(struct allowedips *table, struct peer *peer);

/*
 * Replaces what a peer has without a moment in which what it keeps is gone: all it has is marked, what is then inserted
 * loses the mark, and sweeping takes away what still has it.
 */
void allowedips_mark(struct allowedips *table, const struct peer *peer);
void allowedips_sweep(struct allowedips *table, struct peer *peer);

/* Allocates ahead, so that the next `prefixes` insertions, of whatever family, cannot fail. 0 or -ENOMEM. */
int allowedips_reserve(struct allowedips *table, size_t prefixes);

/* The peer with the longest prefix that covers the address, or NULL. */
struct peer *allowedips_lookup4(const struct allowedips *table, const uint8_t address[4]);
struct peer *allowedips_lookup6(const struct allowedips *table, const uint8_t address[16]);

/*
 * Tells one prefix of a list: the address masked, 4 bytes or 16, and what is behind them left as it is. Returns the
 * next of the list, or 0.
 */
uint32_t allowedips_entry(const struct allowedips *table, uint32_t entry, int *family, uint8_t address[16],
						  uint8_t *length);

void allowedips_destroy(struct allowedips *table);

#endif
