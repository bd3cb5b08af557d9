/* SPDX-License-Identifier: MIT */
/*
 * The handshake: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as in the WireGuard paper, section 5.4, or the same with AESGCM
 * in the place of ChaChaPoly, as the suite of the remote says. It knows keys and messages and no peer: struct
 * noise_remote is the part of a peer that belongs here, and consuming an initiation finds it by a callback. MACs and
 * cookies are not its business (cookie.h): mac1 and mac2 of the messages it makes are left zero.
 */
#ifndef ADIT_CRYPTO_NOISE_H
#define ADIT_CRYPTO_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/message.h"
#include "crypto/suite.h"

/* Our own static key. */
struct noise_identity {
	bool has_key;
	uint8_t private_key[NOISE_KEY], public_key[NOISE_KEY];
};

/* Sets the private key, clamped (RFC 7748, section 5), and its public key; NULL clears both. */
void noise_identity_set(struct noise_identity *local, const uint8_t *private_key);

enum noise_state {
	NOISE_IDLE,
	NOISE_INITIATION_SENT,
	NOISE_INITIATION_CONSUMED,
	NOISE_RESPONSE_SENT,
	NOISE_RESPONSE_CONSUMED,
};

/* One handshake under way; secret, wiped when it ends. */
struct noise_handshake {
	enum noise_state state;
	uint32_t local_index, remote_index;
	uint8_t hash[NOISE_HASH], chaining_key[NOISE_HASH];
	uint8_t ephemeral_private[NOISE_KEY], remote_ephemeral[NOISE_KEY];
};

/* The other end, as far as the handshake knows it. */
struct noise_remote {
	enum suite suite;
	uint8_t public_key[NOISE_KEY];
	uint8_t preshared_key[NOISE_KEY]; /* zeros: none */
	bool static_known;                /* static_static holds DH(our static, its static), done at first use */
	bool static_refused;              /* ... and it was zero: a low-order key, with which no handshake is made */
	uint8_t static_static[NOISE_KEY];
	bool timestamp_known; /* an initiation was accepted before */
	uint8_t timestamp[NOISE_TIMESTAMP];
	bool consumed_known;
	uint64_t consumed; /* ns, when that was: at most one each 20 ms */
	struct noise_handshake handshake;
};

/* Keys and indices of a finished handshake; secret, wiped by whoever asked for them. */
struct noise_keys {
	enum suite suite;
	uint8_t send[NOISE_KEY], receive[NOISE_KEY];
	uint32_t local_index, remote_index;
	bool initiator;
};

/*
 * A remote that was never heard of, under SUITE_CHACHA20POLY1305 and with no pre-shared key. Any public key is taken,
 * also one of low order.
 */
void noise_remote_init(struct noise_remote *remote, const uint8_t public_key[NOISE_KEY]);
/* Sets or (NULL) clears the pre-shared key. It counts from the next response made or consumed; sessions stay. */
void noise_remote_set_psk(struct noise_remote *remote, const uint8_t *psk);
/* Sets the suite, which must be available. Another than before ends the handshake under way; sessions stay. */
void noise_remote_set_suite(struct noise_remote *remote, enum suite suite);
/* Our own key changed: the cached DH and the handshake under way are void. */
void noise_remote_reset(struct noise_remote *remote);
/* Forgets the handshake under way, and nothing else: the timestamp stays, or old initiations could be replayed. */
void noise_handshake_clear(struct noise_remote *remote);
/* Wipes everything, the timestamp too. */
void noise_remote_destroy(struct noise_remote *remote);

/* The TAI64N stamp of `realtime` ns since the epoch, cut to multiples of 2^24 ns (it tells little of the clock). */
void noise_timestamp(uint8_t stamp[NOISE_TIMESTAMP], uint64_t realtime);

/*
 * Makes an initiation under `index` (section 5.4.2); a handshake under way is given up for it. 0; -ENOKEY without a
 * private key; -EKEYREJECTED when a DH gave zero. On an error nothing has changed, here and below.
 */
int noise_create_initiation(const struct noise_identity *local, struct noise_remote *remote, uint32_t index,
							const uint8_t timestamp[NOISE_TIMESTAMP], struct message_initiation *message);

/* The remote with that static key, or NULL. */
typedef struct noise_remote *noise_find(void *context, const uint8_t public_key[NOISE_KEY]);

/*
 * Consumes an initiation; on 0 *remote is who sent it and its handshake awaits noise_create_response (and, until then,
 * keeps the local_index of an initiation of ours that it replaces). -EBADMSG: not authentic; -ENOENT: an unknown peer;
 * -EPROTONOSUPPORT: *remote sent it, but under another suite than it is set to here; -EALREADY: a replay (its timestamp
 * is not newer); -EBUSY: less than 20 ms after the last; -ENOKEY, -EKEYREJECTED as above. `now` in ns of
 * CLOCK_BOOTTIME.
 */
int noise_consume_initiation(const struct noise_identity *local, const struct message_initiation *message,
							 noise_find *find, void *context, uint64_t now, struct noise_remote **remote);

/* Answers the initiation consumed last (section 5.4.3), under `index`. 0; -ENOENT: there is none; -EKEYREJECTED. */
int noise_create_response(struct noise_remote *remote, uint32_t index, struct message_response *message);

/*
 * Consumes the response to the initiation that we sent `remote` under the message's receiver index. 0; -ENOENT: we sent
 * none; -EBADMSG: not authentic, or another pre-shared key; -ENOKEY, -EKEYREJECTED as above.
 */
int noise_consume_response(const struct noise_identity *local, struct noise_remote *remote,
						   const struct message_response *message);

/*
 * After noise_create_response or noise_consume_response: derives the transport keys (section 5.4.5) and wipes the
 * handshake. 0, or -ENOENT when there is nothing to derive from.
 */
int noise_derive(struct noise_remote *remote, struct noise_keys *keys);

#endif
