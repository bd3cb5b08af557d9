/* SPDX-License-Identifier: MIT */
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
	size_t room = heap->room ? heap->room : 16;
	struct heap_node **larger;

	if (nodes <= heap->room)
		return 0;
	while (room < nodes)
		room *= 2;
	larger = realloc(heap->nodes, room * sizeof *larger);
	if (!larger)
		return -ENOMEM;
	heap->nodes = larger;
	heap->room = room;
	return 0;
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
	heap->nodes[place - 1] = node;
	node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	for (; place > 1 && heap->nodes[place / 2 - 1]->key > node->key; place /= 2)
		put(heap, place, heap->nodes[place / 2 - 1]);
	put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	for (size_t child; (child = place * 2) <= heap->count; place = child) {
		if (child < heap->count && heap->nodes[child]->key < heap->nodes[child - 1]->key)
			child++;
		if (heap->nodes[child - 1]->key >= node->key)
			break;
		put(heap, place, heap->nodes[child - 1]);
	}
	put(heap, place, node);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t key)
{
	node->key = key;
	if (!node->place)
		put(heap, ++heap->count, node);
	sift_up(heap, node);
	sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last = heap->nodes ? heap->nodes[heap->count ? heap->count - 1 : 0] : NULL;

	if (!node->place)
		return;
	heap->count--;
	if (last != node) {
		put(heap, node->place, last);
		sift_up(heap, last);
		sift_down(heap, last);
	}
	node->place = 0;
}
