/* SPDX-License-Identifier: MIT */
/*
 * A peer: who it is, where it is, its sessions, and what waits for it.
 *
 * Control alone changes it, under the lock of the device what workers read. What workers change is atomic or has a lock
 * of its own: byte counts, timers, staged packets, notices.
 */
#ifndef ADIT_TUNNEL_PEER_H
#define ADIT_TUNNEL_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/map.h"
#include "crypto/cookie.h"
#include "crypto/noise.h"
#include "crypto/session.h"
#include "io/udp.h"
#include "tunnel/allowedips.h"
#include "tunnel/staged.h"
#include "tunnel/timers.h"

struct device;

enum { PEER_TEXT = 40 };

/* A receiver index and what it stands for: a handshake under way, or the session that came of it. */
struct peer_index {
	struct map_node node;
	uint32_t index;
	struct peer *peer;
	struct session *session; /* NULL: the handshake */
};

/*
 * A peer that was heard from elsewhere is spoken to there at once, but it is control that changes its endpoint: until
 * then what the worker heard counts. The next move waits for control, for others may be reading this one.
 */
enum peer_move { PEER_STAYS, PEER_MOVES, PEER_MOVED };

/* In the order of use, not of meaning: what every run of datagrams touches comes first and lies close together. */
struct peer {
	struct device *device;
	struct session_slots sessions;
	_Atomic uint64_t tx_bytes, rx_bytes; /* whole UDP payloads, handshakes included */
	_Atomic uint64_t ungrouped_until;    /* the path refused a group of datagrams: send them apart until then */
	_Atomic unsigned noticed;            /* what control is to be told; see notice.h */
	uint16_t keepalive;                  /* persistent, in seconds; 0: off */
	bool local_unverified;               /* routes have changed since it was last asked whether the source holds */
	bool ready;                          /* stands in the device's list of peers whose staged packets can go */
	bool marked;                         /* a reload has not met it yet */
	bool handshake_sent_known;
	struct endpoint endpoint;  /* where it is, and from where we speak to it */
	struct endpoint last_from; /* as the last authentic message had it: tells whether anything changed */
	struct endpoint moved_to;  /* where a worker heard it last, while `move` says so */
	_Atomic unsigned move;     /* enum peer_move */
	struct staged_queue staged;
	struct peer *next_ready, *next_noticed;
	struct peer_timers timers;

	struct peer *previous, *next; /* in the order they were added */
	uint64_t serial;              /* larger than that of any peer before it in the list; 0 is nobody's */
	struct map_node by_key;
	struct allowedip_list allowed_ips;
	struct endpoint configured; /* as the configuration gave it last; the peer may have moved since */

	struct noise_remote remote;
	struct cookie_jar cookies;
	struct peer_index *handshake_index;
	uint64_t handshake_sent;      /* the last initiation or response, ns of CLOCK_BOOTTIME */
	uint64_t handshake_completed; /* ns since the epoch; 0: never */

	struct log_limit log;
	char text[PEER_TEXT]; /* "wg0: peer abcd…wxyz", for the log */
};

/* Makes a peer of the device, of its reserve where it has one. NULL without memory. The key is not yet known to the
 * device. */
struct peer *peer_create(struct device *device, const uint8_t public_key[NOISE_KEY]);
/* The second phase of removing one: nothing leads to it any more. Wipes its keys. */
void peer_destroy(struct peer *peer);

/* The session that seals at `now`, or NULL: none, too old, or at its limit. */
struct session *peer_session(const struct peer *peer, uint64_t now);

/* Where it is now, and how it was heard last: for workers, as long as they are awake. */
static inline const struct endpoint *peer_endpoint(const struct peer *peer)
{
	return atomic_load_explicit(&peer->move, memory_order_acquire) == PEER_MOVED ? &peer->moved_to : &peer->endpoint;
}

static inline const struct endpoint *peer_last_from(const struct peer *peer)
{
	return atomic_load_explicit(&peer->move, memory_order_acquire) == PEER_MOVED ? &peer->moved_to : &peer->last_from;
}

/* A worker heard it from there. False when it is on the move already. */
bool peer_move(struct peer *peer, const struct endpoint *from);
/* Control makes that its endpoint. */
void peer_settle_move(struct peer *peer);

/* Where an authenticated message came from. Compared first, written only when it differs. */
void peer_set_endpoint(struct peer *peer, const struct endpoint *from);
/* Leaves it to the routes from where we speak to the peer, until it is heard again. */
void peer_clear_local(struct peer *peer);
/* Routes or addresses have changed: the source may not hold. What is heard next is looked at anew. */
void peer_recheck_local(struct peer *peer);
/* To be called before sending: a source in doubt is kept if it holds, else forgotten. */
void peer_verify_local(struct peer *peer);

/* A fresh random index that stands for the peer's handshake. NULL without memory. */
struct peer_index *peer_index_create(struct peer *peer);
void peer_index_destroy(struct peer_index *index);

/* Makes the session of a finished handshake and puts it in its place; the handshake's index goes over to it. 0 or
 * -ENOMEM. */
int peer_begin_session(struct peer *peer, uint64_t now);
/* The handshake is over, as the initiator sees it: its session can be used. */
void peer_handshake_completed(struct peer *peer);
/* If a packet was opened under the session that is next: that confirms the key, and what is staged can go. */
void peer_confirm_next(struct peer *peer);

/* Wipes sessions and handshake. The timestamp of its last initiation stays. */
void peer_forget_keys(struct peer *peer);

/* `bytes` of UDP payload went to the peer, or came from it and were authentic: counted, and timers moved. */
void peer_sent(struct peer *peer, size_t bytes, uint64_t now);
void peer_received(struct peer *peer, size_t bytes, uint64_t now);

#endif
