/* SPDX-License-Identifier: MIT */
/* Tests of the example files under conf/: they cause no findings, and the files of one example fit together. */
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

/* A working tree is world-readable, so only the warning about the file mode is expected. */
static void expect_only_mode_warnings(void *context, const char *text)
{
	if (!strstr(text, "warning: the file contains keys, and its mode"))
		fail_msg("%s", text);
}

static void load(struct config *config, const char *path)
{
	struct ini_report report = { .line = expect_only_mode_warnings };

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

/* `other` has a peer with the key of `self`, whose allowed IPs include the addresses of `self`. */
static void assert_has_peer(const struct config *self, const struct config *other)
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
				assert_has_peer(&configs[i], &configs[j]);
		}
	}
	for (size_t i = 0; i < count; i++)
		config_destroy(&configs[i]);
}

static void the_site_to_site_example_fits_together(void **state)
{
	static const char *const paths[] = { EXAMPLES "site-to-site/left.conf", EXAMPLES "site-to-site/right.conf" };

	check_group(paths, 2);
}

static void the_mesh_example_fits_together(void **state)
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
		cmocka_unit_test(the_site_to_site_example_fits_together),
		cmocka_unit_test(the_mesh_example_fits_together),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
