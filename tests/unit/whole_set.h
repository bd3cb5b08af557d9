/* SPDX-License-Identifier: MIT */
/* A set request in one part. */
#ifndef WHOLE_SET_H
#define WHOLE_SET_H

#include <stdint.h>

#include "config/apply.h"
#include "text.h"

static inline int parse_whole_set(struct config *config, char *text, size_t length)
{
	struct uapi_parser parser;

	uapi_parse_start(&parser, config, text, length);
	return uapi_parse_part(&parser, SIZE_MAX);
}

static inline int apply_whole_set(struct device *device, const struct config *config, uint64_t now)
{
	struct apply_progress progress;
	int status;

	apply_set_start(&progress, device, config);
	do
		status = apply_set_part(&progress, SIZE_MAX, now);
	while (status > 0);
	return status;
}

#endif
