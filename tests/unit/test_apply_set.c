/* SPDX-License-Identifier: MIT */
/* Tests of set requests on a device without a worker. A get request shows the result. */
#include "apply_rig.h"
#include "failing_malloc.h"

static int set_up(void **state)
{
	rig_init(&rig, "test");
	return 0;
}

static void a_set_request_configures_everything(void **state)
{
	assert_int_equal(set("private_key=%s\nlisten_port=51820\nfwmark=51\nreplace_peers=true\npublic_key=%s\n"
						 "preshared_key=%s\nendpoint=192.0.2.1:1000\npersistent_keepalive_interval=25\n"
						 "replace_allowed_ips=true\nallowed_ip=10.0.0.9/24\nallowed_ip=fd00::/64\nprotocol_version=1\n",
						 rig_hex(0x48), rig_hex(2), rig_hex(3)),
					 0);
	expect(
		"private_key=%s\nlisten_port=51820\nfwmark=51\npublic_key=%s\npreshared_key=%s\nendpoint=192.0.2.1:1000\n" QUIET
		"25\nallowed_ip=10.0.0.0/24\nallowed_ip=fd00::/64\n" END,
		rig_hex(0x48), rig_hex(2), rig_hex(3));
}

static void a_set_request_keeps_what_it_does_not_name(void **state)
{
	assert_int_equal(set("listen_port=7\npublic_key=%s\npreshared_key=%s\nendpoint=192.0.2.1:1000\n"
						 "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/24\n",
						 rig_hex(2), rig_hex(3)),
					 0);
	assert_int_equal(set("fwmark=1\npublic_key=%s\n", rig_hex(2)), 0);
	expect("listen_port=7\nfwmark=1\npublic_key=%s\npreshared_key=%s\nendpoint=192.0.2.1:1000\n" QUIET
		   "25\nallowed_ip=10.0.0.0/24\n" END,
		   rig_hex(2), rig_hex(3));
}

static void a_key_of_zeros_unsets_the_key(void **state)
{
	assert_int_equal(set("private_key=%s\npublic_key=%s\npreshared_key=%s\n", rig_hex(1), rig_hex(2), rig_hex(3)), 0);
	assert_int_equal(set("private_key=%s\npublic_key=%s\npreshared_key=%s\n", rig_hex(0), rig_hex(2), rig_hex(0)), 0);
	assert_false(rig.device.identity.has_key);
	expect("public_key=%s\n" QUIET "0\n" END, rig_hex(2));
}

static void a_port_in_use_changes_nothing(void **state)
{
	char *before, *after;

	link_up();
	assert_int_equal(set("private_key=%s\nfwmark=5\npublic_key=%s\nallowed_ip=10.0.0.0/24\n", rig_hex(1), rig_hex(2)),
					 0);
	before = rig_get(&rig, 4096);
	rig.port_taken = 53;
	assert_int_equal(set("private_key=%s\nfwmark=6\nlisten_port=53\nreplace_peers=true\npublic_key=%s\nremove=true\n"
						 "public_key=%s\nallowed_ip=10.0.0.0/24\n",
						 rig_hex(9), rig_hex(2), rig_hex(3)),
					 -EADDRINUSE);
	after = rig_get(&rig, 4096);
	assert_string_equal(before, after);
	assert_int_equal(rig.device.mark, 5);
	free(before);
	free(after);
}

static void a_mark_that_fails_keeps_the_port(void **state)
{
	unsigned binds;

	link_up();
	binds = rig.binds;
	rig.mark_refused = true;
	assert_int_equal(set("listen_port=9\nfwmark=6\npublic_key=%s\n", rig_hex(2)), -EPERM);
	assert_int_equal(rig.binds, binds);
	expect("listen_port=40000\n");
}

static void the_same_port_is_not_bound_again(void **state)
{
	unsigned binds;

	link_up();
	assert_int_equal(set("listen_port=9\n"), 0);
	binds = rig.binds;
	assert_int_equal(set("listen_port=9\n"), 0);
	assert_int_equal(rig.binds, binds);
	assert_int_equal(set("listen_port=0\n"), 0); /* random */
	expect("listen_port=40000\n");
}

/*
 * Applies a set request again and again, failing one allocation later each time, until it succeeds. Returns how many
 * allocations it makes.
 */
static int fail_one_by_one(const char *text)
{
	int error = -ENOMEM, failures = 0;

	for (; error == -ENOMEM; failures++) {
		struct config config = { 0 };
		char *copy = strdup(text), *before = rig_get(&rig, 4096), *after;

		assert_int_equal(parse_whole_set(&config, copy, strlen(copy)), 0);
		allocations_left = failures;
		error = apply_whole_set(&rig.device, &config, now);
		allocations_left = -1;
		after = rig_get(&rig, 4096);
		assert_int_equal(!strcmp(before, after), error == -ENOMEM);
		config_destroy(&config);
		free(before);
		free(after);
		free(copy);
	}
	assert_int_equal(error, 0);
	assert_true(list_empty(&rig.device.spare));
	return failures - 1;
}

static void without_memory_a_set_request_changes_nothing(void **state)
{
	char text[4096];
	int length;

	link_up();
	assert_int_equal(
		set("private_key=%s\nlisten_port=9\npublic_key=%s\nallowed_ip=10.0.0.0/8\n", rig_hex(1), rig_hex(2)), 0);
	length = snprintf(text, sizeof text,
					  "private_key=%s\nlisten_port=10\nreplace_peers=true\npublic_key=%s\nallowed_ip=fd00::/8\n"
					  "public_key=%s\n",
					  rig_hex(9), rig_hex(3), rig_hex(4));
	for (int i = 0; i < 100; i++)
		length += snprintf(text + length, sizeof text - length, "allowed_ip=10.%d.0.0/16\n", i);
	assert_int_equal(fail_one_by_one(text), 2 + 2); /* peers, prefixes and their buckets */
	snprintf(text, sizeof text, "public_key=%s\nremove=true\npublic_key=%s\nallowed_ip=10.0.0.0/8\n", rig_hex(3),
			 rig_hex(3));
	assert_int_equal(fail_one_by_one(text), 1); /* the table has room for the prefix */
}

static void update_only_creates_no_peer_at_any_position(void **state)
{
	assert_int_equal(set("public_key=%s\nupdate_only=true\nallowed_ip=10.0.0.0/24\n", rig_hex(2)), 0);
	assert_int_equal(
		set("public_key=%s\nallowed_ip=10.0.0.0/24\npreshared_key=%s\nupdate_only=true\n", rig_hex(2), rig_hex(3)), 0);
	expect("%s", "");
	assert_int_equal(set("public_key=%s\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\nupdate_only=true\n", rig_hex(2)), 0);
	expect("public_key=%s\n" QUIET "0\nallowed_ip=10.0.0.0/24\n" END, rig_hex(2));
}

static void an_unknown_peer_with_update_only_takes_no_allowed_ip(void **state)
{
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\nupdate_only=true\n", rig_hex(3)), 0);
	expect("public_key=%s\n" QUIET "0\nallowed_ip=10.0.0.0/24\n" END, rig_hex(2));
}

static void a_peer_may_appear_several_times(void **state)
{
	assert_int_equal(set("public_key=%s\npreshared_key=%s\nallowed_ip=10.0.0.0/24\npublic_key=%s\npublic_key=%s\n"
						 "allowed_ip=10.0.1.0/24\npublic_key=%s\nremove=true\npublic_key=%s\nallowed_ip=10.0.2.0/24\n",
						 rig_hex(2), rig_hex(9), rig_hex(3), rig_hex(2), rig_hex(2), rig_hex(2)),
					 0);
	expect("public_key=%s\n" QUIET "0\n" END "public_key=%s\n" QUIET "0\nallowed_ip=10.0.2.0/24\n" END, rig_hex(3),
		   rig_hex(2));
}

static void removing_an_unknown_peer_is_no_error(void **state)
{
	assert_int_equal(set("public_key=%s\nremove=true\n", rig_hex(2)), 0);
	expect("%s", "");
}

static void replace_peers_removes_all_peers_first(void **state)
{
	assert_int_equal(set("public_key=%s\npreshared_key=%s\npublic_key=%s\n", rig_hex(2), rig_hex(9), rig_hex(3)), 0);
	rig_peer(&rig, 2)->tx_bytes = 7;
	assert_int_equal(set("replace_peers=true\npublic_key=%s\n", rig_hex(2)), 0);
	expect("public_key=%s\n" QUIET "0\n" END, rig_hex(2));
}

static void an_allowed_ip_moves_to_another_peer(void **state)
{
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\nallowed_ip=10.0.1.0/24\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\n", rig_hex(3)), 0);
	expect("public_key=%s\n" QUIET "0\nallowed_ip=10.0.1.0/24\n" END "public_key=%s\n" QUIET
		   "0\nallowed_ip=10.0.0.0/24\n" END,
		   rig_hex(2), rig_hex(3));
}

static void a_minus_removes_an_allowed_ip_from_the_named_peer_only(void **state)
{
	assert_int_equal(
		set("public_key=%s\nallowed_ip=10.0.0.0/24\nallowed_ip=10.0.1.0/24\npublic_key=%s\n", rig_hex(2), rig_hex(3)),
		0);
	assert_int_equal(
		set("public_key=%s\nallowed_ip=-10.0.0.0/24\npublic_key=%s\nallowed_ip=-10.0.1.0/24\n", rig_hex(2), rig_hex(3)),
		0);
	expect("public_key=%s\n" QUIET "0\nallowed_ip=10.0.1.0/24\n" END "public_key=%s\n" QUIET "0\n" END, rig_hex(2),
		   rig_hex(3));
}

static void replaced_allowed_ips_may_be_listed_twice(void **state)
{
	assert_int_equal(set("public_key=%s\nallowed_ip=10.0.0.0/24\nallowed_ip=10.1.0.0/16\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\nreplace_allowed_ips=true\nallowed_ip=fd00::/8\nallowed_ip=10.1.0.0/16\n"
						 "allowed_ip=10.1.7.7/16\n",
						 rig_hex(2)),
					 0);
	expect("public_key=%s\n" QUIET "0\nallowed_ip=fd00::/8\nallowed_ip=10.1.0.0/16\n" END, rig_hex(2));
	assert_int_equal(set("public_key=%s\nreplace_allowed_ips=true\n", rig_hex(2)), 0);
	expect("public_key=%s\n" QUIET "0\n" END, rig_hex(2));
	assert_int_equal(rig.device.allowed_ips.count, 0);
}

static void a_peer_with_our_own_key_is_skipped(void **state)
{
	uint8_t own[KEY_BYTES];
	char hex[KEY_HEX];

	crypto_scalarmult_base(own, rig_key(0x48));
	key_to_hex(hex, own);
	assert_int_equal(set("public_key=%s\n", hex), 0);
	assert_non_null(peer_lookup(&rig.device, own));
	assert_int_equal(
		set("private_key=%s\npublic_key=%s\nallowed_ip=10.0.0.0/8\npublic_key=%s\n", rig_hex(0x48), hex, rig_hex(2)),
		0);
	expect("private_key=%s\n"
		   "warning=a peer has the public key of this interface itself and is ignored; PublicKey is that of the other "
		   "end\n"
		   "public_key=%s\n" QUIET "0\n" END,
		   rig_hex(0x48), rig_hex(2));
}

static void the_same_private_key_keeps_sessions(void **state)
{
	struct peer_index *index;

	link_up();
	assert_int_equal(set("private_key=%s\npublic_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(1), rig_hex(2)), 0);
	index = begin_handshake(2);
	assert_int_equal(set("private_key=%s\n", rig_hex(1)), 0);
	assert_ptr_equal(rig_peer(&rig, 2)->handshake_index, index);
	assert_int_equal(set("private_key=%s\n", rig_hex(9)), 0);
	assert_null(rig_peer(&rig, 2)->handshake_index);
}

static void turning_on_a_keepalive_sends_one_at_once(void **state)
{
	assert_int_equal(set("private_key=%s\npublic_key=%s\nendpoint=192.0.2.1:7\npersistent_keepalive_interval=5\n",
						 rig_hex(1), rig_hex(2)),
					 0);
	assert_int_equal(rig.sent, 0); /* the link is down */
	assert_int_equal(set("public_key=%s\npersistent_keepalive_interval=0\n", rig_hex(2)), 0);
	link_up();
	assert_int_equal(rig.sent, 0);
	assert_int_equal(set("public_key=%s\npersistent_keepalive_interval=5\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 1);
	assert_int_equal(rig.messages[0].n, sizeof(struct message_initiation));
	rig_peer(&rig, 2)->handshake_gate = 0; /* no rate limit prevents another handshake */
	assert_int_equal(set("public_key=%s\npersistent_keepalive_interval=6\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\npersistent_keepalive_interval=0\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 1);
}

static void expect_one_initiation(void)
{
	assert_int_equal(rig.sent, 1);
	assert_int_equal(rig.messages[0].n, sizeof(struct message_initiation));
	rig.sent = 0;
	rig_peer(&rig, 2)->handshake_gate = 0; /* no rate limit prevents another handshake */
}

/* The private key, the endpoint and the keepalive may be set in any order; the last one sends. */
static void a_keepalive_is_sent_once_key_and_endpoint_are_set(void **state)
{
	link_up();
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\npersistent_keepalive_interval=5\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 0);
	assert_int_equal(set("private_key=%s\n", rig_hex(1)), 0);
	expect_one_initiation();
	assert_int_equal(set("private_key=%s\n", rig_hex(1)), 0); /* nothing has changed */
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 0);
	assert_int_equal(set("private_key=%s\n", rig_hex(3)), 0); /* all sessions have ended */
	expect_one_initiation();
	assert_int_equal(set("private_key=%s\npublic_key=%s\nendpoint=192.0.2.1:8\n", rig_hex(1), rig_hex(2)), 0);
	expect_one_initiation(); /* to the new endpoint, and no other */
	assert_int_equal(set("replace_peers=true\npublic_key=%s\npersistent_keepalive_interval=5\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 0);
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(2)), 0);
	expect_one_initiation();
	assert_int_equal(set("public_key=%s\npersistent_keepalive_interval=0\n", rig_hex(2)), 0);
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:9\n", rig_hex(2)), 0);
	assert_int_equal(set("private_key=%s\n", rig_hex(3)), 0);
	assert_int_equal(rig.sent, 0); /* nothing waits */
}

static void setting_an_endpoint_sends_staged_packets(void **state)
{
	uint8_t packet[100] = { 0 };

	link_up();
	assert_int_equal(set("private_key=%s\npublic_key=%s\n", rig_hex(1), rig_hex(2)), 0);
	staged_push(&rig.device.staged, &rig_peer(&rig, 2)->staged, 0, packet, sizeof packet, 1);
	assert_int_equal(set("public_key=%s\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 0);
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(2)), 0);
	assert_int_equal(rig.sent, 1);
}

static void the_same_endpoint_keeps_the_local_address(void **state)
{
	struct endpoint *endpoint;

	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(2)), 0);
	endpoint = &rig_peer(&rig, 2)->endpoint;
	endpoint->local.v4.ipi_spec_dst.s_addr = htonl(0xc0000209);
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:7\n", rig_hex(2)), 0);
	assert_true(endpoint_local_known(endpoint));
	assert_int_equal(set("public_key=%s\nendpoint=192.0.2.1:8\n", rig_hex(2)), 0);
	assert_false(endpoint_local_known(endpoint));
	assert_int_equal(ntohs(endpoint->to.v4.sin_port), 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_set_request_configures_everything),
		TEST(a_set_request_keeps_what_it_does_not_name),
		TEST(a_key_of_zeros_unsets_the_key),
		TEST(a_port_in_use_changes_nothing),
		TEST(a_mark_that_fails_keeps_the_port),
		TEST(the_same_port_is_not_bound_again),
		TEST(without_memory_a_set_request_changes_nothing),
		TEST(update_only_creates_no_peer_at_any_position),
		TEST(an_unknown_peer_with_update_only_takes_no_allowed_ip),
		TEST(a_peer_may_appear_several_times),
		TEST(removing_an_unknown_peer_is_no_error),
		TEST(replace_peers_removes_all_peers_first),
		TEST(an_allowed_ip_moves_to_another_peer),
		TEST(a_minus_removes_an_allowed_ip_from_the_named_peer_only),
		TEST(replaced_allowed_ips_may_be_listed_twice),
		TEST(a_peer_with_our_own_key_is_skipped),
		TEST(the_same_private_key_keeps_sessions),
		TEST(turning_on_a_keepalive_sends_one_at_once),
		TEST(a_keepalive_is_sent_once_key_and_endpoint_are_set),
		TEST(setting_an_endpoint_sends_staged_packets),
		TEST(the_same_endpoint_keeps_the_local_address),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
