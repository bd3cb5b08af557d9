/* SPDX-License-Identifier: MIT */
/* The ciphers there are, and what choosing among them takes. */
#ifndef ADIT_CRYPTO_AEAD_CIPHER_H
#define ADIT_CRYPTO_AEAD_CIPHER_H

#include "crypto/aead.h"

extern const struct aead_cipher aead_libsodium_chacha20poly1305;
extern const struct aead_cipher aead_libsodium_aes256gcm;

#ifdef ADIT_IPSEC_MB
extern const struct aead_cipher aead_ipsec_mb_chacha20poly1305;
extern const struct aead_cipher aead_ipsec_mb_aes256gcm;
#endif

#ifdef ADIT_NULL_CIPHER
extern const struct aead_provider aead_null; /* seals nothing; "auto" never takes it */
#endif

/* Scratch of IPsec-MB for one thread: 200 KiB. 0; -ENOTSUP: not on this machine, or not in this build; -ENOMEM. */
int ipsec_mb_create(struct ipsec_mb **created);
/* Wipes and frees; NULL is allowed. */
void ipsec_mb_destroy(struct ipsec_mb *ipsec_mb);

/* True when the cipher seals and opens as libsodium's one-shot functions do, and refuses a forgery. */
bool aead_trial_passed(const struct aead_provider *aead, const struct aead_cipher *cipher);
/* The nanoseconds it takes to seal a full datagram and a small one: the least of several tries. */
uint64_t aead_trial_time(const struct aead_provider *aead, const struct aead_cipher *cipher);

#endif
