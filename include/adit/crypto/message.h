/* SPDX-License-Identifier: MIT */
/*
 * The wire format: all messages of the protocol with their sizes, and the protocol's limits (WireGuard paper, sections
 * 5.4 and 6). Integers are little endian. All structs consist of bytes, so they have no padding and need no alignment.
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
	NOISE_KEY = 32,  /* a public, private, pre-shared or symmetric key */
	NOISE_HASH = 32, /* a hash or a chaining key */
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
	uint8_t type[4]; /* the type and three reserved zero bytes, read as one little-endian number */
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

/* The header of a data message. The sealed packet and its tag follow. */
struct message_data {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t counter[8];
};

static_assert(sizeof(struct message_macs) == 32, "size of message_macs");
static_assert(offsetof(struct message_macs, mac1) == 0, "message_macs.mac1");
static_assert(offsetof(struct message_macs, mac2) == 16, "message_macs.mac2");

static_assert(sizeof(struct message_initiation) == 148, "size of message_initiation");
static_assert(offsetof(struct message_initiation, type) == 0, "message_initiation.type");
static_assert(offsetof(struct message_initiation, sender) == 4, "message_initiation.sender");
static_assert(offsetof(struct message_initiation, ephemeral) == 8, "message_initiation.ephemeral");
static_assert(offsetof(struct message_initiation, encrypted_static) == 40, "message_initiation.encrypted_static");
static_assert(offsetof(struct message_initiation, encrypted_timestamp) == 88, "message_initiation.encrypted_timestamp");
static_assert(offsetof(struct message_initiation, macs) == 116, "message_initiation.macs");

static_assert(sizeof(struct message_response) == 92, "size of message_response");
static_assert(offsetof(struct message_response, type) == 0, "message_response.type");
static_assert(offsetof(struct message_response, sender) == 4, "message_response.sender");
static_assert(offsetof(struct message_response, receiver) == 8, "message_response.receiver");
static_assert(offsetof(struct message_response, ephemeral) == 12, "message_response.ephemeral");
static_assert(offsetof(struct message_response, encrypted_nothing) == 44, "message_response.encrypted_nothing");
static_assert(offsetof(struct message_response, macs) == 60, "message_response.macs");

static_assert(sizeof(struct message_cookie) == 64, "size of message_cookie");
static_assert(offsetof(struct message_cookie, type) == 0, "message_cookie.type");
static_assert(offsetof(struct message_cookie, receiver) == 4, "message_cookie.receiver");
static_assert(offsetof(struct message_cookie, nonce) == 8, "message_cookie.nonce");
static_assert(offsetof(struct message_cookie, encrypted_cookie) == 32, "message_cookie.encrypted_cookie");

static_assert(sizeof(struct message_data) == 16, "size of message_data");
static_assert(offsetof(struct message_data, type) == 0, "message_data.type");
static_assert(offsetof(struct message_data, receiver) == 4, "message_data.receiver");
static_assert(offsetof(struct message_data, counter) == 8, "message_data.counter");

enum {
	DATA_HEADER = sizeof(struct message_data),
	DATA_OVERHEAD = sizeof(struct message_data) + NOISE_TAG, /* also the size of a keepalive, an empty packet */
	MESSAGE_SMALLEST = DATA_OVERHEAD,
	HANDSHAKE_TRAFFIC_CLASS = 0x88, /* AF41 (RFC 2597), as the kernel marks all messages but data */
};

/* Section 6. Times are in ns, counts in messages. These are macros because an enum cannot hold 64-bit values. */
#define REKEY_AFTER_MESSAGES (UINT64_C(1) << 60)
/*
 * Not in the paper: the security bounds of GCM degrade with the number of blocks sealed under one key. 2^28 messages of
 * 1500 bytes are 2^34.5 blocks, which is the limit of TLS (RFC 8446, section 5.5).
 */
#define REKEY_AFTER_MESSAGES_AES (UINT64_C(1) << 28)
/* 2^64 - 2^13 - 1, the first counter that is rejected. */
#define REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13))
#define REKEY_AFTER_TIME (120 * NS_PER_S)
#define REJECT_AFTER_TIME (180 * NS_PER_S)
#define REKEY_ATTEMPT_TIME (90 * NS_PER_S)
#define REKEY_TIMEOUT (5 * NS_PER_S)
#define REKEY_TIMEOUT_JITTER (333 * NS_PER_MS)
#define KEEPALIVE_TIMEOUT (10 * NS_PER_S)
#define COOKIE_LIFETIME (120 * NS_PER_S)

#endif
