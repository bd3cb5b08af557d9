/* SPDX-License-Identifier: MIT */
/* The handshake between peers: messages in and out (WireGuard paper, section 5), its limits and its load. */
#ifndef ADIT_TUNNEL_HANDSHAKE_H
#define ADIT_TUNNEL_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/device.h"

/*
 * Sends an initiation, unless the last initiation or response is less than REKEY_TIMEOUT old, or nobody knows where the
 * peer is. `retry`: it is another attempt at the same session.
 */
void handshake_initiate(struct peer *peer, uint64_t now, bool retry);

/* Takes an initiation, a response or a cookie reply of `n` bytes. */
void handshake_receive(struct device *device, const uint8_t *message, size_t n, const struct endpoint *from,
					   uint64_t now);

/* Sends what is staged, or else an empty data packet; without a session it begins a handshake instead. */
void handshake_keepalive(struct peer *peer, uint64_t now);

#endif
