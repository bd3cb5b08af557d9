/* SPDX-License-Identifier: MIT */
/*
 * ChaCha20-Poly1305 put together from libsodium's stream and authenticator, which is much faster than its one-shot
 * AEAD: that one makes a stream call for the Poly1305 key and another for the data, both of lengths that its vector
 * code does not like. Here one call runs over
 *
 *     64 bytes of headroom | data | junk up to a length that the vector code likes
 *
 * so that block 0, which RFC 8439 (section 2.6) sets aside for the key, falls on the headroom, and the data begins with
 * block 1, as it must.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "aead_cipher.h"
#include "base/bytes.h"

enum {
	STREAM_BLOCK = 64,
	STREAM_FOUR = 4 * STREAM_BLOCK,
	STREAM_EIGHT = 8 * STREAM_BLOCK,

	MAC_BLOCK = 16,
	MAC_TRAILER = MAC_BLOCK - 1 + MAC_BLOCK, /* at most: zeros to a whole block, then both lengths */
};

static_assert(STREAM_FOUR <= (size_t)AEAD_TAILROOM && MAC_TRAILER <= (size_t)AEAD_TAILROOM, "scratch behind the data");
static_assert(STREAM_BLOCK == (size_t)AEAD_HEADROOM, "block 0 of the stream falls in front of the data");

static void libsodium_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	memcpy(key, secret, AEAD_KEY);
}

/*
 * libsodium makes eight blocks at a time (AVX2), then four, then single ones, and a part of a block like a whole.
 * Measured in ns: eight 237, four 210, one 130. So a single block stands alone behind whole eights, and two or three
 * are made four.
 */
static size_t stream_length(size_t needed)
{
	size_t unit = (needed - 1) % STREAM_EIGHT < STREAM_BLOCK ? STREAM_BLOCK : STREAM_FOUR;

	return (needed + unit - 1) / unit * unit;
}

/* Adds the stream to in[-AEAD_HEADROOM..length) and the junk behind it. */
static void add_stream(const uint8_t *key, uint64_t counter, uint8_t *out, const uint8_t *in, size_t length)
{
	uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = { 0 };

	put_le64(nonce + 4, counter);
	crypto_stream_chacha20_ietf_xor_ic(out - AEAD_HEADROOM, in - AEAD_HEADROOM, stream_length(AEAD_HEADROOM + length),
									   nonce, 0, key);
}

/* Writes zeros to a whole block and the lengths of associated data (none) and of data: RFC 8439, section 2.8. */
static size_t put_trailer(uint8_t *trailer, size_t length)
{
	size_t zeros = -length % MAC_BLOCK + 8;

	memset(trailer, 0, zeros);
	put_le64(trailer + zeros, length);
	return zeros + 8;
}

/* The tag of data[0..length), with MAC_TRAILER bytes of scratch behind it: one call is cheaper than several. */
static void mac_in_place(uint8_t tag[AEAD_TAG], const uint8_t *mac_key, uint8_t *data, size_t length)
{
	size_t trailer = put_trailer(data + length, length);

	crypto_onetimeauth_poly1305(tag, data, length + trailer, mac_key);
}

static void mac_in_parts(uint8_t tag[AEAD_TAG], const uint8_t *mac_key, const uint8_t *data, size_t length)
{
	crypto_onetimeauth_poly1305_state state;
	uint8_t trailer[MAC_TRAILER];

	crypto_onetimeauth_poly1305_init(&state, mac_key);
	crypto_onetimeauth_poly1305_update(&state, data, length);
	crypto_onetimeauth_poly1305_update(&state, trailer, put_trailer(trailer, length));
	crypto_onetimeauth_poly1305_final(&state, tag);
}

static void libsodium_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
						   size_t length)
{
	uint8_t *front = data - AEAD_HEADROOM;
	uint8_t saved[AEAD_HEADROOM], tag[AEAD_TAG];

	memcpy(saved, front, AEAD_HEADROOM);
	memset(front, 0, AEAD_HEADROOM);
	add_stream(key, counter, data, data, length);
	mac_in_place(tag, front, data, length);
	memcpy(data + length, tag, AEAD_TAG);
	memcpy(front, saved, AEAD_HEADROOM);
}

static int libsodium_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
						  const uint8_t *in, size_t length)
{
	uint8_t *front = out - AEAD_HEADROOM;
	uint8_t tag[AEAD_TAG];
	int forged;

	add_stream(key, counter, out, in, length);
	/* What lay in front of `in` went into the stream: taken out again, block 0 begins with the key of the MAC. */
	for (size_t i = 0; i < crypto_onetimeauth_poly1305_KEYBYTES; i++)
		front[i] ^= *(in - AEAD_HEADROOM + i);
	mac_in_parts(tag, front, in, length);
	forged = crypto_verify_16(tag, in + length);
	sodium_memzero(front, AEAD_HEADROOM);
	return forged ? -EBADMSG : 0;
}

const struct aead_cipher aead_libsodium_chacha20poly1305 = {
	.library = "libsodium",
	.suite = SUITE_CHACHA20POLY1305,
	.key_size = AEAD_KEY,
	.key_set = libsodium_key_set,
	.seal = libsodium_seal,
	.open = libsodium_open,
};
