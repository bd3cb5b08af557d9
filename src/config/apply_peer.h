/* SPDX-License-Identifier: MIT */
/* Apply, for one peer. The caller has reserved memory, so nothing here can fail. */
#ifndef ADIT_CONFIG_APPLY_PEER_H
#define ADIT_CONFIG_APPLY_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/peer.h"

/*
 * A section of a set request in three steps. The first sets key and endpoint, reports in *moved whether the endpoint is
 * another than before, and returns the first allowed IP to add or remove, NULL if there is none. The second, which is
 * repeated until *prefix is NULL, handles up to `quota` allowed IPs, moves *prefix past them and returns their number.
 * The last removes the allowed IPs that are replaced, and sets the keepalive.
 */
const struct config_prefix *apply_peer_set_begin(struct peer *peer, const struct config_peer *config, bool *moved);
size_t apply_peer_set_prefixes(struct peer *peer, const struct config_prefix **prefix, size_t quota);
void apply_peer_set_end(struct peer *peer, const struct config_peer *config, bool moved, uint64_t now);
/*
 * Makes the peer match its section in a file: settings that the section does not name return to their defaults. Allowed
 * IPs that the section does not list are only marked; allowedips_sweep removes them.
 */
void apply_peer_reload(struct peer *peer, const struct config_peer *config, uint64_t now);

/* True if the peer has exactly these allowed IPs, in this order. */
bool apply_prefixes_same(const struct peer *peer, const struct config_peer *config);

#endif
