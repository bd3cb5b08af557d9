/* SPDX-License-Identifier: MIT */
/*
 * The state of a peer in one word, and whether it counts as up. It knows no peer: the peer embeds a struct peer_state
 * and supplies the facts. It needs no timer of its own; the peer reports what its handshakes and timers notice.
 *
 *   no endpoint   we do not know where the peer is
 *   unreachable   the link is down, or the host refused the last datagram to the peer, or an ICMP error reports that
 *                 the peer is unreachable, and it does not answer
 *   silent        we sent, and nothing came back in PEER_SILENT_TIME
 *   up            there is a session, so packets flow
 *   waiting       a handshake is under way
 *   idle          none of these: there has been nothing to send since the last session expired, or ever
 *
 * The first that applies counts. An ICMP error is easy to forge, so it never overrules a session.
 *
 * A peer counts as up (`announced`) from the moment it becomes up until it becomes silent, unreachable or without an
 * endpoint, or until its keys are wiped for another reason than their age. Idle and waiting change nothing: a peer
 * whose session expires because nobody talks to it has not failed. A routing daemon that withdrew its route then would
 * also withdraw the traffic that brings the session back.
 */
#ifndef ADIT_TUNNEL_PEER_STATE_H
#define ADIT_TUNNEL_PEER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* After this time without an answer to data, WireGuard begins a new handshake: KEEPALIVE_TIMEOUT + REKEY_TIMEOUT. */
#define PEER_SILENT_TIME (15 * NS_PER_S)

enum peer_condition {
	PEER_IDLE,
	PEER_UP,
	PEER_WAITING,
	PEER_SILENT,
	PEER_NO_ENDPOINT,
	PEER_UNREACHABLE,
	PEER_CONDITIONS
};

/* How the endpoint of a peer was learned. */
enum endpoint_origin {
	ORIGIN_UNKNOWN,
	ORIGIN_CONFIGURED, /* an address in the file */
	ORIGIN_RESOLVED,   /* from a host name */
	ORIGIN_ROAMED,     /* an authentic message came from there */
	ORIGIN_SET,        /* over the control socket */
	ORIGIN_SAVED,      /* by the process before this one */
	ORIGINS
};

enum peer_change { PEER_UNCHANGED, PEER_WENT_UP, PEER_WENT_DOWN };

/* Zeroed memory is the state of a new peer. */
struct peer_state {
	enum peer_condition condition; /* at the last update */
	uint64_t since;                /* when it became so, ns of CLOCK_BOOTTIME; 0: not known */
	bool announced;                /* the peer counts as up */
	bool inherited;                /* it did so in the process before this one, which has run the hooks */
	bool silent;                   /* while `received` does not grow */
	bool trying;                   /* a handshake has begun and is not answered */
	uint64_t trying_since;         /* when it began, or the peer was last known to send something */
	uint64_t received;             /* of the facts, when `silent` or `trying_since` was set */
	_Atomic int send_error;        /* of the last send, as a positive errno; any thread sets it */
};

/* What the peer knows. */
struct peer_facts {
	bool link_up, endpoint_known;
	bool session;      /* one that seals */
	bool handshake;    /* one of ours is under way, or waits for its time */
	bool rejected;     /* the latest problem is an ICMP error about the endpoint */
	uint64_t received; /* authentic bytes in all */
};

/* The words of the control socket, such as "no-endpoint". NULL for ORIGIN_UNKNOWN. */
const char *peer_condition_name(enum peer_condition condition);
const char *endpoint_origin_name(enum endpoint_origin origin);

/* Returns the condition at this moment. It may differ from that of the last update, because sessions age in silence. */
enum peer_condition peer_state_condition(const struct peer_state *state, const struct peer_facts *facts);
/* Makes it the condition since `now`, and reports whether the peer counts as up or down from now on. */
enum peer_change peer_state_update(struct peer_state *state, const struct peer_facts *facts, uint64_t now);

/* An initiation was sent. Returns true if it is the first one since a handshake was completed or given up. */
bool peer_state_initiated(struct peer_state *state, const struct peer_facts *facts, uint64_t now);
/* The initiation was not answered in time. */
void peer_state_unanswered(struct peer_state *state, const struct peer_facts *facts, uint64_t now);
/* We sent data, and nothing came back in PEER_SILENT_TIME. */
void peer_state_silent(struct peer_state *state, const struct peer_facts *facts);
/* The handshake is given up. A silent peer stays silent. */
void peer_state_given_up(struct peer_state *state);
/* The peer has answered: a handshake is completed. */
void peer_state_answered(struct peer_state *state);
/* The keys were wiped, and not because of their age: the peer does not count as up any more. */
enum peer_change peer_state_wiped(struct peer_state *state);

#endif
