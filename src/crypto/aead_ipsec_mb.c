/* SPDX-License-Identifier: MIT */
/*
 * Both suites by IPsec-MB, which has code for SSE, AVX, AVX2 and AVX-512 and takes what the processor can. What was
 * measured decides the calls (AMD EPYC 9005, ns for 64 and for 1420 bytes):
 *
 *     ChaCha20-Poly1305: three direct calls 310 and 556, a job 175 and 404: it makes the Poly1305 key with the data's
 *     first blocks. AES-256-GCM: the one direct call 28 and 98, a job 32 and 101.
 *
 * Its nonces are written by one store of 16 bytes. The library reads them by one load, and a load that spans two
 * stores waits until both have left the store buffer: 20 ns a datagram.
 */
#include "aead_cipher.h"

#include <errno.h>

#ifdef ADIT_IPSEC_MB

#include <emmintrin.h>
#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { ALIGNMENT = 64, NONCE = 12 };

struct ipsec_mb {
	IMB_MGR *manager;
	size_t size; /* of the manager, which is one piece of memory */
	struct gcm_context_data gcm;
};

/* 32 zero bits, then the counter, then 32 bits that nobody reads. */
static void put_nonce(uint8_t nonce[16], uint64_t counter)
{
	_mm_storeu_si128((__m128i *)(void *)nonce, _mm_set_epi64x((int64_t)(counter >> 32), (int64_t)(counter << 32)));
}

/* --- ChaCha20-Poly1305 --- */

static void chacha_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	memcpy(key, secret, AEAD_KEY);
}

/* Works one job off. Jobs of this kind never wait for others: what is submitted comes back, done. */
static bool chacha_job(struct ipsec_mb *ipsec_mb, IMB_CIPHER_DIRECTION direction, const void *key, uint64_t counter,
					   uint8_t *out, const uint8_t *in, size_t length, uint8_t *tag)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(ipsec_mb->manager);
	uint8_t nonce[16];

	put_nonce(nonce, counter);
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = direction;
	job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = job->dec_keys = key;
	job->key_len_in_bytes = AEAD_KEY;
	job->iv = nonce;
	job->iv_len_in_bytes = NONCE;
	job->u.CHACHA20_POLY1305.aad = NULL;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
	job->src = in;
	job->dst = out;
	job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = length;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = AEAD_TAG;
	job = IMB_SUBMIT_JOB_NOCHECK(ipsec_mb->manager);
	return job && job->status == IMB_STATUS_COMPLETED;
}

static void chacha_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
						size_t length)
{
	/* Cannot happen; if it did, what is in the slot would go out as it is. */
	if (!chacha_job(aead->ipsec_mb, IMB_DIR_ENCRYPT, key, counter, data, data, length, data + length))
		memset(data, 0, length + AEAD_TAG);
}

static int chacha_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
					   const uint8_t *in, size_t length)
{
	uint8_t tag[AEAD_TAG];

	if (!chacha_job(aead->ipsec_mb, IMB_DIR_DECRYPT, key, counter, out, in, length, tag))
		return -EBADMSG;
	return crypto_verify_16(tag, in + length) ? -EBADMSG : 0;
}

const struct aead_cipher aead_ipsec_mb_chacha20poly1305 = {
	.library = "ipsec-mb",
	.suite = SUITE_CHACHA20POLY1305,
	.key_size = AEAD_KEY,
	.key_set = chacha_key_set,
	.seal = chacha_seal,
	.open = chacha_open,
	.in_place = true,
};

/* --- AES-256-GCM --- */

static void aes_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	IMB_AES256_GCM_PRE(aead->ipsec_mb->manager, secret, key);
}

static void aes_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length)
{
	struct ipsec_mb *ipsec_mb = aead->ipsec_mb;
	uint8_t nonce[16];

	put_nonce(nonce, htobe64(counter));
	IMB_AES256_GCM_ENC(ipsec_mb->manager, key, &ipsec_mb->gcm, data, data, length, nonce, NULL, 0, data + length,
					   AEAD_TAG);
}

static int aes_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
					const uint8_t *in, size_t length)
{
	struct ipsec_mb *ipsec_mb = aead->ipsec_mb;
	uint8_t nonce[16], tag[AEAD_TAG];

	put_nonce(nonce, htobe64(counter));
	IMB_AES256_GCM_DEC(ipsec_mb->manager, key, &ipsec_mb->gcm, out, in, length, nonce, NULL, 0, tag, AEAD_TAG);
	return crypto_verify_16(tag, in + length) ? -EBADMSG : 0;
}

const struct aead_cipher aead_ipsec_mb_aes256gcm = {
	.library = "ipsec-mb",
	.suite = SUITE_AES256GCM,
	.key_size = sizeof(struct gcm_key_data),
	.key_set = aes_key_set,
	.seal = aes_seal,
	.open = aes_open,
	.in_place = true,
};

/* --- the manager --- */

int ipsec_mb_create(struct ipsec_mb **created)
{
	struct ipsec_mb *ipsec_mb = calloc(1, sizeof *ipsec_mb);
	void *memory;

	if (!ipsec_mb)
		return -ENOMEM;
	ipsec_mb->size = (imb_get_mb_mgr_size() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	memory = aligned_alloc(ALIGNMENT, ipsec_mb->size);
	if (!memory) {
		free(ipsec_mb);
		return -ENOMEM;
	}
	ipsec_mb->manager = imb_set_pointers_mb_mgr(memory, 0, 1);
	init_mb_mgr_auto(ipsec_mb->manager, NULL);
	/* Among others: its own self test failed. */
	if (imb_get_errno(ipsec_mb->manager)) {
		ipsec_mb_destroy(ipsec_mb);
		return -ENOTSUP;
	}
	*created = ipsec_mb;
	return 0;
}

void ipsec_mb_destroy(struct ipsec_mb *ipsec_mb)
{
	if (!ipsec_mb)
		return;
	sodium_memzero(ipsec_mb->manager, ipsec_mb->size);
	free(ipsec_mb->manager);
	sodium_memzero(ipsec_mb, sizeof *ipsec_mb);
	free(ipsec_mb);
}

#else

int ipsec_mb_create(struct ipsec_mb **created)
{
	return -ENOTSUP;
}

void ipsec_mb_destroy(struct ipsec_mb *ipsec_mb)
{
}

#endif
