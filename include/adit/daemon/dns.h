/* SPDX-License-Identifier: MIT */
/*
 * DNS: sets the name servers and search domains of the host while the tunnel is up, by resolvectl(1) where
 * systemd-resolved runs, otherwise by resolvconf(8).
 *
 * The meaning is that of `resolvconf -a IFNAME -m 0 -x`, which wg-quick(8) calls: the servers of the tunnel answer all
 * queries. If another program drops them, they are set again. Waiting for that costs nothing: inotify(7) reports it.
 */
#ifndef ADIT_DAEMON_DNS_H
#define ADIT_DAEMON_DNS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/reason.h"
#include "config/config.h"
#include "daemon/child.h"
#include "daemon/hooks.h"
#include "io/path_watch.h"

enum { DNS_STATE = 4096 }; /* bytes that are compared to detect a change */

struct dns_tool;

struct dns {
	const char *interface; /* NULL: not started */
	struct children *children;
	struct hooks *output;                 /* logs what the tools print */
	struct config_line *servers, *search; /* wanted */
	const struct dns_tool *tool;          /* NULL: nothing is set */
	enum { DNS_IDLE, DNS_SET, DNS_LOOK, DNS_RESTORE, DNS_REMOVE } task;
	const unsigned char *action; /* of the task, the one that runs */
	int status;                  /* of the last task */
	bool again;                  /* the wanted servers have changed during the task */
	bool unapplied;              /* a reload has changed the wanted servers, and they are not set yet */
	bool awaited;                /* the attempt that the last reload began has not ended */
	struct reason failure;       /* of the last call of the tool that failed */
	struct path_watch files;
	struct ev_timer pause; /* before a look */
	double backoff;        /* seconds */
	double restored_at;    /* by clock_seconds; 0: never */
	/* The attempt that a reload began has ended; `failure` is NULL if the servers are set. dns_start clears it. */
	void (*attempted)(void *context, const char *failure);
	void *context;
	char shown[DNS_STATE], expected[DNS_STATE]; /* the state as the tool shows it: now, and after it was set */
};

/*
 * Sets the servers of `config` and returns when they are set, or 0 at once if it has none. On an error, returns a
 * negative errno with the reason, and nothing is set; -ECANCELED if *ended became true. `children`, `paths` and
 * `output` must stay valid.
 */
int dns_start(struct dns *dns, const char *interface, const struct config *config, struct children *children,
			  struct path_watches *paths, struct hooks *output, const bool *ended, struct reason *reason);
/*
 * For a configuration without servers, after dns_start: removes those that an earlier process has left. Returns after
 * the first attempt. Logs failures, and tries again until an attempt succeeds.
 */
void dns_remove_left(struct dns *dns, const bool *ended);
/*
 * Begins to apply the servers of another configuration. Logs failures, and tries again until an attempt succeeds.
 * `attempted` is called once at the end of the first attempt, possibly before this function returns. If there is
 * nothing to apply, it is not called.
 */
void dns_reload(struct dns *dns, const struct config *config);
/*
 * Removes the servers, and returns when they are removed; with `keep`, leaves them to the next process. Failures are
 * logged. Accepts a zeroed struct.
 */
void dns_stop(struct dns *dns, bool keep);

#endif
