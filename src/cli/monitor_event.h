/* SPDX-License-Identifier: MIT */
/* monitor: an event as its daemon describes it, and its two output formats. */
#ifndef ADIT_CLI_MONITOR_EVENT_H
#define ADIT_CLI_MONITOR_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MONITOR_EVENT_VALUE = 512 };

enum monitor_field {
	FIELD_EVENT,
	FIELD_PUBLIC_KEY, /* in base64 */
	FIELD_NAME,
	FIELD_ENDPOINT,
	FIELD_FROM,
	FIELD_TO,
	FIELD_ORIGIN,
	FIELD_ROLE,
	FIELD_PEERS,
	FIELD_REPAIRS,
	FIELD_LOST,
	FIELD_REASON,
	MONITOR_FIELDS
};

/* Zeroed memory is an event without any field. */
struct monitor_event {
	uint64_t seconds, nanoseconds; /* since the epoch */
	char value[MONITOR_FIELDS][MONITOR_EVENT_VALUE];
};

/* Stores the value of a line. Skips keys that are not known, and cuts a value that is too long. */
void monitor_event_set(struct monitor_event *event, const char *key, const char *value);
/* Prints the event as a line for people, with the time in the local time zone. */
void monitor_event_text(FILE *to, const char *interface, const struct monitor_event *event);
/* Prints the event as a line with a JSON object, which adit(8) describes. */
void monitor_event_json(FILE *to, const char *interface, const struct monitor_event *event);

#endif
