/* SPDX-License-Identifier: MIT */
/* Writes an event as the lines that a client of `monitor=1` receives. */
#include <stdio.h>

#include "base/clock.h"
#include "monitor.h"

static void event_line(struct uapi_reply *reply, const char *key, const char *value)
{
	if (value)
		uapi_reply_line(reply, key, value);
}

static void event_number(struct uapi_reply *reply, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	uapi_reply_line(reply, key, text);
}

static void event_head(struct uapi_reply *reply, const char *name, uint64_t time)
{
	uapi_reply_line(reply, "event", name);
	event_number(reply, "time_sec", time / NS_PER_S);
	event_number(reply, "time_nsec", time % NS_PER_S);
}

static size_t event_tail(struct uapi_reply *reply)
{
	reply->text[reply->length++] = '\n';
	return reply->length;
}

size_t uapi_event_text(char text[UAPI_EVENT_ROOM], const struct event *event)
{
	struct uapi_reply reply = { .text = text, .room = UAPI_EVENT_ROOM - 1 }; /* for the blank line */
	char key[KEY_HEX];

	event_head(&reply, event_name(event->kind), event->time);
	if (event->public_key) {
		key_to_hex(key, event->public_key);
		uapi_reply_line(&reply, "public_key", key);
	}
	event_line(&reply, "name", event->name);
	event_line(&reply, "endpoint", event->endpoint);
	event_line(&reply, "from", event->from);
	event_line(&reply, "to", event->to);
	event_line(&reply, "origin", event->origin);
	event_line(&reply, "role", event->role);
	if (event->kind == EVENT_RELOAD_APPLIED)
		event_number(&reply, "peers", event->peers);
	if (event->kind == EVENT_NETWORK_REPAIRED)
		event_number(&reply, "repairs", event->repairs);
	event_line(&reply, "reason", event->reason);
	return event_tail(&reply);
}

size_t uapi_lost_text(char text[UAPI_EVENT_ROOM], uint64_t lost)
{
	struct uapi_reply reply = { .text = text, .room = UAPI_EVENT_ROOM - 1 };

	event_head(&reply, "lost", clock_realtime());
	event_number(&reply, "lost", lost);
	return event_tail(&reply);
}
