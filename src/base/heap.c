/* SPDX-License-Identifier: MIT */
/* The binary heap: node i has its children at 2i and 2i + 1, counted from 1. */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

void heap_destroy(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap) { 0 };
}

int heap_reserve(struct heap *heap, size_t nodes)
{
	size_t capacity = heap->capacity ? heap->capacity : 16;
	struct heap_node **larger;

	if (nodes <= heap->capacity)
		return 0;
	while (capacity < nodes)
		capacity *= 2;
	larger = realloc(heap->nodes, capacity * sizeof *larger);
	if (!larger)
		return -ENOMEM;
	heap->nodes = larger;
	heap->capacity = capacity;
	return 0;
}

static void heap_put(struct heap *heap, size_t index, struct heap_node *node)
{
	heap->nodes[index - 1] = node;
	node->index = index;
}

/* Moves the node up or down to the place that its key requires. All other nodes are in order. */
static void heap_sift(struct heap *heap, struct heap_node *node)
{
	size_t index = node->index, child;

	for (; index > 1 && heap->nodes[index / 2 - 1]->key > node->key; index /= 2)
		heap_put(heap, index, heap->nodes[index / 2 - 1]);
	/* After a move up, the children have greater keys, and the loop ends at once. */
	for (child = index * 2; child <= heap->count; child = index * 2) {
		if (child < heap->count && heap->nodes[child]->key < heap->nodes[child - 1]->key)
			child++;
		if (heap->nodes[child - 1]->key >= node->key)
			break;
		heap_put(heap, index, heap->nodes[child - 1]);
		index = child;
	}
	heap_put(heap, index, node);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t key)
{
	node->key = key;
	if (!node->index)
		heap_put(heap, ++heap->count, node);
	heap_sift(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;

	if (!node->index)
		return;
	last = heap->nodes[--heap->count];
	if (last != node) {
		heap_put(heap, node->index, last);
		heap_sift(heap, last);
	}
	node->index = 0;
}
