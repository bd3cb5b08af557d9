/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

enum { KINDS = 64, ROUNDS = 4000 };

/* A kernel that knows KINDS prefixes: which of them stand, which shall, and what it was asked to do. */
struct kernel {
	bool stands[KINDS], wanted[KINDS];
	int changes, refuses_at; /* the change that fails; 0: none */
};

/* One of KINDS prefixes: lengths, families and tables in turn, and neighbours in either half of an address. */
static struct network_item item_of(unsigned number)
{
	struct network_item item = { .table = number & 1 ? 7 : 0 };
	bool v6 = number & 2;

	item.prefix.family = v6 ? AF_INET6 : AF_INET;
	item.prefix.length = number & 4 ? 24 : 32;
	item.prefix.address[number & 8 ? 2 : v6 ? 15 : 0] = (uint8_t)(number >> 4 | 0x80);
	return item;
}

static unsigned number_of(const struct network_item *item)
{
	for (unsigned number = 0; number < KINDS; number++) {
		struct network_item known = item_of(number);
		if (!memcmp(&known.prefix, &item->prefix, sizeof known.prefix) && known.table == item->table)
			return number;
	}
	fail_msg("an item that nobody made");
	return 0;
}

static int change(struct kernel *kernel, const struct network_item *item, bool stands)
{
	unsigned number = number_of(item);

	assert_int_not_equal(kernel->stands[number], stands);
	assert_int_equal(kernel->wanted[number], stands);
	if (++kernel->changes == kernel->refuses_at)
		return -EPERM;
	kernel->stands[number] = stands;
	return 0;
}

static void add(void *context, const struct network_item *items, size_t count, int *status)
{
	bool failed = false;

	assert_in_range(count, 1, NETWORK_LIST_AT_ONCE);
	for (size_t i = 0; i < count; i++) {
		status[i] = failed ? 1 : change(context, &items[i], true);
		failed |= status[i] < 0;
	}
}

static int del(void *context, const struct network_item *item)
{
	return change(context, item, false);
}

static void assert_list_is_what_stands(const struct kernel *kernel, const struct network_list *have)
{
	size_t standing = 0;

	for (unsigned number = 0; number < KINDS; number++)
		standing += kernel->stands[number];
	assert_int_equal(have->count, standing);
	for (size_t i = 0; i < have->count; i++)
		assert_true(kernel->stands[number_of(&have->items[i])]);
}

/* Wants each prefix once with a chance of one to three in four, in an order that begins anywhere. */
static void choose(struct kernel *kernel, struct network_list *want)
{
	int chance = 1 + rand() % 3;
	unsigned begin = (unsigned)rand() % KINDS, step = (unsigned)rand() % 2 ? 1 : KINDS / 2 + 1;

	for (unsigned i = 0; i < KINDS; i++) {
		unsigned number = (begin + i * step) % KINDS;
		struct network_item item = item_of(number);

		kernel->wanted[number] = rand() % 4 < chance;
		if (kernel->wanted[number])
			assert_int_equal(network_list_push(want, &item.prefix, item.table), 0);
	}
}

/* Nothing is added that stands or deleted that is wanted, whatever stood before, and the list knows what stands. */
static void what_stands_becomes_what_is_wanted(void **state)
{
	struct kernel kernel = { 0 };
	const struct network_acts acts = { add, del, &kernel };
	struct network_list have = { 0 };

	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct network_list want = { 0 };

		choose(&kernel, &want);
		kernel.changes = 0;
		kernel.refuses_at = round % 3 ? 0 : 1 + rand() % KINDS;
		if (network_list_sync(&have, &want, &acts) == 0)
			assert_memory_equal(kernel.stands, kernel.wanted, sizeof kernel.stands);
		else
			assert_int_equal(kernel.changes, kernel.refuses_at);
		assert_list_is_what_stands(&kernel, &have);
		network_list_destroy(&want);
	}
	network_list_destroy(&have);
}

static void the_same_again_changes_nothing(void **state)
{
	struct kernel kernel = { 0 };
	const struct network_acts acts = { add, del, &kernel };
	struct network_list have = { 0 }, want = { 0 };

	srand(2);
	choose(&kernel, &want);
	assert_int_equal(network_list_sync(&have, &want, &acts), 0);
	kernel.changes = 0;
	assert_int_equal(network_list_sync(&have, &want, &acts), 0);
	assert_int_equal(kernel.changes, 0);
	network_list_destroy(&want);
	network_list_destroy(&have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_becomes_what_is_wanted),
		cmocka_unit_test(the_same_again_changes_nothing),
	};

	return cmocka_run_group_tests_name("network_list", tests, NULL, NULL);
}
