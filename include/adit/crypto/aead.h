/* SPDX-License-Identifier: MIT */
/*
 * The AEAD of transport data: one table of functions per suite and library.
 *
 * There is no associated data. The nonce is 32 zero bits and the 64-bit counter (WireGuard paper, section 5.4.6):
 * little endian for ChaCha20-Poly1305 (RFC 8439), big endian for AES-256-GCM (NIST SP 800-38D; Noise, revision 34,
 * section 12).
 *
 * A cipher may use the memory around the data as scratch space: AEAD_HEADROOM bytes in front of the data and
 * AEAD_TAILROOM bytes after it. The tag is in the first AEAD_TAG bytes of the tailroom. seal restores the headroom,
 * open does not. Neither restores the tailroom. So slots are sealed in ascending order, and opened packets have a gap
 * between them. No key remains in the scratch space.
 *
 * Call sodium_init() before anything in this header.
 *
 * Datagrams are sealed and opened one at a time. The job interface of IPsec-MB 1.3 accepts many at once but processes
 * them one after another: a burst of 45 measured no faster than 45 calls, for either suite and any size.
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

/* One suite as implemented by one library. Constant, and so are prepared keys: scratch memory is the provider's. */
struct aead_cipher {
	const char *library; /* its name for `CryptoProvider =` */
	enum suite suite;
	size_t key_size; /* bytes of a prepared key, which the caller allocates (64-byte aligned) and wipes */
	void (*key_set)(const struct aead_provider *aead, void *key, const uint8_t secret[AEAD_KEY]);

	/* Seals data[0..length) in place and writes the tag to data + length. */
	void (*seal)(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *data, size_t length);

	/*
	 * Opens `length` bytes and the tag that follows them from `in` to `out`. Reads up to AEAD_HEADROOM bytes in front
	 * of `in` and AEAD_TAILROOM bytes after it, so these must be mapped. `in` and `out` must not overlap, except that
	 * they may be equal if `in_place` is set. Returns 0, or -EBADMSG if the tag is wrong; the bytes at `out` must then
	 * not be used.
	 */
	int (*open)(const struct aead_provider *aead, const void *key, uint64_t counter, uint8_t *out, const uint8_t *in,
				size_t length);
	bool in_place; /* open accepts out == in, and then writes nothing outside the packet */
};

/*
 * The ciphers that one thread uses, one per suite, and their scratch memory. A key prepared through one provider works
 * with every provider that has the same ciphers (aead_init_like).
 */
struct aead_provider {
	const char *name;                         /* the library that does ChaCha20-Poly1305 */
	const struct aead_cipher *cipher[SUITES]; /* NULL: unavailable on this machine (suite_available) */
	struct ipsec_mb *ipsec_mb;                /* scratch memory of IPsec-MB; NULL if no cipher uses it */
};

/*
 * Initializes the provider `name`: a library, or "auto" for the fastest correct library per suite. Correct means that
 * known answers match libsodium's one-shot functions. Speed is measured on the spot, which takes less than a
 * millisecond; IPsec-MB's own self test takes some more. On success every suite has a cipher for which suite_available
 * returns true. Returns 0; -EINVAL if the name is unknown; -ENOTSUP if the library is not in this build, cannot run on
 * this machine or gave a wrong answer; or -ENOMEM.
 */
int aead_init(struct aead_provider *aead, const char *name);
/*
 * Initializes a provider for another thread: the ciphers of `model`, with scratch memory of its own. Returns 0,
 * -ENOTSUP or -ENOMEM.
 */
int aead_init_like(struct aead_provider *aead, const struct aead_provider *model);
/* Wipes and frees the scratch memory. Accepts a zeroed struct. */
void aead_destroy(struct aead_provider *aead);

/* Returns true for "auto" and for every library that some build of adit supports. */
bool aead_known(const char *name);
/* Returns true if this build supports the library too. Only aead_init can find out whether it runs on this machine. */
bool aead_built_in(const char *name);
/* The known names, for messages. */
#define AEAD_NAMES "auto, libsodium, ipsec-mb"

/*
 * libsodium for all suites, even for those that this machine does not support. It has no scratch memory, so it needs no
 * init, and all threads may share it.
 */
extern const struct aead_provider aead_libsodium;

#endif
