/* SPDX-License-Identifier: MIT */
/* Tests of the binary heap against a linear search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"

enum { NODES = 300, ROUNDS = 20000 };

static struct heap_node *naive_top(struct heap_node nodes[NODES])
{
	struct heap_node *top = NULL;

	for (int i = 0; i < NODES; i++)
		if (nodes[i].index && (!top || nodes[i].key < top->key))
			top = &nodes[i];
	return top;
}

static void the_top_is_the_smallest_after_any_change(void **state)
{
	static struct heap_node nodes[NODES];
	struct heap heap = { 0 };
	size_t count = 0;

	srand(1);
	assert_int_equal(heap_reserve(&heap, NODES), 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct heap_node *node = &nodes[rand() % NODES], *top;
		if (rand() % 3) {
			count += !node->index;
			heap_set(&heap, node, (uint64_t)rand() % 1000);
		} else {
			count -= node->index != 0;
			heap_remove(&heap, node);
			assert_int_equal(node->index, 0);
		}
		assert_int_equal(heap.count, count);
		top = naive_top(nodes);
		assert_true(top ? heap_top(&heap)->key == top->key : !heap_top(&heap));
	}
	heap_destroy(&heap);
}

static void reserve_keeps_the_nodes_in_order(void **state)
{
	struct heap_node nodes[40] = { 0 };
	struct heap heap = { 0 };

	for (int i = 0; i < 40; i++) {
		assert_int_equal(heap_reserve(&heap, (size_t)i + 1), 0);
		heap_set(&heap, &nodes[i], (uint64_t)(40 - i));
	}
	for (uint64_t key = 1; key <= 40; key++) {
		assert_int_equal(heap_top(&heap)->key, key);
		heap_remove(&heap, heap_top(&heap));
	}
	assert_null(heap_top(&heap));
	heap_destroy(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_top_is_the_smallest_after_any_change),
		cmocka_unit_test(reserve_keeps_the_nodes_in_order),
	};
	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
