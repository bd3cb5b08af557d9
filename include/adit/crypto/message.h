/* SPDX-License-Identifier: MIT */
/*
 * The wire: every message of the protocol, its size and its limits (WireGuard paper, section 5.4). Integers are little
 * endian. All structs are made of bytes, so they have no padding and may lie anywhere.
 */
#ifndef ADIT_CRYPTO_MESSAGE_H
#define ADIT_CRYPTO_MESSAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum message_type {
	MESSAGE_INITIATION = 1,
	MESSAGE_RESPONSE = 2,
	MESSAGE_COOKIE = 3,
	MESSAGE_DATA = 4,
};

enum {
	NOISE_KEY = 32, /* an X25519 point or scalar, a pre-shared key, a hash, a chaining key */
	NOISE_HASH = 32,
	NOISE_TAG = 16,
	NOISE_TIMESTAMP = 12, /* TAI64N */
	COOKIE_BYTES = 16,
	COOKIE_NONCE = 24,
	MAC_BYTES = 16,
};

struct message_macs {
	uint8_t mac1[MAC_BYTES], mac2[MAC_BYTES];
};

struct message_initiation {
	uint8_t type[4]; /* the type, then three zero bytes: together a little-endian 32-bit number */
	uint8_t sender[4];
	uint8_t ephemeral[NOISE_KEY];
	uint8_t encrypted_static[NOISE_KEY + NOISE_TAG];
	uint8_t encrypted_timestamp[NOISE_TIMESTAMP + NOISE_TAG];
	struct message_macs macs;
};

struct message_response {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t receiver[4];
	uint8_t ephemeral[NOISE_KEY];
	uint8_t encrypted_nothing[NOISE_TAG];
	struct message_macs macs;
};

struct message_cookie {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t nonce[COOKIE_NONCE];
	uint8_t encrypted_cookie[COOKIE_BYTES + NOISE_TAG];
};

/* In front of every data datagram; the sealed packet and its tag follow. */
struct message_data {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t counter[8];
};

static_assert(sizeof(struct message_initiation) == 148 && sizeof(struct message_response) == 92, "handshake sizes");
static_assert(sizeof(struct message_cookie) == 64 && sizeof(struct message_data) == 16, "cookie and data sizes");
static_assert(offsetof(struct message_initiation, ephemeral) == 8, "initiation: ephemeral");
static_assert(offsetof(struct message_initiation, encrypted_static) == 40, "initiation: static");
static_assert(offsetof(struct message_initiation, encrypted_timestamp) == 88, "initiation: timestamp");
static_assert(offsetof(struct message_initiation, macs) == 116, "initiation: macs");
static_assert(offsetof(struct message_response, receiver) == 8, "response: receiver");
static_assert(offsetof(struct message_response, ephemeral) == 12, "response: ephemeral");
static_assert(offsetof(struct message_response, encrypted_nothing) == 44, "response: nothing");
static_assert(offsetof(struct message_response, macs) == 60, "response: macs");
static_assert(offsetof(struct message_cookie, nonce) == 8, "cookie: nonce");
static_assert(offsetof(struct message_cookie, encrypted_cookie) == 32, "cookie: cookie");
static_assert(offsetof(struct message_data, receiver) == 4 && offsetof(struct message_data, counter) == 8, "data");

enum {
	DATA_HEADER = sizeof(struct message_data),
	DATA_OVERHEAD = sizeof(struct message_data) + NOISE_TAG, /* an empty packet: a keepalive */
	MESSAGE_SMALLEST = DATA_OVERHEAD,
};

/* Section 6. Times in ns, counts in messages; 64-bit values are no enum. */
#define REKEY_AFTER_MESSAGES (UINT64_C(1) << 60)
#define REKEY_AFTER_MESSAGES_AES (UINT64_C(1) << 34)             /* ours: GCM wears out with the blocks under one key */
#define REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13)) /* 2^64 - 2^13 - 1: the first counter refused */
#define REKEY_AFTER_TIME (120 * NS_PER_S)
#define REJECT_AFTER_TIME (180 * NS_PER_S)
#define REKEY_ATTEMPT_TIME (90 * NS_PER_S)
#define REKEY_TIMEOUT (5 * NS_PER_S)
#define REKEY_TIMEOUT_JITTER (333 * NS_PER_MS)
#define KEEPALIVE_TIMEOUT (10 * NS_PER_S)
#define COOKIE_LIFETIME (120 * NS_PER_S)

#endif
