/* SPDX-License-Identifier: MIT */
/* The state of a peer whose daemon reports only the values of wg(8). */
#include "base/wg_state.h"

const char *wg_state_word(const struct wg_values *values, uint64_t now)
{
	if (values->handshake && (now < values->handshake || now - values->handshake < WG_STATE_UP_SECONDS))
		return "up";
	if (!values->has_endpoint)
		return "no-endpoint";
	if (values->handshake ? values->has_keepalive : values->sent)
		return "silent";
	return "idle";
}
