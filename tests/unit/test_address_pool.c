/* SPDX-License-Identifier: MIT */
/* Tests of the address pool: the next free address, compared with a naive search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address_pool.h"

static void append(struct config_prefix **list, const char *text)
{
	struct config_prefix *added = calloc(1, sizeof *added);

	assert_non_null(added);
	assert_true(prefix_from_text(&added->prefix, text));
	while (*list)
		list = &(*list)->next;
	*list = added;
}

/* Makes a configuration with this address and one peer with these allowed IPs, which end with NULL. */
static void make_config(struct config *config, const char *address, const char *const *allowed_ips)
{
	*config = (struct config) { 0 };
	append(&config->addresses, address);
	config->peers = calloc(1, sizeof *config->peers);
	assert_non_null(config->peers);
	for (; *allowed_ips; allowed_ips++)
		append(&config->peers->allowed_ips, *allowed_ips);
}

static void expect_next(const char *address, const char *expected, const char *const *allowed_ips)
{
	struct config config;
	struct ip_prefix next;
	char text[PREFIX_TEXT];
	int error;

	make_config(&config, address, allowed_ips);
	error = address_pool_next(&config, &config.addresses->prefix, &next);
	if (!expected) {
		assert_int_equal(error, -ENOSPC);
	} else {
		assert_int_equal(error, 0);
		prefix_to_text(text, &next);
		assert_string_equal(text, expected);
	}
	config_destroy(&config);
}
#define expect(address, expected, ...) expect_next(address, expected, (const char *const[]) { __VA_ARGS__ NULL })

static void the_first_free_address_is_taken(void **state)
{
	expect("10.9.0.1/24", "10.9.0.2/32", );
	expect("10.9.0.7/24", "10.9.0.1/32", );
	expect("10.9.0.1/24", "10.9.0.4/32", "10.9.0.3/32", "10.9.0.2/32", "10.9.0.5/32", );
	expect("10.9.0.1/24", "10.9.0.2/32", "10.9.0.3/32", "192.168.0.0/16", "fd00::2/128", );
	expect("fd09::1/64", "fd09::2/128", );
	expect("fd09::1/64", "fd09::3/128", "fd09::2/128", "fd08::3/128", );
	expect("fd09::ffff/64", "fd09::1:0/128", "fd09::/113", "fd09::8000/113", );
}

static void networks_behind_a_peer_are_skipped(void **state)
{
	expect("10.9.0.1/24", "10.9.0.64/32", "10.9.0.0/26", );
	expect("10.9.0.1/24", "10.9.0.128/32", "10.9.0.0/26", "10.9.0.32/27", "10.9.0.64/26", );
	/* The network as a whole, and larger ones, belong to every peer that has no longer prefix. */
	expect("10.9.0.1/24", "10.9.0.2/32", "10.9.0.0/24", "10.0.0.0/8", "0.0.0.0/0", );
	expect("fd09::1/64", "fd09::1:0:0:0/128", "fd09::/80", );
}

static void the_first_and_the_last_address_are_not_hosts(void **state)
{
	expect("10.9.0.1/30", "10.9.0.2/32", );
	expect("10.9.0.1/30", NULL, "10.9.0.2/32", );
	expect("10.9.0.1/31", "10.9.0.0/32", );
	expect("10.9.0.0/31", "10.9.0.1/32", );
	expect("10.9.0.0/31", NULL, "10.9.0.1/32", );
	expect("10.9.0.1/32", NULL, );
	expect("fd09::1/127", "fd09::/128", );
	expect("fd09::1/126", "fd09::2/128", );
	expect("fd09::1/126", "fd09::3/128", "fd09::2/128", ); /* IPv6 has no broadcast */
	expect("fd09::1/126", NULL, "fd09::2/127", );
	expect("fd09::1/128", NULL, );
	expect("255.255.255.253/30", "255.255.255.254/32", );
	expect("255.255.255.253/30", NULL, "255.255.255.254/32", );
	expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", );
	expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", NULL, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", );
}

static void a_naive_search_finds_the_same(void **state)
{
	srand(1);
	for (int round = 0; round < 2000; round++) {
		static char texts[40][32];
		const char *allowed_ips[41] = { NULL };
		bool used[64] = { [0] = true, [63] = true };
		int count = rand() % 40, own = 1 + rand() % 62, next = 0;
		char address[32], expected[32];

		used[own] = true;
		for (int i = 0; i < count; i++) {
			int length = 27 + rand() % 6, size = 1 << (32 - length), at = rand() % 64 / size * size;
			snprintf(texts[i], sizeof texts[i], "10.9.0.%d/%d", at, length);
			allowed_ips[i] = texts[i];
			for (int j = at; j < at + size; j++)
				used[j] = true;
		}
		while (next < 64 && used[next])
			next++;
		snprintf(address, sizeof address, "10.9.0.%d/26", own);
		snprintf(expected, sizeof expected, "10.9.0.%d/32", next);
		expect_next(address, next < 64 ? expected : NULL, allowed_ips);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_free_address_is_taken),
		cmocka_unit_test(networks_behind_a_peer_are_skipped),
		cmocka_unit_test(the_first_and_the_last_address_are_not_hosts),
		cmocka_unit_test(a_naive_search_finds_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
