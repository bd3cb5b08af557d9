/* SPDX-License-Identifier: MIT */
/* Staged packets: the pool of chunks, the queues and the list of ready queues. */
#include "tunnel/staged.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_HEAD = 32 };

/* A packet is a chain of chunks. The first chunk holds its length and the link to the next packet. */
struct staged_chunk {
	struct staged_chunk *next;        /* the next chunk of the packet, or the next unused chunk */
	struct staged_chunk *next_packet; /* first chunks only */
	uint32_t length;                  /* first chunks only */
	uint16_t segments, worker;        /* first chunks only */
	uint8_t data[STAGED_CHUNK - CHUNK_HEAD];
};
static_assert(sizeof(struct staged_chunk) <= STAGED_CHUNK, "a chunk has its size");

enum {
	SERIAL_BITS = 48, /* of the key in the heap */
	CHUNK_DATA = sizeof(((struct staged_chunk *)0)->data),
	POOL_BYTES = STAGED_CHUNKS * sizeof(struct staged_chunk)
};

int staged_pool_init(struct staged_pool *pool)
{
	void *memory = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*pool = (struct staged_pool) { .lock = PTHREAD_MUTEX_INITIALIZER };
	if (memory == MAP_FAILED)
		return -ENOMEM;
	if (heap_reserve(&pool->holders, STAGED_CHUNKS)) { /* a queue in the heap has at least one chunk */
		munmap(memory, POOL_BYTES);
		return -ENOMEM;
	}
	pool->memory = memory;
	pool->available = STAGED_CHUNKS;
	return 0;
}

void staged_pool_destroy(struct staged_pool *pool)
{
	if (pool->memory)
		munmap(pool->memory, POOL_BYTES);
	heap_destroy(&pool->holders);
	*pool = (struct staged_pool) { 0 };
}

static struct staged_chunk *chunk_take(struct staged_pool *pool)
{
	struct staged_chunk *chunk = pool->unused;

	if (chunk)
		pool->unused = chunk->next;
	else
		chunk = &pool->memory[pool->fresh++];
	pool->available--;
	chunk->next = NULL;
	return chunk;
}

/* Drops the packet at *place; `previous` is the packet before it, or NULL. */
static void drop_packet(struct staged_pool *pool, struct staged_queue *queue, struct staged_chunk **place,
						struct staged_chunk *previous)
{
	struct staged_chunk *first = *place;

	*place = first->next_packet;
	if (queue->last == first)
		queue->last = previous;
	queue->segments -= first->segments;
	for (struct staged_chunk *chunk = first, *next; chunk; chunk = next) {
		next = chunk->next;
		chunk->next = pool->unused;
		pool->unused = chunk;
		pool->available++;
		queue->chunks--;
	}
}

/*
 * Updates everything that follows from the packets of the queue: the set of workers and the place in the heap. More
 * chunks come first. Of equal queues the one that has waited longest comes first, because its peer is most likely to be
 * offline.
 */
static void update_queue(struct staged_pool *pool, struct staged_queue *queue)
{
	uint32_t waiting = 0;

	for (const struct staged_chunk *chunk = queue->first; chunk; chunk = chunk->next_packet)
		waiting |= UINT32_C(1) << chunk->worker;
	atomic_store_explicit(&queue->waiting, waiting, memory_order_release);
	if (!queue->first) {
		heap_remove(&pool->holders, &queue->holder);
		queue->since = 0;
		return;
	}
	if (!queue->since)
		queue->since = ++pool->serial;
	heap_set(&pool->holders, &queue->holder, (uint64_t)(STAGED_CHUNKS - queue->chunks) << SERIAL_BITS | queue->since);
}

/* Drops packets until `chunks` chunks are available for a packet of `queue`. Returns how many were dropped. */
static uint32_t make_pool_room(struct staged_pool *pool, struct staged_queue *queue, uint32_t chunks)
{
	uint32_t dropped = 0;

	heap_remove(&pool->holders, &queue->holder);
	for (; pool->available < chunks; dropped++) {
		struct heap_node *top = heap_top(&pool->holders);
		struct staged_queue *victim = top ? container_of(top, struct staged_queue, holder) : queue;

		if (queue->chunks + pool->available >= chunks && queue->chunks + chunks > victim->chunks)
			victim = queue;
		drop_packet(pool, victim, &victim->first, NULL);
		if (victim != queue)
			update_queue(pool, victim);
	}
	return dropped;
}

uint32_t staged_push(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, const uint8_t *packet,
					 size_t length, uint32_t segments)
{
	uint32_t dropped = 0, chunks = (uint32_t)((length + CHUNK_DATA - 1) / CHUNK_DATA);
	struct staged_chunk *first, *chunk;

	if (!length || length > (size_t)STAGED_CHUNKS * CHUNK_DATA)
		return 1;
	pthread_mutex_lock(&pool->lock);
	for (; queue->first && queue->segments + segments > STAGED_SEGMENTS; dropped++)
		drop_packet(pool, queue, &queue->first, NULL);
	if (pool->available < chunks)
		dropped += make_pool_room(pool, queue, chunks);
	first = chunk = chunk_take(pool);
	for (size_t at = 0, n; at < length; at += n) {
		if (at)
			chunk = chunk->next = chunk_take(pool);
		n = length - at < CHUNK_DATA ? length - at : CHUNK_DATA;
		memcpy(chunk->data, packet + at, n);
	}
	first->next_packet = NULL;
	first->length = (uint32_t)length;
	first->segments = (uint16_t)segments;
	first->worker = (uint16_t)worker;
	*(queue->last ? &queue->last->next_packet : &queue->first) = first;
	queue->last = first;
	queue->segments += first->segments;
	queue->chunks += chunks;
	update_queue(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	return dropped;
}

size_t staged_pop(struct staged_pool *pool, struct staged_queue *queue, unsigned worker, uint8_t *packet)
{
	struct staged_chunk **place, *previous = NULL;
	size_t length = 0;

	pthread_mutex_lock(&pool->lock);
	for (place = &queue->first; *place && (*place)->worker != worker; place = &previous->next_packet)
		previous = *place;
	if (*place) {
		const struct staged_chunk *chunk = *place;

		length = chunk->length;
		for (size_t at = 0; at < length; at += CHUNK_DATA, chunk = chunk->next)
			memcpy(packet + at, chunk->data, length - at < CHUNK_DATA ? length - at : CHUNK_DATA);
		drop_packet(pool, queue, place, previous);
	}
	update_queue(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	return length;
}

uint32_t staged_clear(struct staged_pool *pool, struct staged_queue *queue)
{
	uint32_t dropped = 0;

	pthread_mutex_lock(&pool->lock);
	for (; queue->first; dropped++)
		drop_packet(pool, queue, &queue->first, NULL);
	update_queue(pool, queue);
	pthread_mutex_unlock(&pool->lock);
	return dropped;
}

/* --- ready queues ----- */

void staged_set_ready(struct staged_pool *pool, struct staged_queue *queue)
{
	pthread_mutex_lock(&pool->lock);
	if (!list_linked(&queue->ready))
		list_append(&pool->ready, &queue->ready);
	atomic_store_explicit(&pool->any_ready, true, memory_order_relaxed);
	pthread_mutex_unlock(&pool->lock);
}

/* The caller holds the lock. */
static void unlink_ready(struct staged_pool *pool, struct staged_queue *queue)
{
	list_remove(&queue->ready);
	atomic_store_explicit(&pool->any_ready, !list_empty(&pool->ready), memory_order_relaxed);
}

void staged_clear_ready(struct staged_pool *pool, struct staged_queue *queue)
{
	pthread_mutex_lock(&pool->lock);
	unlink_ready(pool, queue);
	pthread_mutex_unlock(&pool->lock);
}

struct staged_queue *staged_next_ready(struct staged_pool *pool, unsigned worker)
{
	struct staged_queue *queue, *next;

	pthread_mutex_lock(&pool->lock);
	for (queue = list_first_entry(&pool->ready, struct staged_queue, ready); queue; queue = next) {
		uint32_t waiting = staged_waiting(queue);

		if (waiting & UINT32_C(1) << worker)
			break;
		next = list_next_entry(&pool->ready, queue, struct staged_queue, ready);
		if (!waiting)
			unlink_ready(pool, queue);
	}
	pthread_mutex_unlock(&pool->lock);
	return queue;
}
