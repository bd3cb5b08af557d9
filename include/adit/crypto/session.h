/* SPDX-License-Identifier: MIT */
/*
 * A session (keypair): the keys that one handshake gave, for REJECT_AFTER_TIME. Immutable once made, but for the send
 * counter and the replay window; and the three places a peer keeps sessions in: previous, current and next (WireGuard
 * paper, section 6.1 and its implementation note on key confirmation).
 */
#ifndef ADIT_CRYPTO_SESSION_H
#define ADIT_CRYPTO_SESSION_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/message.h"
#include "crypto/noise.h"
#include "crypto/replay.h"

enum { SESSION_LINE = 64 }; /* bytes of a cache line */

/* What never changes, what senders write and what receivers write: each on cache lines of its own. */
struct session {
	const struct aead_provider *aead; /* of the thread that made it */
	const struct aead_cipher *cipher;
	void *send_key, *receive_key; /* prepared keys, in the session's own memory */
	uint32_t local_index, remote_index;
	uint64_t created;       /* ns of CLOCK_BOOTTIME */
	void *owner;            /* the caller's own: the peer */
	bool initiator;         /* we began the handshake */
	_Atomic bool confirmed; /* a packet came under it while it was next */
	alignas(SESSION_LINE) _Atomic uint64_t send_counter;
	alignas(SESSION_LINE) pthread_mutex_t replay_lock; /* two workers meet here after roaming */
	struct replay replay;
};

/*
 * A session made of `keys`, which the caller wipes. Allocated; NULL without memory, or when `aead`, which must outlive
 * it, has no cipher for the suite.
 */
struct session *session_create(const struct aead_provider *aead, const struct noise_keys *keys, uint64_t now);
/* Wipes and frees; NULL is allowed. */
void session_destroy(struct session *session);

/*
 * Reserves up to `wanted` consecutive nonces by compare-exchange and returns how many, beginning at *first: never past
 * REJECT_AFTER_MESSAGES; 0 when none is left.
 */
uint32_t session_reserve(struct session *session, uint32_t wanted, uint64_t *first);

/* True when the session is too old to seal or open at `now`. */
bool session_expired(const struct session *session, uint64_t now);

/*
 * True when a packet sent now ought to bring on a new handshake: by age only for the initiator, by count for either,
 * which is REKEY_AFTER_MESSAGES or, under AES-GCM, REKEY_AFTER_MESSAGES_AES.
 */
bool session_rekey_on_send(const struct session *session, uint64_t now);
/* True when a packet received now ought to: the initiator's, REKEY_TIMEOUT + KEEPALIVE_TIMEOUT before it expires. */
bool session_rekey_on_receive(const struct session *session, uint64_t now);

/*
 * Writes header and tag around the packet at slot + DATA_HEADER: `length` bytes, padding included. `aead` is the
 * calling thread's, with the same ciphers as the one that made the session.
 */
void session_seal_by(const struct session *session, const struct aead_provider *aead, uint64_t counter, uint8_t *slot,
					 size_t length);

/*
 * Opens the datagram (header, packet, tag: `n` bytes, at least DATA_OVERHEAD) to `out` and passes it through the replay
 * window. The packet's length is n - DATA_OVERHEAD; where the cipher works in place, `out` may be the sealed packet,
 * datagram + DATA_HEADER. 0, -EBADMSG (forged) or -EALREADY (authentic, but seen before, too
 * old, or past REJECT_AFTER_MESSAGES). `aead` as above.
 */
int session_open_by(struct session *session, const struct aead_provider *aead, uint8_t *out, const uint8_t *datagram,
					size_t n);

/* The same in the thread that made the session. */
static inline void session_seal(const struct session *session, uint64_t counter, uint8_t *slot, size_t length)
{
	session_seal_by(session, session->aead, counter, slot, length);
}

static inline int session_open(struct session *session, uint8_t *out, const uint8_t *datagram, size_t n)
{
	return session_open_by(session, session->aead, out, datagram, n);
}

/* The sessions of one peer. Zeroed memory has none. */
struct session_slots {
	struct session *current, *previous, *next;
};

/*
 * Puts a new session in its place: the initiator's is current at once; the responder's is next until the first packet
 * under it. What falls out is handed to `retire` (unhook it, then session_destroy).
 */
void session_install(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context);

/* A packet came under `session`: if it was next it becomes current. True when that happened: the key is confirmed. */
bool session_confirm(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context);

#endif
