/* SPDX-License-Identifier: MIT */
/* An intrusive binary min-heap. The smallest key is at the top; heap_set and heap_remove take O(log n). */
#ifndef ADIT_BASE_HEAP_H
#define ADIT_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t index; /* 1-based; 0: not in the heap, which is the state of a zeroed node */
};

struct heap {
	struct heap_node **nodes;
	size_t count, capacity;
};

/* Frees the array; the nodes belong to the caller. Accepts a zeroed struct. */
void heap_destroy(struct heap *heap);

/* Allocates room for `nodes` nodes in total. Call it before heap_set, which does not allocate. Returns 0 or -ENOMEM. */
int heap_reserve(struct heap *heap, size_t nodes);

/* Sets the node's key to `key` and inserts the node if it is not in the heap. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t key);
/* Removes the node. Does nothing if the node is not in the heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* Returns the node with the smallest key, or NULL if the heap is empty. */
static inline struct heap_node *heap_top(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}

#endif
