/* SPDX-License-Identifier: MIT */
/* Peers: their state, and the events that report its changes. */
#include "tunnel/peer.h"

#include <string.h>

struct peer_facts peer_facts(const struct peer *peer, uint64_t now)
{
	return (struct peer_facts) {
		.link_up = peer->device->up,
		.endpoint_known = endpoint_known(&peer->endpoint),
		.session = peer_session(peer, now),
		.handshake = timers_handshake_pending(&peer->timers),
		.rejected = peer->problem.latest.kind == PROBLEM_UNREACHABLE,
		.received = peer->rx_bytes - peer->cookie_bytes,
	};
}

void peer_emit(const struct peer *peer, struct event *event)
{
	char text[ENDPOINT_TEXT];

	if (!event_wanted(&peer->device->events))
		return;
	event->interface = peer->device->name;
	event->public_key = peer->remote.public_key;
	event->name = peer->label && *peer->label->name ? peer->label->name : NULL;
	if (!event->endpoint && !event->to && endpoint_known(&peer->endpoint))
		event->endpoint = endpoint_text(text, &peer->endpoint);
	event_emit(&peer->device->events, event);
}

static void report_change(struct peer *peer, enum peer_change change, const char *reason)
{
	const struct device *device = peer->device;

	if (change == PEER_UNCHANGED)
		return;
	peer_emit(peer,
			  &(struct event) { .kind = change == PEER_WENT_UP ? EVENT_PEER_UP : EVENT_PEER_DOWN, .reason = reason });
	if (device->endpoint_changed)
		device->endpoint_changed(device->endpoint_changed_context, peer);
}

/* Why a peer in this condition is not up. The result may be in `text`. */
static const char *down_reason(const struct peer *peer, char text[PROBLEM_TEXT], uint64_t now)
{
	const int error = peer->state.send_error;

	switch (peer->state.condition) {
	case PEER_NO_ENDPOINT:
		return "its endpoint is not known";
	case PEER_UNREACHABLE:
		if (!peer->device->up)
			return "the link is down";
		if (error)
			return peer_send_error_text(&peer->endpoint, error);
		return peer_problem_text(peer, text, now) ? text : NULL;
	case PEER_SILENT:
		return "it does not answer";
	default:
		return NULL;
	}
}

void peer_update_state(struct peer *peer, uint64_t now)
{
	struct peer_facts facts = peer_facts(peer, now);
	enum peer_change change = peer_state_update(&peer->state, &facts, now);
	char text[PROBLEM_TEXT];

	report_change(peer, change, change == PEER_WENT_DOWN ? down_reason(peer, text, now) : NULL);
}

void peer_report_wiped(struct peer *peer, const char *reason, uint64_t now)
{
	report_change(peer, peer_state_wiped(&peer->state), reason);
	peer_update_state(peer, now);
}
