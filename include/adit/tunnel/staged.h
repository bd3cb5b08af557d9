/* SPDX-License-Identifier: MIT */
/*
 * Staged packets: packets that wait until a handshake has made a session. They are kept as read from the TUN, in chunks
 * from one pool of fixed size that all peers share. The pool never grows. When it is full, the peer that holds most of
 * it loses its oldest packet, so peers that are offline cannot take the pool from the others.
 *
 * Any thread may push and pop. A packet is sent by the worker that staged it, which also reads all later packets of its
 * flow, so no packet overtakes another of its flow.
 *
 * When a peer has a session, control marks its queue as ready. The workers then pop its packets.
 */
#ifndef ADIT_TUNNEL_STAGED_H
#define ADIT_TUNNEL_STAGED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

enum {
	STAGED_SEGMENTS = 128, /* segments per peer that may wait */
	STAGED_CHUNK = 2048,   /* bytes */
	STAGED_CHUNKS = 1024,
	STAGED_WORKERS = 32, /* max */
};

struct staged_chunk;

struct staged_pool {
	pthread_mutex_t lock; /* protects the pool, all queues and the list of ready queues */
	struct staged_chunk *memory, *unused;
	uint32_t fresh;         /* chunks from this index on have never been used */
	uint32_t available;     /* unused and fresh chunks */
	struct heap holders;    /* queues that are not empty; the one with the most chunks is at the top */
	uint64_t serial;        /* number of queues that have become non-empty so far */
	struct list ready;      /* queues whose packets can be sent */
	_Atomic bool any_ready; /* `ready` is not empty; read without the lock */
};

/* The packets of one peer, oldest first. Zeroed memory is an empty queue. */
struct staged_queue {
	struct staged_chunk *first, *last; /* first chunks of packets */
	uint32_t segments, chunks;
	struct heap_node holder;  /* in the pool's heap */
	uint64_t since;           /* pool.serial when the queue became non-empty */
	_Atomic uint32_t waiting; /* bit n: packets of worker n wait */
	struct list_node ready;   /* in the pool's list */
};

/* Returns the workers that have packets waiting, bit n for worker n. */
static inline uint32_t staged_waiting(const struct staged_queue *queue)
{
	return atomic_load_explicit(&queue->waiting, memory_order_acquire);
}

/* Returns whether any queue is ready. The answer may be out of date; the worker is woken when a queue becomes ready. */
static inline bool staged_any_ready(const struct staged_pool *pool)
{
	return atomic_load_explicit(&pool->any_ready, memory_order_relaxed);
}

/* Returns 0 or -ENOMEM. Chunks that are never used are never written to, so their pages cost nothing. */
int staged_pool_init(struct staged_pool *pool);
/* Accepts a zeroed struct. */
void staged_pool_destroy(struct staged_pool *pool);

/*
 * Appends a packet of `worker`: `length` bytes, at most 65545, that will become `segments` segments. To make room,
 * drops the oldest packets of this queue if it has too many segments. If the pool is full, drops the oldest packets of
 * the queue that holds the most chunks. This queue counts with the new packet, but only if its own chunks would
 * suffice. Returns how many packets were dropped, of any queue.
 */
uint32_t staged_push(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, const uint8_t *packet,
					 size_t length, uint32_t segments);

/* Removes the oldest packet of `worker` and copies it to `packet`. Returns its length, or 0 when there is none. */
size_t staged_pop(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, uint8_t *packet);

/* Drops all packets of the queue and returns how many. */
uint32_t staged_clear(struct staged_pool *pool, struct staged_queue *queue);

/* Marks the queue as ready, or no longer ready. Both may be repeated. */
void staged_set_ready(struct staged_pool *pool, struct staged_queue *queue);
void staged_clear_ready(struct staged_pool *pool, struct staged_queue *queue);

/*
 * Returns the first ready queue with packets of `worker`, or NULL. The queue stays the first until its packets are
 * popped; queues without any packets lose their mark on the way.
 */
struct staged_queue *staged_next_ready(struct staged_pool *pool, unsigned worker);

#endif
