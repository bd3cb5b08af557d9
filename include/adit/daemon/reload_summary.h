/* SPDX-License-Identifier: MIT */
/*
 * The summary of a reload: what it has changed, in one line of bounded length and without secrets:
 * "2 peers added, 1 changed (alice: Endpoint), route 10.2.0.0/16 removed".
 */
#ifndef ADIT_DAEMON_RELOAD_SUMMARY_H
#define ADIT_DAEMON_RELOAD_SUMMARY_H

#include <stdint.h>

#include "base/log.h"
#include "config/config.h"
#include "network/network.h"
#include "tunnel/device.h"

enum { SUMMARY_TEXT = 480 };

struct reload_summary {
	char text[SUMMARY_TEXT]; /* "": nothing has changed so far */
	size_t listed, more;     /* changes in `text`, and others that it has no room for */
	/* Of the device before the reload. */
	size_t peer_count;
	uint64_t serial;
	struct noise_identity identity;
	uint16_t listen_port;
	uint32_t mark;
	enum log_level log_level;
};

/* Remembers the state of the device. The struct then holds the private key, until summary_finish wipes it. */
void summary_start(struct reload_summary *summary, const struct device *device);
/* Between network_prepare and network_commit: adds the addresses, routes and settings of the link. */
void summary_add_network(struct reload_summary *summary, const struct network *network);
/*
 * When the peers and names are complete: adds everything else, compared with the configuration before, and ends the
 * text. If nothing has changed, the text says so.
 */
void summary_finish(struct reload_summary *summary, const struct device *device, const struct config *before,
					const struct config *after);

#endif
