/* SPDX-License-Identifier: MIT */
/* The list against an array: random appends and removals leave both with the same entries in the same order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

enum { ENTRIES = 20, ROUNDS = 20000 };

struct entry {
	int number;
	struct list_node node;
};

static void zeroed_memory_is_an_empty_list(void **state)
{
	struct list list = { 0 };
	struct entry entry = { 0 };

	assert_true(list_empty(&list));
	assert_null(list_first(&list));
	assert_null(list_take_first(&list));
	assert_false(list_linked(&entry.node));
	list_remove(&entry.node); /* in no list: nothing happens */
	list_for_each (each, &list, struct entry, node)
		fail();
}

static void assert_same(const struct list *list, int *const numbers, size_t count)
{
	size_t i = 0;

	list_for_each (entry, list, struct entry, node) {
		assert_true(i < count);
		assert_int_equal(entry->number, numbers[i++]);
	}
	assert_int_equal(i, count);
	assert_int_equal(list_empty(list), !count);
}

static void random_steps_match_an_array(void **state)
{
	struct list list = { 0 };
	struct entry entries[ENTRIES] = { 0 };
	int numbers[ENTRIES];
	size_t count = 0;

	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct entry *entry = &entries[rand() % ENTRIES];

		entry->number = (int)(entry - entries);
		if (rand() % 8 == 0 && count) {
			struct list_node *first = list_take_first(&list);
			assert_int_equal(container_of(first, struct entry, node)->number, numbers[0]);
			memmove(numbers, numbers + 1, --count * sizeof *numbers);
		} else if (list_linked(&entry->node)) {
			size_t at = 0;
			while (numbers[at] != entry->number)
				at++;
			list_remove(&entry->node);
			memmove(numbers + at, numbers + at + 1, (--count - at) * sizeof *numbers);
		} else {
			list_append(&list, &entry->node);
			numbers[count++] = entry->number;
		}
		assert_same(&list, numbers, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_memory_is_an_empty_list),
		cmocka_unit_test(random_steps_match_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
