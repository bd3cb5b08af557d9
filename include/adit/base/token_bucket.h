/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: `burst` events at once, and one more for each `interval` that passes (the virtual scheduling
 * algorithm of ITU-T I.371). Its state is one number, the time at which the bucket is full again, so zeroed memory is a
 * full bucket. Several threads may share a bucket: when two of them take the last token together, both may get it.
 */
#ifndef ADIT_BASE_TOKEN_BUCKET_H
#define ADIT_BASE_TOKEN_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	_Atomic uint64_t full_at; /* ns of CLOCK_BOOTTIME */
};

/* Takes a token at `now`; all times are ns, of CLOCK_BOOTTIME. False when the bucket is empty. */
static inline bool token_bucket_take(struct token_bucket *bucket, uint32_t burst, uint64_t interval, uint64_t now)
{
	uint64_t full_at = atomic_load_explicit(&bucket->full_at, memory_order_relaxed);

	if (full_at < now)
		full_at = now;
	if (full_at - now > (burst - 1) * interval)
		return false;
	atomic_store_explicit(&bucket->full_at, full_at + interval, memory_order_relaxed);
	return true;
}

#endif
