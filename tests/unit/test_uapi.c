/* SPDX-License-Identifier: MIT */
/* Unit tests of the control socket's text: parsing set requests, generating answers to get. */
#include "device_rig.h"
#include "locked_calls.h"

#include <arpa/inet.h>
#include <net/if.h>

#define KEY "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define PEER "public_key=" KEY "\n"

static struct rig rig;

static int set_up(void **state)
{
	rig_init(&rig, "test");
	return 0;
}

static int tear_down(void **state)
{
	rig_destroy(&rig);
	return 0;
}

/* Parses a copy in a buffer of the exact size, so that a sanitizer reports an access past its end. */
static int parse(struct config *config, const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);
	int error;

	assert_non_null(copy);
	memcpy(copy, text, length);
	*config = (struct config) { 0 };
	error = parse_whole_set(config, copy, length);
	free(copy);
	return error;
}

static int parse_string(const char *text)
{
	struct config config;
	int error = parse(&config, text, strlen(text));

	config_destroy(&config);
	return error;
}

/* --- parse ----- */

static void an_empty_set_changes_nothing(void **state)
{
	struct config config, empty = { 0 };

	assert_int_equal(parse(&config, "", 0), 0);
	assert_memory_equal(&config, &empty, sizeof config);
}

static void interface_keys_are_parsed(void **state)
{
	struct config config;
	const char *text = "private_key=" KEY "\nlisten_port=65535\nfwmark=4294967295\nreplace_peers=true\n";

	assert_int_equal(parse(&config, text, strlen(text)), 0);
	assert_true(config.has_private_key && config.has_listen_port && config.has_fwmark && config.replace_peers);
	assert_int_equal(config.private_key[0], 0xb8);
	assert_int_equal(config.private_key[31], 0x33);
	assert_int_equal(config.listen_port, 65535);
	assert_int_equal(config.fwmark, 4294967295);
	assert_null(config.peers);
	config_destroy(&config);
}

static void a_zero_is_not_an_absent_key(void **state)
{
	struct config config;
	const char *text = "private_key=" ZEROS "\nlisten_port=0\nfwmark=0\n" PEER "preshared_key=" ZEROS
					   "\npersistent_keepalive_interval=0\n";

	assert_int_equal(parse(&config, text, strlen(text)), 0);
	assert_true(config.has_private_key && config.has_listen_port && config.has_fwmark);
	assert_true(config.peers->has_preshared_key && config.peers->has_keepalive);
	assert_false(config.replace_peers || config.peers->remove || config.peers->update_only);
	config_destroy(&config);
}

static void peer_keys_are_parsed(void **state)
{
	struct config config;
	const struct config_peer *peer;
	const char *text = PEER "update_only=true\npreshared_key=" KEY "\nendpoint=192.0.2.1:65535\n"
							"persistent_keepalive_interval=65535\nreplace_allowed_ips=true\n"
							"allowed_ip=10.0.0.1/8\nallowed_ip=-fd00::1/64\nprotocol_version=1\n" PEER "remove=true\n";

	assert_int_equal(parse(&config, text, strlen(text)), 0);
	assert_int_equal(config.peer_count, 2);
	peer = config.peers;
	assert_true(peer->has_public_key && peer->update_only && peer->has_preshared_key && peer->has_endpoint &&
				peer->has_keepalive && peer->replace_allowed_ips && !peer->remove);
	assert_int_equal(peer->public_key[1], 0x59);
	assert_int_equal(peer->endpoint.to.v4.sin_addr.s_addr, htonl(0xc0000201));
	assert_int_equal(peer->endpoint.to.v4.sin_port, htons(65535));
	assert_int_equal(peer->keepalive, 65535);
	assert_int_equal(peer->allowed_ips->prefix.length, 8);
	assert_false(peer->allowed_ips->remove);
	assert_int_equal(peer->allowed_ips->next->prefix.family, AF_INET6);
	assert_true(peer->allowed_ips->next->remove);
	assert_null(peer->allowed_ips->next->next);
	assert_true(peer->next->remove);
	config_destroy(&config);
}

static void replace_allowed_ips_discards_the_ones_before_it(void **state)
{
	struct config config;
	const char *text = PEER "allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=10.1.0.0/16\n";

	assert_int_equal(parse(&config, text, strlen(text)), 0);
	assert_int_equal(config.peers->allowed_ips->prefix.length, 16);
	assert_null(config.peers->allowed_ips->next);
	config_destroy(&config);
}

static void endpoints_are_parsed(void **state)
{
	static const struct {
		const char *text;
		const char *address;
		uint32_t scope;
		uint16_t port;
	} good[] = {
		{ "192.0.2.1:1", "192.0.2.1", 0, 1 },          { "[2001:db8::1]:51820", "2001:db8::1", 0, 51820 },
		{ "[::ffff:192.0.2.1]:2", "192.0.2.1", 0, 2 }, { "[fe80::1%lo]:3", "fe80::1", 1, 3 },
		{ "[fe80::1%77]:4", "fe80::1", 77, 4 },        { "[abcd:23::33%2]:51820", "abcd:23::33", 2, 51820 },
	};

	assert_int_equal(if_nametoindex("lo"), 1);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct config config;
		const struct endpoint *endpoint;
		char text[200], address[INET6_ADDRSTRLEN];
		bool v4 = !strchr(good[i].address, ':');

		snprintf(text, sizeof text, PEER "endpoint=%s\n", good[i].text);
		assert_int_equal(parse(&config, text, strlen(text)), 0);
		endpoint = &config.peers->endpoint;
		assert_int_equal(endpoint->to.any.sa_family, v4 ? AF_INET : AF_INET6);
		assert_int_equal(endpoint->to.v4.sin_port, htons(good[i].port));
		inet_ntop(endpoint->to.any.sa_family,
				  v4 ? (const void *)&endpoint->to.v4.sin_addr : (const void *)&endpoint->to.v6.sin6_addr, address,
				  sizeof address);
		assert_string_equal(address, good[i].address);
		if (!v4)
			assert_int_equal(endpoint->to.v6.sin6_scope_id, good[i].scope);
		config_destroy(&config);
	}
}

/* Lines of a set, and the error that wg(8) receives. After a `+` they are lines of a peer. */
static const struct {
	int error;
	const char *lines;
} bad[] = {
	{ -EPROTO, "private_key\n" },
	{ -EPROTO, "\n" },
	{ -EPROTO, "listen_port=1\n\n" },
	{ -EPROTO, "+garbage\n" },
	{ -EIO, "listen_port=1" },
	{ -EIO, "listen_port=1\nfwm" },
	{ -EINVAL, "=\n" },
	{ -EINVAL, "=1\n" },
	{ -EINVAL, "unknown=1\n" },
	{ -EINVAL, "Listen_port=1\n" },
	{ -EINVAL, " listen_port=1\n" },
	{ -EINVAL, "listen_port =1\n" },
	{ -EINVAL, "listen_port= 1\n" },
	{ -EINVAL, "listen_port=1\r\n" },
	{ -EINVAL, "listen_port=\n" },
	{ -EINVAL, "listen_port=-1\n" },
	{ -EINVAL, "listen_port=+1\n" },
	{ -EINVAL, "listen_port=0x1\n" },
	{ -EINVAL, "listen_port=65536\n" },
	{ -EINVAL, "listen_port=99999999999999999999999\n" },
	{ -EINVAL, "fwmark=4294967296\n" },
	{ -EINVAL, "fwmark=off\n" },
	{ -EINVAL, "fwmark=\n" },
	{ -EINVAL, "private_key=\n" },
	{ -EINVAL, "private_key=" KEY "00\n" },
	{ -EINVAL, "private_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a3\n" },
	{ -EINVAL, "private_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a3g\n" },
	{ -EINVAL, "private_key=" KEY "\r\n" },
	{ -EINVAL, "replace_peers=false\n" },
	{ -EINVAL, "replace_peers=True\n" },
	{ -EINVAL, "replace_peers=1\n" },
	{ -EINVAL, "public_key=1\n" },
	/* peer keys before any peer, and interface keys after one */
	{ -EINVAL, "remove=true\n" },
	{ -EINVAL, "allowed_ip=10.0.0.0/8\n" },
	{ -EINVAL, "protocol_version=1\n" },
	{ -EINVAL, "+private_key=" KEY "\n" },
	{ -EINVAL, "+listen_port=1\n" },
	{ -EINVAL, "+fwmark=1\n" },
	{ -EINVAL, "+replace_peers=true\n" },
	{ -EINVAL, "+unknown=1\n" },
	{ -EINVAL, "+last_handshake_time_sec=1\n" },
	{ -EINVAL, "+errno=0\n" },
	{ -EINVAL, "+remove=false\n" },
	{ -EINVAL, "+update_only=\n" },
	{ -EINVAL, "+replace_allowed_ips=yes\n" },
	{ -EINVAL, "+preshared_key=1\n" },
	{ -EINVAL, "+persistent_keepalive_interval=65536\n" },
	{ -EINVAL, "+persistent_keepalive_interval=off\n" },
	{ -EINVAL, "+protocol_version=0\n" },
	{ -EINVAL, "+protocol_version=2\n" },
	{ -EINVAL, "+protocol_version=\n" },
	{ -EINVAL, "+endpoint=\n" },
	{ -EINVAL, "+endpoint=192.0.2.1\n" },
	{ -EINVAL, "+endpoint=192.0.2.1:\n" },
	{ -EINVAL, "+endpoint=192.0.2.1:0\n" },
	{ -EINVAL, "+endpoint=192.0.2.1:65536\n" },
	{ -EINVAL, "+endpoint=192.0.2.1:80 \n" },
	{ -EINVAL, "+endpoint=192.0.2.1:http\n" },
	{ -EINVAL, "+endpoint=192.0.2:80\n" },
	{ -EINVAL, "+endpoint=example.com:80\n" },
	{ -EINVAL, "+endpoint=:80\n" },
	{ -EINVAL, "+endpoint=2001:db8::1:80\n" },
	{ -EINVAL, "+endpoint=[2001:db8::1]\n" },
	{ -EINVAL, "+endpoint=[2001:db8::1]:\n" },
	{ -EINVAL, "+endpoint=[2001:db8::1]:0\n" },
	{ -EINVAL, "+endpoint=[2001:db8::1:80\n" },
	{ -EINVAL, "+endpoint=[192.0.2.1]:80\n" },
	{ -EINVAL, "+endpoint=[]:80\n" },
	{ -EINVAL, "+endpoint=[fe80::1%]:80\n" },
	{ -EINVAL, "+endpoint=[fe80::1%nosuchif]:80\n" },
	{ -EINVAL, "+endpoint=[fe80::1%99999999999]:80\n" },
	{ -EINVAL, "+endpoint=[fe80::1%11111111111111111111111111111111111111111111111111111111111111111111111]:80\n" },
	{ -EINVAL, "+allowed_ip=\n" },
	{ -EINVAL, "+allowed_ip=-\n" },
	{ -EINVAL, "+allowed_ip=--10.0.0.0/8\n" },
	{ -EINVAL, "+allowed_ip=10.0.0.0/33\n" },
	{ -EINVAL, "+allowed_ip=10.0.0.0/\n" },
	{ -EINVAL, "+allowed_ip=10.0.0/8\n" },
	{ -EINVAL, "+allowed_ip=fd00::/129\n" },
	{ -EINVAL, "+allowed_ip=10.0.0.0/8,10.1.0.0/16\n" },
	{ -EINVAL, "+allowed_ip=10.0.0.0/8\r\n" },
};

static void bad_lines_are_rejected(void **state)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bool peer = *bad[i].lines == '+';
		char text[400];
		int error;

		snprintf(text, sizeof text, "%s%s", peer ? PEER : "", bad[i].lines + peer);
		error = parse_string(text);
		if (error != bad[i].error)
			print_error("%s: %d\n", text, error);
		assert_int_equal(error, bad[i].error);
	}
}

static void a_nul_byte_is_rejected(void **state)
{
	struct config config;

	assert_int_equal(parse(&config, "listen_port=1\0002\n", 17), -EINVAL);
	config_destroy(&config);
	assert_int_equal(parse(&config, "\0", 1), -EINVAL);
	config_destroy(&config);
}

static const char whole[] = "private_key=" KEY "\nlisten_port=1\nfwmark=2\nreplace_peers=true\n" PEER
							"preshared_key=" KEY "\nendpoint=[fe80::1%lo]:3\nreplace_allowed_ips=true\n"
							"allowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/8\nprotocol_version=1\n";

static void a_set_that_ends_within_a_line_is_rejected(void **state)
{
	for (size_t length = 0; length < sizeof whole; length++) {
		struct config config;
		int error = parse(&config, whole, length);
		bool between = !length || whole[length - 1] == '\n';

		assert_int_equal(error == 0, between);
		config_destroy(&config);
	}
}

static void random_changes_do_no_harm(void **state)
{
	srand(1);
	for (int round = 0; round < 20000; round++) {
		struct config config;
		char text[sizeof whole];

		memcpy(text, whole, sizeof whole);
		for (int changes = 1 + rand() % 3; changes; changes--)
			text[(size_t)rand() % (sizeof whole - 1)] = (char)rand();
		parse(&config, text, sizeof whole - 1);
		config_destroy(&config);
	}
}

static void a_set_of_one_mebibyte_is_applied(void **state)
{
	enum { PREFIXES = 45000 };
	char *text = malloc(PREFIXES * 32 + 100), *end = text;
	struct config config;

	assert_non_null(text);
	end += sprintf(end, PEER);
	for (int i = 0; i < PREFIXES; i++)
		end += sprintf(end, "allowed_ip=10.%d.%d.0/24\n", i >> 8, i & 255);
	assert_true(end - text > 1 << 20);
	assert_int_equal(parse(&config, text, (size_t)(end - text)), 0);
	assert_int_equal(apply_whole_set(&rig.device, &config, 0), 0);
	assert_int_equal(peer_first(&rig.device)->allowed_ips.count, PREFIXES);
	config_destroy(&config);
	free(text);
}

/* --- get ----- */

static void a_get_of_an_empty_device_has_no_lines(void **state)
{
	rig_expect(&rig, "%s", "");
}

static void a_get_reports_every_key(void **state)
{
	struct peer *peer;

	assert_int_equal(rig_set(&rig, 0,
							 "private_key=%s\nlisten_port=7\nfwmark=8\npublic_key=%s\npreshared_key=%s\n"
							 "endpoint=[fe80::1%%lo]:9\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\n"
							 "allowed_ip=fd00::/8\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\npublic_key=%s\n"
							 "endpoint=192.0.2.1:1\n",
							 rig_hex(0x48), rig_hex(2), rig_hex(9), rig_hex(1)),
					 0);
	peer = peer_first(&rig.device);
	peer->handshake_wall = 1700000000 * NS_PER_S + 123456789;
	peer->handshake_completed = clock_boottime();
	peer->tx_bytes = UINT64_MAX;
	peer->rx_bytes = 1;
	rig_expect(&rig,
			   "private_key=%s\nlisten_port=7\nfwmark=8\n"
			   "public_key=%s\npreshared_key=%s\nendpoint=[fe80::1%%1]:9\nlast_handshake_time_sec=1700000000\n"
			   "last_handshake_time_nsec=123456789\ntx_bytes=18446744073709551615\nrx_bytes=1\n"
			   "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\nallowed_ip=0.0.0.0/0\n"
			   "allowed_ip=::/0\nprotocol_version=1\n"
			   "public_key=%s\nendpoint=192.0.2.1:1\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n"
			   "tx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval=0\nprotocol_version=1\n",
			   rig_hex(0x48), rig_hex(2), rig_hex(9), rig_hex(1));
}

/* Adds the peers 1 to `peers`, each with `prefixes` allowed IPs. */
static void populate(unsigned peers, unsigned prefixes)
{
	for (unsigned i = 1; i <= peers; i++) {
		uint8_t key[KEY_BYTES] = { (uint8_t)i, (uint8_t)(i >> 8), 1 };
		struct peer *peer = peer_add(&rig.device, key);

		assert_non_null(peer);
		for (unsigned p = 0; p < prefixes; p++) {
			uint8_t address[4] = { (uint8_t)(i >> 8), (uint8_t)i, (uint8_t)(p >> 8), (uint8_t)p };
			assert_int_equal(allowedips_insert(&rig.device.allowed_ips, AF_INET, address, 32, &peer->allowed_ips), 0);
		}
	}
}

/* The answer omits figures that were not measured. */
static void a_get_reports_the_quality_of_links(void **state)
{
	struct quality *quality;
	char *text;

	assert_int_equal(rig_set(&rig, 0, "public_key=%s\npublic_key=%s\n", rig_hex(2), rig_hex(3)), 0);
	text = rig_get(&rig, 4096);
	assert_null(strstr(text, "rx_datagrams="));
	assert_null(strstr(text, "rtt_"));
	free(text);
	quality = &rig_peer(&rig, 3)->quality;
	quality->past = (struct replay_counts) { UINT64_MAX, 2, 3, 4, { 5, 6, 7, 8, 9, 10, 11, UINT64_MAX } };
	quality->rtt = 12000000;
	quality->rtt_min = 11000000;
	quality->samples = 1;
	rig_expect(&rig,
			   "public_key=%s\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
			   "persistent_keepalive_interval=0\nprotocol_version=1\n"
			   "public_key=%s\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
			   "persistent_keepalive_interval=0\n"
			   "rx_datagrams=18446744073709551615\nrx_lost=2\nrx_late=3\nrx_duplicate=4\n"
			   "rx_gaps=5,6,7,8,9,10,11,18446744073709551615\nrtt_ns=12000000\nrtt_min_ns=11000000\n"
			   "protocol_version=1\n",
			   rig_hex(2), rig_hex(3));
	quality->jitter = 1000000;
	quality->samples = 2;
	text = rig_get(&rig, 4096);
	assert_non_null(strstr(text, "rtt_min_ns=11000000\njitter_ns=1000000\nprotocol_version=1\n"));
	free(text);
}

/* Each value has as many digits as possible. */
static void fill_quality(struct quality *quality)
{
	memset(quality, 0xff, sizeof *quality);
}

static void the_answer_does_not_depend_on_the_size_of_its_parts(void **state)
{
	char *large;

	populate(50, 30);
	for (struct peer *peer = peer_first(&rig.device); peer; peer = peer_next(peer))
		fill_quality(&peer->quality);
	large = rig_get(&rig, 1 << 20);
	for (size_t room = UAPI_GET_ROOM; room < 2000; room += 7) {
		char *small = rig_get(&rig, room);
		assert_string_equal(small, large);
		free(small);
	}
	free(large);
}

static void ten_thousand_peers_are_reported(void **state)
{
	char *text;

	populate(10000, 10);
	text = rig_get(&rig, 16384);
	assert_int_equal(rig_count(text, "public_key="), 10000);
	assert_int_equal(rig_count(text, "allowed_ip="), 100000);
	assert_int_equal(rig_count(text, "errno=0\n\n"), 1);
	free(text);
}

/* Returns the answer to a get during which `change` is called after each part. The caller frees it. */
static char *get_while(void (*change)(unsigned part))
{
	struct uapi_get get = { 0 };
	char *text = calloc(1, 1 << 20);
	size_t length = 0, part;

	assert_non_null(text);
	for (unsigned parts = 0; (part = uapi_get_next(&get, &rig.device, text + length, UAPI_GET_ROOM + 100)); parts++) {
		length += part;
		change(parts);
	}
	return text;
}

/* Removes a peer already reported, one not yet reported, and the current one. */
static void remove_peers(unsigned part)
{
	const uint8_t keys[3] = { 1, 40, (uint8_t)(part / 2 + 1) };

	for (int i = 0; i < 3; i++) {
		uint8_t key[KEY_BYTES] = { keys[i], 0, 1 };
		struct peer *peer = peer_lookup(&rig.device, key);
		if (peer && part % 5 == 4)
			remove_peer(peer);
	}
}

static void peers_may_be_removed_during_a_get(void **state)
{
	char *text;

	populate(50, 3);
	text = get_while(remove_peers);
	assert_true(rig.device.peer_count < 50);
	list_for_each (peer, &rig.device.peers, const struct peer, node) { /* the others are reported once */
		char hex[KEY_HEX];
		key_to_hex(hex, peer->remote.public_key);
		assert_int_equal(rig_count(text, hex), 1);
	}
	assert_int_equal(rig_count(text, "errno=0\n\n"), 1);
	free(text);
}

static void change_prefixes(unsigned part)
{
	struct peer *peer = peer_first(&rig.device);
	uint8_t address[4] = { 0, 1, 0, (uint8_t)(200 - part) }, other[4] = { 11, 0, 0, (uint8_t)part };

	allowedips_remove(&rig.device.allowed_ips, AF_INET, address, 32, &peer->allowed_ips);
	allowedips_insert(&rig.device.allowed_ips, AF_INET, other, 32, &peer->allowed_ips);
}

static void prefixes_may_change_during_a_get(void **state)
{
	char *text;

	populate(1, 201);
	text = get_while(change_prefixes);
	for (int p = 0; p < 150; p++) { /* the ones before the changes */
		char line[40];
		snprintf(line, sizeof line, "allowed_ip=0.1.0.%d/32\n", p);
		assert_int_equal(rig_count(text, line), 1);
	}
	assert_int_equal(rig_count(text, "errno=0\n\n"), 1);
	free(text);
}

static void move_to_the_last_peer(unsigned part)
{
	struct peer *to = container_of(rig.device.peers.head.previous, struct peer, node);

	for (unsigned p = 0; p < 60 && part == 1; p++) {
		uint8_t address[4] = { 0, 1, 0, (uint8_t)p };
		allowedips_insert(&rig.device.allowed_ips, AF_INET, address, 32, &to->allowed_ips);
	}
}

static void prefixes_that_move_are_reported_at_their_new_peer(void **state)
{
	char *text;

	populate(2, 60);
	text = get_while(move_to_the_last_peer); /* after some prefixes of the first peer were reported */
	for (int p = 0; p < 60; p++) {
		char line[40];
		snprintf(line, sizeof line, "allowed_ip=0.1.0.%d/32\n", p);
		assert_int_equal(rig_count(text, line), p < 5 ? 2 : 1);
	}
	free(text);
}

static void a_peer_that_is_added_again_is_a_new_peer(void **state)
{
	struct uapi_get get = { 0 };
	char text[2048];
	size_t length;

	populate(2, 40);
	length = uapi_get_next(&get, &rig.device, text, 700); /* stops within the first peer's prefixes */
	text[length] = '\0';
	assert_int_equal(rig_count(text, "public_key="), 1);
	remove_peer(peer_first(&rig.device));
	populate(1, 0); /* the same key again, now the last peer */
	length = 0;
	for (size_t part; (part = uapi_get_next(&get, &rig.device, text + length, sizeof text - length));)
		length += part;
	text[length] = '\0';
	assert_int_equal(rig_count(text, "public_key="), 2);
	assert_int_equal(rig_count(text, "allowed_ip=0.1."), 0);
	assert_int_equal(rig_count(text, "errno=0\n\n"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_set_changes_nothing),
		TEST(interface_keys_are_parsed),
		TEST(a_zero_is_not_an_absent_key),
		TEST(peer_keys_are_parsed),
		TEST(replace_allowed_ips_discards_the_ones_before_it),
		TEST(endpoints_are_parsed),
		TEST(bad_lines_are_rejected),
		TEST(a_nul_byte_is_rejected),
		TEST(a_set_that_ends_within_a_line_is_rejected),
		TEST(random_changes_do_no_harm),
		TEST(a_set_of_one_mebibyte_is_applied),
		TEST(a_get_of_an_empty_device_has_no_lines),
		TEST(a_get_reports_every_key),
		TEST(a_get_reports_the_quality_of_links),
		TEST(the_answer_does_not_depend_on_the_size_of_its_parts),
		TEST(ten_thousand_peers_are_reported),
		TEST(peers_may_be_removed_during_a_get),
		TEST(prefixes_may_change_during_a_get),
		TEST(prefixes_that_move_are_reported_at_their_new_peer),
		TEST(a_peer_that_is_added_again_is_a_new_peer),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
