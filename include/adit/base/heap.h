/* SPDX-License-Identifier: MIT */
/* An intrusive binary heap of deadlines: the earliest is at the top, any node can move or leave in O(log n). */
#ifndef ADIT_BASE_HEAP_H
#define ADIT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t place; /* 1-based index; 0 is "not in the heap", so that zeroed memory is a node at rest */
};

struct heap {
	struct heap_node **nodes;
	size_t count, room;
};

void heap_destroy(struct heap *heap);

/* Makes room for `nodes` nodes in all, so that heap_set cannot fail. 0 or -ENOMEM. */
int heap_reserve(struct heap *heap, size_t nodes);

/* Puts the node in, or moves it, so that its key is `key`. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t key);
/* Takes the node out; nothing happens when it is not in. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The node with the smallest key, or NULL. */
static inline struct heap_node *heap_top(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}

#endif
