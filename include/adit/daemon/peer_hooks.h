/* SPDX-License-Identifier: MIT */
/*
 * Peer hooks: the commands PeerUp and PeerDown, which run on the events peer-up and peer-down.
 *
 * The commands of a peer, those of [Interface] and then those of its [Peer], run one after the other and in the order
 * of its events. If a peer goes up and down faster than its commands end, or more than once in a second, only its last
 * state counts. At most PEER_HOOK_PROCESSES commands run at a time, for all peers together. So a peer costs the memory
 * of one entry, however often it changes.
 *
 * Text that comes from elsewhere never becomes part of a command: "%n" and "%e" become references to environment
 * variables.
 */
#ifndef ADIT_DAEMON_PEER_HOOKS_H
#define ADIT_DAEMON_PEER_HOOKS_H

#include <ev.h>
#include <stdbool.h>

#include "base/map.h"
#include "config/config.h"
#include "daemon/child.h"
#include "daemon/hooks.h"
#include "tunnel/device.h"

enum { PEER_HOOK_PROCESSES = 4 };

/* Zeroed memory has not been started. */
struct peer_hooks {
	struct device *device;
	struct children *children;
	struct hooks hooks; /* for the log */
	struct event_consumer consumer;
	struct config_line *common[PEER_HOOKS]; /* of [Interface] */
	struct list peers, waiting;             /* struct hooked_peer: all, and those that are to run */
	struct map by_key;
	unsigned running;
	bool finishing; /* the daemon ends: do not wait between two runs of a peer */
	struct ev_timer start, limit;
};

/*
 * Starts to run the commands of `config`. Runs PeerUp for the peers that are up already, except those for which the
 * process before this one has run it. Returns 0 or -ENOMEM.
 */
int peer_hooks_start(struct peer_hooks *hooks, struct device *device, struct children *children,
					 const struct config *config);
/*
 * Before peer_hooks_reload: marks PeerUp and PeerDown of the device's peers as changed if `config` has other commands.
 */
void peer_hooks_mark_changes(const struct peer_hooks *hooks, const struct config *config);
/*
 * Takes the commands from `config`. Peers whose state does not change run nothing. Without memory, the previous ones
 * stay, and that is logged.
 */
void peer_hooks_reload(struct peer_hooks *hooks, const struct config *config);
/*
 * Runs the loop until all commands that are due have ended, for the time limit of a hook at most, or until *ended. Call
 * it when the peers have gone down with the tunnel.
 */
void peer_hooks_finish(struct peer_hooks *hooks, const bool *ended);
/* Forgets everything. The caller kills the commands that run. Accepts zeroed memory. */
void peer_hooks_stop(struct peer_hooks *hooks);

/*
 * Returns the command with "%i" and "%k" replaced by the interface and the key, which cannot be code; and "%n" and "%e"
 * by references to the variables ADIT_PEER and ADIT_ENDPOINT, in double quotes unless they are within quotes. The
 * caller frees it. NULL: no memory.
 */
char *peer_hook_expand(const char *command, const char *interface, const char *key);

#endif
