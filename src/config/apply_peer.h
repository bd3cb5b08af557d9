/* SPDX-License-Identifier: MIT */
/* Apply, for one peer. The caller has reserved memory, so nothing here can fail. */
#ifndef ADIT_CONFIG_APPLY_PEER_H
#define ADIT_CONFIG_APPLY_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/peer.h"

/* Changes the settings that a set request names and keeps all others. */
void apply_peer_set(struct peer *peer, const struct config_peer *config, uint64_t now);
/*
 * Makes the peer match its section in a file: settings that the section does not name return to their defaults. Allowed
 * IPs that the section does not list are only marked; apply_peer_sweep removes them.
 */
void apply_peer_reload(struct peer *peer, const struct config_peer *config, uint64_t now);
/* Removes the marked allowed IPs. The caller holds the device lock. */
void apply_peer_sweep(struct peer *peer);

/* True if the peer has exactly these allowed IPs, in this order. */
bool apply_prefixes_same(const struct peer *peer, const struct config_peer *config);

#endif
