/* SPDX-License-Identifier: MIT */
/*
 * An intrusive hash map: the caller embeds struct map_node, brings the hash and compares the keys. Grows by doubling;
 * a failed growth only makes chains longer.
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
	size_t mask; /* buckets - 1 */
	size_t count;
};

/* 0 or -ENOMEM. */
int map_init(struct map *map);
/* Frees the table; the nodes belong to the caller. Takes a zeroed struct. */
void map_destroy(struct map *map);

void map_insert(struct map *map, struct map_node *node, uint64_t hash);
void map_remove(struct map *map, struct map_node *node);

/* The first node with this hash, and the next one behind it; NULL at the end. */
struct map_node *map_first(const struct map *map, uint64_t hash);
struct map_node *map_next(const struct map_node *node);

#endif
