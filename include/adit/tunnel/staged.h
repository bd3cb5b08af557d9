/* SPDX-License-Identifier: MIT */
/*
 * Packets that wait for a handshake. They are kept as the TUN gave them, in chunks of one pool of fixed size that all
 * peers share: a full pool drops, and never grows.
 *
 * Any thread may push and pop. Each packet goes out by the worker that staged it, which has all later ones of its flow:
 * so none overtakes another.
 */
#ifndef ADIT_TUNNEL_STAGED_H
#define ADIT_TUNNEL_STAGED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STAGED_SEGMENTS = 128, /* segments one peer may have waiting */
	STAGED_CHUNK = 2048,
	STAGED_CHUNKS = 1024,
	STAGED_WORKERS = 32, /* at most */
};

struct staged_chunk;

struct staged_pool {
	pthread_mutex_t lock; /* of all queues, too */
	struct staged_chunk *memory, *unused;
	uint32_t fresh;     /* chunks from here on were never used */
	uint32_t available; /* unused and fresh ones together */
};

/* One peer's, oldest first. Zeroed memory is an empty queue. */
struct staged_queue {
	struct staged_chunk *first, *last; /* first chunks of packets */
	uint32_t segments;
	_Atomic uint32_t waiting; /* bit n: packets of worker n */
};

/* Whose packets wait, bit n for worker n; 0: nobody's. */
static inline uint32_t staged_waiting(const struct staged_queue *queue)
{
	return atomic_load_explicit(&queue->waiting, memory_order_acquire);
}

/* 0 or -ENOMEM. Memory that is never staged into is never touched. */
int staged_pool_init(struct staged_pool *pool);
void staged_pool_destroy(struct staged_pool *pool);

/*
 * Appends a packet of `worker`, `length` bytes that will make `segments` segments. The oldest of this peer go before
 * the new one, which stays whole. Returns how many packets were dropped for it, itself included when the pool is full.
 */
uint32_t staged_push(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, const uint8_t *packet,
					 size_t length, uint32_t segments);

/* Takes the oldest packet of `worker` out and copies it to `packet`. Its length, or 0 when there is none. */
size_t staged_pop(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, uint8_t *packet);

/* Drops all; returns how many packets. */
uint32_t staged_clear(struct staged_pool *pool, struct staged_queue *queue);

#endif
