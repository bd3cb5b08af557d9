/* SPDX-License-Identifier: MIT */
/* Tests of the hash map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/map.h"

enum { NODES = 5000 };

struct entry {
	struct map_node node;
	int value;
};

static void exactly_the_inserted_nodes_are_found(void **state)
{
	static struct entry entries[NODES];
	struct map map;

	assert_int_equal(map_init(&map), 0);
	for (int i = 0; i < NODES; i++)
		map_insert(&map, &entries[i].node, (uint64_t)i * 0x9e3779b97f4a7c15);
	assert_int_equal(map.count, NODES);
	assert_true(map.mask + 1 >= NODES / 2); /* the table has grown */
	for (int i = 0; i < NODES; i += 2)
		map_remove(&map, &entries[i].node);
	assert_int_equal(map.count, NODES / 2);
	for (int i = 0; i < NODES; i++) {
		struct map_node *node = map_first(&map, (uint64_t)i * 0x9e3779b97f4a7c15);
		assert_ptr_equal(node, i % 2 ? &entries[i].node : NULL);
	}
	map_destroy(&map);
}

static void all_nodes_with_an_equal_hash_are_found(void **state)
{
	struct entry entries[3] = { { .value = 1 }, { .value = 2 }, { .value = 4 } }, other = { .value = 8 };
	struct map map;
	int sum = 0;

	assert_int_equal(map_init(&map), 0);
	map_insert(&map, &other.node, 7 + 16); /* the same bucket */
	for (int i = 0; i < 3; i++)
		map_insert(&map, &entries[i].node, 7);
	for (struct map_node *node = map_first(&map, 7); node; node = map_next(node))
		sum += container_of(node, struct entry, node)->value;
	assert_int_equal(sum, 7);
	map_destroy(&map);
}

static void destroy_accepts_a_zeroed_struct(void **state)
{
	struct map map = { 0 };

	map_destroy(&map);
	assert_null(map.buckets);
}

static void the_hash_is_fnv_1a(void **state)
{
	assert_true(map_hash("", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(map_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(map_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_inserted_nodes_are_found),
		cmocka_unit_test(all_nodes_with_an_equal_hash_are_found),
		cmocka_unit_test(destroy_accepts_a_zeroed_struct),
		cmocka_unit_test(the_hash_is_fnv_1a),
	};
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
