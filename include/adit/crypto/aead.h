/*
 * The AEAD of transport data, behind a table of functions: RFC 8439 ChaCha20-Poly1305 with a nonce of 32 zero bits and
 * the 64-bit counter, little endian, and no associated data (WireGuard paper, section 5.4.6).
 *
 * A provider may scribble: while it works it may write AEAD_BEFORE bytes in front of the data and AEAD_BEHIND bytes
 * behind it (the tag is the first 16 of these). What was in front is restored by seal and not by open; what was behind
 * is lost. So slots are sealed in ascending order, and opened packets have a gap between them. No key is left in these
 * bytes. Providers expect that sodium_init() has been called.
 */
#ifndef ADIT_AEAD_H
#define ADIT_AEAD_H

#include <stddef.h>
#include <stdint.h>

enum {
	AEAD_KEY = 32,
	AEAD_TAG = 16,
	AEAD_BEFORE = 64,
	AEAD_BEHIND = 512,
};

struct aead_provider {
	const char *name; /* as `Aead =` says it */
	size_t key_size;  /* bytes of a prepared key, which the caller allocates (64-byte aligned) and wipes */
	void (*key_set)(void *key, const uint8_t secret[AEAD_KEY]);

	/* Seals data[0..length) in place; the tag goes to data + length. */
	void (*seal)(const void *key, uint64_t counter, uint8_t *data, size_t length);

	/*
	 * Opens `length` bytes and the tag behind them from `in` to `out`. `in` is not written, but AEAD_BEFORE bytes in
	 * front of it and AEAD_BEHIND bytes behind are read, so they must be mapped. `in` and `out` do not overlap. 0, or
	 * -EBADMSG, and then what was written to `out` must not be used.
	 */
	int (*open)(const void *key, uint64_t counter, uint8_t *out, const uint8_t *in, size_t length);
};

/* The provider by that name ("auto": the best here), or NULL. The table is constant. */
const struct aead_provider *aead_find(const char *name);

/* The names that aead_find takes, for messages: "auto, libsodium". */
const char *aead_names(void);

extern const struct aead_provider aead_libsodium;

#endif
