/* SPDX-License-Identifier: MIT */
/*
 * The watch: decides which events of the host concern us, and when to look.
 *
 * A look comes a short pause after an event, so that a burst of events costs one look. While looks keep finding
 * something to repair, the pause grows up to 0.3 s. It also grows with the processor time that a look uses, so that
 * repairs never take more than a twentieth of a processor. A pause counts from the end of the last look. A look that
 * changed something is followed by another one, because the change itself causes no events.
 *
 * Most kernel parameters (sysctl) raise no event of rtnetlink when another program sets them. But inotify(7) reports
 * writes to their files, except through another mount of proc(5).
 *
 * Without events there is no timer: idle costs nothing.
 */
#ifndef ADIT_NETWORK_WATCH_H
#define ADIT_NETWORK_WATCH_H

#include <ev.h>
#include <stdbool.h>

#include "io/netlink_events.h"
#include "io/path_watch.h"

struct watch {
	struct ev_loop *loop; /* NULL: not started */
	struct ev_io routes, tables;
	struct path_watch parameters; /* their folders */
	struct ev_timer look;
	bool urgent;        /* the look follows an event */
	double pause;       /* seconds between looks */
	double looked_at;   /* the end of the last look, by clock_seconds */
	double repaired_at; /* the time of the last repair, by clock_seconds */
	unsigned repairs;   /* repairs in a row */
	/* Called for each event. Returns true if it may mean that an item of ours has changed. */
	bool (*concerns)(void *context, const struct netlink_event *event);
	/* Compares and repairs. Returns the number of repairs, or a negative errno. */
	int (*repair)(void *context);
	/* Called once when another program keeps undoing the repairs. */
	void (*contested)(void *context);
	void *context;
};

/*
 * Starts with zeroed memory in which the functions are set. `port`: netlink_port. Without inotify(7), changes of
 * parameters are not noticed. 0 or negative errno.
 */
int watch_start(struct watch *watch, struct ev_loop *loop, struct path_watches *paths, uint32_t port);
/* Accepts a zeroed struct. */
void watch_stop(struct watch *watch);

/* Watches the parameters of the interface, which has this name now, and those of all interfaces. */
void watch_parameters(struct watch *watch, const char *interface);

/* Schedules a look after the usual pause, because something has changed. */
void watch_look(struct watch *watch);
/* Schedules a look one second after the latest call, to check that a change of ours was not undone. */
void watch_look_when_idle(struct watch *watch);

#endif
