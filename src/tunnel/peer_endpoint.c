/* SPDX-License-Identifier: MIT */
/* Peers: endpoints, and the local addresses from which we send to them. */
#include "tunnel/peer.h"

#include <assert.h>

#include "base/clock.h"

/* Asks the kernel. The caller does not hold the lock, because workers would have to wait for the answer. */
static bool is_local_usable(const struct device *device, struct endpoint *endpoint)
{
	assert(!device->locked);
	return !device->local_usable || !endpoint_local_known(endpoint) ||
		   device->local_usable(device->local_usable_context, endpoint);
}

static void report_endpoint(struct peer *peer, const struct endpoint *before)
{
	const struct device *device = peer->device;
	char text[ENDPOINT_TEXT], old[ENDPOINT_TEXT];
	struct event moved = { .kind = EVENT_ENDPOINT_MOVED, .origin = endpoint_origin_name(peer->origin) };

	peer_moved(peer, before, clock_boottime());
	if (log_debug_allowed(&peer->log, clock_boottime()))
		log_debug(peer_text(peer), "endpoint is %s", endpoint_text(text, &peer->last_from));
	if (event_wanted(&device->events) && !endpoint_same_remote(before, &peer->endpoint)) {
		moved.to = endpoint_text(text, &peer->endpoint);
		moved.from = endpoint_known(before) ? endpoint_text(old, before) : NULL;
		peer_emit(peer, &moved);
	}
	if (device->endpoint_changed)
		device->endpoint_changed(device->endpoint_changed_context, peer);
}

/* `last_from` keeps a local address that is not usable, so that it is not verified for each message from there. */
static void store_endpoint(struct peer *peer, const struct endpoint *from, bool usable, enum endpoint_origin origin)
{
	if (origin != ORIGIN_ROAMED || !endpoint_same_remote(&peer->endpoint, from))
		peer->origin = origin;
	atomic_store_explicit(&peer->state.send_error, 0, memory_order_relaxed);
	peer->last_from = peer->endpoint = *from;
	if (!usable)
		endpoint_clear_local(&peer->endpoint);
	peer->local_unverified = false;
	peer->ungrouped_until = 0;
}

void peer_set_endpoint(struct peer *peer, const struct endpoint *to, enum endpoint_origin origin)
{
	struct endpoint verified = *to, before = peer->endpoint;
	bool usable;

	if (endpoint_equal(&peer->last_from, to))
		return;
	usable = is_local_usable(peer->device, &verified);
	device_lock(peer->device);
	store_endpoint(peer, &verified, usable, origin);
	device_unlock(peer->device);
	report_endpoint(peer, &before);
}

bool peer_move(struct peer *peer, const struct endpoint *from)
{
	unsigned none = POST_NONE;

	if (!atomic_compare_exchange_strong(&peer->move, &none, POST_WRITING))
		return false;
	peer->moved_to = *from;
	atomic_store_explicit(&peer->move, POST_PENDING, memory_order_release);
	return true;
}

void peer_commit_move(struct peer *peer)
{
	struct endpoint verified = peer->moved_to, before = peer->endpoint;
	bool changed = !endpoint_equal(&peer->last_from, &verified);
	bool usable = changed && is_local_usable(peer->device, &verified);

	device_lock(peer->device);
	if (changed)
		store_endpoint(peer, &verified, usable, ORIGIN_ROAMED);
	atomic_store_explicit(&peer->move, POST_NONE, memory_order_relaxed);
	device_unlock(peer->device);
	if (changed)
		report_endpoint(peer, &before);
}

void peer_verify_local(struct peer *peer)
{
	struct endpoint verified = peer->endpoint;
	bool usable;

	if (!peer->local_unverified)
		return;
	peer->local_unverified = false;
	usable = is_local_usable(peer->device, &verified);
	if (usable && verified.pinned == peer->endpoint.pinned)
		return;
	device_lock(peer->device);
	peer->endpoint.pinned = verified.pinned;
	if (!usable)
		endpoint_clear_local(&peer->endpoint);
	device_unlock(peer->device);
	if (!usable && log_debug_allowed(&peer->log, clock_boottime()))
		log_debug(peer_text(peer), "the local address is no longer usable; the routes choose another one");
}

void peer_clear_local(struct peer *peer)
{
	assert(peer->device->locked);
	endpoint_clear_local(&peer->endpoint);
	endpoint_clear_local(&peer->last_from);
}
