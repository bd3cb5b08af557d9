/* SPDX-License-Identifier: MIT */
/* Tests of reloads on a device without a worker, and of capturing its state. A get request shows the result. */
#include "apply_rig.h"
#include "failing_malloc.h"

#include "config/ini.h"

#define KEY_TAIL "00000000000000000000000000000000000000000000000000000000000000"

/* --- wrappers: the table of allowed IPs ----- */

int __real_allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
							 struct allowedip_list *owner);
int __wrap_allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
							 struct allowedip_list *owner);
void __real_allowedips_sweep(struct allowedips *table, struct allowedip_list *owner);
void __wrap_allowedips_sweep(struct allowedips *table, struct allowedip_list *owner);

static const uint8_t watched[4] = { 10, 1, 2, 3 };
static unsigned times_watched, times_unrouted, insertions;

static void watch(const struct allowedips *table)
{
	times_watched++;
	times_unrouted += !allowedips_lookup4(table, watched);
}

int __wrap_allowedips_insert(struct allowedips *table, int family, const uint8_t *address, uint8_t length,
							 struct allowedip_list *owner)
{
	int error;

	insertions++;
	watch(table);
	error = __real_allowedips_insert(table, family, address, length, owner);
	watch(table);
	return error;
}

void __wrap_allowedips_sweep(struct allowedips *table, struct allowedip_list *owner)
{
	watch(table);
	__real_allowedips_sweep(table, owner);
	watch(table);
}

/* --- set-up ----- */

static int set_up(void **state)
{
	rig_init(&rig, "test");
	times_watched = times_unrouted = insertions = 0;
	return 0;
}

/* Applies a file whose [Interface] section contains `interface` and is followed by `peers`. */
static int reload(const char *interface, const char *peers)
{
	struct ini_report report = { .line = (void (*)(void *, const char *))(void (*)(void))abort };
	struct config config = { 0 };
	char *text;
	int error;

	assert_true(asprintf(&text, "[Interface]\nPrivateKey = %s\n%s\n%s", rig_base64(1), interface, peers) > 0);
	assert_int_equal(ini_parse_config(&config, "test", text, strlen(text), &report), 0);
	error = apply_reload(&rig.device, &config, now);
	config_destroy(&config);
	free(text);
	return error;
}

static const char *peer_section(uint8_t byte, const char *lines)
{
	static char texts[8][1024];
	static unsigned last;
	char *text = texts[last++ % 8];

	snprintf(text, sizeof *texts, "[Peer]\nPublicKey = %s\n%s\n", rig_base64(byte), lines);
	return text;
}

static const char *sections(const char *a, const char *b)
{
	static char text[4096];

	snprintf(text, sizeof text, "%s%s", a, b);
	return text;
}

/* --- reloads ----- */

static void only_a_file_changes_the_cipher(void **state)
{
	struct config_peer peer = { .public_key = { 2 }, .cipher = SUITE_AES256GCM };
	struct config config = { .peers = &peer };
	struct peer *made;

	assert_int_equal(apply_reload(&rig.device, &config, 0), 0);
	made = peer_first(&rig.device);
	assert_int_equal(made->remote.suite, SUITE_AES256GCM);
	assert_int_equal(set("fwmark=1\npublic_key=%s\nreplace_allowed_ips=true\n", "02" KEY_TAIL), 0);
	assert_int_equal(made->remote.suite, SUITE_AES256GCM);
	peer.cipher = SUITE_CHACHA20POLY1305;
	assert_int_equal(apply_reload(&rig.device, &config, now), 0);
	assert_int_equal(made->remote.suite, SUITE_CHACHA20POLY1305);
	assert_ptr_equal(peer_first(&rig.device), made);
	assert_null(peer_next(made));
}

static void a_file_configures_a_device(void **state)
{
	assert_int_equal(reload("ListenPort = 7\nFwMark = 0x10",
							peer_section(2, "PresharedKey = CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n"
											"AllowedIPs = fd00::/8, 10.0.0.0/24\nEndpoint = 192.0.2.1:1000\n"
											"PersistentKeepalive = 25")),
					 0);
	expect("private_key=%s\nlisten_port=7\nfwmark=16\npublic_key=%s\npreshared_key=%s\nendpoint=192.0.2.1:1000\n" QUIET
		   "25\nallowed_ip=fd00::/8\nallowed_ip=10.0.0.0/24\n" END,
		   "0001010101010101010101010101010101010101010101010101010101010141", rig_hex(2), rig_hex(9));
}

static void a_reload_keeps_what_did_not_change(void **state)
{
	const char *same = peer_section(2, "AllowedIPs = 10.0.0.0/24, 10.1.0.0/16\nEndpoint = 192.0.2.1:7");
	struct peer_index *index;
	struct peer *peer;
	unsigned binds;
	uint32_t entry;

	link_up();
	assert_int_equal(reload("ListenPort = 7", sections(same, peer_section(3, ""))), 0);
	peer = rig_peer(&rig, 2);
	index = begin_handshake(2);
	entry = peer->allowed_ips.first;
	binds = rig.binds;
	insertions = 0;
	assert_int_equal(reload("ListenPort = 7", sections(same, peer_section(4, ""))), 0);
	assert_ptr_equal(rig_peer(&rig, 2), peer);
	assert_ptr_equal(peer->handshake_index, index);
	assert_int_equal(peer->allowed_ips.first, entry);
	assert_int_equal(insertions, 0); /* the allowed IPs were not touched */
	assert_int_equal(rig.binds, binds);
	assert_null(rig_peer(&rig, 3));
	assert_non_null(rig_peer(&rig, 4));
}

static void a_reload_unsets_what_the_file_no_longer_contains(void **state)
{
	assert_int_equal(reload("", peer_section(2, "PresharedKey = CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n"
												"AllowedIPs = 10.0.0.0/24\nPersistentKeepalive = 25")),
					 0);
	assert_int_equal(reload("", peer_section(2, "")), 0);
	expect("private_key=%s\npublic_key=%s\n" QUIET "0\n" END,
		   "0001010101010101010101010101010101010101010101010101010101010141", rig_hex(2));
}

static void a_reload_changes_fields_in_place(void **state)
{
	struct peer *peer;

	assert_int_equal(reload("", peer_section(2, "AllowedIPs = 10.0.0.0/24, 10.1.0.0/16")), 0);
	peer = rig_peer(&rig, 2);
	peer->rx_bytes = 9;
	assert_int_equal(reload("", peer_section(2, "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16\nPersistentKeepalive = 3\n"
												"PresharedKey = CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=")),
					 0);
	assert_ptr_equal(rig_peer(&rig, 2), peer);
	assert_int_equal(peer->rx_bytes, 9);
	assert_int_equal(peer->timers.keepalive, 3);
	assert_memory_equal(peer->remote.preshared_key, rig_key(9), KEY_BYTES);
	assert_int_equal(peer->allowed_ips.count, 2);
	assert_null(allowedips_lookup4(&rig.device.allowed_ips, (const uint8_t[]) { 10, 0, 0, 1 }));
	assert_ptr_equal(
		peer_of_allowed_ips(allowedips_lookup4(&rig.device.allowed_ips, (const uint8_t[]) { 10, 1, 0, 1 })), peer);
	assert_ptr_equal(
		peer_of_allowed_ips(allowedips_lookup4(&rig.device.allowed_ips, (const uint8_t[]) { 10, 2, 0, 1 })), peer);
}

static void an_allowed_ip_that_moves_always_belongs_to_a_peer(void **state)
{
	assert_int_equal(reload("", sections(peer_section(2, "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16"),
										 peer_section(3, "AllowedIPs = 10.3.0.0/16"))),
					 0);
	times_watched = times_unrouted = 0;
	assert_int_equal(reload("", sections(peer_section(2, "AllowedIPs = 10.2.0.0/16"),
										 peer_section(3, "AllowedIPs = 10.3.0.0/16, 10.1.0.0/16"))),
					 0);
	assert_ptr_equal(peer_of_allowed_ips(allowedips_lookup4(&rig.device.allowed_ips, watched)), rig_peer(&rig, 3));
	assert_true(times_watched > 0);
	assert_int_equal(times_unrouted, 0);
	times_watched = times_unrouted = 0;
	assert_int_equal(reload("", peer_section(4, "AllowedIPs = 10.1.0.0/16")), 0);
	assert_true(times_watched > 0);
	assert_int_equal(times_unrouted, 0);
}

static void a_roamed_peer_keeps_its_endpoint_until_the_file_changes_it(void **state)
{
	const char *configured = peer_section(2, "Endpoint = 192.0.2.1:7");
	struct endpoint elsewhere = { .to.v4 = { .sin_family = AF_INET, .sin_port = htons(99), .sin_addr = { 1 } } };
	struct endpoint *endpoint;

	assert_int_equal(reload("", configured), 0);
	endpoint = &rig_peer(&rig, 2)->endpoint;
	peer_set_endpoint(rig_peer(&rig, 2), &elsewhere, ORIGIN_ROAMED);
	assert_int_equal(reload("", configured), 0);
	assert_true(endpoint_equal(endpoint, &elsewhere));
	assert_int_equal(reload("", peer_section(2, "Endpoint = 192.0.2.1:8")), 0);
	assert_int_equal(ntohs(endpoint->to.v4.sin_port), 8);
	peer_set_endpoint(rig_peer(&rig, 2), &elsewhere, ORIGIN_ROAMED);
	assert_int_equal(reload("", peer_section(2, "Endpoint = name.example:8")), 0); /* apply does not resolve names */
	assert_true(endpoint_equal(endpoint, &elsewhere));
	assert_int_equal(reload("", configured), 0);
	assert_int_equal(ntohs(endpoint->to.v4.sin_port), 7);
}

static void a_reload_to_a_port_in_use_changes_nothing(void **state)
{
	char *before, *after;

	link_up();
	rig.port_taken = 53;
	assert_int_equal(reload("ListenPort = 7\nFwMark = 1", peer_section(2, "AllowedIPs = 10.0.0.0/24")), 0);
	before = rig_get(&rig, 4096);
	assert_int_equal(reload("ListenPort = 53\nFwMark = 2", peer_section(3, "AllowedIPs = 10.0.0.0/24")), -EADDRINUSE);
	after = rig_get(&rig, 4096);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* A hook or wg(8) may have set it. */
static void a_reload_without_a_private_key_keeps_the_key(void **state)
{
	struct config config = { 0 }, before = { 0 };

	assert_int_equal(apply_capture(&rig.device, &before), 0);
	assert_int_equal(set("private_key=%s\n", rig_hex(1)), 0);
	assert_int_equal(apply_reload(&rig.device, &config, now), 0);
	assert_true(rig.device.identity.has_key);
	/* A captured state without a key is restored, though. */
	assert_int_equal(apply_reload(&rig.device, &before, now), 0);
	assert_false(rig.device.identity.has_key);
}

static void a_reload_keeps_a_random_port(void **state)
{
	link_up();
	assert_int_equal(reload("", ""), 0);
	rig.port_random++;
	assert_int_equal(reload("", ""), 0);
	assert_int_equal(rig.device.listen_port, 40000);
}

static void a_set_request_like_syncconf_keeps_what_it_does_not_name(void **state)
{
	assert_int_equal(reload("", peer_section(2, "AllowedIPs = 10.0.0.0/24\nPersistentKeepalive = 25\n"
												"PresharedKey = CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=")),
					 0);
	assert_int_equal(set("private_key=%s\npublic_key=%s\nreplace_allowed_ips=true\nallowed_ip=10.0.1.0/24\n",
						 rig_hex(1), rig_hex(2)),
					 0);
	expect("private_key=%s\npublic_key=%s\npreshared_key=%s\n" QUIET "25\nallowed_ip=10.0.1.0/24\n" END,
		   "0001010101010101010101010101010101010101010101010101010101010141", rig_hex(2), rig_hex(9));
}

/* --- capture ----- */

static void a_captured_state_can_be_restored(void **state)
{
	struct config before = { 0 };
	char *was, *is;

	link_up();
	assert_int_equal(set("private_key=%s\nlisten_port=9\npublic_key=%s\npreshared_key=%s\nendpoint=192.0.2.1:7\n"
						 "persistent_keepalive_interval=25\nallowed_ip=fd00::/8\nallowed_ip=10.0.0.0/8\n"
						 "public_key=%s\nallowed_ip=10.1.0.0/16\n",
						 rig_hex(1), rig_hex(2), rig_hex(9), rig_hex(3)),
					 0);
	was = rig_get(&rig, 4096);
	assert_int_equal(apply_capture(&rig.device, &before), 0);
	assert_int_equal(before.peer_count, 2);
	assert_int_equal(set("listen_port=10\nreplace_peers=true\npublic_key=%s\nallowed_ip=10.1.0.0/16\n"
						 "endpoint=192.0.2.9:7\n",
						 rig_hex(3)),
					 0);
	assert_int_equal(set("public_key=%s\nallowed_ip=10.2.0.0/16\n", rig_hex(4)), 0);
	assert_int_equal(apply_reload(&rig.device, &before, now), 0);
	config_destroy(&before);
	assert_null(rig_peer(&rig, 4));
	assert_non_null(rig_peer(&rig, 3));
	assert_int_equal(set("public_key=%s\nremove=true\npublic_key=%s\nallowed_ip=10.1.0.0/16\n", rig_hex(3), rig_hex(3)),
					 0); /* peer 3 existed all along, so restoring left it first in the list */
	is = rig_get(&rig, 4096);
	assert_string_equal(is, was);
	free(was);
	free(is);
}

static void without_memory_nothing_is_captured(void **state)
{
	int error = -ENOMEM, failures = 0;

	assert_int_equal(set("public_key=%s\nallowed_ip=fd00::/8\nallowed_ip=10.0.0.0/8\n", rig_hex(2)), 0);
	for (; error == -ENOMEM; failures++) {
		struct config config = { 0 };
		allocations_left = failures;
		error = apply_capture(&rig.device, &config);
		allocations_left = -1;
		assert_int_equal(config.peer_count, error ? 0 : 1);
		assert_int_equal(!config.peers, error != 0);
		config_destroy(&config);
	}
	assert_int_equal(error, 0);
	assert_int_equal(failures - 1, 1 + 2); /* the peer and its two prefixes */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_a_file_changes_the_cipher),
		TEST(a_file_configures_a_device),
		TEST(a_reload_keeps_what_did_not_change),
		TEST(a_reload_unsets_what_the_file_no_longer_contains),
		TEST(a_reload_changes_fields_in_place),
		TEST(an_allowed_ip_that_moves_always_belongs_to_a_peer),
		TEST(a_roamed_peer_keeps_its_endpoint_until_the_file_changes_it),
		TEST(a_reload_to_a_port_in_use_changes_nothing),
		TEST(a_reload_without_a_private_key_keeps_the_key),
		TEST(a_reload_keeps_a_random_port),
		TEST(a_set_request_like_syncconf_keeps_what_it_does_not_name),
		TEST(a_captured_state_can_be_restored),
		TEST(without_memory_nothing_is_captured),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
