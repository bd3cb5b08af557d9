/* SPDX-License-Identifier: MIT */
/* The table against a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tunnel/allowedips.h"

enum { OWNERS = 16, RULES = 4000, LOOKUPS = 20000 };

struct rule {
	uint8_t address[16], length;
	struct allowedip_list *owner; /* NULL: not in force */
};

struct model {
	struct rule rules[RULES];
	size_t count, width; /* bytes of an address */
	int family;
};

static struct allowedip_list owners[OWNERS];

static bool prefix_contains(const uint8_t *prefix, unsigned length, const uint8_t *address)
{
	for (unsigned bit = 0; bit < length; bit++)
		if ((prefix[bit / 8] ^ address[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static struct rule *model_find(struct model *model, const uint8_t *address, unsigned length)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->rules[i].length == length && prefix_contains(address, length, model->rules[i].address))
			return &model->rules[i];
	return NULL;
}

static struct allowedip_list *model_lookup(const struct model *model, const uint8_t *address)
{
	const struct rule *best = NULL;

	for (size_t i = 0; i < model->count; i++) {
		const struct rule *rule = &model->rules[i];
		if (rule->owner && prefix_contains(rule->address, rule->length, address) &&
			(!best || rule->length > best->length))
			best = rule;
	}
	return best ? best->owner : NULL;
}

static struct allowedip_list *lookup(const struct allowedips *table, int family, const uint8_t *address)
{
	return family == AF_INET ? allowedips_lookup4(table, address) : allowedips_lookup6(table, address);
}

/* Few distinct bytes, so that prefixes overlap. */
static void random_address(uint8_t *address, size_t width)
{
	for (size_t i = 0; i < width; i++)
		address[i] = i < width - 2 && rand() % 8 ? 0x20 : (uint8_t)(rand() % 4 * 0x55);
}

static void change(struct model *model, struct allowedips *table)
{
	struct allowedip_list *owner = &owners[rand() % OWNERS];
	uint8_t address[16] = { 0 }, length = (uint8_t)(rand() % (model->width * 8 + 1));
	struct rule *rule;

	random_address(address, model->width);
	rule = model_find(model, address, length);
	if (rand() % 4 == 0) {
		bool there = rule && rule->owner == owner;
		assert_int_equal(allowedips_remove(table, model->family, address, length, owner), there ? 0 : -2);
		if (there)
			rule->owner = NULL;
		return;
	}
	assert_int_equal(allowedips_insert(table, model->family, address, length, owner), 0);
	if (!rule) {
		rule = &model->rules[model->count++];
		memcpy(rule->address, address, sizeof address);
		rule->length = length;
	}
	rule->owner = owner;
}

static void compare(const struct model *model, const struct allowedips *table, int lookups)
{
	for (int i = 0; i < lookups; i++) {
		uint8_t address[16];
		random_address(address, model->width);
		assert_ptr_equal(lookup(table, model->family, address), model_lookup(model, address));
	}
}

static size_t in_force(const struct model *model, const struct allowedip_list *owner)
{
	size_t n = 0;

	for (size_t i = 0; i < model->count; i++)
		n += model->rules[i].owner == owner;
	return n;
}

static void equals_a_naive_list(int family)
{
	struct allowedips table = { 0 };
	struct model *model = calloc(1, sizeof *model);

	memset(owners, 0, sizeof owners);
	model->family = family;
	model->width = family == AF_INET ? 4 : 16;
	srand(family);
	for (int i = 0; i < RULES; i++) {
		change(model, &table);
		if (i % 200 == 0)
			compare(model, &table, 100);
	}
	compare(model, &table, LOOKUPS / 10);
	for (int i = 0; i < OWNERS; i++)
		assert_int_equal(owners[i].count, in_force(model, &owners[i]));
	for (int i = 0; i < OWNERS; i++) {
		allowedips_remove_all(&table, &owners[i]);
		for (size_t r = 0; r < model->count; r++)
			if (model->rules[r].owner == &owners[i])
				model->rules[r].owner = NULL;
		compare(model, &table, 200);
	}
	assert_int_equal(table.count, 0); /* no prefix remains */
	allowedips_destroy(&table);
	free(model);
}

static void v4_equals_a_naive_list(void **state)
{
	equals_a_naive_list(AF_INET);
}

static void v6_equals_a_naive_list(void **state)
{
	equals_a_naive_list(AF_INET6);
}

static void a_prefix_moves_to_its_last_owner(void **state)
{
	struct allowedips table = { 0 };
	const uint8_t net[4] = { 10, 1, 2, 3 }, host[4] = { 10, 1, 2, 9 };

	memset(owners, 0, sizeof owners);
	assert_int_equal(allowedips_insert(&table, AF_INET, net, 24, &owners[0]), 0);
	assert_int_equal(allowedips_insert(&table, AF_INET, host, 24, &owners[1]), 0);
	assert_int_equal(owners[0].count, 0);
	assert_ptr_equal(allowedips_lookup4(&table, host), &owners[1]);
	assert_int_equal(allowedips_remove(&table, AF_INET, net, 24, &owners[0]), -2); /* it belongs to another owner now */
	allowedips_destroy(&table);
}

static void lengths_past_the_address_are_rejected(void **state)
{
	struct allowedips table = { 0 };
	const uint8_t address[16] = { 0 };

	assert_int_equal(allowedips_insert(&table, AF_INET, address, 33, &owners[0]), -22);
	assert_int_equal(allowedips_insert(&table, AF_INET6, address, 129, &owners[0]), -22);
	assert_int_equal(allowedips_insert(&table, AF_UNIX, address, 8, &owners[0]), -22);
	assert_int_equal(table.count, 0);
}

static void a_list_holds_masked_prefixes(void **state)
{
	struct allowedips table = { 0 };
	const uint8_t v4[4] = { 172, 31, 7, 7 }, v6[16] = { 0xfd, 0xff, [15] = 1 };
	const uint8_t masked4[4] = { 172, 16, 0, 0 }, masked6[16] = { 0xfd, 0xe0 };
	uint8_t address[16], length;
	uint32_t entry;
	int family;

	memset(owners, 0, sizeof owners);
	assert_int_equal(allowedips_insert(&table, AF_INET, v4, 12, &owners[3]), 0);
	assert_int_equal(allowedips_insert(&table, AF_INET6, v6, 11, &owners[3]), 0);
	entry = allowedips_entry(&table, owners[3].first, &family, address, &length);
	assert_int_equal(family, AF_INET);
	assert_memory_equal(address, masked4, sizeof masked4);
	assert_int_equal(length, 12);
	assert_int_equal(allowedips_entry(&table, entry, &family, address, &length), 0);
	assert_int_equal(family, AF_INET6);
	assert_memory_equal(address, masked6, sizeof masked6);
	assert_int_equal(length, 11);
	allowedips_destroy(&table);
}

/* Lists stay valid when the entries move, and reserved room needs no further allocation. */
static void reserved_entries_do_not_move_again(void **state)
{
	enum { PREFIXES = 5000 };
	struct allowedips table = { 0 };
	const uint8_t first[4] = { 192, 0, 2, 1 };
	const void *entries;
	uint32_t entry;
	int prefixes = 0, family;

	memset(owners, 0, sizeof owners);
	assert_int_equal(allowedips_insert(&table, AF_INET, first, 32, &owners[0]), 0);
	assert_int_equal(allowedips_reserve(&table, PREFIXES), 0);
	entries = table.entries;
	for (int i = 0; i < PREFIXES; i++) {
		uint8_t address[16] = { 0xfd, (uint8_t)(i >> 8), (uint8_t)i };
		assert_int_equal(allowedips_insert(&table, i % 2 ? AF_INET : AF_INET6, address, 24, &owners[0]), 0);
	}
	assert_ptr_equal(table.entries, entries);
	for (entry = owners[0].first; entry; prefixes++) {
		uint8_t address[16], length;
		entry = allowedips_entry(&table, entry, &family, address, &length);
	}
	assert_int_equal(prefixes, PREFIXES + 1);
	allowedips_destroy(&table);
}

/* One length at a time, so that no other length hides a first byte that is wrongly ruled out. */
static void every_first_byte_is_tested_with_every_short_prefix(void **state)
{
	const uint8_t prefix[16] = { 0xb5, 0x80 };

	memset(owners, 0, sizeof owners);
	for (int v6 = 0; v6 < 2; v6++) {
		for (uint8_t length = 0; length <= 9; length++) {
			struct allowedips table = { 0 };
			int family = v6 ? AF_INET6 : AF_INET;

			assert_int_equal(allowedips_insert(&table, family, prefix, length, &owners[1]), 0);
			for (int first = 0; first < 256; first++) {
				const uint8_t address[16] = { (uint8_t)first, 0xff };
				struct allowedip_list *expected = prefix_contains(prefix, length, address) ? &owners[1] : NULL;
				assert_ptr_equal(lookup(&table, family, address), expected);
			}
			allowedips_remove_all(&table, &owners[1]);
			allowedips_destroy(&table);
		}
	}
}

static void a_length_that_returns_is_found_again(void **state)
{
	struct allowedips table = { 0 };
	const uint8_t high[4] = { 200 }, low[4] = { 20 };

	memset(owners, 0, sizeof owners);
	assert_int_equal(allowedips_insert(&table, AF_INET, high, 8, &owners[1]), 0);
	assert_int_equal(allowedips_insert(&table, AF_INET, high, 16, &owners[2]), 0);
	assert_int_equal(table.v4.count, 2);
	assert_int_equal(allowedips_remove(&table, AF_INET, high, 8, &owners[1]), 0);
	assert_int_equal(table.v4.count, 1);
	assert_null(allowedips_lookup4(&table, (const uint8_t[]) { 200, 1, 0, 0 }));
	assert_int_equal(allowedips_insert(&table, AF_INET, low, 8, &owners[3]), 0);
	assert_ptr_equal(allowedips_lookup4(&table, low), &owners[3]);
	assert_ptr_equal(allowedips_lookup4(&table, high), &owners[2]);
	allowedips_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v4_equals_a_naive_list),
		cmocka_unit_test(v6_equals_a_naive_list),
		cmocka_unit_test(a_prefix_moves_to_its_last_owner),
		cmocka_unit_test(lengths_past_the_address_are_rejected),
		cmocka_unit_test(a_list_holds_masked_prefixes),
		cmocka_unit_test(reserved_entries_do_not_move_again),
		cmocka_unit_test(every_first_byte_is_tested_with_every_short_prefix),
		cmocka_unit_test(a_length_that_returns_is_found_again),
	};
	return cmocka_run_group_tests_name("allowedips", tests, NULL, NULL);
}
