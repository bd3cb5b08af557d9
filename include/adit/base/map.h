/* SPDX-License-Identifier: MIT */
/*
 * An intrusive hash map. The caller embeds struct map_node, computes the hashes and compares the keys. The table
 * doubles when it is full; if that allocation fails, the map still works, with longer chains.
 */
#ifndef ADIT_BASE_MAP_H
#define ADIT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node *next;
	uint64_t hash;
};

struct map {
	struct map_node **buckets;
	size_t mask; /* the number of buckets, a power of two, minus 1 */
	size_t count;
};

/* FNV-1a, for keys that nobody chooses in order to flood the map. */
uint64_t map_hash(const void *bytes, size_t length);

/* Returns 0 or -ENOMEM. */
int map_init(struct map *map);
/* Frees the table; the nodes belong to the caller. Accepts a zeroed struct. */
void map_destroy(struct map *map);

/* Inserts the node without looking for an equal one. */
void map_insert(struct map *map, struct map_node *node, uint64_t hash);
/* Removes the node. Does nothing if the node is not in the map. */
void map_remove(struct map *map, struct map_node *node);

/* Return the first node with this hash, and the next node with the same hash; NULL if there is none. */
struct map_node *map_first(const struct map *map, uint64_t hash);
struct map_node *map_next(const struct map_node *node);

#endif
