/* SPDX-License-Identifier: MIT */
/*
 * The state of the TUN's link: its MTU, whether it is up, and its network namespace. The device may be moved to another
 * namespace while the process stays where it is (network_namespaces(7)).
 */
#ifndef ADIT_IO_LINK_H
#define ADIT_IO_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct link_state {
	uint32_t mtu;
	bool up;
};

struct link {
	int tun;         /* descriptor of the device; belongs to the caller */
	int watch;       /* netlink socket for link events, in the device's namespace; for an event loop */
	int query;       /* socket for ioctls, in the device's namespace */
	uint32_t index;  /* of the device in that namespace */
	ino_t namespace; /* identifies the namespace */
	bool removals;   /* see link_watch_removals */
};

/* The events that link_read reports, as bits. */
enum { LINK_STATE = 1, LINK_ROUTES = 2, LINK_DOWN = 4 };

struct netlink;

/* Opens the sockets for the device of descriptor `tun`. Returns 0 or a negative errno; -EBADFD if it was deleted. */
int link_open(struct link *link, int tun);
void link_close(struct link *link);

/* Reads the current state. Returns 0 or a negative errno; -EBADFD if the device was deleted. */
int link_state(const struct link *link, struct link_state *state);

/* Sets the MTU. Returns 0 or a negative errno. */
int link_set_mtu(const struct link *link, uint32_t mtu);

/*
 * Reads pending events from link->watch. Returns these bits:
 *   - LINK_STATE: the state may have changed; call link_state.
 *   - LINK_DOWN: the link was down, even if it is up again now. Only with LINK_STATE.
 *   - LINK_ROUTES: the MTUs of the routes through the device may have changed.
 * Returns 0 if nothing has changed, or a negative errno as link_open. If the device has moved to another namespace,
 * link->watch is a new descriptor afterwards.
 */
int link_read(struct link *link);

/*
 * Whether LINK_ROUTES includes events that can only remove a route with an MTU; see netlink_events_add_route_mtus. Off
 * at first. 0 or a negative errno.
 */
int link_watch_removals(struct link *link, bool on);
/* Returns a netlink socket in the device's namespace, or NULL and sets errno. The caller closes it. */
struct netlink *link_open_netlink(const struct link *link);

#endif
