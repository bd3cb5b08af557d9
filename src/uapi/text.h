/* SPDX-License-Identifier: MIT */
/*
 * The text of the control socket: parses set requests and generates answers to get, without any I/O. The format is the
 * cross-platform userspace protocol of WireGuard (wireguard.com/xplatform): lines of `key=value`, and a blank line
 * after each request and answer.
 */
#ifndef ADIT_UAPI_TEXT_H
#define ADIT_UAPI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/device.h"

/* A parser that stops after each part, because a large request takes long. */
struct uapi_parser {
	struct config *config;
	char *text, *end;         /* of what is left */
	bool has_nul;             /* the request is invalid */
	struct config_peer *peer; /* whose keys follow; NULL: keys of the interface follow */
	struct config_peer **peer_tail;
	struct config_prefix **prefix_tail;
};

/*
 * Starts to parse the lines between `set=1` and the blank line: `length` bytes, in which line ends are overwritten. The
 * caller zeroes `config`, destroys it whatever the result is, and wipes the text. Both must stay until the last part.
 */
void uapi_parse_start(struct uapi_parser *parser, struct config *config, char *text, size_t length);
/*
 * Parses up to `lines` lines. Returns 1 if there are more, else 0 or the errors of wireguard-go: -EINVAL for an unknown
 * key or a bad value, -EPROTO for a line without '=', -EIO if the last line has no end; or -ENOMEM.
 */
int uapi_parse_part(struct uapi_parser *parser, size_t lines);

/*
 * The cursor of a get. It holds no pointer into the device, so peers and prefixes may be added and removed between two
 * parts of the answer: those that exist from the first part to the last appear once, others may appear or not. Zeroed
 * memory is a get that has not started.
 */
struct uapi_get {
	enum uapi_get_stage {
		GET_INTERFACE,
		GET_WARNINGS,
		GET_PEER,
		GET_STATE,
		GET_QUALITY,
		GET_PROBLEM,
		GET_LABEL,
		GET_PREFIXES,
		GET_END,
		GET_DONE
	} stage;
	unsigned warnings_written;
	uint8_t public_key[KEY_BYTES]; /* of the current peer, the one written last */
	uint64_t serial;               /* of the current peer; 0: none yet */
	size_t prefixes_written;       /* of the current peer */
	uint32_t next_prefix;          /* entry in the current peer's list, valid while `changes` is the list's */
	uint64_t changes;
};

enum { UAPI_GET_ROOM = 512 }; /* the minimum of `room` below */

/*
 * Writes the next part of the answer, whole lines that may contain keys, into `room` bytes. Returns the number of bytes
 * written, 0 after the last part. The time it takes is bounded by the room.
 */
size_t uapi_get_next(struct uapi_get *get, const struct device *device, char *text, size_t room);

#endif
