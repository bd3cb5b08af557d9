/* SPDX-License-Identifier: MIT */
/* What a configuration says of one peer, made so. Memory has been reserved: nothing here fails. */
#ifndef ADIT_CONFIG_APPLY_PEER_H
#define ADIT_CONFIG_APPLY_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/peer.h"

/* Sets what is said, and leaves the rest. */
void apply_peer_set(struct peer *peer, const struct config_peer *config, uint64_t now);
/* Makes the peer all that is said and no more; but its allowed IPs that are to go are marked, for apply_sweep. */
void apply_peer_whole(struct peer *peer, const struct config_peer *config, uint64_t now);
/* Takes away what is marked. */
void apply_sweep(struct peer *peer);

/* True when the peer has exactly these allowed IPs, in this order. */
bool apply_prefixes_same(const struct peer *peer, const struct config_peer *config);

#endif
