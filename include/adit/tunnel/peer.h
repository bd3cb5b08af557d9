/* SPDX-License-Identifier: MIT */
/*
 * A peer: its keys, endpoint, sessions and staged packets; and the set of peers of a device.
 *
 * Control alone changes a peer. The functions below that change what workers read require that control holds the device
 * lock, except those whose comments say that they take it.
 */
#ifndef ADIT_TUNNEL_PEER_H
#define ADIT_TUNNEL_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "crypto/cookie.h"
#include "crypto/noise.h"
#include "crypto/session.h"
#include "io/endpoint.h"
#include "tunnel/allowedips.h"
#include "tunnel/device.h"
#include "tunnel/mailbox.h"
#include "tunnel/peer_label.h"
#include "tunnel/peer_state.h"
#include "tunnel/problem.h"
#include "tunnel/quality.h"
#include "tunnel/staged.h"
#include "tunnel/timers.h"

enum { PEER_TEXT = 40, PROBLEM_TEXT = 240 };

/* Events of a peer: workers post them, control handles them. */
enum peer_event {
	PEER_EVENT_TIMER = 1,            /* a timer must be queued, see timer_ops.needs_queueing */
	PEER_EVENT_HANDSHAKE = 2,        /* packets wait for a session, or the session is due for renewal */
	PEER_EVENT_CONFIRMED = 4,        /* a packet was opened under the next session, see session.confirmed */
	PEER_EVENT_LOCAL_UNVERIFIED = 8, /* packets are sent from a local address that must be verified */
	PEER_EVENT_LOCAL_LOST = 16,      /* the host has lost the local address */
	PEER_EVENT_MOVED = 32,           /* an authentic packet came from another endpoint, see peer_move */
	PEER_EVENT_SEND_RESULT = 64,     /* sending fails, or works again, see peer_state.send_error */
	PEER_EVENT_UNGROUPED = 128,      /* the path refused a UDP_SEGMENT send */
	PEER_EVENT_PROBLEM = 256,        /* a problem was found, see peer_post_problem */
};

/* A receiver index and what it identifies: a session, or the handshake under way. */
struct peer_index {
	struct map_node node;
	uint32_t index;
	struct peer *peer;
	struct session *session; /* NULL: the handshake */
};

/* The settings of a [Peer], for the summary of a reload. */
enum peer_setting {
	PEER_SETTING_NAME = 1 << 0,
	PEER_SETTING_DESCRIPTION = 1 << 1,
	PEER_SETTING_ENDPOINT = 1 << 2,
	PEER_SETTING_ALLOWED_IPS = 1 << 3,
	PEER_SETTING_KEEPALIVE = 1 << 4,
	PEER_SETTING_PRESHARED_KEY = 1 << 5,
	PEER_SETTING_CIPHER = 1 << 6,
	PEER_SETTING_PEER_UP = 1 << 7,
	PEER_SETTING_PEER_DOWN = 1 << 8,
};
enum { PEER_SETTINGS = 9 };

/* Ordered by use, not by meaning: the members that each run of datagrams touches come first and lie close together. */
struct peer {
	struct device *device;
	struct session_slots sessions;
	_Atomic uint64_t tx_bytes, rx_bytes; /* whole UDP payloads, including handshake messages */
	_Atomic uint64_t ungrouped_until;    /* until then no UDP_SEGMENT send: the path refused one */
	struct mailbox_peer mail;
	_Atomic bool local_unverified; /* routes have changed since the local address was verified */
	bool marked;                   /* a reload has not found this peer in the file yet */
	struct endpoint endpoint;      /* where the peer is, and the local address from which we send to it */
	struct endpoint last_from;     /* where the last authentic message came from, to detect a change */
	/*
	 * A worker that opens a packet from a new endpoint sends there at once, but only control may change `endpoint`. So
	 * the worker stores the new endpoint here, and it is used instead until control has copied it.
	 */
	struct endpoint moved_to;
	_Atomic unsigned move; /* enum post_state, about `moved_to` */
	struct staged_queue staged;
	struct peer_timers timers;

	struct list_node node; /* in device.peers */
	uint64_t serial;       /* greater than that of all peers added before; never 0 */
	struct map_node by_key;
	struct allowedip_list allowed_ips;
	struct peer_state state;
	enum endpoint_origin origin;
	struct endpoint configured; /* as last set by the configuration; the peer may have moved since */

	struct noise_remote remote;
	struct cookie_jar cookies;
	struct peer_index *handshake_index;
	uint64_t handshake_sent;      /* when the last initiation or response was sent, ns of CLOCK_BOOTTIME */
	uint64_t handshake_gate;      /* until then no initiation is made, ns of CLOCK_BOOTTIME */
	uint64_t handshake_completed; /* when the last session came into use, ns of CLOCK_BOOTTIME */
	uint64_t handshake_wall;      /* the same as it was then, in ns since the epoch; 0: never */
	struct quality quality;
	uint64_t cookie_bytes; /* the part of rx_bytes that is cookie replies, which prove nothing about the peer */

	uint32_t changed; /* enum peer_setting: those that the last reload has changed */
	struct problem_state problem;
	struct log_limit log;
	struct peer_label *label; /* name and description; NULL: none */
	char text[PEER_TEXT];     /* for peer_text: "wg0: peer abcd…wxyz" */
};

/* The subject of log lines about the peer, with its name if it has one. Valid while the caller may use the peer. */
static inline struct log_subject peer_text(const struct peer *peer)
{
	const struct peer_label *label = peer->label;

	return (struct log_subject) { .text = label ? label->text : peer->text,
								  .interface = peer->device->name,
								  .peer = label ? label->name : "",
								  .public_key = peer->remote.public_key };
}

/* Makes the peer share `label`, which may be NULL, in place of its own. Takes the lock if the content changes. */
void peer_set_label(struct peer *peer, struct peer_label *label);

/* --- the peers of a device ----- */

/* Return the first and the next peer of the device, in the order in which they were added, or NULL. */
static inline struct peer *peer_first(const struct device *device)
{
	return list_first_entry(&device->peers, struct peer, node);
}

static inline struct peer *peer_next(const struct peer *peer)
{
	return list_next_entry(&peer->device->peers, peer, struct peer, node);
}

/* Returns the peer with that public key, or NULL. */
struct peer *peer_lookup(const struct device *device, const uint8_t public_key[NOISE_KEY]);
/*
 * Adds a peer, for which the lock is not needed. Returns NULL and sets errno: EEXIST, ENOMEM, or EADDRINUSE for our own
 * public key.
 */
struct peer *peer_add(struct device *device, const uint8_t public_key[NOISE_KEY]);
/*
 * Allocates memory so that adding `peers` peers and `prefixes` allowed IPs cannot fail. Takes the lock. Returns 0, or
 * -ENOMEM and keeps nothing.
 */
int peer_reserve(struct device *device, size_t peers, size_t prefixes);
/* Frees what is left of the reserve. */
void peer_unreserve(struct device *device);
/* Removes and frees a peer, with the lock held: first it becomes unreachable, then its memory is wiped and freed. */
void peer_remove(struct peer *peer);

/* Returns the peer that owns a result of allowedips_lookup4 or allowedips_lookup6; NULL for NULL. */
static inline struct peer *peer_of_allowed_ips(struct allowedip_list *owner)
{
	return owner ? container_of(owner, struct peer, allowed_ips) : NULL;
}

/* --- events ----- */

/*
 * Posts events (enum peer_event) to control. With one worker they are handled before the function returns, which is
 * inside egress or ingress. The handler never removes a peer, and it retires a session only for PEER_EVENT_CONFIRMED:
 * the previous one. `in_use` is the session that the worker uses after the call, or NULL. Assertions check that neither
 * the peer nor that session is freed.
 */
void peer_post(struct peer *peer, unsigned events, const struct session *in_use, uint64_t now);

/* --- state and events ----- */

/* What peer_state.h needs to know about the peer at `now`. */
struct peer_facts peer_facts(const struct peer *peer, uint64_t now);
/* Brings the state of the peer up to date. Emits an event if the peer counts as up or down from now on. */
void peer_update_state(struct peer *peer, uint64_t now);
/* The keys were wiped because of `reason`: the peer counts as down. */
void peer_report_wiped(struct peer *peer, const char *reason, uint64_t now);
/* Adds interface, key and name of the peer to the event, and emits it. */
void peer_emit(const struct peer *peer, struct event *event);

/* --- endpoint ----- */

/* Returns the endpoint to send to. The pointer is valid while the worker is awake. */
static inline const struct endpoint *peer_endpoint(const struct peer *peer)
{
	bool moved = atomic_load_explicit(&peer->move, memory_order_acquire) == POST_PENDING;

	return moved ? &peer->moved_to : &peer->endpoint;
}

/* Returns the endpoint from which the last authentic message came. Likewise. */
static inline const struct endpoint *peer_last_from(const struct peer *peer)
{
	bool moved = atomic_load_explicit(&peer->move, memory_order_acquire) == POST_PENDING;

	return moved ? &peer->moved_to : &peer->last_from;
}

/*
 * A worker calls this when an authentic packet came from `from`, which is not peer_last_from(peer). Returns true if the
 * worker must post PEER_EVENT_MOVED; false while an earlier move is pending.
 */
bool peer_move(struct peer *peer, const struct endpoint *from);

/*
 * These three verify the local address: they ask the kernel, without the lock, whether it can be used, and then take
 * the lock for the change. peer_set_endpoint does nothing if the peer is there already; ORIGIN_ROAMED: an authentic
 * message came from there. peer_commit_move does the same with a move of peer_move. peer_verify_local is called before
 * a message is sent; it does nothing unless the address is unverified.
 */
void peer_set_endpoint(struct peer *peer, const struct endpoint *to, enum endpoint_origin origin);
void peer_commit_move(struct peer *peer);
void peer_verify_local(struct peer *peer);

/* Clears the local address, with the lock held: the routes choose it until the next authentic message. */
void peer_clear_local(struct peer *peer);

/* --- sessions ----- */

/*
 * Returns the session that seals at `now`: the next one as soon as a packet was opened under it, or the current one.
 * NULL: there is none, or it is too old or used up.
 */
struct session *peer_session(const struct peer *peer, uint64_t now);

/* Returns the entry of one of our indices, or NULL. Workers may call this, too. */
struct peer_index *peer_index_find(const struct device *device, uint32_t index);
/* Makes a fresh random index for a handshake, which nothing finds yet. Returns NULL without memory. */
struct peer_index *peer_index_create(struct peer *peer);
/* Makes it the index of the peer's handshake, in place of the last one, with the lock held. */
void peer_set_handshake_index(struct peer *peer, struct peer_index *index);

/* Makes the session of a finished handshake, without the lock. Returns 0 or negative errno. */
int peer_derive_session(struct peer *peer, uint64_t now, struct session **session);
/* Makes it one of the peer's sessions, found by the handshake's index. With the lock held. */
void peer_install_session(struct peer *peer, struct session *session);
/* With the lock held: if a packet was opened under the next session, it becomes the current one. */
void peer_confirm_next(struct peer *peer, uint64_t now);
/* The initiator has the response, or the responder the first packet: the session is in use. */
void peer_handshake_completed(struct peer *peer, uint64_t now);
/*
 * Returns when that was, in ns since the epoch as the wall clock now counts: a clock that was stepped since then does
 * not change the age. 0: never.
 */
uint64_t peer_last_handshake(const struct peer *peer, uint64_t now);

/*
 * Wipes the sessions and the handshake, with the lock held. The timestamp of the peer's last initiation is kept, so
 * that old initiations still cannot be replayed.
 */
void peer_forget_keys(struct peer *peer);

/* --- problems ----- */

/*
 * Control calls this when it has found a problem: keeps it for peer_problem_text, unless a more certain one was found
 * shortly before, and logs it, unless the same kind was logged shortly before.
 */
void peer_report_problem(struct peer *peer, const struct problem *problem, uint64_t now);
/*
 * A worker calls this, once per packet at most. Posts the problem to control, but after the first few of a peer at most
 * one per second. `in_use` is as for peer_post.
 */
__attribute__((cold)) void peer_post_problem(struct peer *peer, const struct problem *problem,
											 const struct session *in_use, uint64_t now);
/* Control takes what a worker has posted. */
void peer_take_problem(struct peer *peer, uint64_t now);
/* The settings of the peer have changed: whatever was wrong may be right now. */
void peer_clear_problem(struct peer *peer);
/* A session has come into use. */
void peer_is_up(struct peer *peer);
/*
 * Writes why the peer is not up, or why its packets are dropped, as a clause without a full stop. Returns false if
 * there is no reason to give.
 */
bool peer_problem_text(const struct peer *peer, char text[PROBLEM_TEXT], uint64_t now);
/* Returns why this host cannot send to the endpoint: what the errno means there, or what the user can do about it. */
const char *peer_send_error_text(const struct endpoint *endpoint, int error);

/*
 * Events that are a problem when they come several times in a row: we have answered an initiation, an initiation was
 * rejected with -ESTALE, and the peer has moved from `former` to its present endpoint.
 */
void peer_answered(struct peer *peer, uint64_t now);
void peer_sent_stale(struct peer *peer, uint64_t now);
void peer_moved(struct peer *peer, const struct endpoint *former, uint64_t now);

/* Reports an ICMP error to the peer at that endpoint, if there is one. */
void peer_report_unreachable(struct device *device, const struct udp_error *error, uint64_t now);

/*
 * Returns the peer at that endpoint, or else the only peer at that address; NULL if there is none. Looks at all peers,
 * so the caller limits how often.
 */
struct peer *peer_find_at(const struct device *device, const struct endpoint *endpoint);

/* --- traffic ----- */

/* Has the workers send the staged packets, if there are any. Returns whether there were. */
bool peer_send_staged(struct peer *peer);

/* Counts `bytes` of UDP payload received from the peer, and authentic, and moves the timers. */
void peer_received(struct peer *peer, size_t bytes, uint64_t now);

#endif
