/* SPDX-License-Identifier: MIT */
/*
 * Both suites by IPsec-MB, which selects code for SSE, AVX, AVX2 or AVX-512 at run time.
 *
 * The library offers direct calls and jobs. Each suite uses the faster one (AMD EPYC 9005, ns for 64 and 1420 bytes):
 *
 *     ChaCha20-Poly1305   three direct calls  310  556    a job  175  404
 *     AES-256-GCM         one direct call      28   98    a job   32  101
 *
 * A ChaCha20-Poly1305 job is faster because it computes the Poly1305 key together with the first blocks of the data.
 *
 * A nonce is written with a single 16-byte store. The library reads it with a single load, and a load that spans two
 * stores would stall until both have left the store buffer, which costs 20 ns per datagram.
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
	size_t size; /* bytes at `manager` */
	struct gcm_context_data gcm;
};

/* 32 zero bits, the counter, and 32 unused bits. */
static void ipsec_mb_put_nonce(uint8_t nonce[16], uint64_t counter)
{
	_mm_storeu_si128((__m128i *)(void *)nonce, _mm_set_epi64x((int64_t)(counter >> 32), (int64_t)(counter << 32)));
}

/* --- ChaCha20-Poly1305 ----- */

static void ipsec_mb_chacha_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	memcpy(key, secret, AEAD_KEY);
}

/*
 * Runs one job. Returns false if it failed. The library never queues jobs of this kind: submitting a job completes and
 * returns it.
 */
static bool ipsec_mb_chacha_job(struct ipsec_mb *ipsec_mb, IMB_CIPHER_DIRECTION direction, const void *key,
								uint64_t counter, uint8_t *out, const uint8_t *in, size_t length, uint8_t *tag)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(ipsec_mb->manager);
	uint8_t nonce[16];

	ipsec_mb_put_nonce(nonce, counter);
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

static void ipsec_mb_chacha_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
								 size_t length)
{
	/* A failed job leaves plain text in the slot, so clear the slot: this must never be sent. */
	if (!ipsec_mb_chacha_job(aead->ipsec_mb, IMB_DIR_ENCRYPT, key, counter, data, data, length, data + length))
		memset(data, 0, length + AEAD_TAG);
}

static int ipsec_mb_chacha_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
								const uint8_t *in, size_t length)
{
	uint8_t tag[AEAD_TAG];

	if (!ipsec_mb_chacha_job(aead->ipsec_mb, IMB_DIR_DECRYPT, key, counter, out, in, length, tag))
		return -EBADMSG;
	return crypto_verify_16(tag, in + length) ? -EBADMSG : 0;
}

const struct aead_cipher aead_ipsec_mb_chacha20poly1305 = {
	.library = "ipsec-mb",
	.suite = SUITE_CHACHA20POLY1305,
	.key_size = AEAD_KEY,
	.key_set = ipsec_mb_chacha_key_set,
	.seal = ipsec_mb_chacha_seal,
	.open = ipsec_mb_chacha_open,
	.in_place = true,
};

/* --- AES-256-GCM ----- */

static void ipsec_mb_aes_key_set(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY])
{
	IMB_AES256_GCM_PRE(aead->ipsec_mb->manager, secret, key);
}

static void ipsec_mb_aes_seal(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data,
							  size_t length)
{
	struct ipsec_mb *ipsec_mb = aead->ipsec_mb;
	uint8_t nonce[16];

	ipsec_mb_put_nonce(nonce, htobe64(counter));
	IMB_AES256_GCM_ENC(ipsec_mb->manager, key, &ipsec_mb->gcm, data, data, length, nonce, NULL, 0, data + length,
					   AEAD_TAG);
}

static int ipsec_mb_aes_open(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out,
							 const uint8_t *in, size_t length)
{
	struct ipsec_mb *ipsec_mb = aead->ipsec_mb;
	uint8_t nonce[16], tag[AEAD_TAG];

	ipsec_mb_put_nonce(nonce, htobe64(counter));
	IMB_AES256_GCM_DEC(ipsec_mb->manager, key, &ipsec_mb->gcm, out, in, length, nonce, NULL, 0, tag, AEAD_TAG);
	return crypto_verify_16(tag, in + length) ? -EBADMSG : 0;
}

const struct aead_cipher aead_ipsec_mb_aes256gcm = {
	.library = "ipsec-mb",
	.suite = SUITE_AES256GCM,
	.key_size = sizeof(struct gcm_key_data),
	.key_set = ipsec_mb_aes_key_set,
	.seal = ipsec_mb_aes_seal,
	.open = ipsec_mb_aes_open,
	.in_place = true,
};

/* --- the manager ----- */

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
	/* Errors include a failed self test of the library. */
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

#else /* !ADIT_IPSEC_MB */

int ipsec_mb_create(struct ipsec_mb **created)
{
	return -ENOTSUP;
}

void ipsec_mb_destroy(struct ipsec_mb *ipsec_mb)
{
}

#endif
