/* SPDX-License-Identifier: MIT */
/*
 * From which address we speak to a peer. It is the one that the peer spoke to, so that its answers find it and a
 * firewall between lets them through; but only while the routes lead to the peer by the interface it came in by, as in
 * the kernel's implementation: a better route, or an address that goes, decides anew.
 */
#ifndef ADIT_DAEMON_LOCAL_ADDRESS_H
#define ADIT_DAEMON_LOCAL_ADDRESS_H

#include <ev.h>

#include "io/netlink.h"
#include "tunnel/device.h"

struct sources {
	struct device *device;
	struct ev_loop *loop;
	struct netlink *netlink;
	struct ev_io watcher;
};

/* Watches over the sources of the device's peers. 0 or negative errno. */
int local_address_start(struct sources *sources, struct device *device, struct ev_loop *loop);
/* Takes a zeroed struct. */
void local_address_stop(struct sources *sources);

#endif
