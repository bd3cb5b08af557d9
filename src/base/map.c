/* SPDX-License-Identifier: MIT */
/* The hash map: buckets are singly linked lists of the callers' nodes. */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 16 };

uint64_t map_hash(const void *bytes, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const uint8_t *byte = bytes; length; byte++, length--)
		hash = (hash ^ *byte) * UINT64_C(0x100000001b3);
	return hash;
}

int map_init(struct map *map)
{
	map->buckets = calloc(FIRST_BUCKETS, sizeof *map->buckets);
	map->mask = FIRST_BUCKETS - 1;
	map->count = 0;
	return map->buckets ? 0 : -ENOMEM;
}

void map_destroy(struct map *map)
{
	free(map->buckets);
	*map = (struct map) { 0 };
}

/* Callers may use an identifier as its own hash, so the high half is folded into the bits that select the bucket. */
static struct map_node **map_bucket(const struct map *map, uint64_t hash)
{
	return &map->buckets[(hash ^ hash >> 32) & map->mask];
}

static void map_grow(struct map *map)
{
	struct map larger = { .mask = map->mask * 2 + 1 };

	larger.buckets = calloc(larger.mask + 1, sizeof *larger.buckets);
	if (!larger.buckets)
		return;
	for (size_t i = 0; i <= map->mask; i++) {
		for (struct map_node *node = map->buckets[i], *next; node; node = next) {
			struct map_node **link = map_bucket(&larger, node->hash);
			next = node->next;
			node->next = *link;
			*link = node;
		}
	}
	free(map->buckets);
	map->buckets = larger.buckets;
	map->mask = larger.mask;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash)
{
	struct map_node **link;

	if (map->count > map->mask)
		map_grow(map);
	link = map_bucket(map, hash);
	node->hash = hash;
	node->next = *link;
	*link = node;
	map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
	for (struct map_node **link = map_bucket(map, node->hash); *link; link = &(*link)->next) {
		if (*link == node) {
			*link = node->next;
			node->next = NULL;
			map->count--;
			return;
		}
	}
}

struct map_node *map_first(const struct map *map, uint64_t hash)
{
	struct map_node *node = *map_bucket(map, hash);

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct map_node *map_next(const struct map_node *node)
{
	struct map_node *next = node->next;

	while (next && next->hash != node->hash)
		next = next->next;
	return next;
}
