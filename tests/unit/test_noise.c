/* SPDX-License-Identifier: MIT */
/*
 * Tests of the handshake: a comparison with another implementation (tests/vectors/handshake.py), and all failures,
 * which must not change any state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "../vectors/handshake.h"
#include "fixed_random.h"
#include "noise_ends.h"

#include "base/bytes.h"
#include "crypto/noise.h"

enum { VECTORS = sizeof handshake_vectors / sizeof *handshake_vectors };
enum { INITIATION_MACS = offsetof(struct message_initiation, macs) };
enum { RESPONSE_MACS = offsetof(struct message_response, macs) };

/* --- vectors ----- */

static void unhex(uint8_t bytes[NOISE_KEY], const char *hex)
{
	size_t length;

	assert_int_equal(sodium_hex2bin(bytes, NOISE_KEY, hex, strlen(hex), NULL, &length, NULL), 0);
	assert_int_equal(length, NOISE_KEY);
}

/* RFC 7748, section 5.2 and 6.1. */
static void x25519_matches_rfc7748(void **state)
{
	static const char *const products[][3] = {
		{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
		{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
		{ "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
	};
	uint8_t private_key[NOISE_KEY], public_key[NOISE_KEY], expected[NOISE_KEY], product[NOISE_KEY];
	struct noise_identity local = { 0 };

	for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
		unhex(private_key, products[i][0]);
		unhex(public_key, products[i][1]);
		unhex(expected, products[i][2]);
		assert_int_equal(crypto_scalarmult_curve25519(product, private_key, public_key), 0);
		assert_memory_equal(product, expected, NOISE_KEY);
	}
	unhex(private_key, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	unhex(public_key, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	noise_identity_set(&local, private_key);
	assert_memory_equal(local.public_key, public_key, NOISE_KEY);
}

static void set_up_end(struct end *end, const uint8_t *private_key, const uint8_t *peer, const uint8_t *psk)
{
	memset(end, 0, sizeof *end);
	noise_identity_set(&end->identity, private_key);
	noise_remote_init(&end->peer, peer);
	noise_remote_set_psk(&end->peer, psk);
	noise_remote_set_suite(&end->peer, suite);
}

static void check_keys(struct noise_remote *remote, const uint8_t *sends, const uint8_t *receives, uint32_t local_index,
					   uint32_t remote_index, bool initiator)
{
	struct noise_keys keys;

	assert_int_equal(noise_derive(remote, &keys), 0);
	assert_int_equal(keys.suite, suite);
	assert_memory_equal(keys.send, sends, NOISE_KEY);
	assert_memory_equal(keys.receive, receives, NOISE_KEY);
	assert_int_equal(keys.local_index, local_index);
	assert_int_equal(keys.remote_index, remote_index);
	assert_int_equal(keys.initiator, initiator);
}

static void a_handshake_matches_the_vectors(void **state)
{
	static const struct message_macs no_macs;

	for (size_t i = 0; i < VECTORS; i++) {
		const struct handshake_vector *v = &handshake_vectors[i];
		struct end initiator, responder;
		struct message_initiation initiation;
		struct message_response response;

		if (v->suite != suite)
			continue;
		set_up_end(&initiator, v->initiator_private, v->responder_public, v->preshared_key);
		set_up_end(&responder, v->responder_private, v->initiator_public, v->preshared_key);
		assert_memory_equal(initiator.identity.public_key, v->initiator_public, NOISE_KEY);
		assert_memory_equal(responder.identity.public_key, v->responder_public, NOISE_KEY);

		fixed_random_begin(v->initiator_ephemeral, NOISE_KEY);
		assert_int_equal(initiate_at(&initiator, v->initiator_index, get_le64(v->realtime), &initiation), 0);
		fixed_random_end();
		assert_memory_equal(&initiation, v->initiation, INITIATION_MACS);
		assert_memory_equal(&initiation.macs, &no_macs, sizeof no_macs);

		assert_int_equal(consume_at(&responder, &initiation, NOW), 0);
		fixed_random_begin(v->responder_ephemeral, NOISE_KEY);
		assert_int_equal(noise_create_response(&responder.peer, v->responder_index, &response), 0);
		fixed_random_end();
		assert_memory_equal(&response, v->response, RESPONSE_MACS);
		assert_memory_equal(&response.macs, &no_macs, sizeof no_macs);

		assert_int_equal(noise_consume_response(&initiator.identity, &initiator.peer, &response), 0);
		check_keys(&initiator.peer, v->initiator_sends, v->responder_sends, v->initiator_index, v->responder_index,
				   true);
		check_keys(&responder.peer, v->responder_sends, v->initiator_sends, v->responder_index, v->initiator_index,
				   false);
	}
}

static void timestamps_are_rounded_tai64n(void **state)
{
	static const struct {
		uint64_t realtime;
		uint8_t stamp[NOISE_TIMESTAMP];
	} cases[] = {
		{ 0, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0 } },
		{ (1 << 24) - 1, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0 } },
		{ 1 << 24, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0x01, 0, 0, 0 } },
		{ NS_PER_S - 1, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0x3b, 0, 0, 0 } },
		{ NS_PER_S, { 0x40, 0, 0, 0, 0, 0, 0, 0x0b, 0, 0, 0, 0 } },
		{ 0xfffffff6 * NS_PER_S, { 0x40, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t stamp[NOISE_TIMESTAMP];
		noise_timestamp(stamp, cases[i].realtime);
		assert_memory_equal(stamp, cases[i].stamp, sizeof stamp);
	}
}

/* --- keys ----- */

static void a_private_key_is_clamped_and_cleared(void **state)
{
	static const struct noise_identity none;
	uint8_t ones[NOISE_KEY];
	struct noise_identity local = { 0 };

	memset(ones, 0xff, sizeof ones);
	noise_identity_set(&local, ones);
	assert_true(local.has_key);
	assert_int_equal(local.private_key[0], 0xf8);
	assert_int_equal(local.private_key[31], 0x7f);
	noise_identity_set(&local, NULL);
	assert_memory_equal(&local, &none, sizeof none);
}

static void nothing_works_without_a_private_key(void **state)
{
	struct end a, b;
	struct message_initiation initiation;
	struct message_response response;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	noise_identity_set(&a.identity, NULL);
	assert_int_equal(reject_response(&a, &response), -ENOKEY);
	assert_int_equal(reject_at(&a, &initiation, NOW), -ENOKEY);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), -ENOKEY);
}

static void both_ends_need_the_same_psk(void **state)
{
	static const uint8_t zeros[NOISE_KEY], psk[NOISE_KEY] = { 1 }, other[NOISE_KEY] = { 2 };
	struct {
		const uint8_t *a, *b;
		int error;
	} cases[] = {
		{ NULL, NULL, 0 },       { NULL, zeros, 0 },      { psk, psk, 0 },
		{ psk, NULL, -EBADMSG }, { NULL, psk, -EBADMSG }, { psk, other, -EBADMSG },
	};
	struct end a, b;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make_ends(&a, &b);
		noise_remote_set_psk(&a.peer, cases[i].a);
		noise_remote_set_psk(&b.peer, cases[i].b);
		assert_int_equal(handshake_at(&a, &b, NOW), cases[i].error);
	}
}

static void a_new_psk_takes_effect_with_the_next_handshake(void **state)
{
	static const uint8_t psk[NOISE_KEY] = { 1 };
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(handshake_at(&a, &b, NOW), 0);
	noise_remote_set_psk(&a.peer, psk);
	assert_keys_match(&a, &b, &keys); /* this handshake did not use it */
	assert_int_equal(handshake_at(&a, &b, NOW + NS_PER_S), -EBADMSG);
	noise_remote_set_psk(&b.peer, psk);
	assert_int_equal(handshake_at(&a, &b, NOW + 2 * NS_PER_S), 0);
	noise_remote_set_psk(&a.peer, NULL);
	noise_remote_set_psk(&b.peer, NULL);
	assert_int_equal(handshake_at(&a, &b, NOW + 3 * NS_PER_S), 0);
}

static void the_static_dh_is_cached_at_first_use(void **state)
{
	struct end a, b;

	make_ends(&a, &b);
	assert_false(a.peer.static_known);
	assert_false(b.peer.static_known);
	assert_int_equal(handshake_at(&a, &b, NOW), 0);
	assert_true(a.peer.static_known && b.peer.static_known);
	assert_false(a.peer.static_rejected || b.peer.static_rejected);
	assert_memory_equal(a.peer.static_static, b.peer.static_static, NOISE_KEY);

	/* With a corrupted cache the other end rejects the message. A reset clears the cache. */
	struct message_initiation initiation;
	a.peer.static_static[0] ^= 1;
	assert_int_equal(initiate_at(&a, 1, NOW + NS_PER_S, &initiation), 0);
	assert_int_equal(reject_at(&b, &initiation, NOW + NS_PER_S), -EBADMSG);
	noise_remote_reset(&a.peer);
	assert_false(a.peer.static_known);
	assert_true(sodium_is_zero(a.peer.static_static, NOISE_KEY));
	assert_int_equal(handshake_at(&a, &b, NOW + 2 * NS_PER_S), 0);
}

/* All points of low order, with their non-canonical encodings. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
enum { LOW_ORDER = sizeof low_order / sizeof *low_order };

static void a_peer_of_low_order_gets_no_initiation(void **state)
{
	for (size_t i = 0; i < LOW_ORDER; i++) {
		static const struct noise_handshake none;
		struct message_initiation initiation;
		uint8_t point[NOISE_KEY];
		struct end a, b;

		make_ends(&a, &b);
		unhex(point, low_order[i]);
		noise_remote_init(&a.peer, point); /* accepted */
		noise_remote_set_suite(&a.peer, suite);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(initiate_at(&a, 1, NOW, &initiation), -EKEYREJECTED);
			assert_memory_equal(&a.peer.handshake, &none, sizeof none);
		}
	}
}

static void an_ephemeral_key_of_low_order_is_rejected(void **state)
{
	for (size_t i = 0; i < LOW_ORDER; i++) {
		struct message_initiation initiation, sent;
		struct message_response response;
		struct end a, b;

		make_ends(&a, &b);
		assert_int_equal(initiate_at(&a, 1, NOW, &sent), 0);
		initiation = sent;
		unhex(initiation.ephemeral, low_order[i]);
		assert_int_equal(reject_at(&b, &initiation, NOW), -EKEYREJECTED); /* es */
		assert_int_equal(consume_at(&b, &sent, NOW), 0);
		assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
		unhex(response.ephemeral, low_order[i]);
		assert_int_equal(reject_response(&a, &response), -EKEYREJECTED); /* ee */
	}
}

/* A sender may claim a static key of low order. Nobody needs a private key for that, because ss is always zero. */
static void a_static_key_of_low_order_is_rejected(void **state)
{
	for (size_t i = 0; i < LOW_ORDER; i++) {
		struct message_initiation initiation;
		struct end a, b;

		make_ends(&a, &b);
		unhex(a.identity.public_key, low_order[i]);
		noise_remote_init(&b.peer, a.identity.public_key);
		noise_remote_set_suite(&b.peer, suite);
		assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
		assert_int_equal(reject_at(&b, &initiation, NOW), -EKEYREJECTED); /* ss */
		assert_true(b.peer.static_rejected);
		assert_int_equal(reject_at(&b, &initiation, NOW), -EKEYREJECTED); /* ss, from the cache */
	}
}

/* No message can make ee and se zero here, because the initiation would have been rejected. So change the state. */
static void a_response_is_not_created_from_a_zero_dh(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct end a, b, before;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	before = b;

	memset(b.peer.handshake.remote_ephemeral, 0, NOISE_KEY);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), -EKEYREJECTED); /* ee */
	assert_int_equal(b.peer.handshake.state, NOISE_INITIATION_CONSUMED);

	b = before;
	memset(b.peer.public_key, 0, NOISE_KEY);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), -EKEYREJECTED); /* se */
	assert_int_equal(b.peer.handshake.state, NOISE_INITIATION_CONSUMED);
}

/* --- rejected messages ----- */

static void every_byte_is_authenticated(void **state)
{
	struct message_initiation initiation, forged;
	struct message_response response, forged_response;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	for (size_t i = offsetof(struct message_initiation, ephemeral); i < INITIATION_MACS; i++) {
		forged = initiation;
		((uint8_t *)&forged)[i] ^= 0x80;
		assert_int_equal(reject_at(&b, &forged, NOW), -EBADMSG);
	}
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	for (size_t i = offsetof(struct message_response, ephemeral); i < RESPONSE_MACS; i++) {
		forged_response = response;
		((uint8_t *)&forged_response)[i] ^= 0x80;
		assert_int_equal(reject_response(&a, &forged_response), -EBADMSG);
	}
	assert_int_equal(noise_consume_response(&a.identity, &a.peer, &response), 0);
}

static void an_unknown_peer_is_rejected(void **state)
{
	struct message_initiation initiation;
	struct end a, b, stranger, other;

	make_ends(&a, &b);
	make_ends(&stranger, &other);
	noise_remote_init(&stranger.peer, b.identity.public_key);
	noise_remote_set_suite(&stranger.peer, suite);
	assert_int_equal(initiate_at(&stranger, 1, NOW, &initiation), 0);
	assert_int_equal(reject_at(&b, &initiation, NOW), -ENOENT);
	assert_int_equal(reject_at(&other, &initiation, NOW), -EBADMSG); /* it was sent to another responder */
}

static void old_and_equal_timestamps_are_rejected(void **state)
{
	struct message_initiation initiation, older;
	struct end a, b;
	uint64_t now = NOW;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW - (1 << 24), &older), 0);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, now += NS_PER_S), 0);
	assert_int_equal(reject_at(&b, &initiation, now += NS_PER_S), -EALREADY);
	assert_int_equal(reject_at(&b, &older, now += NS_PER_S), -ESTALE);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0); /* another message with the same timestamp */
	assert_int_equal(reject_at(&b, &initiation, now += NS_PER_S), -EALREADY);
	assert_int_equal(initiate_at(&a, 1, NOW + (1 << 24), &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, now += NS_PER_S), 0);
}

/* A flag, not a timestamp of 0, means that there was no initiation yet. */
static void the_first_timestamp_may_be_zero(void **state)
{
	static const uint8_t zeros[NOISE_TIMESTAMP];
	struct message_initiation initiation;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(noise_create_initiation(&a.identity, &a.peer, 1, zeros, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	assert_int_equal(reject_at(&b, &initiation, NOW + NS_PER_S), -EALREADY);
}

static void clearing_keeps_the_timestamp(void **state)
{
	struct message_initiation initiation;
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	noise_handshake_clear(&b.peer);
	assert_int_equal(b.peer.handshake.state, NOISE_IDLE);
	assert_int_equal(reject_at(&b, &initiation, NOW + NS_PER_S), -EALREADY);
	noise_remote_reset(&b.peer);
	assert_int_equal(reject_at(&b, &initiation, NOW + 2 * NS_PER_S), -EALREADY);
	assert_int_equal(handshake_at(&a, &b, NOW + 3 * NS_PER_S), 0);
	assert_keys_match(&a, &b, &keys);
	assert_int_equal(reject_at(&b, &initiation, NOW + 4 * NS_PER_S), -ESTALE);
}

static void one_initiation_per_20_ms_is_accepted(void **state)
{
	struct message_initiation initiation;
	struct end a, b;
	uint64_t realtime = NOW;

	make_ends(&a, &b);
	/* The first initiation is accepted even at time 0. */
	assert_int_equal(initiate_at(&a, 1, realtime, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, 0), 0);
	assert_int_equal(initiate_at(&a, 1, realtime += NS_PER_S, &initiation), 0);
	assert_int_equal(reject_at(&b, &initiation, 0), -EBUSY);
	assert_int_equal(reject_at(&b, &initiation, 20 * NS_PER_MS - 1), -EBUSY);
	/* A rejected initiation does not restart the interval, and its timestamp is not kept. */
	assert_int_equal(consume_at(&b, &initiation, 20 * NS_PER_MS), 0);
	assert_int_equal(initiate_at(&a, 1, realtime += NS_PER_S, &initiation), 0);
	assert_int_equal(reject_at(&b, &initiation, 40 * NS_PER_MS - 1), -EBUSY);
	assert_int_equal(consume_at(&b, &initiation, 40 * NS_PER_MS), 0);
}

static void a_response_must_match_the_initiation(void **state)
{
	struct message_initiation first, second;
	struct message_response response;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &first), 0);
	assert_int_equal(consume_at(&b, &first, NOW), 0);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);

	noise_handshake_clear(&a.peer);
	assert_int_equal(reject_response(&a, &response), -ENOENT); /* no initiation was sent */
	assert_int_equal(initiate_at(&a, 7, NOW + NS_PER_S, &second), 0);
	assert_int_equal(reject_response(&a, &response), -ENOENT); /* the initiation had another index */
	assert_int_equal(initiate_at(&a, 1, NOW + NS_PER_S, &second), 0);
	assert_int_equal(reject_response(&a, &response), -EBADMSG); /* same index, another ephemeral key */

	assert_int_equal(consume_at(&b, &second, NOW + NS_PER_S), 0);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	assert_int_equal(noise_consume_response(&a.identity, &a.peer, &response), 0);
	assert_int_equal(reject_response(&a, &response), -ENOENT); /* consumed already */
}

static void steps_out_of_order_are_rejected(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(noise_create_response(&a.peer, 1, &response), -ENOENT);
	assert_int_equal(noise_derive(&a.peer, &keys), -ENOENT);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(noise_create_response(&a.peer, 1, &response), -ENOENT);
	assert_int_equal(noise_derive(&a.peer, &keys), -ENOENT);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	assert_int_equal(noise_derive(&b.peer, &keys), -ENOENT);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	assert_int_equal(noise_create_response(&b.peer, 3, &response), -ENOENT);
	assert_int_equal(noise_derive(&b.peer, &keys), 0);
	assert_int_equal(noise_derive(&b.peer, &keys), -ENOENT);
}

/* An initiation that arrives while ours is in progress replaces ours. Our index is kept, so that it can be released. */
static void their_initiation_replaces_ours(void **state)
{
	struct message_initiation ours, theirs;
	struct message_response response;
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &ours), 0);
	assert_int_equal(initiate_at(&b, 2, NOW, &theirs), 0);
	assert_int_equal(consume_at(&a, &theirs, NOW), 0);
	assert_int_equal(a.peer.handshake.local_index, 1);
	assert_true(sodium_is_zero(a.peer.handshake.ephemeral_private, NOISE_KEY));
	assert_int_equal(noise_create_response(&a.peer, 3, &response), 0);
	assert_int_equal(noise_consume_response(&b.identity, &b.peer, &response), 0);
	assert_keys_match(&b, &a, &keys);
	assert_true(keys.initiator);
	assert_int_equal(keys.local_index, 2);
	assert_int_equal(keys.remote_index, 3);
}

static void secrets_are_wiped(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_false(sodium_is_zero(a.peer.handshake.ephemeral_private, NOISE_KEY));
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	assert_true(sodium_is_zero(b.peer.handshake.ephemeral_private, NOISE_KEY));
	assert_int_equal(noise_consume_response(&a.identity, &a.peer, &response), 0);
	assert_true(sodium_is_zero(a.peer.handshake.ephemeral_private, NOISE_KEY));
	assert_keys_match(&a, &b, &keys);
	assert_true(sodium_is_zero((void *)&a.peer.handshake, sizeof a.peer.handshake));
	assert_true(sodium_is_zero((void *)&b.peer.handshake, sizeof b.peer.handshake));
	noise_remote_destroy(&a.peer);
	assert_true(sodium_is_zero((void *)&a.peer, sizeof a.peer));
}

/* --- suites ----- */

/* The suite that is not that of the current group. */
static enum suite other_suite(void)
{
	return suite == SUITE_AES256GCM ? SUITE_CHACHA20POLY1305 : SUITE_AES256GCM;
}

/* Ends with different suites get no keys, and the responder learns which peer it was. */
static void ends_with_different_suites_get_no_keys(void **state)
{
	struct message_initiation initiation, unanswered;
	struct noise_remote *sender = NULL;
	struct end a, b, before;

	make_ends(&a, &b);
	noise_remote_set_suite(&a.peer, other_suite());
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(initiate_at(&b, 1, NOW, &unanswered), 0);
	before = b; /* the static DH is cached now, so nothing may change */
	assert_int_equal(noise_consume_initiation(&b.identity, &initiation, find_peer, &b, NOW, &sender), -EPROTONOSUPPORT);
	assert_ptr_equal(sender, &b.peer);
	assert_memory_equal(&b, &before, sizeof before);

	/* The peer is reported only if it has proved that it has the private key. */
	initiation.encrypted_timestamp[0] ^= 1;
	assert_int_equal(reject_at(&b, &initiation, NOW), -EBADMSG);
}

/* The state that is kept between handshakes does not depend on the suite. */
static void the_suite_can_change(void **state)
{
	struct noise_keys keys;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(handshake_at(&a, &b, NOW), 0);
	assert_keys_match(&a, &b, &keys);
	assert_int_equal(keys.suite, suite);
	noise_remote_set_suite(&a.peer, other_suite());
	noise_remote_set_suite(&b.peer, other_suite());
	assert_int_equal(handshake_at(&a, &b, NOW + NS_PER_S), 0);
	assert_keys_match(&a, &b, &keys);
	assert_int_equal(keys.suite, other_suite());
}

static void a_new_suite_aborts_the_handshake(void **state)
{
	struct message_initiation initiation;
	struct message_response response;
	struct end a, b;

	make_ends(&a, &b);
	assert_int_equal(initiate_at(&a, 1, NOW, &initiation), 0);
	assert_int_equal(consume_at(&b, &initiation, NOW), 0);
	noise_remote_set_suite(&b.peer, suite); /* unchanged: no effect */
	assert_int_equal(noise_create_response(&b.peer, 2, &response), 0);
	noise_remote_set_suite(&a.peer, other_suite());
	assert_true(sodium_is_zero((void *)&a.peer.handshake, sizeof a.peer.handshake));
	assert_int_equal(reject_response(&a, &response), -ENOENT);
}

static void the_suite_is_kept_between_handshakes(void **state)
{
	static const uint8_t key[NOISE_KEY] = { 8 };
	struct noise_remote remote;

	noise_remote_init(&remote, key);
	assert_int_equal(remote.suite, SUITE_CHACHA20POLY1305);
	noise_remote_set_suite(&remote, SUITE_AES256GCM);
	noise_handshake_clear(&remote);
	assert_int_equal(remote.suite, SUITE_AES256GCM);
	noise_remote_reset(&remote);
	assert_int_equal(remote.suite, SUITE_AES256GCM);
}

static int test_suite(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519_matches_rfc7748),
		cmocka_unit_test(a_handshake_matches_the_vectors),
		cmocka_unit_test(timestamps_are_rounded_tai64n),
		cmocka_unit_test(a_private_key_is_clamped_and_cleared),
		cmocka_unit_test(nothing_works_without_a_private_key),
		cmocka_unit_test(both_ends_need_the_same_psk),
		cmocka_unit_test(a_new_psk_takes_effect_with_the_next_handshake),
		cmocka_unit_test(the_static_dh_is_cached_at_first_use),
		cmocka_unit_test(a_peer_of_low_order_gets_no_initiation),
		cmocka_unit_test(an_ephemeral_key_of_low_order_is_rejected),
		cmocka_unit_test(a_static_key_of_low_order_is_rejected),
		cmocka_unit_test(a_response_is_not_created_from_a_zero_dh),
		cmocka_unit_test(every_byte_is_authenticated),
		cmocka_unit_test(an_unknown_peer_is_rejected),
		cmocka_unit_test(old_and_equal_timestamps_are_rejected),
		cmocka_unit_test(the_first_timestamp_may_be_zero),
		cmocka_unit_test(clearing_keeps_the_timestamp),
		cmocka_unit_test(one_initiation_per_20_ms_is_accepted),
		cmocka_unit_test(a_response_must_match_the_initiation),
		cmocka_unit_test(steps_out_of_order_are_rejected),
		cmocka_unit_test(their_initiation_replaces_ours),
		cmocka_unit_test(secrets_are_wiped),
	};
	return cmocka_run_group_tests_name(suite_name(suite), tests, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(ends_with_different_suites_get_no_keys),
		cmocka_unit_test(the_suite_can_change),
		cmocka_unit_test(a_new_suite_aborts_the_handshake),
		cmocka_unit_test(the_suite_is_kept_between_handshakes),
	};
	int failed = sodium_init() < 0;

	for (suite = 0; suite < SUITES; suite++) {
		if (suite_available(suite))
			failed += test_suite();
		if (suite_available(SUITE_AES256GCM))
			failed += cmocka_run_group_tests_name("two suites", both, NULL, NULL);
	}
	return failed;
}
