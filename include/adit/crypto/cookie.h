/* SPDX-License-Identifier: MIT */
/*
 * MAC1, MAC2 and cookies (WireGuard paper, sections 5.3, 5.4.4 and 5.4.7) for both ends, and the limit on handshakes
 * per sender address under load.
 */
#ifndef ADIT_CRYPTO_COOKIE_H
#define ADIT_CRYPTO_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/message.h"

/* The receiver's side: checks messages and issues cookies. One per device. */
struct cookie_checker {
	uint8_t mac1_key[NOISE_KEY];   /* HASH("mac1----" || our public key) */
	uint8_t cookie_key[NOISE_KEY]; /* HASH("cookie--" || our public key) */
	uint8_t secret[NOISE_KEY];     /* replaced every COOKIE_LIFETIME */
	bool secret_known;
	uint64_t secret_since;
};

/* Resets the checker and derives its keys from our public key. The first cookie generates the secret. */
void cookie_checker_set(struct cookie_checker *checker, const uint8_t public_key[NOISE_KEY]);

/*
 * Check one of the MACs at the end of a handshake message of `n` bytes. A cookie covers the sender's address and port,
 * which `address` holds in any fixed form. `now`, here and below, is in ns of CLOCK_BOOTTIME.
 */
bool cookie_check_mac1(const struct cookie_checker *checker, const uint8_t *message, size_t n);
bool cookie_check_mac2(struct cookie_checker *checker, const uint8_t *message, size_t n, const uint8_t *address,
					   size_t address_length, uint64_t now);
/* Returns whether the message has a mac2 at all: a sender without a cookie leaves it zero. `n` is as above. */
bool cookie_has_mac2(const uint8_t *message, size_t n);

/*
 * Creates the cookie reply to a message whose MAC1 is valid. `sender` is the message's sender index, `mac1` its MAC1,
 * and `address` is as for cookie_check_mac2. The cookie is sealed with XChaCha20-Poly1305 under a random nonce, with
 * `mac1` as associated data (section 5.4.7).
 */
void cookie_reply(struct cookie_checker *checker, struct message_cookie *reply, const uint8_t sender[4],
				  const uint8_t mac1[MAC_BYTES], const uint8_t *address, size_t address_length, uint64_t now);

/*
 * The sender's side: the last cookie that a peer sent us. One per peer; zeroed memory is a jar without a cookie. The
 * two keys are derived from the peer's public key on every call: a hash costs little next to a handshake's curve
 * operations, and most peers are idle.
 */
struct cookie_jar {
	bool mac1_sent;               /* last_mac1 is valid and awaits a reply */
	uint8_t last_mac1[MAC_BYTES]; /* of our last message; a reply is bound to it */
	bool cookie_known;
	uint8_t cookie[COOKIE_BYTES];
	uint64_t cookie_since;
};

/*
 * Writes both MACs at the end of a message of `n` bytes to the peer with `public_key`. mac2 is zero unless the jar
 * holds a cookie younger than COOKIE_LIFETIME - 5 s.
 */
void cookie_stamp(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], uint8_t *message, size_t n,
				  uint64_t now);
/*
 * Stores the cookie of a reply from the peer with `public_key`. Returns 0; -EBADMSG if the reply is forged; -ENOENT if
 * no message of ours awaits a reply.
 */
int cookie_consume(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], const struct message_cookie *reply,
				   uint64_t now);

/*
 * The limit on handshakes under load: a token bucket of 20 per second with bursts of 5, per IPv4 address or IPv6 /64.
 * The table has a fixed size; a new sender replaces one that has been idle the longest. A secret key decides which
 * entries a sender may use.
 */
struct ratelimit;
/* Returns NULL if there is no memory. */
struct ratelimit *ratelimit_create(void);
/* Accepts NULL. */
void ratelimit_destroy(struct ratelimit *limit);
/* Takes a token for `address` (4 or 16 bytes). Returns false if the handshake must be dropped. */
bool ratelimit_allow(struct ratelimit *limit, const uint8_t *address, size_t length, uint64_t now);

#endif
