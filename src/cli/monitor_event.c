/* SPDX-License-Identifier: MIT */
/* monitor: parses and prints an event. */
#include "monitor_event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/keytext.h"
#include "base/terminal.h"

enum { JSON_VERSION = 1, NS_PER_MS = 1000000, NS_PER_US = 1000 };

/* The names on the control socket and in JSON. */
static const char *const names[] = {
	[FIELD_EVENT] = "event",   [FIELD_PUBLIC_KEY] = "public_key",
	[FIELD_NAME] = "name",     [FIELD_ENDPOINT] = "endpoint",
	[FIELD_FROM] = "from",     [FIELD_TO] = "to",
	[FIELD_ORIGIN] = "origin", [FIELD_ROLE] = "role",
	[FIELD_PEERS] = "peers",   [FIELD_REPAIRS] = "repairs",
	[FIELD_LOST] = "lost",     [FIELD_REASON] = "reason",
};
static_assert(sizeof names / sizeof *names == MONITOR_FIELDS, "one name per field");

static bool is_number(enum monitor_field field)
{
	return field == FIELD_PEERS || field == FIELD_REPAIRS || field == FIELD_LOST;
}

void monitor_event_set(struct monitor_event *event, const char *key, const char *value)
{
	uint8_t public_key[KEY_BYTES];

	if (!strcmp(key, "time_sec"))
		event->seconds = strtoull(value, NULL, 10);
	if (!strcmp(key, "time_nsec"))
		event->nanoseconds = strtoull(value, NULL, 10);
	for (int field = 0; field < MONITOR_FIELDS; field++) {
		char *to = event->value[field];

		if (strcmp(key, names[field]) != 0)
			continue;
		if (field == FIELD_PUBLIC_KEY && key_from_hex(public_key, value))
			key_to_base64(to, public_key);
		else if (is_number(field))
			snprintf(to, MONITOR_EVENT_VALUE, "%llu", strtoull(value, NULL, 10));
		else
			snprintf(to, MONITOR_EVENT_VALUE, "%s", value);
	}
}

/* The value is text of others. It follows `before`. */
static void print_field(FILE *to, const struct monitor_event *event, enum monitor_field field, const char *before)
{
	if (!*event->value[field])
		return;
	fputs(before, to);
	terminal_text(&(struct terminal) { .to = to }, event->value[field], -1);
}

static void print_count(FILE *to, const struct monitor_event *event, enum monitor_field field, const char *unit)
{
	const char *value = event->value[field];

	if (*value)
		fprintf(to, " %s %s%s", value, unit, strcmp(value, "1") ? "s" : "");
}

void monitor_event_text(FILE *to, const char *interface, const struct monitor_event *event)
{
	time_t seconds = (time_t)event->seconds;
	struct tm local = { 0 };
	char text[32], zone[8];

	localtime_r(&seconds, &local);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
	strftime(zone, sizeof zone, "%z", &local); /* "+0100", which is printed as "+01:00" */
	fprintf(to, "%s.%03llu%.3s:%s ", text, (unsigned long long)event->nanoseconds / NS_PER_MS, zone, zone + 3);
	terminal_text(&(struct terminal) { .to = to }, interface, -1);
	print_field(to, event, FIELD_EVENT, " ");
	print_field(to, event, *event->value[FIELD_NAME] ? FIELD_NAME : FIELD_PUBLIC_KEY, " ");
	print_field(to, event, FIELD_ENDPOINT, " at ");
	print_field(to, event, FIELD_FROM, " from ");
	print_field(to, event, FIELD_TO, " to ");
	if (*event->value[FIELD_ORIGIN]) {
		print_field(to, event, FIELD_ORIGIN, " (");
		fputc(')', to);
	}
	print_field(to, event, FIELD_ROLE, " as ");
	print_count(to, event, FIELD_PEERS, "peer");
	print_count(to, event, FIELD_REPAIRS, "repair");
	print_count(to, event, FIELD_LOST, "event");
	print_field(to, event, FIELD_REASON, ": ");
	fputc('\n', to);
}

void monitor_event_json(FILE *to, const char *interface, const struct monitor_event *event)
{
	fprintf(to, "{\"version\": %d, \"time\": %llu.%06llu, \"interface\": ", JSON_VERSION,
			(unsigned long long)event->seconds, (unsigned long long)event->nanoseconds / NS_PER_US);
	json_string(to, interface);
	for (int field = 0; field < MONITOR_FIELDS; field++) {
		const char *value = event->value[field];

		if (!*value)
			continue;
		fprintf(to, ", \"%s\": ", names[field]);
		if (is_number(field))
			fputs(value, to);
		else
			json_string(to, value);
	}
	fputs("}\n", to);
}
