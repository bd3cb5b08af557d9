/* SPDX-License-Identifier: MIT */
/* The ciphers of this build, and the functions that aead.c needs to choose among them. */
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
extern const struct aead_provider aead_null; /* encrypts nothing; "auto" never chooses it */
#endif

/*
 * Allocates scratch memory for IPsec-MB, about 200 KiB, for one thread. Returns 0; -ENOTSUP if the library is not in
 * this build or cannot run on this machine; or -ENOMEM.
 */
int ipsec_mb_create(struct ipsec_mb **created);
/* Wipes and frees the scratch memory. Accepts NULL. */
void ipsec_mb_destroy(struct ipsec_mb *ipsec_mb);

/* Returns true if the cipher agrees with libsodium's one-shot functions and rejects forgeries. */
bool aead_trial_passed(const struct aead_provider *aead, const struct aead_cipher *cipher);
/* Returns the time to seal a full and a small datagram, in ns: the minimum of several rounds. UINT64_MAX on failure. */
uint64_t aead_trial_time(const struct aead_provider *aead, const struct aead_cipher *cipher);

#endif
