/* SPDX-License-Identifier: MIT */
/* MAC1, MAC2 and cookies. */
#include "crypto/cookie.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

/* A cookie expires this much earlier here than at the peer that issued it, because messages take time. */
#define COOKIE_LATENCY (5 * NS_PER_S)

/* Both keys are the hash of a label and the public key of the receiver of the handshake message. */
static const char label_mac1[] = "mac1----", label_cookie[] = "cookie--";

enum {
	LABEL_BYTES = 8,
	/* From the end of a handshake message. mac1 covers the bytes in front of mac1, mac2 those in front of mac2. */
	MAC1_FROM_END = sizeof(struct message_macs) - offsetof(struct message_macs, mac1),
	MAC2_FROM_END = sizeof(struct message_macs) - offsetof(struct message_macs, mac2),
};

void cookie_checker_set(struct cookie_checker *checker, const uint8_t public_key[NOISE_KEY])
{
	sodium_memzero(checker, sizeof *checker);
	hash_blake2s(checker->mac1_key, label_mac1, LABEL_BYTES, public_key, NOISE_KEY);
	hash_blake2s(checker->cookie_key, label_cookie, LABEL_BYTES, public_key, NOISE_KEY);
}

/* A cookie is a MAC of the sender's address under a secret that changes every COOKIE_LIFETIME: no state per sender. */
static void make_cookie(struct cookie_checker *checker, uint8_t cookie[COOKIE_BYTES], const uint8_t *address,
						size_t address_length, uint64_t now)
{
	if (!checker->secret_known || now >= checker->secret_since + COOKIE_LIFETIME) {
		randombytes_buf(checker->secret, sizeof checker->secret);
		checker->secret_known = true;
		checker->secret_since = now;
	}
	hash_mac(cookie, checker->secret, sizeof checker->secret, address, address_length);
}

static bool mac_valid(const uint8_t *key, size_t key_length, const uint8_t *message, size_t offset)
{
	uint8_t mac[MAC_BYTES];

	hash_mac(mac, key, key_length, message, offset);
	return !crypto_verify_16(mac, message + offset);
}

bool cookie_check_mac1(const struct cookie_checker *checker, const uint8_t *message, size_t n)
{
	return n >= sizeof(struct message_macs) && mac_valid(checker->mac1_key, NOISE_KEY, message, n - MAC1_FROM_END);
}

bool cookie_has_mac2(const uint8_t *message, size_t n)
{
	return n >= sizeof(struct message_macs) && !sodium_is_zero(message + n - MAC2_FROM_END, MAC_BYTES);
}

/* In a flood of messages without mac2, the two hashes of the check are saved. */
bool cookie_check_mac2(struct cookie_checker *checker, const uint8_t *message, size_t n, const uint8_t *address,
					   size_t address_length, uint64_t now)
{
	uint8_t cookie[COOKIE_BYTES];
	bool valid;

	if (!cookie_has_mac2(message, n))
		return false;
	make_cookie(checker, cookie, address, address_length, now);
	valid = mac_valid(cookie, sizeof cookie, message, n - MAC2_FROM_END);
	sodium_memzero(cookie, sizeof cookie);
	return valid;
}

void cookie_reply(struct cookie_checker *checker, struct message_cookie *reply, const uint8_t sender[4],
				  const uint8_t mac1[MAC_BYTES], const uint8_t *address, size_t address_length, uint64_t now)
{
	uint8_t cookie[COOKIE_BYTES];

	make_cookie(checker, cookie, address, address_length, now);
	put_le32(reply->type, MESSAGE_COOKIE);
	memcpy(reply->receiver, sender, sizeof reply->receiver);
	randombytes_buf(reply->nonce, sizeof reply->nonce);
	crypto_aead_xchacha20poly1305_ietf_encrypt(reply->encrypted_cookie, NULL, cookie, sizeof cookie, mac1, MAC_BYTES,
											   NULL, reply->nonce, checker->cookie_key);
	sodium_memzero(cookie, sizeof cookie);
}

void cookie_stamp(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], uint8_t *message, size_t n, uint64_t now)
{
	uint8_t *mac1 = message + n - MAC1_FROM_END, *mac2 = message + n - MAC2_FROM_END, key[NOISE_KEY];

	hash_blake2s(key, label_mac1, LABEL_BYTES, public_key, NOISE_KEY);
	hash_mac(mac1, key, NOISE_KEY, message, n - MAC1_FROM_END);
	memcpy(jar->last_mac1, mac1, MAC_BYTES);
	jar->mac1_sent = true;
	if (jar->cookie_known && now < jar->cookie_since + COOKIE_LIFETIME - COOKIE_LATENCY)
		hash_mac(mac2, jar->cookie, COOKIE_BYTES, message, n - MAC2_FROM_END);
	else
		memset(mac2, 0, MAC_BYTES);
}

int cookie_consume(struct cookie_jar *jar, const uint8_t public_key[NOISE_KEY], const struct message_cookie *reply,
				   uint64_t now)
{
	uint8_t cookie[COOKIE_BYTES], key[NOISE_KEY];

	if (!jar->mac1_sent)
		return -ENOENT;
	hash_blake2s(key, label_cookie, LABEL_BYTES, public_key, NOISE_KEY);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(cookie, NULL, NULL, reply->encrypted_cookie,
												   sizeof reply->encrypted_cookie, jar->last_mac1, MAC_BYTES,
												   reply->nonce, key))
		return -EBADMSG;
	memcpy(jar->cookie, cookie, COOKIE_BYTES);
	jar->cookie_known = true;
	jar->cookie_since = now;
	jar->mac1_sent = false; /* accept one reply per message */
	sodium_memzero(cookie, sizeof cookie);
	return 0;
}
