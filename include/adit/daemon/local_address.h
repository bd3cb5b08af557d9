/* SPDX-License-Identifier: MIT */
/*
 * Decides whether a peer's local address, the source address from which we send to it, is still usable.
 *
 * The local address is the one to which the peer sent its last datagram. Answers from another address would not pass
 * the firewalls on the path. The local address is usable while the route to the peer leaves by the interface on which
 * that datagram arrived. When it is not, the route decides again, as in the kernel's implementation.
 */
#ifndef ADIT_DAEMON_LOCAL_ADDRESS_H
#define ADIT_DAEMON_LOCAL_ADDRESS_H

#include <ev.h>

#include "io/netlink.h"
#include "tunnel/device.h"

struct local_addresses {
	struct device *device;
	struct ev_loop *loop;
	struct netlink *netlink;
	struct ev_io watcher;
	struct ev_timer pause;
	void (*changed)(void *context); /* called after each change of addresses, routes or rules; NULL: none */
	void *context;
};

/* Installs the check in the device, which then uses it after each change of routes. 0 or negative errno. */
int local_address_start(struct local_addresses *addresses, struct device *device, struct ev_loop *loop);
/* Accepts a zeroed struct. */
void local_address_stop(struct local_addresses *addresses);

#endif
