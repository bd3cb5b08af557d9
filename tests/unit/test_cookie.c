/* SPDX-License-Identifier: MIT */
/*
 * Tests of MAC1, MAC2 and cookies (vectors of tests/vectors/handshake.py), and of the limit on handshakes per sender.
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

#include "base/bytes.h"
#include "crypto/cookie.h"

#define NOW (1000 * NS_PER_S)

enum { VECTORS = sizeof handshake_vectors / sizeof *handshake_vectors };
enum {
	INITIATION = sizeof(struct message_initiation),
	MAC1 = INITIATION - 2 * MAC_BYTES,
	MAC2 = INITIATION - MAC_BYTES
};

/* Both ends of a vector: the jar of the initiator and the checker of the responder. */
struct fixture {
	const struct handshake_vector *v;
	struct cookie_jar jar;
	struct cookie_checker checker;
	uint8_t message[INITIATION];
};

static void prepare(struct fixture *f, const struct handshake_vector *v)
{
	f->v = v;
	f->jar = (struct cookie_jar) { 0 };
	cookie_checker_set(&f->checker, v->responder_public);
	memcpy(f->message, v->initiation, INITIATION);
	memset(f->message + MAC1, 0xee, INITIATION - MAC1);
}

static bool check_mac1(const struct fixture *f)
{
	return cookie_check_mac1(&f->checker, f->message, INITIATION);
}

static bool check_mac2(struct fixture *f, uint64_t now)
{
	return cookie_check_mac2(&f->checker, f->message, INITIATION, f->v->source, sizeof f->v->source, now);
}

static void reply_to(struct fixture *f, struct message_cookie *reply, uint64_t now)
{
	cookie_reply(&f->checker, reply, f->message + 4, f->message + MAC1, f->v->source, sizeof f->v->source, now);
}

static void stamp(struct fixture *f, uint64_t now)
{
	cookie_stamp(&f->jar, f->v->responder_public, f->message, INITIATION, now);
}

static int consume(struct fixture *f, const struct message_cookie *reply, uint64_t now)
{
	return cookie_consume(&f->jar, f->v->responder_public, reply, now);
}

/* Sends the message, answers it with a cookie, consumes the cookie and sends the message again. */
static void fetch_cookie(struct fixture *f, uint64_t now)
{
	struct message_cookie reply;

	stamp(f, now);
	reply_to(f, &reply, now);
	assert_int_equal(consume(f, &reply, now), 0);
	stamp(f, now);
}

static void messages_match_the_vectors(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct fixture f;
		struct message_cookie reply;

		prepare(&f, &handshake_vectors[i]);
		memcpy(f.checker.secret, f.v->secret, sizeof f.checker.secret);
		f.checker.secret_known = true;
		f.checker.secret_since = NOW;

		stamp(&f, NOW);
		assert_memory_equal(f.message, f.v->initiation, INITIATION);
		assert_true(check_mac1(&f));
		assert_false(cookie_has_mac2(f.message, INITIATION));
		assert_false(check_mac2(&f, NOW));

		fixed_random_begin(f.v->nonce, sizeof f.v->nonce);
		reply_to(&f, &reply, NOW);
		fixed_random_end();
		assert_memory_equal(&reply, f.v->cookie_reply, sizeof reply);

		assert_int_equal(consume(&f, &reply, NOW), 0);
		stamp(&f, NOW);
		assert_memory_equal(f.message, f.v->initiation_with_cookie, INITIATION);
		assert_true(check_mac1(&f));
		assert_true(cookie_has_mac2(f.message, INITIATION));
		assert_true(check_mac2(&f, NOW));
	}
}

static void a_response_has_mac1(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		const struct handshake_vector *v = &handshake_vectors[i];
		struct cookie_jar jar = { 0 };
		uint8_t message[sizeof v->response];

		memcpy(message, v->response, sizeof message);
		memset(message + offsetof(struct message_response, macs), 0xee, 2 * MAC_BYTES);
		cookie_stamp(&jar, v->initiator_public, message, sizeof message, NOW);
		assert_memory_equal(message, v->response, sizeof message);
	}
}

static void mac1_covers_each_byte(void **state)
{
	struct fixture f;

	prepare(&f, handshake_vectors);
	stamp(&f, NOW);
	for (size_t i = 0; i < MAC2; i++) {
		f.message[i] ^= 1;
		assert_false(check_mac1(&f));
		f.message[i] ^= 1;
	}
	assert_true(check_mac1(&f));
	for (size_t n = 0; n < INITIATION; n++) {
		assert_false(cookie_check_mac1(&f.checker, f.message, n));
		assert_false(cookie_check_mac2(&f.checker, f.message, n, f.v->source, 6, NOW));
	}
	cookie_checker_set(&f.checker, f.v->initiator_public); /* another receiver */
	assert_false(check_mac1(&f));
}

static void a_cookie_covers_address_and_port(void **state)
{
	struct fixture f;
	struct handshake_vector elsewhere = handshake_vectors[0];

	prepare(&f, &elsewhere);
	fetch_cookie(&f, NOW);
	assert_true(check_mac2(&f, NOW));
	for (size_t i = 0; i < sizeof elsewhere.source; i++) {
		elsewhere.source[i] ^= 1;
		assert_false(check_mac2(&f, NOW));
		elsewhere.source[i] ^= 1;
	}
	for (size_t i = MAC2; i < INITIATION; i++) {
		f.message[i] ^= 1;
		assert_false(check_mac2(&f, NOW));
		f.message[i] ^= 1;
	}
	assert_true(check_mac1(&f)); /* whatever mac2 is */
}

static void the_secret_is_replaced(void **state)
{
	struct fixture f;
	uint8_t first[NOISE_KEY];

	/* At time 0, just after boot: a flag, not the time, means that there is no secret yet. */
	prepare(&f, handshake_vectors);
	fetch_cookie(&f, 0);
	assert_true(f.checker.secret_known);
	assert_false(sodium_is_zero(f.checker.secret, sizeof f.checker.secret));
	memcpy(first, f.checker.secret, sizeof first);
	assert_true(check_mac2(&f, COOKIE_LIFETIME - 1));
	assert_memory_equal(f.checker.secret, first, sizeof first);
	assert_false(check_mac2(&f, COOKIE_LIFETIME));
	assert_memory_not_equal(f.checker.secret, first, sizeof first);
	assert_true(f.checker.secret_since == COOKIE_LIFETIME);
}

static void a_cookie_expires_before_the_secret(void **state)
{
	static const uint8_t none[MAC_BYTES];
	struct fixture f;

	prepare(&f, handshake_vectors);
	stamp(&f, 0); /* no cookie, which differs from a cookie of time 0 */
	assert_memory_equal(f.message + MAC2, none, MAC_BYTES);
	fetch_cookie(&f, NOW);
	assert_memory_not_equal(f.message + MAC2, none, MAC_BYTES);
	stamp(&f, NOW + 115 * NS_PER_S - 1);
	assert_memory_not_equal(f.message + MAC2, none, MAC_BYTES);
	stamp(&f, NOW + 115 * NS_PER_S);
	assert_memory_equal(f.message + MAC2, none, MAC_BYTES);
}

static void a_reply_is_bound_to_our_last_message(void **state)
{
	struct fixture f;
	struct cookie_jar before;
	struct message_cookie reply;

	prepare(&f, handshake_vectors);
	reply_to(&f, &reply, NOW);
	assert_int_equal(consume(&f, &reply, NOW), -ENOENT); /* no message was sent */
	stamp(&f, NOW);
	before = f.jar;
	assert_int_equal(consume(&f, &reply, NOW), -EBADMSG); /* the reply is to another MAC1 */
	reply_to(&f, &reply, NOW);
	for (size_t i = offsetof(struct message_cookie, nonce); i < sizeof reply; i++) {
		((uint8_t *)&reply)[i] ^= 1;
		assert_int_equal(consume(&f, &reply, NOW), -EBADMSG);
		((uint8_t *)&reply)[i] ^= 1;
	}
	assert_memory_equal(&f.jar, &before, sizeof before);
	assert_int_equal(consume(&f, &reply, NOW), 0);
	assert_int_equal(consume(&f, &reply, NOW), -ENOENT); /* it was consumed already */
}

static void reply_nonces_differ(void **state)
{
	struct fixture f;
	struct message_cookie one, two;

	prepare(&f, handshake_vectors);
	reply_to(&f, &one, NOW);
	reply_to(&f, &two, NOW);
	assert_int_equal(get_le32(one.type), MESSAGE_COOKIE);
	assert_memory_equal(one.receiver, f.message + 4, 4);
	assert_memory_not_equal(one.nonce, two.nonce, COOKIE_NONCE);
}

/* --- the limit on handshakes ----- */

/* Returns how many of `tries` handshakes at `now` are allowed. */
static int count_allowed(struct ratelimit *limit, const char *address, size_t length, int tries, uint64_t now)
{
	int allowed = 0;

	while (tries--)
		allowed += ratelimit_allow(limit, (const uint8_t *)address, length, now);
	return allowed;
}

static void burst_and_rate_are_limited(void **state)
{
	struct ratelimit *limit = ratelimit_create();
	uint64_t now = 0;
	int allowed = 0;

	assert_non_null(limit);
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1", 4, 100, now), 5);
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1", 4, 9, now + 50 * NS_PER_MS - 1), 0);
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1", 4, 9, now + 50 * NS_PER_MS), 1);
	now += 10 * NS_PER_S;
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1", 4, 9, now), 5); /* the bucket is full, and not fuller */
	for (int ms = 1; ms <= 10000; ms++)
		allowed += count_allowed(limit, "\x0a\0\0\1", 4, 1, now + (uint64_t)ms * NS_PER_MS);
	assert_int_equal(allowed, 10 * 20);
	ratelimit_destroy(limit);
}

static void each_ipv4_address_and_ipv6_64_has_a_bucket(void **state)
{
	struct ratelimit *limit = ratelimit_create();

	assert_non_null(limit);
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1", 4, 9, NOW), 5);
	assert_int_equal(count_allowed(limit, "\x0a\0\0\2", 4, 9, NOW), 5);
	assert_int_equal(count_allowed(limit, "\x20\1\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16, 3, NOW), 3);
	assert_int_equal(count_allowed(limit, "\x20\1\0\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff", 16, 9, NOW), 2);
	assert_int_equal(count_allowed(limit, "\x20\1\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 16, 9, NOW), 5);
	/* An IPv6 prefix that starts with the bytes of an IPv4 address is another sender. */
	assert_int_equal(count_allowed(limit, "\x0a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16, 9, NOW), 5);
	ratelimit_destroy(limit);
}

static void the_table_is_bounded(void **state)
{
	enum { SENDERS = 50000, ENTRIES = 8192 };
	struct ratelimit *limit = ratelimit_create();
	int remembered = 0;
	uint8_t address[4];

	assert_non_null(limit);
	for (uint32_t i = 0; i < SENDERS; i++) {
		put_be32(address, i);
		assert_int_equal(count_allowed(limit, (const char *)address, 4, 9, NOW), 5);
	}
	for (uint32_t i = SENDERS; i-- > 0;) {
		put_be32(address, i);
		remembered += !ratelimit_allow(limit, address, 4, NOW);
	}
	assert_uint_in_range(remembered, 1, ENTRIES);
	ratelimit_destroy(limit);
}

/* New senders replace senders with full buckets, not senders that are being limited. */
static void a_limited_sender_is_not_replaced(void **state)
{
	struct ratelimit *limit = ratelimit_create();
	uint8_t address[4];

	assert_non_null(limit);
	assert_int_equal(count_allowed(limit, "\xff\0\0\1", 4, 9, NOW), 5);
	for (uint32_t i = 0; i < 100000; i++) {
		put_be32(address, i);
		assert_true(ratelimit_allow(limit, address, 4, NOW));
	}
	assert_int_equal(count_allowed(limit, "\xff\0\0\1", 4, 9, NOW), 0);
	ratelimit_destroy(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_match_the_vectors),
		cmocka_unit_test(a_response_has_mac1),
		cmocka_unit_test(mac1_covers_each_byte),
		cmocka_unit_test(a_cookie_covers_address_and_port),
		cmocka_unit_test(the_secret_is_replaced),
		cmocka_unit_test(a_cookie_expires_before_the_secret),
		cmocka_unit_test(a_reply_is_bound_to_our_last_message),
		cmocka_unit_test(reply_nonces_differ),
		cmocka_unit_test(burst_and_rate_are_limited),
		cmocka_unit_test(each_ipv4_address_and_ipv6_64_has_a_bucket),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(a_limited_sender_is_not_replaced),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
