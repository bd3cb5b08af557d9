/* SPDX-License-Identifier: MIT */
/* AES-256-GCM by libsodium. Usable only if suite_available(SUITE_AES256GCM) returns true. */
#include <errno.h>
#include <sodium.h>

#include "aead_cipher.h"
#include "base/bytes.h"

static void libsodium_aes_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	crypto_aead_aes256gcm_beforenm(key, secret);
}

static void libsodium_aes_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
							   size_t length)
{
	uint8_t nonce[crypto_aead_aes256gcm_NPUBBYTES] = { 0 };

	put_be64(nonce + 4, counter);
	crypto_aead_aes256gcm_encrypt_afternm(data, NULL, data, length, NULL, 0, NULL, nonce, key);
}

static int libsodium_aes_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
							  const uint8_t *in, size_t length)
{
	uint8_t nonce[crypto_aead_aes256gcm_NPUBBYTES] = { 0 };

	put_be64(nonce + 4, counter);
	if (crypto_aead_aes256gcm_decrypt_detached_afternm(out, NULL, in, length, in + length, NULL, 0, nonce, key))
		return -EBADMSG;
	return 0;
}

const struct aead_cipher aead_libsodium_aes256gcm = {
	.library = "libsodium",
	.suite = SUITE_AES256GCM,
	.key_size = sizeof(crypto_aead_aes256gcm_state),
	.key_set = libsodium_aes_key_set,
	.seal = libsodium_aes_seal,
	.open = libsodium_aes_open,
	.in_place = true,
};
