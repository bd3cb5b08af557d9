/* SPDX-License-Identifier: MIT */
/* The peers of a device: finding them, and the session that seals for them. */
#include "tunnel/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/control.h"

enum { KEYS = 30000, CHAIN_MAX = 12 };

static struct device device;

static void peer_gone(void *context, struct peer *peer)
{
}

static const struct device_ops ops = { .peer_gone = peer_gone };

static int set_up(void **state)
{
	int error = control_init(&device, "peers", &aead_libsodium, NULL);

	device.ops = &ops;
	return error;
}

static int tear_down(void **state)
{
	control_destroy(&device, NULL);
	return 0;
}

/* --- finding ----- */

static size_t longest_chain(const struct map *map)
{
	size_t longest = 0;

	for (size_t i = 0; i <= map->mask; i++) {
		size_t length = 0;

		for (const struct map_node *node = map->buckets[i]; node; node = node->next)
			length++;
		if (length > longest)
			longest = length;
	}
	return longest;
}

/* Makes keys that differ only in four bytes at `at`. */
static void number_key(uint8_t key[NOISE_KEY], size_t at, uint32_t number)
{
	memset(key, 0x55, NOISE_KEY);
	put_be32(key + at, number);
}

static void keys_that_are_alike_do_not_share_a_bucket(void **state)
{
	static const size_t places[] = { NOISE_KEY - 4, 8, 0 };
	uint8_t key[NOISE_KEY];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		set_up(state);
		assert_int_equal(peer_reserve(&device, KEYS, 0), 0);
		for (uint32_t n = 0; n < KEYS; n++) {
			number_key(key, places[i], n << 8);
			assert_non_null(peer_add(&device, key));
		}
		assert_true(longest_chain(&device.by_key) <= CHAIN_MAX);
		for (uint32_t n = 0; n < KEYS; n += 100) {
			number_key(key, places[i], n << 8);
			assert_memory_equal(peer_lookup(&device, key)->remote.public_key, key, NOISE_KEY);
		}
		number_key(key, places[i], 1);
		assert_null(peer_lookup(&device, key));
		tear_down(state);
	}
}

static void each_device_hashes_under_its_own_key(void **state)
{
	uint8_t first[sizeof device.hash_key];

	set_up(state);
	memcpy(first, device.hash_key, sizeof first);
	tear_down(state);
	set_up(state);
	assert_memory_not_equal(device.hash_key, first, sizeof first);
	tear_down(state);
}

/* --- the session that seals ----- */

static struct session *make_session(void)
{
	const struct noise_keys keys = { .suite = SUITE_CHACHA20POLY1305 };
	struct session *session = session_create(&aead_libsodium, &keys, 0);

	assert_non_null(session);
	return session;
}

static void the_next_session_seals_once_it_is_confirmed(void **state)
{
	const uint8_t key[NOISE_KEY] = { 1 }, packet[60] = { 0x45 };
	struct session *current = make_session(), *next = make_session();
	struct peer *peer;

	set_up(state);
	peer = peer_add(&device, key);
	assert_null(peer_session(peer, 0));
	peer->sessions.next = next;
	assert_null(peer_session(peer, 0));
	peer->sessions.current = current;
	assert_ptr_equal(peer_session(peer, 0), current);
	next->confirmed = true;
	assert_ptr_equal(peer_session(peer, 0), next);
	/* A newer packet must not overtake those that wait for control. */
	staged_push(&device.staged, &peer->staged, 0, packet, sizeof packet, 1);
	assert_ptr_equal(peer_session(peer, 0), current);
	staged_clear(&device.staged, &peer->staged);
	assert_ptr_equal(peer_session(peer, 0), next);
	assert_null(peer_session(peer, REJECT_AFTER_TIME));
	next->send_counter = REJECT_AFTER_MESSAGES;
	assert_null(peer_session(peer, 0));
	tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_are_alike_do_not_share_a_bucket),
		cmocka_unit_test(each_device_hashes_under_its_own_key),
		cmocka_unit_test(the_next_session_seals_once_it_is_confirmed),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
