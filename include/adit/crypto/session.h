/* SPDX-License-Identifier: MIT */
/*
 * Sessions (the paper's keypairs). A session holds the keys of one handshake for REJECT_AFTER_TIME. Apart from the send
 * counter, the replay window and `confirmed`, it does not change after the caller has set `owner`.
 *
 * A peer has three slots for sessions: previous, current and next (WireGuard paper, section 6.1, and the implementation
 * note on key confirmation).
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

/* The constant part, the part that senders write and the part that receivers write are on separate cache lines. */
struct session {
	const struct aead_provider *aead; /* of the thread that created the session */
	const struct aead_cipher *cipher;
	void *send_key, *receive_key; /* prepared keys, in the same allocation as the session */
	uint32_t local_index, remote_index;
	uint64_t created;       /* ns of CLOCK_BOOTTIME */
	void *owner;            /* for the caller; the tunnel stores its index entry (struct peer_index), not the peer */
	bool initiator;         /* we sent the initiation */
	_Atomic bool confirmed; /* for the caller: a packet was opened under it while it was next */
	alignas(SESSION_LINE) _Atomic uint64_t send_counter;
	alignas(SESSION_LINE) pthread_mutex_t replay_lock; /* after the remote has roamed, two workers may receive */
	struct replay replay;
};

/*
 * Allocates a session with a copy of `keys`, which the caller wipes. `aead` must outlive the session. Returns NULL if
 * there is no memory or `aead` has no cipher for the suite.
 */
struct session *session_create(const struct aead_provider *aead, const struct noise_keys *keys, uint64_t now);
/* Wipes and frees the session. Accepts NULL. */
void session_destroy(struct session *session);

/*
 * Reserves up to `wanted` consecutive counters, starting at *first, and returns the number reserved. Never goes past
 * REJECT_AFTER_MESSAGES; returns 0 when no counter is left. Lock-free; any thread may call it.
 */
uint32_t session_reserve(struct session *session, uint32_t wanted, uint64_t *first);

/* Returns true if the session is too old to seal or open packets at `now`. */
bool session_expired(const struct session *session, uint64_t now);

/*
 * Returns true if a packet sent at `now` should start a new handshake: because of its age, if we are the initiator, or
 * because of its counter, which may reach REKEY_AFTER_MESSAGES (with AES-GCM: REKEY_AFTER_MESSAGES_AES).
 */
bool session_rekey_on_send(const struct session *session, uint64_t now);
/*
 * Returns true if a packet received at `now` should start a new handshake: if we are the initiator and the session
 * expires within REKEY_TIMEOUT + KEEPALIVE_TIMEOUT.
 */
bool session_rekey_on_receive(const struct session *session, uint64_t now);

/*
 * Seals the packet of `length` bytes, padding included, at slot + DATA_HEADER: writes the header in front of it and the
 * tag after it. `aead` is the calling thread's provider and must have the same ciphers as the session's.
 */
void session_seal_by(const struct session *session, const struct aead_provider *aead, uint64_t counter, uint8_t *slot,
					 size_t length);

/*
 * Opens a datagram of `n` bytes (header, packet, tag; at least DATA_OVERHEAD) and checks its counter against the replay
 * window. Writes the packet of n - DATA_OVERHEAD bytes to `out`, which may be datagram + DATA_HEADER if the cipher
 * works in place. `aead` is as above, and `now` the time for the window. Returns 0; -EBADMSG if the datagram is forged;
 * -EALREADY if it is authentic, but was received before, is too old, or is past REJECT_AFTER_MESSAGES.
 */
int session_open_by(struct session *session, const struct aead_provider *aead, uint8_t *out, const uint8_t *datagram,
					size_t n, uint64_t now);

/* Adds the counts of the replay window to *sum, see replay_count. Takes the lock of the window. */
void session_count(struct session *session, uint64_t now, struct replay_counts *sum);
/* Returns the result of replay_began_in_order. Likewise. */
bool session_began_in_order(struct session *session);

/* session_seal_by and session_open_by for the thread that created the session. */
static inline void session_seal(const struct session *session, uint64_t counter, uint8_t *slot, size_t length)
{
	session_seal_by(session, session->aead, counter, slot, length);
}

static inline int session_open(struct session *session, uint8_t *out, const uint8_t *datagram, size_t n, uint64_t now)
{
	return session_open_by(session, session->aead, out, datagram, n, now);
}

/* The sessions of one peer. Zeroed memory holds none. */
struct session_slots {
	struct session *current, *previous, *next;
};

/*
 * Puts a new session into its slot. An initiator's session becomes current at once; a responder's is next until its
 * first packet arrives. `retire` is called for each session that no longer has a slot; it must remove all other
 * references and call session_destroy.
 */
void session_install(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context);

/*
 * Records that a packet arrived under `session`. If the session was next, it becomes current and the function returns
 * true: the key is confirmed. Otherwise nothing changes.
 */
bool session_confirm(struct session_slots *slots, struct session *session,
					 void (*retire)(void *context, struct session *session), void *context);

#endif
