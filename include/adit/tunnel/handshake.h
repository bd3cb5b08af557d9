/* SPDX-License-Identifier: MIT */
/*
 * The handshake with a peer: sends and receives its messages (WireGuard paper, section 5). For control, which does not
 * hold the device lock: curve operations and system calls would keep all workers waiting. The lock is taken to commit a
 * result.
 */
#ifndef ADIT_TUNNEL_HANDSHAKE_H
#define ADIT_TUNNEL_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/admission.h"
#include "tunnel/peer.h"

/*
 * Sends an initiation, unless the last initiation is less than REKEY_TIMEOUT old, or the last response less than that
 * and some jitter, the link is down or the endpoint is unknown. If it is only too early and there is no session, the
 * retransmit timer tries again. `retry`: another attempt for the same session. Without a private key, or to a public
 * key of low order, no initiation can be created; such an attempt is repeated and given up like one that is not
 * answered.
 */
void handshake_initiate(struct peer *peer, uint64_t now, bool retry);

/*
 * The peer does not answer: reports that, clears its local address, because its route may use another one now, and
 * notifies the owner of its name (device.unanswered).
 */
void handshake_unanswered(struct peer *peer, uint64_t now);

/* Has staged packets sent or, if there are none, sends a keepalive. Without a session, sends an initiation. */
void handshake_keepalive(struct peer *peer, uint64_t now);

/*
 * The private key or the endpoint was set: starts what could not start without it. That is sending staged packets, or
 * the handshake that a persistent keepalive needs.
 */
void handshake_resume(struct peer *peer, uint64_t now);

/*
 * Handles an initiation, a response or a cookie reply of `n` bytes that has passed admission_post and got `tag` there.
 * Anything else is counted as malformed. Returns whether that cost curve operations.
 */
bool handshake_receive(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from,
					   enum admission tag, uint64_t now);

/*
 * A message without a valid mac1 came from `from`: it is for another public key than ours. Reports that to the peer
 * there, or as a warning of the device. If `sender`, its index, is that of an initiation of ours, the endpoint of the
 * peer leads back to us; so it does if this host sent the message from our port, but the index may be forgotten.
 */
void handshake_misdirected(struct device *device, uint32_t sender, const struct endpoint *from, uint64_t now);

#endif
