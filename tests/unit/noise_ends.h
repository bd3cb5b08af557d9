/* SPDX-License-Identifier: MIT */
/* Two ends of a handshake and the steps between them, for tests of noise.h. Include cmocka.h first. */
#ifndef ADIT_NOISE_ENDS_H
#define ADIT_NOISE_ENDS_H

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/noise.h"

#define NOW (1000 * NS_PER_S)

/* The suite of the current group of tests. */
static enum suite suite;

/* One end; `peer` is the other one. */
struct end {
	struct noise_identity identity;
	struct noise_remote peer;
};

static inline struct noise_remote *find_peer(void *context, const uint8_t public_key[NOISE_KEY])
{
	struct end *end = context;

	return memcmp(end->peer.public_key, public_key, NOISE_KEY) ? NULL : &end->peer;
}

static inline void make_ends(struct end *a, struct end *b)
{
	uint8_t private_key[NOISE_KEY];

	memset(a, 0, sizeof *a); /* the tests compare whole structs, including padding */
	memset(b, 0, sizeof *b);
	randombytes_buf(private_key, sizeof private_key);
	noise_identity_set(&a->identity, private_key);
	randombytes_buf(private_key, sizeof private_key);
	noise_identity_set(&b->identity, private_key);
	noise_remote_init(&a->peer, b->identity.public_key);
	noise_remote_init(&b->peer, a->identity.public_key);
	noise_remote_set_suite(&a->peer, suite);
	noise_remote_set_suite(&b->peer, suite);
}

static inline int initiate_at(struct end *from, uint32_t index, uint64_t realtime, struct message_initiation *message)
{
	uint8_t timestamp[NOISE_TIMESTAMP];

	noise_timestamp(timestamp, realtime);
	return noise_create_initiation(&from->identity, &from->peer, index, timestamp, message);
}

static inline int consume_at(struct end *at, const struct message_initiation *message, uint64_t now)
{
	struct noise_remote *found = NULL;
	int error = noise_consume_initiation(&at->identity, message, find_peer, at, now, &found);

	assert_ptr_equal(
		found, error == -EBADMSG || error == -ENOENT || error == -ENOKEY || error == -EKEYREJECTED ? NULL : &at->peer);
	return error;
}

/* Consumes an initiation that must be rejected. Only the cached DH and the age of an old message may change. */
static inline int reject_at(struct end *at, const struct message_initiation *message, uint64_t now)
{
	struct end before = *at;
	int error = consume_at(at, message, now);

	assert_int_not_equal(error, 0);
	memcpy(before.peer.static_static, at->peer.static_static, NOISE_KEY);
	before.peer.seconds_late = at->peer.seconds_late;
	before.peer.static_known = at->peer.static_known;
	before.peer.static_rejected = at->peer.static_rejected;
	assert_memory_equal(at, &before, sizeof before);
	return error;
}

/* Consumes a response that must be rejected. Nothing may change. */
static inline int reject_response(struct end *at, const struct message_response *message)
{
	struct end before = *at;
	int error = noise_consume_response(&at->identity, &at->peer, message);

	assert_int_not_equal(error, 0);
	assert_memory_equal(at, &before, sizeof before);
	return error;
}

/* Runs a handshake from a to b, up to the point where a has consumed the response. */
static inline int handshake_at(struct end *a, struct end *b, uint64_t now)
{
	struct message_initiation initiation;
	struct message_response response;

	assert_int_equal(initiate_at(a, 1, now, &initiation), 0);
	assert_int_equal(consume_at(b, &initiation, now), 0);
	assert_int_equal(noise_create_response(&b->peer, 2, &response), 0);
	return noise_consume_response(&a->identity, &a->peer, &response);
}

static inline void assert_keys_match(struct end *a, struct end *b, struct noise_keys *keys)
{
	struct noise_keys other;

	assert_int_equal(noise_derive(&a->peer, keys), 0);
	assert_int_equal(noise_derive(&b->peer, &other), 0);
	assert_memory_equal(keys->send, other.receive, NOISE_KEY);
	assert_memory_equal(keys->receive, other.send, NOISE_KEY);
	assert_memory_not_equal(keys->send, keys->receive, NOISE_KEY);
}

#endif
