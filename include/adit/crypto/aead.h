/* SPDX-License-Identifier: MIT */
/*
 * The AEAD of transport data, behind tables of functions: one table a suite and library. There is no associated data,
 * and the nonce is 32 zero bits and the 64-bit counter (WireGuard paper, section 5.4.6): little endian for
 * ChaCha20-Poly1305 (RFC 8439), big endian for AES-256-GCM (NIST SP 800-38D; Noise, revision 34, section 12).
 *
 * A cipher may scribble: while it works it may write AEAD_HEADROOM bytes in front of the data and AEAD_TAILROOM bytes
 * behind it (the tag is the first 16 of these). What was in front is restored by seal and not by open; what was behind
 * is lost. So slots are sealed in ascending order, and opened packets have a gap between them. No key is left in these
 * bytes. All here expects that sodium_init() has been called.
 *
 * Datagrams are sealed and opened one by one. The job interface of IPsec-MB 1.3 would take many at once, but works them
 * off one after another: a burst of 45 was measured to be no faster than 45 calls, for either suite and any size.
 */
#ifndef ADIT_CRYPTO_AEAD_H
#define ADIT_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/suite.h"

enum {
	AEAD_KEY = 32,
	AEAD_TAG = 16,
	AEAD_HEADROOM = 64,
	AEAD_TAILROOM = 512,
};

struct aead_provider;

/* One suite as one library does it. Constant, as are all keys: only what hangs off the provider changes. */
struct aead_cipher {
	const char *library; /* as `CryptoProvider =` says it */
	enum suite suite;
	size_t key_size; /* bytes of a prepared key, which the caller allocates (64-byte aligned) and wipes */
	void (*key_set)(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY]);

	/* Seals data[0..length) in place; the tag goes to data + length. */
	void (*seal)(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length);

	/*
	 * Opens `length` bytes and the tag behind them from `in` to `out`. `in` is not written, but AEAD_HEADROOM bytes in
	 * front of it and AEAD_TAILROOM bytes behind are read, so they must be mapped. `in` and `out` do not overlap, or,
	 * where `in_place` says so, are the same. 0, or -EBADMSG, and then what was written to `out` must not be used.
	 */
	int (*open)(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out, const uint8_t *in,
				size_t length);
	bool in_place; /* open can be given out == in; it writes the packet's own bytes then, and none around them */
};

/*
 * What seals and opens for one thread: the cipher chosen for each suite, and what these keep between calls. A key that
 * one provider prepared serves with all that have the same ciphers (aead_init_like).
 */
struct aead_provider {
	const char *name;                         /* of the library that does ChaCha20-Poly1305 */
	const struct aead_cipher *cipher[SUITES]; /* NULL: not to be had on this machine (suite_available) */
	struct ipsec_mb *ipsec_mb;                /* scratch of that library; NULL: none of the ciphers needs it */
};

/*
 * Makes the provider `name`: a library, or "auto": for each suite the library that is right (by known answers, against
 * libsodium's one-shot functions) and fastest here and now. To find that out takes less than a millisecond, and
 * IPsec-MB some more for a self test of its own. All suites that suite_available says are there. 0; -EINVAL: no such
 * name; -ENOTSUP: this build lacks it, this machine cannot run it, or it gave a wrong answer; -ENOMEM.
 */
int aead_init(struct aead_provider *aead, const char *name);
/* The same for another thread: the ciphers of `model`, with scratch of its own. 0, -ENOTSUP or -ENOMEM. */
int aead_init_like(struct aead_provider *aead, const struct aead_provider *model);
/* Wipes and frees what the ciphers kept; takes a zeroed struct. */
void aead_destroy(struct aead_provider *aead);

/* True for "auto" and the name of a library that adit can be built with. */
bool aead_known(const char *name);
/* True when this build has it, too; whether the machine can run it, aead_init says. */
bool aead_built_in(const char *name);
/* The names that are known, for messages: "auto, libsodium, ipsec-mb". */
const char *aead_names(void);

/* libsodium for all suites. It keeps nothing, so this one serves all threads and needs no init. */
extern const struct aead_provider aead_libsodium;

#endif
