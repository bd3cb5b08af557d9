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

/* Returns true if a network of the list contains the address. */
static bool list_contains(const struct config_prefix *list, const struct ip_prefix *address)
{
	for (const struct config_prefix *item = list; item; item = item->next) {
		struct ip_prefix part = *address;

		part.length = item->prefix.length;
		prefix_mask(&part);
		if (prefix_equal(&part, &item->prefix))
			return true;
	}
	return false;
}

/* `other` has a peer with the key of `self`, whose allowed IPs include the addresses of `self`. */
static void assert_has_peer(const struct config *self, const struct config *other)
{
	uint8_t public_key[KEY_BYTES];
	const struct config_peer *peer;

	crypto_scalarmult_base(public_key, self->private_key);
	peer = find_peer(other, public_key);
	assert_non_null(peer);
	for (const struct config_prefix *own = self->addresses; own; own = own->next)
		assert_true(list_contains(peer->allowed_ips, &own->prefix));
	assert_int_equal(peer->has_endpoint, self->has_listen_port);
}

static void load_all(struct config *configs, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		load(&configs[i], paths[i]);
		assert_non_null(configs[i].addresses);
	}
}

static void destroy_all(struct config *configs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		config_destroy(&configs[i]);
}

static void the_site_to_site_example_fits_together(void **state)
{
	static const char *const paths[] = { EXAMPLES "site-to-site/left.conf", EXAMPLES "site-to-site/right.conf" };
	struct config configs[2];

	load_all(configs, paths, 2);
	assert_has_peer(&configs[0], &configs[1]);
	assert_has_peer(&configs[1], &configs[0]);
	destroy_all(configs, 2);
}

static void each_host_of_the_mesh_example_has_all_others(void **state)
{
	static const char *const paths[] = { EXAMPLES "mesh/a.conf", EXAMPLES "mesh/b.conf", EXAMPLES "mesh/c.conf",
										 EXAMPLES "mesh/d.conf", EXAMPLES "mesh/e.conf" };
	struct config configs[5];

	load_all(configs, paths, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(configs[i].peer_count, 4);
		for (size_t j = 0; j < 5; j++) {
			if (i != j)
				assert_has_peer(&configs[i], &configs[j]);
		}
	}
	destroy_all(configs, 5);
}

/* In these examples, the first file is the end with an endpoint, and the others have it as their only peer. */
static void assert_star(const char *const *paths, size_t count)
{
	struct config configs[3];

	load_all(configs, paths, count);
	assert_int_equal(configs[0].peer_count, count - 1);
	for (size_t i = 1; i < count; i++) {
		assert_int_equal(configs[i].peer_count, 1);
		assert_has_peer(&configs[0], &configs[i]);
		assert_has_peer(&configs[i], &configs[0]);
	}
	destroy_all(configs, count);
}

static void the_examples_with_one_server_fit_together(void **state)
{
	static const char *const hub[] = { EXAMPLES "hub-and-spokes/hub.conf", EXAMPLES "hub-and-spokes/paris.conf",
									   EXAMPLES "hub-and-spokes/rome.conf" };
	static const char *const warrior[] = { EXAMPLES "road-warrior/server.conf", EXAMPLES "road-warrior/laptop.conf" };
	static const char *const full[] = { EXAMPLES "full-tunnel/exit.conf", EXAMPLES "full-tunnel/branch.conf" };
	static const char *const routing[] = { EXAMPLES "routing-daemon/left.conf", EXAMPLES "routing-daemon/right.conf" };
	static const char *const container[] = { EXAMPLES "container/gateway.conf", EXAMPLES "container/app.conf" };

	assert_star(hub, 3);
	assert_star(warrior, 2);
	assert_star(full, 2);
	assert_star(routing, 2);
	assert_star(container, 2);
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_site_to_site_example_fits_together),
		cmocka_unit_test(each_host_of_the_mesh_example_has_all_others),
		cmocka_unit_test(the_examples_with_one_server_fit_together),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
