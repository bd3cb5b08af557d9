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

static void sift_up(struct heap *heap, struct heap_node *node)
{
	size_t index = node->index;

	for (; index > 1 && heap->nodes[index / 2 - 1]->key > node->key; index /= 2)
		heap_put(heap, index, heap->nodes[index / 2 - 1]);
	heap_put(heap, index, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
	size_t index = node->index, child = index * 2;

	while (child <= heap->count) {
		if (child < heap->count && heap->nodes[child]->key < heap->nodes[child - 1]->key)
			child++;
		if (heap->nodes[child - 1]->key >= node->key)
			break;
		heap_put(heap, index, heap->nodes[child - 1]);
		index = child;
		child = index * 2;
	}
	heap_put(heap, index, node);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t key)
{
	node->key = key;
	if (!node->index)
		heap_put(heap, ++heap->count, node);
	sift_up(heap, node);
	sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;

	if (!node->index)
		return;
	last = heap->nodes[--heap->count];
	if (last != node) {
		heap_put(heap, node->index, last);
		sift_up(heap, last);
		sift_down(heap, last);
	}
	node->index = 0;
}
