/* SPDX-License-Identifier: MIT */
/*
 * The limit on handshakes per sender address: a set-associative table of token buckets.
 *
 * An entry with a full bucket is equivalent to no entry. A new sender therefore replaces the entry of its set whose
 * bucket is, or will be, full first. State is lost only if all senders of a set are being limited.
 */
#include "crypto/cookie.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/token_bucket.h"

enum {
	PER_SECOND = 20,
	BURST = 5,
	SETS = 1024, /* of WAYS entries: 128 KiB in all */
	WAYS = 8,
};

struct entry {
	uint64_t sender; /* keyed hash of the address */
	struct token_bucket bucket;
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

/*
 * The holder of an IPv6 /64 can use all of its addresses, so only the first 8 bytes of an IPv6 address count. SipHash
 * covers the length, so that an IPv4 address and an IPv6 prefix never hash the same input.
 */
bool ratelimit_allow(struct ratelimit *limit, const uint8_t *address, size_t length, uint64_t now)
{
	struct entry *set, *fullest, *found = NULL;
	uint64_t sender;

	static_assert(crypto_shorthash_BYTES == sizeof sender, "SipHash-2-4");
	crypto_shorthash((uint8_t *)&sender, address, length == 4 ? 4 : 8, limit->key);
	set = fullest = limit->sets[sender % SETS];
	for (struct entry *entry = set; entry < set + WAYS && !found; entry++) {
		if (entry->sender == sender)
			found = entry;
		else if (entry->bucket.full_at < fullest->bucket.full_at)
			fullest = entry;
	}
	if (!found) {
		found = fullest;
		*found = (struct entry) { .sender = sender };
	}
	return token_bucket_take(&found->bucket, BURST, NS_PER_S / PER_SECOND, now);
}
