/* SPDX-License-Identifier: MIT */
/*
 * The text of the control socket, without the socket: what a set says, and what a get answers (the cross-platform
 * userspace configuration protocol of WireGuard, wireguard.com/xplatform). A line is `key=value`; a blank line ends a
 * request or an answer.
 */
#ifndef ADIT_UAPI_TEXT_H
#define ADIT_UAPI_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "tunnel/device.h"

/*
 * Reads what stands between `set=1` and the blank line: `length` bytes of whole lines, in which line ends are
 * overwritten. `config` is zeroed by the caller, who destroys it whatever comes back, and wipes the text. 0, or as
 * wireguard-go has it: -EINVAL for an unknown key or a bad value, -EPROTO for a line without '=', -EIO when the last
 * line has no end; or -ENOMEM.
 */
int uapi_parse(struct config *config, char *text, size_t length);

/*
 * A get under way. It holds on to nothing in the device, so peers and prefixes may come and go between two calls: what
 * stays all the while is told once, what changes meanwhile may be told or not. Zeroed memory is one that begins.
 */
struct uapi_get {
	enum uapi_get_stage { GET_INTERFACE, GET_PEER, GET_PREFIXES, GET_END, GET_DONE } stage;
	uint8_t public_key[KEY_BYTES]; /* of the peer told last, and its serial */
	uint64_t serial;
	size_t told;      /* its prefixes told so far */
	uint32_t next;    /* in its list of prefixes */
	uint64_t changes; /* of its list: while it stays, `next` is good */
};

enum { UAPI_GET_ROOM = 512 }; /* the least room that uapi_get_next wants */

/*
 * Writes the next part of the answer, whole lines with secrets among them, into `room` bytes. Returns how many it
 * wrote; 0 when all has been told. Its time is bounded by the room.
 */
size_t uapi_get_next(struct uapi_get *get, const struct device *device, char *text, size_t room);

#endif
