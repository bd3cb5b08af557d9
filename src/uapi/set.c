/* SPDX-License-Identifier: MIT */
/*
 * Set: a request to configure the device.
 *
 * A request for 100,000 peers takes a fifth of a second, and packets would wait for it. Therefore each stage is done in
 * parts. Nothing changes before the whole request has been parsed and its memory reserved, so a request still succeeds
 * or fails as a whole.
 */
#include "set.h"

#include <malloc.h>
#include <string.h>

#include "base/log.h"

enum {
	SET_LINES = 2048,    /* per part, a third of a millisecond */
	SET_QUOTA = 512,     /* peers and prefixes per part, about half a millisecond */
	SET_TRIM_MIN = 4096, /* peers that came or went, above which memory is returned to the system */
};

void uapi_set_start(struct uapi_set *set, struct device *device, char *text, size_t length)
{
	*set = (struct uapi_set) { .device = device, .peers_before = device->peer_count };
	uapi_parse_start(&set->parser, &set->config, text, length);
}

/* Returns false after the last peer. */
static bool free_part(struct config *config)
{
	struct config part = { .peers = config->peers };
	struct config_peer *last = part.peers;

	if (!last)
		return false;
	for (int count = 1; count < SET_QUOTA && last->next; count++)
		last = last->next;
	config->peers = last->next;
	last->next = NULL;
	config_forget_peers(&part);
	return true;
}

bool uapi_set_part(struct uapi_set *set, uint64_t now)
{
	int status;

	if (set->stage == SET_FREE) {
		if (free_part(&set->config))
			return true;
		/* The heap keeps what is freed, because the peers that stay are above it. */
		if (set->config.peer_count > SET_TRIM_MIN || set->peers_before > set->device->peer_count + SET_TRIM_MIN)
			malloc_trim(0);
		config_destroy(&set->config);
		return false;
	}
	status = set->stage == SET_PARSE ? uapi_parse_part(&set->parser, SET_LINES)
									 : apply_set_part(&set->apply, SET_QUOTA, now);
	if (status < 0) {
		log_debug(set->device->name, "control socket: set request failed: %s", strerror(-status));
		set->error = status;
		set->stage = SET_FREE;
	} else if (status == 0 && set->stage == SET_PARSE) {
		apply_set_start(&set->apply, set->device, &set->config);
		set->stage = SET_APPLY;
	} else if (status == 0) {
		log_debug(set->device->name, "control socket: set request with %zu peer%s applied", set->config.peer_count,
				  set->config.peer_count == 1 ? "" : "s");
		set->stage = SET_FREE;
	}
	return true;
}

void uapi_set_cancel(struct uapi_set *set)
{
	if (set->stage == SET_APPLY)
		apply_set_cancel(&set->apply);
	config_destroy(&set->config);
}
