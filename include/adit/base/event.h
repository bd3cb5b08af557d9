/* SPDX-License-Identifier: MIT */
/*
 * Events: what happens to a tunnel and its peers, for those who watch it. Producers call event_emit; consumers, such as
 * the clients of `adit monitor` and the hooks PeerUp and PeerDown, subscribe to the bus. All of it runs in the thread
 * of control. Without a consumer, an event costs a test of a pointer.
 */
#ifndef ADIT_BASE_EVENT_H
#define ADIT_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/keytext.h"
#include "base/list.h"

enum event_kind {
	EVENT_PEER_UP,
	EVENT_PEER_DOWN,
	EVENT_ENDPOINT_MOVED,
	EVENT_HANDSHAKE_BEGUN,
	EVENT_HANDSHAKE_COMPLETED,
	EVENT_HANDSHAKE_REFUSED,
	EVENT_RELOAD_APPLIED,
	EVENT_RELOAD_REFUSED,
	EVENT_NETWORK_REPAIRED,
	EVENT_GSO_REFUSED,
	EVENT_LINK_UP,
	EVENT_LINK_DOWN,
	EVENT_END, /* the daemon ends, or hands the interface over to the next process */
	EVENTS
};

/* Fields that an event does not have are NULL or 0. The strings are valid during the call of event_emit. */
struct event {
	enum event_kind kind;
	uint64_t time; /* ns since the epoch; event_emit sets it */
	const char *interface;
	const uint8_t *public_key; /* KEY_BYTES of the peer */
	const char *name;          /* of the peer */
	const char *endpoint;      /* where the peer is, or the sender of a refused message */
	const char *from, *to;     /* of a peer that moved */
	const char *origin;        /* how its endpoint was learned */
	const char *role;          /* in a handshake: "initiator" or "responder" */
	const char *reason;        /* a clause for people */
	uint32_t peers, repairs;   /* how many */
};

struct event_consumer {
	struct list_node node;
	void (*handle)(void *context, const struct event *event);
	void *context;
};

/* Zeroed memory is a bus without consumers. */
struct event_bus {
	struct list consumers;
};

/* The name of a kind of event, such as "peer-up". */
const char *event_name(enum event_kind kind);

/*
 * Adds a consumer, whose `handle` is called for each event. It may run while the device lock is held, so it must not
 * block, and it must neither subscribe nor unsubscribe.
 */
void event_subscribe(struct event_bus *bus, struct event_consumer *consumer);
/* Removes a consumer. Accepts one that has not subscribed. */
void event_unsubscribe(struct event_consumer *consumer);

/* Whether there is a consumer. Where composing an event costs more than a few assignments, test this first. */
static inline bool event_wanted(const struct event_bus *bus)
{
	return !list_empty(&bus->consumers);
}

/* Sets the time of the event and hands it to all consumers. */
void event_emit(const struct event_bus *bus, struct event *event);

#endif
