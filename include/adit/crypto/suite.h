/* SPDX-License-Identifier: MIT */
/*
 * Cipher suites: the AEAD that seals a peer's handshake and its transport data. Both ends must configure the same
 * suite, because its name is part of the Noise protocol name, which is the first input of the handshake's hash.
 */
#ifndef ADIT_CRYPTO_SUITE_H
#define ADIT_CRYPTO_SUITE_H

#include <stdbool.h>

/* Zero is WireGuard's suite. */
enum suite { SUITE_CHACHA20POLY1305, SUITE_AES256GCM, SUITES };

/* Returns the suite's name in the configuration (`Cipher =`). */
const char *suite_name(enum suite suite);
/* Finds the suite called `name`. Returns false if there is none. */
bool suite_find(enum suite *suite, const char *name);
/* All names, for messages. */
#define SUITE_NAMES "chacha20poly1305, aes256gcm"

/*
 * Returns true if this machine supports the suite. AES requires processor instructions: an implementation with lookup
 * tables would be slow and would leak the key through timing. Call sodium_init() first.
 */
bool suite_available(enum suite suite);

#endif
