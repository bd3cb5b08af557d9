/* SPDX-License-Identifier: MIT */
/*
 * Cipher suites: the AEAD that a peer's handshake and its transport data are sealed with. Both ends must say the same,
 * for the suite is part of the name of the Noise protocol, which goes into the first hash.
 */
#ifndef ADIT_CRYPTO_SUITE_H
#define ADIT_CRYPTO_SUITE_H

#include <stdbool.h>

/* Zero is WireGuard. */
enum suite { SUITE_CHACHA20POLY1305, SUITE_AES256GCM, SUITES };

/* As `Cipher =` says it. */
const char *suite_name(enum suite suite);
/* The suite by that name; false when there is none. */
bool suite_find(enum suite *suite, const char *name);
/* The names that suite_find takes, for messages: "chacha20poly1305, aes256gcm". */
const char *suite_names(void);

/*
 * True when this machine can do the suite. AES needs instructions of the processor: tables in memory would be slow, and
 * tell the key to who can time them. Expects that sodium_init() has been called.
 */
bool suite_available(enum suite suite);

#endif
