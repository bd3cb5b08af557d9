/* SPDX-License-Identifier: MIT */
/*
 * Control: what happens when a peer has an event, a timer expires, or the device changes.
 *
 * A loop over all peers takes the lock once.
 */
#include "tunnel/control.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/message.h"
#include "tunnel/handshake.h"
#include "tunnel/peer.h"

static_assert(MAILBOX_MESSAGE >= sizeof(struct message_initiation) &&
				  MAILBOX_MESSAGE >= sizeof(struct message_response) &&
				  MAILBOX_MESSAGE >= sizeof(struct message_cookie),
			  "the mailbox has room for each message that is not data");
static_assert(MAILBOX_MESSAGE >= sizeof(struct udp_error), "and for an ICMP error");

/* --- events of workers ----- */

static void on_peer_events(void *context, struct mailbox_peer *mail, unsigned events, uint64_t now)
{
	struct peer *peer = container_of(mail, struct peer, mail);
	struct device *device = context;

	if (events & PEER_EVENT_TIMER)
		timers_queue(&device->timers, &peer->timers);
	if (events & (PEER_EVENT_CONFIRMED | PEER_EVENT_LOCAL_LOST)) {
		device_lock(device);
		if (events & PEER_EVENT_CONFIRMED)
			peer_confirm_next(peer, now);
		if (events & PEER_EVENT_LOCAL_LOST)
			peer_clear_local(peer);
		device_unlock(device);
	}
	if (events & PEER_EVENT_MOVED)
		peer_commit_move(peer);
	if (events & PEER_EVENT_UNGROUPED)
		peer_emit(peer, &(struct event) { .kind = EVENT_GSO_REFUSED });
	if (events & PEER_EVENT_SEND_RESULT)
		peer_update_state(peer, now);
	if (events & PEER_EVENT_LOCAL_UNVERIFIED)
		peer_verify_local(peer);
	if (events & PEER_EVENT_PROBLEM)
		peer_take_problem(peer, now);
	if (events & PEER_EVENT_HANDSHAKE)
		handshake_initiate(peer, now, false);
}

static bool on_message(void *context, unsigned tag, const uint8_t *message, size_t n, const struct endpoint *from,
					   uint64_t now)
{
	char address[INET6_ADDRSTRLEN];
	struct udp_error error;

	switch (tag) {
	case NOTICE_WRONG_MAC1:
		if (n == sizeof(uint32_t))
			handshake_misdirected(context, get_le32(message), from, now);
		return false;
	case NOTICE_NO_PEER:
		/* No more than a notice, because a host may be about to be configured. */
		if (inet_ntop(n == 4 ? AF_INET : AF_INET6, message, address, sizeof address))
			device_notice(context, WARNING_NO_PEER, NULL, now,
						  "packets to %s are dropped: the address is not in AllowedIPs of any peer", address);
		return false;
	case NOTICE_UNREACHABLE:
		if (n == sizeof error) {
			memcpy(&error, message, sizeof error);
			peer_report_unreachable(context, &error, now);
		}
		return false;
	default:
		return handshake_receive(context, message, n, from, tag, now);
	}
}

static void on_device_gone(void *context)
{
	struct device *device = context;

	device->gone(device->gone_context);
}

static const struct mailbox_ops mailbox_ops = {
	.peer = on_peer_events,
	.message = on_message,
	.gone = on_device_gone,
};

/* --- timers ----- */

static void on_initiate(struct peer_timers *timers, uint64_t now, bool retry)
{
	struct peer *peer = container_of(timers, struct peer, timers);
	struct peer_facts facts = peer_facts(peer, now);

	if (retry)
		peer_state_unanswered(&peer->state, &facts, now);
	else
		peer_state_silent(&peer->state, &facts);
	if (!retry || peer->handshake_index) /* a retry after a response has no initiation before it */
		handshake_unanswered(peer, now);
	handshake_initiate(peer, now, retry);
	peer_update_state(peer, now);
}

static void on_keepalive(struct peer_timers *timers, uint64_t now)
{
	struct peer *peer = container_of(timers, struct peer, timers);

	handshake_keepalive(peer, now);
	peer_update_state(peer, now); /* it may have been silent */
}

static void on_give_up(struct peer_timers *timers)
{
	struct peer *peer = container_of(timers, struct peer, timers);
	struct device *device = peer->device;

	peer_state_given_up(&peer->state);
	device_count(device, DROP_STAGED_TIMEOUT, staged_clear(&device->staged, &peer->staged));
	log_info(peer_text(peer), "handshake not answered for 90 s, giving up until there is something to send");
}

static void on_zero_keys(struct peer_timers *timers)
{
	struct peer *peer = container_of(timers, struct peer, timers);
	const struct session *last = peer->sessions.current;
	uint64_t expired = last ? last->created + REJECT_AFTER_TIME : clock_boottime();

	device_lock(peer->device);
	peer_forget_keys(peer);
	device_unlock(peer->device);
	log_debug(peer_text(peer), "session keys wiped, 540 s after the last handshake");
	peer_update_state(peer, expired); /* it has been idle since then */
}

/* Called by workers, too. */
static void on_needs_queueing(struct peer_timers *timers)
{
	peer_post(container_of(timers, struct peer, timers), PEER_EVENT_TIMER, NULL, 0);
}

static const struct timer_ops timer_ops = {
	.initiate = on_initiate,
	.keepalive = on_keepalive,
	.give_up = on_give_up,
	.zero_keys = on_zero_keys,
	.needs_queueing = on_needs_queueing,
};

/* --- set-up ----- */

int control_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop)
{
	return device_init(device, name, aead, loop, &timer_ops, &mailbox_ops);
}

void control_destroy(struct device *device, struct ev_loop *loop)
{
	device_lock(device);
	while (!list_empty(&device->peers))
		peer_remove(list_first_entry(&device->peers, struct peer, node));
	device_unlock(device);
	peer_unreserve(device);
	device_destroy(device, loop);
}

/* --- local addresses ----- */

/* The caller holds the lock. */
static void clear_locals(struct device *device)
{
	list_for_each (peer, &device->peers, struct peer, node)
		peer_clear_local(peer);
}

void control_recheck_locals(struct device *device)
{
	device_lock(device);
	list_for_each (peer, &device->peers, struct peer, node) {
		endpoint_clear_local(&peer->last_from);
		peer->local_unverified = true;
	}
	device_unlock(device);
}

/* --- changes of the device ----- */

void control_set_private_key(struct device *device, const uint8_t *private_key)
{
	struct noise_identity identity;
	struct peer *ourselves;

	noise_identity_set(&identity, private_key);
	ourselves = identity.has_key ? peer_lookup(device, identity.public_key) : NULL;
	device_lock(device);
	device->identity = identity;
	cookie_checker_set(&device->checker, identity.public_key);
	/* The mac1 of waiting messages was checked with the old key. */
	device_count(device, DROP_HANDSHAKE_QUEUE, mailbox_drop_messages(&device->mailbox));
	if (ourselves)
		peer_remove(ourselves);
	list_for_each (peer, &device->peers, struct peer, node) {
		peer_forget_keys(peer);
		noise_remote_reset(&peer->remote);
	}
	device_unlock(device);
	list_for_each (peer, &device->peers, struct peer, node)
		peer_report_wiped(peer, "the private key was changed", clock_boottime());
	sodium_memzero(&identity, sizeof identity);
}

static void report_link(struct device *device, uint64_t now)
{
	struct event event = { .kind = device->up ? EVENT_LINK_UP : EVENT_LINK_DOWN, .interface = device->name };

	event_emit(&device->events, &event);
	list_for_each (peer, &device->peers, struct peer, node) {
		atomic_store_explicit(&peer->state.send_error, 0, memory_order_relaxed);
		if (device->up)
			peer_update_state(peer, now);
		else
			peer_report_wiped(peer, "the link is down", now);
	}
}

int control_set_up(struct device *device, bool up, uint64_t now)
{
	int error = 0;

	if (up == device->up)
		return 0;
	device_lock(device);
	if (up) {
		if (!device->listen_port)
			device->random_port = true;
		error = device->ops->bind(device->ops_context, &device->listen_port, device->mark);
		device->up = !error;
	} else {
		device->up = false;
		list_for_each (peer, &device->peers, struct peer, node) {
			timers_peer_stop(&device->timers, &peer->timers);
			staged_clear_ready(&device->staged, &peer->staged);
			staged_clear(&device->staged, &peer->staged);
			peer_forget_keys(peer);
			peer_clear_local(peer);
		}
		device->ops->unbind(device->ops_context);
		device_count(device, DROP_HANDSHAKE_QUEUE, mailbox_drop_messages(&device->mailbox));
	}
	device_unlock(device);
	if (!error && !device->leaving)
		report_link(device, now);
	if (!device->up)
		return error;
	list_for_each (peer, &device->peers, struct peer, node)
		if (peer->timers.keepalive)
			handshake_keepalive(peer, now);
	return 0;
}

int control_set_port(struct device *device, uint16_t port)
{
	const bool random = !port;
	int error = 0;

	if (port && port == device->listen_port)
		return 0;
	device_lock(device);
	if (device->up)
		error = device->ops->bind(device->ops_context, &port, device->mark);
	if (!error) {
		device->listen_port = port;
		device->random_port = random;
		clear_locals(device);
	}
	device_unlock(device);
	return error;
}

int control_set_mark(struct device *device, uint32_t mark)
{
	int error = 0;

	if (mark == device->mark)
		return 0;
	if (device->up)
		error = device->ops->set_mark(device->ops_context, mark);
	if (error)
		return error;
	device->mark = mark;
	device_lock(device);
	clear_locals(device);
	device_unlock(device);
	return 0;
}

void control_set_padding_limits(struct device *device, const struct padding_limits *limits)
{
	device_lock(device);
	device->padding_limits = *limits;
	device_unlock(device);
}
