#include "staged.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_HEAD = 32 };

/* A packet is a chain of chunks; its first one carries the length and leads to the next packet. */
struct staged_chunk {
	struct staged_chunk *next;        /* of the same packet, or unused */
	struct staged_chunk *next_packet; /* first chunks only */
	uint32_t length, segments;        /* first chunks only */
	uint8_t data[STAGED_CHUNK - CHUNK_HEAD];
};
_Static_assert(sizeof(struct staged_chunk) <= STAGED_CHUNK, "a chunk keeps to its size");

enum {
	CHUNK_DATA = sizeof(((struct staged_chunk *)0)->data),
	POOL_BYTES = STAGED_CHUNKS * sizeof(struct staged_chunk)
};

int staged_pool_init(struct staged_pool *pool)
{
	void *memory = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*pool = (struct staged_pool) { 0 };
	if (memory == MAP_FAILED)
		return -ENOMEM;
	pool->memory = memory;
	pool->available = STAGED_CHUNKS;
	return 0;
}

void staged_pool_destroy(struct staged_pool *pool)
{
	if (pool->memory)
		munmap(pool->memory, POOL_BYTES);
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

static void chunk_put(struct staged_pool *pool, struct staged_chunk *chunk)
{
	chunk->next = pool->unused;
	pool->unused = chunk;
	pool->available++;
}

static void drop_first(struct staged_pool *pool, struct staged_queue *queue)
{
	struct staged_chunk *first = queue->first;

	queue->first = first->next_packet;
	if (!queue->first)
		queue->last = NULL;
	queue->segments -= first->segments;
	for (struct staged_chunk *chunk = first, *next; chunk; chunk = next) {
		next = chunk->next;
		chunk_put(pool, chunk);
	}
}

static struct staged_chunk *store(struct staged_pool *pool, const uint8_t *packet, size_t length)
{
	struct staged_chunk *first = NULL, **place = &first;

	for (size_t at = 0; at < length; at += CHUNK_DATA) {
		size_t part = length - at < CHUNK_DATA ? length - at : CHUNK_DATA;
		*place = chunk_take(pool);
		memcpy((*place)->data, packet + at, part);
		place = &(*place)->next;
	}
	return first;
}

uint32_t staged_push(struct staged_pool *pool, struct staged_queue *queue, const uint8_t *packet, size_t length,
					 uint32_t segments)
{
	uint32_t dropped = 0, chunks = (uint32_t)((length + CHUNK_DATA - 1) / CHUNK_DATA);
	struct staged_chunk *first;

	while (queue->first && (queue->segments + segments > STAGED_SEGMENTS || pool->available < chunks)) {
		drop_first(pool, queue);
		dropped++;
	}
	if (!chunks || pool->available < chunks)
		return dropped + 1;
	first = store(pool, packet, length);
	first->length = (uint32_t)length;
	first->segments = segments;
	first->next_packet = NULL;
	if (queue->last)
		queue->last->next_packet = first;
	else
		queue->first = first;
	queue->last = first;
	queue->segments += segments;
	return dropped;
}

size_t staged_pop(struct staged_pool *pool, struct staged_queue *queue, uint8_t *packet)
{
	const struct staged_chunk *chunk = queue->first;
	size_t length = chunk ? chunk->length : 0;

	for (size_t at = 0; at < length; at += CHUNK_DATA, chunk = chunk->next)
		memcpy(packet + at, chunk->data, length - at < CHUNK_DATA ? length - at : CHUNK_DATA);
	if (length)
		drop_first(pool, queue);
	return length;
}

uint32_t staged_clear(struct staged_pool *pool, struct staged_queue *queue)
{
	uint32_t dropped = 0;

	for (; queue->first; dropped++)
		drop_first(pool, queue);
	return dropped;
}
