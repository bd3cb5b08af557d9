/* SPDX-License-Identifier: MIT */
/* The files under conf/ are what a newcomer starts from: no finding may stand in one, and their keys must fit together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "config/ini.h"

#define EXAMPLES TEST_DATA "/../../conf/"

/* A working tree is world-readable, so the one finding that is right about an example is its mode. */
static void refuse_finding(void *context, const char *text)
{
	if (!strstr(text, "warning: others can get at the keys in it, its mode is"))
		fail_msg("%s", text);
}

static void load(struct config *config, const char *path)
{
	struct ini_report report = { .line = refuse_finding };

	*config = (struct config) { 0 };
	assert_int_equal(ini_load(config, path, &report), 0);
	assert_int_equal(report.errors, 0);
}

static const struct config_peer *find_peer(const struct config *config, const uint8_t public_key[KEY_BYTES])
{
	for (const struct config_peer *peer = config->peers; peer; peer = peer->next) {
		if (memcmp(peer->public_key, public_key, KEY_BYTES) == 0)
			return peer;
	}
	return NULL;
}

/* What `other` says of `self`: its key, and at least its addresses among the allowed ones. */
static void assert_known(const struct config *self, const struct config *other)
{
	uint8_t public_key[KEY_BYTES];
	const struct config_peer *peer;

	crypto_scalarmult_base(public_key, self->private_key);
	peer = find_peer(other, public_key);
	assert_non_null(peer);
	for (const struct config_prefix *own = self->addresses; own; own = own->next) {
		const struct config_prefix *allowed = peer->allowed_ips;
		while (allowed && memcmp(allowed->prefix.address, own->prefix.address, sizeof own->prefix.address) != 0)
			allowed = allowed->next;
		assert_non_null(allowed);
	}
	assert_int_equal(peer->has_endpoint, self->has_listen_port);
}

static void check_group(const char *const *paths, size_t count)
{
	struct config configs[3];

	assert_true(count <= 3);
	for (size_t i = 0; i < count; i++)
		load(&configs[i], paths[i]);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(configs[i].peer_count, count - 1);
		assert_non_null(configs[i].addresses);
		for (size_t j = 0; j < count; j++) {
			if (i != j)
				assert_known(&configs[i], &configs[j]);
		}
	}
	for (size_t i = 0; i < count; i++)
		config_destroy(&configs[i]);
}

static void site_to_site(void **state)
{
	static const char *const paths[] = { EXAMPLES "site-to-site/left.conf", EXAMPLES "site-to-site/right.conf" };

	check_group(paths, 2);
}

static void mesh(void **state)
{
	static const char *const paths[] = { EXAMPLES "mesh/a.conf", EXAMPLES "mesh/b.conf", EXAMPLES "mesh/c.conf" };

	check_group(paths, 3);
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(site_to_site),
		cmocka_unit_test(mesh),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
