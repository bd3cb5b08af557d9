/* SPDX-License-Identifier: MIT */
/* The state of a peer whose daemon reports only the values of wg(8): that of another implementation, or an old adit. */
#ifndef ADIT_BASE_WG_STATE_H
#define ADIT_BASE_WG_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum { WG_STATE_UP_SECONDS = 180 /* after a handshake; Reject-After-Time, section 6.1 of the WireGuard paper */ };

struct wg_values {
	bool has_endpoint, has_keepalive;
	uint64_t handshake; /* seconds since the epoch; 0: never */
	uint64_t sent;      /* bytes */
};

/*
 * Returns one of the words of adit(8): "up", "idle", "silent" or "no-endpoint". `now` is in seconds since the epoch. A
 * peer is silent if this host must have tried a handshake in vain: there never was one although something was sent, or
 * a keepalive is set and the latest one is too old. A handshake in the future counts as up: the clock was set back.
 */
const char *wg_state_word(const struct wg_values *values, uint64_t now);

#endif
