/* SPDX-License-Identifier: MIT */
/* The state of a peer. */
#include "tunnel/peer_state.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

const char *peer_condition_name(enum peer_condition condition)
{
	static const char *const names[] = {
		[PEER_IDLE] = "idle",
		[PEER_UP] = "up",
		[PEER_WAITING] = "waiting",
		[PEER_SILENT] = "silent",
		[PEER_NO_ENDPOINT] = "no-endpoint",
		[PEER_UNREACHABLE] = "unreachable",
	};
	static_assert(sizeof names / sizeof *names == PEER_CONDITIONS, "one name per condition");

	return names[condition];
}

const char *endpoint_origin_name(enum endpoint_origin origin)
{
	static const char *const names[] = {
		[ORIGIN_UNKNOWN] = NULL,        [ORIGIN_CONFIGURED] = "configured",
		[ORIGIN_RESOLVED] = "resolved", [ORIGIN_ROAMED] = "roamed",
		[ORIGIN_SET] = "set",           [ORIGIN_SAVED] = "saved",
	};
	static_assert(sizeof names / sizeof *names == ORIGINS, "one name per origin");

	return names[origin];
}

enum peer_condition peer_state_condition(const struct peer_state *state, const struct peer_facts *facts)
{
	int error = atomic_load_explicit(&state->send_error, memory_order_relaxed);
	bool silent;

	if (!facts->endpoint_known)
		return PEER_NO_ENDPOINT;
	/* The errors of a busy host, or of a large datagram, are not about the way to the peer. */
	if (!facts->link_up || (error && error != ENOBUFS && error != ENOMEM && error != EMSGSIZE))
		return PEER_UNREACHABLE;
	silent = state->silent && facts->received == state->received;
	if (facts->rejected && (silent || (facts->handshake && !facts->session)))
		return PEER_UNREACHABLE;
	if (silent)
		return PEER_SILENT;
	if (facts->session)
		return PEER_UP;
	return facts->handshake ? PEER_WAITING : PEER_IDLE;
}

enum peer_change peer_state_update(struct peer_state *state, const struct peer_facts *facts, uint64_t now)
{
	enum peer_condition condition = peer_state_condition(state, facts);
	bool announced =
		condition == PEER_UP || (state->announced && (condition == PEER_IDLE || condition == PEER_WAITING));
	bool was_announced = state->announced;

	if (condition != state->condition) {
		state->condition = condition;
		state->since = now;
	}
	state->announced = announced;
	if (announced == was_announced)
		return PEER_UNCHANGED;
	return announced ? PEER_WENT_UP : PEER_WENT_DOWN;
}

bool peer_state_initiated(struct peer_state *state, const struct peer_facts *facts, uint64_t now)
{
	if (state->trying)
		return false;
	state->trying = true;
	state->trying_since = now;
	if (facts->received != state->received)
		state->silent = false;
	state->received = facts->received;
	return true;
}

void peer_state_unanswered(struct peer_state *state, const struct peer_facts *facts, uint64_t now)
{
	if (!state->trying)
		return;
	if (facts->received != state->received) { /* the peer sends, although it does not answer handshakes */
		state->received = facts->received;
		state->trying_since = now;
		state->silent = false;
	} else if (now - state->trying_since >= PEER_SILENT_TIME) {
		state->silent = true;
	}
}

void peer_state_silent(struct peer_state *state, const struct peer_facts *facts)
{
	state->received = facts->received;
	state->silent = true;
}

void peer_state_given_up(struct peer_state *state)
{
	state->trying = false;
}

void peer_state_answered(struct peer_state *state)
{
	state->trying = false;
	state->silent = false;
}

enum peer_change peer_state_wiped(struct peer_state *state)
{
	bool was_announced = state->announced;

	state->announced = false;
	state->trying = false;
	state->silent = false;
	return was_announced ? PEER_WENT_DOWN : PEER_UNCHANGED;
}
