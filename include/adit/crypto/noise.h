/* SPDX-License-Identifier: MIT */
/*
 * The handshake: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as in the WireGuard paper, section 5.4, or the same with AESGCM
 * instead of ChaChaPoly, depending on the remote's suite.
 *
 * This module sees keys and messages, but no peers: struct noise_remote is the part of a peer that the handshake needs,
 * and a callback looks it up when an initiation arrives. MACs and cookies belong to cookie.h; the messages created here
 * have zero MACs.
 */
#ifndef ADIT_CRYPTO_NOISE_H
#define ADIT_CRYPTO_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/message.h"
#include "crypto/suite.h"

/* Our own static key pair. */
struct noise_identity {
	bool has_key;
	uint8_t private_key[NOISE_KEY], public_key[NOISE_KEY];
};

/* Sets the private key, clamped (RFC 7748, section 5), and derives the public key. NULL clears both. */
void noise_identity_set(struct noise_identity *local, const uint8_t *private_key);

enum noise_state {
	NOISE_IDLE,
	NOISE_INITIATION_SENT,
	NOISE_INITIATION_CONSUMED,
	NOISE_RESPONSE_SENT,
	NOISE_RESPONSE_CONSUMED,
};

/* A handshake in progress. Secret; wiped when it ends. */
struct noise_handshake {
	enum noise_state state;
	uint32_t local_index, remote_index;
	uint8_t hash[NOISE_HASH], chaining_key[NOISE_HASH];
	uint8_t ephemeral_private[NOISE_KEY], remote_ephemeral[NOISE_KEY];
};

/* The handshake's view of a peer. */
struct noise_remote {
	enum suite suite;
	uint8_t public_key[NOISE_KEY];
	uint8_t preshared_key[NOISE_KEY];   /* zero: none */
	bool static_known;                  /* static_static or static_rejected is valid; both are computed at first use */
	bool static_rejected;               /* the DH gave zero: its key has low order, so every handshake fails */
	uint8_t static_static[NOISE_KEY];   /* DH(our static key, its static key) */
	bool timestamp_known;               /* `timestamp` is valid */
	uint8_t timestamp[NOISE_TIMESTAMP]; /* of the last initiation accepted */
	uint64_t seconds_late;              /* how much older the last one rejected with -ESTALE was */
	bool consumed_known;                /* `consumed` is valid */
	uint64_t consumed;                  /* when the last initiation was accepted; at most one per 20 ms is */
	struct noise_handshake handshake;
};

/* The result of a handshake: transport keys and indices. Secret; the caller wipes it. */
struct noise_keys {
	enum suite suite;
	uint8_t send[NOISE_KEY], receive[NOISE_KEY];
	uint32_t local_index, remote_index;
	bool initiator;
};

/*
 * Initializes a remote with SUITE_CHACHA20POLY1305 and without a pre-shared key. Accepts any public key, even one of
 * low order.
 */
void noise_remote_init(struct noise_remote *remote, const uint8_t public_key[NOISE_KEY]);
/* Sets or, if NULL, clears the pre-shared key. Takes effect with the next response; sessions are kept. */
void noise_remote_set_psk(struct noise_remote *remote, const uint8_t *psk);
/* Sets the suite, which must be available. A change aborts the handshake in progress; sessions are kept. */
void noise_remote_set_suite(struct noise_remote *remote, enum suite suite);
/* Drops all state that depends on our own key, after a change of that key: the cached DH and the handshake. */
void noise_remote_reset(struct noise_remote *remote);
/* Aborts the handshake in progress. Keeps the timestamp, without which old initiations could be replayed. */
void noise_handshake_clear(struct noise_remote *remote);
/* Wipes everything, including the timestamp. */
void noise_remote_destroy(struct noise_remote *remote);

/*
 * Writes the TAI64N timestamp of `realtime`, in ns since the Unix epoch. It is rounded down to multiples of 2^24 ns,
 * which hides the exact clock.
 */
void noise_timestamp(uint8_t stamp[NOISE_TIMESTAMP], uint64_t realtime);

/*
 * Creates an initiation with sender index `index` (section 5.4.2). A handshake in progress is aborted. Returns 0;
 * -ENOKEY without a private key; -EKEYREJECTED if a DH gave zero. After an error, here and below, nothing has changed.
 */
int noise_create_initiation(const struct noise_identity *local, struct noise_remote *remote, uint32_t index,
							const uint8_t timestamp[NOISE_TIMESTAMP], struct message_initiation *message);

/* Returns the remote that has this static key, or NULL. */
typedef struct noise_remote *noise_find(void *context, const uint8_t public_key[NOISE_KEY]);

/*
 * Consumes an initiation. `now` is in ns of CLOCK_BOOTTIME. Returns 0 and sets *remote to the sender, which is then
 * ready for noise_create_response. Until that call, its local_index is still that of our own initiation, if the message
 * replaced one.
 *
 * Errors: -EBADMSG: not authentic. -ENOENT: unknown static key. -ENOKEY and -EKEYREJECTED as above. *remote is then
 * NULL. The other errors concern an authentic message of *remote. -EPROTONOSUPPORT: it was made with another suite than
 * the one configured here. -EALREADY: its timestamp is that of the last initiation accepted. -ESTALE: its timestamp is
 * older, so it is a replay, or the sender's clock was set back. -EBUSY: it came less than 20 ms after the last one.
 */
int noise_consume_initiation(const struct noise_identity *local, const struct message_initiation *message,
							 noise_find *find, void *context, uint64_t now, struct noise_remote **remote);

/*
 * Creates the response to the initiation that was consumed last, with sender index `index` (section 5.4.3). Returns 0;
 * -ENOENT if there is no such initiation; or -EKEYREJECTED.
 */
int noise_create_response(struct noise_remote *remote, uint32_t index, struct message_response *message);

/*
 * Consumes a response from `remote` to our initiation. Returns 0; -ENOENT if the receiver index is not that of an
 * initiation in progress; -EBADMSG if the message is not authentic or the pre-shared keys differ; -ENOKEY or
 * -EKEYREJECTED as above.
 */
int noise_consume_response(const struct noise_identity *local, struct noise_remote *remote,
						   const struct message_response *message);

/*
 * Derives the transport keys (section 5.4.5) after noise_create_response or noise_consume_response, and wipes the
 * handshake. Returns 0, or -ENOENT if the handshake is not complete.
 */
int noise_derive(struct noise_remote *remote, struct noise_keys *keys);

#endif
