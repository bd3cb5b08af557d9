/* SPDX-License-Identifier: MIT */
/* A set request in progress: parsed, applied and freed in parts, so that packets flow in between. */
#ifndef ADIT_UAPI_SET_H
#define ADIT_UAPI_SET_H

#include "config/apply.h"
#include "text.h"

struct uapi_set {
	struct device *device;
	struct config config;
	struct uapi_parser parser;
	struct apply_progress apply;
	enum { SET_PARSE, SET_APPLY, SET_FREE } stage;
	size_t peers_before;
	int error; /* the answer */
};

/* Starts with the lines of a request, see uapi_parse_start. They must stay until uapi_set_part returns false. */
void uapi_set_start(struct uapi_set *set, struct device *device, char *text, size_t length);
/* Does about a millisecond of work. Returns false when `error` is the answer, and all memory is freed. */
bool uapi_set_part(struct uapi_set *set, uint64_t now);
/* Gives up. Frees and wipes all memory. */
void uapi_set_cancel(struct uapi_set *set);

#endif
