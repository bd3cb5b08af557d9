/* SPDX-License-Identifier: MIT */
/*
 * The limit on handshakes per source. Each source has a virtual clock: every handshake puts it COST on, it never falls
 * behind the real one, and who is ahead by a whole burst has to wait. That is a token bucket in one number, whose zero
 * is a full bucket: an unknown source and one that has been quiet are the same, and forgetting the latter loses
 * nothing.
 */
#include "crypto/cookie.h"

#include <sodium.h>
#include <stdlib.h>

enum {
	PER_SECOND = 20,
	BURST = 5,
	SETS = 1024, /* with WAYS entries each: 128 KiB */
	WAYS = 8,
};

#define COST (NS_PER_S / PER_SECOND)

struct entry {
	uint64_t source; /* its keyed hash, in place of the address */
	uint64_t ahead;  /* its virtual clock */
};

struct ratelimit {
	uint8_t key[crypto_shorthash_KEYBYTES]; /* secret, so that nobody can choose addresses that share a set */
	struct entry sets[SETS][WAYS];
};

struct ratelimit *ratelimit_create(void)
{
	struct ratelimit *limit = calloc(1, sizeof *limit);

	if (limit)
		randombytes_buf(limit->key, sizeof limit->key);
	return limit;
}

void ratelimit_destroy(struct ratelimit *limit)
{
	free(limit);
}

/* Whoever has an IPv6 /64 has all of its addresses: they count as one. The hash tells 4 bytes from 8. */
static uint64_t hash_source(const struct ratelimit *limit, const uint8_t *address, size_t length)
{
	uint64_t hash;

	static_assert(crypto_shorthash_BYTES == sizeof hash, "SipHash-2-4");
	crypto_shorthash((uint8_t *)&hash, address, length == 4 ? 4 : 8, limit->key);
	return hash;
}

/* The entry of `source` in its set, or in place of the one whose clock is the furthest behind. */
static struct entry *find_entry(struct entry set[WAYS], uint64_t source)
{
	struct entry *oldest = set;

	for (struct entry *entry = set; entry < set + WAYS; entry++) {
		if (entry->source == source)
			return entry;
		if (entry->ahead < oldest->ahead)
			oldest = entry;
	}
	*oldest = (struct entry) { .source = source };
	return oldest;
}

bool ratelimit_allow(struct ratelimit *limit, const uint8_t *address, size_t length, uint64_t now)
{
	uint64_t source = hash_source(limit, address, length);
	struct entry *entry = find_entry(limit->sets[source % SETS], source);

	if (entry->ahead < now)
		entry->ahead = now;
	if (entry->ahead - now > (BURST - 1) * COST)
		return false;
	entry->ahead += COST;
	return true;
}
