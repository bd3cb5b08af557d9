/* SPDX-License-Identifier: MIT */
/* The warnings of a network: one of each kind, for its owner and for the log. */
#include "network/warnings.h"

#include <string.h>

#include "base/log.h"
#include "base/map.h"

static void put_text(struct network_warnings *warnings, enum network_warning kind, const char *text)
{
	const struct network_callbacks *callbacks = warnings->callbacks;

	reason_set(&warnings->current[kind].text, 0, "%s", text);
	if (callbacks->warning)
		callbacks->warning(callbacks->context, kind, *text ? text : NULL);
}

void network_warnings_set(struct network_warnings *warnings, enum network_warning kind, const char *text)
{
	put_text(warnings, kind, text);
	log_warning(warnings->interface, "%s", text);
}

void network_warnings_report(struct network_warnings *warnings, enum network_warning kind, const char *text)
{
	struct network_warnings_logged *logged = &warnings->logged[kind];
	uint64_t hash = map_hash(text, strlen(text));

	put_text(warnings, kind, text);
	warnings->current[kind].reported = true;
	for (size_t i = 0; i < NETWORK_WARNINGS_REMEMBERED; i++)
		if (logged->hashes[i] == hash)
			return;
	logged->hashes[logged->count++ % NETWORK_WARNINGS_REMEMBERED] = hash;
	log_warning(warnings->interface, "%s", text);
}

void network_warnings_withdraw(struct network_warnings *warnings, enum network_warning kind)
{
	put_text(warnings, kind, "");
	warnings->current[kind].of_last_look = false;
	warnings->logged[kind] = (struct network_warnings_logged) { 0 };
}

void network_warnings_begin_look(struct network_warnings *warnings)
{
	for (enum network_warning kind = 0; kind < NETWORK_WARNINGS; kind++)
		warnings->current[kind].reported = false;
}

void network_warnings_end_look(struct network_warnings *warnings, bool left_out)
{
	for (enum network_warning kind = 0; kind < NETWORK_WARNINGS; kind++) {
		struct network_warning_state *state = &warnings->current[kind];
		bool skipped = kind == NETWORK_LEFT_OUT && left_out;

		if (!state->reported && state->of_last_look && !skipped)
			put_text(warnings, kind, "");
		state->of_last_look = state->reported;
	}
}

bool network_warnings_stand(const struct network_warnings *warnings)
{
	for (enum network_warning kind = 0; kind < NETWORK_WARNINGS; kind++)
		if (warnings->current[kind].of_last_look)
			return true;
	return false;
}

void network_warnings_begin_change(struct network_warnings *warnings)
{
	memcpy(warnings->before, warnings->current, sizeof warnings->before);
	for (enum network_warning kind = 0; kind < NETWORK_WARNINGS; kind++) {
		put_text(warnings, kind, "");
		warnings->current[kind].reported = warnings->current[kind].of_last_look = false;
	}
}

void network_warnings_restore(struct network_warnings *warnings)
{
	for (enum network_warning kind = 0; kind < NETWORK_WARNINGS; kind++) {
		warnings->current[kind] = warnings->before[kind];
		put_text(warnings, kind, warnings->before[kind].text.text);
	}
}
