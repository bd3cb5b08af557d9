/* SPDX-License-Identifier: MIT */
/*
 * MAC1, MAC2 and cookies (WireGuard paper, section 5.3 and 5.4.4, 5.4.7), both sides, and the limit on handshakes per
 * source address while under load.
 */
#ifndef ADIT_CRYPTO_COOKIE_H
#define ADIT_CRYPTO_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/message.h"

/* What we check with, as the one who is spoken to. One a device. */
struct cookie_checker {
	uint8_t mac1_key[NOISE_KEY];   /* HASH("mac1----" || our public key) */
	uint8_t cookie_key[NOISE_KEY]; /* HASH("cookie--" || our public key) */
	uint8_t secret[NOISE_KEY];     /* changed every COOKIE_LIFETIME */
	bool secret_known;
	uint64_t secret_since;
};

/* Checks for this public key, ours, from now on; the secret is made at first use. */
void cookie_checker_set(struct cookie_checker *checker, const uint8_t public_key[NOISE_KEY]);

enum cookie_verdict { COOKIE_FORGED, COOKIE_MAC1, COOKIE_MAC2 }; /* no valid MAC1; MAC1 alone; both */

/*
 * Checks the macs at the end of a handshake message of `n` bytes. `source` is address and port as bytes of any fixed
 * form (the cookie covers both). MAC2 is only looked at when `under_load`.
 */
enum cookie_verdict cookie_check(struct cookie_checker *checker, const uint8_t *message, size_t n,
								 const uint8_t *source, size_t source_length, bool under_load, uint64_t now);

/*
 * Makes the cookie reply to a message that passed MAC1: `sender` is its sender index, `source` is as for cookie_check.
 * The cookie is sealed with XChaCha20-Poly1305 under a random nonce, and bound to `mac1` (section 5.4.7).
 */
void cookie_reply(struct cookie_checker *checker, struct message_cookie *reply, const uint8_t sender[4],
				  const uint8_t mac1[MAC_BYTES], const uint8_t *source, size_t source_length, uint64_t now);

/*
 * What we speak with. One a peer; zeroed memory is a jar with no cookie. The keys that stamping and opening take are
 * made of the peer's public key each time: a hash is little beside a handshake's curve work, and most peers are silent.
 */
struct cookie_jar {
	bool mac1_sent;
	uint8_t last_mac1[MAC_BYTES]; /* a reply is bound to it */
	bool cookie_known;
	uint8_t cookie[COOKIE_BYTES];
	uint64_t cookie_since;
};

/*
 * Fills in mac1 at the end of the message of `n` bytes to the one with `public_key`, and mac2: zeros unless a cookie
 * younger than COOKIE_LIFETIME - 5 s is at hand.
 */
void cookie_stamp(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], uint8_t *message, size_t n,
				  uint64_t now);
/*
 * Keeps the cookie of a reply from the one with `public_key`. 0; -EBADMSG: forged; -ENOENT: we sent nothing that it
 * could answer, or it has been.
 */
int cookie_consume(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], const struct message_cookie *reply,
				   uint64_t now);

/*
 * Handshakes per source while under load: a token bucket of 20 a second, bursts of 5, per IPv4 address or IPv6 /64, in
 * a table of fixed size, keyed by a secret, in which the source that has been quiet the longest makes room.
 */
struct ratelimit;
/* NULL without memory. */
struct ratelimit *ratelimit_create(void);
/* NULL is allowed. */
void ratelimit_destroy(struct ratelimit *limit);
/* True when one more handshake from `address`, of 4 or 16 bytes, may be looked at; `now` in ns of CLOCK_BOOTTIME. */
bool ratelimit_allow(struct ratelimit *limit, const uint8_t *address, size_t length, uint64_t now);

#endif
