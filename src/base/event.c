/* SPDX-License-Identifier: MIT */
/* Events: names of the kinds, and the bus. */
#include "base/event.h"

#include <assert.h>

#include "base/clock.h"

const char *event_name(enum event_kind kind)
{
	static const char *const names[] = {
		[EVENT_PEER_UP] = "peer-up",
		[EVENT_PEER_DOWN] = "peer-down",
		[EVENT_ENDPOINT_MOVED] = "endpoint-moved",
		[EVENT_HANDSHAKE_BEGUN] = "handshake-begun",
		[EVENT_HANDSHAKE_COMPLETED] = "handshake-completed",
		[EVENT_HANDSHAKE_REFUSED] = "handshake-refused",
		[EVENT_RELOAD_APPLIED] = "reload-applied",
		[EVENT_RELOAD_REFUSED] = "reload-refused",
		[EVENT_NETWORK_REPAIRED] = "network-repaired",
		[EVENT_GSO_REFUSED] = "gso-refused",
		[EVENT_LINK_UP] = "link-up",
		[EVENT_LINK_DOWN] = "link-down",
		[EVENT_END] = "end",
	};
	static_assert(sizeof names / sizeof *names == EVENTS, "one name per kind");

	return names[kind];
}

void event_subscribe(struct event_bus *bus, struct event_consumer *consumer)
{
	list_append(&bus->consumers, &consumer->node);
}

void event_unsubscribe(struct event_consumer *consumer)
{
	list_remove(&consumer->node);
}

void event_emit(const struct event_bus *bus, struct event *event)
{
	if (!event_wanted(bus))
		return;
	event->time = clock_realtime();
	list_for_each (consumer, &bus->consumers, const struct event_consumer, node)
		consumer->handle(consumer->context, event);
}
