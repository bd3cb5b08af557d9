/* SPDX-License-Identifier: MIT */
/* Random tests of network_list_sync against a model of the kernel. */
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

#include "network/item_list.h"

enum { KINDS = 64, ROUNDS = 4000 };

/* The kernel, with KINDS possible prefixes. */
struct kernel {
	bool present[KINDS], wanted[KINDS];
	int changes, fail_at; /* the change that fails; 0: none */
};

/* One of KINDS prefixes, which differ in table, family, length and either half of the address. */
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
	fail_msg("unknown item");
	return 0;
}

static int change(struct kernel *kernel, const struct network_item *item, bool present)
{
	unsigned number = number_of(item);

	assert_int_not_equal(kernel->present[number], present);
	assert_int_equal(kernel->wanted[number], present);
	if (++kernel->changes == kernel->fail_at)
		return -EPERM;
	kernel->present[number] = present;
	return 0;
}

static void add(void *context, const struct network_item *items, size_t count, int *status)
{
	bool failed = false;

	assert_uint_in_range(count, 1, NETWORK_LIST_BATCH);
	for (size_t i = 0; i < count; i++) {
		status[i] = failed ? 1 : change(context, &items[i], true);
		failed |= status[i] < 0;
	}
}

static int del(void *context, const struct network_item *item)
{
	return change(context, item, false);
}

static void assert_list_matches_kernel(const struct kernel *kernel, const struct network_list *have)
{
	size_t present_count = 0;

	for (unsigned number = 0; number < KINDS; number++)
		present_count += kernel->present[number];
	assert_int_equal(have->count, present_count);
	for (size_t i = 0; i < have->count; i++)
		assert_true(kernel->present[number_of(&have->items[i])]);
}

/* Chooses each prefix with a probability of 1/4 to 3/4, in an order that starts anywhere. */
static void choose_wanted(struct kernel *kernel, struct network_list *want)
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

/* change() asserts that no present item is added and no wanted one deleted. */
static void sync_adds_and_deletes_only_the_difference(void **state)
{
	struct kernel kernel = { 0 };
	const struct network_list_ops ops = { add, del, &kernel };
	struct network_list have = { 0 };

	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct network_list want = { 0 };

		choose_wanted(&kernel, &want);
		kernel.changes = 0;
		kernel.fail_at = round % 3 ? 0 : 1 + rand() % KINDS;
		if (network_list_sync(&have, &want, &ops) == 0)
			assert_memory_equal(kernel.present, kernel.wanted, sizeof kernel.present);
		else
			assert_int_equal(kernel.changes, kernel.fail_at);
		assert_list_matches_kernel(&kernel, &have);
		network_list_destroy(&want);
	}
	network_list_destroy(&have);
}

static void a_second_sync_changes_nothing(void **state)
{
	struct kernel kernel = { 0 };
	const struct network_list_ops ops = { add, del, &kernel };
	struct network_list have = { 0 }, want = { 0 };

	srand(2);
	choose_wanted(&kernel, &want);
	assert_int_equal(network_list_sync(&have, &want, &ops), 0);
	kernel.changes = 0;
	assert_int_equal(network_list_sync(&have, &want, &ops), 0);
	assert_int_equal(kernel.changes, 0);
	network_list_destroy(&want);
	network_list_destroy(&have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sync_adds_and_deletes_only_the_difference),
		cmocka_unit_test(a_second_sync_changes_nothing),
	};

	return cmocka_run_group_tests_name("network_list", tests, NULL, NULL);
}
